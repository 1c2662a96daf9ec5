//! `keyhaven verify` and `keyhaven inspect`, the built binary, on the W3C vectors.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};

use keyhaven_core::base64url;
use serde_json::{Value, json};

fn vectors() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/keyhaven-core/tests/vectors/w3c-webauthn-l3.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors of keyhaven-core")).unwrap()
}

fn started(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_keyhaven"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn keyhaven(arguments: &[&str], input: &str) -> Output {
    let mut child = started(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Written beside the reading, so that neither side waits for the other.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// The answers to `cases`, and the exit status.
fn verify(arguments: &[&str], cases: &[Value]) -> (Vec<Value>, Option<i32>) {
    let input: String = cases.iter().map(|case| format!("{case}\n")).collect();
    let output = keyhaven(&[&["verify"], arguments].concat(), &input);
    let text = String::from_utf8(output.stdout).unwrap();
    (
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        output.status.code(),
    )
}

fn verdict(case: &Value) -> Value {
    let (mut answers, _) = verify(&[], std::slice::from_ref(case));
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

fn b64u(hex: &Value) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = hex.as_str().unwrap();
    let bits: String = text
        .chars()
        .map(|digit| format!("{:04b}", digit.to_digit(16).unwrap()))
        .collect();
    bits.as_bytes()
        .chunks(6)
        .map(|chunk| {
            let padded = format!("{:0<6}", std::str::from_utf8(chunk).unwrap());
            char::from(ALPHABET[usize::from_str_radix(&padded, 2).unwrap()])
        })
        .collect()
}

fn pair(id: &str) -> Value {
    let vectors = vectors();
    vectors["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .find(|pair| pair["id"] == id)
        .unwrap()
        .clone()
}

fn case(pair: &Value, kind: &str) -> Value {
    let id = pair["id"].as_str().unwrap();
    let registered = &pair["registration"]["expected"];
    let mut case = json!({
        "name": format!("{id} {kind}"),
        "kind": kind,
        "rpId": "example.org",
        "origins": ["https://example.org"],
        "challenge": pair[kind]["challenge_b64u"],
        "userVerification": "discouraged",
        "response": pair[kind]["response"],
    });
    if id == "none-es256-crossOrigin" || id == "none-es256-topOrigin" {
        case["crossOrigin"] = "allow".into();
    }
    if id == "none-es256-topOrigin" {
        case["topOrigins"] = json!(["https://example.com"]);
    }
    if kind == "authentication" {
        case["credential"] = json!({
            "id": b64u(&registered["credential_id_hex"]),
            "publicKey": b64u(&registered["credential_public_key_cose_hex"]),
            "signCount": 0,
            "backupEligible": registered["flags"]["BE"],
        });
    }
    case
}

/// Code, step and detail of one answer.
fn refusal(case: Value) -> [Value; 3] {
    let (answers, _) = verify(&[], &[case]);
    ["code", "step", "detail"].map(|member| answers[0][member].clone())
}

#[test]
fn attestation_is_judged_by_the_policies_of_the_case() {
    let vectors = vectors();
    let pair = |id: &str| {
        let pairs = vectors["vectors"].as_array().unwrap();
        case(
            pairs.iter().find(|pair| pair["id"] == id).unwrap(),
            "registration",
        )
    };
    let refused = |case: Value, step: &str, detail: &str| {
        let [code, refused_at, said] = refusal(case);
        assert_eq!((code, refused_at), (json!("attestation_invalid"), json!(step)));
        assert!(said.as_str().unwrap().contains(detail), "{said}");
    };
    for (id, step, detail) in [
        ("tpm-es256", "L3 8.3", "vendor ID registry"),
        ("fido-u2f-es256", "L3 8.6", "AAGUID is not zero"),
    ] {
        let mut case = pair(id);
        case["profile"] = "w3c".into();
        assert_eq!(refusal(case.clone()), [Value::Null, Value::Null, Value::Null]);
        case["profile"] = "fido".into();
        refused(case, step, detail);
    }
    let mut case = pair("android-key-es256");
    case["attestation"] = json!({"androidKey": "union"});
    assert_eq!(refusal(case.clone())[0], Value::Null);
    case["attestation"] = json!({"androidKey": "tee"});
    refused(case, "L3 8.4", "origin");
}

#[test]
fn the_w3c_pairs_are_judged() {
    let vectors = vectors();
    let pairs = vectors["vectors"].as_array().unwrap();
    let cases: Vec<Value> = pairs
        .iter()
        .flat_map(|pair| [case(pair, "registration"), case(pair, "authentication")])
        .collect();
    let (answers, status) = verify(&[], &cases);
    assert_eq!((answers.len(), status), (30, Some(0)));
    for (index, answer) in answers.iter().enumerate() {
        let (pair, kind) = (&pairs[index / 2], ["registration", "authentication"][index % 2]);
        let id = pair["id"].as_str().unwrap();
        let expected = &pair[kind]["expected"];
        assert_eq!(answer["name"], format!("{id} {kind}"));
        assert_eq!(answer["verdict"], "ok", "{answer}");
        assert_eq!(
            answer["alg"], pair["registration"]["expected"]["cose_alg"],
            "{answer}"
        );
        assert_eq!(
            answer["credentialId"],
            b64u(&pair["registration"]["expected"]["credential_id_hex"])
        );
        assert_eq!(answer["signCount"], expected["sign_count"]);
        for flag in ["up", "uv", "be", "bs", "at", "ed"] {
            assert_eq!(
                answer["flags"][flag],
                expected["flags"][flag.to_uppercase()],
                "{answer}"
            );
        }
        assert!(
            answer.get("trace").is_none() && answer.get("code").is_none() && answer.get("step").is_none()
        );
        if kind == "registration" {
            assert_eq!(answer["fmt"], expected["fmt"]);
            let kind = match (id, expected["attestation_type"].as_str().unwrap()) {
                ("android-key-es256", kind) => kind,
                // The certificate of the other formats does not tell.
                (_, "basic") => "uncertain",
                (_, kind) => kind,
            };
            assert_eq!(answer["attestationType"], kind);
            assert_eq!(answer["attestationTrusted"], false);
            assert_eq!(
                answer["publicKey"],
                b64u(&expected["credential_public_key_cose_hex"])
            );
            assert_eq!(
                answer["aaguid"].as_str().unwrap().replace('-', ""),
                expected["aaguid_hex"].as_str().unwrap()
            );
            assert!(answer.get("signCountVerdict").is_none());
        } else {
            assert_eq!(answer["signCountVerdict"], "not-supported");
            assert!(answer.get("fmt").is_none() && answer.get("aaguid").is_none());
        }
    }
}

#[test]
fn one_spoiled_value_per_case_is_refused_at_its_step() {
    let pair = pair("packed-self-es256");
    let registration = |spoil: fn(&mut Value)| {
        let mut spoiled = case(&pair, "registration");
        assert_eq!(verdict(&spoiled)["verdict"], "ok");
        spoil(&mut spoiled);
        let answer = verdict(&spoiled);
        assert_eq!(answer["verdict"], "reject", "{answer}");
        format!(
            "{} {}",
            answer["code"].as_str().unwrap(),
            answer["step"].as_str().unwrap()
        )
    };
    let authentication = |spoil: fn(&mut Value)| {
        let mut spoiled = case(&pair, "authentication");
        assert_eq!(verdict(&spoiled)["verdict"], "ok");
        spoil(&mut spoiled);
        let answer = verdict(&spoiled);
        assert_eq!(answer["verdict"], "reject", "{answer}");
        format!(
            "{} {}",
            answer["code"].as_str().unwrap(),
            answer["step"].as_str().unwrap()
        )
    };
    assert_eq!(
        registration(|c| c["response"]["type"] = "x".into()),
        "malformed_response L3 7.1.3"
    );
    assert_eq!(
        registration(|c| c["response"] = json!("x")),
        "malformed_response L3 7.1.3"
    );
    assert_eq!(
        registration(|c| c["challenge"] = "AQID".into()),
        "challenge_mismatch L3 7.1.8"
    );
    assert_eq!(
        registration(|c| c["origins"] = json!(["https://example.org:443"])),
        "origin_mismatch L3 7.1.9"
    );
    assert_eq!(
        registration(|c| c["rpId"] = "example.com".into()),
        "rp_id_mismatch L3 7.1.14"
    );
    assert_eq!(
        registration(|c| c["algorithms"] = json!([-8])),
        "algorithm_not_allowed L3 7.1.20"
    );
    assert_eq!(
        registration(|c| {
            c["attestation"] =
                json!({"policy": "trusted", "trustAnchors": [w3c_root()], "at": "2026-01-01T00:00:00Z"});
        }),
        "attestation_untrusted L3 7.1.24"
    );

    // This assertion has UV clear, BE set and no user handle.
    assert_eq!(
        authentication(|c| drop(c.as_object_mut().unwrap().remove("userVerification"))),
        "user_verification_missing L3 7.2.17"
    );
    assert_eq!(
        authentication(|c| c["allowCredentials"] = json!(["AQID"])),
        "credential_not_allowed L3 7.2.5"
    );
    assert_eq!(
        authentication(|c| c["credential"]["id"] = "AQID".into()),
        "credential_not_found L3 7.2.6"
    );
    assert_eq!(
        authentication(|c| c["userIdentified"] = false.into()),
        "user_handle_missing L3 7.2.6"
    );
    assert_eq!(
        authentication(|c| {
            c["credential"]["userHandle"] = "AQID".into();
            c["response"]["response"]["userHandle"] = "AQIE".into();
        }),
        "user_handle_mismatch L3 7.2.6"
    );
    assert_eq!(
        authentication(|c| c["credential"]["backupEligible"] = false.into()),
        "backup_eligibility_changed L3 7.2.19"
    );
    assert_eq!(
        authentication(|c| c["credential"]["publicKey"] = "AQID".into()),
        "public_key_invalid L3 7.2.21"
    );
    assert_eq!(
        authentication(|c| c["credential"]["signCount"] = 1.into()),
        "counter_regression L3 7.2.22"
    );
    assert_eq!(
        authentication(|c| c["response"]["response"]["signature"] = "AQID".into()),
        "signature_invalid L3 7.2.21"
    );
}

#[test]
fn policies_relax_what_they_name() {
    let pair = pair("packed-self-es256");
    let mut accepted = case(&pair, "authentication");
    accepted["credential"]["signCount"] = 7.into();
    accepted["signCountRegression"] = "report".into();
    accepted["credential"]["backupEligible"] = false.into();
    accepted["backupEligibilityChange"] = "allow-upgrade".into();
    accepted["allowCredentials"] = json!([]);
    let answer = verdict(&accepted);
    assert_eq!(
        (
            &answer["verdict"],
            &answer["signCountVerdict"],
            &answer["signCount"]
        ),
        (&json!("ok"), &json!("regressed"), &json!(0))
    );
}

#[test]
fn a_duplicate_inside_the_response_is_refused_and_one_outside_is_no_case() {
    let pair = pair("none-es256");
    let line = case(&pair, "registration").to_string();
    let output = |line: String| {
        let output = keyhaven(&["verify"], &format!("{line}\n"));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        (answer, output.status.code())
    };
    let (answer, status) = output(line.replacen(
        r#""type":"public-key""#,
        r#""type":"public-key","type":"public-key""#,
        1,
    ));
    assert_eq!(
        (&answer["code"], &answer["step"], status),
        (&json!("malformed_response"), &json!("L3 7.1.3"), Some(0))
    );
    let (answer, status) = output(line.replacen('{', r#"{"rpId":"example.org","#, 1));
    assert_eq!((&answer["verdict"], status), (&json!("error"), Some(2)));
    assert_eq!(answer["name"], "none-es256 registration");
}

#[test]
fn every_policy_of_the_verifier_has_its_field() {
    let mut strict = case(&pair("none-es256"), "registration");
    assert_eq!(verdict(&strict)["verdict"], "ok");
    strict["canonicalCbor"] = "strict".into();
    strict["attestation"] = json!({"compound": "any", "enterprise": true, "allowSafetynet": true});
    strict["extensions"] = json!({"unsolicited": "refuse", "requested": ["credProps"]});
    assert_eq!(verdict(&strict)["verdict"], "ok");
    for demands in [
        json!({"credProtect": "userVerificationOptional"}),
        json!({"largeBlob": true}),
    ] {
        strict["extensions"]["demands"] = demands;
        let answer = verdict(&strict);
        assert_eq!(answer["code"], "extension_not_allowed", "{answer}");
    }
    // Where the authenticator does not tell.
    strict["extensions"]["demands"] = json!({"minPinLength": 6});
    assert_eq!(verdict(&strict)["verdict"], "ok");
    let mut assertion = case(&pair("none-es256"), "authentication");
    assertion["canonicalCbor"] = "strict".into();
    assert_eq!(verdict(&assertion)["verdict"], "ok");
    assertion["extensions"] = json!({"demands": {}});
    assert_eq!(verdict(&assertion)["verdict"], "error");
    // Members of the attestation object in another order.
    let mut unordered = case(&pair("none-es256"), "registration");
    let object = unordered["response"]["response"]["attestationObject"]
        .as_str()
        .unwrap();
    let bytes = base64url::decode(object).unwrap();
    let (head, auth_data) =
        bytes.split_at(bytes.windows(9).position(|part| part == b"\x68authData").unwrap());
    let moved = [&head[..1], auth_data, &head[1..]].concat();
    unordered["response"]["response"]["attestationObject"] = base64url::encode(&moved).into();
    assert_eq!(verdict(&unordered)["verdict"], "ok");
    unordered["canonicalCbor"] = "strict".into();
    let answer = verdict(&unordered);
    assert_eq!(
        (&answer["code"], &answer["step"]),
        (&json!("malformed_response"), &json!("L3 7.1.13"))
    );
}

#[test]
fn a_field_that_is_wrong_is_named() {
    let mut wrong = case(&pair("none-es256"), "registration");
    wrong["crossOrigin"] = json!(true);
    let (answers, code) = verify(&[], &[wrong]);
    assert_eq!((&answers[0]["verdict"], code), (&json!("error"), Some(2)));
    let detail = answers[0]["detail"].as_str().unwrap();
    assert!(detail.contains("crossOrigin"), "{detail}");
}

#[test]
fn each_line_is_answered_before_the_next_is_read() {
    let case = case(&pair("none-es256"), "registration");
    let mut child = started(&["verify"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        writeln!(stdin, "{case}").unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["verdict"], "ok");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn whoever_stops_reading_hears_no_more() {
    let case = case(&pair("none-es256"), "registration");
    for (arguments, input) in [
        (&["verify"][..], format!("{case}\n").repeat(2000)),
        (&["openapi"], String::new()),
    ] {
        let mut child = started(arguments);
        // Nobody reads.
        drop(child.stdout.take());
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(141), "{arguments:?}");
        assert_eq!(output.stderr, b"", "{arguments:?}");
    }
}

#[test]
fn the_flags_of_a_server_are_refused_by_what_needs_none() {
    for arguments in [
        &["verify", "--rp-id", "example.org"][..],
        &["--origins", "https://example.org", "inspect"],
        &["openapi", "--no-migrate"],
    ] {
        let output = keyhaven(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("flags of a server"), "{error}");
    }
}

#[test]
fn what_is_malformed_outside_the_response_is_no_case() {
    let pair = pair("none-es256");
    let registration = case(&pair, "registration");
    let authentication = case(&pair, "authentication");
    let mut cases = Vec::new();
    let mut add = |base: &Value, spoil: &dyn Fn(&mut Value)| {
        let mut spoiled = base.clone();
        spoil(&mut spoiled);
        cases.push(spoiled);
    };
    for field in ["kind", "rpId", "origins", "challenge", "response"] {
        add(&registration, &|c| drop(c.as_object_mut().unwrap().remove(field)));
    }
    add(&authentication, &|c| {
        drop(c.as_object_mut().unwrap().remove("credential"))
    });
    for (field, values) in [
        ("kind", vec![json!("x"), json!(1)]),
        ("rpId", vec![json!(""), json!("https://example.org"), json!(null)]),
        (
            "origins",
            vec![json!([]), json!("https://example.org"), json!([1]), json!([""])],
        ),
        ("crossOrigin", vec![json!("x"), json!(true), json!(null)]),
        ("topOrigins", vec![json!([]), json!(["https://example.com"])]),
        (
            "challenge",
            vec![json!(""), json!("AQ=="), json!("+/8"), json!(1)],
        ),
        ("userVerification", vec![json!("x"), json!(null)]),
        ("mediation", vec![json!("x"), json!(null)]),
        ("profile", vec![json!("x")]),
        (
            "algorithms",
            vec![json!(-7), json!([1.5]), json!(["ES256"]), json!(null)],
        ),
        (
            "attestation",
            vec![
                json!({"policy": "trusted"}),
                json!({"policy": "trusted", "trustAnchors": []}),
                json!({"policy": "trusted", "at": "2026-01-01T00:00:00Z"}),
                json!({"policy": "trusted", "trustAnchors": ["AQI"], "at": "2026-01-01T00:00:00Z"}),
                // Base64, but no certificate.
                json!({"policy": "trusted", "trustAnchors": ["AQI="], "at": "2026-01-01T00:00:00Z"}),
                json!({"policy": "trusted", "trustAnchors": [], "at": "yesterday"}),
                json!({"revocationLists": ["AQI"]}),
                json!({"revocationLists": ["AQI="]}),
                json!({"policy": "x"}),
                json!({"unknown": 1}),
                json!({"allowSha1": 1}),
                json!({"androidKey": "x"}),
                json!([]),
                json!(null),
            ],
        ),
        ("backupEligibilityChange", vec![json!("x")]),
        ("signCountRegression", vec![json!("x")]),
        ("unknown", vec![json!(1)]),
        ("rp_id", vec![json!("example.org")]),
        // These belong to an authentication.
        ("credential", vec![authentication["credential"].clone()]),
        ("userIdentified", vec![json!(true)]),
        ("allowCredentials", vec![json!([])]),
        ("appid", vec![json!("x")]),
    ] {
        for value in values {
            add(&registration, &|c| c[field] = value.clone());
        }
    }
    for (field, values) in [
        ("id", vec![json!(""), json!("AQ=="), json!(null)]),
        ("publicKey", vec![json!("AQ=="), json!(1)]),
        ("signCount", vec![json!(-1), json!(4_294_967_296_u64), json!("0")]),
        ("userHandle", vec![json!(""), json!("AQ=="), json!(null)]),
        ("backupEligible", vec![json!("x"), json!(null)]),
        ("unknown", vec![json!(1)]),
    ] {
        for value in values {
            add(&authentication, &|c| c["credential"][field] = value.clone());
        }
    }
    add(&authentication, &|c| c["credential"] = json!([]));
    add(&authentication, &|c| c["allowCredentials"] = json!(["AQ=="]));
    add(&authentication, &|c| c["mediation"] = json!("conditional"));
    add(&authentication, &|c| c["algorithms"] = json!([-7]));
    let count = cases.len();
    // The last is a case, and is judged after all.
    cases.push(registration);
    let (answers, status) = verify(&[], &cases);
    assert_eq!((answers.len(), status), (count + 1, Some(2)));
    for (case, answer) in cases.iter().zip(&answers).take(count) {
        assert_eq!(answer["verdict"], "error", "{case}");
        assert!(answer["detail"].is_string(), "{answer}");
        assert_eq!(answer["name"], case["name"]);
        assert_eq!(answer.as_object().unwrap().len(), 3, "{answer}");
    }
    assert_eq!(answers[count]["verdict"], "ok");
}

/// The one root of all chains, as `trustAnchors` has it.
fn w3c_root() -> String {
    let vectors = vectors();
    let pem = vectors["attestation_root"]["cert_pem"].as_str().unwrap();
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

#[test]
fn chains_are_trusted_under_their_root_alone() {
    for id in [
        "packed-es256",
        "packed-ed448",
        "tpm-es256",
        "android-key-es256",
        "apple-es256",
        "fido-u2f-es256",
    ] {
        let mut registration = case(&pair(id), "registration");
        let mut judge = |anchors: Value, at: &str| {
            registration["attestation"] = json!({"policy": "trusted", "trustAnchors": anchors, "at": at});
            verdict(&registration)
        };
        let answer = judge(json!([w3c_root()]), "2024-01-01T01:00:00+01:00");
        assert_eq!(
            (&answer["verdict"], &answer["attestationTrusted"]),
            (&json!("ok"), &json!(true)),
            "{answer}"
        );
        for (anchors, at) in [
            (json!([w3c_root()]), "2023-12-31T23:59:59Z"),
            (json!([]), "2024-01-01T00:00:00Z"),
        ] {
            let answer = judge(anchors, at);
            assert_eq!(answer["code"], "attestation_untrusted", "{answer}");
            assert_eq!(answer["step"], "L3 7.1.24", "{answer}");
        }
    }
}

#[test]
fn every_field_of_the_contract_is_understood() {
    let mut registration = case(&pair("none-es256"), "registration");
    registration["mediation"] = "conditional".into();
    registration["profile"] = "fido".into();
    registration["algorithms"] = json!([-7, -257, -8, -65535, 99]);
    registration["crossOrigin"] = "allow".into();
    registration["topOrigins"] = json!([]);
    registration["backupEligibilityChange"] = "refuse".into();
    registration["signCountRegression"] = "refuse".into();
    registration["attestation"] = json!({
        "policy": "ignore-trust", "trustAnchors": [w3c_root()], "at": "2026-01-01T00:00:00Z", "androidKey": "tee",
        "allowSha1": true,
    });
    assert_eq!(verdict(&registration)["verdict"], "ok");
    let mut authentication = case(&pair("none-es256"), "authentication");
    authentication["userIdentified"] = true.into();
    authentication["appid"] = "https://example.org/appid".into();
    authentication["attestation"] = json!({});
    authentication["profile"] = "w3c".into();
    authentication["credential"]["userHandle"] = "AQID".into();
    authentication.as_object_mut().unwrap().remove("name");
    let answer = verdict(&authentication);
    assert_eq!(answer["verdict"], "ok");
    assert!(answer.get("name").is_none());
}

#[test]
fn a_trace_names_every_step_in_order() {
    let pair = pair("packed-es256");
    let mut refused = case(&pair, "registration");
    refused["challenge"] = "AQID".into();
    let mut unreadable = case(&pair, "registration");
    unreadable["response"]["id"] = 1.into();
    let cases = [
        case(&pair, "registration"),
        case(&pair, "authentication"),
        refused,
        unreadable,
    ];
    let (answers, status) = verify(&["--trace"], &cases);
    assert_eq!(status, Some(0));
    let steps = |answer: &Value| {
        let trace = answer["trace"].as_array().unwrap();
        trace
            .iter()
            .map(|entry| entry["step"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let numbered = |section: &str, numbers: &[u8]| -> Vec<String> {
        numbers
            .iter()
            .map(|number| format!("L3 {section}.{number}"))
            .collect()
    };
    let mut registration = numbered(
        "7.1",
        &[
            3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 27, 28,
        ],
    );
    registration.insert(20, "L3 8.2".into());
    assert_eq!(steps(&answers[0]), registration);
    assert_eq!(
        steps(&answers[1]),
        numbered(
            "7.2",
            &[
                3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23
            ]
        )
    );
    for answer in &answers[..2] {
        assert!(
            answer["trace"]
                .as_array()
                .unwrap()
                .iter()
                .all(|entry| entry["outcome"] != "failed")
        );
    }
    for answer in &answers[2..] {
        let last = answer["trace"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["step"], &last["outcome"]),
            (&answer["step"], &json!("failed"))
        );
    }
}

#[test]
fn inspect_prints_every_field() {
    let pair = pair("packed-es256");
    for kind in ["registration", "authentication"] {
        let expected = &pair[kind]["expected"];
        let response = pair[kind]["response"].to_string();
        let text = keyhaven(&["inspect"], &response);
        assert!(text.status.success());
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains("origin: https://example.org"), "{text}");
        let json = keyhaven(&["inspect", "--json"], &response);
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json["kind"], kind);
        assert_eq!(json["clientData"]["challenge"], pair[kind]["challenge_b64u"]);
        let data = if kind == "registration" {
            &json["attestationObject"]["authData"]
        } else {
            &json["authenticatorData"]
        };
        assert_eq!(data["rpIdHash"], expected["rp_id_hash_hex"]);
        assert_eq!(
            data["flags"]["byte"],
            format!("0x{}", expected["flags_hex"].as_str().unwrap())
        );
        if kind == "registration" {
            let attested = &data["attestedCredentialData"];
            assert_eq!(attested["credentialId"], b64u(&expected["credential_id_hex"]));
            assert_eq!(attested["credentialPublicKey"]["alg"], expected["cose_alg"]);
            assert!(
                attested["credentialPublicKey"]["pem"]
                    .as_str()
                    .unwrap()
                    .starts_with("-----BEGIN PUBLIC KEY-----")
            );
            assert_eq!(
                json["attestationObject"]["attStmt"]["x5c"]
                    .as_array()
                    .unwrap()
                    .len(),
                1
            );
        }
    }
    let object = pair["registration"]["parameters"]["attestationObject"]["hex"]
        .as_str()
        .unwrap();
    for input in [object.to_owned(), b64u(&json!(object))] {
        let json = keyhaven(&["inspect", "--json"], &input);
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json["attestationObject"]["fmt"], "packed");
    }
    assert_eq!(
        keyhaven(&["inspect"], "nothing of the kind").status.code(),
        Some(2)
    );
}
