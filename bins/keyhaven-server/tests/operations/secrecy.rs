//! All that can be logged is logged, everything that can be done is done, and no secret is in the lines.

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::TempDir;
use serde_json::{Value, json};

use crate::process::{Client, Process, finish};

/// What was said to and by the server, and must not be found in its log.
#[derive(Default)]
pub(crate) struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, what: &str, value: &Value) {
        let text = value.as_str().unwrap_or_else(|| panic!("{what}: {value}"));
        self.0.push((what.to_owned(), text.to_owned()));
    }

    fn add_cookies(&mut self, client: &Client) {
        for (name, value) in &client.cookies {
            self.add(name, &json!(value));
        }
    }

    fn add_response(&mut self, credential: &Value) {
        for name in ["clientDataJSON", "signature", "attestationObject", "userHandle"] {
            if let Some(value) = credential["response"][name].as_str() {
                self.add(name, &json!(value));
            }
        }
    }

    /// Nothing of it is in there: not as it was sent, and not (the cookies and ids) as its bytes are printed.
    #[track_caller]
    pub(crate) fn are_not_in(&self, text: &str) {
        assert!(self.0.len() > 10);
        for (what, secret) in &self.0 {
            assert!(secret.len() >= 10, "{what}: too short to be looked for");
            assert!(
                !text.contains(secret.as_str()),
                "{what} is there: {}",
                around(text, secret)
            );
            let bytes = decoded(secret);
            if let Some(bytes) = bytes.filter(|bytes| bytes.len() >= 16) {
                let debug = format!("{:?}", &bytes[..16]);
                let debug = debug.trim_matches(['[', ']']);
                assert!(!text.contains(debug), "{what} is there as bytes");
                let hex: String = bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
                assert!(
                    !text.to_lowercase().contains(&hex),
                    "{what} is there in hexadecimal"
                );
            }
        }
    }
}

/// The bytes of a text that may be base64url.
fn decoded(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

fn around(text: &str, secret: &str) -> String {
    text.lines()
        .find(|line| line.contains(secret))
        .unwrap_or("")
        .chars()
        .take(600)
        .collect()
}

/// Every ceremony, well and badly done, and everything that a session can do.
pub(crate) fn drive_everything(process: &Process) -> Secrets {
    let mut secrets = Secrets::default();
    let mut device = SoftwareAuthenticator::new("device");
    let mut anna = process.client();
    let email = "anna.secret.address@mail.example";
    secrets.add("e-mail", &json!(email));
    let about = json!({"username": "anna-the-user", "email": email, "displayName": "Anna Of Display"});
    secrets.add("username", &about["username"]);
    secrets.add("display name", &about["displayName"]);
    let started = anna.post("/register/start", &about, 200);
    secrets.add("ceremony", &started["ceremonyId"]);
    secrets.add("challenge", &started["publicKey"]["challenge"]);
    let credential = device.register(&started["publicKey"], &anna.origin);
    secrets.add_response(&credential);
    let done = anna.post("/register/finish", &finish(&started, &credential), 201);
    secrets.add_cookies(&anna);
    secrets.add("access token", &done["session"]["accessToken"]);
    // Badly: the same again, and a finish of nothing.
    anna.post("/register/finish", &finish(&started, &credential), 400);

    for body in [
        json!({}),
        json!({"username": "anna-the-user"}),
        json!({"username": "nobody-of-ours"}),
    ] {
        let started = anna.post("/login/start", &body, 200);
        secrets.add("ceremony", &started["ceremonyId"]);
        secrets.add("challenge", &started["publicKey"]["challenge"]);
        if body["username"] == "nobody-of-ours" {
            continue;
        }
        let mut credential = device.authenticate(&started["publicKey"], &anna.origin);
        secrets.add_response(&credential);
        anna.post("/login/finish", &finish(&started, &credential), 200);
        secrets.add_cookies(&anna);
        let started = anna.post("/login/start", &body, 200);
        credential = device.authenticate(&started["publicKey"], &anna.origin);
        let signature = credential["response"]["signature"].clone();
        secrets.add("ceremony", &started["ceremonyId"]);
        credential["response"]["signature"] = json!(format!("{}AAAA", signature.as_str().unwrap()));
        secrets.add_response(&credential);
        anna.post("/login/finish", &finish(&started, &credential), 401);
    }
    let started = anna.post("/step-up/start", &json!({"purpose": "export"}), 200);
    secrets.add("ceremony", &started["ceremonyId"]);
    let credential = device.authenticate(&started["publicKey"], &anna.origin);
    secrets.add_response(&credential);
    anna.post("/step-up/finish", &finish(&started, &credential), 200);

    let started = anna.post("/register/start", &json!({}), 200);
    let mut other = SoftwareAuthenticator::new("other device");
    let credential = other.register(&started["publicKey"], &anna.origin);
    secrets.add_response(&credential);
    anna.post("/register/finish", &finish(&started, &credential), 201);

    let (status, body) = anna.send("POST", "/session/refresh", &[], None);
    assert_eq!(status, 200, "{body}");
    secrets.add_cookies(&anna);
    for path in [
        "/session",
        "/sessions",
        "/credentials",
        "/account",
        "/.well-known/jwks.json",
        "/ready",
    ] {
        anna.get(path, 200);
    }
    // What is made up: an id, a token, a path, a header.
    let invented = "bm90IGEgc2VjcmV0IG9mIG91cnMgYnV0IG9mIHRoZWlycw";
    secrets.add("an invented token", &json!(invented));
    let mut stranger = process.client();
    let cookie = anna
        .cookies
        .keys()
        .find(|name| name.ends_with("session"))
        .unwrap();
    stranger.cookies.insert(cookie.clone(), invented.into());
    stranger.get("/session", 401);
    stranger.get(&format!("/credentials/{invented}"), 401);
    let bearer = format!("Bearer {invented}");
    stranger.send("GET", "/session", &[("authorization", &bearer)], None);
    stranger.send("DELETE", &format!("/sessions/{invented}"), &[], None);
    stranger.post(
        "/login/finish",
        &json!({"ceremonyId": invented, "credential": {}}),
        400,
    );
    let (status, _) = anna.send("DELETE", "/session", &[], None);
    assert_eq!(status, 204);
    secrets
}

fn is_not_logged(environment: &[(&str, String)], format: &str) {
    let mut environment = environment.to_vec();
    environment.extend([
        ("KEYHAVEN_LOG__FILTER", "trace".to_owned()),
        ("KEYHAVEN_LOG__FORMAT", format.to_owned()),
        ("KEYHAVEN_RATE_LIMIT", "off".to_owned()),
        ("KEYHAVEN_TOKENS__ACCESS_TOKENS", "on".to_owned()),
    ]);
    let mut process = Process::start(&environment);
    let secrets = drive_everything(&process);
    process.ask_to_stop();
    process.wait();
    let log = process.log();
    secrets.are_not_in(&log);
    // It was all of it: requests, calls of stores, and whose they are.
    for needle in [
        "/login/finish",
        "account.commit_assertion",
        "trace_id",
        "http.response.status_code",
    ] {
        assert!(log.contains(needle), "{needle} is not logged");
    }
    if format == "json" {
        let lines: Vec<&str> = log.lines().filter(|line| line.starts_with('{')).collect();
        assert!(lines.len() > 100);
        for line in lines {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(
                line["level"].is_string() && line["timestamp"].is_string(),
                "{line}"
            );
        }
    }
}

#[test]
fn no_secret_is_in_lines_of_text() {
    is_not_logged(&[], "text");
}

#[test]
fn no_secret_is_in_lines_of_json_on_postgresql() {
    let database = Database::fresh();
    let keys = TempDir::new("keys");
    let key = keys.secret_key();
    is_not_logged(
        &[
            ("KEYHAVEN_DATABASE_URL", database.url().to_owned()),
            ("KEYHAVEN_SECRET_KEY_FILE", key.clone()),
        ],
        "json",
    );
}
