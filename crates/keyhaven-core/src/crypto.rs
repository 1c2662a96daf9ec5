//! The one module that names a cryptography crate.
//!
//! | what | crate | why |
//! |---|---|---|
//! | ES256, ES384, RS256 verification, SHA-256 | ring | the fastest of those measured for ES256 that needs no C toolchain of its own |
//! | "is this point on the curve" | p256, p384 | ring says so only together with a signature; a key must be judged when it is registered |
//! | Ed25519 | ed25519-dalek | `verify_strict`: no small-order keys or commitments, no second form of a signature |
//!
//! ring's ECDSA verification accepts DER only: definite and minimal lengths, minimal positive integers, nothing after
//! the sequence, r and s in 1..n-1. The tests of this module hold it to that.

use ed25519_dalek::{Signature, VerifyingKey as Ed25519Key};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

/// A public key that was checked for the one algorithm it verifies.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum VerifyingKey {
    /// Ed25519 (RFC 8032).
    Ed25519(Ed25519Key),
    /// ECDSA on P-256 with SHA-256: an uncompressed SEC1 point.
    Es256([u8; 65]),
    /// ECDSA on P-384 with SHA-384: an uncompressed SEC1 point.
    Es384([u8; 97]),
    /// RSASSA-PKCS1-v1_5 with SHA-256: modulus and public exponent, big-endian without leading zeros.
    Rs256 { n: Box<[u8]>, e: Box<[u8]> },
}

/// The signature does not verify. Says no more on purpose.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct InvalidSignature;

/// Why key material cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyMaterialError {
    /// A coordinate or key has not exactly the size of its field.
    #[error("a coordinate of {received} bytes instead of {expected}")]
    CoordinateLength {
        /// The size of the field in bytes.
        expected: usize,
        /// The number of bytes received.
        received: usize,
    },
    /// A number starts with a zero byte.
    #[error("an RSA number with leading zeros")]
    LeadingZero,
    /// The point is not on its curve, or not encoded canonically.
    #[error("the point is not on its curve")]
    NotOnCurve,
    /// The RSA public exponent is even, 1, or has more than 33 bits.
    #[error("an RSA exponent that is even, 1, or longer than 33 bits")]
    RsaExponent,
    /// The RSA modulus is even, or has not 2048 to 8192 bits.
    #[error("an RSA modulus that is even, or not of 2048 to 8192 bits")]
    RsaModulus,
    /// An Ed25519 key of small order: it would verify signatures that nobody made.
    #[error("an Ed25519 key of small order")]
    SmallOrder,
}

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    hash
}

impl VerifyingKey {
    /// A P-256 key for ES256 from its coordinates.
    pub(crate) fn es256(x: &[u8], y: &[u8]) -> Result<Self, KeyMaterialError> {
        let point: [u8; 65] = uncompressed(coordinate::<32>(x)?, coordinate::<32>(y)?);
        match p256::PublicKey::from_sec1_bytes(&point) {
            Ok(_) => Ok(Self::Es256(point)),
            Err(_) => Err(KeyMaterialError::NotOnCurve),
        }
    }

    /// A P-384 key for ES384 from its coordinates.
    pub(crate) fn es384(x: &[u8], y: &[u8]) -> Result<Self, KeyMaterialError> {
        let point: [u8; 97] = uncompressed(coordinate::<48>(x)?, coordinate::<48>(y)?);
        match p384::PublicKey::from_sec1_bytes(&point) {
            Ok(_) => Ok(Self::Es384(point)),
            Err(_) => Err(KeyMaterialError::NotOnCurve),
        }
    }

    /// An Ed25519 key from its 32 bytes.
    pub(crate) fn ed25519(x: &[u8]) -> Result<Self, KeyMaterialError> {
        let bytes = coordinate::<32>(x)?;
        // The sign bit aside, y must be below 2^255 - 19: decompression would accept the other form too.
        let [first, middle @ .., last] = bytes;
        if *first >= 0xed && middle.iter().all(|&byte| byte == 0xff) && last & 0x7f == 0x7f {
            return Err(KeyMaterialError::NotOnCurve);
        }
        let key = Ed25519Key::from_bytes(bytes).map_err(|_| KeyMaterialError::NotOnCurve)?;
        if key.is_weak() {
            Err(KeyMaterialError::SmallOrder)
        } else {
            Ok(Self::Ed25519(key))
        }
    }

    /// An RSA key for RS256 from modulus and public exponent.
    pub(crate) fn rs256(n: &[u8], e: &[u8]) -> Result<Self, KeyMaterialError> {
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
        Ok(Self::Rs256 {
            n: n.into(),
            e: e.into(),
        })
    }

    /// Whether `signature` is this key's over `message`. ECDSA signatures are DER; RSA and EdDSA ones are raw.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let valid = match self {
            Self::Ed25519(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::Es256(point) => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point)
                .verify(message, signature)
                .is_ok(),
            Self::Es384(point) => UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_ASN1, point)
                .verify(message, signature)
                .is_ok(),
            Self::Rs256 { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        };
        if valid { Ok(()) } else { Err(InvalidSignature) }
    }
}

fn coordinate<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], KeyMaterialError> {
    bytes.try_into().map_err(|_| KeyMaterialError::CoordinateLength {
        expected: N,
        received: bytes.len(),
    })
}

/// SEC1 §2.3.3: 04, x, y. `P` is `1 + 2 * N`.
fn uncompressed<const N: usize, const P: usize>(x: &[u8; N], y: &[u8; N]) -> [u8; P] {
    const { assert!(P == 1 + 2 * N) };
    let mut point = [4; P];
    let (_, coordinates) = point.split_at_mut(1);
    let (to_x, to_y) = coordinates.split_at_mut(N);
    to_x.copy_from_slice(x);
    to_y.copy_from_slice(y);
    point
}

#[cfg(test)]
mod tests;
