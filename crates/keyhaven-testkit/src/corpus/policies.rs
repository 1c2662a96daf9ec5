//! What a relying party may ask for beyond the defaults: backup, extensions, canonical CBOR, enterprise attestation, some
//! statements of a compound one.

use serde_json::{Value, json};

use super::ceremony::{Assertion, Ceremony, Registration};
use super::packed::{attestation_key, chain};
use super::{Topic, Twin};
use crate::authenticator::{BE, BS, Cbor, ED, Extension, Packed, SigningKey, Statement, tlv};

pub(super) fn cases(topic: &mut Topic) {
    backup(topic);
    extensions_of_registrations(topic);
    extensions_of_assertions(topic);
    canonical_cbor(topic);
    enterprise(topic);
    compound_any(topic);
}

/// Each policy with the flags that meet it, and those that do not, with the step that refuses.
fn backup(topic: &mut Topic) {
    let wanted: [(&str, u8, &[(&str, u8, &str)]); 3] = [
        (
            "device-bound",
            0,
            &[("be", BE, "7.1.18"), ("be-bs", BE | BS, "7.1.18")],
        ),
        ("eligible", BE, &[("none", 0, "7.1.18")]),
        (
            "backed-up",
            BE | BS,
            &[("none", 0, "7.1.18"), ("be", BE, "7.1.19")],
        ),
    ];
    for (policy, good, bad) in wanted {
        let why = format!("only passkeys that are {policy} are wanted");
        let mut registration = Registration::new(-7);
        registration.input["backup"] = policy.into();
        flags(&mut registration, good);
        let registration = topic.ok(
            &format!("policy-reg-backup-{policy}"),
            if policy == "backed-up" { "B19" } else { "B18" },
            &why,
            registration,
        );
        let mut assertion = Assertion::new(-7);
        assertion.input["backup"] = policy.into();
        stored(&mut assertion, good);
        let assertion = topic.ok(&format!("policy-auth-backup-{policy}"), "C19", &why, assertion);
        for &(name, bits, step) in bad {
            let line = if step == "7.1.19" { "B19" } else { "B18" };
            topic.spoil(
                &registration,
                &format!("policy-reg-backup-{policy}-{name}"),
                line,
                ("backup_flags_invalid", step),
                &why,
                |r| flags(r, bits),
            );
            topic.spoil(
                &assertion,
                &format!("policy-auth-backup-{policy}-{name}"),
                "C19",
                ("backup_flags_invalid", "7.2.19"),
                &why,
                |a| stored(a, bits),
            );
        }
    }
}

fn flags(ceremony: &mut impl Ceremony, bits: u8) {
    *ceremony.flags() = (*ceremony.flags() & !(BE | BS)) | bits;
}

/// Registered as it is used.
fn stored(assertion: &mut Assertion, bits: u8) {
    flags(assertion, bits);
    assertion.input["credential"]["backupEligible"] = (bits & BE != 0).into();
}

fn signed(ceremony: &mut impl Ceremony, outputs: &[(&str, Cbor)]) {
    let outputs = outputs
        .iter()
        .map(|(name, value)| ((*name).into(), value.clone()));
    *ceremony.extensions() = Some(Cbor::Map(outputs.collect()));
    *ceremony.flags() |= ED;
}

fn client(ceremony: &mut impl Ceremony, outputs: Value) {
    ceremony.json(move |json| json["clientExtensionResults"] = outputs.clone());
}

/// Outputs, signed and the client's, each alone, that `none` did not ask for, where the policy refuses such.
fn unsolicited<C: Ceremony>(
    topic: &mut Topic,
    none: &Twin<C>,
    (line, refused): (&'static str, (&'static str, &str)),
    by_authenticator: [(&str, &str, Cbor); 3],
    by_client: [(&str, Value); 3],
) {
    let why = "nobody asked for this output, and the policy refuses such";
    for (id, name, value) in by_authenticator {
        let id = format!("policy-{}-unsolicited-signed-{id}", C::NAME);
        topic.spoil(none, &id, line, refused, why, |c| signed(c, &[(name, value)]));
    }
    for (id, outputs) in by_client {
        let id = format!("policy-{}-unsolicited-client-{id}", C::NAME);
        topic.spoil(none, &id, line, refused, why, |c| client(c, outputs));
    }
}

fn extensions_of_registrations(topic: &mut Topic) {
    const LINE: &str = "B28";
    const REFUSED: (&str, &str) = ("extension_not_allowed", "7.1.28");
    let mut registration = Registration::new(-7);
    registration.input["extensions"] = json!({"unsolicited": "refuse"});
    let none = topic.ok(
        "policy-reg-extensions-none",
        LINE,
        "nothing was asked for, and nothing came",
        registration,
    );
    unsolicited(
        topic,
        &none,
        (LINE, REFUSED),
        [
            ("cred-protect", "credProtect", Cbor::Int(2)),
            ("hmac-secret", "hmac-secret", Cbor::Bool(true)),
            ("unknown", "example.x", Cbor::Bool(true)),
        ],
        [
            ("cred-props", json!({"credProps": {"rk": true}})),
            ("prf", json!({"prf": {"enabled": true}})),
            ("unknown", json!({"exampleX": true})),
        ],
    );
    topic.vary(
        &none,
        "policy-reg-unsolicited-ignored",
        LINE,
        "without that policy they are ignored (the specification's advice)",
        |r| {
            r.input["extensions"] = json!({"unsolicited": "ignore"});
            signed(r, &[("example.x", Cbor::Bool(true))]);
            client(r, json!({"credProps": {"rk": true}}));
        },
    );
    // What was asked for is typed.
    for (id, extension, good, bad) in [
        ("cred-protect", "credProtect", Cbor::Int(3), Cbor::Int(4)),
        ("cred-protect-zero", "credProtect", Cbor::Int(1), Cbor::Int(0)),
        ("hmac-secret", "hmac-secret", Cbor::Bool(true), Cbor::Int(1)),
        ("cred-blob", "credBlob", Cbor::Bool(false), Cbor::Bytes(vec![1])),
        ("min-pin-length", "minPinLength", Cbor::Int(4), Cbor::Int(-1)),
    ] {
        let mut asking = Registration::new(-7);
        asking.input["extensions"] = json!({"requested": [extension], "unsolicited": "refuse"});
        signed(&mut asking, &[(extension, good)]);
        let twin = topic.ok(
            &format!("policy-reg-requested-{id}"),
            LINE,
            "it was asked for, and is what it should be",
            asking,
        );
        topic.spoil(
            &twin,
            &format!("policy-reg-requested-{id}-wrong"),
            LINE,
            REFUSED,
            "it was asked for, and is of no type or value that the extension has",
            |r| signed(r, &[(extension, bad)]),
        );
    }
    demands(topic);
}

fn demands(topic: &mut Topic) {
    const LINE: &str = "B28";
    const REFUSED: (&str, &str) = ("extension_not_allowed", "7.1.28");
    let demanding = |topic: &mut Topic, id: &str, demands: Value, name: &str, least: i64| {
        let mut registration = Registration::new(-7);
        registration.input["extensions"] = json!({"requested": [name], "demands": demands});
        signed(&mut registration, &[(name, Cbor::Int(least))]);
        let twin = topic.ok(
            &format!("policy-reg-demands-{id}"),
            LINE,
            "just what is demanded",
            registration,
        );
        topic.spoil(
            &twin,
            &format!("policy-reg-demands-{id}-less"),
            LINE,
            REFUSED,
            "less than is demanded",
            |r| signed(r, &[(name, Cbor::Int(least - 1))]),
        );
        let missing = |r: &mut Registration| {
            *r.extensions() = None;
            *r.flags() &= !ED;
        };
        let id = format!("policy-reg-demands-{id}-missing");
        if name == "minPinLength" {
            let why = "only those tell it whose owner has allowed it to this RP ID";
            topic.vary(&twin, &id, LINE, why, missing);
        } else {
            topic.spoil(
                &twin,
                &id,
                LINE,
                REFUSED,
                "what is demanded is not there",
                missing,
            );
        }
    };
    demanding(
        topic,
        "cred-protect",
        json!({"credProtect": "userVerificationRequired"}),
        "credProtect",
        3,
    );
    demanding(
        topic,
        "min-pin-length",
        json!({"minPinLength": 6}),
        "minPinLength",
        6,
    );
    let mut registration = Registration::new(-7);
    registration.input["extensions"] = json!({"requested": ["largeBlob"], "demands": {"largeBlob": true}});
    client(&mut registration, json!({"largeBlob": {"supported": true}}));
    let twin = topic.ok(
        "policy-reg-demands-large-blob",
        LINE,
        "just what is demanded",
        registration,
    );
    for (id, outputs) in [
        ("false", json!({"largeBlob": {"supported": false}})),
        ("empty", json!({"largeBlob": {}})),
        ("missing", json!({})),
    ] {
        topic.spoil(
            &twin,
            &format!("policy-reg-demands-large-blob-{id}"),
            LINE,
            REFUSED,
            "what is demanded is not there",
            |r| client(r, outputs),
        );
    }
}

fn extensions_of_assertions(topic: &mut Topic) {
    const LINE: &str = "C23";
    const REFUSED: (&str, &str) = ("extension_not_allowed", "7.2.23");
    let mut assertion = Assertion::new(-7);
    assertion.input["extensions"] = json!({"unsolicited": "refuse"});
    let none = topic.ok(
        "policy-auth-extensions-none",
        LINE,
        "nothing was asked for, and nothing came",
        assertion,
    );
    unsolicited(
        topic,
        &none,
        (LINE, REFUSED),
        [
            ("cred-blob", "credBlob", Cbor::Bytes(vec![1])),
            ("hmac-secret", "hmac-secret", Cbor::Bytes(vec![1; 32])),
            ("unknown", "example.x", Cbor::Bool(true)),
        ],
        [
            ("appid", json!({"appid": false})),
            ("large-blob", json!({"largeBlob": {"blob": "AQ"}})),
            ("unknown", json!({"exampleX": true})),
        ],
    );
    topic.vary(
        &none,
        "policy-auth-unsolicited-ignored",
        LINE,
        "without that policy they are ignored (the specification's advice)",
        |a| {
            a.input["extensions"] = json!({"unsolicited": "ignore"});
            signed(a, &[("example.x", Cbor::Bool(true))]);
            client(a, json!({"largeBlob": {"blob": "AQ"}}));
        },
    );
    for (extension, good, bad) in [
        ("credBlob", Cbor::Bytes(vec![1; 32]), Cbor::Bool(true)),
        ("hmac-secret", Cbor::Bytes(vec![1; 32]), Cbor::Bool(true)),
    ] {
        let mut asking = Assertion::new(-7);
        asking.input["extensions"] = json!({"requested": [extension], "unsolicited": "refuse"});
        signed(&mut asking, &[(extension, good)]);
        let id = extension.to_lowercase();
        let twin = topic.ok(
            &format!("policy-auth-requested-{id}"),
            LINE,
            "it was asked for, and is what it should be",
            asking,
        );
        topic.spoil(
            &twin,
            &format!("policy-auth-requested-{id}-wrong"),
            LINE,
            REFUSED,
            "it was asked for, and is of no type that the extension has",
            |a| signed(a, &[(extension, bad)]),
        );
    }
}

fn canonical_cbor(topic: &mut Topic) {
    const LINE: &str = "B13";
    const MALFORMED: (&str, &str) = ("malformed_response", "7.1.13");
    let why = "keys ascend in CTAP2's canonical form, and the policy asks for it";
    let mut registration = with_certificate();
    registration.input["canonicalCbor"] = "strict".into();
    let twin = topic.ok("policy-cbor-strict", LINE, "every map is in order", registration);
    topic.spoil(&twin, "policy-cbor-strict-object", LINE, MALFORMED, why, |r| {
        r.object(reverse);
    });
    topic.spoil(&twin, "policy-cbor-strict-statement", LINE, MALFORMED, why, |r| {
        r.signed_statement(reverse);
    });
    topic.spoil(
        &twin,
        "policy-cbor-strict-extensions",
        LINE,
        MALFORMED,
        why,
        |r| {
            signed(r, &[("b", Cbor::Bool(true)), ("a", Cbor::Bool(true))]);
        },
    );
    topic.vary(
        &twin,
        "policy-cbor-any-order",
        LINE,
        "some authenticators in use do not sort keys, and the policy lets it pass",
        |r| {
            r.input["canonicalCbor"] = "any-key-order".into();
            r.object(|object| {
                reverse(object.at("attStmt"));
                reverse(object);
            });
        },
    );
}

fn reverse(map: &mut Cbor) {
    let Cbor::Map(members) = map else { panic!("no map") };
    members.reverse();
}

fn with_certificate() -> Registration {
    Registration::attested(-7, |_| packed(&attestation_key(-7)))
}

fn packed(key: &SigningKey) -> Statement {
    Statement::Packed(Packed {
        alg: -7,
        chain: Some(chain(key)),
        key: key.clone(),
    })
}

fn enterprise(topic: &mut Topic) {
    const LINE: &str = "D-packed-enterprise";
    let serial = |r: &mut Registration, critical: bool, value: Vec<u8>| {
        let Statement::Packed(Packed {
            chain: Some(chain), ..
        }) = r.statement()
        else {
            panic!("no certificates")
        };
        chain
            .leaf
            .extensions
            .retain(|extension| extension.oid != SERIAL_NUMBER);
        chain
            .leaf
            .extensions
            .push(Extension::new("1.3.6.1.4.1.45724.1.1.2", critical, value));
    };
    let mut registration = with_certificate();
    registration.input["attestation"] = json!({"enterprise": true});
    serial(&mut registration, false, tlv(4, b"123"));
    let twin = topic.ok(
        "policy-enterprise",
        LINE,
        "a serial number, which was asked for",
        registration,
    );
    for (id, critical, value, why) in [
        (
            "critical",
            true,
            tlv(4, b"123"),
            "the serial number is not critical",
        ),
        (
            "text",
            false,
            tlv(0x0c, b"123"),
            "the serial number is an OCTET STRING inside the extension's",
        ),
        ("bare", false, b"123".to_vec(), "the serial number is DER"),
        (
            "trailing",
            false,
            [tlv(4, b"123"), vec![0]].concat(),
            "nothing follows the serial number",
        ),
    ] {
        topic.spoil(
            &twin,
            &format!("policy-enterprise-{id}"),
            LINE,
            ("attestation_invalid", "8.2"),
            why,
            |r| serial(r, critical, value),
        );
    }
}

/// 1.3.6.1.4.1.45724.1.1.2, encoded.
const SERIAL_NUMBER: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0xe5, 0x1c, 1, 1, 2];

fn compound_any(topic: &mut Topic) {
    const LINE: &str = "D-compound";
    const INVALID: (&str, &str) = ("attestation_invalid", "8.9");
    let mut registration = Registration::attested(-7, |own| {
        let packed_self = Statement::Packed(Packed {
            alg: -7,
            key: own.clone(),
            chain: None,
        });
        Statement::Compound(vec![packed(&attestation_key(-7)), packed_self])
    });
    registration.input["attestation"] = json!({"compound": "any"});
    let twin = topic.ok("policy-compound-any", LINE, "both verify", registration);
    let spoiled = |members: &'static [usize]| {
        move |statement: &mut Cbor| {
            let Cbor::Array(statements) = statement else {
                panic!("no array")
            };
            for at in members {
                let Cbor::Bytes(signature) = statements[*at].at("attStmt").at("sig") else {
                    panic!("no signature")
                };
                let middle = signature.len() / 2 + 3;
                signature[middle] ^= 0x10;
            }
        }
    };
    let one = vary_statement(
        topic,
        &twin,
        "policy-compound-any-one-wrong",
        "one statement verifies, which the policy says is enough",
        spoiled(&[0]),
    );
    vary_statement(
        topic,
        &twin,
        "policy-compound-any-one-unknown",
        "one statement is of a format that nobody knows, and the other verifies",
        |statement| {
            if let Cbor::Array(statements) = statement {
                statements[0].set("fmt", "x-vendor".into());
            }
        },
    );
    topic.spoil(
        &one,
        "policy-compound-any-both-wrong",
        LINE,
        INVALID,
        "one statement at least must verify",
        |r| r.signed_statement(spoiled(&[0, 1])),
    );
    topic.spoil(
        &twin,
        "policy-compound-any-of-one",
        LINE,
        INVALID,
        "two statements at least, however many must verify",
        |r| {
            if let Statement::Compound(statements) = r.statement() {
                statements.pop();
            }
        },
    );
    topic.spoil(
        &twin,
        "policy-compound-any-member",
        LINE,
        INVALID,
        "the syntax holds for every member, however many must verify",
        |r| {
            r.signed_statement(|statement| {
                if let Cbor::Array(statements) = statement {
                    statements[0].set("x", Cbor::Null);
                }
            });
        },
    );
}

fn vary_statement(
    topic: &mut Topic,
    twin: &Twin<Registration>,
    id: &str,
    why: &str,
    edit: impl Fn(&mut Cbor) + 'static,
) -> Twin<Registration> {
    topic.vary(twin, id, "D-compound", why, |r| r.signed_statement(edit))
}
