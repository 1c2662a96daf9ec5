//! `fido-u2f` (§8.6).

use serde_json::json;

use super::Topic;
use super::algorithms::ALGORITHMS;
use super::ceremony::{Ceremony as _, Registration};
use super::packed::{attestation_key, chain};
use crate::authenticator::{BASIC_CONSTRAINTS, Cbor, FIDO_AAGUID, FidoU2f, SigningKey, Statement};

const LINE: &str = "D-u2f";
const INVALID: (&str, &str) = ("attestation_invalid", "8.6");

pub(super) fn statement(_: &SigningKey) -> Statement {
    let key = attestation_key(-7);
    let mut chain = chain(&key);
    // U2F's certificates have no profile.
    chain
        .leaf
        .extensions
        .retain(|extension| extension.oid != FIDO_AAGUID && extension.oid != BASIC_CONSTRAINTS);
    Statement::FidoU2f(FidoU2f {
        key,
        chain,
        reserved: 0,
    })
}

fn u2f(registration: &mut Registration) -> &mut FidoU2f {
    match registration.statement() {
        Statement::FidoU2f(statement) => statement,
        _ => unreachable!(),
    }
}

pub(super) fn cases(topic: &mut Topic) {
    let twin = topic.ok_with(
        "u2f-ok",
        LINE,
        &[("attestationType", json!("uncertain"))],
        "nothing is wrong",
        Registration::attested(-7, statement),
    );
    for (name, algorithm) in ALGORITHMS {
        if matches!(algorithm, -7 | -9) {
            continue;
        }
        topic.spoil(
            &twin,
            &format!("u2f-credential-{name}"),
            LINE,
            INVALID,
            "U2F knows P-256 keys alone",
            |r| {
                let key = SigningKey::new(algorithm, b"other").unwrap();
                r.draft.public_key = key.cose();
                r.draft.key = key;
            },
        );
        if matches!(algorithm, -50..=-48) {
            continue;
        }
        topic.spoil(
            &twin,
            &format!("u2f-leaf-{name}"),
            LINE,
            INVALID,
            "the certificate's key is on P-256",
            |r| {
                let key = attestation_key(algorithm);
                u2f(r).chain.leaf.subject_public_key_info = key.subject_public_key_info();
                u2f(r).key = key;
            },
        );
    }
    topic.spoil(
        &twin,
        "u2f-bit",
        LINE,
        INVALID,
        "one bit of the signature differs",
        |r| {
            r.signed_statement(|statement| {
                if let Cbor::Bytes(signature) = statement.at("sig") {
                    signature[20] ^= 1;
                }
            });
        },
    );
    topic.spoil(
        &twin,
        "u2f-other-signer",
        LINE,
        INVALID,
        "the certificate's key signs",
        |r| u2f(r).key = SigningKey::new(-7, b"other").unwrap(),
    );
    topic.spoil(
        &twin,
        "u2f-credential-key-signs",
        LINE,
        INVALID,
        "the certificate's key signs, not the credential's",
        |r| {
            let key = r.draft.key.clone();
            u2f(r).key = key;
        },
    );
    topic.spoil(
        &twin,
        "u2f-reserved-byte",
        LINE,
        INVALID,
        "what is signed begins with 00",
        |r| u2f(r).reserved = 5,
    );
    topic.spoil(
        &twin,
        "u2f-signed-id",
        LINE,
        INVALID,
        "the credential id is signed",
        |r| {
            r.object(|object| {
                if let Cbor::Bytes(data) = object.at("authData") {
                    data[37 + 18] ^= 1;
                }
            });
            r.draft.envelope_id[0] ^= 1;
        },
    );
    topic.spoil(
        &twin,
        "u2f-signed-client-data",
        LINE,
        INVALID,
        "the hash of the client data is signed",
        |r| {
            let mut json = r.draft.client_data.to_json();
            json.insert(1, b' ');
            let json = crate::authenticator::base64url(&json);
            r.json(move |envelope| envelope["response"]["clientDataJSON"] = json.clone().into());
        },
    );
    topic.spoil(
        &twin,
        "u2f-packed-signature",
        LINE,
        INVALID,
        "what is signed is U2F's message, not authData",
        |r| {
            let hash = crate::authenticator::sha256(&r.draft.client_data.to_json());
            let signed = [&r.draft.authenticator_data()[..], &hash].concat();
            let signature = u2f(r).key.sign(&signed);
            r.signed_statement(move |statement| statement.set("sig", Cbor::Bytes(signature.clone())));
        },
    );
    topic.spoil(
        &twin,
        "u2f-two-certificates",
        LINE,
        INVALID,
        "exactly one certificate",
        |r| {
            let root = attestation_key(-7);
            let der = chain(&root).leaf.sign(&root);
            u2f(r).chain.rest = vec![der];
        },
    );
    let mut spoil = |id: &str, why: &str, edit: fn(&mut Cbor)| {
        topic.spoil(&twin, &format!("u2f-{id}"), LINE, INVALID, why, |r| {
            r.signed_statement(edit)
        });
    };
    spoil("no-x5c", "x5c is required", |s| s.remove("x5c"));
    spoil("no-sig", "sig is required", |s| s.remove("sig"));
    spoil("x5c-empty", "exactly one certificate", |s| {
        s.set("x5c", Cbor::Array(Vec::new()))
    });
    spoil("unknown-member", "sig and x5c, nothing else", |s| {
        s.set("x", Cbor::Null)
    });
    spoil("alg", "sig and x5c, nothing else: U2F has one algorithm", |s| {
        s.set("alg", Cbor::Int(-7))
    });
    spoil("statement-array", "the statement is a map", |s| {
        *s = Cbor::Array(Vec::new())
    });
    topic.vary(
        &twin,
        "u2f-aaguid-w3c",
        LINE,
        "the specification asks for no particular AAGUID",
        |r| r.draft.aaguid = [7; 16],
    );
    let fido = topic.vary(
        &twin,
        "u2f-fido-zero-aaguid",
        LINE,
        "U2F authenticators have no AAGUID",
        |r| {
            r.input["profile"] = "fido".into();
            r.draft.aaguid = [0; 16];
        },
    );
    topic.spoil(
        &fido,
        "u2f-fido-aaguid",
        LINE,
        INVALID,
        "the FIDO profile asks for a zero AAGUID",
        |r| r.draft.aaguid = [7; 16],
    );
}
