use std::fmt;

/// A relying party identifier: a domain, in lower case, without scheme or port; 1 to 253 characters.
///
/// Source: WebAuthn L3 §4 "Relying Party Identifier". That it is a registrable suffix of each origin is checked where
/// the configuration is read, not here.
#[derive(Clone, Debug, Eq, Hash, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct RpId(Box<str>);

/// The text cannot be an RP ID.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an RP ID is a domain in lower case, such as example.org, not {text:?}")]
pub struct InvalidRpId {
    /// What was received.
    pub text: String,
}

impl RpId {
    /// Takes a domain such as `example.org` or `localhost`.
    ///
    /// # Errors
    /// [`InvalidRpId`] when it is empty, too long, or holds anything but lower-case letters, digits, `-`, `.` and `_`.
    pub fn new(text: &str) -> Result<Self, InvalidRpId> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_');
        if (1..=253).contains(&text.len())
            && text.bytes().all(allowed)
            && text.split('.').all(|label| !label.is_empty())
        {
            Ok(Self(text.into()))
        } else {
            Err(InvalidRpId {
                text: text.to_owned(),
            })
        }
    }

    /// The domain.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a ceremony ran: a serialised web origin (`https://example.org`) or a native app's (`android:apk-key-hash:…`).
///
/// Compared as text, whole and exactly; never by prefix, suffix or host. 1 to 1024 bytes.
/// Source: WebAuthn L3 §5.8.1 and §13.4.9.
#[derive(Clone, Debug, Eq, Hash, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct Origin(Box<str>);

/// The text cannot be an origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an origin has 1 to 1024 bytes, not {len}")]
pub struct InvalidOrigin {
    /// The number of bytes received.
    pub len: usize,
}

impl Origin {
    /// Takes a serialised origin as it stands; scheme and shape are not looked at.
    ///
    /// # Errors
    /// [`InvalidOrigin`] when it is empty or longer than 1024 bytes.
    pub fn new(text: &str) -> Result<Self, InvalidOrigin> {
        match text.len() {
            1..=1024 => Ok(Self(text.into())),
            len => Err(InvalidOrigin { len }),
        }
    }

    /// The serialised origin.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rp_id_is_a_lower_case_domain() {
        for text in [
            "example.org",
            "localhost",
            "login.kv.com",
            "xn--bcher-kva.example",
        ] {
            assert!(RpId::new(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "Example.org",
            "https://example.org",
            "example.org:443",
            ".example",
            "a..b",
            "a b",
            "é.org",
        ] {
            assert!(RpId::new(text).is_err(), "{text}");
        }
    }
}
