//! `compound` (§8.9).

use super::ceremony::Registration;
use super::packed::{attestation_key, chain};
use super::{Topic, android_key, apple, fido_u2f, tpm};
use crate::authenticator::{Cbor, Packed, SigningKey, Statement};

const LINE: &str = "D-compound";
const INVALID: (&str, &str) = ("attestation_invalid", "8.9");

fn packed(_: &SigningKey) -> Statement {
    let key = attestation_key(-7);
    Statement::Packed(Packed {
        alg: -7,
        chain: Some(chain(&key)),
        key,
    })
}

fn own(credential: &SigningKey) -> Statement {
    Statement::Packed(Packed {
        alg: -7,
        key: credential.clone(),
        chain: None,
    })
}

pub(super) fn cases(topic: &mut Topic) {
    let twin = topic.ok(
        "compound-ok",
        LINE,
        "two statements, both right",
        Registration::attested(-7, |key| Statement::Compound(vec![packed(key), own(key)])),
    );
    let all = topic.ok(
        "compound-all-formats",
        LINE,
        "six statements, all right",
        Registration::attested(-7, |key| {
            Statement::Compound(vec![
                packed(key),
                own(key),
                tpm::statement(key, -257),
                android_key::statement(key),
                apple::statement(key),
                fido_u2f::statement(key),
            ])
        }),
    );
    for (at, name, step) in [
        (0, "packed", "8.2"),
        (1, "self", "8.2"),
        (2, "tpm", "8.3"),
        (3, "android", "8.4"),
        (5, "u2f", "8.6"),
    ] {
        topic.spoil(
            &all,
            &format!("compound-{name}-bit"),
            LINE,
            ("attestation_invalid", step),
            "every member must verify, by its own procedure",
            |r| {
                r.signed_statement(move |statement| {
                    if let Cbor::Array(members) = statement
                        && let Cbor::Bytes(signature) = members[at].at("attStmt").at("sig")
                    {
                        let middle = signature.len() / 2 + 3;
                        signature[middle] ^= 0x10;
                    }
                });
            },
        );
    }
    topic.spoil(
        &all,
        "compound-apple-nonce",
        LINE,
        ("attestation_invalid", "8.8"),
        "every member must verify, by its own procedure",
        |r| {
            if let Statement::Compound(members) = r.statement()
                && let Statement::Apple(apple) = &mut members[4]
            {
                apple.nonce = Some(None);
            }
        },
    );
    topic.spoil(
        &twin,
        "compound-nested",
        LINE,
        INVALID,
        "no compound inside another, be it empty",
        |r| {
            if let Statement::Compound(members) = r.statement() {
                members.push(Statement::Compound(Vec::new()));
            }
        },
    );
    topic.spoil(
        &twin,
        "compound-nested-in-full",
        LINE,
        ("malformed_response", "7.1.13"),
        "no compound inside another: its statements lie deeper than the five levels that any permitted statement needs",
        |r| {
            let inner = r.statement().clone();
            if let Statement::Compound(members) = r.statement() {
                members.push(inner);
            }
        },
    );
    topic.spoil(
        &twin,
        "compound-one",
        LINE,
        INVALID,
        "two statements at least",
        |r| {
            if let Statement::Compound(members) = r.statement() {
                members.pop();
            }
        },
    );
    topic.spoil(
        &twin,
        "compound-empty",
        LINE,
        INVALID,
        "two statements at least",
        |r| *r.statement() = Statement::Compound(Vec::new()),
    );
    let mut spoil = |id: &str, why: &str, edit: fn(&mut Vec<Cbor>)| {
        topic.spoil(&twin, &format!("compound-{id}"), LINE, INVALID, why, |r| {
            r.signed_statement(move |statement| {
                if let Cbor::Array(members) = statement {
                    edit(members);
                }
            });
        });
    };
    spoil(
        "member-unknown-format",
        "nobody verifies that format, and every member must verify",
        |members| members[1].set("fmt", "x-vendor".into()),
    );
    spoil(
        "member-format-case",
        "formats are compared case by case",
        |members| members[1].set("fmt", "Packed".into()),
    );
    spoil("member-no-format", "fmt is required", |members| {
        members[1].remove("fmt")
    });
    spoil("member-no-statement", "attStmt is required", |members| {
        members[1].remove("attStmt")
    });
    spoil(
        "member-unknown-member",
        "fmt and attStmt, nothing else",
        |members| members[1].set("x", Cbor::Null),
    );
    spoil(
        "member-auth-data",
        "fmt and attStmt, nothing else: authData is shared",
        |members| members[1].set("authData", Cbor::Bytes(vec![0; 37])),
    );
    spoil("member-array", "a member is a map", |members| {
        members[1] = Cbor::Array(Vec::new())
    });
    spoil("member-format-bytes", "fmt is text", |members| {
        members[1].set("fmt", Cbor::Bytes(b"packed".to_vec()))
    });
    topic.spoil(
        &twin,
        "compound-map",
        LINE,
        INVALID,
        "the statement is an array",
        |r| {
            r.signed_statement(|statement| *statement = Cbor::Map(Vec::new()));
        },
    );
    topic.spoil(
        &twin,
        "compound-safetynet-member",
        LINE,
        INVALID,
        "a format that is off is no better inside",
        |r| {
            r.signed_statement(|statement| {
                if let Cbor::Array(members) = statement {
                    members[1].set("fmt", "android-safetynet".into());
                }
            });
        },
    );
}
