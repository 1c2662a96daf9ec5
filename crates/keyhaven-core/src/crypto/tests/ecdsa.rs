use super::*;

/// A curve of this build, its order and its field's prime, an algorithm on it.
struct Case {
    curve: Curve,
    hash: Hash,
    algorithm: i64,
    order: Vec<u8>,
    prime: Vec<u8>,
}

/// SEC2 §2.4.1, 2.4.2, 2.5.1, 2.6.1.
fn cases() -> Vec<Case> {
    let case = |curve, hash, algorithm, order, prime| Case {
        curve,
        hash,
        algorithm,
        order: hex(order),
        prime: hex(prime),
    };
    let mut cases = vec![
        case(
            Curve::P256,
            Hash::Sha256,
            -7,
            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
            "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        ),
        case(
            Curve::P384,
            Hash::Sha384,
            -35,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        ),
        case(
            Curve::Secp256k1,
            Hash::Sha256,
            -47,
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
        ),
        case(
            Curve::P521,
            Hash::Sha512,
            -36,
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa\
             51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
            "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
             ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ),
    ];
    cases.retain(|case| Signer::new(case.algorithm, 1).is_some());
    cases
}

/// What both back ends say of it, which must be the same.
fn verify(key: &VerifyingKey, signature: &[u8]) -> bool {
    let answer = key.verify(MESSAGE, signature).is_ok();
    assert_eq!(key.verify_in_rust(MESSAGE, signature), answer);
    answer
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
    let body = if signature[1] == 0x81 {
        &signature[3..]
    } else {
        &signature[2..]
    };
    let r_len = usize::from(body[1]);
    (body[2..2 + r_len].to_vec(), body[4 + r_len..].to_vec())
}

/// a + b or a - b, big-endian, in as many bytes as `a` has.
fn combine(a: &[u8], b: &[u8], sign: i32) -> Vec<u8> {
    let mut result = a.to_vec();
    let mut carry = 0;
    for (at, byte) in result.iter_mut().rev().enumerate() {
        let other = b.iter().rev().nth(at).copied().unwrap_or(0);
        let sum = i32::from(*byte) + sign * i32::from(other) + carry;
        *byte = u8::try_from(sum.rem_euclid(256)).unwrap();
        carry = sum.div_euclid(256);
    }
    result
}

#[test]
fn ecdsa_numbers_outside_1_to_n_minus_1_are_refused() {
    for Case { algorithm, order, .. } in cases() {
        let signer = Signer::new(algorithm, 1).unwrap();
        let key = signer.key();
        let (r, s) = numbers(&signer.sign(MESSAGE));
        assert!(verify(&key, &ecdsa(&r, &s)), "{algorithm}");
        let zero = vec![0];
        let all_ones = vec![0xff; order.len()];
        let longer = vec![0x7f; order.len() + 1];
        let beyond = |number: &[u8]| combine(&[&[0], &order[..]].concat(), number, 1);
        for (r, s) in [
            (&zero, &zero),
            (&zero, &s),
            (&r, &zero),
            (&order, &s),
            (&r, &order),
            (&order, &order),
            (&all_ones, &s),
            (&r, &all_ones),
            (&longer, &s),
            (&r, &longer),
            (&beyond(&r), &s),
            (&r, &beyond(&s)),
        ] {
            assert!(!verify(&key, &ecdsa(r, s)), "{algorithm}: {r:?}, {s:?}");
        }
    }
}

#[test]
fn the_larger_s_of_the_two_is_accepted_too() {
    for Case { algorithm, order, .. } in cases() {
        let signer = Signer::new(algorithm, 1).unwrap();
        let (r, s) = numbers(&signer.sign(MESSAGE));
        let other = combine(&order, &s, -1);
        assert_ne!(other, s);
        assert!(verify(&signer.key(), &ecdsa(&r, &s)), "{algorithm}");
        assert!(verify(&signer.key(), &ecdsa(&r, &other)), "{algorithm}");
    }
}

#[test]
fn ecdsa_signatures_are_der_and_nothing_else() {
    for Case { algorithm, .. } in cases() {
        let signer = Signer::new(algorithm, 1).unwrap();
        let key = signer.key();
        let (r, s) = numbers(&signer.sign(MESSAGE));
        let (r, s) = (integer(&r), integer(&s));
        let body = [&r[..], &s].concat();
        let len = u8::try_from(body.len()).unwrap();
        assert!(verify(&key, &tlv(0x30, &body)));
        // An integer with one more leading zero than it needs.
        let padded = |integer: &[u8]| tlv(2, &[&[0], &integer[2..]].concat());
        // A negative integer: the zero that keeps it positive left out, or a set bit put in front.
        let negative = |integer: &[u8]| tlv(2, &[&[0xff], &integer[2..]].concat());
        let long_form = |integer: &[u8]| [&[2, 0x81][..], &integer[1..]].concat();
        let raw = [&r[2..], &s[2..]].concat();
        // One byte longer than the shortest form: 81 below 128, 82 from there.
        let long = match len {
            0..=0x7f => vec![0x30, 0x81, len],
            _ => vec![0x30, 0x82, 0, len],
        };
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
            (
                "r with a long-form length",
                tlv(0x30, &[&long_form(&r)[..], &s].concat()),
            ),
            (
                "s with a long-form length",
                tlv(0x30, &[&r[..], &long_form(&s)].concat()),
            ),
            ("r as an octet string", tlv(0x30, &[&[4], &r[1..], &s].concat())),
            ("only r", tlv(0x30, &r)),
            ("an empty integer", tlv(0x30, &[&r[..], &[2, 0]].concat())),
            ("a long-form length", [&long[..], &body].concat()),
            (
                "a longer long-form length",
                [&[0x30, 0x83, 0, 0, len][..], &body].concat(),
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
            assert!(!verify(&key, &signature), "{algorithm}: {what}");
        }
    }
}

#[test]
fn an_ec_key_is_a_point_on_its_curve() {
    for Case {
        curve,
        hash,
        algorithm,
        prime,
        ..
    } in cases()
    {
        let len = curve.coordinate_len();
        let import = |x: &[u8], y: &[u8]| refusal(Scheme::Ecdsa(curve, hash), KeyParts::Ec { curve, x, y });
        let signer = Signer::new(algorithm, 1).unwrap();
        let (x, y) = (signer.bytes(-2), signer.bytes(-3));
        assert_eq!((x.len(), y.len()), (len, len));
        assert_eq!(import(&x, &y), None);
        // -y is on it as well.
        assert_eq!(import(&x, &combine(&prime, &y, -1)), None);
        let (mut x_off, mut y_off) = (x.clone(), y.clone());
        x_off[len - 1] ^= 1;
        y_off[len - 1] ^= 1;
        for (x, y) in [
            (&x_off, &y),
            (&x, &y_off),
            (&y, &x),
            (&vec![0; len], &vec![0; len]),
            (&vec![0xff; len], &vec![0xff; len]),
            (&prime, &y),
            (&x, &prime),
        ] {
            assert_eq!(import(x, y), Some(KeyMaterialError::NotOnCurve), "{algorithm}");
        }
        for (received, x, y) in [
            (len - 1, &x[1..], &y[..]),
            (len - 1, &x, &y[1..]),
            (len + 1, &[&[0], &x[..]].concat(), &y),
            (len + 1, &x, &[&[0], &y[..]].concat()),
            (0, &[], &y),
        ] {
            let expected = KeyMaterialError::CoordinateLength {
                expected: len,
                received,
            };
            assert_eq!(import(x, y), Some(expected), "{algorithm}");
        }
    }
}

#[test]
fn a_coordinate_is_below_the_prime() {
    // Points whose x has a second form that fits the field's bytes: x + p.
    let small = |last: u8| {
        let mut x = vec![0; 32];
        x[31] = last;
        x
    };
    let sqrt_b = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
    let one = "4218f20ae6c646b363db68605822fb14264ca8d2587fdd6fbc750d587e76a7ee";
    for case in cases() {
        let (x, y) = match case.curve {
            // x = 0: y is the root of b.
            Curve::P256 => (small(0), hex(sqrt_b)),
            // x = 1: y is the root of 8.
            Curve::Secp256k1 => (small(1), hex(one)),
            // 528 bits hold p + x for every x.
            Curve::P521 => {
                let signer = Signer::new(-36, 1).unwrap();
                (signer.bytes(-2), signer.bytes(-3))
            }
            Curve::P384 => continue,
        };
        let curve = case.curve;
        let import =
            |x: &[u8], y: &[u8]| refusal(Scheme::Ecdsa(curve, case.hash), KeyParts::Ec { curve, x, y });
        assert_eq!(import(&x, &y), None, "{curve:?}");
        let again = combine(&case.prime, &x, 1);
        assert_eq!(
            import(&again, &y),
            Some(KeyMaterialError::NotOnCurve),
            "{curve:?}"
        );
    }
}

#[test]
fn a_hash_is_cut_to_the_order_or_used_whole() {
    // FIPS 186-5 §6.4.2: P-256 with SHA-512 takes the leftmost 256 bits, P-384 with SHA-256 all of them.
    use ::ecdsa::signature::hazmat::PrehashSigner as _;
    let p256 = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let point = p256.verifying_key().to_sec1_point(false);
    let (x, y) = (point.x().unwrap(), point.y().unwrap());
    let parts = KeyParts::Ec {
        curve: Curve::P256,
        x,
        y,
    };
    for hash in [Hash::Sha1, Hash::Sha384, Hash::Sha512] {
        let digest = hash.digest(&[MESSAGE]);
        let signature: p256::ecdsa::Signature = p256.sign_prehash(digest.as_ref()).unwrap();
        let key = VerifyingKey::judged(Scheme::Ecdsa(Curve::P256, hash), parts).unwrap();
        assert_eq!(key.verify(MESSAGE, signature.to_der().as_bytes()), Ok(()));
        let other = VerifyingKey::judged(Scheme::Ecdsa(Curve::P256, Hash::Sha256), parts).unwrap();
        assert_eq!(
            other.verify(MESSAGE, signature.to_der().as_bytes()),
            Err(InvalidSignature)
        );
    }
    let p384 = p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap();
    let point = p384.verifying_key().to_sec1_point(false);
    let (x, y) = (point.x().unwrap(), point.y().unwrap());
    let parts = KeyParts::Ec {
        curve: Curve::P384,
        x,
        y,
    };
    let signature: p384::ecdsa::Signature = p384.sign_prehash(&sha256(MESSAGE)).unwrap();
    let key = VerifyingKey::judged(Scheme::Ecdsa(Curve::P384, Hash::Sha256), parts).unwrap();
    assert_eq!(key.verify(MESSAGE, signature.to_der().as_bytes()), Ok(()));
}
