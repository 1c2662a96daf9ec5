//! RSA signature verification, by ring where it is there.

// In a build with ring it verifies what ring has no name for, and in tests all that ring verifies.
mod portable;

use super::{Hash, KeyMaterialError, KeyParts};

/// Modulus and public exponent, big-endian without leading zeros.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Key {
    n: Box<[u8]>,
    e: Box<[u8]>,
}

impl Key {
    pub(super) fn new(n: &[u8], e: &[u8]) -> Result<Self, KeyMaterialError> {
        let (Some(&n_first), Some(&n_last)) = (n.first(), n.last()) else {
            return Err(KeyMaterialError::RsaModulus);
        };
        let (Some(&e_first), Some(&e_last)) = (e.first(), e.last()) else {
            return Err(KeyMaterialError::RsaExponent);
        };
        if n_first == 0 || e_first == 0 {
            return Err(KeyMaterialError::LeadingZero);
        }
        // 256 bytes with the top bit set, to 1024 bytes.
        let long_enough = n.len() > 256 || (n.len() == 256 && n_first & 0x80 != 0);
        if !long_enough || n.len() > 1024 || n_last & 1 == 0 {
            return Err(KeyMaterialError::RsaModulus);
        }
        // ring verifies with exponents of at most 33 bits: a longer one is refused here rather than at every login.
        if e_last & 1 == 0 || e == [1] || e.len() > 5 || (e.len() == 5 && e_first > 1) {
            return Err(KeyMaterialError::RsaExponent);
        }
        Ok(Self {
            n: n.into(),
            e: e.into(),
        })
    }

    pub(super) fn parts(&self) -> KeyParts<'_> {
        KeyParts::Rsa {
            n: &self.n,
            e: &self.e,
        }
    }

    pub(super) fn verify_pkcs1(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        #[cfg(feature = "ring")]
        {
            use ring::signature::{
                RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
                RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
            };
            let parameters = match hash {
                Hash::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                Hash::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
                Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
            };
            self.verify_by_ring(parameters, message, signature)
        }
        #[cfg(not(feature = "ring"))]
        self.verify_pkcs1_in_rust(hash, message, signature)
    }

    pub(super) fn verify_pss(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        #[cfg(feature = "ring")]
        {
            use ring::signature::{
                RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
            };
            let parameters = match hash {
                Hash::Sha1 => return self.verify_pss_in_rust(hash, message, signature),
                Hash::Sha256 => &RSA_PSS_2048_8192_SHA256,
                Hash::Sha384 => &RSA_PSS_2048_8192_SHA384,
                Hash::Sha512 => &RSA_PSS_2048_8192_SHA512,
            };
            self.verify_by_ring(parameters, message, signature)
        }
        #[cfg(not(feature = "ring"))]
        self.verify_pss_in_rust(hash, message, signature)
    }

    #[cfg(any(test, not(feature = "ring")))]
    pub(super) fn verify_pkcs1_in_rust(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        portable::verify_pkcs1(&self.n, &self.e, hash, message, signature)
    }

    pub(super) fn verify_pss_in_rust(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        portable::verify_pss(&self.n, &self.e, hash, message, signature)
    }

    #[cfg(feature = "ring")]
    fn verify_by_ring(
        &self,
        parameters: &'static ring::signature::RsaParameters,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        ring::signature::RsaPublicKeyComponents {
            n: &self.n,
            e: &self.e,
        }
        .verify(parameters, message, signature)
        .is_ok()
    }
}
