use keyhaven_testkit::authenticator::{SigningKey, tlv};

use super::*;

const MESSAGE: &[u8] = b"authData || hash";

/// The orders of P-256 and P-384.
const N256: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const N384: &str =
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn new(scheme: Scheme, parts: KeyParts<'_>) -> Result<VerifyingKey, KeyMaterialError> {
    VerifyingKey::new(scheme, parts).map_err(|error| match error {
        ImportError::Material(error) => error,
        ImportError::Mismatch => panic!("parts of another kind"),
    })
}

fn es256(x: &[u8], y: &[u8]) -> Result<VerifyingKey, KeyMaterialError> {
    let curve = Curve::P256;
    new(Scheme::Ecdsa(curve, Hash::Sha256), KeyParts::Ec { curve, x, y })
}

fn es384(x: &[u8], y: &[u8]) -> Result<VerifyingKey, KeyMaterialError> {
    let curve = Curve::P384;
    new(Scheme::Ecdsa(curve, Hash::Sha384), KeyParts::Ec { curve, x, y })
}

fn ed25519(x: &[u8]) -> Result<VerifyingKey, KeyMaterialError> {
    new(Scheme::Ed25519, KeyParts::Ed25519(x))
}

fn rs256(n: &[u8], e: &[u8]) -> Result<VerifyingKey, KeyMaterialError> {
    new(Scheme::RsaPkcs1(Hash::Sha256), KeyParts::Rsa { n, e })
}

/// The imported key of the software authenticator.
fn key(signer: &SigningKey) -> VerifyingKey {
    crate::PublicKey::from_cose(&signer.cose().encode()).unwrap().key
}

/// A DER INTEGER in its shortest form.
fn integer(value: &[u8]) -> Vec<u8> {
    let start = value
        .iter()
        .position(|&byte| byte != 0)
        .unwrap_or(value.len() - 1);
    let value = &value[start..];
    if value[0] & 0x80 == 0 {
        tlv(2, value)
    } else {
        tlv(2, &[&[0], value].concat())
    }
}

fn ecdsa(r: &[u8], s: &[u8]) -> Vec<u8> {
    tlv(0x30, &[integer(r), integer(s)].concat())
}

/// r and s of a DER signature.
fn numbers(signature: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let r_len = usize::from(signature[3]);
    (signature[4..4 + r_len].to_vec(), signature[6 + r_len..].to_vec())
}

#[test]
fn each_algorithm_verifies_its_own_signatures_only() {
    for algorithm in [-7, -8, -35, -257] {
        let signer = SigningKey::new(algorithm, b"a").unwrap();
        let signature = signer.sign(MESSAGE);
        assert_eq!(key(&signer).verify(MESSAGE, &signature), Ok(()), "{algorithm}");
        assert_eq!(
            key(&signer).verify(b"another message", &signature),
            Err(InvalidSignature),
            "{algorithm}"
        );
        for end in [0, 1, signature.len() / 2, signature.len() - 1] {
            assert_eq!(
                key(&signer).verify(MESSAGE, &signature[..end]),
                Err(InvalidSignature),
                "{algorithm}"
            );
        }
        for other in [-7, -8, -35, -257] {
            let another = SigningKey::new(other, b"b").unwrap();
            if other != -257 {
                assert_eq!(
                    key(&another).verify(MESSAGE, &signature),
                    Err(InvalidSignature),
                    "{algorithm} {other}"
                );
            }
        }
    }
}

#[test]
fn every_changed_bit_of_a_signature_is_refused() {
    for algorithm in [-7, -8] {
        let signer = SigningKey::new(algorithm, b"a").unwrap();
        let (key, signature) = (key(&signer), signer.sign(MESSAGE));
        for bit in 0..signature.len() * 8 {
            let mut changed = signature.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                key.verify(MESSAGE, &changed),
                Err(InvalidSignature),
                "{algorithm}, bit {bit}"
            );
        }
    }
}

#[test]
fn ecdsa_numbers_outside_1_to_n_minus_1_are_refused() {
    for (algorithm, order) in [(-7, hex(N256)), (-35, hex(N384))] {
        let signer = SigningKey::new(algorithm, b"a").unwrap();
        let key = key(&signer);
        let (r, s) = numbers(&signer.sign(MESSAGE));
        assert_eq!(key.verify(MESSAGE, &ecdsa(&r, &s)), Ok(()), "{algorithm}");
        let zero = vec![0];
        let all_ones = vec![0xff; order.len()];
        for (r, s) in [
            (&zero, &zero),
            (&zero, &s),
            (&r, &zero),
            (&order, &s),
            (&r, &order),
            (&order, &order),
            (&all_ones, &s),
            (&r, &all_ones),
        ] {
            assert_eq!(
                key.verify(MESSAGE, &ecdsa(r, s)),
                Err(InvalidSignature),
                "{algorithm}: {r:?}, {s:?}"
            );
        }
    }
}

#[test]
fn ecdsa_signatures_are_der_and_nothing_else() {
    for algorithm in [-7, -35] {
        let signer = SigningKey::new(algorithm, b"a").unwrap();
        let key = key(&signer);
        let (r, s) = numbers(&signer.sign(MESSAGE));
        let (r, s) = (integer(&r), integer(&s));
        let body = [&r[..], &s].concat();
        let len = u8::try_from(body.len()).unwrap();
        assert_eq!(key.verify(MESSAGE, &tlv(0x30, &body)), Ok(()));
        // An integer with one more leading zero than it needs.
        let padded = |integer: &[u8]| tlv(2, &[&[0], &integer[2..]].concat());
        // A negative integer: the zero that keeps it positive left out, or a set bit put in front.
        let negative = |integer: &[u8]| tlv(2, &[&[0xff], &integer[2..]].concat());
        let raw = [&r[2..], &s[2..]].concat();
        for (what, signature) in [
            (
                "a byte after the sequence",
                [&tlv(0x30, &body)[..], &[0]].concat(),
            ),
            (
                "a byte inside the sequence",
                tlv(0x30, &[&body[..], &[0]].concat()),
            ),
            ("a third integer", tlv(0x30, &[&body[..], &[2, 1, 1]].concat())),
            ("r padded", tlv(0x30, &[&padded(&r)[..], &s].concat())),
            ("s padded", tlv(0x30, &[&r[..], &padded(&s)].concat())),
            ("r negative", tlv(0x30, &[&negative(&r)[..], &s].concat())),
            ("s negative", tlv(0x30, &[&r[..], &negative(&s)].concat())),
            ("only r", tlv(0x30, &r)),
            ("an empty integer", tlv(0x30, &[&r[..], &[2, 0]].concat())),
            ("a long-form length", [&[0x30, 0x81, len][..], &body].concat()),
            (
                "a longer long-form length",
                [&[0x30, 0x82, 0, len][..], &body].concat(),
            ),
            (
                "an indefinite length",
                [&[0x30, 0x80][..], &body, &[0, 0]].concat(),
            ),
            ("a set", tlv(0x31, &body)),
            ("no sequence", body.clone()),
            ("raw r || s", raw),
            ("nothing", Vec::new()),
        ] {
            assert_eq!(
                key.verify(MESSAGE, &signature),
                Err(InvalidSignature),
                "{algorithm}: {what}"
            );
        }
    }
}

#[test]
fn an_ec_key_is_a_point_on_its_curve() {
    let p256 = SigningKey::new(-7, b"a").unwrap().public_bytes();
    let (x, y) = p256[1..].split_at(32);
    assert!(es256(x, y).is_ok());
    let mut off_curve = y.to_vec();
    off_curve[31] ^= 1;
    assert_eq!(es256(x, &off_curve).err(), Some(KeyMaterialError::NotOnCurve));
    assert_eq!(
        es256(&[0; 32], &[0; 32]).err(),
        Some(KeyMaterialError::NotOnCurve)
    );
    // x = p, which is no field element; y = sqrt(b) fits x = 0.
    let p = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    let sqrt_b = hex("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4");
    assert!(es256(&[0; 32], &sqrt_b).is_ok());
    assert_eq!(es256(&p, &sqrt_b).err(), Some(KeyMaterialError::NotOnCurve));
    for (x, y) in [(&x[1..], y), (x, &y[1..]), (&[&[0], x].concat()[..], y), (&[], y)] {
        let error = es256(x, y).err();
        assert!(
            matches!(
                error,
                Some(KeyMaterialError::CoordinateLength { expected: 32, .. })
            ),
            "{error:?}"
        );
    }

    let p384 = SigningKey::new(-35, b"a").unwrap().public_bytes();
    let (x, y) = p384[1..].split_at(48);
    assert!(es384(x, y).is_ok());
    let mut off_curve = x.to_vec();
    off_curve[47] ^= 1;
    assert_eq!(es384(&off_curve, y).err(), Some(KeyMaterialError::NotOnCurve));
    assert_eq!(
        es384(&[0; 48], &[0; 48]).err(),
        Some(KeyMaterialError::NotOnCurve)
    );
    let error = es384(&x[1..], y).err();
    assert_eq!(
        error,
        Some(KeyMaterialError::CoordinateLength {
            expected: 48,
            received: 47
        })
    );
}

#[test]
fn an_rsa_key_has_2048_to_8192_bits_and_an_odd_exponent() {
    let modulus = |len: usize, first: u8, last: u8| {
        let mut n = vec![0xaa; len];
        n[0] = first;
        n[len - 1] = last;
        n
    };
    let e = &[1, 0, 1][..];
    let import = |n: &[u8], e: &[u8]| rs256(n, e).err();
    assert_eq!(import(&modulus(256, 0x80, 1), e), None);
    assert_eq!(import(&modulus(257, 0x01, 1), e), None);
    assert_eq!(import(&modulus(1024, 0xff, 1), e), None);
    let refused = Some(KeyMaterialError::RsaModulus);
    assert_eq!(import(&modulus(256, 0x7f, 1), e), refused);
    assert_eq!(import(&modulus(255, 0xff, 1), e), refused);
    assert_eq!(import(&modulus(128, 0xff, 1), e), refused);
    assert_eq!(import(&modulus(1025, 0x01, 1), e), refused);
    assert_eq!(import(&modulus(256, 0x80, 2), e), refused);
    assert_eq!(import(&[], e), refused);
    assert_eq!(
        import(&modulus(257, 0, 1), e),
        Some(KeyMaterialError::LeadingZero)
    );
    let n = modulus(256, 0x80, 1);
    for good in [&[3][..], &[17], &[1, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert_eq!(import(&n, good), None, "{good:?}");
    }
    for bad in [
        &[][..],
        &[1],
        &[2],
        &[1, 0, 0],
        &[2, 0, 0, 0, 1],
        &[1, 0, 0, 0, 0, 1],
    ] {
        assert_eq!(import(&n, bad), Some(KeyMaterialError::RsaExponent), "{bad:?}");
    }
    for padded in [&[0][..], &[0, 1, 0, 1]] {
        assert_eq!(
            import(&n, padded),
            Some(KeyMaterialError::LeadingZero),
            "{padded:?}"
        );
    }
}

#[test]
fn an_rsa_signature_has_the_length_of_its_modulus() {
    let signer = SigningKey::new(-257, b"").unwrap();
    let (key, signature) = (key(&signer), signer.sign(MESSAGE));
    assert_eq!(key.verify(MESSAGE, &signature), Ok(()));
    assert_eq!(
        key.verify(MESSAGE, &[&[0][..], &signature].concat()),
        Err(InvalidSignature)
    );
    assert_eq!(
        key.verify(MESSAGE, &[&signature[..], &[0]].concat()),
        Err(InvalidSignature)
    );
    assert_eq!(key.verify(MESSAGE, &[0; 256]), Err(InvalidSignature));
    let mut one = [0; 256];
    one[255] = 1;
    assert_eq!(key.verify(MESSAGE, &one), Err(InvalidSignature));
}

#[test]
fn an_ed25519_key_of_small_order_is_refused() {
    // The canonical encodings of the eight points of small order (RFC 7748 §7, Chalkias et al. 2020).
    for (point, error) in [
        (
            "0100000000000000000000000000000000000000000000000000000000000000",
            KeyMaterialError::SmallOrder,
        ),
        (
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            KeyMaterialError::SmallOrder,
        ),
        (
            "0000000000000000000000000000000000000000000000000000000000000000",
            KeyMaterialError::SmallOrder,
        ),
        (
            "0000000000000000000000000000000000000000000000000000000000000080",
            KeyMaterialError::SmallOrder,
        ),
        (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            KeyMaterialError::SmallOrder,
        ),
        (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            KeyMaterialError::SmallOrder,
        ),
        (
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            KeyMaterialError::SmallOrder,
        ),
        (
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            KeyMaterialError::SmallOrder,
        ),
        // y = p, p + 1 and 2^255 - 1: second encodings of field elements.
        (
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            KeyMaterialError::NotOnCurve,
        ),
        (
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            KeyMaterialError::NotOnCurve,
        ),
        (
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            KeyMaterialError::NotOnCurve,
        ),
        // y = 2: x^2 has no root.
        (
            "0200000000000000000000000000000000000000000000000000000000000000",
            KeyMaterialError::NotOnCurve,
        ),
    ] {
        assert_eq!(ed25519(&hex(point)).err(), Some(error), "{point}");
    }
    let error = ed25519(&[1; 31]).err();
    assert_eq!(
        error,
        Some(KeyMaterialError::CoordinateLength {
            expected: 32,
            received: 31
        })
    );
}

#[test]
fn an_ed25519_signature_has_one_form() {
    let signer = SigningKey::new(-8, b"a").unwrap();
    let (key, signature) = (key(&signer), signer.sign(MESSAGE));
    assert_eq!(key.verify(MESSAGE, &signature), Ok(()));
    // S + L, which signs the same where S is not held below the group order.
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut malleated = signature.clone();
    let mut carry = 0;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        let [high, low] = (u16::from(*byte) + u16::from(add) + carry).to_be_bytes();
        (carry, *byte) = (u16::from(high), low);
    }
    assert_ne!(malleated, signature);
    assert_eq!(key.verify(MESSAGE, &malleated), Err(InvalidSignature));
    assert_eq!(key.verify(MESSAGE, &[0; 64]), Err(InvalidSignature));
    assert_eq!(
        key.verify(MESSAGE, &[&signature[..], &[0]].concat()),
        Err(InvalidSignature)
    );
}
