//! ML-DSA (FIPS 204), pure, with the empty context.

use ::ml_dsa::{EncodedVerifyingKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, VerifyingKey};

use super::{KeyMaterialError, MlDsa};

/// An encoded key of its set's length: every such string is one (FIPS 204 `pkDecode` cannot fail).
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Key {
    set: MlDsa,
    bytes: Box<[u8]>,
}

impl MlDsa {
    /// The size of a public key in bytes (FIPS 204 table 2).
    pub(crate) const fn public_key_len(self) -> usize {
        match self {
            Self::MlDsa44 => 1312,
            Self::MlDsa65 => 1952,
            Self::MlDsa87 => 2592,
        }
    }
}

impl Key {
    pub(super) fn new(set: MlDsa, bytes: &[u8]) -> Result<Self, KeyMaterialError> {
        if bytes.len() == set.public_key_len() {
            Ok(Self {
                set,
                bytes: bytes.into(),
            })
        } else {
            Err(KeyMaterialError::CoordinateLength {
                expected: set.public_key_len(),
                received: bytes.len(),
            })
        }
    }

    pub(super) const fn set(&self) -> MlDsa {
        self.set
    }

    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.set {
            MlDsa::MlDsa44 => verify::<MlDsa44>(&self.bytes, message, signature),
            MlDsa::MlDsa65 => verify::<MlDsa65>(&self.bytes, message, signature),
            MlDsa::MlDsa87 => verify::<MlDsa87>(&self.bytes, message, signature),
        }
    }
}

/// FIPS 204 algorithm 3; a signature of another length, or with hints that are not canonical, is none.
fn verify<P: MlDsaParams>(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (
        EncodedVerifyingKey::<P>::try_from(key),
        Signature::<P>::try_from(signature),
    ) else {
        return false;
    };
    VerifyingKey::<P>::decode(&key).verify_with_context(message, &[], &signature)
}
