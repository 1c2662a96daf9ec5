//! The encoding of a PSS signature under a modulus of 2049 bits is a byte shorter than the modulus (RFC 8017 §8.1.2): with
//! that byte it is none.
//!
//! Nobody needs a private key for these: with the exponent 3, a signature s and an encoding m, n = s³ − m is a modulus under
//! which s opens to m.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod support;

use keyhaven_core::{AssertionError, Challenge, CredentialId, ExpectedUser, base64url};
use keyhaven_testkit::authenticator::Cbor;
use support::{Assertion, ORIGIN};

/// Modulus and signature, without its leading zeros, over the assertion below: its encoding has the 256 bytes that it should.
const WHOLE: [&str; 2] = [
    "01fdffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
        fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe737d2fcae6c5d70e53eeaaa21738\
        8820d2e0a37a3d2ae4d8e949c3d1e2e21d54ae24dfaab0cc4acbcaa526b717088224538f68d921b2df7cb868b3c728b092e0\
        d48a2ab0537abc3f733f070053ee5328e7b77c4c0edecc349e83adafcf676f2e9c1a2501b229cc4b6d1f021f77401ce36d97\
        8816d45bd44691110a6372557a345eeeb3644e14d7455f9fdde5bc10fce4717f97ff37047fbfa87d3e819aacd8e35d25bec1\
        b8f24f45f8535b",
    "867103420639f8a9426276cf5a96a4037a97fab299c8df8950b137a82d718b2c36651b85805019922a110f891989be9cec9f\
        40d6a05bf5cd34346348401d20eb5cb3c970ec9f75ec11ad1f15f69190285b4d2800947",
];

/// The same, but its encoding has a byte more: 1.
const A_BYTE_MORE: [&str; 2] = [
    "01fdffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffcd6194f0f07b7f285c9d56edd81e\
        b14fc5015cca45ab308a01978026e559239d32b8902958e24c0e920048bb1628d8ad79cb2b290f1197d03aa88b96487c7956\
        e01f377c874c494267aef30cde9a84621029f11325ff32bf52fb96ee669a6437a751c65c3fd237591571eaf4f5002dd4952a\
        d79c77dadcad7aeaa31b60fd58dc357b374cf4966c11b302f1dbc1d56db086ed1e63fb153c52edf5bde5ebfaaa4d9d3a7672\
        c3c86f36cef799",
    "9a68972428a975bf1f3dea7b0de1de9598690ffc93026a2172e1b9abf384abfdd9a23270f7a566c370fc467bd1a8bdaf6125\
        762215b6b4978f9d2cc04b3b76dfc15b60a5b2c958e576ca2271c07ab2b13f38fa0fa4d",
];

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(|digit| char::from(digit).to_digit(16)?.try_into().ok())
        .collect();
    digits
        .rchunks(2)
        .rev()
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect()
}

/// What §7.2 says of an assertion by this key with this signature.
fn verdict([n, signature]: [&str; 2]) -> Result<(), AssertionError> {
    let modulus = hex(n);
    let mut padded = vec![0; modulus.len()];
    let signature = hex(signature);
    padded[modulus.len() - signature.len()..].copy_from_slice(&signature);
    let mut cose_key = Cbor::Map(Vec::new());
    cose_key.set(1, Cbor::Int(3));
    cose_key.set(3, Cbor::Int(-37));
    cose_key.set(-1, Cbor::Bytes(modulus));
    cose_key.set(-2, Cbor::Bytes(vec![3]));

    let challenge: Vec<u8> = (0..32).collect();
    let client_data = format!(
        r#"{{"type":"webauthn.get","challenge":"{}","origin":"{ORIGIN}","crossOrigin":false}}"#,
        base64url::encode(&challenge)
    );
    let hash = ring::digest::digest(&ring::digest::SHA256, b"example.org");
    let authenticator_data = [hash.as_ref(), &[0x05, 0, 0, 0, 1]].concat();
    let id = base64url::encode(b"credential");
    let response = serde_json::json!({
        "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
        "response": {
            "clientDataJSON": base64url::encode(client_data.as_bytes()),
            "authenticatorData": base64url::encode(&authenticator_data),
            "signature": base64url::encode(&padded),
        },
    });
    let assertion = Assertion {
        challenge: Challenge::new(challenge).unwrap(),
        user: ExpectedUser::Identified,
        id: CredentialId::try_from(&b"credential"[..]).unwrap(),
        public_key: cose_key.encode(),
        sign_count: 0,
        user_handle: None,
        backup_eligible: None,
        ..Assertion::es256()
    };
    assertion.judge_json(response.to_string().as_bytes()).map(drop)
}

#[test]
fn an_encoding_has_a_byte_less_than_a_modulus_of_one_bit_more_than_bytes() {
    assert_eq!(verdict(WHOLE), Ok(()));
    assert_eq!(verdict(A_BYTE_MORE), Err(AssertionError::SignatureInvalid));
}
