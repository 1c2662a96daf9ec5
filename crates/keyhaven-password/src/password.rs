use std::fmt;

use precis_core::profile::PrecisFastInvocation as _;
use precis_profiles::OpaqueString;
use zeroize::Zeroizing;

/// What somebody typed as a password: 1 to 256 characters. Wiped when dropped, never shown.
pub struct Password {
    prepared: Zeroizing<String>,
    /// As typed, where that differs: what another system hashed before it was taken over.
    typed: Option<Zeroizing<String>>,
}

/// The text cannot be a password: empty, longer than 256 characters, or with control characters in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a password has 1 to 256 characters, none of them a control character")]
pub struct InvalidPassword;

impl Password {
    /// The longest, in characters.
    pub const MAX_CHARS: usize = 256;

    /// Prepares what was typed: characters that look like a space become one, composed and decomposed letters become
    /// the same (RFC 8265 §4.2). Case is kept.
    ///
    /// # Errors
    /// [`InvalidPassword`]
    pub fn new(typed: &str) -> Result<Self, InvalidPassword> {
        // Preparing can change the length: bound the work first, then the result.
        if typed.len() > 4 * Self::MAX_CHARS {
            return Err(InvalidPassword);
        }
        let prepared = Zeroizing::new(
            OpaqueString::enforce(typed)
                .map_err(|_| InvalidPassword)?
                .into_owned(),
        );
        if !(1..=Self::MAX_CHARS).contains(&prepared.chars().count()) {
            return Err(InvalidPassword);
        }
        let typed = (typed != prepared.as_str()).then(|| Zeroizing::new(typed.to_owned()));
        Ok(Self { prepared, typed })
    }

    pub(crate) fn prepared(&self) -> &str {
        &self.prepared
    }

    pub(crate) fn typed(&self) -> Option<&str> {
        self.typed.as_ref().map(|typed| typed.as_str())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_is_the_same() {
        let composed = Password::new("caf\u{e9} \u{3000}x").unwrap();
        let decomposed = Password::new("cafe\u{301}\u{a0} x").unwrap();
        assert_eq!(composed.prepared(), "caf\u{e9}  x");
        assert_eq!(composed.prepared(), decomposed.prepared());
        assert_eq!(decomposed.typed(), Some("cafe\u{301}\u{a0} x"));
        assert_eq!(Password::new("Plain").unwrap().typed(), None);
        assert_ne!(Password::new("plain").unwrap().prepared(), "Plain");
        assert_eq!(format!("{composed:?}"), "Password(..)");
    }

    #[test]
    fn length_is_bounded_in_characters_and_control_characters_are_refused() {
        let longest = "\u{1f511}".repeat(256);
        assert!(Password::new(&longest).is_ok());
        assert!(Password::new(&format!("{longest}x")).is_err());
        for bad in ["", "a\0b", "a\nb", "a\u{7f}b"] {
            assert_eq!(Password::new(bad).err(), Some(InvalidPassword), "{bad:?}");
        }
    }
}
