use super::super::spki::verifying_key;
use super::openssl::{Case, cases};
use super::*;

fn import(n: &[u8], e: &[u8]) -> Option<KeyMaterialError> {
    let refusals = [Scheme::RsaPkcs1(Hash::Sha256), Scheme::RsaPss(Hash::Sha256)]
        .map(|scheme| refusal(scheme, KeyParts::Rsa { n, e }));
    assert_eq!(refusals[0], refusals[1]);
    refusals[0]
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

/// What both back ends say, which must be the same.
fn verify(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    let answer = key.verify(message, signature).is_ok();
    assert_eq!(key.verify_in_rust(message, signature), answer);
    answer
}

fn rsa_cases() -> impl Iterator<Item = (Case, VerifyingKey, Vec<u8>)> {
    cases().into_iter().filter_map(|case| {
        let key = verifying_key(&case.info(), case.algorithm, Sha1::Allow).unwrap();
        let KeyParts::Rsa { n, .. } = key.parts() else {
            return None;
        };
        let n = n.to_vec();
        Some((case, key, n))
    })
}

#[test]
fn an_rsa_signature_has_the_length_of_its_modulus_and_is_below_it() {
    for (case, key, n) in rsa_cases().filter(|(case, ..)| case.valid) {
        let signature = &case.signature[..];
        let verify = |signature: &[u8]| verify(&key, &case.message, signature);
        assert!(verify(signature), "{}", case.name);
        assert!(!verify(&[&[0], signature].concat()));
        assert!(!verify(&[signature, &[0]].concat()));
        assert!(!verify(&signature[1..]));
        assert!(!verify(&vec![0; n.len()]));
        let mut one = vec![0; n.len()];
        one[n.len() - 1] = 1;
        assert!(!verify(&one));
        assert!(!verify(&n));
        // s + n stands for the same number.
        let mut sum = vec![0; n.len()];
        let mut carry = 0;
        for at in (0..n.len()).rev() {
            let [high, low] = (u16::from(signature[at]) + u16::from(n[at]) + carry).to_be_bytes();
            (sum[at], carry) = (low, u16::from(high));
        }
        if carry == 0 {
            assert!(!verify(&sum), "{}", case.name);
        } else {
            sum.insert(0, 1);
            assert!(!verify(&sum), "{}", case.name);
        }
    }
}

#[test]
fn a_changed_rsa_signature_is_refused_by_both_back_ends() {
    for (case, key, n) in rsa_cases().filter(|(case, ..)| case.valid) {
        for at in [0, 1, n.len() / 2, n.len() - 1] {
            let mut changed = case.signature.clone();
            changed[at] ^= 1;
            assert!(!verify(&key, &case.message, &changed), "{} {at}", case.name);
        }
    }
}

#[test]
fn padding_and_hash_belong_to_the_algorithm() {
    let all = [-37, -38, -39, -257, -258, -259];
    for made in all {
        let signature = Signer::new(made, 1).unwrap().sign(MESSAGE);
        for asked in all {
            let key = Signer::new(asked, 1).unwrap().key();
            assert_eq!(verify(&key, MESSAGE, &signature), made == asked, "{made} {asked}");
        }
    }
}

#[test]
fn the_salt_of_pss_is_as_long_as_its_hash() {
    // SHA-1, which ring has no PSS of: of no algorithm, but of a certificate's signature perhaps.
    let signer = Signer::new(-37, 1).unwrap();
    let parts = signer.key();
    let key = VerifyingKey::judged(Scheme::RsaPss(Hash::Sha1), parts.parts()).unwrap();
    assert!(!verify(&key, MESSAGE, &signer.sign(MESSAGE)));
    // What the faults are answered: `openssl.rs`.
    let faults: Vec<Case> = rsa_cases()
        .map(|(case, ..)| case)
        .filter(|case| case.name.starts_with("pss ") && case.name.contains(':'))
        .collect();
    assert_eq!(faults.iter().filter(|case| case.valid).count(), 4);
    assert_eq!(faults.iter().filter(|case| !case.valid).count(), 36);
}
