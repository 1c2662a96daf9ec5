//! The examples for `prf` and `hmac-secret` of WebAuthn L3 ("Test Vectors for WebAuthn Extensions").
//!
//! The secrets are between page, client and authenticator; a server sees the encrypted output in authenticator data and
//! hands it on. So: the examples are recomputed as client and authenticator would, and what they put into an assertion
//! is what comes out of its verification.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests: a vector without its members is a failure"
)]

mod support;

use aes::Aes256;
use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use keyhaven_core::*;
use keyhaven_testkit::authenticator::Cbor;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use ring::{digest, hkdf, hmac};
use serde_json::{Value, json};

fn vectors() -> Value {
    let text = include_str!("vectors/w3c-webauthn-l3.json");
    serde_json::from_str::<Value>(text).unwrap()["extensions"]["prf"].clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value["hex"].as_str().or_else(|| value.as_str()).unwrap();
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// §10.1.4: what a page gives is hashed in a domain of its own.
fn salt(input: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, &[b"WebAuthn PRF\0", input].concat())
        .as_ref()
        .to_vec()
}

/// CTAP 2.2 §12.7: what the authenticator makes of a salt.
fn output(cred_random: &[u8], salt: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, cred_random), salt)
        .as_ref()
        .to_vec()
}

/// CTAP 2.2 §6.5.6 and §6.5.7: the secret of a PIN protocol, from the shared x-coordinate.
fn shared_secret(protocol: u64, z: &[u8]) -> Vec<u8> {
    if protocol == 1 {
        return digest::digest(&digest::SHA256, z).as_ref().to_vec();
    }
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &[0; 32]).extract(z);
    let mut secret = vec![0; 64];
    for (part, info) in secret
        .chunks_mut(32)
        .zip([&b"CTAP2 HMAC key"[..], b"CTAP2 AES key"])
    {
        prk.expand(&[info], hkdf::HKDF_SHA256)
            .unwrap()
            .fill(part)
            .unwrap();
    }
    secret
}

/// Encrypts as the PIN protocol does; protocol 2 with the vector's initialisation vector in front.
fn encrypted(protocol: u64, secret: &[u8], plain: &[u8], like: &[u8]) -> Vec<u8> {
    let (key, iv, mut out) = if protocol == 1 {
        (secret, [0; 16], Vec::new())
    } else {
        let iv: [u8; 16] = like[..16].try_into().unwrap();
        (&secret[32..], iv, iv.to_vec())
    };
    let mut cipher = cbc::Encryptor::<Aes256>::new_from_slices(key, &iv).unwrap();
    for block in plain.chunks(16) {
        let mut block = <[u8; 16]>::try_from(block).unwrap().into();
        cipher.encrypt_block(&mut block);
        out.extend_from_slice(&block);
    }
    out
}

#[test]
fn the_examples_are_what_client_and_authenticator_compute() {
    let vectors = vectors();
    let shared = &vectors["ctap2_hmac_secret"]["shared"];
    let authenticator_key = &shared["authenticator_key_agreement_public_key"];
    let point = [
        &[4][..],
        &bytes(&authenticator_key["x_hex"]),
        &bytes(&authenticator_key["y_hex"]),
    ]
    .concat();
    let public = p256::PublicKey::from_sec1_bytes(&point).unwrap();
    assert_eq!(public.to_sec1_point(false).as_bytes(), point);
    let private = p256::SecretKey::from_slice(&bytes(&shared["platform_key_agreement_private_key"])).unwrap();
    let z = p256::ecdh::diffie_hellman(private.to_nonzero_scalar(), public.as_affine());
    let cred_random = bytes(&shared["authenticator_cred_random"]);
    let cases = vectors["ctap2_hmac_secret"]["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let parameters = &case["parameters"];
        let protocol = case["pin_protocol"].as_u64().unwrap();
        let secret = shared_secret(protocol, z.raw_secret_bytes());
        assert_eq!(secret, bytes(&parameters["shared_secret"]));
        let (mut salts, mut outputs) = (Vec::new(), Vec::new());
        for (input, n) in [("first", 1), ("second", 2)]
            .iter()
            .take(usize::try_from(case["inputs"].as_u64().unwrap()).unwrap())
        {
            let salt = salt(&bytes(&parameters[format!("prf_eval_{input}")]));
            assert_eq!(salt, bytes(&parameters[format!("salt{n}")]));
            let output = output(&cred_random, &salt);
            assert_eq!(output, bytes(&parameters[format!("output{n}")]));
            assert_eq!(output, bytes(&parameters[format!("prf_results_{input}")]));
            salts.extend(salt);
            outputs.extend(output);
        }
        let salt_enc = bytes(&parameters["salt_enc"]);
        assert_eq!(encrypted(protocol, &secret, &salts, &salt_enc), salt_enc);
        let output_enc = bytes(&parameters["output_enc"]);
        assert_eq!(encrypted(protocol, &secret, &outputs, &output_enc), output_enc);
    }
}

#[test]
fn an_assertion_carries_the_encrypted_outputs_and_the_secrets_are_dropped() {
    for case in vectors()["ctap2_hmac_secret"]["cases"].as_array().unwrap() {
        let parameters = &case["parameters"];
        let output_enc = bytes(&parameters["output_enc"]);
        let secret = bytes(&parameters["prf_results_first"]);
        let verified = support::Assertion::es256().accepted(|a| {
            a.policy.extensions = ExtensionPolicy {
                requested: ExtensionSet::default().with(Extension::Prf),
                unsolicited: UnsolicitedExtensions::Refuse,
                ..ExtensionPolicy::default()
            };
            let output = ("hmac-secret".into(), Cbor::Bytes(output_enc.clone()));
            a.draft.set_extensions(Cbor::Map(vec![output]));
            a.extension_results = Some(json!({"prf": {"results": {"first": base64url::encode(&secret)}}}));
        });
        assert_eq!(
            verified.signed_extensions().hmac_secret(),
            Some(output_enc.as_slice())
        );
        assert!(!format!("{verified:?}").contains(&format!("{secret:?}")));
    }
}
