//! `packed` (§8.2): self and with certificates, by every algorithm.

use serde_json::json;

use super::algorithms::{ALGORITHMS, of_another_type};
use super::ceremony::{AAGUID, Registration};
use super::{Topic, Twin};
use crate::authenticator::{
    Attribute, BASIC_CONSTRAINTS, Cbor, CertificateDraft, Chain, Extension, FIDO_AAGUID,
    FIDO_FIRMWARE_VERSION, Packed, SigningKey, Statement, tlv,
};

const INVALID: (&str, &str) = ("attestation_invalid", "8.2");

/// An attestation key.
pub(super) fn attestation_key(algorithm: i64) -> SigningKey {
    SigningKey::new(algorithm, b"attestation").unwrap()
}

/// A leaf for `key` that meets the profile of packed attestation, alone, signed by a root that is not sent.
pub(super) fn chain(key: &SigningKey) -> Chain {
    Chain {
        leaf: CertificateDraft::attestation(key, AAGUID),
        issuer: SigningKey::new(-7, b"attestation root").unwrap(),
        rest: Vec::new(),
    }
}

/// The leaf of a packed statement.
fn leaf(registration: &mut Registration) -> &mut CertificateDraft {
    &mut packed(registration).chain.as_mut().unwrap().leaf
}

fn packed(registration: &mut Registration) -> &mut Packed {
    match registration.statement() {
        Statement::Packed(packed) => packed,
        _ => unreachable!(),
    }
}

pub(super) fn with_certificate(algorithm: i64) -> Registration {
    Registration::attested(-7, |_| {
        let key = attestation_key(algorithm);
        Statement::Packed(Packed {
            alg: algorithm,
            chain: Some(chain(&key)),
            key,
        })
    })
}

pub(super) fn cases(topic: &mut Topic) {
    for (name, algorithm) in ALGORITHMS {
        of_algorithm(topic, name, algorithm);
    }
    let twin = topic.ok(
        "packed-x5c-ok",
        "D-packed-x5c",
        "nothing is wrong",
        with_certificate(-7),
    );
    syntax(topic, &twin);
    profile(topic, &twin);
    signed(topic, &twin);
    sha1(topic);
}

fn break_signature(statement: &mut Cbor) {
    if let Cbor::Bytes(signature) = statement.at("sig") {
        let middle = signature.len() / 2 + 3;
        signature[middle] ^= 0x10;
    }
}

fn of_algorithm(topic: &mut Topic, name: &str, algorithm: i64) {
    let own = topic.ok_with(
        &format!("packed-self-{name}"),
        "D-packed-self",
        &[("attestationType", json!("self"))],
        "the credential key signs",
        Registration::attested(algorithm, |key| {
            Statement::Packed(Packed {
                alg: algorithm,
                key: key.clone(),
                chain: None,
            })
        }),
    );
    topic.spoil(
        &own,
        &format!("packed-self-{name}-bit"),
        "D-packed-self",
        INVALID,
        "one bit of the signature differs",
        |r| r.signed_statement(break_signature),
    );
    topic.spoil(
        &own,
        &format!("packed-self-{name}-alg"),
        "D-packed-self",
        INVALID,
        "alg is the credential key's",
        |r| {
            packed(r).alg = if algorithm == -7 { -9 } else { -7 };
        },
    );
    topic.spoil(
        &own,
        &format!("packed-self-{name}-key-type"),
        "K5",
        ("public_key_invalid", "7.1.20"),
        "the key is of another type than the algorithm's",
        |r| {
            let mut key = of_another_type(algorithm).cose();
            key.set(3, algorithm.into());
            r.draft.public_key = key;
        },
    );
    let twin = topic.ok_with(
        &format!("packed-x5c-{name}"),
        "D-packed-x5c",
        &[("attestationType", json!("uncertain"))],
        "an attestation key of this algorithm signs",
        with_certificate(algorithm),
    );
    topic.spoil(
        &twin,
        &format!("packed-x5c-{name}-bit"),
        "D-packed-x5c",
        INVALID,
        "one bit of the signature differs",
        |r| r.signed_statement(break_signature),
    );
    topic.spoil(
        &twin,
        &format!("packed-x5c-{name}-key-type"),
        "D-packed-x5c",
        INVALID,
        "the leaf's key is of another type than alg's",
        |r| {
            let key = of_another_type(algorithm);
            leaf(r).subject_public_key_info = key.subject_public_key_info();
            packed(r).key = key;
        },
    );
    topic.spoil(
        &twin,
        &format!("packed-x5c-{name}-credential-key"),
        "D-packed-x5c",
        INVALID,
        "with certificates the leaf's key signs, not the credential's",
        |r| {
            packed(r).key = r.draft.key.clone();
        },
    );
}

fn syntax(topic: &mut Topic, twin: &Twin<Registration>) {
    let mut spoil = |id: &str, why: &str, edit: fn(&mut Cbor)| {
        topic.spoil(
            twin,
            &format!("packed-{id}"),
            "D-packed-syntax",
            INVALID,
            why,
            |r| r.signed_statement(edit),
        );
    };
    spoil("no-alg", "alg is required", |s| s.remove("alg"));
    spoil("no-sig", "sig is required", |s| s.remove("sig"));
    spoil("no-x5c", "without certificates the credential key signs", |s| {
        s.remove("x5c")
    });
    spoil("alg-text", "alg is an integer", |s| s.set("alg", "ES256".into()));
    spoil("alg-huge", "alg is an integer that names an algorithm", |s| {
        s.set(
            "alg",
            Cbor::Raw(vec![0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        )
    });
    spoil("alg-unknown", "nobody verifies this algorithm", |s| {
        s.set("alg", Cbor::Int(-6_000))
    });
    spoil("alg-other", "the leaf's key is not that algorithm's", |s| {
        s.set("alg", Cbor::Int(-35))
    });
    spoil("sig-text", "sig is a byte string", |s| s.set("sig", "sig".into()));
    spoil("sig-empty", "no signature", |s| {
        s.set("sig", Cbor::Bytes(Vec::new()))
    });
    spoil("unknown-member", "alg, sig and x5c, nothing else", |s| {
        s.set("x", Cbor::Null)
    });
    spoil("ecdaa", "ECDAA is no part of Level 3", |s| {
        s.set("ecdaaKeyId", Cbor::Bytes(vec![1]))
    });
    spoil("integer-member", "members are named by text", |s| {
        s.set(1, Cbor::Null)
    });
    spoil("x5c-empty", "x5c has the leaf at least", |s| {
        s.set("x5c", Cbor::Array(Vec::new()))
    });
    spoil("x5c-null", "x5c is an array", |s| s.set("x5c", Cbor::Null));
    spoil("x5c-bytes", "x5c is an array", |s| {
        if let Cbor::Array(items) = s.at("x5c").clone() {
            s.set("x5c", items[0].clone());
        }
    });
    spoil("x5c-text", "a certificate is a byte string", |s| {
        s.set("x5c", Cbor::Array(vec!["MIIB".into()]))
    });
    spoil("x5c-garbage", "no certificate", |s| {
        s.set("x5c", Cbor::Array(vec![Cbor::Bytes(vec![0x30, 3, 2, 1, 1])]))
    });
    spoil("x5c-trailing-byte", "nothing follows a certificate", |s| {
        if let Cbor::Array(items) = s.at("x5c")
            && let Cbor::Bytes(der) = &mut items[0]
        {
            der.push(0);
        }
    });
    spoil("x5c-truncated", "the certificate ends inside", |s| {
        if let Cbor::Array(items) = s.at("x5c")
            && let Cbor::Bytes(der) = &mut items[0]
        {
            der.pop();
        }
    });
    spoil("statement-array", "the statement is a map", |s| {
        *s = Cbor::Array(vec![s.clone()])
    });
    spoil("statement-empty", "alg and sig are required", |s| {
        *s = Cbor::Map(Vec::new())
    });
    topic.spoil(
        twin,
        "packed-x5c-leaf-not-first",
        "D-packed-x5c",
        INVALID,
        "the leaf comes first",
        |r| {
            r.signed_statement(|statement| {
                let other = SigningKey::new(-7, b"attestation root").unwrap();
                let der = CertificateDraft::attestation(&other, AAGUID).sign(&other);
                if let Cbor::Array(items) = statement.at("x5c") {
                    items.insert(0, Cbor::Bytes(der));
                }
            });
        },
    );
}

fn profile(topic: &mut Topic, twin: &Twin<Registration>) {
    let mut spoil = |id: &str, why: &str, edit: &dyn Fn(&mut CertificateDraft)| {
        topic.spoil(
            twin,
            &format!("packed-leaf-{id}"),
            "D-packed-profile",
            INVALID,
            why,
            |r| edit(leaf(r)),
        );
    };
    spoil("version-1", "version 3", &|leaf| leaf.version = None);
    spoil("version-2", "version 3", &|leaf| leaf.version = Some(1));
    for (kind, name) in [(6, "c"), (10, "o"), (11, "ou"), (3, "cn")] {
        spoil(
            &format!("no-{name}"),
            "the subject has C, O, OU and CN",
            &|leaf| leaf.subject.retain(|attribute| attribute.kind != kind),
        );
    }
    spoil("no-subject", "the subject has C, O, OU and CN", &|leaf| {
        leaf.subject.clear()
    });
    spoil(
        "country-three-letters",
        "C is an ISO 3166 code of two letters",
        &|leaf| leaf.subject(6).text = "AAA".into(),
    );
    spoil(
        "country-digits",
        "C is an ISO 3166 code of two letters",
        &|leaf| leaf.subject(6).text = "12".into(),
    );
    spoil("country-empty", "C is an ISO 3166 code of two letters", &|leaf| {
        leaf.subject(6).text = String::new()
    });
    spoil("o-empty", "O is the vendor's name", &|leaf| {
        leaf.subject(10).text = String::new()
    });
    spoil("cn-empty", "CN is a name", &|leaf| {
        leaf.subject(3).text = String::new()
    });
    for (id, text) in [
        ("case", "authenticator attestation"),
        ("longer", "Authenticator Attestation CA"),
        ("trailing-space", "Authenticator Attestation "),
        ("empty", ""),
    ] {
        spoil(
            &format!("ou-{id}"),
            "OU is exactly Authenticator Attestation",
            &|leaf| leaf.subject(11).text = text.into(),
        );
    }
    spoil(
        "ou-twice",
        "OU is exactly Authenticator Attestation: a second one says something else",
        &|leaf| {
            leaf.subject.push(Attribute {
                kind: 11,
                tag: 0x0c,
                text: "Other".into(),
            });
        },
    );
    spoil("ca", "not a CA", &|leaf| {
        leaf.extension(BASIC_CONSTRAINTS).value = tlv(0x30, &tlv(1, &[0xff]))
    });
    spoil(
        "no-basic-constraints",
        "basic constraints are there, and say no CA",
        &|leaf| {
            leaf.extensions
                .retain(|extension| extension.oid != BASIC_CONSTRAINTS)
        },
    );
    spoil(
        "basic-constraints-garbage",
        "basic constraints are there, and say no CA",
        &|leaf| leaf.extension(BASIC_CONSTRAINTS).value = vec![4, 0],
    );
    spoil("basic-constraints-twice", "no extension occurs twice", &|leaf| {
        let again = leaf.extension(BASIC_CONSTRAINTS).clone();
        leaf.extensions.push(again);
    });
    spoil(
        "aaguid-other",
        "the AAGUID extension names another model",
        &|leaf| leaf.extension(FIDO_AAGUID).value = tlv(4, b"keyhaven-TESTKIT"),
    );
    spoil(
        "aaguid-zero",
        "the AAGUID extension names another model",
        &|leaf| leaf.extension(FIDO_AAGUID).value = tlv(4, &[0; 16]),
    );
    spoil(
        "aaguid-critical",
        "the AAGUID extension is not critical",
        &|leaf| leaf.extension(FIDO_AAGUID).critical = true,
    );
    spoil(
        "aaguid-not-wrapped",
        "the AAGUID is wrapped in two octet strings",
        &|leaf| leaf.extension(FIDO_AAGUID).value = AAGUID.to_vec(),
    );
    spoil("aaguid-short", "an AAGUID has 16 bytes", &|leaf| {
        leaf.extension(FIDO_AAGUID).value = tlv(4, &AAGUID[..15])
    });
    spoil("aaguid-trailing", "nothing follows the AAGUID", &|leaf| {
        leaf.extension(FIDO_AAGUID).value.push(0)
    });
    spoil("aaguid-text", "the AAGUID is an octet string", &|leaf| {
        leaf.extension(FIDO_AAGUID).value = tlv(0x0c, &AAGUID)
    });
    spoil("aaguid-twice", "no extension occurs twice", &|leaf| {
        let again = leaf.extension(FIDO_AAGUID).clone();
        leaf.extensions.push(again);
    });
    let firmware = |critical: bool, value: Vec<u8>| Extension {
        oid: FIDO_FIRMWARE_VERSION.to_vec(),
        critical,
        value,
    };
    spoil(
        "firmware-negative",
        "a firmware version is not negative",
        &|leaf| leaf.extensions.push(firmware(false, vec![2, 1, 0xff])),
    );
    spoil(
        "firmware-critical",
        "the firmware version is not critical",
        &|leaf| leaf.extensions.push(firmware(true, vec![2, 1, 5])),
    );
    spoil("firmware-text", "a firmware version is an integer", &|leaf| {
        leaf.extensions.push(firmware(false, tlv(0x0c, b"5")))
    });
    let serial = |critical: bool, value: Vec<u8>| Extension::new("1.3.6.1.4.1.45724.1.1.2", critical, value);
    topic.spoil(
        twin,
        "packed-leaf-serial-number",
        "D-packed-enterprise",
        INVALID,
        "a serial number only in enterprise attestation, which nobody asked for",
        |r| {
            leaf(r).extensions.push(serial(false, tlv(4, b"123")));
        },
    );
    topic.spoil(
        twin,
        "packed-leaf-serial-number-critical",
        "D-packed-enterprise",
        INVALID,
        "the serial number is not critical",
        |r| {
            leaf(r).extensions.push(serial(true, tlv(4, b"123")));
        },
    );
    topic.vary(
        twin,
        "packed-leaf-firmware",
        "D-packed-profile",
        "a firmware version may be told",
        |r| leaf(r).extensions.push(firmware(false, vec![2, 1, 5])),
    );
    topic.vary(
        twin,
        "packed-leaf-no-aaguid",
        "D-packed-x5c",
        "the AAGUID extension is optional",
        |r| {
            leaf(r)
                .extensions
                .retain(|extension| extension.oid != FIDO_AAGUID)
        },
    );
    topic.spoil(
        twin,
        "packed-leaf-rsa-1024",
        "D-packed-x5c",
        INVALID,
        "too short to trust",
        |r| {
            let key = SigningKey::rsa(-257, 1024).unwrap();
            leaf(r).subject_public_key_info = key.subject_public_key_info();
            packed(r).alg = -257;
            packed(r).key = key;
        },
    );
    topic.spoil(
        twin,
        "packed-leaf-curve",
        "K1",
        INVALID,
        "ES256 is P-256's: the leaf's key is on P-384",
        |r| {
            let key = SigningKey::new(-35, b"attestation").unwrap();
            leaf(r).subject_public_key_info = key.subject_public_key_info();
            packed(r).key = key.renamed(-7);
        },
    );
    topic.spoil(
        twin,
        "packed-leaf-compressed",
        "K1",
        INVALID,
        "a compressed point where the certificate's key belongs",
        |r| {
            let key = attestation_key(-7);
            let point = key.public_bytes();
            let compressed = [&[2 | (point[64] & 1)][..], &point[1..33]].concat();
            let mut spki = key.subject_public_key_info();
            // SEQUENCE { SEQUENCE { ... }, BIT STRING }: 2 + 21 bytes before the bit string.
            spki.truncate(2 + 21);
            spki.extend(tlv(3, &[&[0][..], &compressed].concat()));
            leaf(r).subject_public_key_info = tlv(0x30, &spki[2..]);
        },
    );
}

fn signed(topic: &mut Topic, twin: &Twin<Registration>) {
    topic.spoil(
        twin,
        "packed-client-data-changed",
        "B12",
        INVALID,
        "the hash is of the bytes received: white space added after signing changes it",
        |r| {
            use super::ceremony::Ceremony as _;
            let mut json = r.draft.client_data.to_json();
            json.insert(1, b' ');
            let json = crate::authenticator::base64url(&json);
            r.json(move |envelope| envelope["response"]["clientDataJSON"] = json.clone().into());
        },
    );
    for (id, at, why) in [
        ("aaguid", 37 + 15, "authData is signed, AAGUID included"),
        ("sign-count", 36, "authData is signed, count included"),
        ("reserved-flag", 32, "authData is signed, reserved flags included"),
    ] {
        let mut twin = twin.clone();
        // Without the extension that would disagree first.
        leaf(&mut twin.ceremony)
            .extensions
            .retain(|extension| extension.oid != FIDO_AAGUID);
        twin.id = "packed-leaf-no-aaguid".into();
        topic.spoil(
            &twin,
            &format!("packed-auth-data-{id}"),
            "B22",
            INVALID,
            why,
            |r| {
                r.object(move |object| {
                    if let Cbor::Bytes(data) = object.at("authData") {
                        data[at] ^= 2;
                    }
                });
            },
        );
    }
    topic.spoil(
        twin,
        "packed-sig-raw",
        "K4",
        INVALID,
        "ECDSA signatures are DER",
        |r| {
            r.signed_statement(|statement| statement.set("sig", Cbor::Bytes(vec![7; 64])));
        },
    );
    topic.spoil(
        twin,
        "packed-sig-trailing-byte",
        "K4",
        INVALID,
        "nothing follows a signature",
        |r| {
            r.signed_statement(|statement| {
                if let Cbor::Bytes(signature) = statement.at("sig") {
                    signature.push(0);
                }
            });
        },
    );
}

fn sha1(topic: &mut Topic) {
    let mut allowed = with_certificate(-65535);
    allowed.input["attestation"] = json!({"allowSha1": true});
    let allowed = topic.ok(
        "packed-x5c-rs1-allowed",
        "D-packed-x5c",
        "policy allows SHA-1 inside statements",
        allowed,
    );
    topic.spoil(
        &allowed,
        "packed-x5c-rs1",
        "D-packed-x5c",
        INVALID,
        "SHA-1 has collisions; nobody allowed it",
        |r| {
            r.input.as_object_mut().unwrap().remove("attestation");
        },
    );
    topic.spoil(
        &allowed,
        "packed-x5c-rs1-bit",
        "D-packed-x5c",
        INVALID,
        "one bit of the signature differs",
        |r| r.signed_statement(break_signature),
    );
}
