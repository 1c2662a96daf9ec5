//! The one module that names a cryptography crate: one file per family, and here what the rest of the crate uses.
//!
//! | what | crate | why |
//! |---|---|---|
//! | ES256, ES384, RSA verification, hashes | ring; p256, p384, crypto-bigint, sha2 in a build without it | the fastest of those measured for ES256 that needs no C toolchain of its own |
//! | "is this point on the curve" | p256, p384 | ring says so only together with a signature; a key must be judged when it is registered |
//! | ES512, ES256K | p521, k256 (features `es512`, `es256k`) | ring has neither curve |
//! | Ed25519 | ed25519-dalek | `verify_strict`: no small-order keys or commitments, no second form of a signature |
//! | Ed448 | ed448-goldilocks-plus (feature `ed448`) | the curve; the strict equation is ours |
//! | ML-DSA | ml-dsa (feature `ml-dsa`) | ring has none |
//!
//! A [`Scheme`] is what an algorithm identifier means; a [`VerifyingKey`] is key material that was checked for one
//! scheme. Keys come in as [`KeyParts`], from a COSE_Key ([`PublicKey`](crate::PublicKey)) or from a certificate
//! ([`spki::verifying_key`]), and go out as them.
//!
//! Every ECDSA verification accepts DER only: definite and minimal lengths, minimal positive integers, nothing after
//! the sequence, r and s in 1..n-1, a large s as good as a small one. The tests of this module hold each to that.

pub(crate) mod certificate_signatures;
mod ecdsa;
mod ed25519;
#[cfg(feature = "ed448")]
mod ed448;
mod hash;
#[cfg(feature = "ml-dsa")]
mod ml_dsa;
mod rsa;
pub(crate) mod spki;

use keyhaven_types::CoseAlgorithm;

pub(crate) use ecdsa::Curve;
pub(crate) use hash::{Hash, sha256};

/// How a signature is made: what an algorithm identifier stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    /// ECDSA (FIPS 186-5), signatures in DER.
    Ecdsa(Curve, Hash),
    /// Ed25519 (RFC 8032 §5.1).
    Ed25519,
    /// Ed448 (RFC 8032 §5.2), the empty context.
    Ed448,
    /// ML-DSA (FIPS 204), pure, the empty context.
    MlDsa(MlDsa),
    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    RsaPkcs1(Hash),
    /// RSASSA-PSS (RFC 8017 §8.1): MGF1 with the same hash, a salt as long as the hash.
    RsaPss(Hash),
}

/// A parameter set of FIPS 204.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MlDsa {
    /// Public keys of 1312 bytes, signatures of 2420.
    MlDsa44,
    /// Public keys of 1952 bytes, signatures of 3309.
    MlDsa65,
    /// Public keys of 2592 bytes, signatures of 4627.
    MlDsa87,
}

/// Whether an attestation statement, or a certificate between it and its trust anchor, may rest on SHA-1. A credential's key never may.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sha1 {
    /// Yes, because old TPMs know nothing better: whoever can make SHA-1 collide can then forge statements
    /// and certificates.
    Allow,
    /// No.
    #[default]
    Refuse,
}

/// The public numbers of a key, big-endian, without a judgement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyParts<'a> {
    /// The affine coordinates of a point.
    Ec { curve: Curve, x: &'a [u8], y: &'a [u8] },
    /// A compressed point, little-endian (RFC 8032 §5.1.2).
    Ed25519(&'a [u8]),
    /// A compressed point, little-endian (RFC 8032 §5.2.2).
    Ed448(&'a [u8]),
    /// FIPS 204 `pkEncode`.
    MlDsa(MlDsa, &'a [u8]),
    /// Modulus and public exponent.
    Rsa { n: &'a [u8], e: &'a [u8] },
}

/// A public key that was checked for the one scheme it verifies.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct VerifyingKey(Key);

#[derive(Clone, Eq, PartialEq)]
enum Key {
    Ecdsa(ecdsa::Point, Hash),
    Ed25519(ed25519::Key),
    #[cfg(feature = "ed448")]
    Ed448(ed448::Key),
    #[cfg(feature = "ml-dsa")]
    MlDsa(ml_dsa::Key),
    RsaPkcs1(rsa::Key, Hash),
    RsaPss(rsa::Key, Hash),
}

/// The signature does not verify. Says no more on purpose.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct InvalidSignature;

/// Why [`VerifyingKey::new`] made none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ImportError {
    Material(KeyMaterialError),
    /// The parts are those of another kind of key, of another curve or parameter set.
    Mismatch,
}

/// Why key material cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyMaterialError {
    /// A coordinate or key has not exactly the size of its field or parameter set.
    #[error("a coordinate or key of {received} bytes instead of {expected}")]
    CoordinateLength {
        /// The size in bytes that it must have.
        expected: usize,
        /// The number of bytes received.
        received: usize,
    },
    /// A number starts with a zero byte.
    #[error("an RSA number with leading zeros")]
    LeadingZero,
    /// The point is not on its curve (Ed448: not in its group of prime order), or not encoded canonically.
    #[error("the point is not on its curve")]
    NotOnCurve,
    /// The RSA public exponent is even, 1, or has more than 33 bits.
    #[error("an RSA exponent that is even, 1, or longer than 33 bits")]
    RsaExponent,
    /// The RSA modulus is even, or has not 2048 to 8192 bits.
    #[error("an RSA modulus that is even, or not of 2048 to 8192 bits")]
    RsaModulus,
    /// An Ed25519 or Ed448 key of small order: it would verify signatures that nobody made.
    #[error("an Edwards key of small order")]
    SmallOrder,
}

impl Scheme {
    /// What a credential key's `alg` means; `None` for what this build does not verify.
    pub(crate) const fn of(algorithm: CoseAlgorithm) -> Option<Self> {
        Some(match algorithm {
            CoseAlgorithm::ES256 | CoseAlgorithm::ESP256 => Self::Ecdsa(Curve::P256, Hash::Sha256),
            CoseAlgorithm::ES384 | CoseAlgorithm::ESP384 => Self::Ecdsa(Curve::P384, Hash::Sha384),
            CoseAlgorithm::ES512 | CoseAlgorithm::ESP512 if cfg!(feature = "es512") => {
                Self::Ecdsa(Curve::P521, Hash::Sha512)
            }
            CoseAlgorithm::ES256K if cfg!(feature = "es256k") => Self::Ecdsa(Curve::Secp256k1, Hash::Sha256),
            CoseAlgorithm::EDDSA | CoseAlgorithm::ED25519 => Self::Ed25519,
            CoseAlgorithm::ED448 if cfg!(feature = "ed448") => Self::Ed448,
            CoseAlgorithm::ML_DSA_44 if cfg!(feature = "ml-dsa") => Self::MlDsa(MlDsa::MlDsa44),
            CoseAlgorithm::ML_DSA_65 if cfg!(feature = "ml-dsa") => Self::MlDsa(MlDsa::MlDsa65),
            CoseAlgorithm::ML_DSA_87 if cfg!(feature = "ml-dsa") => Self::MlDsa(MlDsa::MlDsa87),
            CoseAlgorithm::RS256 => Self::RsaPkcs1(Hash::Sha256),
            CoseAlgorithm::RS384 => Self::RsaPkcs1(Hash::Sha384),
            CoseAlgorithm::RS512 => Self::RsaPkcs1(Hash::Sha512),
            CoseAlgorithm::PS256 => Self::RsaPss(Hash::Sha256),
            CoseAlgorithm::PS384 => Self::RsaPss(Hash::Sha384),
            CoseAlgorithm::PS512 => Self::RsaPss(Hash::Sha512),
            _ => return None,
        })
    }

    /// What a statement's `alg` means: the same, and RS1 where the policy allows it.
    pub(crate) const fn of_statement(algorithm: CoseAlgorithm, sha1: Sha1) -> Option<Self> {
        match (algorithm, sha1) {
            (CoseAlgorithm::RS1, Sha1::Allow) => Some(Self::RsaPkcs1(Hash::Sha1)),
            _ => Self::of(algorithm),
        }
    }
}

impl VerifyingKey {
    /// The key of these parts, for `scheme`. Where a point lies is not looked at: [`Self::judge`] does that, and so does
    /// each verification.
    pub(crate) fn new(scheme: Scheme, parts: KeyParts<'_>) -> Result<Self, ImportError> {
        let key = match (scheme, parts) {
            (Scheme::Ecdsa(expected, hash), KeyParts::Ec { curve, x, y }) if curve == expected => {
                Key::Ecdsa(ecdsa::Point::new(curve, x, y)?, hash)
            }
            (Scheme::Ed25519, KeyParts::Ed25519(key)) => Key::Ed25519(ed25519::Key::new(key)?),
            #[cfg(feature = "ed448")]
            (Scheme::Ed448, KeyParts::Ed448(key)) => Key::Ed448(ed448::Key::new(key)?),
            #[cfg(feature = "ml-dsa")]
            (Scheme::MlDsa(expected), KeyParts::MlDsa(set, key)) if set == expected => {
                Key::MlDsa(ml_dsa::Key::new(set, key)?)
            }
            (Scheme::RsaPkcs1(hash), KeyParts::Rsa { n, e }) => Key::RsaPkcs1(rsa::Key::new(n, e)?, hash),
            (Scheme::RsaPss(hash), KeyParts::Rsa { n, e }) => Key::RsaPss(rsa::Key::new(n, e)?, hash),
            _ => return Err(ImportError::Mismatch),
        };
        Ok(Self(key))
    }

    /// What takes longer to see than the form of the numbers, and what verification looks at by itself: with a point off
    /// its curve no signature verifies.
    pub(crate) fn judge(&self) -> Result<(), KeyMaterialError> {
        if let Key::Ecdsa(point, _) = &self.0
            && !point.is_on_curve()
        {
            return Err(KeyMaterialError::NotOnCurve);
        }
        Ok(())
    }

    /// The key of these parts, judged.
    #[cfg(test)]
    fn judged(scheme: Scheme, parts: KeyParts<'_>) -> Result<Self, ImportError> {
        let key = Self::new(scheme, parts)?;
        key.judge()?;
        Ok(key)
    }

    /// What it verifies.
    #[cfg(test)]
    const fn scheme(&self) -> Scheme {
        match &self.0 {
            Key::Ecdsa(point, hash) => Scheme::Ecdsa(point.curve(), *hash),
            Key::Ed25519(_) => Scheme::Ed25519,
            #[cfg(feature = "ed448")]
            Key::Ed448(_) => Scheme::Ed448,
            #[cfg(feature = "ml-dsa")]
            Key::MlDsa(key) => Scheme::MlDsa(key.set()),
            Key::RsaPkcs1(_, hash) => Scheme::RsaPkcs1(*hash),
            Key::RsaPss(_, hash) => Scheme::RsaPss(*hash),
        }
    }

    /// Its public numbers.
    pub(crate) fn parts(&self) -> KeyParts<'_> {
        match &self.0 {
            Key::Ecdsa(point, _) => point.parts(),
            Key::Ed25519(key) => KeyParts::Ed25519(key.as_bytes()),
            #[cfg(feature = "ed448")]
            Key::Ed448(key) => KeyParts::Ed448(key.as_bytes()),
            #[cfg(feature = "ml-dsa")]
            Key::MlDsa(key) => KeyParts::MlDsa(key.set(), key.as_bytes()),
            Key::RsaPkcs1(key, _) | Key::RsaPss(key, _) => key.parts(),
        }
    }

    /// Whether `signature` is this key's over `message`. ECDSA signatures are DER; all others are raw.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let valid = match &self.0 {
            Key::Ecdsa(point, hash) => point.verify(*hash, message, signature),
            Key::Ed25519(key) => key.verify(message, signature),
            #[cfg(feature = "ed448")]
            Key::Ed448(key) => key.verify(message, signature),
            #[cfg(feature = "ml-dsa")]
            Key::MlDsa(key) => key.verify(message, signature),
            Key::RsaPkcs1(key, hash) => key.verify_pkcs1(*hash, message, signature),
            Key::RsaPss(key, hash) => key.verify_pss(*hash, message, signature),
        };
        if valid { Ok(()) } else { Err(InvalidSignature) }
    }
}

#[cfg(test)]
impl VerifyingKey {
    /// The answer of the back end that a build without ring has.
    fn verify_in_rust(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Key::Ecdsa(point, hash) => point.verify_in_rust(*hash, message, signature),
            Key::RsaPkcs1(key, hash) => key.verify_pkcs1_in_rust(*hash, message, signature),
            Key::RsaPss(key, hash) => key.verify_pss_in_rust(*hash, message, signature),
            #[cfg(feature = "ed448")]
            Key::Ed448(key) => key.verify(message, signature),
            #[cfg(feature = "ml-dsa")]
            Key::MlDsa(key) => key.verify(message, signature),
            Key::Ed25519(key) => key.verify(message, signature),
        }
    }
}

impl From<KeyMaterialError> for ImportError {
    fn from(error: KeyMaterialError) -> Self {
        Self::Material(error)
    }
}

/// `bytes` as exactly `N` of them.
fn exactly<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], KeyMaterialError> {
    bytes.try_into().map_err(|_| KeyMaterialError::CoordinateLength {
        expected: N,
        received: bytes.len(),
    })
}

#[cfg(test)]
mod tests;
