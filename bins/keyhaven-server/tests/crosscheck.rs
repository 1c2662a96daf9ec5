//! The second verdict at run time: it agrees with real sign-ins, and has nothing to say where it knows nothing.
#![cfg(feature = "crosscheck")]
#![expect(clippy::unwrap_used, reason = "tests")]

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::process::Server;
use serde_json::{Value, json};

fn post(server: &Server, path: &str, body: &Value) -> Value {
    let url = format!("{}{path}", server.origin());
    let mut answer = ureq::post(&url).send_json(body).unwrap();
    answer.body_mut().read_json().unwrap()
}

#[test]
fn it_agrees_with_sign_ins_or_abstains() {
    let server = Server::start(
        env!("CARGO_BIN_EXE_keyhaven"),
        &[("KEYHAVEN_CROSSCHECK", "enforce")],
    );
    for (name, algorithm) in [("alice", -7), ("bob", -8), ("carol", -257)] {
        let mut device = SoftwareAuthenticator::new(name);
        device.algorithms = vec![algorithm];
        let started = post(&server, "/register/start", &json!({"username": name}));
        let credential = device.register(&started["publicKey"], &server.origin());
        let body = json!({"ceremonyId": started["ceremonyId"], "credential": credential});
        let registered = post(&server, "/register/finish", &body);
        assert_eq!(registered["user"]["username"], name);
        let started = post(&server, "/login/start", &json!({"username": name}));
        let credential = device.authenticate(&started["publicKey"], &server.origin());
        let body = json!({"ceremonyId": started["ceremonyId"], "credential": credential});
        assert_eq!(post(&server, "/login/finish", &body)["user"]["username"], name);
    }
}
