use std::fmt;

use keyhaven_types::{CoseAlgorithm, base64url};

use crate::cbor::CanonicalCbor;
use crate::cose_key::{CoseKey, CoseKeyError, CoseParameters};
use crate::crypto::{ImportError, InvalidSignature, KeyMaterialError, KeyParts, Scheme, VerifyingKey};
use crate::der;

/// The algorithms this build verifies, the one to offer first in front.
///
/// ES256, ES384, Ed25519 and RSA of both paddings, under each of their identifiers; the features `es512`, `es256k`, `ed448`
/// and `ml-dsa` add theirs. RS1 (-65535) is never here: no credential may have it.
pub const SUPPORTED_ALGORITHMS: &[CoseAlgorithm] = &[
    CoseAlgorithm::ES256,
    CoseAlgorithm::EDDSA,
    CoseAlgorithm::ESP256,
    CoseAlgorithm::ED25519,
    CoseAlgorithm::ES384,
    CoseAlgorithm::ESP384,
    #[cfg(feature = "es512")]
    CoseAlgorithm::ES512,
    #[cfg(feature = "es512")]
    CoseAlgorithm::ESP512,
    #[cfg(feature = "ed448")]
    CoseAlgorithm::ED448,
    #[cfg(feature = "ml-dsa")]
    CoseAlgorithm::ML_DSA_44,
    #[cfg(feature = "ml-dsa")]
    CoseAlgorithm::ML_DSA_65,
    #[cfg(feature = "ml-dsa")]
    CoseAlgorithm::ML_DSA_87,
    CoseAlgorithm::RS256,
    CoseAlgorithm::RS384,
    CoseAlgorithm::RS512,
    CoseAlgorithm::PS256,
    CoseAlgorithm::PS384,
    CoseAlgorithm::PS512,
    #[cfg(feature = "es256k")]
    CoseAlgorithm::ES256K,
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
        let key = Self::unjudged(cose)?;
        key.judge()?;
        Ok(key)
    }

    /// A stored key for one verification. It was imported when it was registered, so its point is not looked at twice
    /// now: the verification does that. Where the verification fails, [`Self::judge`] tells whether the key is why.
    pub(crate) fn from_stored(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        Self::unjudged(&CoseKey::parse(bytes, CanonicalCbor::AnyKeyOrder)?)
    }

    /// The part of the import that [`Self::from_stored`] leaves out.
    pub(crate) fn judge(&self) -> Result<(), PublicKeyError> {
        Ok(self.key.judge()?)
    }

    fn unjudged(cose: &CoseKey<'_>) -> Result<Self, PublicKeyError> {
        let algorithm = cose.algorithm();
        let scheme = Scheme::of(algorithm).ok_or(PublicKeyError::UnsupportedAlgorithm { algorithm })?;
        let key = VerifyingKey::new(scheme, parts(cose, scheme)?).map_err(|error| match error {
            ImportError::Material(error) => PublicKeyError::Material(error),
            ImportError::Mismatch => PublicKeyError::WrongKeyType { algorithm },
        })?;
        Ok(Self { algorithm, key })
    }

    /// The algorithm this key verifies.
    #[must_use]
    pub const fn algorithm(&self) -> CoseAlgorithm {
        self.algorithm
    }

    /// `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1.2.7; RFC 3279, RFC 5480, RFC 8410, RFC 9881).
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        match self.key.parts() {
            KeyParts::Ec { curve, x, y } => der::spki(
                &[
                    der::oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]),
                    der::oid(curve.oid().as_bytes()),
                ],
                &[&[4], x, y].concat(),
            ),
            KeyParts::Ed25519(key) => der::spki(&[der::oid(&[0x2b, 0x65, 0x70])], key),
            KeyParts::Ed448(key) => der::spki(&[der::oid(&[0x2b, 0x65, 0x71])], key),
            KeyParts::MlDsa(set, key) => der::spki(&[der::oid(set.oid().as_bytes())], key),
            KeyParts::Rsa { n, e } => der::spki(
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

    /// The key as a JSON Web Key object (RFC 7517, RFC 7518 §6, RFC 8037, RFC 8812, RFC 9864; ML-DSA as
    /// draft-ietf-cose-dilithium has it).
    #[must_use]
    pub fn to_jwk_json(&self) -> serde_json::Value {
        let text = |bytes: &[u8]| base64url::encode(bytes);
        let alg = jwk_algorithm(self.algorithm);
        match self.key.parts() {
            KeyParts::Ec { curve, x, y } => {
                serde_json::json!({"kty": "EC", "crv": curve.jwk_name(), "alg": alg, "x": text(x), "y": text(y)})
            }
            KeyParts::Ed25519(key) => {
                serde_json::json!({"kty": "OKP", "crv": "Ed25519", "alg": alg, "x": text(key)})
            }
            KeyParts::Ed448(key) => {
                serde_json::json!({"kty": "OKP", "crv": "Ed448", "alg": alg, "x": text(key)})
            }
            KeyParts::MlDsa(_, key) => serde_json::json!({"kty": "AKP", "alg": alg, "pub": text(key)}),
            KeyParts::Rsa { n, e } => {
                serde_json::json!({"kty": "RSA", "alg": alg, "n": text(n), "e": text(e)})
            }
        }
    }

    /// Its public numbers, for the formats that repeat them elsewhere.
    pub(crate) fn parts(&self) -> KeyParts<'_> {
        self.key.parts()
    }

    #[cfg(test)]
    pub(crate) const fn new(algorithm: CoseAlgorithm, key: VerifyingKey) -> Self {
        Self { algorithm, key }
    }

    #[cfg(test)]
    pub(crate) fn into_key(self) -> VerifyingKey {
        self.key
    }

    /// [`Self::verify`] over `first` and `second`, one after the other.
    pub(crate) fn verify_joined(
        &self,
        first: &[u8],
        second: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        // What an ordinary assertion signs has 69 bytes: no allocation for it.
        let mut buffer = [0; 256];
        let len = first.len().saturating_add(second.len());
        if let Some(message) = buffer.get_mut(..len)
            && let Some((head, tail)) = message.split_at_mut_checked(first.len())
        {
            head.copy_from_slice(first);
            tail.copy_from_slice(second);
            self.verify(message, signature)
        } else {
            self.verify(&[first, second].concat(), signature)
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

/// The parameters that belong to `scheme`: key type, curve, and no compressed point.
fn parts<'a>(cose: &CoseKey<'a>, scheme: Scheme) -> Result<KeyParts<'a>, PublicKeyError> {
    let algorithm = cose.algorithm();
    match (scheme, cose.parameters()) {
        (Scheme::Ecdsa(curve, _), CoseParameters::Ec2 { crv, .. }) if crv != curve.cose_identifier() => {
            Err(PublicKeyError::WrongCurve { algorithm, crv })
        }
        (Scheme::Ecdsa(..), CoseParameters::Ec2 { y: None, .. }) => Err(PublicKeyError::Compressed),
        (Scheme::Ecdsa(curve, _), CoseParameters::Ec2 { x, y: Some(y), .. }) => {
            Ok(KeyParts::Ec { curve, x, y })
        }
        (Scheme::Ed25519, CoseParameters::Okp { crv: 6, x }) => Ok(KeyParts::Ed25519(x)),
        (Scheme::Ed448, CoseParameters::Okp { crv: 7, x }) => Ok(KeyParts::Ed448(x)),
        (Scheme::Ed25519 | Scheme::Ed448, CoseParameters::Okp { crv, .. }) => {
            Err(PublicKeyError::WrongCurve { algorithm, crv })
        }
        (Scheme::MlDsa(set), CoseParameters::Akp { public }) => Ok(KeyParts::MlDsa(set, public)),
        (Scheme::RsaPkcs1(_) | Scheme::RsaPss(_), CoseParameters::Rsa { n, e }) => Ok(KeyParts::Rsa { n, e }),
        _ => Err(PublicKeyError::WrongKeyType { algorithm }),
    }
}

/// The registered name (IANA "JSON Web Signature and Encryption Algorithms") of a supported algorithm. In JOSE, `ES256` is
/// fully specified (RFC 7518 §3.4) and is what COSE calls `ESP256` (RFC 9864 §2.1); likewise the other two.
fn jwk_algorithm(algorithm: CoseAlgorithm) -> &'static str {
    match algorithm {
        CoseAlgorithm::ES256 | CoseAlgorithm::ESP256 => "ES256",
        CoseAlgorithm::ES384 | CoseAlgorithm::ESP384 => "ES384",
        CoseAlgorithm::ES512 | CoseAlgorithm::ESP512 => "ES512",
        CoseAlgorithm::ES256K => "ES256K",
        CoseAlgorithm::EDDSA => "EdDSA",
        CoseAlgorithm::ED25519 => "Ed25519",
        CoseAlgorithm::ED448 => "Ed448",
        CoseAlgorithm::ML_DSA_44 => "ML-DSA-44",
        CoseAlgorithm::ML_DSA_65 => "ML-DSA-65",
        CoseAlgorithm::ML_DSA_87 => "ML-DSA-87",
        CoseAlgorithm::RS256 => "RS256",
        CoseAlgorithm::RS384 => "RS384",
        CoseAlgorithm::RS512 => "RS512",
        CoseAlgorithm::PS256 => "PS256",
        CoseAlgorithm::PS384 => "PS384",
        CoseAlgorithm::PS512 => "PS512",
        _ => "",
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
    fn every_supported_algorithm_has_its_jose_name() {
        for (algorithm, name) in [
            (CoseAlgorithm::ES256, "ES256"),
            (CoseAlgorithm::ESP256, "ES256"),
            (CoseAlgorithm::ES384, "ES384"),
            (CoseAlgorithm::ESP384, "ES384"),
            (CoseAlgorithm::ES512, "ES512"),
            (CoseAlgorithm::ESP512, "ES512"),
            (CoseAlgorithm::ES256K, "ES256K"),
            (CoseAlgorithm::EDDSA, "EdDSA"),
            (CoseAlgorithm::ED25519, "Ed25519"),
            (CoseAlgorithm::ED448, "Ed448"),
            (CoseAlgorithm::ML_DSA_44, "ML-DSA-44"),
            (CoseAlgorithm::ML_DSA_65, "ML-DSA-65"),
            (CoseAlgorithm::ML_DSA_87, "ML-DSA-87"),
            (CoseAlgorithm::RS256, "RS256"),
            (CoseAlgorithm::RS384, "RS384"),
            (CoseAlgorithm::RS512, "RS512"),
            (CoseAlgorithm::PS256, "PS256"),
            (CoseAlgorithm::PS384, "PS384"),
            (CoseAlgorithm::PS512, "PS512"),
        ] {
            assert_eq!(jwk_algorithm(algorithm), name);
        }
        for algorithm in SUPPORTED_ALGORITHMS {
            assert!(!jwk_algorithm(*algorithm).is_empty(), "{algorithm}");
        }
    }

    #[test]
    fn a_key_is_shown_by_its_algorithm_and_its_bytes() {
        let key = PublicKey::from_cose(&SigningKey::new(-7, b"a").unwrap().cose().encode()).unwrap();
        let bytes = base64url::encode(&key.to_spki_der());
        assert_eq!(format!("{key:?}"), format!("PublicKey(-7, {bytes})"));
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
