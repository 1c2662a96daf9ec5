//! Encodings of signatures, and signatures by the wrong scheme.

use num_bigint::BigUint;

use super::ceremony::{Assertion, Ceremony};
use super::{Topic, Twin};
use crate::authenticator::{SigningKey, tlv};

const LINE: &str = "K4";
const INVALID: (&str, &str) = ("signature_invalid", "7.2.21");

pub(super) fn cases(topic: &mut Topic) {
    covered(topic);
    ecdsa(topic);
    eddsa(topic);
    rsa(topic);
}

/// What a signature covers.
fn covered(topic: &mut Topic) {
    let twin = topic.ok("sig-covers-ok", "C21", "nothing is wrong", Assertion::new(-7));
    topic.spoil(
        &twin,
        "sig-covers-json",
        "C20",
        INVALID,
        "the hash is of the bytes received: white space added after signing changes it",
        |a| {
            let mut json = a.draft.client_data.to_json();
            json.insert(1, b' ');
            let json = crate::authenticator::base64url(&json);
            a.json(move |envelope| envelope["response"]["clientDataJSON"] = json.clone().into());
        },
    );
    for (id, at, why) in [
        ("count", 36, "the count is signed"),
        (
            "reserved-flag",
            32,
            "the flags are signed, reserved bits included",
        ),
    ] {
        let mut data = twin.ceremony.draft.authenticator_data();
        data[at] ^= 0x02;
        let data = crate::authenticator::base64url(&data);
        topic.spoil(&twin, &format!("sig-covers-{id}"), "C21", INVALID, why, |a| {
            a.json(move |envelope| envelope["response"]["authenticatorData"] = data.clone().into());
        });
    }
    topic.spoil(
        &twin,
        "sig-order",
        "C21",
        INVALID,
        "authData comes before the hash",
        |a| {
            let key = a.draft.key.clone();
            a.signature(move |_, signed| {
                let (data, hash) = signed.split_at(signed.len() - 32);
                key.sign(&[hash, data].concat())
            });
        },
    );
    topic.spoil(
        &twin,
        "sig-client-data-itself",
        "C20",
        INVALID,
        "the signature covers the hash, not the client data",
        |a| {
            let key = a.draft.key.clone();
            let json = a.draft.client_data.to_json();
            a.signature(move |_, signed| key.sign(&[&signed[..signed.len() - 32], &json].concat()));
        },
    );
}

fn ecdsa(topic: &mut Topic) {
    for (name, algorithm, order) in [
        (
            "es256",
            -7,
            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        ),
        (
            "es384",
            -35,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
        (
            "es512",
            -36,
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        ),
        (
            "es256k",
            -47,
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        ),
    ] {
        let n = BigUint::parse_bytes(order.as_bytes(), 16).unwrap();
        let twin = topic.ok(
            &format!("sig-{name}-ok"),
            LINE,
            "nothing is wrong",
            Assertion::new(algorithm),
        );
        let mut spoil = |id: &str, why: &str, build: Box<dyn Fn(BigUint, BigUint) -> Vec<u8>>| {
            topic.spoil(&twin, &format!("sig-{name}-{id}"), LINE, INVALID, why, move |a| {
                a.signature(move |signature, _| {
                    let (r, s) = parts(signature);
                    build(r, s)
                });
            });
        };
        let zero = BigUint::from(0_u8);
        let z = zero.clone();
        spoil("r-zero", "r is 1 to n - 1", Box::new(move |_, s| der(&z, &s)));
        let z = zero.clone();
        spoil("s-zero", "s is 1 to n - 1", Box::new(move |r, _| der(&r, &z)));
        let z = zero.clone();
        spoil(
            "both-zero",
            "0, 0 verifies where nobody checks the range",
            Box::new(move |_, _| der(&z, &z)),
        );
        let m = n.clone();
        spoil("r-is-n", "r is 1 to n - 1", Box::new(move |_, s| der(&m, &s)));
        let m = n.clone();
        spoil("s-is-n", "s is 1 to n - 1", Box::new(move |r, _| der(&r, &m)));
        let m = n.clone();
        spoil(
            "s-plus-n",
            "s + n is the same modulo n, and out of range",
            Box::new(move |r, s| der(&r, &(s + &m))),
        );
        let m = n.clone();
        spoil(
            "r-plus-n",
            "r + n is the same modulo n, and out of range",
            Box::new(move |r, s| der(&(r + &m), &s)),
        );
        let m = n.clone();
        spoil(
            "s-negative",
            "s - n is the same modulo n, and negative",
            Box::new(move |r, s| sequence(&[integer(&r), negative(&(&m - s))])),
        );
        spoil(
            "r-leading-zero",
            "DER integers take the fewest bytes",
            Box::new(|r, s| sequence(&[tlv(2, &[&[0][..], &content(&r)].concat()), integer(&s)])),
        );
        spoil(
            "s-leading-zero",
            "DER integers take the fewest bytes",
            Box::new(|r, s| sequence(&[integer(&r), tlv(2, &[&[0][..], &content(&s)].concat())])),
        );
        spoil(
            "r-empty",
            "a DER integer has a byte at least",
            Box::new(|_, s| sequence(&[tlv(2, &[]), integer(&s)])),
        );
        spoil(
            "long-form-length",
            "DER lengths take their shortest form",
            Box::new(|r, s| {
                let inner = [integer(&r), integer(&s)].concat();
                let len = inner.len().to_be_bytes();
                [&[0x30, 0x82, len[6], len[7]], &inner[..]].concat()
            }),
        );
        spoil(
            "indefinite-length",
            "DER has no indefinite lengths",
            Box::new(|r, s| [&[0x30, 0x80], &integer(&r)[..], &integer(&s), &[0, 0]].concat()),
        );
        spoil(
            "inner-long-form",
            "DER lengths take their shortest form",
            Box::new(|r, s| {
                let value = content(&r);
                sequence(&[
                    [&[2, 0x81, u8::try_from(value.len()).unwrap()], &value[..]].concat(),
                    integer(&s),
                ])
            }),
        );
        spoil(
            "trailing-inside",
            "a sequence of two integers, and nothing else",
            Box::new(|r, s| sequence(&[integer(&r), integer(&s), vec![5, 0]])),
        );
        spoil(
            "three-integers",
            "a sequence of two integers, and nothing else",
            Box::new(|r, s| sequence(&[integer(&r), integer(&s), integer(&r)])),
        );
        spoil(
            "one-integer",
            "a sequence of two integers",
            Box::new(|r, _| sequence(&[integer(&r)])),
        );
        spoil(
            "set",
            "a sequence, not a set",
            Box::new(|r, s| tlv(0x31, &[integer(&r), integer(&s)].concat())),
        );
        spoil(
            "octet-strings",
            "integers, not octet strings",
            Box::new(|r, s| sequence(&[tlv(4, &content(&r)), tlv(4, &content(&s))])),
        );
        spoil("swapped", "r comes first", Box::new(|r, s| der(&s, &r)));
        let size = n.to_bytes_be().len();
        spoil(
            "raw",
            "WebAuthn's ECDSA signatures are DER, not r and s side by side",
            Box::new(move |r, s| {
                let fixed = |number: &BigUint| {
                    let bytes = number.to_bytes_be();
                    [vec![0; size - bytes.len()], bytes].concat()
                };
                [fixed(&r), fixed(&s)].concat()
            }),
        );
        let m = n.clone();
        topic.vary(
            &twin,
            &format!("sig-{name}-other-s"),
            LINE,
            "n - s verifies too: WebAuthn asks for no low s",
            |a| {
                a.signature(move |signature, _| {
                    let (r, s) = parts(signature);
                    der(&r, &(&m - s))
                });
            },
        );
        let (other, other_name) = if algorithm == -35 {
            (-7, "SHA-256")
        } else {
            (-35, "SHA-384")
        };
        topic.spoil(
            &twin,
            &format!("sig-{name}-other-hash"),
            "C21",
            INVALID,
            &format!("the algorithm's hash is not {other_name}"),
            |a| {
                let key = a.draft.key.clone();
                let hash = SigningKey::new(other, b"").unwrap();
                a.signature(move |_, signed| key.sign_digest(&hash.digest(signed)));
            },
        );
    }
}

fn eddsa(topic: &mut Topic) {
    let order = BigUint::from_bytes_le(&[
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ]);
    let order_448 = BigUint::parse_bytes(
        b"3fffffffffffffffffffffffffffffffffffffffffffffffffffffff7cca23e9c44edb49aed63690216cc2728dc58f552378c292ab5844f3",
        16,
    )
    .unwrap();
    for (name, algorithm, half, order) in [
        ("eddsa", -8, 32, order.clone()),
        ("ed25519", -19, 32, order),
        ("ed448", -53, 57, order_448),
    ] {
        let twin = topic.ok(
            &format!("sig-{name}-ok"),
            LINE,
            "nothing is wrong",
            Assertion::new(algorithm),
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-s-plus-order"),
            LINE,
            INVALID,
            "s + L is the same modulo L, and out of range",
            |a| {
                a.signature(move |signature, _| {
                    let s = BigUint::from_bytes_le(&signature[half..]) + &order;
                    let mut s = s.to_bytes_le();
                    s.resize(half, 0);
                    [&signature[..half], &s].concat()
                });
            },
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-zero"),
            LINE,
            INVALID,
            "neither R nor s is right",
            |a| a.signature(|signature, _| vec![0; signature.len()]),
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-identity"),
            LINE,
            INVALID,
            "R the identity and s zero: right only for a key of small order",
            |a| {
                a.signature(move |signature, _| {
                    let mut forged = vec![0; signature.len()];
                    forged[0] = 1;
                    forged
                });
            },
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-hashed"),
            "C21",
            INVALID,
            "the message is signed itself, not its hash",
            |a| {
                let key = a.draft.key.clone();
                a.signature(move |_, signed| key.sign(&crate::authenticator::sha256(signed)));
            },
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-der"),
            LINE,
            INVALID,
            "EdDSA signatures are raw, not DER",
            |a| {
                a.signature(move |signature, _| {
                    sequence(&[tlv(4, &signature[..half]), tlv(4, &signature[half..])])
                });
            },
        );
    }
}

fn rsa(topic: &mut Topic) {
    for (name, algorithm, other, other_scheme) in [
        ("rs256", -257, -258, -37),
        ("rs384", -258, -259, -38),
        ("rs512", -259, -257, -39),
        ("ps256", -37, -38, -257),
        ("ps384", -38, -39, -258),
        ("ps512", -39, -37, -259),
    ] {
        let twin: Twin<Assertion> = topic.ok(
            &format!("sig-{name}-ok"),
            LINE,
            "nothing is wrong",
            Assertion::new(algorithm),
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-other-hash"),
            "C21",
            INVALID,
            "the algorithm has its hash function",
            |a| a.draft.key = a.draft.key.renamed(other),
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-other-padding"),
            "C21",
            INVALID,
            "the algorithm has its padding",
            |a| a.draft.key = a.draft.key.renamed(other_scheme),
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-leading-zero"),
            LINE,
            INVALID,
            "a signature has exactly as many bytes as the modulus",
            |a| {
                a.signature(|signature, _| [&[0], signature].concat());
            },
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-plus-n"),
            LINE,
            INVALID,
            "a signature is below the modulus",
            |a| {
                let mut key = a.draft.key.cose();
                let crate::authenticator::Cbor::Bytes(n) = key.at(-1).clone() else {
                    unreachable!()
                };
                // 257 bytes where the sum does not fit 256, which is wrong by its length too.
                a.signature(move |signature, _| {
                    (BigUint::from_bytes_be(signature) + BigUint::from_bytes_be(&n)).to_bytes_be()
                });
            },
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-zero"),
            LINE,
            INVALID,
            "0 is no signature",
            |a| a.signature(|signature, _| vec![0; signature.len()]),
        );
        topic.spoil(
            &twin,
            &format!("sig-{name}-one"),
            LINE,
            INVALID,
            "1 is its own power, and no padded message",
            |a| {
                a.signature(|signature, _| [vec![0; signature.len() - 1], vec![1]].concat());
            },
        );
        if algorithm < -200 {
            continue;
        }
        for salt in [0, 20] {
            topic.spoil(
                &twin,
                &format!("sig-{name}-salt-{salt}"),
                LINE,
                INVALID,
                "RFC 8230: the salt is as long as the hash",
                |a| {
                    let key = a.draft.key.clone();
                    a.signature(move |_, signed| key.sign_pss(signed, salt));
                },
            );
        }
    }
    let twin = topic.ok(
        "sig-rs256-sha1-ok",
        "K4",
        "nothing is wrong",
        Assertion::new(-257),
    );
    topic.spoil(
        &twin,
        "sig-rs256-sha1",
        "C21",
        INVALID,
        "RS256 does not hash by SHA-1",
        |a| a.draft.key = a.draft.key.renamed(-65535),
    );
}

fn der(r: &BigUint, s: &BigUint) -> Vec<u8> {
    sequence(&[integer(r), integer(s)])
}

fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &elements.concat())
}

fn integer(number: &BigUint) -> Vec<u8> {
    tlv(0x02, &content(number))
}

/// The bytes of a DER integer that is not negative.
fn content(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    if bytes[0] & 0x80 == 0 {
        bytes
    } else {
        [&[0][..], &bytes].concat()
    }
}

/// The DER integer `-number`.
fn negative(number: &BigUint) -> Vec<u8> {
    let len = number.to_bytes_be().len() + 1;
    let two_to_the_len = BigUint::from(1_u8) << (8 * len);
    let mut bytes = (two_to_the_len - number).to_bytes_be();
    while bytes.len() > 1 && bytes[0] == 0xff && bytes[1] & 0x80 != 0 {
        bytes.remove(0);
    }
    tlv(0x02, &bytes)
}

/// r and s of a signature in DER.
fn parts(signature: &[u8]) -> (BigUint, BigUint) {
    let start = if signature[1] == 0x81 { 3 } else { 2 };
    let inner = &signature[start..];
    let r_len = usize::from(inner[1]);
    let s = &inner[2 + r_len..];
    (
        BigUint::from_bytes_be(&inner[2..2 + r_len]),
        BigUint::from_bytes_be(&s[2..]),
    )
}
