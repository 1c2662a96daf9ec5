//! `apple` (§8.8).

use serde_json::json;

use super::Topic;
use super::algorithms::ALGORITHMS;
use super::ceremony::Registration;
use super::packed::chain;
use crate::authenticator::{Apple, Cbor, SigningKey, Statement, sha256, tlv};

const LINE: &str = "D-apple";
const INVALID: (&str, &str) = ("attestation_invalid", "8.8");

pub(super) fn statement(credential: &SigningKey) -> Statement {
    Statement::Apple(Apple {
        chain: chain(credential),
        nonce: None,
        alg: None,
    })
}

fn apple(registration: &mut Registration) -> &mut Apple {
    match registration.statement() {
        Statement::Apple(statement) => statement,
        _ => unreachable!(),
    }
}

pub(super) fn cases(topic: &mut Topic) {
    for (name, algorithm) in ALGORITHMS {
        // ES256 is below, in full.
        if matches!(algorithm, -7 | -50..=-48) {
            continue;
        }
        let twin = topic.ok(
            &format!("apple-{name}"),
            LINE,
            "a credential key of this algorithm",
            Registration::attested(algorithm, statement),
        );
        topic.spoil(
            &twin,
            &format!("apple-{name}-other-key"),
            LINE,
            INVALID,
            "the leaf's key is the credential's",
            |r| {
                let other = match algorithm {
                    -37 | -38 | -39 | -257 | -258 | -259 => SigningKey::rsa(algorithm, 3072),
                    _ => SigningKey::new(algorithm, b"other"),
                };
                apple(r).chain.leaf.subject_public_key_info = other.unwrap().subject_public_key_info();
            },
        );
    }
    let twin = topic.ok_with(
        "apple-ok",
        LINE,
        &[("attestationType", json!("anonca"))],
        "nothing is wrong",
        Registration::attested(-7, statement),
    );
    topic.vary(&twin, "apple-alg", LINE, "devices send alg too", |r| {
        apple(r).alg = Some(-7)
    });
    topic.spoil(
        &twin,
        "apple-leaf-other-key",
        LINE,
        INVALID,
        "the leaf's key is the credential's",
        |r| {
            apple(r).chain.leaf.subject_public_key_info =
                SigningKey::new(-7, b"other").unwrap().subject_public_key_info();
        },
    );
    topic.spoil(
        &twin,
        "apple-leaf-key-type",
        LINE,
        INVALID,
        "the leaf's key is the credential's",
        |r| {
            apple(r).chain.leaf.subject_public_key_info =
                SigningKey::new(-8, b"other").unwrap().subject_public_key_info();
        },
    );
    let nonce = |tag: u8, inner: &[u8]| tlv(0x30, &tlv(tag, inner));
    for (id, value, why) in [
        ("none", None, "the nonce is required"),
        (
            "other",
            Some(nonce(0xa1, &tlv(4, &[7; 32]))),
            "the nonce is the hash of authData and the client data's hash",
        ),
        (
            "short",
            Some(nonce(0xa1, &tlv(4, &[7; 31]))),
            "the nonce is a SHA-256",
        ),
        ("empty", Some(nonce(0xa1, &tlv(4, &[]))), "the nonce is a SHA-256"),
        (
            "tag",
            Some(nonce(0xa0, &tlv(4, &[7; 32]))),
            "the nonce is tagged 1",
        ),
        (
            "not-wrapped",
            Some(sha256(b"x").to_vec()),
            "the nonce is a sequence of a tagged octet string",
        ),
    ] {
        topic.spoil(&twin, &format!("apple-nonce-{id}"), LINE, INVALID, why, |r| {
            apple(r).nonce = Some(value)
        });
    }
    topic.spoil(
        &twin,
        "apple-nonce-of-client-data",
        LINE,
        INVALID,
        "the nonce covers authData too",
        |r| {
            let hash = sha256(&r.draft.client_data.to_json());
            apple(r).nonce = Some(Some(nonce(0xa1, &tlv(4, &hash))));
        },
    );
    for (id, change) in [("sign-count", 36), ("aaguid", 40), ("reserved-flag", 32)] {
        topic.spoil(
            &twin,
            &format!("apple-auth-data-{id}"),
            LINE,
            INVALID,
            "the nonce covers all of authData",
            |r| {
                r.object(move |object| {
                    if let Cbor::Bytes(data) = object.at("authData") {
                        data[change] ^= 2;
                    }
                });
            },
        );
    }
    let mut spoil = |id: &str, why: &str, edit: fn(&mut Cbor)| {
        topic.spoil(&twin, &format!("apple-{id}"), LINE, INVALID, why, |r| {
            r.signed_statement(edit)
        });
    };
    spoil("no-x5c", "x5c is required", |s| s.remove("x5c"));
    spoil("x5c-empty", "x5c has the leaf at least", |s| {
        s.set("x5c", Cbor::Array(Vec::new()))
    });
    spoil("unknown-member", "no other members", |s| s.set("x", Cbor::Null));
    spoil("x5c-garbage", "no certificate", |s| {
        s.set("x5c", Cbor::Array(vec![Cbor::Bytes(vec![0x30, 0])]))
    });
    spoil("statement-array", "the statement is a map", |s| {
        *s = Cbor::Array(Vec::new())
    });
}
