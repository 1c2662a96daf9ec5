//! No input panics, and nothing that was signed can be changed unnoticed.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod support;

use keyhaven_core::*;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use support::{Assertion, Registration};

/// One change to a byte string.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Swap(Index, Index),
    Truncate(Index),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << (bit % 8),
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(len))),
            Self::Swap(a, b) => bytes.swap(a.index(len), b.index(len)),
            Self::Truncate(at) => bytes.truncate(at.index(len)),
        }
    }
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let mutation = prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        1 => any::<Index>().prop_map(Mutation::Remove),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        1 => any::<Index>().prop_map(Mutation::Truncate),
    ];
    prop::collection::vec(mutation, 1..4)
}

/// Changes a base64url member of `response`; says whether it is another text now.
fn mutate(json: &mut Value, member: &str, mutations: &[Mutation]) -> bool {
    let before = base64url::decode(json["response"][member].as_str().unwrap()).unwrap();
    let mut after = before.clone();
    mutations.iter().for_each(|mutation| mutation.apply(&mut after));
    json["response"][member] = base64url::encode(&after).into();
    before != after
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_assertion_is_refused(
        member in prop::sample::select(vec!["clientDataJSON", "authenticatorData", "signature"]),
        algorithm in prop::sample::select(vec![-7, -8, -257]),
        mutations in mutations(),
    ) {
        let assertion = Assertion::new(algorithm);
        let mut json = assertion.draft.finish();
        let changed = mutate(&mut json, member, &mutations);
        prop_assert_eq!(assertion.judge_json(json.to_string().as_bytes()).is_err(), changed);
    }

    #[test]
    fn changed_client_data_of_a_signed_registration_is_refused(mutations in mutations()) {
        let registration = Registration::packed_self();
        let mut json = registration.draft.finish();
        let changed = mutate(&mut json, "clientDataJSON", &mutations);
        prop_assert_eq!(registration.judge_json(json.to_string().as_bytes()).is_err(), changed);
    }

    #[test]
    fn a_changed_signed_attestation_object_is_refused(x5c in any::<bool>(), mutations in mutations()) {
        // A change of the certificate outside what its profile names is seen only by path validation.
        let registration = if x5c { Registration::packed_x5c() } else { Registration::packed_self() };
        let mut json = registration.draft.finish();
        let changed = mutate(&mut json, "attestationObject", &mutations);
        let verdict = registration.judge_json(json.to_string().as_bytes());
        if x5c {
            if let Ok(verified) = verdict {
                prop_assert_eq!(verified.public_key(), registration.draft.public_key.encode());
                prop_assert_eq!(verified.credential_id().as_bytes(), registration.draft.credential_id);
            }
        } else {
            prop_assert_eq!(verdict.is_err(), changed);
        }
    }

    #[test]
    fn no_unsigned_attestation_object_panics(mutations in mutations()) {
        let registration = Registration::none();
        let mut json = registration.draft.finish();
        mutate(&mut json, "attestationObject", &mutations);
        let _ = registration.judge_json(json.to_string().as_bytes());
    }

    #[test]
    fn no_changed_json_panics(mutations in mutations()) {
        let registration = Registration::none();
        let mut json = registration.draft.finish().to_string().into_bytes();
        mutations.iter().for_each(|mutation| mutation.apply(&mut json));
        let _ = registration.judge_json(&json);
        let assertion = Assertion::es256();
        let mut json = assertion.draft.finish().to_string().into_bytes();
        mutations.iter().for_each(|mutation| mutation.apply(&mut json));
        let _ = assertion.judge_json(&json);
    }

    #[test]
    fn no_bytes_panic(
        client_data in prop::collection::vec(any::<u8>(), 0..100),
        data in prop::collection::vec(any::<u8>(), 0..200),
        key in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let registration = Registration::none();
        let mut json = registration.draft.finish();
        json["response"]["attestationObject"] = base64url::encode(&data).into();
        let _ = registration.judge_json(json.to_string().as_bytes());
        json["response"]["clientDataJSON"] = base64url::encode(&client_data).into();
        let _ = registration.judge_json(json.to_string().as_bytes());
        let mut assertion = Assertion::es256();
        let mut json = assertion.draft.finish();
        assertion.public_key = key;
        prop_assert!(assertion.judge_json(json.to_string().as_bytes()).is_err());
        json["response"]["authenticatorData"] = base64url::encode(&data).into();
        prop_assert!(assertion.judge_json(json.to_string().as_bytes()).is_err());
    }

    #[test]
    fn no_certificate_panics(mutations in mutations()) {
        let registration = Registration::packed_x5c();
        let mut object = registration.draft.attestation_object();
        let keyhaven_testkit::authenticator::Cbor::Array(path) = object.at("attStmt").at("x5c") else {
            panic!("no array")
        };
        let Some(keyhaven_testkit::authenticator::Cbor::Bytes(leaf)) = path.first_mut() else {
            panic!("no certificate")
        };
        mutations.iter().for_each(|mutation| mutation.apply(leaf));
        let json = registration.draft.envelope(&object.encode());
        let _ = registration.judge_json(json.to_string().as_bytes());
    }

    #[test]
    fn no_statement_of_any_format_panics(
        id in prop::sample::select(vec!["tpm-es256", "android-key-es256", "apple-es256", "fido-u2f-es256", "packed-es256"]),
        mutations in mutations(),
    ) {
        let vectors: Value = serde_json::from_str(include_str!("vectors/w3c-webauthn-l3.json")).unwrap();
        let pair = vectors["vectors"].as_array().unwrap().iter().find(|pair| pair["id"] == id).unwrap();
        let case = &pair["registration"];
        let mut registration = Registration::none();
        registration.policy.user_verification = UserVerification::Discouraged;
        registration.challenge =
            Challenge::new(base64url::decode(case["challenge_b64u"].as_str().unwrap()).unwrap()).unwrap();
        let mut json = case["response"].clone();
        let changed = mutate(&mut json, "attestationObject", &mutations);
        let verdict = registration.judge_json(json.to_string().as_bytes());
        if changed {
            // A change of a certificate outside what its profile names is seen only by path validation.
            if let Ok(verified) = verdict {
                let expected = pair["registration"]["expected"]["cose_alg"].as_i64();
                prop_assert_eq!(Some(verified.algorithm().identifier()), expected);
            }
        } else {
            prop_assert!(verdict.is_ok());
        }
    }
}

#[test]
fn whatever_algorithm_is_registered_can_sign_in() {
    // Every identifier near the registered ones: either refused at registration, or a stored key that verifies.
    for identifier in (-300..=10).chain([-65535, i64::MIN, i64::MAX]) {
        let algorithm = CoseAlgorithm::new(identifier);
        for of in [-7, -8, -35, -257] {
            let mut registration =
                Registration::new(of, keyhaven_testkit::authenticator::AttestationKind::None);
            registration.draft.public_key.set(3, identifier.into());
            registration.policy.algorithms.push(algorithm);
            match registration.judge() {
                Ok(verified) => {
                    // The same key under a fully specified name, or RSA's under another hash or padding.
                    let names: &[i64] = match of {
                        -7 => &[-7, -9],
                        -8 => &[-8, -19],
                        -35 => &[-35, -51],
                        _ => &[-37, -38, -39, -257, -258, -259],
                    };
                    assert!(names.contains(&identifier), "{identifier} {of}");
                    assert!(SUPPORTED_ALGORITHMS.contains(&algorithm));
                    let mut assertion = Assertion::new(of);
                    assertion.public_key = verified.public_key().to_vec();
                    // RSA signatures of other hashes and paddings are not the software authenticator's to make.
                    if of != -257 || identifier == of {
                        assert!(assertion.judge().is_ok(), "{identifier}");
                    }
                }
                Err(error) => {
                    assert_ne!(identifier, of, "{error}");
                    assert_eq!(error.step(), Step::Registration(20), "{identifier}");
                    let code = if SUPPORTED_ALGORITHMS.contains(&algorithm) {
                        "public_key_invalid"
                    } else {
                        "unsupported_algorithm"
                    };
                    assert_eq!(error.code(), code, "{identifier}");
                }
            }
        }
    }
}
