use ed25519_dalek::{Signature, VerifyingKey};

use super::{KeyMaterialError, exactly};

#[derive(Clone, Eq, PartialEq)]
pub(super) struct Key(VerifyingKey);

impl Key {
    /// From the 32 bytes of RFC 8032 §5.1.2.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, KeyMaterialError> {
        let bytes = exactly::<32>(bytes)?;
        // The sign bit aside, y must be below 2^255 - 19: decompression would accept the other form too.
        let [first, middle @ .., last] = bytes;
        if *first >= 0xed && middle.iter().all(|&byte| byte == 0xff) && last & 0x7f == 0x7f {
            return Err(KeyMaterialError::NotOnCurve);
        }
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyMaterialError::NotOnCurve)?;
        if key.is_weak() {
            Err(KeyMaterialError::SmallOrder)
        } else {
            Ok(Self(key))
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}
