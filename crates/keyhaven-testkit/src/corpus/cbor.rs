//! The attestation object as CBOR.

use super::Topic;
use super::ceremony::Registration;
use crate::authenticator::Cbor;

const LINE: &str = "B13";
const MALFORMED: (&str, &str) = ("malformed_response", "7.1.13");

pub(super) fn cases(topic: &mut Topic) {
    let twin = topic.ok("cbor-ok", LINE, "nothing is wrong", Registration::new(-7));
    let data = |length: &[u8], registration: &Registration| {
        let mut object = registration.draft.attestation_object();
        let Cbor::Bytes(data) = object.at("authData").clone() else {
            unreachable!()
        };
        Cbor::Raw([length, &data].concat())
    };
    let length = u8::try_from(twin.ceremony.draft.authenticator_data().len()).unwrap();
    for (id, value, why) in [
        (
            "auth-data-16-bit-length",
            data(&[0x59, 0, length], &twin.ceremony),
            "lengths take their shortest form",
        ),
        (
            "auth-data-64-bit-length",
            data(&[0x5b, 0, 0, 0, 0, 0, 0, 0, length], &twin.ceremony),
            "lengths take their shortest form",
        ),
        (
            "auth-data-indefinite",
            {
                let Cbor::Raw(inner) = data(&[0x5f, 0x58, length], &twin.ceremony) else {
                    unreachable!()
                };
                Cbor::Raw([inner, vec![0xff]].concat())
            },
            "no indefinite lengths in CTAP2 canonical form",
        ),
        (
            "auth-data-text",
            Cbor::text("authenticator data"),
            "authData is a byte string",
        ),
        ("auth-data-null", Cbor::Null, "authData is a byte string"),
        (
            "auth-data-tagged",
            data(&[0xd8, 0x18, 0x58, length], &twin.ceremony),
            "no tags in CTAP2 canonical form",
        ),
        (
            "auth-data-huge",
            data(
                &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                &twin.ceremony,
            ),
            "a length beyond the input, and beyond any memory",
        ),
        (
            "auth-data-one-more",
            data(&[0x58, length + 1], &twin.ceremony),
            "the object ends inside authData",
        ),
    ] {
        topic.spoil(&twin, &format!("cbor-{id}"), LINE, MALFORMED, why, |r| {
            r.object(move |object| object.set("authData", value.clone()))
        });
    }
    for (id, value, why) in [
        ("fmt-bytes", Cbor::Bytes(b"none".to_vec()), "fmt is text"),
        ("fmt-integer", Cbor::Int(0), "fmt is text"),
        (
            "fmt-bad-utf8",
            Cbor::Raw(vec![0x64, b'n', b'o', 0xff, b'e']),
            "text is UTF-8",
        ),
        (
            "fmt-indefinite",
            Cbor::Raw(vec![0x7f, 0x64, b'n', b'o', b'n', b'e', 0xff]),
            "no indefinite lengths in CTAP2 canonical form",
        ),
        (
            "fmt-long-form",
            Cbor::Raw(vec![0x78, 4, b'n', b'o', b'n', b'e']),
            "lengths take their shortest form",
        ),
    ] {
        topic.spoil(&twin, &format!("cbor-{id}"), LINE, MALFORMED, why, |r| {
            r.object(move |object| object.set("fmt", value.clone()))
        });
    }
    for (id, value, why) in [
        (
            "statement-null",
            Cbor::Null,
            "attStmt is a map, or an array for compound",
        ),
        (
            "statement-bytes",
            Cbor::Bytes(vec![0xa0]),
            "attStmt is a map, or an array for compound",
        ),
        (
            "statement-long-form",
            Cbor::Raw(vec![0xb8, 0]),
            "lengths take their shortest form",
        ),
        (
            "statement-indefinite",
            Cbor::Raw(vec![0xbf, 0xff]),
            "no indefinite lengths in CTAP2 canonical form",
        ),
        (
            "statement-tagged",
            Cbor::Raw(vec![0xc1, 0xa0]),
            "no tags in CTAP2 canonical form",
        ),
        (
            "statement-odd",
            Cbor::Raw(vec![0xa1, 0x61, b'x', 0xff]),
            "a break where a value belongs",
        ),
        (
            "statement-array-key",
            Cbor::Raw(vec![0xa1, 0x80, 0]),
            "keys are integers or text",
        ),
        (
            "statement-float-cut",
            Cbor::Raw(vec![0xa1, 0x61, b'x', 0xfb, 0x3c, 0]),
            "the input ends inside a floating point number",
        ),
        (
            "statement-reserved",
            Cbor::Raw(vec![0xa1, 0x61, b'x', 0x1c]),
            "additional information 28 is reserved",
        ),
        (
            "statement-simple-value",
            Cbor::Raw(vec![0xa1, 0x61, b'x', 0xf8, 0x20]),
            "a simple value that CTAP2 does not use",
        ),
        (
            "statement-deep",
            Cbor::Raw([vec![0xa1, 0x61, b'x'], vec![0x81; 1000], vec![0]].concat()),
            "depth is bounded: a recursive reader would be at the sender's mercy",
        ),
        (
            "statement-duplicate-key",
            Cbor::Raw(vec![0xa2, 0x61, b'x', 0, 0x61, b'x', 0]),
            "no key occurs twice",
        ),
        (
            "statement-huge-map",
            Cbor::Raw(vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            "a count beyond the input, and beyond any memory",
        ),
        (
            "statement-huge-array",
            Cbor::Raw(vec![0xa1, 0x61, b'x', 0x9a, 0xff, 0xff, 0xff, 0xff]),
            "a count beyond the input",
        ),
    ] {
        topic.spoil(&twin, &format!("cbor-{id}"), LINE, MALFORMED, why, |r| {
            r.object(move |object| object.set("attStmt", value.clone()))
        });
    }
    for member in ["fmt", "attStmt", "authData"] {
        topic.spoil(
            &twin,
            &format!("cbor-no-{member}"),
            LINE,
            MALFORMED,
            "fmt, attStmt and authData are all required",
            |r| r.object(move |object| object.remove(member)),
        );
        topic.spoil(
            &twin,
            &format!("cbor-two-{member}"),
            LINE,
            MALFORMED,
            "no key occurs twice",
            |r| {
                r.object(move |object| {
                    let value = object.at(member).clone();
                    object.entries().push((member.into(), value));
                });
            },
        );
    }
    topic.spoil(
        &twin,
        "cbor-unknown-member",
        LINE,
        MALFORMED,
        "an attestation object has three members",
        |r| {
            r.object(|object| object.set("x", Cbor::Int(0)));
        },
    );
    topic.spoil(
        &twin,
        "cbor-integer-member",
        LINE,
        MALFORMED,
        "CTAP's integer keys are not WebAuthn's names",
        |r| {
            r.object(|object| object.entries()[0].0 = Cbor::Int(1));
        },
    );
    let edits: [(&str, &str, fn(&mut Vec<u8>)); 13] = [
        ("trailing-byte", "nothing follows the object", |bytes| {
            bytes.push(0)
        }),
        ("twice", "nothing follows the object", |bytes| {
            bytes.extend(bytes.clone())
        }),
        ("truncated", "the object ends inside", |bytes| {
            bytes.pop();
        }),
        ("empty", "no bytes are no CBOR", Vec::clear),
        (
            "indefinite",
            "no indefinite lengths in CTAP2 canonical form",
            |bytes| {
                bytes[0] = 0xbf;
                bytes.push(0xff);
            },
        ),
        ("long-form", "lengths take their shortest form", |bytes| {
            bytes.splice(0..1, [0xb8, 3]);
        }),
        ("tagged", "no tags in CTAP2 canonical form", |bytes| {
            bytes.splice(0..0, [0xd9, 0xd9, 0xf7]).for_each(drop)
        }),
        ("array", "the object is a map", |bytes| {
            bytes.splice(0..0, [0x81]).for_each(drop)
        }),
        ("bytes", "the object is a map", |bytes| {
            let len = u8::try_from(bytes.len()).unwrap();
            bytes.splice(0..0, [0x58, len]).for_each(drop);
        }),
        ("count-too-high", "an entry is missing", |bytes| bytes[0] = 0xa4),
        ("count-too-low", "an entry too many", |bytes| bytes[0] = 0xa2),
        ("json", "the object is CBOR", |bytes| {
            *bytes = br#"{"fmt":"none","attStmt":{}}"#.to_vec()
        }),
        ("break", "a break that nothing began", |bytes| *bytes = vec![0xff]),
    ];
    for (id, why, edit) in edits {
        topic.spoil(&twin, &format!("cbor-{id}"), LINE, MALFORMED, why, move |r| {
            r.bytes(edit)
        });
    }
    topic.vary(
        &twin,
        "cbor-key-order",
        LINE,
        "authenticators in the field do not all sort keys, and order carries no meaning",
        |r| {
            r.object(|object| object.entries().reverse());
        },
    );
}
