use std::fmt;

use keyhaven_types::base64url;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub uuid::Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                uuid::Uuid::try_parse(text).map(Self)
            }
        }
    };
}

uuid_id! {
    /// One account. A random (version 4) UUID; never sent to authenticators, which know the user handle instead.
    AccountId
}
uuid_id! {
    /// One session, as its owner sees it in lists. A random UUID; knowing it grants nothing.
    SessionId
}
uuid_id! {
    /// One audit event. A time-ordered (version 7) UUID; ordering is a convenience, not a promise.
    EventId
}

uuid_id! {
    /// One mail in the outbox. A random UUID; it shows in the mail's Message-ID.
    MailId
}

/// Names one pending ceremony: 32 random bytes, base64url in JSON. Whoever knows it can try to finish the ceremony.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct CeremonyId(pub [u8; 32]);

impl CeremonyId {
    /// Reads the base64url text of exactly 32 bytes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The base64url text, 43 characters.
    #[must_use]
    pub fn to_text(self) -> String {
        base64url::encode(&self.0)
    }
}

impl fmt::Debug for CeremonyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CeremonyId(..)")
    }
}

/// SHA-256 of a secret token (a session's or a browser's): what the store keeps in place of the token.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}
