//! A second, independent client: 1Password's `passkey` crate, over HTTP, without a browser.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::{Server, TempDir};
use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client, DefaultClientData};
use passkey::crypto::rust_crypto::RustCryptoBackend;
use passkey::types::Passkey;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use passkey::types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use serde_json::{Value, json};
use url::Url;

/// A person who is always there and always says yes.
struct Willing;

#[async_trait::async_trait]
impl UserValidationMethod for Willing {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _: UiHint<'a, Self::PasskeyItem>,
        presence: bool,
        verification: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck {
            presence,
            verification,
        })
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn it_registers_and_signs_in_by_name_and_without() {
    registers_and_signs_in(&[]).await;
}

#[tokio::test]
async fn it_registers_and_signs_in_with_postgresql() {
    let database = Database::fresh();
    let directory = TempDir::new("key");
    let key = directory.secret_key();
    registers_and_signs_in(&[
        ("KEYHAVEN_DATABASE_URL", database.url()),
        ("KEYHAVEN_DATABASE_REPLICA_URL", database.url()),
        ("KEYHAVEN_DATABASE_CONNECTIONS", "2"),
        ("KEYHAVEN_SECRET_KEY_FILE", &key),
    ])
    .await;
}

async fn registers_and_signs_in(environment: &[(&str, &str)]) {
    let server = Server::start(env!("CARGO_BIN_EXE_keyhaven"), environment);
    let origin = Url::parse(&server.origin()).unwrap();
    let store: Option<Passkey> = None;
    let mut authenticator = Authenticator::new(Aaguid::new_empty(), store, Willing, RustCryptoBackend);
    authenticator.set_make_credentials_with_signature_counter(true);
    let mut client = Client::new(authenticator).allows_insecure_localhost(true);

    let started = post(&server, "/register/start", &json!({"username": "alice"}), 200);
    let options: CredentialCreationOptions =
        serde_json::from_value(json!({"publicKey": started["publicKey"]})).unwrap();
    let credential = client
        .register(&origin, options, DefaultClientData)
        .await
        .unwrap();
    let credential = serde_json::to_value(credential).unwrap();
    let registered = post(&server, "/register/finish", &finish(&started, &credential), 201);
    assert_eq!(registered["user"]["username"], "alice");

    for (body, expected_count) in [(json!({"username": "alice"}), 1), (json!({}), 2)] {
        let started = post(&server, "/login/start", &body, 200);
        let options: CredentialRequestOptions =
            serde_json::from_value(json!({"publicKey": started["publicKey"]})).unwrap();
        let credential = client
            .authenticate(&origin, options, DefaultClientData)
            .await
            .unwrap();
        let credential = serde_json::to_value(credential).unwrap();
        let done = post(&server, "/login/finish", &finish(&started, &credential), 200);
        assert_eq!(done["user"], registered["user"]);
        assert_eq!(done["credential"]["signCount"], expected_count);
    }
}

fn finish(started: &Value, credential: &Value) -> Value {
    json!({"ceremonyId": started["ceremonyId"], "credential": credential})
}

fn post(server: &Server, path: &str, body: &Value, status: u16) -> Value {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let mut answer = agent
        .post(format!("{}{path}", server.origin()))
        .send_json(body)
        .unwrap();
    let body: Value = answer.body_mut().read_json().unwrap();
    assert_eq!(answer.status(), status, "{body}");
    body
}
