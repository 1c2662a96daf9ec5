use std::fmt;

use zeroize::Zeroize as _;

use crate::base64url;

/// The random bytes that tie one response to one ceremony. At least 1 byte here; servers issue 16 to 128.
///
/// Compared in constant time only, wiped when dropped, never printed. Source: WebAuthn L3 §13.4.3.
#[derive(Clone)]
pub struct Challenge(Vec<u8>);

/// A challenge of no bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a challenge has at least one byte")]
pub struct InvalidChallenge;

impl Challenge {
    /// Takes the challenge's bytes, at least one.
    ///
    /// # Errors
    /// [`InvalidChallenge`] when there is none.
    pub fn new(bytes: Vec<u8>) -> Result<Self, InvalidChallenge> {
        if bytes.is_empty() {
            Err(InvalidChallenge)
        } else {
            Ok(Self(bytes))
        }
    }

    /// The bytes, for storing them or sending them in ceremony options.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `text` is exactly this challenge in base64url without padding, compared in constant time.
    ///
    /// Source: WebAuthn L3 §7.1 step 8 and §7.2 step 11.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        base64url::ct_eq(&self.0, text)
    }
}

impl From<[u8; 32]> for Challenge {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes.to_vec())
    }
}

impl TryFrom<&[u8]> for Challenge {
    type Error = InvalidChallenge;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Self::new(bytes.to_vec())
    }
}

impl Drop for Challenge {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(..)")
    }
}

base64url::serde_base64url!(Challenge);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_matches() {
        let challenge = Challenge::new(vec![0xfb, 0xff]).unwrap();
        assert!(challenge.matches("-_8"));
        for text in ["-_8=", "+/8", "-_9", "-_", ""] {
            assert!(!challenge.matches(text), "{text:?}");
        }
    }

    #[test]
    fn an_empty_challenge_cannot_exist() {
        assert_eq!(Challenge::new(Vec::new()).err(), Some(InvalidChallenge));
    }

    #[test]
    fn debug_shows_no_byte() {
        assert_eq!(
            format!("{:?}", Challenge::new(vec![42]).unwrap()),
            "Challenge(..)"
        );
    }
}
