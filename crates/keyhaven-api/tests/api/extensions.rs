//! Extensions: what is asked for by configuration, what comes back, and what is refused for it.

use keyhaven_core::{CredProtect, UnsolicitedExtensions};
use keyhaven_service::{ExtensionSettings, Settings};
use keyhaven_testkit::authenticator::{
    Attestation, AttestationKind, Cbor, Extension, RegistrationDraft, SoftwareAuthenticator, sha256, tlv,
};
use keyhaven_types::options::{AttestationConveyance, LargeBlobSupport};
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, ORIGIN, finish, settings};

async fn asking(extensions: ExtensionSettings) -> App {
    App::with(Settings {
        extensions,
        unsolicited_extensions: UnsolicitedExtensions::Refuse,
        ..settings()
    })
    .await
}

/// The options of a registration, and the answer to one whose authenticator signed `signed` and whose client says `client`.
async fn registered(app: &App, signed: &[(&str, Cbor)], client: Value) -> (Value, Answer) {
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let body = json!({"username": "alice"});
    let started = browser.post("/register/start", body).await.expect(200);
    let mut draft = device.draft_registration(&started["publicKey"], ORIGIN).unwrap();
    if !signed.is_empty() {
        let outputs = signed.iter().cloned().map(|(name, value)| (name.into(), value));
        draft.set_extensions(Cbor::Map(outputs.collect()));
    }
    let answer = finished(&mut browser, &started, &draft, client).await;
    (started["publicKey"]["extensions"].clone(), answer)
}

async fn finished(browser: &mut Client, started: &Value, draft: &RegistrationDraft, client: Value) -> Answer {
    let mut credential = draft.finish();
    credential["clientExtensionResults"] = client;
    browser
        .post("/register/finish", finish(started, &credential))
        .await
}

#[tokio::test]
async fn by_default_only_discoverability_is_asked_for() {
    let app = asking(ExtensionSettings::default()).await;
    let (asked, answer) = registered(&app, &[], json!({"credProps": {"rk": true}})).await;
    assert_eq!(asked, json!({"credProps": true}));
    let registered = answer.expect(201);
    assert_eq!(
        registered["credential"]["extensions"],
        json!({"discoverable": true})
    );
    assert_eq!(registered["credential"].get("serialNumber"), None);
    let started = app.browser().post("/login/start", json!({})).await.expect(200);
    assert_eq!(started["publicKey"].get("extensions"), None);
    // What nobody asked for is refused where policy says so.
    let (_, answer) = self::registered(
        &asking(ExtensionSettings::default()).await,
        &[("credProtect", Cbor::Int(3))],
        json!({}),
    )
    .await;
    answer.refused(400, "extension_not_allowed");
}

#[tokio::test]
async fn everything_that_is_asked_for_is_kept_and_shown() {
    let app = asking(ExtensionSettings {
        appid: Some("https://example.org/u2f.json".into()),
        cred_protect: Some(CredProtect::UserVerificationOptionalWithCredentialId),
        enforce_cred_protect: false,
        large_blob: Some(LargeBlobSupport::Preferred),
        min_pin_length: Some(6),
        prf: true,
    })
    .await;
    let signed = [
        ("credProtect", Cbor::Int(3)),
        ("hmac-secret", Cbor::Bool(true)),
        ("minPinLength", Cbor::Int(8)),
    ];
    let client = json!({"credProps": {"rk": true}, "largeBlob": {"supported": false}, "prf": {"enabled": true},
        "appidExclude": true});
    let (asked, answer) = registered(&app, &signed, client).await;
    assert_eq!(
        asked,
        json!({
            "appidExclude": "https://example.org/u2f.json",
            "credProps": true,
            "credentialProtectionPolicy": "userVerificationOptionalWithCredentialIDList",
            "enforceCredentialProtectionPolicy": false,
            "largeBlob": {"support": "preferred"},
            "minPinLength": true,
            "prf": {},
        })
    );
    let registered = answer.expect(201);
    let kept =
        json!({"discoverable": true, "credProtect": 3, "minPinLength": 8, "largeBlob": false, "prf": true});
    assert_eq!(registered["credential"]["extensions"], kept);
    let started = app.browser().post("/login/start", json!({})).await.expect(200);
    assert_eq!(
        started["publicKey"]["extensions"],
        json!({"appid": "https://example.org/u2f.json"})
    );
}

#[tokio::test]
async fn an_authenticator_that_knows_no_extension_is_accepted_where_none_is_demanded() {
    let app = asking(ExtensionSettings {
        cred_protect: Some(CredProtect::UserVerificationRequired),
        large_blob: Some(LargeBlobSupport::Preferred),
        min_pin_length: Some(8),
        prf: true,
        ..ExtensionSettings::default()
    })
    .await;
    let (_, answer) = registered(&app, &[], json!({})).await;
    assert_eq!(answer.expect(201)["credential"]["extensions"], json!({}));
}

#[tokio::test]
async fn a_protection_that_is_enforced_is_signed_and_no_less() {
    let enforcing = || {
        asking(ExtensionSettings {
            cred_protect: Some(CredProtect::UserVerificationOptionalWithCredentialId),
            enforce_cred_protect: true,
            ..ExtensionSettings::default()
        })
    };
    let (asked, answer) = registered(&enforcing().await, &[], json!({})).await;
    assert_eq!(asked["enforceCredentialProtectionPolicy"], true);
    answer.refused(400, "extension_not_allowed");
    for (level, accepted) in [(1, false), (2, true), (3, true)] {
        let (_, answer) = registered(
            &enforcing().await,
            &[("credProtect", Cbor::Int(level))],
            json!({}),
        )
        .await;
        if accepted {
            answer.expect(201);
        } else {
            answer.refused(400, "extension_not_allowed");
        }
    }
    // The client's word is none: it is the authenticator that protects.
    let (_, answer) = registered(&enforcing().await, &[], json!({"credProps": {"rk": true}})).await;
    answer.refused(400, "extension_not_allowed");
}

#[tokio::test]
async fn an_authenticator_that_takes_shorter_pins_is_refused() {
    for (told, accepted) in [(Some(4), false), (Some(7), false), (Some(8), true), (None, true)] {
        let app = asking(ExtensionSettings {
            min_pin_length: Some(8),
            ..ExtensionSettings::default()
        })
        .await;
        let signed: Vec<_> = told
            .map(|length| ("minPinLength", Cbor::Int(length)))
            .into_iter()
            .collect();
        let (_, answer) = registered(&app, &signed, json!({})).await;
        if accepted {
            answer.expect(201);
        } else {
            answer.refused(400, "extension_not_allowed");
        }
    }
}

#[tokio::test]
async fn a_blob_that_is_required_must_be_said_to_fit() {
    for (client, accepted) in [
        (json!({"largeBlob": {"supported": true}}), true),
        (json!({"largeBlob": {"supported": false}}), false),
        (json!({"largeBlob": {}}), false),
        (json!({}), false),
    ] {
        let app = asking(ExtensionSettings {
            large_blob: Some(LargeBlobSupport::Required),
            ..ExtensionSettings::default()
        })
        .await;
        let (asked, answer) = registered(&app, &[], client).await;
        assert_eq!(asked["largeBlob"], json!({"support": "required"}));
        if accepted {
            let registered = answer.expect(201);
            assert_eq!(registered["credential"]["extensions"], json!({"largeBlob": true}));
        } else {
            answer.refused(400, "extension_not_allowed");
        }
    }
}

#[tokio::test]
async fn outputs_that_were_not_asked_for_are_not_kept() {
    let app = App::with(settings()).await;
    let signed = [("credProtect", Cbor::Int(3)), ("minPinLength", Cbor::Int(8))];
    let (_, answer) = registered(&app, &signed, json!({"prf": {"enabled": true}})).await;
    assert_eq!(answer.expect(201)["credential"]["extensions"], json!({}));
}

#[tokio::test]
async fn outputs_of_the_wrong_type_are_refused() {
    for output in [Cbor::Bool(true), Cbor::Int(0), Cbor::Int(4), Cbor::text("3")] {
        let app = asking(ExtensionSettings {
            cred_protect: Some(CredProtect::UserVerificationRequired),
            ..ExtensionSettings::default()
        })
        .await;
        let (_, answer) = registered(&app, &[("credProtect", output)], json!({})).await;
        answer.refused(400, "extension_not_allowed");
    }
}

#[tokio::test]
async fn a_sign_in_under_the_appid_counts_only_where_it_is_configured() {
    const APPID: &str = "https://example.org/u2f.json";
    for (configured, client_says, accepted) in [
        (Some(APPID), true, true),
        (Some(APPID), false, false),
        (None, true, false),
        (Some("https://example.org/other.json"), true, false),
    ] {
        let app = App::with(Settings {
            extensions: ExtensionSettings {
                appid: configured.map(str::to_owned),
                ..ExtensionSettings::default()
            },
            ..settings()
        })
        .await;
        let mut device = SoftwareAuthenticator::new("device");
        let mut browser = app.browser();
        browser.register(&mut device, "alice").await;
        let started = browser
            .post("/login/start", json!({"username": "alice"}))
            .await
            .expect(200);
        let mut draft = device.draft_assertion(&started["publicKey"], ORIGIN).unwrap();
        draft.rp_id_hash = sha256(APPID.as_bytes()).to_vec();
        let mut credential = draft.finish();
        credential["clientExtensionResults"] = json!({"appid": client_says});
        let answer = browser.post("/login/finish", finish(&started, &credential)).await;
        if accepted {
            answer.expect(200);
        } else {
            answer.refused(400, "rp_id_mismatch");
        }
    }
}

/// A registration whose attestation certificate tells this serial number (WebAuthn L3 §8.2.2).
async fn enterprise(attestation: AttestationConveyance, serial: &[u8]) -> (Client, Answer) {
    let app = App::with(Settings {
        attestation,
        ..settings()
    })
    .await;
    let mut device = SoftwareAuthenticator::new("device");
    device.attestation = AttestationKind::PackedX5c(-7);
    let mut browser = app.browser();
    let body = json!({"username": "alice"});
    let started = browser.post("/register/start", body).await.expect(200);
    let mut draft = device.draft_registration(&started["publicKey"], ORIGIN).unwrap();
    let Attestation::PackedX5c { certificate, .. } = &mut draft.attestation else {
        panic!("no certificate")
    };
    let told = Extension::new("1.3.6.1.4.1.45724.1.1.2", false, tlv(0x04, serial));
    certificate.extensions.push(told);
    let answer = finished(&mut browser, &started, &draft, json!({})).await;
    (browser, answer)
}

#[tokio::test]
async fn the_serial_number_of_an_enterprise_attestation_is_kept_where_it_was_asked_for() {
    let serial = [0x00, 0x12, 0xab, 0xff];
    let (mut browser, answer) = enterprise(AttestationConveyance::Enterprise, &serial).await;
    let registered = answer.expect(201);
    assert_eq!(registered["credential"]["serialNumber"], "0012abff");
    let list = browser.get("/credentials").await.expect(200);
    assert_eq!(list["credentials"][0]["serialNumber"], "0012abff");
    for asked in [AttestationConveyance::Direct, AttestationConveyance::None] {
        let (_, answer) = enterprise(asked, &serial).await;
        answer.refused(400, "attestation_invalid");
    }
}
