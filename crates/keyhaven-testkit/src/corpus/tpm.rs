//! `tpm` (§8.3).

use serde_json::json;

use super::algorithms::of_another_type;
use super::ceremony::{AAGUID, Registration};
use super::packed::attestation_key;
use super::{Topic, Twin};
use crate::authenticator::{
    Attribute, BASIC_CONSTRAINTS, Cbor, CertificateDraft, Chain, Extension, FIDO_AAGUID, PubArea, SigningKey,
    Statement, Tpm, object_identifier, tlv, tpm_subject_alternative_name,
};

const INVALID: (&str, &str) = ("attestation_invalid", "8.3");
const SUBJECT_ALTERNATIVE_NAME: &str = "2.5.29.17";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// tcg-kp-AIKCertificate.
const AIK: &str = "2.23.133.8.3";

fn aik_chain(key: &SigningKey) -> Chain {
    let mut leaf = CertificateDraft::attestation(key, AAGUID);
    leaf.subject.clear();
    leaf.extensions.push(Extension::new(
        SUBJECT_ALTERNATIVE_NAME,
        true,
        tpm_subject_alternative_name("id:FFFFF1D0", "Keyhaven TPM", "id:00000001"),
    ));
    leaf.extensions.push(Extension::new(
        EXTENDED_KEY_USAGE,
        false,
        tlv(0x30, &object_identifier(AIK)),
    ));
    Chain {
        leaf,
        issuer: SigningKey::new(-7, b"attestation root").unwrap(),
        rest: Vec::new(),
    }
}

/// A statement about the key, signed by an attestation identity key of this algorithm.
pub(super) fn statement(credential: &SigningKey, algorithm: i64) -> Statement {
    let key = attestation_key(algorithm);
    let chain = aik_chain(&key);
    Statement::Tpm(Box::new(Tpm::new(credential, key, chain)))
}

fn with(credential: i64, algorithm: i64) -> Registration {
    Registration::attested(credential, |key| statement(key, algorithm))
}

fn tpm(registration: &mut Registration) -> &mut Tpm {
    match registration.statement() {
        Statement::Tpm(tpm) => tpm,
        _ => unreachable!(),
    }
}

fn extension<'a>(leaf: &'a mut CertificateDraft, oid: &str) -> &'a mut Extension {
    leaf.extension(&object_identifier(oid)[2..])
}

pub(super) fn cases(topic: &mut Topic) {
    for (name, algorithm) in [
        ("es256", -7),
        ("esp256", -9),
        ("es384", -35),
        ("esp384", -51),
        ("es512", -36),
        ("esp512", -52),
        ("rs256", -257),
        ("rs384", -258),
        ("rs512", -259),
        ("ps256", -37),
        ("ps384", -38),
        ("ps512", -39),
    ] {
        of_algorithm(topic, name, algorithm);
    }
    let ecc = topic.ok_with(
        "tpm-ecc-ok",
        "D-tpm-syntax",
        &[("attestationType", json!("attca"))],
        "nothing is wrong",
        with(-7, -257),
    );
    let rsa = topic.ok_with(
        "tpm-rsa-ok",
        "D-tpm-syntax",
        &[("attestationType", json!("attca"))],
        "nothing is wrong",
        with(-257, -7),
    );
    syntax(topic, &ecc);
    cert_info(topic, &ecc);
    pub_area(topic, &ecc, &rsa);
    aik(topic, &ecc);
    sha1(topic, &ecc);
    vendors(topic, &ecc);
}

fn break_signature(statement: &mut Cbor) {
    if let Cbor::Bytes(signature) = statement.at("sig") {
        let middle = signature.len() / 2 + 3;
        signature[middle] ^= 0x10;
    }
}

fn of_algorithm(topic: &mut Topic, name: &str, algorithm: i64) {
    let credential = topic.ok(
        &format!("tpm-credential-{name}"),
        "D-tpm-pubarea",
        "a credential key of this algorithm",
        with(algorithm, -7),
    );
    topic.spoil(
        &credential,
        &format!("tpm-credential-{name}-other-key"),
        "D-tpm-pubarea",
        INVALID,
        "pubArea is another key than the credential's",
        |r| {
            let other = match algorithm {
                -257 | -258 | -259 | -37 | -38 | -39 => SigningKey::rsa(algorithm, 3072),
                _ => SigningKey::new(algorithm, b"other"),
            };
            tpm(r).pub_area = PubArea::new(&other.unwrap());
        },
    );
    topic.spoil(
        &credential,
        &format!("tpm-credential-{name}-key-type"),
        "D-tpm-pubarea",
        INVALID,
        "pubArea is a key of another type than the credential's",
        |r| {
            let other = if matches!(algorithm, -7 | -9 | -35 | -51 | -36 | -52) {
                -257
            } else {
                -7
            };
            tpm(r).pub_area = PubArea::new(&SigningKey::new(other, b"other").unwrap());
        },
    );
    let key = topic.ok(
        &format!("tpm-aik-{name}"),
        "D-tpm-sig",
        "an attestation identity key of this algorithm",
        with(-7, algorithm),
    );
    topic.spoil(
        &key,
        &format!("tpm-aik-{name}-bit"),
        "D-tpm-sig",
        INVALID,
        "one bit of the signature differs",
        |r| r.signed_statement(break_signature),
    );
    topic.spoil(
        &key,
        &format!("tpm-aik-{name}-key-type"),
        "D-tpm-sig",
        INVALID,
        "the leaf's key is of another type than alg's",
        |r| {
            let other = of_another_type(algorithm);
            tpm(r).chain.leaf.subject_public_key_info = other.subject_public_key_info();
        },
    );
    topic.spoil(
        &key,
        &format!("tpm-aik-{name}-extra-data"),
        "D-tpm-certinfo",
        INVALID,
        "extraData is the hash by alg's function: here that of other data",
        |r| {
            let right = tpm(r).key.digest(b"other");
            tpm(r).cert_info.extra_data = Some(right);
        },
    );
}

fn syntax(topic: &mut Topic, twin: &Twin<Registration>) {
    let mut spoil = |id: &str, why: &str, edit: fn(&mut Cbor)| {
        topic.spoil(twin, &format!("tpm-{id}"), "D-tpm-syntax", INVALID, why, |r| {
            r.signed_statement(edit)
        });
    };
    spoil("no-ver", "ver is required", |s| s.remove("ver"));
    spoil("no-alg", "alg is required", |s| s.remove("alg"));
    spoil("no-x5c", "x5c is required", |s| s.remove("x5c"));
    spoil("no-sig", "sig is required", |s| s.remove("sig"));
    spoil("no-cert-info", "certInfo is required", |s| s.remove("certInfo"));
    spoil("no-pub-area", "pubArea is required", |s| s.remove("pubArea"));
    spoil("ver-1.2", "TPM 2.0 alone", |s| s.set("ver", "1.2".into()));
    spoil("ver-bytes", "ver is text", |s| {
        s.set("ver", Cbor::Bytes(b"2.0".to_vec()))
    });
    spoil("ver-2", "ver is exactly 2.0", |s| s.set("ver", "2".into()));
    spoil("x5c-empty", "x5c has the leaf at least", |s| {
        s.set("x5c", Cbor::Array(Vec::new()))
    });
    spoil("unknown-member", "no other members", |s| s.set("x", Cbor::Null));
    spoil("ecdaa", "ECDAA is no part of Level 3", |s| {
        s.set("ecdaaKeyId", Cbor::Bytes(vec![1]))
    });
    spoil("cert-info-text", "certInfo is a byte string", |s| {
        s.set("certInfo", "x".into())
    });
    spoil("pub-area-text", "pubArea is a byte string", |s| {
        s.set("pubArea", "x".into())
    });
    spoil("cert-info-empty", "certInfo is a TPMS_ATTEST", |s| {
        s.set("certInfo", Cbor::Bytes(Vec::new()))
    });
    spoil("pub-area-empty", "pubArea is a TPMT_PUBLIC", |s| {
        s.set("pubArea", Cbor::Bytes(Vec::new()))
    });
    spoil("alg-other", "the leaf's key is not that algorithm's", |s| {
        s.set("alg", Cbor::Int(-7))
    });
    spoil("statement-array", "the statement is a map", |s| {
        *s = Cbor::Array(vec![s.clone()])
    });
}

fn cert_info(topic: &mut Topic, twin: &Twin<Registration>) {
    let mut spoil = |id: &str, why: &str, edit: &dyn Fn(&mut Tpm)| {
        topic.spoil(
            twin,
            &format!("tpm-cert-info-{id}"),
            "D-tpm-certinfo",
            INVALID,
            why,
            |r| edit(tpm(r)),
        );
    };
    spoil(
        "magic",
        "only what the TPM made itself begins with TPM_GENERATED_VALUE",
        &|t| t.cert_info.magic = 0xff54_4348,
    );
    spoil(
        "magic-zero",
        "only what the TPM made itself begins with TPM_GENERATED_VALUE",
        &|t| t.cert_info.magic = 0,
    );
    spoil("type-quote", "a quote certifies no key", &|t| {
        t.cert_info.kind = 0x8018
    });
    spoil(
        "type-creation",
        "TPM_ST_ATTEST_CREATION is another structure",
        &|t| t.cert_info.kind = 0x801a,
    );
    spoil(
        "extra-data-empty",
        "extraData is the hash of authData and the client data's hash",
        &|t| t.cert_info.extra_data = Some(Vec::new()),
    );
    spoil(
        "extra-data-other-hash",
        "extraData is the hash by alg's function, which is not SHA-1",
        &|t| {
            t.cert_info.extra_data = Some(SigningKey::new(-65535, b"").unwrap().digest(b"x"));
        },
    );
    spoil("name-other", "attested.name is the Name of pubArea", &|t| {
        t.cert_info.name = Some([vec![0, 0x0b], vec![7; 32]].concat())
    });
    spoil("name-empty", "attested.name is the Name of pubArea", &|t| {
        t.cert_info.name = Some(Vec::new())
    });
    spoil(
        "name-algorithm-only",
        "attested.name is the Name of pubArea",
        &|t| t.cert_info.name = Some(vec![0, 0x0b]),
    );
    spoil("name-handle", "a handle is not the Name of an object", &|t| {
        t.cert_info.name = Some(vec![0x81, 0, 0, 1])
    });
    spoil(
        "name-without-algorithm",
        "a Name begins with its hash algorithm",
        &|t| {
            let encoded = t.pub_area.encode();
            t.cert_info.name = Some(crate::authenticator::sha256(&encoded).to_vec());
        },
    );
    spoil(
        "name-other-algorithm",
        "the Name is by pubArea's own nameAlg, and not by SHA-384",
        &|t| {
            let encoded = t.pub_area.encode();
            t.cert_info.name =
                Some([vec![0, 0x0c], SigningKey::new(-35, b"").unwrap().digest(&encoded)].concat());
        },
    );
    spoil("name-label", "the Name says SHA-384 and holds SHA-256", &|t| {
        let encoded = t.pub_area.encode();
        t.cert_info.name = Some([&[0, 0x0c][..], &crate::authenticator::sha256(&encoded)].concat());
    });
    spoil("name-trailing", "a Name has its hash's length", &|t| {
        let encoded = t.pub_area.encode();
        t.cert_info.name = Some([&[0, 0x0b][..], &crate::authenticator::sha256(&encoded), &[0]].concat());
    });
    spoil("trailing", "nothing follows the structure", &|t| {
        t.cert_info.trailing = vec![0]
    });
    topic.spoil(
        twin,
        "tpm-cert-info-truncated",
        "D-tpm-certinfo",
        INVALID,
        "the structure ends inside",
        |r| {
            r.signed_statement(|statement| {
                if let Cbor::Bytes(bytes) = statement.at("certInfo") {
                    bytes.pop();
                }
            });
        },
    );
    topic.spoil(
        twin,
        "tpm-cert-info-other-key",
        "D-tpm-sig",
        INVALID,
        "signed by the credential key instead of the attestation identity key",
        |r| {
            let key = r.draft.key.clone();
            tpm(r).key = key;
        },
    );
    topic.vary(
        twin,
        "tpm-cert-info-odd-clock",
        "D-tpm-certinfo",
        "clockInfo is ignored, an odd safe byte included",
        |r| tpm(r).cert_info.clock_info = [0x33; 17],
    );
    topic.vary(
        twin,
        "tpm-cert-info-signer",
        "D-tpm-certinfo",
        "qualifiedSigner and qualifiedName are ignored",
        |r| {
            tpm(r).cert_info.qualified_signer = Vec::new();
            tpm(r).cert_info.qualified_name = Vec::new();
        },
    );
}

fn pub_area(topic: &mut Topic, ecc: &Twin<Registration>, rsa: &Twin<Registration>) {
    let mut spoil = |twin: &Twin<Registration>, id: &str, why: &str, edit: &dyn Fn(&mut PubArea)| {
        topic.spoil(
            twin,
            &format!("tpm-pub-area-{id}"),
            "D-tpm-pubarea",
            INVALID,
            why,
            |r| edit(&mut tpm(r).pub_area),
        );
    };
    spoil(ecc, "type-rsa", "an RSA key's type before an ECC key", &|area| {
        area.kind = 0x0001
    });
    spoil(ecc, "type-keyed-hash", "a keyed hash signs nothing", &|area| {
        area.kind = 0x0008
    });
    spoil(ecc, "curve", "the curve is the credential key's", &|area| {
        area.parameters[5] = 4
    });
    spoil(ecc, "curve-unknown", "no such curve", &|area| {
        area.parameters[5] = 0x10
    });
    spoil(ecc, "x", "x is the credential key's", &|area| area.unique[2] ^= 1);
    spoil(ecc, "y", "y is the credential key's", &|area| {
        area.unique[2 + 32 + 2] ^= 1
    });
    spoil(ecc, "unique-truncated", "y is missing", &|area| {
        area.unique.truncate(34)
    });
    spoil(ecc, "unique-length", "a length beyond the structure", &|area| {
        area.unique[1] = 0xff
    });
    spoil(
        ecc,
        "policy-length",
        "a length that takes what follows",
        &|area| {
            area.policy = vec![0; 4];
            area.trailing = vec![0; 2];
        },
    );
    spoil(ecc, "trailing", "nothing follows the structure", &|area| {
        area.trailing = vec![0]
    });
    spoil(
        ecc,
        "name-algorithm-unknown",
        "no such hash algorithm: there is no valid Name",
        &|area| area.name_alg = 0x0010,
    );
    spoil(
        ecc,
        "name-algorithm-sm3",
        "SM3 is not supported: the Name cannot be valid",
        &|area| area.name_alg = 0x0012,
    );
    spoil(rsa, "modulus", "the modulus is the credential key's", &|area| {
        area.unique[2 + 255] ^= 2
    });
    spoil(
        rsa,
        "exponent",
        "the exponent is the credential key's: 0 means 65537",
        &|area| area.parameters[9] = 3,
    );
    spoil(rsa, "key-bits", "keyBits is the modulus's", &|area| {
        area.parameters[4] = 4
    });
    spoil(
        rsa,
        "modulus-empty",
        "the modulus is the credential key's",
        &|area| area.unique = vec![0, 0],
    );
    topic.spoil(
        ecc,
        "tpm-pub-area-swapped-after",
        "D-tpm-certinfo",
        INVALID,
        "pubArea changed after it was certified",
        |r| {
            r.signed_statement(|statement| {
                if let Cbor::Bytes(bytes) = statement.at("pubArea") {
                    bytes[7] ^= 1;
                }
            });
        },
    );
    topic.vary(
        rsa,
        "tpm-pub-area-exponent-65537",
        "D-tpm-pubarea",
        "the exponent may be written out",
        |r| tpm(r).pub_area.parameters[6..10].copy_from_slice(&[0, 1, 0, 1]),
    );
    topic.vary(
        ecc,
        "tpm-pub-area-policy",
        "D-tpm-pubarea",
        "authPolicy is ignored",
        |r| tpm(r).pub_area.policy = vec![9; 32],
    );
    for (id, name_alg) in [("sha384", 0x000c), ("sha512", 0x000d)] {
        topic.vary(
            ecc,
            &format!("tpm-name-{id}"),
            "D-tpm-certinfo",
            "the Name is by pubArea's own nameAlg",
            |r| tpm(r).pub_area.name_alg = name_alg,
        );
    }
}

fn aik(topic: &mut Topic, twin: &Twin<Registration>) {
    let mut spoil = |id: &str, why: &str, edit: &dyn Fn(&mut CertificateDraft)| {
        topic.spoil(twin, &format!("tpm-aik-{id}"), "D-tpm-aik", INVALID, why, |r| {
            edit(&mut tpm(r).chain.leaf)
        });
    };
    spoil("version-2", "version 3", &|leaf| leaf.version = Some(1));
    spoil("subject", "the subject is empty", &|leaf| {
        leaf.subject.push(Attribute {
            kind: 3,
            tag: 0x0c,
            text: "TPM".into(),
        })
    });
    spoil("no-san", "the alternative name tells the TPM", &|leaf| {
        leaf.extensions
            .retain(|e| e.oid != object_identifier(SUBJECT_ALTERNATIVE_NAME)[2..])
    });
    spoil("san-dns", "the alternative name is a directory name", &|leaf| {
        extension(leaf, SUBJECT_ALTERNATIVE_NAME).value = tlv(0x30, &tlv(0x82, b"tpm.example"))
    });
    spoil(
        "san-empty",
        "the alternative name tells manufacturer, model and version",
        &|leaf| extension(leaf, SUBJECT_ALTERNATIVE_NAME).value = tlv(0x30, &[]),
    );
    for (name, oid) in [
        ("manufacturer", "2.23.133.2.1"),
        ("model", "2.23.133.2.2"),
        ("version", "2.23.133.2.3"),
    ] {
        spoil(
            &format!("san-no-{name}"),
            "the alternative name tells manufacturer, model and version",
            &|leaf| {
                let san = extension(leaf, SUBJECT_ALTERNATIVE_NAME);
                // The attribute is there under another type: 2.23.133.2.9.
                let (from, to) = (object_identifier(oid), object_identifier("2.23.133.2.9"));
                let at = san
                    .value
                    .windows(from.len())
                    .position(|window| window == from)
                    .unwrap();
                san.value[at..at + to.len()].copy_from_slice(&to);
            },
        );
    }
    spoil(
        "no-eku",
        "the key usage names attestation identity keys",
        &|leaf| {
            leaf.extensions
                .retain(|e| e.oid != object_identifier(EXTENDED_KEY_USAGE)[2..])
        },
    );
    spoil(
        "eku-other",
        "the key usage names attestation identity keys",
        &|leaf| {
            extension(leaf, EXTENDED_KEY_USAGE).value = tlv(0x30, &object_identifier("1.3.6.1.5.5.7.3.2"))
        },
    );
    spoil("eku-ek", "an endorsement key's certificate", &|leaf| {
        extension(leaf, EXTENDED_KEY_USAGE).value = tlv(0x30, &object_identifier("2.23.133.8.1"))
    });
    spoil(
        "eku-empty",
        "the key usage names attestation identity keys",
        &|leaf| extension(leaf, EXTENDED_KEY_USAGE).value = tlv(0x30, &[]),
    );
    spoil("ca", "not a CA", &|leaf| {
        leaf.extension(BASIC_CONSTRAINTS).value = tlv(0x30, &tlv(1, &[0xff]))
    });
    spoil(
        "no-basic-constraints",
        "basic constraints are there, and say no CA",
        &|leaf| leaf.extensions.retain(|e| e.oid != BASIC_CONSTRAINTS),
    );
    spoil(
        "aaguid-other",
        "the AAGUID extension names another model",
        &|leaf| leaf.extension(FIDO_AAGUID).value = tlv(4, &[0; 16]),
    );
    spoil(
        "aaguid-critical",
        "the AAGUID extension is not critical",
        &|leaf| leaf.extension(FIDO_AAGUID).critical = true,
    );
    topic.vary(
        twin,
        "tpm-aik-no-aaguid",
        "D-tpm-aik",
        "the AAGUID extension is optional",
        |r| tpm(r).chain.leaf.extensions.retain(|e| e.oid != FIDO_AAGUID),
    );
    topic.vary(
        twin,
        "tpm-aik-eku-more",
        "D-tpm-aik",
        "other usages may be beside it",
        |r| {
            let usages = [object_identifier("1.3.6.1.5.5.7.3.2"), object_identifier(AIK)].concat();
            extension(&mut tpm(r).chain.leaf, EXTENDED_KEY_USAGE).value = tlv(0x30, &usages);
        },
    );
}

fn sha1(topic: &mut Topic, twin: &Twin<Registration>) {
    let allow = |r: &mut Registration| r.input["attestation"] = json!({"allowSha1": true});
    let forbid = |r: &mut Registration| {
        r.input.as_object_mut().unwrap().remove("attestation");
    };
    let name = topic.vary(
        twin,
        "tpm-name-sha1-allowed",
        "D-tpm-certinfo",
        "policy allows SHA-1 inside statements",
        |r| {
            allow(r);
            tpm(r).pub_area.name_alg = 0x0004;
        },
    );
    topic.spoil(
        &name,
        "tpm-name-sha1",
        "D-tpm-certinfo",
        INVALID,
        "SHA-1 has collisions; nobody allowed it",
        forbid,
    );
    let mut rs1 = with(-7, -65535);
    allow(&mut rs1);
    let rs1 = topic.ok(
        "tpm-aik-rs1-allowed",
        "D-tpm-sig",
        "policy allows SHA-1 inside statements",
        rs1,
    );
    topic.spoil(
        &rs1,
        "tpm-aik-rs1",
        "D-tpm-sig",
        INVALID,
        "SHA-1 has collisions; nobody allowed it",
        forbid,
    );
    topic.spoil(
        &rs1,
        "tpm-aik-rs1-bit",
        "D-tpm-sig",
        INVALID,
        "one bit of the signature differs",
        |r| r.signed_statement(break_signature),
    );
}

fn vendors(topic: &mut Topic, twin: &Twin<Registration>) {
    let manufacturer = |r: &mut Registration, id: &str| {
        extension(&mut tpm(r).chain.leaf, SUBJECT_ALTERNATIVE_NAME).value =
            tpm_subject_alternative_name(id, "Keyhaven TPM", "id:00000001");
    };
    let known = topic.vary(
        twin,
        "tpm-fido-vendor",
        "D-tpm-aik",
        "Infineon is in the TCG's registry",
        |r| {
            r.input["profile"] = "fido".into();
            manufacturer(r, "id:49465800");
        },
    );
    topic.spoil(
        &known,
        "tpm-fido-vendor-unknown",
        "D-tpm-aik",
        INVALID,
        "the FIDO profile asks for a vendor of the TCG's registry",
        |r| manufacturer(r, "id:00000000"),
    );
    topic.vary(
        &known,
        "tpm-w3c-vendor-unknown",
        "D-tpm-aik",
        "the specification itself asks for no list of vendors",
        |r| {
            r.input["profile"] = "w3c".into();
            manufacturer(r, "id:00000000");
        },
    );
}
