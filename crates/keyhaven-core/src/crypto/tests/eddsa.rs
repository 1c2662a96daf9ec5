use super::*;

fn ed25519(x: &[u8]) -> Option<KeyMaterialError> {
    refusal(Scheme::Ed25519, KeyParts::Ed25519(x))
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
        assert_eq!(ed25519(&hex(point)), Some(error), "{point}");
    }
    for received in [31, 33] {
        let expected = Some(KeyMaterialError::CoordinateLength {
            expected: 32,
            received,
        });
        assert_eq!(ed25519(&vec![1; received]), expected);
    }
}

/// The number in `bytes`, little-endian, with `order` added.
fn plus_order(bytes: &mut [u8], order: &[u8]) {
    let mut carry = 0;
    let order = order.iter().chain(std::iter::repeat(&0));
    for (byte, add) in bytes.iter_mut().zip(order) {
        let [high, low] = (u16::from(*byte) + u16::from(*add) + carry).to_be_bytes();
        (carry, *byte) = (u16::from(high), low);
    }
}

#[test]
fn an_ed25519_signature_has_one_form() {
    let signer = Signer::new(-8, 1).unwrap();
    let (key, signature) = (signer.key(), signer.sign(MESSAGE));
    assert_eq!(key.verify(MESSAGE, &signature), Ok(()));
    // S + L, which signs the same where S is not held below the group order.
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut malleated = signature.clone();
    plus_order(&mut malleated[32..], &order);
    assert_ne!(malleated, signature);
    assert_eq!(key.verify(MESSAGE, &malleated), Err(InvalidSignature));
    assert_eq!(key.verify(MESSAGE, &[0; 64]), Err(InvalidSignature));
}

#[cfg(feature = "ed448")]
mod ed448 {
    use ed448_goldilocks_plus::{CompressedEdwardsY, EdwardsPoint, Scalar};

    use super::*;

    /// 2^448 - 2^224 - 1, little-endian.
    fn prime() -> Vec<u8> {
        let mut prime = vec![0xff; 56];
        prime[28] = 0xfe;
        prime
    }

    fn ed448(x: &[u8]) -> Option<KeyMaterialError> {
        refusal(Scheme::Ed448, KeyParts::Ed448(x))
    }

    fn y(low: &[u8], sign: u8) -> Vec<u8> {
        let mut bytes = low.to_vec();
        bytes.resize(56, 0);
        bytes.push(sign);
        bytes
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let mut minus_one = prime();
        minus_one[0] -= 1;
        // y = 1; y = 0 with either x; y = -1.
        for key in [y(&[1], 0), y(&[0], 0), y(&[0], 0x80), y(&minus_one, 0)] {
            assert_eq!(ed448(&key), Some(KeyMaterialError::SmallOrder), "{key:?}");
        }
        // The sign of x = 0, and y = p, p + 1, which are 0 and 1 again.
        let mut one = prime();
        plus_order(&mut one, &[1]);
        for key in [y(&[1], 0x80), y(&minus_one, 0x80), y(&prime(), 0), y(&one, 0)] {
            assert_eq!(ed448(&key), Some(KeyMaterialError::NotOnCurve), "{key:?}");
        }
        for received in [32, 56, 58] {
            let expected = Some(KeyMaterialError::CoordinateLength {
                expected: 57,
                received,
            });
            assert_eq!(ed448(&vec![1; received]), expected);
        }
    }

    #[test]
    fn a_key_has_one_encoding() {
        let key = Signer::new(-53, 1).unwrap().bytes(-2);
        assert_eq!(ed448(&key), None);
        // The seven bits beside the sign.
        for bit in 0..7 {
            let mut changed = key.clone();
            changed[56] |= 1 << bit;
            assert_eq!(ed448(&changed), Some(KeyMaterialError::NotOnCurve), "{bit}");
        }
        // A y so small that y + p fits.
        let (mut good, mut off) = (0, 0);
        for small in 2..=60 {
            let mut again = prime();
            plus_order(&mut again, &[small]);
            assert_eq!(
                ed448(&y(&again, 0)),
                Some(KeyMaterialError::NotOnCurve),
                "{small}"
            );
            match ed448(&y(&[small], 0)) {
                None => good += 1,
                Some(error) => {
                    assert_eq!(error, KeyMaterialError::NotOnCurve);
                    off += 1;
                }
            }
        }
        assert!(good > 0 && off > 0, "{good} {off}");
    }

    #[test]
    fn a_key_is_in_the_group_of_prime_order() {
        let key = Signer::new(-53, 1).unwrap().bytes(-2);
        let compressed = CompressedEdwardsY(key.try_into().unwrap());
        let point = compressed.decompress_unchecked().unwrap();
        for torsion in [y(&[0], 0), y(&[0], 0x80)] {
            let torsion = CompressedEdwardsY(torsion.try_into().unwrap());
            let torsion = torsion.decompress_unchecked().unwrap();
            for sum in [point + torsion, point + torsion + torsion] {
                assert_eq!(
                    ed448(sum.compress().as_bytes()),
                    Some(KeyMaterialError::NotOnCurve)
                );
            }
        }
    }

    #[test]
    fn a_signature_has_one_form() {
        let signer = Signer::new(-53, 1).unwrap();
        let (key, signature) = (signer.key(), signer.sign(MESSAGE));
        assert_eq!((signature.len(), key.verify(MESSAGE, &signature)), (114, Ok(())));
        // S + L, and S with something in its last byte.
        let order = hex("f34458ab92c27823558fc58d72c26c219036d6ae49db4ec4e923ca7cffffffff\
             ffffffffffffffffffffffffffffffffffffffffffffff3f");
        let mut malleated = signature.clone();
        plus_order(&mut malleated[57..], &order);
        assert_ne!(malleated, signature);
        assert_eq!(key.verify(MESSAGE, &malleated), Err(InvalidSignature));
        for bit in 0..8 {
            let mut changed = signature.clone();
            changed[113] |= 1 << bit;
            assert_eq!(key.verify(MESSAGE, &changed), Err(InvalidSignature), "{bit}");
            // The same bits in R.
            let mut changed = signature.clone();
            changed[56] ^= 1 << bit;
            assert_eq!(key.verify(MESSAGE, &changed), Err(InvalidSignature), "{bit}");
        }
        assert_eq!(key.verify(MESSAGE, &[0; 114]), Err(InvalidSignature));
    }

    #[test]
    fn a_commitment_of_small_order_is_refused() {
        // R = 0 and S = k a satisfies the equation: the holder of the key alone can make it, for every message.
        use shake::digest::{ExtendableOutput as _, Update as _, XofReader as _};
        let secret = ed448_goldilocks_plus::SigningKey::from_bytes(&[1; 57].into());
        let key = Signer::new(-53, 1).unwrap();
        let commitment = EdwardsPoint::IDENTITY.compress();
        let mut wide = [0; 114];
        shake::Shake256::default()
            .chain(b"SigEd448\0\0")
            .chain(commitment.as_bytes())
            .chain(key.bytes(-2))
            .chain(MESSAGE)
            .finalize_xof()
            .read(&mut wide);
        let k = Scalar::from_bytes_mod_order_wide(&wide.into());
        let s = k * secret.to_scalar();
        assert_eq!(
            EdwardsPoint::GENERATOR * s,
            secret.verifying_key().to_edwards() * k
        );
        let signature = [&commitment.as_bytes()[..], &s.to_bytes_rfc_8032()].concat();
        assert_eq!(key.key().verify(MESSAGE, &signature), Err(InvalidSignature));
    }
}
