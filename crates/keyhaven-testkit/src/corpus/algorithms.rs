//! Every algorithm: registered with `none`, and signing.

use serde_json::json;

use super::Topic;
use super::ceremony::{Assertion, Registration};
use crate::authenticator::{Cbor, SigningKey};

/// Name and COSE identifier of every algorithm a credential may have.
pub(super) const ALGORITHMS: [(&str, i64); 19] = [
    ("es256", -7),
    ("eddsa", -8),
    ("esp256", -9),
    ("ed25519", -19),
    ("es384", -35),
    ("es512", -36),
    ("ps256", -37),
    ("ps384", -38),
    ("ps512", -39),
    ("es256k", -47),
    ("ml-dsa-44", -48),
    ("ml-dsa-65", -49),
    ("ml-dsa-87", -50),
    ("esp384", -51),
    ("esp512", -52),
    ("ed448", -53),
    ("rs256", -257),
    ("rs384", -258),
    ("rs512", -259),
];

/// A key of another type than the algorithm's.
pub(super) fn of_another_type(algorithm: i64) -> SigningKey {
    let other = if matches!(algorithm, -7 | -9 | -35 | -51 | -36 | -52 | -47) {
        -8
    } else {
        -7
    };
    SigningKey::new(other, b"another type").unwrap()
}

pub(super) fn cases(topic: &mut Topic) {
    for (name, algorithm) in ALGORITHMS {
        registration(topic, name, algorithm);
        assertion(topic, name, algorithm);
    }
}

fn registration(topic: &mut Topic, name: &str, algorithm: i64) {
    let twin = topic.ok_with(
        &format!("reg-none-{name}"),
        "B20",
        &[("alg", json!(algorithm)), ("attestationType", json!("none"))],
        "a key of this algorithm",
        Registration::new(algorithm),
    );
    topic.spoil(
        &twin,
        &format!("reg-none-{name}-not-offered"),
        "B20",
        ("algorithm_not_allowed", "7.1.20"),
        "only what was offered is accepted",
        |r| {
            r.input["algorithms"] = json!([if algorithm == -7 { -8 } else { -7 }]);
        },
    );
    topic.spoil(
        &twin,
        &format!("reg-none-{name}-key-type"),
        "K5",
        ("public_key_invalid", "7.1.20"),
        "the key is of another type than the algorithm's",
        |r| {
            let mut key = of_another_type(algorithm).cose();
            key.set(3, algorithm.into());
            r.draft.public_key = key;
        },
    );
    topic.spoil(
        &twin,
        &format!("reg-none-{name}-statement"),
        "D-none",
        ("attestation_invalid", "8.7"),
        "the statement of none is the empty map, whatever the key",
        |r| {
            r.object(|object| object.set("attStmt", Cbor::Map(vec![("sig".into(), Cbor::Bytes(vec![1]))])));
        },
    );
}

fn assertion(topic: &mut Topic, name: &str, algorithm: i64) {
    let twin = topic.ok_with(
        &format!("auth-{name}"),
        "C21",
        &[("alg", json!(algorithm))],
        "a signature of this algorithm",
        Assertion::new(algorithm),
    );
    let invalid = ("signature_invalid", "7.2.21");
    topic.spoil(
        &twin,
        &format!("auth-{name}-bit"),
        "C21",
        invalid,
        "one bit of the signature differs",
        |a| {
            a.signature(|signature, _| {
                let mut signature = signature.to_vec();
                let middle = signature.len() / 2 + 3;
                signature[middle] ^= 0x10;
                signature
            });
        },
    );
    topic.spoil(
        &twin,
        &format!("auth-{name}-short"),
        "C21",
        invalid,
        "a signature's length is its algorithm's",
        |a| {
            a.signature(|signature, _| signature[..signature.len() - 1].to_vec());
        },
    );
    topic.spoil(
        &twin,
        &format!("auth-{name}-empty"),
        "C21",
        invalid,
        "no signature",
        |a| a.signature(|_, _| Vec::new()),
    );
    if !matches!(algorithm, -50..=-48) {
        topic.spoil(
            &twin,
            &format!("auth-{name}-long"),
            "K4",
            invalid,
            "nothing follows a signature",
            |a| {
                a.signature(|signature, _| [signature, &[0]].concat());
            },
        );
    }
    topic.spoil(
        &twin,
        &format!("auth-{name}-other-key"),
        "C21",
        invalid,
        "signed by another key of the same algorithm",
        |a| {
            let other = match algorithm {
                -37 | -38 | -39 | -257 | -258 | -259 => SigningKey::rsa(algorithm, 3072),
                _ => SigningKey::new(algorithm, b"other"),
            };
            a.draft.key = other.unwrap();
        },
    );
    topic.spoil(
        &twin,
        &format!("auth-{name}-hash-missing"),
        "C20",
        invalid,
        "the signature covers the hash of the client data after authData",
        |a| {
            let key = a.draft.key.clone();
            a.signature(move |_, signed| key.sign(&signed[..signed.len() - 32]));
        },
    );
}
