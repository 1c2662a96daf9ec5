//! The signatures that certificates may have, for webpki: each by the scheme it stands for.
//!
//! | signature | key | note |
//! |---|---|---|
//! | ECDSA with SHA-256, SHA-384, SHA-512 | P-256, P-384, P-521 | P-521 with feature `es512` |
//! | RSASSA-PKCS1-v1_5 with SHA-256, SHA-384, SHA-512 | RSA | parameters NULL or absent (RFC 4055 §5) |
//! | RSASSA-PSS with SHA-256, SHA-384, SHA-512 | RSA, or RSA for that use alone | MGF1 and salt of the same hash |
//! | Ed25519, Ed448 | the same | Ed448 with feature `ed448` |
//! | RSASSA-PKCS1-v1_5 and ECDSA with SHA-1 | RSA, P-256, P-384 | by policy only |
//!
//! RSA keys have 2048 to 8192 bits.

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

use super::{Curve, Hash, KeyParts, Scheme, VerifyingKey, spki};

/// One kind of signature by one kind of key.
#[derive(Debug)]
struct Signature {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    scheme: Scheme,
}

impl SignatureVerificationAlgorithm for Signature {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let verifies = || {
            let parts = match self.scheme {
                Scheme::Ecdsa(curve, _) => {
                    let (x, y) = spki::point(key, curve.coordinate_len()).ok()?;
                    KeyParts::Ec { curve, x, y }
                }
                Scheme::Ed25519 => KeyParts::Ed25519(key),
                Scheme::Ed448 => KeyParts::Ed448(key),
                Scheme::MlDsa(set) => KeyParts::MlDsa(set, key),
                Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) => spki::rsa(key).ok()?,
            };
            VerifyingKey::new(self.scheme, parts)
                .ok()?
                .verify(message, signature)
                .ok()
        };
        verifies().ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// The content of an AlgorithmIdentifier of PKCS #1: 1.2.840.113549.1.1.`last`, without parameters or with these.
macro_rules! pkcs1 {
    ($last:literal $(, $parameters:literal)*) => {
        AlgorithmIdentifier::from_slice(&[
            0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, $last $(, $parameters)*
        ])
    };
}

const ECDSA_SHA1: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]);
#[cfg(feature = "ed448")]
const ED448: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&[0x06, 0x03, 0x2b, 0x65, 0x71]);

macro_rules! ecdsa {
    ($key:ident, $curve:ident, $signature:expr, $hash:ident) => {
        &Signature {
            key: alg_id::$key,
            signature: $signature,
            scheme: Scheme::Ecdsa(Curve::$curve, Hash::$hash),
        }
    };
}

macro_rules! rsa {
    ($scheme:ident, $key:expr, $signature:expr, $hash:ident) => {
        &Signature {
            key: $key,
            signature: $signature,
            scheme: Scheme::$scheme(Hash::$hash),
        }
    };
}

/// ES256: ECDSA on P-256 with SHA-256.
pub(crate) static ES256: &dyn SignatureVerificationAlgorithm =
    ecdsa!(ECDSA_P256, P256, alg_id::ECDSA_SHA256, Sha256);
/// RS256: RSASSA-PKCS1-v1_5 with SHA-256.
pub(crate) static RS256: &dyn SignatureVerificationAlgorithm =
    rsa!(RsaPkcs1, alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256, Sha256);

/// Everything but SHA-1, the usual ones first.
pub(crate) static WITHOUT_SHA1: &[&dyn SignatureVerificationAlgorithm] = &[
    ES256,
    RS256,
    ecdsa!(ECDSA_P384, P384, alg_id::ECDSA_SHA384, Sha384),
    ecdsa!(ECDSA_P384, P384, alg_id::ECDSA_SHA256, Sha256),
    ecdsa!(ECDSA_P384, P384, alg_id::ECDSA_SHA512, Sha512),
    ecdsa!(ECDSA_P256, P256, alg_id::ECDSA_SHA384, Sha384),
    ecdsa!(ECDSA_P256, P256, alg_id::ECDSA_SHA512, Sha512),
    #[cfg(feature = "es512")]
    ecdsa!(ECDSA_P521, P521, alg_id::ECDSA_SHA512, Sha512),
    #[cfg(feature = "es512")]
    ecdsa!(ECDSA_P521, P521, alg_id::ECDSA_SHA384, Sha384),
    #[cfg(feature = "es512")]
    ecdsa!(ECDSA_P521, P521, alg_id::ECDSA_SHA256, Sha256),
    rsa!(RsaPkcs1, alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA384, Sha384),
    rsa!(RsaPkcs1, alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA512, Sha512),
    rsa!(RsaPkcs1, alg_id::RSA_ENCRYPTION, pkcs1!(0x0b), Sha256),
    rsa!(RsaPkcs1, alg_id::RSA_ENCRYPTION, pkcs1!(0x0c), Sha384),
    rsa!(RsaPkcs1, alg_id::RSA_ENCRYPTION, pkcs1!(0x0d), Sha512),
    rsa!(RsaPss, alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256, Sha256),
    rsa!(RsaPss, alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA384, Sha384),
    rsa!(RsaPss, alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA512, Sha512),
    rsa!(RsaPss, alg_id::RSA_PSS_SHA256, alg_id::RSA_PSS_SHA256, Sha256),
    rsa!(RsaPss, alg_id::RSA_PSS_SHA384, alg_id::RSA_PSS_SHA384, Sha384),
    rsa!(RsaPss, alg_id::RSA_PSS_SHA512, alg_id::RSA_PSS_SHA512, Sha512),
    &Signature {
        key: alg_id::ED25519,
        signature: alg_id::ED25519,
        scheme: Scheme::Ed25519,
    },
    #[cfg(feature = "ed448")]
    &Signature {
        key: ED448,
        signature: ED448,
        scheme: Scheme::Ed448,
    },
];

/// SHA-1: for attestation roots of old devices, where the policy allows it.
pub(crate) static SHA1: &[&dyn SignatureVerificationAlgorithm] = &[
    rsa!(RsaPkcs1, alg_id::RSA_ENCRYPTION, pkcs1!(0x05, 0x05, 0x00), Sha1),
    rsa!(RsaPkcs1, alg_id::RSA_ENCRYPTION, pkcs1!(0x05), Sha1),
    ecdsa!(ECDSA_P256, P256, ECDSA_SHA1, Sha1),
    ecdsa!(ECDSA_P384, P384, ECDSA_SHA1, Sha1),
];

/// RFC 5280 §4.2.1.2 method 1: SHA-1 of the bits of a public key. A name for looking up, with no security of its own.
pub(crate) fn key_identifier(key: &[u8]) -> [u8; 20] {
    let mut identifier = [0; 20];
    identifier.copy_from_slice(Hash::Sha1.digest(&[key]).as_ref());
    identifier
}
