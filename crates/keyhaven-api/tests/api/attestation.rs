//! Attestation, where the operator wants it trusted.

use std::sync::Arc;

use keyhaven_core::cbor::{CanonicalCbor, Value};
use keyhaven_core::{AttestationObject, TrustAnchor, TrustAnchorSource, TrustAnchors};
use keyhaven_service::{Anchors, Settings};
use keyhaven_storage_memory::MemoryStore;
use keyhaven_testkit::authenticator::{AttestationKind, SoftwareAuthenticator, base64url_decode};
use keyhaven_types::options::AttestationConveyance;
use serde_json::json;

use crate::support::{App, ORIGIN, finish, settings};

struct Chosen(Arc<TrustAnchors>);

impl Anchors for Chosen {
    fn current(&self) -> Arc<dyn TrustAnchorSource> {
        self.0.clone()
    }
}

/// A server that trusts the model whose attestation certificate this is, and no other.
async fn trusting(certificate: &[u8]) -> App {
    let anchors: TrustAnchors = [TrustAnchor::from_der("test", certificate).unwrap()]
        .into_iter()
        .collect();
    let settings = Settings {
        attestation: AttestationConveyance::Direct,
        ..settings()
    };
    let anchors: Arc<dyn Anchors> = Arc::new(Chosen(Arc::new(anchors)));
    App::trusting(settings, Arc::new(MemoryStore::new()), Some(anchors)).await
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

#[tokio::test]
async fn a_trusted_device_bound_passkey_reaches_the_highest_level_and_an_unattested_one_gets_nowhere() {
    let app = trusting(&certificate(&mut attesting(
        "device",
        AttestationKind::PackedX5c(-7),
    )))
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
