//! Project Wycheproof's signature vectors: edge cases of arithmetic, encodings, padding. `wycheproof.md` says which.

use keyhaven_types::{CoseAlgorithm, base64url};
use serde_json::Value;
use x509_cert::der::Decode as _;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::super::{Scheme, Sha1, spki};

fn bytes(value: &Value) -> Vec<u8> {
    base64url::decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn wycheproof_is_answered_as_it_says() {
    let (mut valid, mut invalid, mut skipped) = (0, 0, 0);
    for line in include_str!("wycheproof.jsonl").lines() {
        let group: Value = serde_json::from_str(line).unwrap();
        let source = group["source"].as_str().unwrap();
        let algorithm = CoseAlgorithm::new(group["alg"].as_i64().unwrap());
        let cases = group["cases"].as_array().unwrap();
        if Scheme::of(algorithm).is_none() {
            skipped += cases.len();
            continue;
        }
        let key = SubjectPublicKeyInfoOwned::from_der(&bytes(&group["spki"]))
            .ok()
            .map(|spki| spki::verifying_key(&spki, algorithm, Sha1::Refuse));
        for case in cases {
            let expected = case[3].as_bool().unwrap();
            let (message, signature) = (bytes(&case[1]), bytes(&case[2]));
            let answers = match &key {
                Some(Ok(key)) => [
                    key.verify(&message, &signature).is_ok(),
                    key.verify_in_rust(&message, &signature),
                ],
                Some(Err(_)) | None => [false; 2],
            };
            assert_eq!(answers, [expected; 2], "{source} {}", case[0]);
            *(if expected { &mut valid } else { &mut invalid }) += 1;
        }
    }
    assert!(valid > 400 && invalid > 600, "{valid} {invalid} {skipped}");
    #[cfg(all(feature = "es512", feature = "es256k", feature = "ed448", feature = "ml-dsa"))]
    assert_eq!(skipped, 0);
}
