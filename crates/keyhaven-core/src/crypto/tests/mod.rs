use super::*;

mod ecdsa;
mod eddsa;
mod import;
mod openssl;
mod rsa;
mod signer;
mod spki;
mod wycheproof;

use signer::{ALL, Signer};

const MESSAGE: &[u8] = b"authData || hash";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// A DER element; the length in one byte or, from 128, in 81 or 82 and one or two.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let [.., high, low] = value.len().to_be_bytes();
    let head = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head[..], value].concat()
}

fn signers() -> impl Iterator<Item = (i64, Signer)> {
    ALL.into_iter()
        .filter_map(|algorithm| Some((algorithm, Signer::new(algorithm, 1)?)))
}

/// Why the material makes no key for `scheme`.
fn refusal(scheme: Scheme, parts: KeyParts<'_>) -> Option<KeyMaterialError> {
    match VerifyingKey::judged(scheme, parts) {
        Ok(_) => None,
        Err(ImportError::Material(error)) => Some(error),
        Err(ImportError::Mismatch) => panic!("parts of another kind"),
    }
}

#[test]
fn each_algorithm_verifies_its_own_signatures_only() {
    for (algorithm, signer) in signers() {
        let (key, signature) = (signer.key(), signer.sign(MESSAGE));
        assert_eq!(key.verify(MESSAGE, &signature), Ok(()), "{algorithm}");
        assert!(key.verify_in_rust(MESSAGE, &signature), "{algorithm}");
        for message in [&b"another message"[..], b"", &MESSAGE[1..]] {
            assert_eq!(
                key.verify(message, &signature),
                Err(InvalidSignature),
                "{algorithm}"
            );
            assert!(!key.verify_in_rust(message, &signature), "{algorithm}");
        }
        for end in [0, 1, signature.len() / 2, signature.len() - 1] {
            assert_eq!(
                key.verify(MESSAGE, &signature[..end]),
                Err(InvalidSignature),
                "{algorithm} {end}"
            );
        }
        let longer = [&signature[..], &[0]].concat();
        assert_eq!(key.verify(MESSAGE, &longer), Err(InvalidSignature), "{algorithm}");
        for other in ALL {
            let Some(another) = Signer::new(other, 2) else {
                continue;
            };
            let another = another.key();
            // All RSA signers have one key.
            if another != key {
                assert_eq!(
                    another.verify(MESSAGE, &signature),
                    Err(InvalidSignature),
                    "{algorithm} {other}"
                );
            }
        }
    }
}

#[test]
fn changed_bits_of_a_signature_are_refused() {
    for algorithm in [-7, -8, -47, -53] {
        let Some(signer) = Signer::new(algorithm, 1) else {
            continue;
        };
        let (key, signature) = (signer.key(), signer.sign(MESSAGE));
        // Ed448 is slow, and what its bits mean is tested apart.
        let step = if algorithm == -53 { 11 } else { 1 };
        for bit in (0..signature.len() * 8).step_by(step) {
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
fn hashes_are_those_of_fips_180() {
    // "abc", in parts; NIST's examples.
    let parts: [&[u8]; 3] = [b"a", b"", b"bc"];
    for (hash, expected) in [
        (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            Hash::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            Hash::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            Hash::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ] {
        assert_eq!(hash.digest(&parts).as_ref(), hex(expected), "{hash:?}");
        assert_eq!(hash.len(), hex(expected).len());
    }
    assert_eq!(
        sha256(b"abc")[..],
        hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    );
}

#[test]
#[cfg(feature = "ml-dsa")]
fn an_ml_dsa_signature_has_no_context_and_its_set() {
    use ::ml_dsa::{B32, MlDsa44, SigningKey};
    let signer = Signer::new(-48, 1).unwrap();
    let (key, public) = (signer.key(), signer.bytes(-1));
    let secret = SigningKey::<MlDsa44>::from_seed(&B32::from([1; 32]));
    let sign = |context: &[u8]| {
        secret
            .expanded_key()
            .sign_deterministic(MESSAGE, context)
            .unwrap()
            .encode()
            .to_vec()
    };
    assert_eq!(key.verify(MESSAGE, &sign(b"")), Ok(()));
    assert_eq!(key.verify(MESSAGE, &sign(b"\0")), Err(InvalidSignature));
    for (set, len) in [
        (MlDsa::MlDsa44, 1312),
        (MlDsa::MlDsa65, 1952),
        (MlDsa::MlDsa87, 2592),
    ] {
        for received in [0, 1312, 1952, 2592, len - 1, len + 1] {
            let bytes = [&public[..], &[0; 1300]].concat();
            let expected = (received != len).then_some(KeyMaterialError::CoordinateLength {
                expected: len,
                received,
            });
            assert_eq!(
                refusal(Scheme::MlDsa(set), KeyParts::MlDsa(set, &bytes[..received])),
                expected
            );
        }
    }
}
