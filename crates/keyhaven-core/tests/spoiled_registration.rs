//! A valid registration, spoiled one way per case, is refused by exactly its step; unspoiled it is accepted.
//!
//! Tests are named after the step of WebAuthn L3 §7.1 they hold; `docs/conformance.md` lists them.

mod support;

use keyhaven_core::*;
use keyhaven_testkit::authenticator::{
    AT, Attestation, AttestationKind, BASIC_CONSTRAINTS, BE, BS, Cbor, CertificateDraft, ED, Extension,
    FIDO_AAGUID, FIDO_FIRMWARE_VERSION, SigningKey, UP, UV, tlv,
};
use support::{CHALLENGE, ORIGIN, OTHER_ORIGIN, Registration, WRONG_ORIGINS, refusal, trusting_nobody};

#[test]
fn step_03_the_response_is_an_attestation_response() {
    let malformed = || refusal("malformed_response", "7.1.3");
    let spoiled = |spoil: fn(&mut serde_json::Value)| Registration::none().spoiled_json(spoil);
    for member in ["id", "rawId", "type", "response"] {
        let refused =
            Registration::none().spoiled_json(|json| drop(json.as_object_mut().unwrap().remove(member)));
        assert_eq!(refused, malformed(), "without {member}");
        let refused = Registration::none().spoiled_json(|json| json[member] = 1.into());
        assert_eq!(refused, malformed(), "{member} a number");
    }
    for member in ["clientDataJSON", "attestationObject"] {
        let refused = Registration::none()
            .spoiled_json(|json| drop(json["response"].as_object_mut().unwrap().remove(member)));
        assert_eq!(refused, malformed(), "without {member}");
        for text in ["AQ==", "+/8", "A", "AB", "AQ\n", "§"] {
            let refused = Registration::none().spoiled_json(|json| json["response"][member] = text.into());
            assert_eq!(refused, malformed(), "{member} {text:?}");
        }
    }
    assert_eq!(spoiled(|json| json["type"] = "public-Key".into()), malformed());
    assert_eq!(spoiled(|json| json["id"] = "AQI".into()), malformed());
    assert_eq!(spoiled(|json| json["rawId"] = "AQI".into()), malformed());
    assert_eq!(
        spoiled(|json| json["id"] = format!("{}=", json["id"].as_str().unwrap()).into()),
        malformed()
    );
    assert_eq!(
        spoiled(|json| json["response"]["transports"] = "usb".into()),
        malformed()
    );
    assert_eq!(
        spoiled(|json| json["clientExtensionResults"] = "none".into()),
        malformed()
    );
    assert_eq!(
        spoiled(|json| *json = serde_json::json!([json.clone()])),
        malformed()
    );
}

#[test]
fn step_03_the_json_is_strict() {
    let registration = Registration::none();
    let json = registration.draft.finish().to_string();
    assert!(registration.judge_json(json.as_bytes()).is_ok());
    let twice = json.replacen('{', "{\"type\":\"public-key\",", 1);
    for text in [
        twice.as_bytes(),
        b"",
        b"null",
        &[json.as_bytes(), b"x"].concat(),
        b"{\"\xff\":1}",
    ] {
        let error = registration.judge_json(text).unwrap_err();
        assert_eq!(
            (error.code(), error.step().to_string()),
            refusal("malformed_response", "7.1.3")
        );
    }
}

#[test]
fn step_03_an_assertion_is_no_registration() {
    let assertion = support::Assertion::es256().draft.finish().to_string();
    let error = Registration::none().judge_json(assertion.as_bytes()).unwrap_err();
    assert_eq!(
        (error.code(), error.step().to_string()),
        refusal("malformed_response", "7.1.3")
    );
}

#[test]
fn step_03_copies_beside_the_evidence_are_ignored() {
    let registration = Registration::none();
    let mut json = registration.draft.finish();
    json["response"]["publicKey"] = "AAAA".into();
    json["response"]["publicKeyAlgorithm"] = (-257).into();
    json["response"]["authenticatorData"] = 5.into();
    json["clientExtensionResults"]["unknown"] = serde_json::json!({"a": [1]});
    assert!(registration.judge_json(json.to_string().as_bytes()).is_ok());
}

#[test]
fn step_04_the_client_s_word_is_kept_as_it_is() {
    let mut json = Registration::none().draft.finish();
    for word in [true, false] {
        json["clientExtensionResults"] = serde_json::json!({
            "appid": word, "appidExclude": word, "credProps": {"rk": word}, "remoteClientDataJSON": word,
        });
        let response = RegistrationResponse::from_json(json.to_string().as_bytes()).unwrap();
        let results = response.client_extension_results();
        assert_eq!(results.appid(), Some(word));
        assert_eq!(results.appid_exclude(), Some(word));
        assert_eq!(results.cred_props_rk(), Some(word));
        assert_eq!(results.remote_client_data_json(), Some(word));
    }
}

#[test]
fn step_04_null_is_no_word() {
    for results in [
        serde_json::Value::Null,
        serde_json::json!({"appid": null, "credProps": {"rk": null}, "prf": null, "x": null}),
    ] {
        let _ = Registration::none().accepted(|r| {
            r.extension_results = Some(results);
            // Nor one that nobody asked for.
            r.policy.extensions.unsolicited = UnsolicitedExtensions::Refuse;
            r.policy.extensions.requested = std::iter::once(keyhaven_core::Extension::CredProps).collect();
        });
    }
}

#[test]
fn step_05_client_data_is_utf_8() {
    let spoiled = |byte: &[u8]| {
        Registration::none().spoiled(|r| {
            let json = r.draft.client_data.to_json();
            r.draft.client_data.raw = Some([&json[..json.len() - 1], b",\"x\":\"", byte, b"\"}"].concat());
        })
    };
    for invalid in [
        &b"\xff"[..],
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",
    ] {
        assert_eq!(
            spoiled(invalid),
            refusal("malformed_response", "7.1.5"),
            "{invalid:?}"
        );
    }
}

#[test]
fn step_05_a_byte_order_mark_is_dropped() {
    let _ = Registration::packed_self().accepted(|r| {
        r.draft.client_data.raw = Some([b"\xef\xbb\xbf", &r.draft.client_data.to_json()[..]].concat());
    });
}

#[test]
fn step_06_client_data_is_strict_json() {
    for (what, json) in support::malformed_client_data() {
        let json = String::from_utf8(json)
            .unwrap()
            .replace("webauthn.TYPE", "webauthn.create")
            .into_bytes();
        let refused = Registration::none().spoiled(|r| r.draft.client_data.raw = Some(json));
        assert_eq!(refused, refusal("malformed_response", "7.1.6"), "{what}");
    }
}

#[test]
fn step_06_unknown_members_are_allowed() {
    let _ = Registration::none().accepted(|r| {
        r.draft.client_data.set(
            "tokenBinding",
            serde_json::json!({"status": "present", "id": "x"}),
        );
        r.draft
            .client_data
            .set("extraData", serde_json::json!([1, {"a": null}]));
        r.draft.client_data.remove("crossOrigin");
    });
}

#[test]
fn step_07_the_type_is_webauthn_create() {
    for kind in [
        "webauthn.get",
        "webauthn.Create",
        "webauthn.create ",
        "",
        "payment.create",
    ] {
        let refused = Registration::none().spoiled(|r| r.draft.client_data.set("type", kind));
        assert_eq!(refused, refusal("ceremony_type_mismatch", "7.1.7"), "{kind:?}");
    }
}

#[test]
fn step_08_the_challenge_is_the_one_issued() {
    let text = base64url::encode(CHALLENGE);
    let standard = text.replace('-', "+").replace('_', "/");
    assert_ne!(standard, text);
    for challenge in [
        "",
        "AQID",
        &text[1..],
        &text[..text.len() - 1],
        &format!("{text}="),
        &format!("{text}A"),
        &standard,
    ] {
        let refused = Registration::none().spoiled(|r| r.draft.client_data.set("challenge", challenge));
        assert_eq!(refused, refusal("challenge_mismatch", "7.1.8"), "{challenge:?}");
    }
    let refused = Registration::none().spoiled(|r| r.challenge = Challenge::new(vec![1; 16]).unwrap());
    assert_eq!(refused, refusal("challenge_mismatch", "7.1.8"));
}

#[test]
fn step_09_the_origin_is_expected() {
    for origin in WRONG_ORIGINS {
        let refused = Registration::none().spoiled(|r| r.draft.client_data.set("origin", *origin));
        assert_eq!(refused, refusal("origin_mismatch", "7.1.9"), "{origin:?}");
    }
    let refused = Registration::none().spoiled(|r| r.relying_party.origins.clear());
    assert_eq!(refused, refusal("origin_mismatch", "7.1.9"));
    let verified = Registration::none().accepted(|r| r.draft.client_data.set("origin", OTHER_ORIGIN));
    assert_eq!(verified.origin().as_str(), OTHER_ORIGIN);
}

#[test]
fn step_09_a_ceremony_bound_to_one_origin_stays_there() {
    let bound = |origin: &'static str| {
        let mut registration = Registration::none();
        registration.origin = Some(Origin::new(ORIGIN).unwrap());
        registration.spoiled(|r| r.draft.client_data.set("origin", origin))
    };
    assert_eq!(bound(OTHER_ORIGIN), refusal("origin_mismatch", "7.1.9"));
}

#[test]
fn step_09_an_app_origin_is_compared_byte_for_byte() {
    let app = "android:apk-key-hash:AbCd_-";
    let with = |received: &str| {
        let mut registration = Registration::none();
        registration.relying_party.origins = vec![Origin::new(app).unwrap()];
        registration.draft.client_data.set("origin", received);
        registration.judge()
    };
    assert_eq!(with(app).unwrap().origin().as_str(), app);
    assert!(with("android:apk-key-hash:abcd_-").is_err());
    assert!(with("android:apk-key-hash:AbCd_-=").is_err());
}

#[test]
fn step_10_embedded_use_is_refused_unless_allowed() {
    let refused = Registration::none().spoiled(|r| r.draft.client_data.set("crossOrigin", true));
    assert_eq!(refused, refusal("cross_origin_not_allowed", "7.1.10"));
    let _ = Registration::none().accepted(|r| {
        r.draft.client_data.set("crossOrigin", true);
        r.relying_party.cross_origin = support::embedded_in(&[]);
    });
}

#[test]
fn step_11_the_embedding_page_is_expected() {
    let embedded = || {
        let mut registration = Registration::none();
        registration.draft.client_data.set("crossOrigin", true);
        registration
            .draft
            .client_data
            .set("topOrigin", "https://example.com");
        registration.relying_party.cross_origin = support::embedded_in(&["https://example.com"]);
        registration
    };
    let refused = || refusal("top_origin_not_allowed", "7.1.11");
    assert!(embedded().judge().is_ok());
    for top in [
        "https://example.com/",
        "https://EXAMPLE.com",
        "https://sub.example.com",
        "",
        ORIGIN,
    ] {
        assert_eq!(
            embedded().spoiled(|r| r.draft.client_data.set("topOrigin", top)),
            refused(),
            "{top:?}"
        );
    }
    assert_eq!(
        embedded().spoiled(|r| r.relying_party.cross_origin = support::embedded_in(&[])),
        refused()
    );
    assert_eq!(
        embedded().spoiled(|r| r.draft.client_data.set("crossOrigin", false)),
        refused()
    );
    assert_eq!(
        embedded().spoiled(|r| r.draft.client_data.remove("crossOrigin")),
        refused()
    );
    // Where embedding is refused, a top origin alone is no way round.
    let top_origin_alone = |r: &mut Registration| r.draft.client_data.set("topOrigin", "https://example.com");
    assert_eq!(Registration::none().spoiled(top_origin_alone), refused());
}

#[test]
fn step_12_the_hash_is_over_the_bytes_as_received() {
    let json = |r: &Registration| String::from_utf8(r.draft.client_data.to_json()).unwrap();
    let _ = Registration::packed_self()
        .accepted(|r| r.draft.client_data.raw = Some(json(r).replace(',', " ,\n ").into_bytes()));
    // The same members, written another way after signing.
    let refused = Registration::packed_self().spoiled_json(|response| {
        let bytes = base64url::decode(response["response"]["clientDataJSON"].as_str().unwrap()).unwrap();
        let rewritten = String::from_utf8(bytes).unwrap().replace(',', ", ");
        response["response"]["clientDataJSON"] = base64url::encode(rewritten.as_bytes()).into();
    });
    assert_eq!(refused, refusal("attestation_invalid", "8.2"));
}

#[test]
fn step_13_the_attestation_object_is_canonical_cbor() {
    let malformed = || refusal("malformed_response", "7.1.13");
    let spoiled = |spoil: fn(&mut Cbor)| Registration::none().spoiled_object(spoil);
    assert_eq!(spoiled(|object| object.remove("fmt")), malformed());
    assert_eq!(spoiled(|object| object.remove("attStmt")), malformed());
    assert_eq!(spoiled(|object| object.remove("authData")), malformed());
    assert_eq!(spoiled(|object| object.set("extra", Cbor::Null)), malformed());
    assert_eq!(spoiled(|object| object.set(1, Cbor::Null)), malformed());
    assert_eq!(
        spoiled(|object| object.set("fmt", Cbor::Bytes(b"none".to_vec()))),
        malformed()
    );
    assert_eq!(spoiled(|object| object.set("attStmt", Cbor::Null)), malformed());
    assert_eq!(spoiled(|object| object.set("authData", Cbor::Null)), malformed());
    // A duplicate, wherever it stands.
    assert_eq!(
        spoiled(|object| object.entries().insert(1, ("fmt".into(), "none".into()))),
        malformed()
    );
    assert_eq!(
        spoiled(|object| object.entries().push(("fmt".into(), "none".into()))),
        malformed()
    );
    assert_eq!(
        spoiled(|object| object.set(
            "attStmt",
            Cbor::Map(vec![("a".into(), Cbor::Null), ("a".into(), Cbor::Null)])
        )),
        malformed()
    );
    // The same where key order is not looked at.
    let mut any_order = Registration::none();
    any_order.policy.canonical_cbor = CanonicalCbor::AnyKeyOrder;
    for at in 0..=3 {
        let refused = any_order
            .clone()
            .spoiled_object(|object| object.entries().insert(at, ("fmt".into(), "none".into())));
        assert_eq!(refused, malformed(), "{at}");
    }
    // Another form of the same: trailing byte, long length, indefinite length, tag, array, float.
    assert_eq!(
        spoiled(|object| *object = Cbor::Raw([&object.encode()[..], &[0]].concat())),
        malformed()
    );
    assert_eq!(
        spoiled(|object| *object = Cbor::Raw(object.encode()[..50].to_vec())),
        malformed()
    );
    assert_eq!(
        spoiled(|object| *object = Cbor::Raw([&[0xb8, 3], &object.encode()[1..]].concat())),
        malformed()
    );
    assert_eq!(
        spoiled(|object| *object = Cbor::Raw([&[0xbf], &object.encode()[1..], &[0xff]].concat())),
        malformed()
    );
    assert_eq!(
        spoiled(|object| *object = Cbor::Raw([&[0xd9, 0xd9, 0xf7][..], &object.encode()].concat())),
        malformed()
    );
    assert_eq!(
        spoiled(|object| *object = Cbor::Array(vec![object.clone()])),
        malformed()
    );
    assert_eq!(
        spoiled(|object| object.set("attStmt", Cbor::Raw(vec![0xa1, 0x61, b'a', 0xf9, 0]))),
        malformed()
    );
    // Five levels inside the outermost map.
    let deep = |levels| (1..levels).fold(Cbor::Array(vec![]), |inner, _| Cbor::Array(vec![inner]));
    let with = |levels| Registration::none().spoiled_object(|object| object.set("attStmt", deep(levels)));
    assert_eq!(with(5), malformed());
    assert_eq!(with(4), refusal("attestation_invalid", "8.7"));
}

#[test]
fn step_13_key_order_is_refused_only_where_asked_for() {
    let unordered = |canonical_cbor| {
        let mut registration = Registration::none();
        registration.policy.canonical_cbor = canonical_cbor;
        let mut object = registration.draft.attestation_object();
        object.entries().reverse();
        registration.judge_json(
            registration
                .draft
                .envelope(&object.encode())
                .to_string()
                .as_bytes(),
        )
    };
    assert!(unordered(CanonicalCbor::AnyKeyOrder).is_ok());
    let error = unordered(CanonicalCbor::Strict).unwrap_err();
    assert_eq!(
        (error.code(), error.step().to_string()),
        refusal("malformed_response", "7.1.13")
    );
    // In the COSE key too.
    let key = |canonical_cbor| {
        let mut registration = Registration::none();
        registration.policy.canonical_cbor = canonical_cbor;
        registration.draft.public_key.entries().reverse();
        registration.judge()
    };
    assert!(key(CanonicalCbor::AnyKeyOrder).is_ok());
    assert!(key(CanonicalCbor::Strict).is_err());
}

#[test]
fn step_13_authenticator_data_is_split_exactly() {
    let malformed = || refusal("malformed_response", "7.1.13");
    let spoiled = |spoil: fn(&mut Registration)| Registration::none().spoiled(spoil);
    assert_eq!(spoiled(|r| r.draft.rp_id_hash.truncate(31)), malformed());
    assert_eq!(
        spoiled(|r| r.draft.authenticator_data = Some(Vec::new())),
        malformed()
    );
    assert_eq!(
        spoiled(|r| r.draft.authenticator_data = Some(vec![0; 36])),
        malformed()
    );
    assert_eq!(spoiled(|r| r.draft.flags &= !AT), malformed());
    assert_eq!(spoiled(|r| r.draft.trailing = vec![0]), malformed());
    // ED without a map, a map without ED, something else than a map, a map that is not canonical.
    assert_eq!(spoiled(|r| r.draft.flags |= ED), malformed());
    assert_eq!(
        spoiled(|r| r.draft.extensions = Some(Cbor::Map(vec![]))),
        malformed()
    );
    assert_eq!(
        spoiled(|r| r.draft.set_extensions(Cbor::Array(vec![]))),
        malformed()
    );
    assert_eq!(spoiled(|r| r.draft.set_extensions(Cbor::Null)), malformed());
    assert_eq!(
        spoiled(|r| r.draft.set_extensions(Cbor::Map(vec![(1.into(), Cbor::Null)]))),
        malformed()
    );
    assert_eq!(
        spoiled(|r| r.draft.set_extensions(Cbor::Raw(vec![0xbf, 0xff]))),
        malformed()
    );
    assert_eq!(
        spoiled(|r| {
            r.draft.set_extensions(Cbor::Map(vec![
                ("a".into(), Cbor::Null),
                ("a".into(), Cbor::Null),
            ]));
        }),
        malformed()
    );
    // A length of the credential id that lies.
    let lying = |length: u8| {
        Registration::none().spoiled(|r| {
            let mut bytes = r.draft.authenticator_data();
            bytes[54] = length;
            r.draft.authenticator_data = Some(bytes);
        })
    };
    assert_eq!(lying(31), malformed());
    assert_eq!(lying(33), malformed());
    assert_eq!(lying(255), malformed());
    // The reserved flag bits belong to later specifications.
    let _ = Registration::none().accepted(|r| r.draft.flags |= 0x22);
}

#[test]
fn step_13_the_cose_key_has_its_parameters_and_no_others() {
    let malformed = || refusal("malformed_response", "7.1.13");
    for label in [1, 3, -1, -2, -3] {
        let refused = Registration::none().spoiled(|r| r.draft.public_key.remove(label));
        assert_eq!(refused, malformed(), "without {label}");
        let refused = Registration::none().spoiled(|r| r.draft.public_key.set(label, Cbor::text("x")));
        assert_eq!(refused, malformed(), "{label} of another type");
    }
    let mut private_key = Registration::none();
    private_key.policy.canonical_cbor = CanonicalCbor::AnyKeyOrder;
    assert_eq!(
        private_key
            .clone()
            .spoiled(|r| r.draft.public_key.set(-4, Cbor::Bytes(vec![1; 32]))),
        malformed()
    );
    assert_eq!(
        private_key
            .clone()
            .spoiled(|r| r.draft.public_key.set(2, Cbor::Bytes(vec![1]))),
        malformed()
    );
    assert_eq!(
        private_key
            .clone()
            .spoiled(|r| r.draft.public_key.set(4, Cbor::Array(vec![]))),
        malformed()
    );
    assert_eq!(
        private_key.spoiled(|r| r.draft.public_key.set("x", Cbor::Null)),
        malformed()
    );
    let spoiled = |spoil: fn(&mut Cbor)| Registration::none().spoiled(|r| spoil(&mut r.draft.public_key));
    assert_eq!(spoiled(|key| *key = Cbor::Array(vec![])), malformed());
    assert_eq!(
        spoiled(|key| key.entries().insert(1, (1.into(), 2.into()))),
        malformed()
    );
    assert_eq!(
        spoiled(|key| key.set(
            3,
            Cbor::Raw(vec![0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
        )),
        malformed()
    );
    assert_eq!(
        spoiled(|key| key.set(3, Cbor::Raw(vec![0x38, 0x06]))),
        malformed()
    );
    for algorithm in [-8, -257] {
        let mut registration = Registration::new(algorithm, AttestationKind::None);
        registration.policy.canonical_cbor = CanonicalCbor::AnyKeyOrder;
        let refused = registration.spoiled(|r| r.draft.public_key.set(-3, Cbor::Bytes(vec![1])));
        assert_eq!(refused, malformed(), "{algorithm}");
    }
}

#[test]
fn step_14_the_rp_id_hash_is_ours() {
    let refused = Registration::none().spoiled(|r| r.draft.rp_id_hash[31] ^= 1);
    assert_eq!(refused, refusal("rp_id_mismatch", "7.1.14"));
    let refused = Registration::none().spoiled(|r| r.relying_party.id = RpId::new("example.com").unwrap());
    assert_eq!(refused, refusal("rp_id_mismatch", "7.1.14"));
}

#[test]
fn step_15_the_user_is_present() {
    let refused = Registration::none().spoiled(|r| r.draft.flags &= !UP);
    assert_eq!(refused, refusal("user_presence_missing", "7.1.15"));
}

#[test]
fn step_15_a_conditional_registration_may_lack_presence_but_not_verification() {
    let conditional = || {
        let mut registration = Registration::none();
        registration.mediation = Mediation::Conditional;
        registration.draft.flags &= !UP;
        registration
    };
    assert!(conditional().judge().is_ok());
    let refused = conditional().spoiled(|r| r.draft.flags &= !UV);
    assert_eq!(refused, refusal("user_verification_missing", "7.1.16"));
}

#[test]
fn step_16_the_user_is_verified_where_that_is_required() {
    let refused = Registration::none().spoiled(|r| r.draft.flags &= !UV);
    assert_eq!(refused, refusal("user_verification_missing", "7.1.16"));
    for wish in [UserVerification::Preferred, UserVerification::Discouraged] {
        let verified = Registration::none().accepted(|r| {
            r.draft.flags &= !UV;
            r.policy.user_verification = wish;
        });
        assert!(!verified.user_verified());
    }
}

#[test]
fn step_17_backed_up_implies_backup_eligible() {
    let refused = Registration::none().spoiled(|r| r.draft.flags &= !BE);
    assert_eq!(refused, refusal("backup_flags_invalid", "7.1.17"));
    for (flags, backup) in [
        (0, Backup::SingleDevice),
        (BE, Backup::Eligible),
        (BE | BS, Backup::BackedUp),
    ] {
        let verified = Registration::none().accepted(|r| r.draft.flags = r.draft.flags & !(BE | BS) | flags);
        assert_eq!(verified.backup(), backup);
    }
}

#[test]
fn steps_18_and_19_apply_the_policy_on_backup() {
    let policy = |policy: BackupPolicy, flags: u8| {
        let mut registration = Registration::none();
        registration.draft.flags = UP | UV | AT | flags;
        registration.policy.backup = policy;
        registration
            .judge()
            .err()
            .map(|error| (error.code(), error.step().to_string()))
    };
    let at = |step| Some(refusal("backup_flags_invalid", step));
    for flags in [0, BE, BE | BS] {
        assert_eq!(policy(BackupPolicy::Any, flags), None);
    }
    assert_eq!(policy(BackupPolicy::DeviceBound, 0), None);
    assert_eq!(policy(BackupPolicy::DeviceBound, BE), at("7.1.18"));
    assert_eq!(policy(BackupPolicy::DeviceBound, BE | BS), at("7.1.18"));
    assert_eq!(policy(BackupPolicy::Eligible, 0), at("7.1.18"));
    assert_eq!(policy(BackupPolicy::Eligible, BE), None);
    assert_eq!(policy(BackupPolicy::BackedUp, 0), at("7.1.18"));
    assert_eq!(policy(BackupPolicy::BackedUp, BE), at("7.1.19"));
    assert_eq!(policy(BackupPolicy::BackedUp, BE | BS), None);
}

#[test]
fn step_20_the_algorithm_was_offered() {
    let refused = Registration::none().spoiled(|r| r.policy.algorithms = vec![CoseAlgorithm::EDDSA]);
    assert_eq!(refused, refusal("algorithm_not_allowed", "7.1.20"));
    let refused = Registration::none().spoiled(|r| r.policy.algorithms.clear());
    assert_eq!(refused, refusal("algorithm_not_allowed", "7.1.20"));
}

#[test]
fn step_20_an_algorithm_this_build_lacks_is_refused_even_if_offered() {
    for algorithm in [
        -6,
        -10,
        -34,
        -40,
        -46,
        -54,
        -256,
        -260,
        -65535,
        0,
        5,
        i64::MIN,
        i64::MAX,
    ] {
        let refused = Registration::none().spoiled(|r| {
            r.draft.public_key.set(3, algorithm.into());
            r.policy.algorithms.push(CoseAlgorithm::new(algorithm));
        });
        assert_eq!(refused, refusal("unsupported_algorithm", "7.1.20"), "{algorithm}");
    }
    // A key type that nobody here knows, with parameters of its own.
    let refused = Registration::none().spoiled(|r| {
        r.draft.public_key = Cbor::Map(vec![
            (1.into(), 5.into()),
            (3.into(), (-46).into()),
            ((-1).into(), Cbor::Bytes(vec![1; 60])),
        ]);
    });
    assert_eq!(refused, refusal("unsupported_algorithm", "7.1.20"));
}

#[test]
fn step_20_a_key_that_could_never_sign_in_is_refused() {
    let invalid = || refusal("public_key_invalid", "7.1.20");
    let es256 = |spoil: fn(&mut Cbor)| Registration::none().spoiled(|r| spoil(&mut r.draft.public_key));
    let flip = |value: &mut Cbor| {
        let Cbor::Bytes(bytes) = value else {
            panic!("no bytes")
        };
        *bytes.last_mut().unwrap() ^= 1;
    };
    // Off the curve; another curve; compressed; a coordinate of another length; another key type.
    assert_eq!(
        Registration::none().spoiled(|r| flip(r.draft.public_key.at(-2))),
        invalid()
    );
    assert_eq!(es256(|key| key.set(-1, 2.into())), invalid());
    assert_eq!(es256(|key| key.set(-1, 8.into())), invalid());
    assert_eq!(es256(|key| key.set(-3, Cbor::Bool(true))), invalid());
    assert_eq!(es256(|key| key.set(-2, Cbor::Bytes(vec![0; 31]))), invalid());
    assert_eq!(es256(|key| key.set(-2, Cbor::Bytes(Vec::new()))), invalid());
    assert_eq!(es256(|key| key.set(-3, Cbor::Bytes(vec![0; 33]))), invalid());
    assert_eq!(es256(|key| key.set(3, (-35).into())), invalid());
    assert_eq!(es256(|key| key.set(3, (-8).into())), invalid());
    assert_eq!(es256(|key| key.set(3, (-257).into())), invalid());
    assert_eq!(
        es256(|key| *key = Cbor::Map(vec![(1.into(), 9.into()), (3.into(), (-7).into())])),
        invalid()
    );

    let other = |algorithm, spoil: fn(&mut Cbor)| {
        Registration::new(algorithm, AttestationKind::None).spoiled(|r| spoil(&mut r.draft.public_key))
    };
    // ES384: another curve, a P-256 coordinate.
    assert_eq!(other(-35, |key| key.set(-1, 1.into())), invalid());
    assert_eq!(other(-35, |key| key.set(-2, Cbor::Bytes(vec![1; 32]))), invalid());
    assert_eq!(other(-35, |key| key.set(-2, Cbor::Bytes(vec![1; 48]))), invalid());
    // EdDSA: Ed448, a short key, small order, no point.
    assert_eq!(other(-8, |key| key.set(-1, 7.into())), invalid());
    assert_eq!(other(-8, |key| key.set(-1, 1.into())), invalid());
    assert_eq!(other(-8, |key| key.set(-2, Cbor::Bytes(vec![1; 31]))), invalid());
    assert_eq!(other(-8, |key| key.set(-2, Cbor::Bytes(vec![0; 32]))), invalid());
    assert_eq!(
        other(-8, |key| key.set(-2, Cbor::Bytes([&[2][..], &[0; 31]].concat()))),
        invalid()
    );
    // RS256: too small, too large, even, padded, exponents 1 and even.
    let modulus = |len: usize, first: u8, last: u8| {
        let mut n = vec![0xaa; len];
        (n[0], n[len - 1]) = (first, last);
        n
    };
    for n in [
        modulus(128, 0xff, 1),
        modulus(256, 0x7f, 1),
        modulus(1025, 1, 1),
        modulus(256, 0xff, 2),
        modulus(257, 0, 1),
    ] {
        let refused = Registration::new(-257, AttestationKind::None)
            .spoiled(|r| r.draft.public_key.set(-1, Cbor::Bytes(n)));
        assert_eq!(refused, invalid());
    }
    for e in [&[1][..], &[2], &[0, 1, 0, 1], &[]] {
        let refused = Registration::new(-257, AttestationKind::None)
            .spoiled(|r| r.draft.public_key.set(-2, Cbor::Bytes(e.to_vec())));
        assert_eq!(refused, invalid(), "{e:?}");
    }
}

#[test]
fn step_20_comes_before_the_format_and_its_statement() {
    let refused = Registration::none().spoiled(|r| {
        r.draft.public_key.set(3, (-46).into());
        r.draft.attestation = Attestation::PackedSelf;
    });
    assert_eq!(refused, refusal("unsupported_algorithm", "7.1.20"));
}

#[test]
fn step_21_the_format_is_supported() {
    for format in [
        "None",
        "none ",
        "",
        "packed\0",
        "TPM",
        "android-safetynet",
        "android_key",
        "fido-u2f\n",
        "nonepacked",
    ] {
        let refused = Registration::none().spoiled_object(|object| object.set("fmt", format.into()));
        assert_eq!(refused, refusal("unsupported_format", "7.1.21"), "{format:?}");
    }
    let refused =
        Registration::none().spoiled_object(|object| object.set("fmt", Cbor::Text("x".repeat(5_000))));
    assert_eq!(refused, refusal("unsupported_format", "7.1.21"));
}

#[test]
fn section_8_7_none_has_an_empty_statement() {
    let invalid = || refusal("attestation_invalid", "8.7");
    let spoiled =
        |statement: Cbor| Registration::none().spoiled_object(|object| object.set("attStmt", statement));
    assert_eq!(spoiled(Cbor::Map(vec![("alg".into(), (-7).into())])), invalid());
    assert_eq!(spoiled(Cbor::Array(vec![])), invalid());
    let refused = Registration::packed_self().spoiled_object(|object| object.set("fmt", "none".into()));
    assert_eq!(refused, invalid());
}

#[test]
fn section_8_2_packed_has_alg_sig_and_maybe_x5c() {
    let invalid = || refusal("attestation_invalid", "8.2");
    for registration in [Registration::packed_self, Registration::packed_x5c] {
        let spoiled =
            |spoil: fn(&mut Cbor)| registration().spoiled_object(|object| spoil(object.at("attStmt")));
        assert_eq!(spoiled(|statement| statement.remove("alg")), invalid());
        assert_eq!(spoiled(|statement| statement.remove("sig")), invalid());
        assert_eq!(spoiled(|statement| statement.set("alg", "x".into())), invalid());
        assert_eq!(spoiled(|statement| statement.set("alg", (-36).into())), invalid());
        assert_eq!(spoiled(|statement| statement.set("alg", (-8).into())), invalid());
        assert_eq!(spoiled(|statement| statement.set("sig", Cbor::Null)), invalid());
        assert_eq!(
            spoiled(|statement| statement.set("sig", Cbor::Bytes(Vec::new()))),
            invalid()
        );
        assert_eq!(
            spoiled(|statement| statement.set("x5c", Cbor::Array(vec![]))),
            invalid()
        );
        assert_eq!(spoiled(|statement| statement.set("x5c", Cbor::Null)), invalid());
        assert_eq!(
            spoiled(|statement| statement.set("x5c", Cbor::Array(vec![Cbor::Null]))),
            invalid()
        );
        assert_eq!(
            spoiled(|statement| statement.set("x5c", Cbor::Array(vec![Cbor::Bytes(vec![])]))),
            invalid()
        );
        assert_eq!(spoiled(|statement| statement.set("extra", Cbor::Null)), invalid());
        assert_eq!(
            spoiled(|statement| statement.set("ecdaaKeyId", Cbor::Bytes(vec![1]))),
            invalid()
        );
        assert_eq!(spoiled(|statement| *statement = Cbor::Array(vec![])), invalid());
    }
    let refused = Registration::none().spoiled_object(|object| object.set("fmt", "packed".into()));
    assert_eq!(refused, invalid());
}

#[test]
fn section_8_2_the_signature_covers_auth_data_and_the_hash() {
    for algorithm in [-7, -8, -35, -257] {
        for attestation in [AttestationKind::PackedSelf, AttestationKind::PackedX5c(algorithm)] {
            let verified = Registration::new(algorithm, attestation).accepted(|_| {});
            let kind = match attestation {
                AttestationKind::PackedX5c(_) => AttestationType::Uncertain,
                AttestationKind::None | AttestationKind::PackedSelf => AttestationType::SelfAttestation,
            };
            assert_eq!(verified.attestation_type(), kind);
            assert_eq!(verified.attestation_format(), "packed");
            let signed = |spoil: fn(&mut Vec<u8>)| {
                Registration::new(algorithm, attestation).spoiled_object(|object| {
                    let Cbor::Bytes(bytes) = object.at("authData") else {
                        panic!("no bytes")
                    };
                    spoil(bytes);
                })
            };
            // The sign count, and the AAGUID.
            assert_eq!(
                signed(|auth_data| auth_data[36] ^= 1),
                refusal("attestation_invalid", "8.2")
            );
            assert_eq!(
                signed(|auth_data| auth_data[37] ^= 1),
                refusal("attestation_invalid", "8.2")
            );
            let refused = Registration::new(algorithm, attestation).spoiled_object(|object| {
                let Cbor::Bytes(sig) = object.at("attStmt").at("sig") else {
                    panic!("no bytes")
                };
                *sig.last_mut().unwrap() ^= 1;
            });
            assert_eq!(refused, refusal("attestation_invalid", "8.2"), "{algorithm}");
        }
    }
}

#[test]
fn section_8_2_self_attestation_is_by_the_credential_key() {
    let refused =
        Registration::packed_self().spoiled(|r| r.draft.key = SigningKey::new(-7, b"another").unwrap());
    assert_eq!(refused, refusal("attestation_invalid", "8.2"));
    // A key of another algorithm, which alg names and which did sign.
    let refused =
        Registration::packed_self().spoiled(|r| r.draft.key = SigningKey::new(-8, b"another").unwrap());
    assert_eq!(refused, refusal("attestation_invalid", "8.2"));
}

fn with_certificate(spoil: impl FnOnce(&mut CertificateDraft)) -> support::Refusal {
    Registration::packed_x5c().spoiled(|r| {
        let Attestation::PackedX5c { certificate, .. } = &mut r.draft.attestation else {
            panic!("no x5c")
        };
        spoil(certificate);
    })
}

#[test]
fn section_8_2_the_certificate_names_the_key_that_signed() {
    let invalid = || refusal("attestation_invalid", "8.2");
    let another = |algorithm| {
        SigningKey::new(algorithm, b"another")
            .unwrap()
            .subject_public_key_info()
    };
    for algorithm in [-7, -8, -35, -257] {
        assert_eq!(
            with_certificate(|c| c.subject_public_key_info = another(algorithm)),
            invalid(),
            "{algorithm}"
        );
    }
    // P-256 under another curve's name, and no point.
    assert_eq!(
        with_certificate(|c| {
            let point = SigningKey::new(-7, b"another").unwrap().public_bytes();
            let oids = [
                tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
                tlv(6, &[0x2b, 0x81, 4, 0, 0x0a]),
            ]
            .concat();
            let bits = tlv(3, &[&[0][..], &point].concat());
            c.subject_public_key_info = tlv(0x30, &[tlv(0x30, &oids), bits].concat());
        }),
        invalid()
    );
    let refused = Registration::packed_x5c().spoiled_object(|object| {
        let Cbor::Array(path) = object.at("attStmt").at("x5c") else {
            panic!("no array")
        };
        let Some(Cbor::Bytes(leaf)) = path.first_mut() else {
            panic!("no certificate")
        };
        leaf.push(0);
    });
    assert_eq!(refused, invalid());
    // What follows the leaf is a certificate too.
    let refused = Registration::packed_x5c().spoiled_object(|object| {
        let Cbor::Array(path) = object.at("attStmt").at("x5c") else {
            panic!("no array")
        };
        path.push(Cbor::Null);
    });
    assert_eq!(refused, invalid());
    let refused = Registration::packed_x5c().spoiled_object(|object| {
        let Cbor::Array(path) = object.at("attStmt").at("x5c") else {
            panic!("no array")
        };
        let leaf = path[0].clone();
        path.resize(17, leaf);
    });
    assert_eq!(refused, invalid());
}

#[test]
fn section_8_2_1_the_certificate_meets_its_profile() {
    let invalid = || refusal("attestation_invalid", "8.2");
    let spoiled = |spoil: fn(&mut CertificateDraft)| with_certificate(spoil);
    // Version.
    assert_eq!(spoiled(|c| c.version = None), invalid());
    assert_eq!(spoiled(|c| c.version = Some(1)), invalid());
    assert_eq!(spoiled(|c| c.version = Some(3)), invalid());
    // Subject: each part there, once, and right.
    for kind in [6, 10, 11, 3] {
        assert_eq!(
            with_certificate(|c| c.subject.retain(|part| part.kind != kind)),
            invalid(),
            "{kind}"
        );
        assert_eq!(
            with_certificate(|c| c
                .subject
                .push(c.subject.iter().find(|part| part.kind == kind).unwrap().clone())),
            invalid(),
            "{kind} twice"
        );
        assert_eq!(
            with_certificate(|c| c.subject(kind).text.clear()),
            invalid(),
            "{kind} empty"
        );
        // An IA5String.
        assert_eq!(
            with_certificate(|c| c.subject(kind).tag = 0x16),
            invalid(),
            "{kind} of another type"
        );
    }
    for country in ["A", "AAA", "A1", "  "] {
        assert_eq!(
            with_certificate(|c| c.subject(6).text = country.into()),
            invalid(),
            "{country}"
        );
    }
    for unit in [
        "authenticator attestation",
        "Authenticator Attestation ",
        "Authenticator",
    ] {
        assert_eq!(
            with_certificate(|c| c.subject(11).text = unit.into()),
            invalid(),
            "{unit}"
        );
    }
    // Basic constraints: there, and no CA.
    assert_eq!(
        spoiled(|c| c
            .extensions
            .retain(|extension| extension.oid != BASIC_CONSTRAINTS)),
        invalid()
    );
    assert_eq!(
        spoiled(|c| c.extension(BASIC_CONSTRAINTS).value = tlv(0x30, &[1, 1, 0xff])),
        invalid()
    );
    assert_eq!(
        spoiled(|c| c.extension(BASIC_CONSTRAINTS).value = vec![5, 0]),
        invalid()
    );
    // Any extension twice.
    assert_eq!(spoiled(|c| c.extensions.push(c.extensions[0].clone())), invalid());
    assert_eq!(spoiled(|c| c.extensions.push(c.extensions[1].clone())), invalid());
    // The firmware version: a non-negative integer, not critical.
    let firmware = |critical, value: &[u8]| {
        let value = value.to_vec();
        move |c: &mut CertificateDraft| {
            c.extensions.push(Extension {
                oid: FIDO_FIRMWARE_VERSION.to_vec(),
                critical,
                value,
            });
        }
    };
    assert_eq!(with_certificate(firmware(true, &[2, 1, 5])), invalid());
    assert_eq!(with_certificate(firmware(false, &[2, 1, 0x85])), invalid());
    assert_eq!(with_certificate(firmware(false, &[4, 1, 5])), invalid());
    let _ = Registration::packed_x5c().accepted(|r| {
        let Attestation::PackedX5c { certificate, .. } = &mut r.draft.attestation else {
            panic!("no x5c")
        };
        firmware(false, &[2, 1, 5])(certificate);
    });
}

#[test]
fn section_8_2_the_aaguid_extension_matches() {
    let invalid = || refusal("attestation_invalid", "8.2");
    assert_eq!(
        Registration::packed_x5c().spoiled(|r| r.draft.aaguid[0] ^= 1),
        invalid()
    );
    let aaguid = |c: &CertificateDraft| c.extensions[1].value[2..].to_vec();
    assert_eq!(
        with_certificate(|c| c.extension(FIDO_AAGUID).critical = true),
        invalid()
    );
    // Wrapped once, wrapped three times, too long, too short.
    assert_eq!(
        with_certificate(|c| c.extension(FIDO_AAGUID).value = aaguid(c)),
        invalid()
    );
    assert_eq!(
        with_certificate(|c| c.extension(FIDO_AAGUID).value = tlv(4, &tlv(4, &aaguid(c)))),
        invalid()
    );
    assert_eq!(
        with_certificate(|c| c.extension(FIDO_AAGUID).value = tlv(4, &[0; 17])),
        invalid()
    );
    assert_eq!(
        with_certificate(|c| c.extension(FIDO_AAGUID).value = tlv(4, &[0; 15])),
        invalid()
    );
    // Without the extension, any model may be claimed.
    let _ = Registration::packed_x5c().accepted(|r| {
        r.draft.aaguid[0] ^= 1;
        let Attestation::PackedX5c { certificate, .. } = &mut r.draft.attestation else {
            panic!("no x5c")
        };
        certificate.extensions.truncate(1);
    });
}

#[test]
fn step_24_nothing_is_trusted_without_an_anchor() {
    for registration in [
        Registration::none,
        Registration::packed_self,
        Registration::packed_x5c,
    ] {
        let refused = registration().spoiled(|r| r.policy.attestation_trust = trusting_nobody());
        assert_eq!(refused, refusal("attestation_untrusted", "7.1.24"));
    }
}

#[test]
fn step_25_the_credential_id_has_1_to_1023_bytes() {
    for len in [1, 16, 1023] {
        let verified = Registration::none().accepted(|r| {
            r.draft.credential_id = vec![7; len];
            r.draft.envelope_id = vec![7; len];
        });
        assert_eq!(verified.credential_id().as_bytes(), vec![7; len]);
    }
    for len in [0, 1024, 65_535] {
        let refused = Registration::none().spoiled(|r| {
            r.draft.credential_id = vec![7; len];
            r.draft.envelope_id = vec![7; len];
        });
        assert_eq!(refused, refusal("malformed_response", "7.1.25"), "{len}");
    }
}

#[test]
fn step_25_the_attested_id_is_the_one_in_the_envelope() {
    let refused = Registration::none().spoiled(|r| r.draft.envelope_id[0] ^= 1);
    assert_eq!(refused, refusal("malformed_response", "7.1.25"));
    let refused = Registration::none().spoiled(|r| r.draft.credential_id.push(0));
    assert_eq!(refused, refusal("malformed_response", "7.1.25"));
}

#[test]
fn step_27_the_record_holds_what_was_attested() {
    for algorithm in [-7, -8, -35, -257] {
        let registration = Registration::new(algorithm, AttestationKind::None);
        let verified = registration.judge().unwrap();
        assert_eq!(
            verified.credential_id().as_bytes(),
            registration.draft.credential_id
        );
        assert_eq!(verified.public_key(), registration.draft.public_key.encode());
        assert_eq!(verified.algorithm().identifier(), algorithm);
        assert_eq!(verified.sign_count(), SignCount(1));
        assert_eq!(
            verified.claimed_aaguid().unproven().as_bytes(),
            &registration.draft.aaguid
        );
        assert_eq!(verified.flags(), Flags(UP | UV | BE | BS | AT));
        assert_eq!(verified.backup(), Backup::BackedUp);
        assert!(verified.user_verified());
        assert_eq!(verified.attestation_format(), "none");
        assert_eq!(verified.attestation_type(), AttestationType::None);
        assert!(!verified.attestation_trusted());
        assert_eq!(verified.origin().as_str(), ORIGIN);
    }
    let verified = Registration::none().accepted(|r| r.draft.sign_count = u32::MAX);
    assert_eq!(verified.sign_count(), SignCount(u32::MAX));
}

#[test]
fn step_28_extension_outputs_nobody_asked_for_are_ignored() {
    let verified = Registration::packed_self().accepted(|r| {
        r.draft.set_extensions(Cbor::Map(vec![
            ("credProtect".into(), 2.into()),
            ("hmac-secret".into(), Cbor::Bool(true)),
        ]));
    });
    assert!(verified.flags().extension_data());
    // Of any type that CBOR has: `loc` of Level 1 had floating point numbers.
    let coordinate = [&[0xfb][..], &52.5_f64.to_be_bytes()].concat();
    let _ = Registration::packed_self().accepted(|r| {
        let coordinates = Cbor::Array(vec![
            Cbor::Raw(coordinate.clone()),
            Cbor::Raw(vec![0xf9, 0x3c, 0]),
        ]);
        r.draft
            .set_extensions(Cbor::Map(vec![("loc".into(), coordinates)]));
    });
}

fn signed_outputs(r: &mut Registration) {
    r.draft.set_extensions(Cbor::Map(vec![
        ("credBlob".into(), Cbor::Bool(true)),
        ("credProtect".into(), 3.into()),
        ("hmac-secret".into(), Cbor::Bool(true)),
        ("minPinLength".into(), 6.into()),
    ]));
}

#[test]
fn step_28_signed_outputs_are_typed() {
    let verified = Registration::none().accepted(signed_outputs);
    let signed = verified.signed_extensions();
    assert_eq!(signed.cred_blob_stored(), Some(true));
    assert_eq!(signed.cred_protect(), Some(CredProtect::UserVerificationRequired));
    assert_eq!(signed.hmac_secret(), Some(true));
    assert_eq!(signed.min_pin_length(), Some(6));
    assert_eq!(signed.encoded().first(), Some(&0xa4));
    let none = Registration::none().judge().unwrap();
    assert_eq!(none.signed_extensions(), &SignedRegistrationExtensions::default());
}

#[test]
fn step_28_an_output_of_the_wrong_type_counts_for_nothing_and_is_refused_where_it_was_asked_for() {
    for (extension, wrong) in [
        (keyhaven_core::Extension::CredBlob, Cbor::Bytes(vec![])),
        (keyhaven_core::Extension::CredProtect, 0.into()),
        (keyhaven_core::Extension::CredProtect, 4.into()),
        (keyhaven_core::Extension::CredProtect, Cbor::Bool(true)),
        (keyhaven_core::Extension::HmacSecret, 1.into()),
        (keyhaven_core::Extension::MinPinLength, (-1).into()),
        (keyhaven_core::Extension::MinPinLength, (1_i64 << 32).into()),
    ] {
        let change = |r: &mut Registration| {
            r.draft
                .set_extensions(Cbor::Map(vec![(extension.as_str().into(), wrong.clone())]));
        };
        let verified = Registration::none().accepted(change);
        let signed = verified.signed_extensions();
        assert_eq!((signed.cred_protect(), signed.min_pin_length()), (None, None));
        assert_eq!((signed.cred_blob_stored(), signed.hmac_secret()), (None, None));
        let refused = Registration::none().spoiled(|r| {
            change(r);
            r.policy.extensions.requested = [extension].into_iter().collect();
        });
        assert_eq!(
            refused,
            refusal("extension_not_allowed", "7.1.28"),
            "{extension:?}"
        );
    }
}

#[test]
fn step_28_outputs_nobody_asked_for_are_refused_where_policy_says_so() {
    let refuse = |r: &mut Registration| r.policy.extensions.unsolicited = UnsolicitedExtensions::Refuse;
    let refused = || refusal("extension_not_allowed", "7.1.28");
    let spoiled = |spoil: fn(&mut Registration)| {
        let mut registration = Registration::none();
        refuse(&mut registration);
        registration.extension_results = Some(serde_json::json!({}));
        registration.spoiled(spoil)
    };
    assert_eq!(spoiled(signed_outputs), refused());
    assert_eq!(
        spoiled(|r| r.extension_results = Some(serde_json::json!({"credProps": {"rk": true}}))),
        refused()
    );
    assert_eq!(
        spoiled(|r| r.extension_results = Some(serde_json::json!({"uvm": []}))),
        refused()
    );
    // All of them asked for, all of them accepted; prf is carried by hmac-secret, with inputs by hmac-secret-mc as well.
    let _ = Registration::none().accepted(|r| {
        refuse(r);
        r.draft.set_extensions(Cbor::Map(vec![
            ("credBlob".into(), Cbor::Bool(true)),
            ("credProtect".into(), 3.into()),
            ("hmac-secret".into(), Cbor::Bool(true)),
            ("minPinLength".into(), 6.into()),
            ("hmac-secret-mc".into(), Cbor::Bytes(vec![7; 48])),
        ]));
        r.extension_results = Some(serde_json::json!({"credProps": {"rk": true}, "prf": {"enabled": true}, "hmacCreateSecret": true}));
        r.policy.extensions.requested = [
            keyhaven_core::Extension::CredBlob,
            keyhaven_core::Extension::CredProps,
            keyhaven_core::Extension::CredProtect,
            keyhaven_core::Extension::MinPinLength,
            keyhaven_core::Extension::Prf,
        ]
        .into_iter()
        .collect();
    });
}

#[test]
fn step_28_what_policy_demands_of_outputs_is_there() {
    let refused = || refusal("extension_not_allowed", "7.1.28");
    let demanding = |demands: ExtensionDemands, signed: &[(&str, i64)], large_blob: Option<bool>| {
        let mut registration = Registration::none();
        registration.policy.extensions.demands = demands;
        if !signed.is_empty() {
            let outputs = signed
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()));
            registration.draft.set_extensions(Cbor::Map(outputs.collect()));
        }
        if let Some(supported) = large_blob {
            registration.extension_results = Some(serde_json::json!({"largeBlob": {"supported": supported}}));
        }
        registration
            .judge()
            .map(drop)
            .map_err(|error| (error.code(), error.step().to_string()))
    };
    let nothing = ExtensionDemands::default();
    assert_eq!(
        demanding(nothing, &[("credProtect", 1), ("minPinLength", 1)], Some(false)),
        Ok(())
    );

    let levels = [
        CredProtect::UserVerificationOptional,
        CredProtect::UserVerificationOptionalWithCredentialId,
        CredProtect::UserVerificationRequired,
    ];
    for (least, level) in (1_i64..).zip(levels) {
        let demands = ExtensionDemands {
            cred_protect: Some(level),
            ..nothing
        };
        assert_eq!(demanding(demands, &[], None), Err(refused()));
        for signed in 1..=3 {
            let enough = if signed < least { Err(refused()) } else { Ok(()) };
            assert_eq!(
                demanding(demands, &[("credProtect", signed)], None),
                enough,
                "{signed} of {least}"
            );
        }
    }

    let demands = ExtensionDemands {
        min_pin_length: Some(6),
        ..nothing
    };
    for (length, verdict) in [(5, Err(refused())), (6, Ok(())), (7, Ok(()))] {
        assert_eq!(
            demanding(demands, &[("minPinLength", length)], None),
            verdict,
            "{length}"
        );
    }
    assert_eq!(demanding(demands, &[], None), Ok(()));

    let demands = ExtensionDemands {
        large_blob: true,
        ..nothing
    };
    for (supported, verdict) in [
        (None, Err(refused())),
        (Some(false), Err(refused())),
        (Some(true), Ok(())),
    ] {
        assert_eq!(demanding(demands, &[], supported), verdict, "{supported:?}");
    }
}

#[test]
fn the_first_step_that_does_not_hold_is_named() {
    // Spoiled everywhere; repaired from the front, the refusals come in the order of the text.
    let mut registration = Registration::none();
    registration.draft.client_data.set("type", "x");
    registration.draft.client_data.set("challenge", "x");
    registration.draft.client_data.set("origin", "x");
    registration.draft.client_data.set("crossOrigin", true);
    registration.draft.client_data.set("topOrigin", "x");
    registration.draft.rp_id_hash[0] ^= 1;
    registration.draft.flags = AT | BS;
    registration.draft.envelope_id[0] ^= 1;
    registration.policy.algorithms.clear();
    registration.policy.attestation_trust = trusting_nobody();
    let repairs: &[fn(&mut Registration)] = &[
        |r| r.draft.client_data.set("type", "webauthn.create"),
        |r| r.draft.client_data.set("challenge", base64url::encode(CHALLENGE)),
        |r| r.draft.client_data.set("origin", ORIGIN),
        |r| r.draft.client_data.set("crossOrigin", false),
        |r| r.draft.client_data.remove("topOrigin"),
        |r| r.draft.rp_id_hash[0] ^= 1,
        |r| r.draft.flags |= UP,
        |r| r.draft.flags |= UV,
        |r| r.draft.flags |= BE,
        |r| r.policy.algorithms.push(CoseAlgorithm::ES256),
        |r| r.policy.attestation_trust = AttestationTrust::Ignore,
        |r| r.draft.envelope_id[0] ^= 1,
    ];
    let mut steps = Vec::new();
    for repair in repairs {
        let Step::Registration(number) = registration.judge().unwrap_err().step() else {
            panic!("no step of 7.1")
        };
        steps.push(number);
        repair(&mut registration);
    }
    assert_eq!(steps, [7, 8, 9, 10, 11, 14, 15, 16, 17, 20, 24, 25]);
    assert!(registration.judge().is_ok());
}
