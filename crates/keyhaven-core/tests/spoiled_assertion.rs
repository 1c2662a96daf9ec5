//! A valid assertion, spoiled one way per case, is refused by exactly its step; unspoiled it is accepted.
//!
//! Tests are named after the step of WebAuthn L3 §7.2 they hold; `docs/conformance.md` lists them.

mod support;

use keyhaven_core::*;
use keyhaven_testkit::authenticator::{AT, BE, BS, Cbor, ED, SigningKey, UP, UV, sha256};
use support::{Assertion, CHALLENGE, ORIGIN, OTHER_ORIGIN, WRONG_ORIGINS, refusal};

#[test]
fn step_03_the_response_is_an_assertion_response() {
    let malformed = || refusal("malformed_response", "7.2.3");
    let spoiled = |spoil: fn(&mut serde_json::Value)| Assertion::es256().spoiled_json(spoil);
    for member in ["id", "rawId", "type", "response"] {
        let refused =
            Assertion::es256().spoiled_json(|json| drop(json.as_object_mut().unwrap().remove(member)));
        assert_eq!(refused, malformed(), "without {member}");
        let refused = Assertion::es256().spoiled_json(|json| json[member] = serde_json::Value::Null);
        assert_eq!(refused, malformed(), "{member} null");
    }
    for member in ["clientDataJSON", "authenticatorData", "signature"] {
        let refused = Assertion::es256()
            .spoiled_json(|json| drop(json["response"].as_object_mut().unwrap().remove(member)));
        assert_eq!(refused, malformed(), "without {member}");
    }
    for member in ["clientDataJSON", "authenticatorData", "signature", "userHandle"] {
        for text in ["AQ==", "+/8", "A", "AB", "AQ\n"] {
            let refused = Assertion::es256().spoiled_json(|json| json["response"][member] = text.into());
            assert_eq!(refused, malformed(), "{member} {text:?}");
        }
        let refused = Assertion::es256().spoiled_json(|json| json["response"][member] = 1.into());
        assert_eq!(refused, malformed(), "{member} a number");
    }
    assert_eq!(spoiled(|json| json["type"] = "password".into()), malformed());
    assert_eq!(spoiled(|json| json["id"] = "AQI".into()), malformed());
    assert_eq!(spoiled(|json| json["rawId"] = "AQI".into()), malformed());
    assert_eq!(
        spoiled(|json| json["clientExtensionResults"]["appid"] = "true".into()),
        malformed()
    );
}

#[test]
fn step_03_a_registration_is_no_assertion() {
    let registration = support::Registration::none().draft.finish().to_string();
    let error = Assertion::es256()
        .judge_json(registration.as_bytes())
        .unwrap_err();
    assert_eq!(
        (error.code(), error.step().to_string()),
        refusal("malformed_response", "7.2.3")
    );
}

#[test]
fn step_05_the_credential_is_one_that_was_asked_for() {
    let other = || CredentialId::try_from(&[1, 2, 3][..]).unwrap();
    let refused = Assertion::es256().spoiled(|a| a.allow_credentials = vec![other()]);
    assert_eq!(refused, refusal("credential_not_allowed", "7.2.5"));
    let _ = Assertion::es256().accepted(|a| a.allow_credentials = vec![other(), a.id.clone()]);
    // An id that starts like the one asked for.
    let refused = Assertion::es256().spoiled(|a| {
        a.allow_credentials = vec![CredentialId::try_from(&a.id.as_bytes()[..16]).unwrap()];
    });
    assert_eq!(refused, refusal("credential_not_allowed", "7.2.5"));
}

#[test]
fn step_06_the_record_is_of_this_credential() {
    let refused = Assertion::es256().spoiled(|a| a.id = CredentialId::try_from(&[1, 2, 3][..]).unwrap());
    assert_eq!(refused, refusal("credential_not_found", "7.2.6"));
    let refused = Assertion::es256().spoiled(|a| a.draft.envelope_id[0] ^= 1);
    assert_eq!(refused, refusal("credential_not_found", "7.2.6"));
}

#[test]
fn step_06_the_user_handle_is_that_of_the_account() {
    for user in [ExpectedUser::Discoverable, ExpectedUser::Identified] {
        let with = |handle: &[u8]| {
            let mut assertion = Assertion::es256();
            assertion.user = user;
            assertion.spoiled(|a| a.draft.user_handle = Some(handle.to_vec()))
        };
        for handle in [&b"user handl"[..], b"user handle2", b"another", &[0; 65]] {
            assert_eq!(
                with(handle),
                refusal("user_handle_mismatch", "7.2.6"),
                "{handle:?}"
            );
        }
    }
    let mut identified = Assertion::es256();
    identified.user = ExpectedUser::Identified;
    let refused = identified.spoiled(|a| a.draft.user_handle = Some(Vec::new()));
    assert_eq!(refused, refusal("user_handle_mismatch", "7.2.6"));
}

#[test]
fn step_06_without_a_known_user_the_response_names_one() {
    let refused = Assertion::es256().spoiled(|a| a.draft.user_handle = None);
    assert_eq!(refused, refusal("user_handle_missing", "7.2.6"));
    let refused = Assertion::es256().spoiled(|a| a.draft.user_handle = Some(Vec::new()));
    assert_eq!(refused, refusal("user_handle_missing", "7.2.6"));
    let refused =
        Assertion::es256().spoiled_json(|json| json["response"]["userHandle"] = serde_json::Value::Null);
    assert_eq!(refused, refusal("user_handle_missing", "7.2.6"));
    let _ = Assertion::es256().accepted(|a| {
        a.draft.user_handle = None;
        a.user = ExpectedUser::Identified;
    });
}

#[test]
fn step_07_authenticator_data_is_split_exactly() {
    let malformed = || refusal("malformed_response", "7.2.7");
    let spoiled = |spoil: fn(&mut Assertion)| Assertion::es256().spoiled(spoil);
    assert_eq!(spoiled(|a| a.draft.rp_id_hash.truncate(31)), malformed());
    assert_eq!(spoiled(|a| a.draft.trailing = vec![0]), malformed());
    assert_eq!(spoiled(|a| a.draft.flags |= AT), malformed());
    assert_eq!(spoiled(|a| a.draft.flags |= ED), malformed());
    assert_eq!(
        spoiled(|a| a.draft.extensions = Some(Cbor::Map(vec![]))),
        malformed()
    );
    assert_eq!(
        spoiled(|a| a.draft.set_extensions(Cbor::Array(vec![]))),
        malformed()
    );
    assert_eq!(
        spoiled(|a| a.draft.set_extensions(Cbor::Raw(vec![0xbf, 0xff]))),
        malformed()
    );
    // Attested credential data, well formed, where none belongs.
    assert_eq!(
        spoiled(|a| {
            a.draft.flags |= AT;
            a.draft.trailing = [&[0; 16][..], &[0, 1, 9], &a.public_key].concat();
        }),
        malformed()
    );
    let _ = Assertion::es256().accepted(|a| a.draft.flags |= 0x22);
}

#[test]
fn step_07_key_order_is_refused_only_where_asked_for() {
    let unordered = |a: &mut Assertion| {
        a.draft.set_extensions(Cbor::Map(vec![
            ("bb".into(), Cbor::Null),
            ("a".into(), Cbor::Null),
        ]));
    };
    assert_eq!(
        Assertion::es256().spoiled(unordered),
        refusal("malformed_response", "7.2.7")
    );
    let _ = Assertion::es256().accepted(|a| {
        unordered(a);
        a.policy.canonical_cbor = CanonicalCbor::AnyKeyOrder;
    });
}

#[test]
fn step_08_client_data_is_utf_8() {
    for invalid in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80"] {
        let refused = Assertion::es256().spoiled(|a| {
            let json = a.draft.client_data.to_json();
            a.draft.client_data.raw = Some([&json[..json.len() - 1], b",\"x\":\"", invalid, b"\"}"].concat());
        });
        assert_eq!(refused, refusal("malformed_response", "7.2.8"), "{invalid:?}");
    }
    let _ = Assertion::es256().accepted(|a| {
        a.draft.client_data.raw = Some([b"\xef\xbb\xbf", &a.draft.client_data.to_json()[..]].concat());
    });
}

#[test]
fn step_09_client_data_is_strict_json() {
    for (what, json) in support::malformed_client_data() {
        let json = String::from_utf8(json)
            .unwrap()
            .replace("webauthn.TYPE", "webauthn.get")
            .into_bytes();
        let refused = Assertion::es256().spoiled(|a| a.draft.client_data.raw = Some(json));
        assert_eq!(refused, refusal("malformed_response", "7.2.9"), "{what}");
    }
}

#[test]
fn step_10_the_type_is_webauthn_get() {
    for kind in [
        "webauthn.create",
        "webauthn.Get",
        "webauthn.get2",
        "",
        "payment.get",
    ] {
        let refused = Assertion::es256().spoiled(|a| a.draft.client_data.set("type", kind));
        assert_eq!(refused, refusal("ceremony_type_mismatch", "7.2.10"), "{kind:?}");
    }
}

#[test]
fn step_11_the_challenge_is_the_one_issued() {
    let text = base64url::encode(CHALLENGE);
    let standard = text.replace('-', "+").replace('_', "/");
    for challenge in [
        "",
        "AQID",
        &text[1..],
        &text[..text.len() - 1],
        &format!("{text}="),
        &standard,
    ] {
        let refused = Assertion::es256().spoiled(|a| a.draft.client_data.set("challenge", challenge));
        assert_eq!(refused, refusal("challenge_mismatch", "7.2.11"), "{challenge:?}");
    }
    let refused = Assertion::es256().spoiled(|a| a.challenge = Challenge::new(vec![1; 16]).unwrap());
    assert_eq!(refused, refusal("challenge_mismatch", "7.2.11"));
}

#[test]
fn step_12_the_origin_is_expected() {
    for origin in WRONG_ORIGINS {
        let refused = Assertion::es256().spoiled(|a| a.draft.client_data.set("origin", *origin));
        assert_eq!(refused, refusal("origin_mismatch", "7.2.12"), "{origin:?}");
    }
    let verified = Assertion::es256().accepted(|a| a.draft.client_data.set("origin", OTHER_ORIGIN));
    assert_eq!(verified.origin().as_str(), OTHER_ORIGIN);
}

#[test]
fn step_12_a_ceremony_bound_to_one_origin_stays_there() {
    let mut assertion = Assertion::es256();
    assertion.origin = Some(Origin::new(ORIGIN).unwrap());
    let refused = assertion.spoiled(|a| a.draft.client_data.set("origin", OTHER_ORIGIN));
    assert_eq!(refused, refusal("origin_mismatch", "7.2.12"));
}

#[test]
fn step_13_embedded_use_is_refused_unless_allowed() {
    let refused = Assertion::es256().spoiled(|a| a.draft.client_data.set("crossOrigin", true));
    assert_eq!(refused, refusal("cross_origin_not_allowed", "7.2.13"));
    let _ = Assertion::es256().accepted(|a| {
        a.draft.client_data.set("crossOrigin", true);
        a.relying_party.cross_origin = support::embedded_in(&[]);
    });
}

#[test]
fn step_14_the_embedding_page_is_expected() {
    let embedded = || {
        let mut assertion = Assertion::es256();
        assertion.draft.client_data.set("crossOrigin", true);
        assertion
            .draft
            .client_data
            .set("topOrigin", "https://example.com");
        assertion.relying_party.cross_origin = support::embedded_in(&["https://example.com"]);
        assertion
    };
    let refused = || refusal("top_origin_not_allowed", "7.2.14");
    for top in ["https://example.com/", "https://sub.example.com", "", ORIGIN] {
        assert_eq!(
            embedded().spoiled(|a| a.draft.client_data.set("topOrigin", top)),
            refused(),
            "{top:?}"
        );
    }
    assert_eq!(
        embedded().spoiled(|a| a.relying_party.cross_origin = support::embedded_in(&[])),
        refused()
    );
    assert_eq!(
        embedded().spoiled(|a| a.draft.client_data.set("crossOrigin", false)),
        refused()
    );
    assert_eq!(
        embedded().spoiled(|a| a.draft.client_data.remove("crossOrigin")),
        refused()
    );
    let top_origin_alone = |a: &mut Assertion| a.draft.client_data.set("topOrigin", "https://example.com");
    assert_eq!(Assertion::es256().spoiled(top_origin_alone), refused());
}

#[test]
fn step_15_the_rp_id_hash_is_ours() {
    let refused = Assertion::es256().spoiled(|a| a.draft.rp_id_hash[0] ^= 0x80);
    assert_eq!(refused, refusal("rp_id_mismatch", "7.2.15"));
    let refused = Assertion::es256().spoiled(|a| a.relying_party.id = RpId::new("example.com").unwrap());
    assert_eq!(refused, refusal("rp_id_mismatch", "7.2.15"));
}

#[test]
fn step_15_the_appid_counts_only_where_both_sides_name_it() {
    const APPID: &str = "https://example.org/appid.json";
    let mismatch = Err(refusal("rp_id_mismatch", "7.2.15"));
    let judge = |asked: bool, hash_of: &str, output: Option<bool>| {
        let mut assertion = Assertion::es256();
        assertion.appid = asked.then(|| APPID.to_owned());
        assertion.draft.rp_id_hash = sha256(hash_of.as_bytes()).to_vec();
        let mut json = assertion.draft.finish();
        if let Some(output) = output {
            json["clientExtensionResults"]["appid"] = output.into();
        }
        let verdict = assertion.judge_json(json.to_string().as_bytes());
        verdict
            .map(drop)
            .map_err(|error| (error.code(), error.step().to_string()))
    };
    assert_eq!(judge(true, APPID, Some(true)), Ok(()));
    assert_eq!(judge(true, "example.org", Some(false)), Ok(()));
    assert_eq!(judge(true, "example.org", None), Ok(()));
    assert_eq!(judge(false, "example.org", Some(true)), Ok(()));
    assert_eq!(judge(false, APPID, Some(true)), mismatch);
    assert_eq!(judge(true, APPID, Some(false)), mismatch);
    assert_eq!(judge(true, APPID, None), mismatch);
    assert_eq!(judge(true, "example.org", Some(true)), mismatch);
}

#[test]
fn step_16_the_user_is_present() {
    let refused = Assertion::es256().spoiled(|a| a.draft.flags &= !UP);
    assert_eq!(refused, refusal("user_presence_missing", "7.2.16"));
}

#[test]
fn step_17_the_user_is_verified_where_that_is_required() {
    let refused = Assertion::es256().spoiled(|a| a.draft.flags &= !UV);
    assert_eq!(refused, refusal("user_verification_missing", "7.2.17"));
    for wish in [UserVerification::Preferred, UserVerification::Discouraged] {
        let verified = Assertion::es256().accepted(|a| {
            a.draft.flags &= !UV;
            a.policy.user_verification = wish;
        });
        assert!(!verified.user_verified());
    }
}

#[test]
fn step_18_backed_up_implies_backup_eligible() {
    let refused = Assertion::es256().spoiled(|a| a.draft.flags &= !BE);
    assert_eq!(refused, refusal("backup_flags_invalid", "7.2.18"));
    let verified = Assertion::es256().accepted(|a| a.draft.flags &= !BS);
    assert_eq!(verified.backup(), Backup::Eligible);
}

#[test]
fn step_19_backup_eligibility_does_not_change() {
    let changed = || refusal("backup_eligibility_changed", "7.2.19");
    let clear = |a: &mut Assertion| a.draft.flags &= !(BE | BS);
    assert_eq!(Assertion::es256().spoiled(clear), changed());
    assert_eq!(
        Assertion::es256().spoiled(|a| a.backup_eligible = Some(false)),
        changed()
    );
    // The upgrade policy goes one way.
    let upgrade = || {
        let mut assertion = Assertion::es256();
        assertion.policy.backup_eligibility_change = BackupEligibilityChange::AllowUpgrade;
        assertion
    };
    assert_eq!(upgrade().spoiled(clear), changed());
    let _ = upgrade().accepted(|a| a.backup_eligible = Some(false));
    let _ = upgrade().accepted(|a| {
        clear(a);
        a.backup_eligible = Some(false);
    });
    // Nothing stored, nothing compared.
    for flags in [0, BE, BE | BS] {
        let _ = Assertion::es256().accepted(|a| {
            a.backup_eligible = None;
            a.draft.flags = UP | UV | flags;
        });
    }
}

#[test]
fn step_20_the_hash_is_over_the_bytes_as_received() {
    let _ = Assertion::es256().accepted(|a| {
        let json = String::from_utf8(a.draft.client_data.to_json()).unwrap();
        a.draft.client_data.raw = Some(json.replace(',', " ,\t").into_bytes());
    });
    let refused = Assertion::es256().spoiled_json(|response| {
        let bytes = base64url::decode(response["response"]["clientDataJSON"].as_str().unwrap()).unwrap();
        let rewritten = String::from_utf8(bytes).unwrap().replace(',', ", ");
        response["response"]["clientDataJSON"] = base64url::encode(rewritten.as_bytes()).into();
    });
    assert_eq!(refused, refusal("signature_invalid", "7.2.21"));
}

#[test]
fn step_21_the_signature_verifies_under_the_stored_key() {
    let invalid = || refusal("signature_invalid", "7.2.21");
    for algorithm in [-7, -8, -35, -257] {
        let verified = Assertion::new(algorithm).accepted(|_| {});
        assert_eq!(verified.algorithm().identifier(), algorithm);
        if algorithm != -257 {
            let another = SigningKey::new(algorithm, b"another").unwrap();
            let refused = Assertion::new(algorithm).spoiled(|a| a.draft.key = another.clone());
            assert_eq!(refused, invalid(), "{algorithm}");
            let refused = Assertion::new(algorithm).spoiled(|a| a.public_key = another.cose().encode());
            assert_eq!(refused, invalid(), "{algorithm}");
        }
        let signature = |spoil: fn(Vec<u8>) -> Vec<u8>| {
            Assertion::new(algorithm).spoiled_json(|json| {
                let signature = base64url::decode(json["response"]["signature"].as_str().unwrap()).unwrap();
                json["response"]["signature"] = base64url::encode(&spoil(signature)).into();
            })
        };
        assert_eq!(signature(|_| Vec::new()), invalid());
        assert_eq!(signature(|signature| vec![0; signature.len()]), invalid());
        assert_eq!(signature(|signature| [&signature[..], &[0]].concat()), invalid());
        assert_eq!(signature(|signature| signature[1..].to_vec()), invalid());
        assert_eq!(
            signature(|mut signature| {
                *signature.last_mut().unwrap() ^= 1;
                signature
            }),
            invalid()
        );
        // What is signed, changed after signing: the sign count.
        let refused = Assertion::new(algorithm).spoiled_json(|json| {
            let mut bytes =
                base64url::decode(json["response"]["authenticatorData"].as_str().unwrap()).unwrap();
            bytes[33] ^= 1;
            json["response"]["authenticatorData"] = base64url::encode(&bytes).into();
        });
        assert_eq!(refused, invalid(), "{algorithm}");
    }
}

#[test]
fn step_21_authenticator_data_of_any_length_are_signed_whole() {
    // What is signed has 84 + n bytes: around a buffer of 256, and far beyond.
    for n in [24, 150, 170, 171, 172, 173, 174, 180, 255, 900] {
        let with = |assertion: &mut Assertion| {
            let outputs = Cbor::Map(vec![("hmac-secret".into(), Cbor::Bytes(vec![7; n]))]);
            assertion.draft.set_extensions(outputs);
        };
        let _ = Assertion::es256().accepted(with);
        let mut assertion = Assertion::es256();
        with(&mut assertion);
        let refused = assertion.spoiled_json(|json| {
            let text = json["response"]["authenticatorData"].as_str().unwrap();
            let mut bytes = base64url::decode(text).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            json["response"]["authenticatorData"] = base64url::encode(&bytes).into();
        });
        assert_eq!(refused, refusal("signature_invalid", "7.2.21"), "{n}");
    }
}

#[test]
fn step_21_a_stored_key_that_cannot_be_used_is_refused() {
    let invalid = || refusal("public_key_invalid", "7.2.21");
    let with = |key: Vec<u8>| Assertion::es256().spoiled(|a| a.public_key = key);
    let cose = |spoil: fn(&mut Cbor)| {
        let mut key = Assertion::es256().draft.key.cose();
        spoil(&mut key);
        key.encode()
    };
    assert_eq!(with(Vec::new()), invalid());
    assert_eq!(with(vec![0xa0]), invalid());
    assert_eq!(with([&cose(|_| {})[..], &[0]].concat()), invalid());
    assert_eq!(with(cose(|key| key.remove(-3))), invalid());
    assert_eq!(with(cose(|key| key.set(-4, Cbor::Null))), invalid());
    assert_eq!(with(cose(|key| key.set(-3, Cbor::Bool(false)))), invalid());
    assert_eq!(with(cose(|key| key.set(-3, Cbor::Bytes(vec![1; 32])))), invalid());
    assert_eq!(with(cose(|key| key.set(-1, 3.into()))), invalid());
    assert_eq!(with(cose(|key| key.set(1, 1.into()))), invalid());
    assert_eq!(
        with(cose(|key| key.set(3, (-46).into()))),
        refusal("unsupported_algorithm", "7.2.21")
    );
    // A key registered under the default policy, in whatever order, stays usable under the strict one.
    let _ = Assertion::es256().accepted(|a| {
        let mut key = a.draft.key.cose();
        key.entries().reverse();
        a.public_key = key.encode();
    });
}

#[test]
fn step_22_the_sign_count_rises() {
    let refused = || refusal("counter_regression", "7.2.22");
    let judge = |stored, received| {
        Assertion::es256().spoiled(|a| {
            a.sign_count = stored;
            a.draft.sign_count = received;
        })
    };
    for (stored, received) in [(2, 2), (3, 2), (1, 0), (u32::MAX, 0), (u32::MAX, u32::MAX)] {
        assert_eq!(judge(stored, received), refused(), "{stored} {received}");
    }
    for (stored, received, check) in [
        (0, 0, SignCountCheck::NotSupported),
        (0, 1, SignCountCheck::Advanced),
        (5, u32::MAX, SignCountCheck::Advanced),
    ] {
        let verified = Assertion::es256().accepted(|a| {
            a.sign_count = stored;
            a.draft.sign_count = received;
        });
        assert_eq!(
            (verified.sign_count(), verified.new_sign_count()),
            (check, SignCount(received))
        );
    }
}

#[test]
fn step_22_a_regression_that_is_only_reported_is_never_silent() {
    let verified = Assertion::es256().accepted(|a| {
        a.policy.sign_count_regression = SignCountRegression::Report;
        a.sign_count = 9;
        a.draft.sign_count = 0;
    });
    let regressed = SignCountCheck::Regressed {
        stored: SignCount(9),
        received: SignCount(0),
    };
    assert_eq!(verified.sign_count(), regressed);
    assert_eq!(verified.new_sign_count(), SignCount(9));
}

#[test]
fn step_22_comes_after_the_signature() {
    let refused = Assertion::es256().spoiled(|a| {
        a.draft.key = SigningKey::new(-7, b"another").unwrap();
        a.sign_count = 9;
    });
    assert_eq!(refused, refusal("signature_invalid", "7.2.21"));
}

#[test]
fn step_23_extension_outputs_nobody_asked_for_are_ignored() {
    let verified = Assertion::es256().accepted(|a| {
        a.draft
            .set_extensions(Cbor::Map(vec![("hmac-secret".into(), Cbor::Bytes(vec![1; 32]))]));
    });
    assert!(verified.flags().extension_data());
}

#[test]
fn step_23_signed_outputs_are_typed() {
    let verified = Assertion::es256().accepted(|a| {
        a.draft.set_extensions(Cbor::Map(vec![
            ("credBlob".into(), Cbor::Bytes(vec![7])),
            ("hmac-secret".into(), Cbor::Bytes(vec![1; 32])),
        ]));
    });
    let signed = verified.signed_extensions();
    assert_eq!(signed.cred_blob(), Some(&[7][..]));
    assert_eq!(signed.hmac_secret(), Some(&[1; 32][..]));
    assert_eq!(signed.encoded().first(), Some(&0xa2));
}

#[test]
fn step_23_policy_judges_the_outputs() {
    let refused = || refusal("extension_not_allowed", "7.2.23");
    let wrong = |a: &mut Assertion| {
        a.draft
            .set_extensions(Cbor::Map(vec![("hmac-secret".into(), 1.into())]))
    };
    assert_eq!(
        Assertion::es256()
            .accepted(wrong)
            .signed_extensions()
            .hmac_secret(),
        None
    );
    for requested in [Extension::HmacSecret, Extension::Prf] {
        let spoiled = Assertion::es256().spoiled(|a| {
            wrong(a);
            a.policy.extensions.requested = ExtensionSet::default().with(requested);
        });
        assert_eq!(spoiled, refused());
    }
    let spoiled = |spoil: fn(&mut Assertion)| {
        let mut assertion = Assertion::es256();
        assertion.policy.extensions.unsolicited = UnsolicitedExtensions::Refuse;
        assertion.spoiled(spoil)
    };
    assert_eq!(
        spoiled(|a| a.draft.set_extensions(Cbor::Map(vec![("x".into(), 1.into())]))),
        refused()
    );
    assert_eq!(
        spoiled(|a| a.extension_results = Some(serde_json::json!({"appid": false}))),
        refused()
    );
    let _ = Assertion::es256().accepted(|a| {
        a.policy.extensions.unsolicited = UnsolicitedExtensions::Refuse;
        a.policy.extensions.requested = [Extension::AppId, Extension::CredBlob].into_iter().collect();
        a.draft
            .set_extensions(Cbor::Map(vec![("credBlob".into(), Cbor::Bytes(vec![]))]));
        a.extension_results = Some(serde_json::json!({"appid": false, "getCredBlob": ""}));
    });
}

#[test]
fn step_19_applies_the_policy_on_backup() {
    let policy = |policy: BackupPolicy, flags: u8| {
        let mut assertion = Assertion::es256();
        assertion.draft.flags = UP | UV | flags;
        assertion.backup_eligible = None;
        assertion.policy.backup = policy;
        assertion
            .judge()
            .err()
            .map(|error| (error.code(), error.step().to_string()))
    };
    let refused = Some(refusal("backup_flags_invalid", "7.2.19"));
    assert_eq!(policy(BackupPolicy::DeviceBound, 0), None);
    assert_eq!(policy(BackupPolicy::DeviceBound, BE), refused);
    assert_eq!(policy(BackupPolicy::Eligible, BE), None);
    assert_eq!(policy(BackupPolicy::Eligible, 0), refused);
    assert_eq!(policy(BackupPolicy::BackedUp, BE | BS), None);
    assert_eq!(policy(BackupPolicy::BackedUp, BE), refused);
}

#[test]
fn step_24_the_result_holds_what_to_update() {
    let assertion = Assertion::es256();
    let verified = assertion.judge().unwrap();
    assert_eq!(verified.credential_id(), &assertion.id);
    assert_eq!(verified.flags(), Flags(UP | UV | BE | BS));
    assert_eq!(verified.backup(), Backup::BackedUp);
    assert!(verified.user_verified());
    assert_eq!(verified.new_sign_count(), SignCount(2));
    assert_eq!(verified.algorithm(), CoseAlgorithm::ES256);
    assert_eq!(verified.origin().as_str(), ORIGIN);
}

#[test]
fn the_first_step_that_does_not_hold_is_named() {
    // Spoiled everywhere; repaired from the front, the refusals come in the order of the text.
    let mut assertion = Assertion::es256();
    assertion.allow_credentials = vec![CredentialId::try_from(&[1][..]).unwrap()];
    assertion.draft.user_handle = None;
    assertion.draft.trailing = vec![0];
    assertion.draft.client_data.set("type", "x");
    assertion.draft.client_data.set("challenge", "x");
    assertion.draft.client_data.set("origin", "x");
    assertion.draft.client_data.set("crossOrigin", true);
    assertion.draft.client_data.set("topOrigin", "x");
    assertion.draft.rp_id_hash[0] ^= 1;
    assertion.draft.flags = BS;
    assertion.backup_eligible = Some(false);
    assertion.public_key.clear();
    assertion.sign_count = 2;
    let repairs: &[fn(&mut Assertion)] = &[
        |a| a.allow_credentials.clear(),
        |a| a.draft.user_handle = Some(support::USER_HANDLE.to_vec()),
        |a| a.draft.trailing.clear(),
        |a| a.draft.client_data.set("type", "webauthn.get"),
        |a| a.draft.client_data.set("challenge", base64url::encode(CHALLENGE)),
        |a| a.draft.client_data.set("origin", ORIGIN),
        |a| a.draft.client_data.set("crossOrigin", false),
        |a| a.draft.client_data.remove("topOrigin"),
        |a| a.draft.rp_id_hash[0] ^= 1,
        |a| a.draft.flags |= UP,
        |a| a.draft.flags |= UV,
        |a| a.draft.flags |= BE,
        |a| a.backup_eligible = Some(true),
        |a| a.public_key = a.draft.key.cose().encode(),
        |a| a.sign_count = 1,
    ];
    let mut steps = Vec::new();
    for repair in repairs {
        let Step::Assertion(number) = assertion.judge().unwrap_err().step() else {
            panic!("no step of 7.2")
        };
        steps.push(number);
        repair(&mut assertion);
    }
    assert_eq!(steps, [5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22]);
    assert!(assertion.judge().is_ok());
}
