//! A second implementation that disagrees.

use std::sync::Arc;

use keyhaven_core::{
    AssertionPolicy, CredentialRecord, ExpectedAssertion, ExpectedRegistration, RegistrationPolicy,
    VerifiedAssertion, VerifiedRegistration,
};
use keyhaven_service::{Crosscheck, SecondVerdict};
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::json;

use crate::support::{App, ORIGIN, finish};

/// Objects to registrations, or to assertions.
struct Objecting {
    to_registrations: bool,
}

impl SecondVerdict for Objecting {
    fn against_registration(
        &self,
        json: &[u8],
        _: &ExpectedRegistration<'_>,
        _: &RegistrationPolicy<'_>,
        _: &VerifiedRegistration,
    ) -> Option<String> {
        assert!(json.starts_with(b"{"));
        self.to_registrations.then(|| "no".into())
    }

    fn against_assertion(
        &self,
        json: &[u8],
        _: &ExpectedAssertion<'_>,
        _: &CredentialRecord<'_>,
        _: &AssertionPolicy,
        _: &VerifiedAssertion,
    ) -> Option<String> {
        assert!(json.starts_with(b"{"));
        (!self.to_registrations).then(|| "no".into())
    }
}

async fn app(to_registrations: bool, enforce: bool) -> App {
    App::crosschecked(Crosscheck {
        judge: Arc::new(Objecting { to_registrations }),
        enforce,
    })
    .await
}

#[tokio::test]
async fn an_objection_refuses_where_it_is_enforced() {
    let app = app(true, true).await;
    let mut browser = app.browser();
    let mut device = SoftwareAuthenticator::new("device");
    let body = json!({"username": "alice"});
    let started = browser.post("/register/start", body).await.expect(200);
    let credential = device.register(&started["publicKey"], ORIGIN);
    let answer = browser
        .post("/register/finish", finish(&started, &credential))
        .await;
    answer.refused(400, "attestation_invalid");

    let app = self::app(false, true).await;
    let mut device = SoftwareAuthenticator::new("device");
    app.browser().register(&mut device, "alice").await;
    let answer = app.browser().login(&mut device, Some("alice")).await;
    answer.refused(401, "authentication_failed");
}

#[tokio::test]
async fn an_objection_is_only_told_where_it_is_reported() {
    for to_registrations in [true, false] {
        let app = app(to_registrations, false).await;
        let mut device = SoftwareAuthenticator::new("device");
        app.browser().register(&mut device, "alice").await;
        app.browser().login(&mut device, Some("alice")).await.expect(200);
    }
}
