//! Which format it is, and `none`.

use super::ceremony::Registration;
use super::packed::{attestation_key, chain};
use super::{Topic, safetynet};
use crate::authenticator::{Cbor, Statement};

pub(super) fn cases(topic: &mut Topic) {
    let twin = topic.ok("fmt-ok", "B21", "nothing is wrong", Registration::new(-7));
    for (id, format, why) in [
        ("upper-case", "None", "formats are compared case by case"),
        ("trailing-space", "none ", "formats are compared byte by byte"),
        ("trailing-nul", "none\0", "formats are compared byte by byte"),
        ("empty", "", "no format"),
        ("unknown", "x-vendor", "an unknown format"),
        (
            "too-long",
            "nonenonenonenonenonenonenonenonenone",
            "more than 32 characters",
        ),
        ("packed-case", "Packed", "formats are compared case by case"),
        ("tpm-case", "TPM", "formats are compared case by case"),
        ("underscore", "android_key", "another name"),
    ] {
        topic.spoil(
            &twin,
            &format!("fmt-{id}"),
            "B21",
            ("unsupported_format", "7.1.21"),
            why,
            |r| r.object(move |object| object.set("fmt", format.into())),
        );
    }
    topic.spoil(
        &twin,
        "fmt-safetynet",
        "D-safetynet",
        ("unsupported_format", "7.1.21"),
        "the service behind android-safetynet is shut down, and the format off by default, though the statement is right",
        |r| {
            let statement = Statement::SafetyNet(safetynet::statement());
            r.draft.attestation = crate::authenticator::Attestation::Statement(Box::new(statement));
        },
    );
    let invalid = ("attestation_invalid", "8.7");
    for (id, statement, why) in [
        (
            "array",
            Cbor::Array(Vec::new()),
            "the statement of none is the empty map",
        ),
        (
            "member",
            Cbor::Map(vec![("x".into(), Cbor::Null)]),
            "the statement of none is the empty map",
        ),
        (
            "packed",
            Cbor::Map(vec![
                ("alg".into(), Cbor::Int(-7)),
                ("sig".into(), Cbor::Bytes(vec![0])),
            ]),
            "the statement of none is the empty map",
        ),
    ] {
        topic.spoil(&twin, &format!("none-{id}"), "D-none", invalid, why, |r| {
            r.object(move |object| object.set("attStmt", statement.clone()))
        });
    }
    // A statement under another format's name.
    let packed = topic.ok(
        "fmt-packed-ok",
        "B22",
        "nothing is wrong",
        Registration::attested(-7, |_| {
            let key = attestation_key(-7);
            Statement::Packed(crate::authenticator::Packed {
                alg: -7,
                chain: Some(chain(&key)),
                key,
            })
        }),
    );
    for (format, step) in [
        ("tpm", "8.3"),
        ("android-key", "8.4"),
        ("fido-u2f", "8.6"),
        ("none", "8.7"),
        ("apple", "8.8"),
        ("compound", "8.9"),
    ] {
        topic.spoil(
            &packed,
            &format!("fmt-packed-as-{format}"),
            "B22",
            ("attestation_invalid", step),
            "a statement of packed, by the procedure of another format",
            |r| {
                r.object(move |object| object.set("fmt", format.into()));
            },
        );
    }
}
