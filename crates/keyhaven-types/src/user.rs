use std::fmt;

use crate::{base64url, constant_time};

/// An account as authenticators know it (`user.id`). 1 to 64 opaque bytes without personal data.
///
/// Source: WebAuthn L3 §4 "User Handle", §5.4.3, §14.6.1.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct UserHandle(Box<[u8]>);

/// A user handle of no bytes, or of more than [`UserHandle::MAX_LEN`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a user handle has 1 to 64 bytes, not {len}")]
pub struct InvalidUserHandle {
    /// The number of bytes received.
    pub len: usize,
}

impl UserHandle {
    /// The most bytes a handle may have.
    pub const MAX_LEN: usize = 64;

    /// The handle's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `other` is the same handle, compared in constant time.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        constant_time::eq(&self.0, other).into()
    }
}

impl TryFrom<&[u8]> for UserHandle {
    type Error = InvalidUserHandle;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        match bytes.len() {
            1..=Self::MAX_LEN => Ok(Self(bytes.into())),
            len => Err(InvalidUserHandle { len }),
        }
    }
}

impl fmt::Debug for UserHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserHandle(..)")
    }
}

base64url::serde_base64url!(UserHandle);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_handles_have_1_to_64_bytes() {
        assert_eq!(UserHandle::try_from(&[][..]), Err(InvalidUserHandle { len: 0 }));
        assert!(UserHandle::try_from(&[7; 64][..]).is_ok());
        assert_eq!(
            UserHandle::try_from(&[7; 65][..]),
            Err(InvalidUserHandle { len: 65 })
        );
    }

    #[test]
    fn handles_match_whole() {
        let handle = UserHandle::try_from(&[1, 2][..]).unwrap();
        assert!(handle.matches(&[1, 2]));
        assert!(!handle.matches(&[1]));
        assert!(!handle.matches(&[1, 2, 3]));
    }
}
