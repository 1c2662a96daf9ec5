//! `android-key` (§8.4).

use serde_json::json;

use super::algorithms::of_another_type;
use super::ceremony::Registration;
use super::packed::chain;
use super::{Topic, Twin};
use crate::authenticator::{AndroidKey, Cbor, Extension, KeyDescription, SigningKey, Statement, tlv};

const LINE: &str = "D-android-syntax";
const INVALID: (&str, &str) = ("attestation_invalid", "8.4");
const PURPOSE: u32 = 1;
const ALL_APPLICATIONS: u32 = 600;
const ORIGIN: u32 = 702;

fn set(integers: &[u8]) -> Vec<u8> {
    let elements: Vec<u8> = integers.iter().flat_map(|integer| tlv(2, &[*integer])).collect();
    tlv(0x31, &elements)
}

/// A right statement by the credential key.
pub(super) fn statement(credential: &SigningKey) -> Statement {
    Statement::AndroidKey(AndroidKey {
        alg: credential.algorithm(),
        key: credential.clone(),
        chain: chain(credential),
        description: Some(KeyDescription {
            version: 4,
            level: 1,
            challenge: None,
            software: Vec::new(),
            tee: vec![(PURPOSE, set(&[2])), (ORIGIN, tlv(2, &[0]))],
            trailing: Vec::new(),
        }),
    })
}

fn android(registration: &mut Registration) -> &mut AndroidKey {
    match registration.statement() {
        Statement::AndroidKey(statement) => statement,
        _ => unreachable!(),
    }
}

fn description(registration: &mut Registration) -> &mut KeyDescription {
    android(registration).description.as_mut().unwrap()
}

pub(super) fn cases(topic: &mut Topic) {
    for (name, algorithm) in [
        ("es256", -7),
        ("es384", -35),
        ("es512", -36),
        ("rs256", -257),
        ("rs384", -258),
        ("rs512", -259),
        ("ps256", -37),
        ("eddsa", -8),
    ] {
        of_algorithm(topic, name, algorithm);
    }
    let twin = topic.ok_with(
        "android-ok",
        LINE,
        &[("attestationType", json!("basic"))],
        "nothing is wrong",
        Registration::attested(-7, statement),
    );
    syntax(topic, &twin);
    key(topic, &twin);
    lists(topic, &twin);
}

fn of_algorithm(topic: &mut Topic, name: &str, algorithm: i64) {
    let twin = topic.ok(
        &format!("android-{name}"),
        LINE,
        "a credential key of this algorithm",
        Registration::attested(algorithm, statement),
    );
    topic.spoil(
        &twin,
        &format!("android-{name}-bit"),
        LINE,
        INVALID,
        "one bit of the signature differs",
        |r| {
            r.signed_statement(|statement| {
                if let Cbor::Bytes(signature) = statement.at("sig") {
                    let middle = signature.len() / 2 + 3;
                    signature[middle] ^= 0x10;
                }
            });
        },
    );
    topic.spoil(
        &twin,
        &format!("android-{name}-key-type"),
        LINE,
        INVALID,
        "the leaf's key is of another type than alg's",
        |r| {
            let other = of_another_type(algorithm);
            android(r).chain.leaf.subject_public_key_info = other.subject_public_key_info();
            android(r).key = other;
        },
    );
}

fn syntax(topic: &mut Topic, twin: &Twin<Registration>) {
    let mut spoil = |id: &str, why: &str, edit: fn(&mut Cbor)| {
        topic.spoil(twin, &format!("android-{id}"), LINE, INVALID, why, |r| {
            r.signed_statement(edit)
        });
    };
    spoil("no-alg", "alg is required", |s| s.remove("alg"));
    spoil("no-sig", "sig is required", |s| s.remove("sig"));
    spoil("no-x5c", "x5c is required", |s| s.remove("x5c"));
    spoil("x5c-empty", "x5c has the leaf at least", |s| {
        s.set("x5c", Cbor::Array(Vec::new()))
    });
    spoil("alg-other", "the leaf's key is not that algorithm's", |s| {
        s.set("alg", Cbor::Int(-35))
    });
    spoil("unknown-member", "no other members", |s| s.set("x", Cbor::Null));
}

fn key(topic: &mut Topic, twin: &Twin<Registration>) {
    topic.spoil(
        twin,
        "android-leaf-other-key",
        LINE,
        INVALID,
        "the leaf's key is the credential's: here another signs, and is certified",
        |r| {
            let other = SigningKey::new(-7, b"other").unwrap();
            android(r).chain.leaf.subject_public_key_info = other.subject_public_key_info();
            android(r).key = other;
        },
    );
    topic.spoil(
        twin,
        "android-other-signer",
        LINE,
        INVALID,
        "the leaf's key signs",
        |r| android(r).key = SigningKey::new(-7, b"other").unwrap(),
    );
    topic.spoil(
        twin,
        "android-description-above-leaf",
        "D-android-challenge",
        INVALID,
        "a key that the keystore described may certify others: what it says of them is not the keystore's word, and Android's \
         documentation has verifiers go by the description nearest to the root",
        |r| {
            let key = SigningKey::new(-7, b"certifying key").unwrap();
            let mut issuer = chain(&key).leaf;
            let description = Extension::new("1.3.6.1.4.1.11129.2.1.17", false, tlv(0x30, &[]));
            issuer.extensions.push(description);
            android(r).chain.rest = vec![issuer.sign(&key)];
        },
    );
    topic.spoil(
        twin,
        "android-no-description",
        "D-android-challenge",
        INVALID,
        "the key description is required",
        |r| android(r).description = None,
    );
    for (id, challenge) in [("empty", vec![]), ("other", vec![7; 32]), ("short", vec![7; 31])] {
        topic.spoil(
            twin,
            &format!("android-challenge-{id}"),
            "D-android-challenge",
            INVALID,
            "attestationChallenge is the hash of the client data",
            |r| description(r).challenge = Some(challenge),
        );
    }
    topic.spoil(
        twin,
        "android-challenge-of-webauthn",
        "D-android-challenge",
        INVALID,
        "attestationChallenge is the hash of the client data, not WebAuthn's challenge",
        |r| {
            description(r).challenge = Some(super::ceremony::CHALLENGE.to_vec());
        },
    );
    topic.spoil(
        twin,
        "android-description-trailing",
        "D-android-challenge",
        INVALID,
        "the key description has eight fields",
        |r| description(r).trailing = tlv(0x30, &[]),
    );
    topic.spoil(
        twin,
        "android-description-level",
        "D-android-challenge",
        INVALID,
        "no such security level",
        |r| description(r).level = 9,
    );
}

fn lists(topic: &mut Topic, twin: &Twin<Registration>) {
    for (id, software) in [("software", true), ("tee", false)] {
        topic.spoil(
            twin,
            &format!("android-all-applications-{id}"),
            "D-android-applications",
            INVALID,
            "the key belongs to one application",
            |r| {
                let list = if software {
                    &mut description(r).software
                } else {
                    &mut description(r).tee
                };
                list.push((ALL_APPLICATIONS, tlv(5, &[])));
                list.sort_by_key(|(tag, _)| *tag);
            },
        );
    }
    let mut spoil = |id: &str, why: &str, tee: Vec<(u32, Vec<u8>)>| {
        topic.spoil(
            twin,
            &format!("android-{id}"),
            "D-android-authorizations",
            INVALID,
            why,
            |r| description(r).tee = tee,
        );
    };
    let origin = |origin: u8| (ORIGIN, tlv(2, &[origin]));
    let purpose = |purposes: &[u8]| (PURPOSE, set(purposes));
    spoil(
        "origin-derived",
        "the key was not generated inside",
        vec![purpose(&[2]), origin(1)],
    );
    spoil(
        "origin-imported",
        "the key was not generated inside",
        vec![purpose(&[2]), origin(2)],
    );
    spoil(
        "origin-unknown",
        "nobody knows where the key comes from",
        vec![purpose(&[2]), origin(3)],
    );
    spoil(
        "purpose-encrypt",
        "the key is not for signing",
        vec![purpose(&[0]), origin(0)],
    );
    spoil(
        "purpose-verify",
        "the key is not for signing",
        vec![purpose(&[3]), origin(0)],
    );
    spoil(
        "purpose-empty",
        "the key is not for signing",
        vec![purpose(&[]), origin(0)],
    );
    spoil(
        "purpose-more",
        "the key is for more than signing",
        vec![purpose(&[2, 3]), origin(0)],
    );
    spoil(
        "origin-text",
        "origin is an integer",
        vec![purpose(&[2]), (ORIGIN, tlv(0x0c, b"0"))],
    );
    spoil(
        "purpose-integer",
        "purpose is a set",
        vec![(PURPOSE, tlv(2, &[2])), origin(0)],
    );
    spoil(
        "purpose-twice-apart",
        "no element occurs twice",
        vec![purpose(&[2]), origin(0), purpose(&[2])],
    );
    spoil(
        "purpose-twice",
        "no element occurs twice",
        vec![purpose(&[2]), purpose(&[2]), origin(0)],
    );
    topic.spoil(
        twin,
        "android-origin-software-imported",
        "D-android-authorizations",
        INVALID,
        "in the union of both lists one says imported",
        |r| {
            description(r).software = vec![(ORIGIN, tlv(2, &[2]))];
        },
    );
    topic.vary(
        twin,
        "android-list-order",
        "D-android-authorizations",
        "devices in use do not keep the schema's order",
        |r| description(r).tee = vec![origin(0), purpose(&[2])],
    );
    let union = topic.vary(
        twin,
        "android-lists-empty",
        "D-android-authorizations",
        "the specification's own example has neither origin nor purpose",
        |r| description(r).tee.clear(),
    );
    topic.vary(
        &union,
        "android-software-list",
        "D-android-authorizations",
        "under union either list counts",
        |r| {
            description(r).software = vec![purpose(&[2]), origin(0)];
        },
    );

    let tee = topic.vary(
        twin,
        "android-tee",
        "D-android-authorizations",
        "the TEE's list has both, and they are right",
        |r| {
            r.input["attestation"] = json!({"androidKey": "tee"});
        },
    );
    topic.vary(
        &tee,
        "android-strongbox",
        "D-android-authorizations",
        "StrongBox is no less than a TEE",
        |r| description(r).level = 2,
    );
    let mut spoil = |id: &str, why: &str, edit: &dyn Fn(&mut KeyDescription)| {
        topic.spoil(
            &tee,
            &format!("android-tee-{id}"),
            "D-android-authorizations",
            INVALID,
            why,
            |r| edit(description(r)),
        );
    };
    spoil("no-origin", "the TEE's list must tell the origin", &|d| {
        d.tee = vec![purpose(&[2])]
    });
    spoil("no-purpose", "the TEE's list must tell the purpose", &|d| {
        d.tee = vec![origin(0)]
    });
    spoil("software-only", "software's word does not count", &|d| {
        d.software = std::mem::take(&mut d.tee);
    });
    spoil("level-software", "software vouches for the TEE's list", &|d| {
        d.level = 0
    });
    topic.vary(
        &tee,
        "android-union-level-software",
        "D-android-authorizations",
        "under union software may vouch",
        |r| {
            r.input["attestation"] = json!({"androidKey": "union"});
            description(r).level = 0;
        },
    );
}
