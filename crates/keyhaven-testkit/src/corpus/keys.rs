//! Credential public keys: COSE_Key structure, curve and algorithm, values.

use super::ceremony::{Assertion, Registration};
use super::{Topic, Twin};
use crate::authenticator::{Cbor, SigningKey};

const MALFORMED: (&str, &str) = ("malformed_response", "7.1.13");
const INVALID: (&str, &str) = ("public_key_invalid", "7.1.20");

fn twin(topic: &mut Topic, name: &str, algorithm: i64) -> Twin<Registration> {
    topic.ok(
        &format!("key-{name}-ok"),
        "K5",
        "a key like those spoiled below",
        Registration::new(algorithm),
    )
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(super) fn cases(topic: &mut Topic) {
    structure(topic);
    elliptic(topic);
    edwards(topic);
    rsa(topic);
    ml_dsa(topic);
    stored(topic);
}

fn structure(topic: &mut Topic) {
    let es256 = twin(topic, "es256-structure", -7);
    for label in [1, 3, -1, -2, -3] {
        topic.spoil(
            &es256,
            &format!("key-es256-no-{label}"),
            "S3",
            MALFORMED,
            "kty, alg, crv, x and y are all required",
            |r| r.draft.public_key.remove(label),
        );
        topic.spoil(
            &es256,
            &format!("key-es256-text-{label}"),
            "S3",
            MALFORMED,
            "a parameter of the wrong type",
            |r| r.draft.public_key.set(label, Cbor::text("x")),
        );
        topic.spoil(
            &es256,
            &format!("key-es256-two-{label}"),
            "S3",
            MALFORMED,
            "no label occurs twice",
            |r| {
                let value = r.draft.public_key.at(label).clone();
                r.draft.public_key.entries().push((label.into(), value));
            },
        );
    }
    for (id, label, value, why) in [
        (
            "key-ops",
            Cbor::Int(4),
            Cbor::Array(vec![Cbor::Int(2)]),
            "no optional parameters",
        ),
        (
            "kid",
            Cbor::Int(2),
            Cbor::Bytes(vec![1]),
            "no optional parameters",
        ),
        (
            "private",
            Cbor::Int(-4),
            Cbor::Bytes(vec![1; 32]),
            "a public key has no private part",
        ),
        ("unknown", Cbor::Int(-70_000), Cbor::Int(0), "no other parameters"),
        ("text-label", Cbor::text("x"), Cbor::Int(0), "no other parameters"),
    ] {
        topic.spoil(
            &es256,
            &format!("key-es256-extra-{id}"),
            "S3",
            MALFORMED,
            why,
            |r| r.draft.public_key.entries().push((label, value)),
        );
    }
    for (id, raw, why) in [
        ("array", vec![0x80], "a COSE_Key is a map"),
        ("empty", vec![0xa0], "kty and alg are required"),
        ("null", vec![0xf6], "a COSE_Key is a map"),
    ] {
        topic.spoil(&es256, &format!("key-{id}"), "S3", MALFORMED, why, |r| {
            r.draft.public_key = Cbor::Raw(raw)
        });
    }
    let encoded = es256.ceremony.draft.public_key.encode();
    let head = |head: &[u8], tail: &[u8]| Cbor::Raw([head, &encoded[1..], tail].concat());
    for (id, key, why) in [
        (
            "indefinite",
            head(&[0xbf], &[0xff]),
            "no indefinite lengths in CTAP2 canonical form",
        ),
        (
            "long-form",
            head(&[0xb8, 5], &[]),
            "lengths take their shortest form",
        ),
        (
            "tagged",
            head(&[0xc0, 0xa5], &[]),
            "no tags in CTAP2 canonical form",
        ),
        (
            "trailing-byte",
            head(&[0xa5], &[0]),
            "nothing follows the key without ED",
        ),
    ] {
        topic.spoil(&es256, &format!("key-{id}"), "S3", MALFORMED, why, |r| {
            r.draft.public_key = key
        });
    }
    topic.spoil(
        &es256,
        "key-alg-long-form",
        "S3",
        MALFORMED,
        "integers take their shortest form",
        |r| r.draft.public_key.set(3, Cbor::Raw(vec![0x38, 6])),
    );
    topic.spoil(
        &es256,
        "key-alg-tagged",
        "S3",
        MALFORMED,
        "no tags in CTAP2 canonical form",
        |r| r.draft.public_key.set(3, Cbor::Raw(vec![0xc2, 0x26])),
    );
    for (id, algorithm, why) in [
        ("unassigned", -6_000, "no such algorithm"),
        ("hmac", 5, "a symmetric algorithm signs nothing"),
        ("rs1", -65535, "SHA-1 signatures are for statements at most"),
        ("walnut", -260, "nobody verifies it"),
        ("zero", 0, "reserved"),
    ] {
        topic.spoil(
            &es256,
            &format!("key-alg-{id}"),
            "B20",
            ("unsupported_algorithm", "7.1.20"),
            why,
            |r| {
                r.input["algorithms"] = serde_json::json!([-7, algorithm]);
                r.draft.public_key.set(3, algorithm.into());
            },
        );
    }
    topic.spoil(
        &es256,
        "key-alg-rs1-rsa",
        "B20",
        ("unsupported_algorithm", "7.1.20"),
        "SHA-1 signatures are for statements at most, even where allowed",
        |r| {
            r.input["algorithms"] = serde_json::json!([-7, -65535]);
            r.input["attestation"] = serde_json::json!({"allowSha1": true});
            r.draft.public_key = SigningKey::new(-65535, b"").unwrap().cose();
        },
    );
    topic.spoil(
        &es256,
        "key-alg-not-offered",
        "B20",
        ("algorithm_not_allowed", "7.1.20"),
        "only what was offered is accepted",
        |r| {
            r.input["algorithms"] = serde_json::json!([-257, -8]);
        },
    );
}

fn elliptic(topic: &mut Topic) {
    // Algorithm, curve, bytes of a coordinate, the field's prime.
    for (name, algorithm, size, prime) in [
        (
            "es256",
            -7,
            32,
            hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
        ),
        (
            "es384",
            -35,
            48,
            hex(
                "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
            ),
        ),
        ("es512", -36, 66, [vec![0x01], vec![0xff; 65]].concat()),
        (
            "es256k",
            -47,
            32,
            hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
        ),
        (
            "esp256",
            -9,
            32,
            hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
        ),
        (
            "esp384",
            -51,
            48,
            hex(
                "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
            ),
        ),
        ("esp512", -52, 66, [vec![0x01], vec![0xff; 65]].concat()),
    ] {
        let twin = twin(topic, name, algorithm);
        let mut key = twin.ceremony.draft.public_key.clone();
        let mut coordinate = |label: i64| match key.at(label).clone() {
            Cbor::Bytes(bytes) => bytes,
            _ => unreachable!(),
        };
        let (x, y) = (coordinate(-2), coordinate(-3));
        let mut off = y.clone();
        off[size - 1] ^= 1;
        for (id, line, label, value, why) in [
            (
                "compressed",
                "K1",
                -3,
                Cbor::Bool(y[size - 1] & 1 == 1),
                "compressed points are not allowed",
            ),
            (
                "off-curve",
                "K3",
                -3,
                Cbor::Bytes(off),
                "the point is not on the curve",
            ),
            (
                "x-is-p",
                "K3",
                -2,
                Cbor::Bytes(prime.clone()),
                "a coordinate is below the field's prime",
            ),
            (
                "x-short",
                "K3",
                -2,
                Cbor::Bytes(x[1..].to_vec()),
                "a coordinate has the field's size",
            ),
            (
                "y-short",
                "K3",
                -3,
                Cbor::Bytes(y[1..].to_vec()),
                "a coordinate has the field's size",
            ),
            (
                "x-long",
                "K3",
                -2,
                Cbor::Bytes([&[0][..], &x].concat()),
                "a coordinate has the field's size",
            ),
            (
                "y-long",
                "K3",
                -3,
                Cbor::Bytes([&[0][..], &y].concat()),
                "a coordinate has the field's size",
            ),
            (
                "x-empty",
                "K3",
                -2,
                Cbor::Bytes(Vec::new()),
                "a coordinate has the field's size",
            ),
            (
                "y-is-x",
                "K3",
                -3,
                Cbor::Bytes(x.clone()),
                "the point is not on the curve",
            ),
        ] {
            topic.spoil(&twin, &format!("key-{name}-{id}"), line, INVALID, why, |r| {
                r.draft.public_key.set(label, value)
            });
        }
        topic.spoil(
            &twin,
            &format!("key-{name}-zero"),
            "K3",
            INVALID,
            "the origin is not on the curve, nor does it stand for infinity",
            |r| {
                r.draft.public_key.set(-2, Cbor::Bytes(vec![0; size]));
                r.draft.public_key.set(-3, Cbor::Bytes(vec![0; size]));
            },
        );
        for (other, crv) in [
            ("p256", 1),
            ("p384", 2),
            ("p521", 3),
            ("x25519", 4),
            ("secp256k1", 8),
            ("none", 0),
        ] {
            if key.at(-1) == &Cbor::Int(crv) {
                continue;
            }
            topic.spoil(
                &twin,
                &format!("key-{name}-crv-{other}"),
                "K1",
                INVALID,
                "the algorithm has its curve, and no other",
                |r| r.draft.public_key.set(-1, crv.into()),
            );
        }
    }
    // Whole keys of another curve.
    for (id, algorithm, other) in [
        ("es256-with-p384-key", -7, -35),
        ("es384-with-p256-key", -35, -7),
        ("es512-with-p384-key", -36, -35),
        ("es256-with-secp256k1-key", -7, -47),
        ("es256k-with-p256-key", -47, -7),
        ("esp256-with-p384-key", -9, -35),
        ("esp384-with-p521-key", -51, -36),
        ("esp512-with-p256-key", -52, -7),
    ] {
        let twin = Twin {
            id: format!("key-{}-ok", id.split('-').next().unwrap()),
            ceremony: Registration::new(algorithm),
        };
        topic.spoil(
            &twin,
            &format!("key-{id}"),
            "K1",
            INVALID,
            "the algorithm has its curve, and no other",
            |r| {
                r.draft.public_key = SigningKey::new(other, b"other")
                    .unwrap()
                    .renamed(algorithm)
                    .cose();
            },
        );
    }
}

fn edwards(topic: &mut Topic) {
    let small_order = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    for (name, algorithm) in [("eddsa", -8), ("ed25519", -19)] {
        let twin = twin(topic, name, algorithm);
        for (id, line, x, why) in [
            ("short", "K3", vec![7; 31], "a key has 32 bytes"),
            ("long", "K3", vec![7; 33], "a key has 32 bytes"),
            ("empty", "K3", Vec::new(), "a key has 32 bytes"),
            (
                "no-point",
                "K3",
                [vec![2], vec![0; 31]].concat(),
                "no point has this y",
            ),
            (
                "identity",
                "K3",
                [vec![1], vec![0; 31]].concat(),
                "the identity: every message has a signature that verifies",
            ),
            (
                "order-2",
                "K3",
                hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
                "a point of small order signs for everybody",
            ),
            (
                "order-8",
                "K3",
                hex(small_order),
                "a point of small order signs for everybody",
            ),
            (
                "not-canonical",
                "K3",
                [vec![0xee], vec![0xff; 30], vec![0x7f]].concat(),
                "y is not below the field's prime",
            ),
        ] {
            topic.spoil(&twin, &format!("key-{name}-{id}"), line, INVALID, why, |r| {
                r.draft.public_key.set(-2, Cbor::Bytes(x))
            });
        }
        for (other, crv) in [("x25519", 4), ("x448", 5), ("ed448", 7), ("p256", 1)] {
            topic.spoil(
                &twin,
                &format!("key-{name}-crv-{other}"),
                "K2",
                INVALID,
                "the algorithm is Ed25519's alone",
                |r| r.draft.public_key.set(-1, crv.into()),
            );
        }
        topic.spoil(
            &twin,
            &format!("key-{name}-with-ed448-key"),
            "K2",
            INVALID,
            "the algorithm is Ed25519's alone; Ed448 is -53",
            |r| {
                r.draft.public_key = SigningKey::new(-53, b"other").unwrap().renamed(algorithm).cose();
            },
        );
        topic.spoil(
            &twin,
            &format!("key-{name}-extra-y"),
            "S3",
            MALFORMED,
            "an octet key pair has no y",
            |r| {
                r.draft.public_key.set(-3, Cbor::Bytes(vec![1; 32]));
            },
        );
        topic.spoil(
            &twin,
            &format!("key-{name}-private"),
            "S3",
            MALFORMED,
            "a public key has no private part",
            |r| {
                r.draft.public_key.set(-4, Cbor::Bytes(vec![1; 32]));
            },
        );
    }
    let twin = twin(topic, "ed448", -53);
    for (id, x, why) in [
        ("short", vec![7; 56], "a key has 57 bytes"),
        ("long", vec![7; 58], "a key has 57 bytes"),
        (
            "identity",
            [vec![1], vec![0; 56]].concat(),
            "the identity: every message has a signature that verifies",
        ),
        (
            "order-2",
            [vec![0xfe], vec![0xff; 27], vec![0xfe], vec![0xff; 27], vec![0]].concat(),
            "a point of small order signs for everybody",
        ),
        (
            "order-4",
            vec![0; 57],
            "a point of small order signs for everybody",
        ),
        (
            "not-canonical",
            [vec![0xff; 28], vec![0xff; 28], vec![0]].concat(),
            "y is not below the field's prime",
        ),
        (
            "last-byte",
            [vec![1; 56], vec![0x01]].concat(),
            "of the last byte only the sign bit is used",
        ),
    ] {
        topic.spoil(&twin, &format!("key-ed448-{id}"), "K3", INVALID, why, |r| {
            r.draft.public_key.set(-2, Cbor::Bytes(x))
        });
    }
    for (other, crv) in [("x448", 5), ("ed25519", 6)] {
        topic.spoil(
            &twin,
            &format!("key-ed448-crv-{other}"),
            "K2",
            INVALID,
            "the algorithm is Ed448's alone",
            |r| r.draft.public_key.set(-1, crv.into()),
        );
    }
}

fn rsa(topic: &mut Topic) {
    let spoiled = |bits: u16| SigningKey::rsa(-257, bits).unwrap().cose();
    let Cbor::Bytes(n) = spoiled(2048).at(-1).clone() else {
        unreachable!()
    };
    let with = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut n = n.clone();
        edit(&mut n);
        Cbor::Bytes(n)
    };
    let twin_of = twin;
    let twin = twin_of(topic, "rs256", -257);
    for bits in [3072, 8192] {
        topic.vary(
            &twin,
            &format!("key-rs256-{bits}-bits"),
            "K5",
            "moduli of 2048 to 8192 bits",
            |r| r.draft.public_key = spoiled(bits),
        );
    }
    topic.vary(
        &twin,
        "key-rs256-exponent-3",
        "K5",
        "odd exponents above 1",
        |r| r.draft.public_key.set(-2, Cbor::Bytes(vec![3])),
    );
    topic.spoil(
        &twin,
        "key-rs256-1024-bits",
        "K5",
        INVALID,
        "too short to trust",
        |r| r.draft.public_key = spoiled(1024),
    );
    for (id, label, value, why) in [
        ("2047-bits", -1, with(&|n| n[0] &= 0x7f), "fewer than 2048 bits"),
        (
            "8193-bits",
            -1,
            Cbor::Bytes([vec![1], vec![0; 1023], vec![1]].concat()),
            "more than 8192 bits",
        ),
        (
            "even",
            -1,
            with(&|n| n[255] &= 0xfe),
            "an even modulus is no product of two odd primes",
        ),
        (
            "leading-zero",
            -1,
            with(&|n| n.insert(0, 0)),
            "RFC 8230 wants the fewest bytes",
        ),
        ("empty-modulus", -1, Cbor::Bytes(Vec::new()), "no modulus"),
        (
            "exponent-0",
            -2,
            Cbor::Bytes(vec![0]),
            "every message would have the signature 1",
        ),
        (
            "exponent-1",
            -2,
            Cbor::Bytes(vec![1]),
            "the padded message would be its own signature",
        ),
        (
            "exponent-2",
            -2,
            Cbor::Bytes(vec![2]),
            "an even exponent has no inverse",
        ),
        (
            "exponent-65536",
            -2,
            Cbor::Bytes(vec![1, 0, 0]),
            "an even exponent has no inverse",
        ),
        (
            "exponent-leading-zero",
            -2,
            Cbor::Bytes(vec![0, 1, 0, 1]),
            "RFC 8230 wants the fewest bytes",
        ),
        ("exponent-empty", -2, Cbor::Bytes(Vec::new()), "no exponent"),
    ] {
        topic.spoil(&twin, &format!("key-rs256-{id}"), "K5", INVALID, why, |r| {
            r.draft.public_key.set(label, value)
        });
    }
    for (id, label, value, why) in [
        ("no-n", -1, None, "n is required"),
        ("no-e", -2, None, "e is required"),
        (
            "private",
            -3,
            Some(Cbor::Bytes(vec![1; 256])),
            "a public key has no private part",
        ),
        ("n-integer", -1, Some(Cbor::Int(65_537)), "n is a byte string"),
        ("e-integer", -2, Some(Cbor::Int(65_537)), "e is a byte string"),
    ] {
        topic.spoil(
            &twin,
            &format!("key-rs256-{id}"),
            "S3",
            MALFORMED,
            why,
            |r| match value {
                None => r.draft.public_key.remove(label),
                Some(value) => r.draft.public_key.set(label, value),
            },
        );
    }
    let twin = twin_of(topic, "ps256", -37);
    topic.spoil(
        &twin,
        "key-ps256-1024-bits",
        "K5",
        INVALID,
        "too short to trust",
        |r| {
            r.draft.public_key = SigningKey::rsa(-37, 1024).unwrap().cose();
        },
    );
    topic.spoil(
        &twin,
        "key-ps256-exponent-1",
        "K5",
        INVALID,
        "the padded message would be its own signature",
        |r| r.draft.public_key.set(-2, Cbor::Bytes(vec![1])),
    );
}

fn ml_dsa(topic: &mut Topic) {
    for (name, algorithm, other) in [
        ("ml-dsa-44", -48, -49),
        ("ml-dsa-65", -49, -50),
        ("ml-dsa-87", -50, -48),
    ] {
        let twin = twin(topic, name, algorithm);
        let mut key = twin.ceremony.draft.public_key.clone();
        let Cbor::Bytes(public) = key.at(-1).clone() else {
            unreachable!()
        };
        topic.spoil(
            &twin,
            &format!("key-{name}-short"),
            "K5",
            INVALID,
            "a key has its parameter set's size",
            |r| {
                r.draft.public_key.set(-1, Cbor::Bytes(public[1..].to_vec()));
            },
        );
        topic.spoil(
            &twin,
            &format!("key-{name}-long"),
            "K5",
            INVALID,
            "a key has its parameter set's size",
            |r| {
                r.draft
                    .public_key
                    .set(-1, Cbor::Bytes([&public[..], &[0]].concat()));
            },
        );
        topic.spoil(
            &twin,
            &format!("key-{name}-of-another-set"),
            "K5",
            INVALID,
            "a key has its parameter set's size",
            |r| {
                let mut other = SigningKey::new(other, b"other").unwrap().cose();
                other.set(3, algorithm.into());
                r.draft.public_key = other;
            },
        );
        topic.spoil(
            &twin,
            &format!("key-{name}-private"),
            "S3",
            MALFORMED,
            "a public key has no seed",
            |r| {
                r.draft.public_key.set(-2, Cbor::Bytes(vec![1; 32]));
            },
        );
    }
}

/// The stored key of an assertion.
fn stored(topic: &mut Topic) {
    let twin = topic.ok("stored-key-ok", "C21", "nothing is wrong", Assertion::new(-7));
    let invalid = ("public_key_invalid", "7.2.21");
    topic.spoil(
        &twin,
        "stored-key-garbage",
        "C21",
        invalid,
        "the stored bytes are no COSE_Key",
        |a| a.store_key(&Cbor::Bytes(vec![1, 2, 3])),
    );
    topic.spoil(
        &twin,
        "stored-key-off-curve",
        "K3",
        invalid,
        "the stored point is not on its curve",
        |a| {
            let mut key = a.draft.key.cose();
            key.set(-3, Cbor::Bytes(vec![1; 32]));
            a.store_key(&key);
        },
    );
    topic.spoil(
        &twin,
        "stored-key-wrong-curve",
        "K1",
        invalid,
        "the algorithm has its curve, and no other",
        |a| {
            let mut key = a.draft.key.cose();
            key.set(-1, 8.into());
            a.store_key(&key);
        },
    );
    topic.spoil(
        &twin,
        "stored-key-unsupported",
        "C21",
        ("unsupported_algorithm", "7.2.21"),
        "nobody verifies SHA-1 signatures of a credential",
        |a| {
            let key = a.draft.key.cose();
            let mut key = key;
            key.set(3, (-65535).into());
            a.store_key(&key);
        },
    );
    topic.spoil(
        &twin,
        "stored-key-rsa-1024",
        "K5",
        invalid,
        "too short to trust, though the signature is right",
        |a| {
            a.draft.key = SigningKey::rsa(-257, 1024).unwrap();
            a.store();
        },
    );
    topic.vary(
        &twin,
        "stored-key-rsa-8192",
        "K5",
        "moduli of 2048 to 8192 bits",
        |a| {
            a.draft.key = SigningKey::rsa(-257, 8192).unwrap();
            a.store();
        },
    );
    topic.vary(
        &twin,
        "stored-key-rsa-3072",
        "K5",
        "moduli of 2048 to 8192 bits",
        |a| {
            a.draft.key = SigningKey::rsa(-257, 3072).unwrap();
            a.store();
        },
    );
}
