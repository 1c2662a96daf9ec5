//! Attestation, where the operator wants it trusted.

use std::sync::Arc;

use keyhaven_core::cbor::{CanonicalCbor, Value};
use keyhaven_core::{
    AttestationObject, KeyProtection, TrustAnchor, TrustAnchorSource, TrustAnchors, base64url,
};
use keyhaven_service::{Anchors, Settings};
use keyhaven_testkit::authenticator::{
    Attestation, AttestationKind, BASIC_CONSTRAINTS, BE, BS, CertificateDraft, SigningKey,
    SoftwareAuthenticator, base64url_decode, tlv,
};
use keyhaven_types::Aaguid;
use keyhaven_types::options::{AttestationConveyance, UserVerification};
use serde_json::json;

use crate::stores::TestStore;
use crate::support::{App, ORIGIN, finish, settings};

struct Chosen(Arc<TrustAnchors>);

impl Anchors for Chosen {
    fn current(&self) -> Arc<dyn TrustAnchorSource> {
        self.0.clone()
    }
}

/// A server that trusts the model whose attestation certificate this is, and no other, and knows this of its keys.
async fn trusting(certificate: &[u8], protection: KeyProtection) -> App {
    let anchors: TrustAnchors = [TrustAnchor::from_der("test", certificate).unwrap()]
        .into_iter()
        .collect();
    let anchors = anchors.with_protection(protection);
    let settings = Settings {
        attestation: AttestationConveyance::Direct,
        ..settings()
    };
    let anchors: Arc<dyn Anchors> = Arc::new(Chosen(Arc::new(anchors)));
    App::trusting(settings, TestStore::fresh().await, Some(anchors)).await
}

fn attesting(seed: &str, kind: AttestationKind) -> SoftwareAuthenticator {
    let mut device = SoftwareAuthenticator::new(seed);
    device.attestation = kind;
    device.backup = 0;
    device
}

/// The certificate that a device attests with.
fn certificate(device: &mut SoftwareAuthenticator) -> Vec<u8> {
    let options = json!({"rp": {"id": "example.org"}, "user": {"id": "AA"}, "challenge": "AA",
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}], "attestation": "direct"});
    let response = device.register(&options, ORIGIN);
    let object = base64url_decode(response["response"]["attestationObject"].as_str().unwrap());
    let object = AttestationObject::parse(&object, CanonicalCbor::AnyKeyOrder).unwrap();
    let Value::Map(statement) = object.statement() else {
        panic!("no statement")
    };
    let Some(Value::Array(path)) = statement.get("x5c") else {
        panic!("no certificates")
    };
    let Some(Value::Bytes(leaf)) = path.items().next() else {
        panic!("no certificate")
    };
    leaf.to_vec()
}

/// Registers and signs in with this device where its model is known so; the levels and contexts reached by each.
async fn levels(mut device: SoftwareAuthenticator, protection: KeyProtection) -> [(u64, String); 2] {
    let mut twin = device.clone();
    let app = trusting(&certificate(&mut twin), protection).await;
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    assert_eq!(registered["credential"]["attestationTrust"], "trusted");
    let signed_in = browser.login(&mut device, None).await.expect(200);
    [registered, signed_in].map(|answer| {
        let session = &answer["session"];
        let class = session["acr"].as_str().unwrap().to_owned();
        let hardware = session["amr"].as_array().unwrap().contains(&json!("hwk"));
        assert_eq!(hardware, class == "phrh");
        (session["aal"].as_u64().unwrap(), class)
    })
}

fn both(aal: u64, class: &str) -> [(u64, String); 2] {
    [(aal, class.to_owned()), (aal, class.to_owned())]
}

#[tokio::test]
async fn aal3_is_a_verified_user_with_a_device_bound_key_that_a_trusted_attestation_says_hardware_keeps() {
    let device = attesting("device", AttestationKind::PackedX5c(-7));
    assert_eq!(levels(device, KeyProtection::Hardware).await, both(3, "phrh"));
}

#[tokio::test]
async fn a_trusted_attestation_that_does_not_say_hardware_is_aal2() {
    for protection in [KeyProtection::Unknown, KeyProtection::Software] {
        let device = attesting("device", AttestationKind::PackedX5c(-7));
        assert_eq!(levels(device, protection).await, both(2, "phr"));
    }
}

#[tokio::test]
async fn a_key_that_can_be_backed_up_is_aal2_whatever_attests_it() {
    for backup in [BE, BE | BS] {
        let mut device = attesting("device", AttestationKind::PackedX5c(-7));
        device.backup = backup;
        assert_eq!(levels(device, KeyProtection::Hardware).await, both(2, "phr"));
    }
}

#[tokio::test]
async fn hardware_without_a_verified_user_is_aal1() {
    let mut device = attesting("device", AttestationKind::PackedX5c(-7));
    let settings = Settings {
        user_verification: UserVerification::Discouraged,
        attestation: AttestationConveyance::Direct,
        ..settings()
    };
    let mut twin = device.clone();
    let anchor = TrustAnchor::from_der("test", &certificate(&mut twin)).unwrap();
    let anchors: TrustAnchors = [anchor].into_iter().collect();
    let anchors: Arc<dyn Anchors> =
        Arc::new(Chosen(Arc::new(anchors.with_protection(KeyProtection::Hardware))));
    let app = App::trusting(settings, TestStore::fresh().await, Some(anchors)).await;
    device.verifies_user = false;
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    assert_eq!(registered["session"]["aal"], 1);
    assert_eq!(registered["session"]["amr"], json!(["hwk", "user"]));
    // User verification that was not there at registration is no factor afterwards, and does not become one by being used.
    device.verifies_user = true;
    for _ in 0..2 {
        let signed_in = browser.login(&mut device, None).await.expect(200);
        assert_eq!(signed_in["session"]["aal"], 1);
    }
}

#[tokio::test]
async fn without_an_attestation_that_was_judged_a_verified_user_is_aal2() {
    let app = App::new().await;
    let kinds = [
        AttestationKind::None,
        AttestationKind::PackedSelf,
        AttestationKind::PackedX5c(-7),
    ];
    for (n, kind) in kinds.into_iter().enumerate() {
        let mut device = attesting(&format!("device {n}"), kind);
        let mut browser = app.browser();
        let name = format!("alice-{n}");
        let registered = browser.register(&mut device, &name).await;
        assert_eq!(registered["session"]["aal"], 2);
        assert_eq!(registered["session"]["acr"], "phr");
        let signed_in = browser.login(&mut device, None).await.expect(200);
        assert_eq!(signed_in["session"]["aal"], 2);
        assert_eq!(signed_in["session"]["amr"], json!(["swk", "user", "mfa"]));
    }
}

#[tokio::test]
async fn a_trusted_device_bound_passkey_reaches_the_highest_level_and_an_unattested_one_gets_nowhere() {
    let app = trusting(
        &certificate(&mut attesting("device", AttestationKind::PackedX5c(-7))),
        KeyProtection::Hardware,
    )
    .await;
    let mut device = attesting("device", AttestationKind::PackedX5c(-7));
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    assert_eq!(registered["credential"]["attestationTrust"], "trusted");
    assert_eq!(registered["credential"]["attestationFormat"], "packed");
    assert_eq!(registered["session"]["aal"], 3);
    let signed_in = browser.login(&mut device, None).await.expect(200);
    assert_eq!(signed_in["session"]["aal"], 3);

    for kind in [AttestationKind::None, AttestationKind::PackedSelf] {
        let mut other = attesting("other", kind);
        let mut stranger = app.browser();
        let body = json!({"username": "mallory"});
        let started = stranger.post("/register/start", body).await.expect(200);
        assert_eq!(started["publicKey"]["attestation"], "direct");
        let credential = other.register(&started["publicKey"], ORIGIN);
        let answer = stranger
            .post("/register/finish", finish(&started, &credential))
            .await;
        answer.refused(400, "attestation_untrusted");
    }
}

#[tokio::test]
async fn only_authenticators_that_prove_to_be_of_an_approved_model_are_registered() {
    let device = attesting("device", AttestationKind::PackedX5c(-7));
    let model = Aaguid::new(device.aaguid);
    // As the attestation certificate names its model, or where it names none; and which models are approved.
    for (named, approved, expected) in [
        (true, vec![], 201),
        (true, vec![model], 201),
        (true, vec![Aaguid::new([9; 16]), model], 201),
        (true, vec![Aaguid::new([9; 16])], 400),
        (false, vec![], 201),
        (false, vec![model], 400),
    ] {
        let mut device = device.clone();
        let key = SigningKey::new(-7, b"attestation root").unwrap();
        let mut root = CertificateDraft::attestation(&key, device.aaguid);
        root.subject.clone_from(&root.issuer);
        root.extensions.truncate(1);
        root.extension(BASIC_CONSTRAINTS).value = tlv(0x30, &tlv(0x01, &[0xff]));
        let anchor = TrustAnchor::from_der("test", &root.sign(&key)).unwrap();
        let anchors: Arc<dyn Anchors> = Arc::new(Chosen(Arc::new([anchor].into_iter().collect())));
        let settings = Settings {
            attestation: AttestationConveyance::Direct,
            allowed_models: approved.clone(),
            ..settings()
        };
        let app = App::trusting(settings, TestStore::fresh().await, Some(anchors)).await;
        let mut browser = app.browser();
        let started = browser
            .post("/register/start", json!({"username": "alice"}))
            .await
            .expect(200);
        let mut draft = device.draft_registration(&started["publicKey"], ORIGIN).unwrap();
        if let Attestation::PackedX5c { certificate, .. } = &mut draft.attestation
            && !named
        {
            certificate.extensions.truncate(1);
        }
        let answer = browser
            .post("/register/finish", finish(&started, &draft.finish()))
            .await;
        if expected == 201 {
            answer.expect(201);
        } else {
            answer.refused(400, "attestation_untrusted");
            assert_eq!(answer.body["step"], "L3 7.1.24", "{named} {approved:?}");
            // Nothing is left of it.
            let again = browser
                .post("/register/start", json!({"username": "alice"}))
                .await;
            again.expect(200);
        }
    }
}

#[tokio::test]
async fn cbor_maps_in_any_order_are_registered_where_the_operator_does_not_ask_for_more() {
    for (canonical_cbor, expected) in [(CanonicalCbor::AnyKeyOrder, 201), (CanonicalCbor::Strict, 400)] {
        let settings = Settings {
            canonical_cbor,
            ..settings()
        };
        let app = App::with(settings).await;
        let mut browser = app.browser();
        let started = browser
            .post("/register/start", json!({"username": "alice"}))
            .await
            .expect(200);
        let mut device = SoftwareAuthenticator::new("device");
        let mut credential = device.register(&started["publicKey"], ORIGIN);
        // `fmt`, `attStmt`, `authData`, which has the longest key before the second one of its length.
        let object = base64url_decode(credential["response"]["attestationObject"].as_str().unwrap());
        let canonical = b"\xa3\x63fmt\x64none\x67attStmt\xa0";
        let rest = object.strip_prefix(canonical).expect("a statement of nothing");
        let swapped = [&b"\xa3\x67attStmt\xa0\x63fmt\x64none"[..], rest].concat();
        credential["response"]["attestationObject"] = json!(base64url::encode(&swapped));
        let answer = browser
            .post("/register/finish", finish(&started, &credential))
            .await;
        if expected == 201 {
            answer.expect(201);
        } else {
            answer.refused(400, "malformed_response");
        }
    }
}
