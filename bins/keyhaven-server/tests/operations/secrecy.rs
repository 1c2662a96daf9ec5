//! All that can be logged is logged, everything that can be done is done, and no secret is in the lines; nor, but for
//! what is there to be read, in the database.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use keyhaven_testkit::authenticator::{SoftwareAuthenticator, sha256};
use keyhaven_testkit::postgres::{Database, program};
use keyhaven_testkit::process::TempDir;
use serde_json::{Value, json};

use crate::process::{Client, Process, finish};

/// What is stored as it is: names are there to be read, and a user handle names its account to authenticators.
const STORED: [&str; 4] = ["display name", "e-mail", "userHandle", "username"];

/// Where everything is switched on that [`drive_everything`] uses.
pub(crate) fn everything_on() -> Vec<(&'static str, String)> {
    [
        ("KEYHAVEN_RATE_LIMIT", "off"),
        ("KEYHAVEN_TOKENS__ACCESS_TOKENS", "on"),
        ("KEYHAVEN_PASSWORDS__FALLBACK", "on"),
        ("KEYHAVEN_ACCOUNTS__CLIENT_KEY", "by-account"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// What was said to and by the server, and must not be found in its log.
#[derive(Default)]
pub(crate) struct Secrets(Vec<(String, String)>, Vec<(String, Vec<u8>)>);

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

    /// What a database that holds it badly would hold: a short code in clear, filled up to the length of a hash, or hashed
    /// without a key.
    fn add_code(&mut self, what: &str, code: &str) {
        let mut filled = code.as_bytes().to_vec();
        filled.resize(32, 0);
        self.1.push((what.to_owned(), filled));
        self.1.push((what.to_owned(), sha256(code.as_bytes()).to_vec()));
    }

    /// Nothing of it is in these bytes of a database: neither as it was sent nor as the bytes that it stands for, be they
    /// written as such or in hexadecimal.
    #[track_caller]
    fn are_not_stored(&self, stored: &[u8]) {
        let kept = |what: &str| STORED.contains(&what);
        let texts = self.0.iter().filter(|(what, _)| !kept(what));
        let mut sought: Vec<(&str, Vec<u8>)> = Vec::new();
        for (what, text) in texts {
            sought.push((what, text.clone().into_bytes()));
            for bytes in [decoded(text), from_hex(text)].into_iter().flatten() {
                sought.push((what, bytes));
            }
        }
        sought.extend(self.1.iter().map(|(what, bytes)| (what.as_str(), bytes.clone())));
        assert!(sought.len() > 40, "{}", sought.len());
        // Of what is long a part is telling enough.
        let parts: Vec<_> = sought
            .into_iter()
            .filter(|(_, bytes)| bytes.len() >= 10)
            .map(|(what, bytes)| (what, bytes[..bytes.len().min(32)].to_vec()))
            .collect();
        assert_eq!(held(stored, &parts), None);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let parts: Vec<_> = parts
            .iter()
            .map(|(what, bytes)| (*what, hex(bytes).into_bytes()))
            .collect();
        assert_eq!(held(&stored.to_ascii_lowercase(), &parts), None);
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

/// The first of these parts that is in there; each has ten bytes at least.
fn held<'a>(whole: &[u8], parts: &[(&'a str, Vec<u8>)]) -> Option<&'a str> {
    let mut by_beginning: HashMap<&[u8], Vec<&(&str, Vec<u8>)>> = HashMap::new();
    for part in parts {
        by_beginning.entry(&part.1[..8]).or_default().push(part);
    }
    whole.windows(8).enumerate().find_map(|(at, beginning)| {
        let found = by_beginning
            .get(beginning)?
            .iter()
            .find(|(_, bytes)| whole[at..].starts_with(bytes));
        found.map(|(what, _)| *what)
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
        .collect()
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
    ] {
        anna.get(path, 200);
    }
    anna.until_ready();
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
    drive_more_factors(process, &mut secrets);
    secrets
}

/// The mail to this address that has this subject, or whose text holds this, as the developer's folder has it.
fn mail(process: &Process, to: &str, mark: &str) -> String {
    let folder = process.directory.join("keyhaven-mails");
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        let files = entries.map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.extension().is_some_and(|ending| ending == "json")) {
            let mail: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            let text = mail["text"].as_str().unwrap();
            if mail["to"] == to && (mail["subject"] == mark || text.contains(mark)) {
                return text.to_owned();
            }
        }
        assert!(Instant::now() < until, "no mail to {to} with {mark}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn token(mail: &str, place: &str) -> String {
    let (_, rest) = mail.split_once(&format!("#{place}=")).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

/// An account with a password, a proven address, a passkey, a client key and recovery codes, and its recovery.
fn drive_more_factors(process: &Process, secrets: &mut Secrets) {
    let mut device = SoftwareAuthenticator::new("berta's");
    let mut berta = process.client();
    let email = "berta.secret.address@mail.example";
    secrets.add("e-mail", &json!(email));
    let password = "correct horse battery staple no. 9";
    secrets.add("password", &json!(password));
    let about = json!({"username": "berta-the-user", "email": email, "password": password});
    secrets.add("username", &about["username"]);
    berta.post("/password/register", &about, 201);
    secrets.add_cookies(&berta);
    let wrong = "another horse, another staple no. 8";
    secrets.add("a wrong password", &json!(wrong));
    for (typed, status) in [(wrong, 401), (password, 200)] {
        let body = json!({"username": "berta-the-user", "password": typed});
        berta.post("/password/login", &body, status);
        secrets.add_cookies(&berta);
    }
    let proof = token(&mail(process, email, "#verify-email="), "verify-email");
    secrets.add("mailed token", &json!(proof));
    berta.post("/email/verify", &json!({"token": proof}), 200);

    let started = berta.post("/register/start", &json!({}), 200);
    let credential = device.register(&started["publicKey"], &berta.origin);
    secrets.add_response(&credential);
    berta.post("/register/finish", &finish(&started, &credential), 201);
    let started = berta.post("/step-up/start", &json!({"purpose": "change_password"}), 200);
    let credential = device.authenticate(&started["publicKey"], &berta.origin);
    berta.post("/step-up/finish", &finish(&started, &credential), 200);
    secrets.add_cookies(&berta);
    let made = berta.post("/account/client-key", &json!({}), 200);
    secrets.add("client key", &made["clientKey"]);
    let invented = "0123456789abcdef0123456789abcdee";
    secrets.add("a wrong client key", &json!(invented));
    for (key, status) in [(&json!(invented), 401), (&made["clientKey"], 200)] {
        let started = berta.post("/login/start", &json!({}), 200);
        let credential = device.authenticate(&started["publicKey"], &berta.origin);
        let mut body = finish(&started, &credential);
        body["clientKey"] = key.clone();
        berta.post("/login/finish", &body, status);
        secrets.add_cookies(&berta);
    }
    let codes = berta.post("/recovery/codes", &json!({}), 201);
    for code in codes["codes"].as_array().unwrap() {
        let plain = code.as_str().unwrap().replace('-', "");
        secrets.add("recovery code", code);
        secrets.add("recovery code, as it is compared", &json!(plain));
        secrets.add_code("recovery code", &plain);
    }

    let mut lost = process.client();
    let asked = lost.post("/recovery/request-otp", &json!({"email": email}), 200);
    secrets.add("recovery", &asked["recoveryId"]);
    secrets.add_cookies(&lost);
    let text = mail(process, email, "Your recovery code");
    let mut lines = text.lines().map(str::trim);
    let code = lines.find(|line| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit()));
    let code = code.unwrap();
    secrets.add_code("mailed code", code);
    let shown = json!({"recoveryId": asked["recoveryId"], "otp": code});
    lost.post("/recovery/verify-otp", &shown, 202);
    let cancel = token(&mail(process, email, "#cancel-recovery="), "cancel-recovery");
    secrets.add("cancelling token", &json!(cancel));
    let shown = json!({"recoveryId": asked["recoveryId"], "code": codes["codes"][0]});
    lost.post("/recovery/verify-code", &shown, 200);
    secrets.add_cookies(&lost);
}

/// Neither logged nor stored; `stored` tells what the database holds.
fn is_kept_nowhere(environment: &[(&str, String)], format: &str, stored: impl Fn(&Process) -> Vec<u8>) {
    let mut environment = environment.to_vec();
    environment.extend([
        ("KEYHAVEN_LOG__FILTER", "trace".to_owned()),
        ("KEYHAVEN_LOG__FORMAT", format.to_owned()),
    ]);
    environment.extend(everything_on());
    let mut process = Process::start(&environment);
    let secrets = drive_everything(&process);
    process.ask_to_stop();
    process.wait();
    let log = process.log();
    secrets.are_not_in(&log);
    let stored = stored(&process);
    // It is the one that was written to.
    let action = [("action", b"login.finish".to_vec())];
    assert_eq!(held(&stored, &action), Some("action"));
    let name = [("name", b"berta-the-user".to_vec())];
    assert_eq!(held(&stored, &name), None, "names are encrypted");
    secrets.are_not_stored(&stored);
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
fn no_secret_is_in_lines_of_text_nor_in_sqlite() {
    is_kept_nowhere(&[], "text", |process| {
        let entries = std::fs::read_dir(&process.directory).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        let of_database = files.filter(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("keyhaven.db")
        });
        of_database
            .flat_map(|file| std::fs::read(file).unwrap())
            .collect()
    });
}

#[test]
fn no_secret_is_in_lines_of_json_nor_in_postgresql() {
    let database = Database::fresh();
    let keys = TempDir::new("keys");
    let key = keys.secret_key();
    is_kept_nowhere(
        &[
            ("KEYHAVEN_DATABASE_URL", database.url().to_owned()),
            ("KEYHAVEN_SECRET_KEY_FILE", key.clone()),
        ],
        "json",
        |_| {
            let dump = std::process::Command::new(program("pg_dump").unwrap())
                .args(["--data-only", "--inserts", "--dbname", database.url()])
                .output()
                .unwrap();
            assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
            dump.stdout
        },
    );
}
