//! One key and signature per algorithm by OpenSSL 4.0 (through pyca/cryptography 48), RSA keys of odd sizes, RS1, and
//! PSS encodings with one fault each, made by the private operation itself.

use keyhaven_types::{CoseAlgorithm, base64url};
use serde_json::Value;
use x509_cert::der::Decode as _;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::super::spki::{SpkiError, verifying_key};
use super::super::{Scheme, Sha1};
use super::signer::{ALL, ALWAYS};

pub(super) struct Case {
    pub(super) name: String,
    pub(super) algorithm: CoseAlgorithm,
    pub(super) spki: Vec<u8>,
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) valid: bool,
}

impl Case {
    pub(super) fn info(&self) -> SubjectPublicKeyInfoOwned {
        SubjectPublicKeyInfoOwned::from_der(&self.spki).unwrap()
    }
}

/// The cases that this build can verify, RS1 included.
pub(super) fn cases() -> Vec<Case> {
    include_str!("openssl.jsonl")
        .lines()
        .map(|line| {
            let case: Value = serde_json::from_str(line).unwrap();
            let bytes = |member: &str| base64url::decode(case[member].as_str().unwrap()).unwrap();
            Case {
                name: case["name"].as_str().unwrap().to_owned(),
                algorithm: CoseAlgorithm::new(case["alg"].as_i64().unwrap()),
                spki: bytes("spki"),
                message: bytes("message"),
                signature: bytes("signature"),
                valid: case["valid"].as_bool().unwrap(),
            }
        })
        .filter(|case| Scheme::of_statement(case.algorithm, Sha1::Allow).is_some())
        .collect()
}

#[test]
fn what_openssl_signs_verifies_in_each_back_end() {
    let mut seen: Vec<i64> = Vec::new();
    for case in cases() {
        let key = verifying_key(&case.info(), case.algorithm, Sha1::Allow).unwrap();
        for (message, expected) in [(&case.message[..], case.valid), (b"another message", false)] {
            let answers = [
                key.verify(message, &case.signature).is_ok(),
                key.verify_in_rust(message, &case.signature),
            ];
            assert_eq!(answers, [expected; 2], "{} {}", case.name, case.algorithm);
        }
        seen.push(case.algorithm.identifier());
    }
    for algorithm in ALL {
        let here = Scheme::of(CoseAlgorithm::new(algorithm)).is_some();
        assert_eq!(seen.contains(&algorithm), here, "{algorithm}");
    }
    assert!(ALWAYS.iter().all(|algorithm| seen.contains(algorithm)));
}

#[test]
fn rs1_is_a_policy_of_statements_and_nothing_else() {
    let case = cases()
        .into_iter()
        .find(|case| case.algorithm == CoseAlgorithm::RS1)
        .unwrap();
    assert!(verifying_key(&case.info(), case.algorithm, Sha1::Allow).is_ok());
    let refused = verifying_key(&case.info(), case.algorithm, Sha1::Refuse).err();
    assert_eq!(refused, Some(SpkiError::Unsupported));
    assert_eq!(Scheme::of(CoseAlgorithm::RS1), None);
}

#[test]
fn a_key_is_written_as_openssl_writes_it() {
    for case in cases() {
        let key = verifying_key(&case.info(), case.algorithm, Sha1::Allow).unwrap();
        assert_eq!(
            crate::PublicKey::new(case.algorithm, key).to_spki_der(),
            case.spki,
            "{}",
            case.name
        );
    }
}
