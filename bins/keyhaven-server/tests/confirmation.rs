//! A confirmed action is kept, and judged again later without the server.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::process::Server;
use serde_json::{Value, json};

const KEYHAVEN: &str = env!("CARGO_BIN_EXE_keyhaven");

/// A browser, as far as origin and cookies go.
struct Browser<'a> {
    server: &'a Server,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    fn post(&mut self, path: &str, body: &Value, status: u16) -> Value {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut answer = agent
            .post(format!("{}{path}", self.server.origin()))
            .header("origin", self.server.origin())
            .header("cookie", cookies.join("; "))
            .send_json(body)
            .unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let body: Value = answer.body_mut().read_json().unwrap();
        assert_eq!(answer.status(), status, "{body}");
        body
    }

    fn finish(&mut self, path: &str, started: &Value, credential: &Value, status: u16) -> Value {
        self.post(
            path,
            &json!({"ceremonyId": started["ceremonyId"], "credential": credential}),
            status,
        )
    }
}

fn verdict(case: &Value) -> Value {
    let mut verifier = Command::new(KEYHAVEN)
        .arg("verify")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(verifier.stdin.take().unwrap(), "{case}").unwrap();
    let output = verifier.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_confirmation_is_verified_offline_and_confirms_its_action_only() {
    let server = Server::start(KEYHAVEN, &[]);
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = Browser {
        server: &server,
        cookies: BTreeMap::new(),
    };
    let started = browser.post("/register/start", &json!({"username": "alice"}), 200);
    let credential = device.register(&started["publicKey"], &server.origin());
    browser.finish("/register/finish", &started, &credential, 201);

    // printf 'pay 100 to bob' | sha256sum, in base64url.
    let action = "fteUlkbPVMSO1-uXXG-6uGg95yuhqv7neU05XEaBlSo";
    let started = browser.post(
        "/step-up/start",
        &json!({"purpose": "action", "actionHash": action}),
        200,
    );
    let credential = device.authenticate(&started["publicKey"], &server.origin());
    let granted = browser.finish("/step-up/finish", &started, &credential, 200);
    drop(server);

    let confirmation = &granted["confirmation"];
    assert_eq!(confirmation["action"]["hash"], action);
    assert_eq!(verdict(confirmation)["verdict"], "ok");

    // Another action, another nonce, another key: not confirmed.
    let other = |path: &str, value: Value| {
        let mut case = confirmation.clone();
        *case.pointer_mut(path).unwrap() = value;
        verdict(&case)
    };
    let zeros = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for path in ["/action/hash", "/action/nonce"] {
        let answer = other(path, zeros.clone());
        assert_eq!(
            (&answer["code"], &answer["step"]),
            (&json!("challenge_mismatch"), &json!("L3 7.2.11")),
            "{answer}"
        );
    }
    assert_eq!(other("/action/hash", json!("AAAA"))["verdict"], "error");
    // A challenge beside the action could contradict it.
    let mut both = confirmation.clone();
    both["challenge"] = started["publicKey"]["challenge"].clone();
    assert_eq!(verdict(&both)["verdict"], "error");
    let mut neither = confirmation.clone();
    neither.as_object_mut().unwrap().remove("action");
    assert_eq!(verdict(&neither)["verdict"], "error");
}
