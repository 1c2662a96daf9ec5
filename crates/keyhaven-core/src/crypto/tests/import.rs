//! What import accepts verifies; what this build cannot verify is refused there.

use keyhaven_testkit::authenticator::Cbor;
use keyhaven_types::CoseAlgorithm;

use super::*;
use crate::{PublicKey, PublicKeyError, SUPPORTED_ALGORITHMS};

#[test]
fn the_supported_algorithms_are_those_of_the_features() {
    let mut supported: Vec<i64> = SUPPORTED_ALGORITHMS
        .iter()
        .map(|algorithm| algorithm.identifier())
        .collect();
    supported.sort_unstable();
    let mut expected: Vec<i64> = signers().map(|(algorithm, _)| algorithm).collect();
    expected.sort_unstable();
    assert_eq!(supported, expected);
    assert!(
        signer::ALWAYS
            .iter()
            .all(|algorithm| supported.contains(algorithm))
    );
    #[cfg(all(feature = "es512", feature = "es256k", feature = "ed448", feature = "ml-dsa"))]
    {
        let mut all = ALL.to_vec();
        all.sort_unstable();
        assert_eq!(supported, all);
    }
}

/// For every identifier near those that are registered, a key of every shape: it is refused as unsupported, refused
/// for its shape, or it verifies what its private key signed.
#[test]
fn a_key_that_import_accepts_verifies_and_no_other_is_accepted() {
    let shapes: Vec<(i64, Cbor)> = signers()
        .map(|(algorithm, signer)| (algorithm, signer.cose()))
        .collect();
    for identifier in (-70_000..=100).chain([i64::MIN, i64::MIN + 7, i64::MAX]) {
        let algorithm = CoseAlgorithm::new(identifier);
        let interesting = (-300..=10).contains(&identifier) || identifier == -65535;
        for (owner, shape) in &shapes {
            let mut key = shape.clone();
            key.set(3, identifier.into());
            match PublicKey::from_cose(&key.encode()) {
                Err(error) if !SUPPORTED_ALGORITHMS.contains(&algorithm) => {
                    assert_eq!(error, PublicKeyError::UnsupportedAlgorithm { algorithm });
                }
                Err(error) => {
                    assert_ne!(identifier, *owner, "{error}");
                    assert!(
                        matches!(
                            error,
                            PublicKeyError::WrongCurve { .. }
                                | PublicKeyError::WrongKeyType { .. }
                                | PublicKeyError::Material(KeyMaterialError::CoordinateLength { .. })
                        ),
                        "{identifier} {owner}: {error}"
                    );
                }
                Ok(key) => {
                    assert!(SUPPORTED_ALGORITHMS.contains(&algorithm));
                    assert_eq!(key.algorithm(), algorithm);
                    let signer = Signer::new(identifier, 1).unwrap();
                    assert_eq!(
                        key.verify(MESSAGE, &signer.sign(MESSAGE)),
                        Ok(()),
                        "{identifier} {owner}"
                    );
                }
            }
            // Elsewhere one shape is enough: the identifier alone is unknown.
            if !interesting {
                break;
            }
        }
    }
}

#[test]
fn the_curve_belongs_to_the_algorithm() {
    for (algorithm, signer) in signers() {
        let Some(own) = signer.curve() else {
            continue;
        };
        for crv in -2..=10 {
            let mut key = signer.cose();
            key.set(-1, crv.into());
            let error = PublicKey::from_cose(&key.encode()).err();
            let algorithm = CoseAlgorithm::new(algorithm);
            let expected = (crv != own).then_some(PublicKeyError::WrongCurve { algorithm, crv });
            assert_eq!(error, expected, "{algorithm}");
        }
    }
}

#[test]
fn a_point_is_uncompressed() {
    for (algorithm, signer) in signers() {
        if !matches!(signer.key().scheme(), Scheme::Ecdsa(..)) {
            continue;
        }
        for sign in [false, true] {
            let mut key = signer.cose();
            key.set(-3, Cbor::Bool(sign));
            assert_eq!(
                PublicKey::from_cose(&key.encode()).err(),
                Some(PublicKeyError::Compressed),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn a_key_says_what_it_is_made_of() {
    for (algorithm, signer) in signers() {
        let key = signer.key();
        let scheme = Scheme::of(CoseAlgorithm::new(algorithm)).unwrap();
        assert_eq!(key.scheme(), scheme);
        let made_again = VerifyingKey::judged(scheme, key.parts()).ok();
        assert!(made_again == Some(key.clone()), "{algorithm}");
        let bytes = |label| signer.bytes(label);
        match key.parts() {
            KeyParts::Ec { x, y, .. } => assert_eq!((x, y), (&bytes(-2)[..], &bytes(-3)[..])),
            KeyParts::Ed25519(x) | KeyParts::Ed448(x) => assert_eq!(x, bytes(-2)),
            KeyParts::MlDsa(_, public) => assert_eq!(public, bytes(-1)),
            KeyParts::Rsa { n, e } => assert_eq!((n, e), (&bytes(-1)[..], &bytes(-2)[..])),
        }
        // Parts of another kind make no key.
        for (other, _) in signers() {
            let scheme = Scheme::of(CoseAlgorithm::new(other)).unwrap();
            let result = VerifyingKey::judged(scheme, key.parts());
            let same_kind = match (scheme, key.scheme()) {
                (Scheme::RsaPkcs1(_) | Scheme::RsaPss(_), Scheme::RsaPkcs1(_) | Scheme::RsaPss(_)) => true,
                (a, b) => a == b,
            };
            assert_eq!(result.is_ok(), same_kind, "{algorithm} {other}");
            if !same_kind {
                assert!(result.err() == Some(ImportError::Mismatch));
            }
        }
    }
}

#[test]
fn a_json_web_key_has_the_registered_names() {
    let names: [(i64, &str, &str, Option<&str>); 19] = [
        (-7, "ES256", "EC", Some("P-256")),
        (-8, "EdDSA", "OKP", Some("Ed25519")),
        (-9, "ES256", "EC", Some("P-256")),
        (-19, "Ed25519", "OKP", Some("Ed25519")),
        (-35, "ES384", "EC", Some("P-384")),
        (-36, "ES512", "EC", Some("P-521")),
        (-37, "PS256", "RSA", None),
        (-38, "PS384", "RSA", None),
        (-39, "PS512", "RSA", None),
        (-47, "ES256K", "EC", Some("secp256k1")),
        (-48, "ML-DSA-44", "AKP", None),
        (-49, "ML-DSA-65", "AKP", None),
        (-50, "ML-DSA-87", "AKP", None),
        (-51, "ES384", "EC", Some("P-384")),
        (-52, "ES512", "EC", Some("P-521")),
        (-53, "Ed448", "OKP", Some("Ed448")),
        (-257, "RS256", "RSA", None),
        (-258, "RS384", "RSA", None),
        (-259, "RS512", "RSA", None),
    ];
    for (algorithm, signer) in signers() {
        let expected = names.iter().find(|name| name.0 == algorithm).unwrap();
        let jwk = signer.public_key().to_jwk_json();
        let text = |member: &str| jwk[member].as_str();
        assert_eq!(
            (text("alg"), text("kty"), text("crv")),
            (Some(expected.1), Some(expected.2), expected.3)
        );
        // The members that hold the key, under their COSE labels.
        let members: &[(&str, i64)] = match expected.2 {
            "EC" => &[("x", -2), ("y", -3)],
            "OKP" => &[("x", -2)],
            "AKP" => &[("pub", -1)],
            _ => &[("n", -1), ("e", -2)],
        };
        for (member, label) in members {
            let bytes = keyhaven_types::base64url::decode(text(member).unwrap()).unwrap();
            assert_eq!(bytes, signer.bytes(*label), "{algorithm} {member}");
        }
    }
}
