use std::fmt;

use keyhaven_types::{CoseAlgorithm, base64url};

use crate::cbor::CanonicalCbor;
use crate::cose_key::{CoseKey, CoseKeyError, CoseParameters};
use crate::crypto::{InvalidSignature, KeyMaterialError, VerifyingKey};
use crate::der;

/// The algorithms this build verifies, the one to offer first in front.
pub const SUPPORTED_ALGORITHMS: &[CoseAlgorithm] = &[
    CoseAlgorithm::ES256,
    CoseAlgorithm::EDDSA,
    CoseAlgorithm::ES384,
    CoseAlgorithm::RS256,
];

/// A credential public key that was imported: its algorithm is verified by this build, its key type and curve fit the
/// algorithm, its point is on the curve, its numbers are in range.
///
/// Source: WebAuthn L3 §5.8.5. Importing at registration is our own rule: a key that cannot be verified later must not be
/// registered now.
#[derive(Clone, Eq, PartialEq)]
pub struct PublicKey {
    algorithm: CoseAlgorithm,
    key: VerifyingKey,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PublicKeyError {
    /// A compressed elliptic curve point.
    #[error("a compressed point")]
    Compressed,
    /// The bytes are no COSE_Key.
    #[error(transparent)]
    CoseKey(#[from] CoseKeyError),
    /// The numbers make no key.
    #[error(transparent)]
    Material(#[from] KeyMaterialError),
    /// This build does not verify the algorithm.
    #[error("algorithm {algorithm} is not supported")]
    UnsupportedAlgorithm {
        /// The key's algorithm.
        algorithm: CoseAlgorithm,
    },
    /// The curve is not the algorithm's.
    #[error("curve {crv} does not belong to algorithm {algorithm}")]
    WrongCurve {
        /// The key's algorithm.
        algorithm: CoseAlgorithm,
        /// The curve received.
        crv: i64,
    },
    /// The key type is not the algorithm's.
    #[error("the key type does not belong to algorithm {algorithm}")]
    WrongKeyType {
        /// The key's algorithm.
        algorithm: CoseAlgorithm,
    },
}

impl PublicKey {
    /// Imports an encoded COSE_Key, as stored at registration.
    ///
    /// # Errors
    /// When it is no COSE_Key, or one that this build cannot verify with.
    pub fn from_cose(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        Self::import(&CoseKey::parse(bytes, CanonicalCbor::AnyKeyOrder)?)
    }

    /// Imports a COSE_Key.
    ///
    /// # Errors
    /// When this build cannot verify with it.
    pub fn import(cose: &CoseKey<'_>) -> Result<Self, PublicKeyError> {
        let algorithm = cose.algorithm();
        let key = match algorithm {
            CoseAlgorithm::ES256 => {
                let (x, y) = ec2(cose, 1)?;
                VerifyingKey::es256(x, y)?
            }
            CoseAlgorithm::ES384 => {
                let (x, y) = ec2(cose, 2)?;
                VerifyingKey::es384(x, y)?
            }
            CoseAlgorithm::EDDSA => match cose.parameters() {
                CoseParameters::Okp { crv: 6, x } => VerifyingKey::ed25519(x)?,
                CoseParameters::Okp { crv, .. } => {
                    return Err(PublicKeyError::WrongCurve { algorithm, crv });
                }
                CoseParameters::Ec2 { .. } | CoseParameters::Other { .. } | CoseParameters::Rsa { .. } => {
                    return Err(PublicKeyError::WrongKeyType { algorithm });
                }
            },
            CoseAlgorithm::RS256 => match cose.parameters() {
                CoseParameters::Rsa { n, e } => VerifyingKey::rs256(n, e)?,
                CoseParameters::Ec2 { .. } | CoseParameters::Okp { .. } | CoseParameters::Other { .. } => {
                    return Err(PublicKeyError::WrongKeyType { algorithm });
                }
            },
            _ => return Err(PublicKeyError::UnsupportedAlgorithm { algorithm }),
        };
        Ok(Self { algorithm, key })
    }

    /// The algorithm this key verifies.
    #[must_use]
    pub const fn algorithm(&self) -> CoseAlgorithm {
        self.algorithm
    }

    /// `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1.2.7, RFC 8410, RFC 3279).
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        match &self.key {
            VerifyingKey::Ed25519(key) => der::spki(&[der::oid(&[0x2b, 0x65, 0x70])], &key.to_bytes()),
            VerifyingKey::Es256(point) => der::spki(
                &[
                    der::oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]),
                    der::oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]),
                ],
                point,
            ),
            VerifyingKey::Es384(point) => der::spki(
                &[
                    der::oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]),
                    der::oid(&[0x2b, 0x81, 0x04, 0x00, 0x22]),
                ],
                point,
            ),
            VerifyingKey::Rs256 { n, e } => der::spki(
                &[
                    der::oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]),
                    der::null(),
                ],
                &der::sequence(&[der::positive_integer(n), der::positive_integer(e)]),
            ),
        }
    }

    /// The same in PEM, lines of 64 characters (RFC 7468 §13).
    #[must_use]
    pub fn to_pem(&self) -> String {
        der::pem("PUBLIC KEY", &self.to_spki_der())
    }

    /// The key as a JSON Web Key object (RFC 7517, RFC 7518 §6, RFC 8037).
    #[must_use]
    pub fn to_jwk_json(&self) -> serde_json::Value {
        let text = |bytes: &[u8]| base64url::encode(bytes);
        let point = |crv: &str, alg: &str, size: usize, point: &[u8]| {
            let (x, y) = point
                .get(1..)
                .and_then(|xy| xy.split_at_checked(size))
                .unwrap_or_default();
            serde_json::json!({"kty": "EC", "crv": crv, "alg": alg, "x": text(x), "y": text(y)})
        };
        match &self.key {
            VerifyingKey::Ed25519(key) => {
                serde_json::json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": text(key.as_bytes())})
            }
            VerifyingKey::Es256(bytes) => point("P-256", "ES256", 32, bytes),
            VerifyingKey::Es384(bytes) => point("P-384", "ES384", 48, bytes),
            VerifyingKey::Rs256 { n, e } => {
                serde_json::json!({"kty": "RSA", "alg": "RS256", "n": text(n), "e": text(e)})
            }
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.key.verify(message, signature)
    }
}

/// Shows the algorithm and the key as base64url of its SubjectPublicKeyInfo.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({}, {})",
            self.algorithm,
            base64url::encode(&self.to_spki_der())
        )
    }
}

/// The coordinates of an uncompressed point on the curve that the algorithm asks for.
fn ec2<'a>(cose: &CoseKey<'a>, curve: i64) -> Result<(&'a [u8], &'a [u8]), PublicKeyError> {
    let algorithm = cose.algorithm();
    match cose.parameters() {
        CoseParameters::Ec2 { crv, .. } if crv != curve => Err(PublicKeyError::WrongCurve { algorithm, crv }),
        CoseParameters::Ec2 { y: None, .. } => Err(PublicKeyError::Compressed),
        CoseParameters::Ec2 { x, y: Some(y), .. } => Ok((x, y)),
        CoseParameters::Okp { .. } | CoseParameters::Other { .. } | CoseParameters::Rsa { .. } => {
            Err(PublicKeyError::WrongKeyType { algorithm })
        }
    }
}

#[cfg(test)]
mod tests {
    use keyhaven_testkit::authenticator::SigningKey;

    use super::*;

    #[test]
    fn a_key_is_exported_in_every_form() {
        for (algorithm, kty, alg) in [
            (-7, "EC", "ES256"),
            (-8, "OKP", "EdDSA"),
            (-35, "EC", "ES384"),
            (-257, "RSA", "RS256"),
        ] {
            let signer = SigningKey::new(algorithm, b"a").unwrap();
            let key = PublicKey::from_cose(&signer.cose().encode()).unwrap();
            assert_eq!(key.algorithm().identifier(), algorithm);
            // The software authenticator writes DER by code of its own.
            assert_eq!(key.to_spki_der(), signer.subject_public_key_info(), "{algorithm}");
            let jwk = key.to_jwk_json();
            assert_eq!((jwk["kty"].as_str(), jwk["alg"].as_str()), (Some(kty), Some(alg)));
            let bytes = |member: &str| base64url::decode(jwk[member].as_str().unwrap()).unwrap();
            let public = signer.public_bytes();
            match algorithm {
                -8 => assert_eq!(bytes("x"), public),
                -257 => assert!(bytes("n") == public[9..265] && bytes("e") == [1, 0, 1]),
                _ => assert_eq!([bytes("x"), bytes("y")].concat(), public[1..]),
            }
        }
    }

    #[test]
    fn pem_has_lines_of_64_characters() {
        let key = PublicKey::from_cose(&SigningKey::new(-7, b"a").unwrap().cose().encode()).unwrap();
        let pem = key.to_pem();
        let lines: Vec<&str> = pem.lines().collect();
        assert_eq!(lines.first(), Some(&"-----BEGIN PUBLIC KEY-----"));
        assert_eq!(lines.last(), Some(&"-----END PUBLIC KEY-----"));
        assert_eq!(lines[1].len(), 64);
        // 91 bytes: 124 characters.
        assert_eq!(lines[2].len(), 60);
        assert!(pem.ends_with('\n'));
    }

    #[test]
    fn only_the_supported_algorithms_are_imported() {
        for identifier in -300..=10 {
            let mut key = SigningKey::new(-7, b"a").unwrap().cose();
            key.set(3, identifier.into());
            let unsupported = matches!(
                PublicKey::from_cose(&key.encode()),
                Err(PublicKeyError::UnsupportedAlgorithm { .. })
            );
            assert_eq!(
                !unsupported,
                SUPPORTED_ALGORITHMS.contains(&CoseAlgorithm::new(identifier)),
                "{identifier}"
            );
        }
    }
}
