//! What a mail is about.

use std::fmt;
use std::str::FromStr;

use keyhaven_types::UnixTime;
use serde::{Deserialize, Serialize};

use crate::Language;

/// A mail to be sent. It can be stored until then (`serde`); what must not be read meanwhile is for the store to seal.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Mail {
    /// To whom.
    pub to: Address,
    /// In which language.
    pub language: Language,
    /// The account's username, to greet with: only where the address is proven to be that account's.
    pub username: Option<String>,
    /// When and from where the reason for this mail came.
    pub occasion: Option<Occasion>,
    /// What it says.
    pub content: Content,
}

/// When and from where something was done.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Occasion {
    /// When.
    #[serde(with = "millis")]
    pub at: UnixTime,
    /// The network address, as text.
    pub ip: Option<String>,
    /// Browser and system in words of our own (`Firefox, Windows`), never the header that a client sent.
    pub device: Option<String>,
}

/// What a mail says.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// The account is gone.
    AccountDeleted,
    /// To the old address: the change is done.
    AddressChanged {
        /// The new address.
        address: Address,
    },
    /// To the present address: a change was asked for.
    AddressChanging {
        /// The new address.
        address: Address,
        /// Where the account can be reviewed.
        review: Action,
    },
    /// Somebody else entered an address that is this account's.
    AddressInUse,
    /// Somebody wants an account that is called by this address, and there is one.
    AlreadyRegistered {
        /// Where to sign in.
        page: Action,
    },
    /// To a new address of an account that has one.
    ChangeAddress {
        /// Proves that the mail was read.
        link: Action,
        /// Until when.
        #[serde(with = "millis")]
        until: UnixTime,
    },
    /// An administrator's invitation to add a passkey.
    EnrolmentLink {
        /// Where.
        link: Action,
        /// Until when.
        #[serde(with = "millis")]
        until: UnixTime,
    },
    /// An administrator's link was used: whoever did can add a passkey.
    EnrolmentUsed,
    /// A sign-in from where none came from before.
    NewDevice {
        /// Where sessions can be reviewed.
        review: Action,
    },
    /// One more passkey.
    PasskeyAdded {
        /// Its name.
        passkey: String,
        /// Where passkeys can be reviewed.
        review: Action,
    },
    /// A sign count went backward.
    PasskeyCloned {
        /// The passkey's name.
        passkey: String,
        /// What was done about it.
        response: CloneResponse,
        /// Where passkeys can be reviewed.
        review: Action,
    },
    /// One passkey less.
    PasskeyRemoved {
        /// Its name.
        passkey: String,
        /// Where the account can be reviewed.
        review: Action,
    },
    /// Another password.
    PasswordChanged {
        /// Where the account can be reviewed.
        review: Action,
    },
    /// A code to recover the account with.
    RecoveryCode {
        /// Six digits.
        code: Secret,
        /// Until when.
        #[serde(with = "millis")]
        until: UnixTime,
    },
    /// New recovery codes.
    RecoveryCodesMade {
        /// Where the account can be reviewed.
        review: Action,
    },
    /// Recovered.
    RecoveryDone,
    /// Recovery waits, and can be cancelled.
    RecoveryWaiting {
        /// Cancels it.
        cancel: Action,
        /// From when on it can go on.
        #[serde(with = "millis")]
        until: UnixTime,
    },
    /// A code that proves an address before there is an account.
    RegistrationCode {
        /// Six digits.
        code: Secret,
        /// Types them, in the browser that asked.
        link: Action,
        /// Until when.
        #[serde(with = "millis")]
        until: UnixTime,
    },
    /// To the first address of an account.
    VerifyAddress {
        /// Proves that the mail was read.
        link: Action,
        /// Until when.
        #[serde(with = "millis")]
        until: UnixTime,
    },
}

impl Content {
    /// From this moment on the mail would come too late to be of use.
    #[must_use]
    pub const fn useless_from(&self) -> Option<UnixTime> {
        match self {
            Self::ChangeAddress { until, .. }
            | Self::EnrolmentLink { until, .. }
            | Self::RecoveryCode { until, .. }
            | Self::RegistrationCode { until, .. }
            | Self::VerifyAddress { until, .. } => Some(*until),
            Self::AccountDeleted
            | Self::AddressChanged { .. }
            | Self::AddressChanging { .. }
            | Self::AddressInUse
            | Self::AlreadyRegistered { .. }
            | Self::EnrolmentUsed
            | Self::NewDevice { .. }
            | Self::PasskeyAdded { .. }
            | Self::PasskeyCloned { .. }
            | Self::PasskeyRemoved { .. }
            | Self::PasswordChanged { .. }
            | Self::RecoveryCodesMade { .. }
            | Self::RecoveryDone
            | Self::RecoveryWaiting { .. } => None,
        }
    }
}

/// What was done about a passkey that seems to have been copied.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloneResponse {
    /// The sign-in was refused.
    Refused,
    /// Nothing: the sign-in was let in.
    Reported,
    /// The passkey is out of use for good, and the sessions that it opened are over.
    Revoked,
    /// The same, until its owner puts it back.
    Suspended,
}

/// A link that a mail asks to follow; it may carry a token.
pub type Action = Secret;

/// Text that gives rights to whoever reads it: never shown by `Debug`.
#[derive(Clone, Eq, PartialEq, Deserialize, Serialize)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// An e-mail address that mail can be sent to (RFC 5321, RFC 6531 for domains and names beyond ASCII): at most 254
/// bytes, no display name, no comment, no quoted name, no address literal.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(lettre::Address);

/// The text is no address that mail can be sent to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is no e-mail address")]
pub struct InvalidAddress;

impl Address {
    const MAX_BYTES: usize = 254;

    /// As it is written in a header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    pub(crate) const fn inner(&self) -> &lettre::Address {
        &self.0
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let odd = |character: char| {
            character.is_control()
                || character.is_whitespace()
                || matches!(character, '"' | '<' | '>' | ',' | ';' | '[')
        };
        if text.len() > Self::MAX_BYTES || text.chars().any(odd) {
            return Err(InvalidAddress);
        }
        text.parse().map(Self).map_err(|_| InvalidAddress)
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.as_str().to_owned()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A time as milliseconds since 1970.
mod millis {
    use keyhaven_types::UnixTime;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixTime, D::Error> {
        i64::deserialize(deserializer).map(UnixTime::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_mail_can_be_sent_to_is_an_address() {
        for good in [
            "a@example.org",
            "first.last+tag@sub.example.org",
            "jörg@münchen.example",
            "o'neil@example.org",
        ] {
            assert_eq!(good.parse::<Address>().unwrap().as_str(), good);
        }
        let long = format!("{}@example.org", "a".repeat(250));
        for bad in [
            "",
            "a",
            "@example.org",
            "a@",
            "a b@example.org",
            "a@example.org\r\nBcc: b@example.org",
            "a@exa\u{0}mple.org",
            "A <a@example.org>",
            "a@example.org,b@example.org",
            "\"a b\"@example.org",
            "a@[127.0.0.1]",
            "a@b@c",
            long.as_str(),
        ] {
            assert_eq!(bad.parse::<Address>(), Err(InvalidAddress), "{bad:?}");
        }
    }

    #[test]
    fn a_mail_can_be_kept_and_shows_no_secret() {
        let mail = Mail {
            to: "a@example.org".parse().unwrap(),
            language: Language::De,
            username: Some("alice".to_owned()),
            occasion: Some(Occasion {
                at: UnixTime::from_millis(1),
                ip: None,
                device: None,
            }),
            content: Content::RecoveryCode {
                code: Secret("123456".to_owned()),
                until: UnixTime::from_millis(2),
            },
        };
        assert!(!format!("{mail:?}").contains("123456"));
        let kept = serde_json::to_string(&mail).unwrap();
        assert_eq!(serde_json::from_str::<Mail>(&kept).unwrap(), mail);
        let broken = kept.replace("a@example.org", "a@example.org\\r\\nBcc: b@example.org");
        assert!(serde_json::from_str::<Mail>(&broken).is_err());
    }
}
