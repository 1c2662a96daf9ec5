//! Passwords, where they are allowed: what they open, what they never open, and what a stranger learns: nothing.

use axum::http::Method;
use keyhaven_service::{Demand, ImportedPassword, PasswordSettings, RateLimitSettings, Settings};
use keyhaven_storage::AuditOutcome;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, ORIGIN, finish, mailing, settings};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
const ANOTHER: &str = "seven purple otters juggle";

pub(crate) fn fallback() -> Settings {
    Settings {
        passwords: PasswordSettings {
            fallback: true,
            with_passkey: Demand::ByAccount,
            ..PasswordSettings::default()
        },
        ..settings()
    }
}

async fn app() -> App {
    App::with(fallback()).await
}

impl Client {
    pub(crate) async fn register_password(&mut self, username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password});
        self.post("/password/register", body).await
    }

    pub(crate) async fn login_password(&mut self, username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password});
        self.post("/password/login", body).await
    }

    pub(crate) async fn put_password(&mut self, body: Value) -> Answer {
        self.json(Method::PUT, "/password", body).await
    }

    /// Adds a passkey to the account that is signed in.
    pub(crate) async fn add_passkey(&mut self, device: &mut SoftwareAuthenticator, start: Value) -> Answer {
        let started = self.post("/register/start", start).await;
        if started.status != 200 {
            return started;
        }
        let credential = device.register(&started.body["publicKey"], &self.page());
        self.post("/register/finish", finish(&started.body, &credential))
            .await
    }
}

#[tokio::test]
async fn there_are_no_passwords_unless_they_are_enabled() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    browser
        .register_password("bob", PASSWORD)
        .await
        .refused(404, "not_found");
    browser
        .login_password("alice", PASSWORD)
        .await
        .refused(404, "not_found");
    let change = json!({"password": PASSWORD});
    browser.put_password(change).await.refused(404, "not_found");
    browser.delete("/password").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_password_signs_in_at_aal1_and_a_passkey_is_offered() {
    let app = app().await;
    let mut browser = app.browser();
    let registered = browser.register_password("Alice", PASSWORD).await.expect(201);
    assert_eq!(registered["user"]["username"], "alice");
    assert_eq!(registered["offerPasskey"], true);
    let first = browser.get("/session").await.expect(200)["session"]["id"].clone();
    // A new session each time; the one that was presented is over.
    let before = browser.clone();
    let body = browser.login_password("ALICE", PASSWORD).await.expect(200);
    assert_eq!(
        (&body["session"]["aal"], &body["session"]["amr"]),
        (&json!(1), &json!(["pwd"]))
    );
    assert_eq!(body["offerPasskey"], true);
    assert_ne!(body["session"]["id"], first);
    let mut before = before;
    before.get("/session").await.refused(401, "unauthenticated");

    let mut device = SoftwareAuthenticator::new("device");
    browser.add_passkey(&mut device, json!({})).await.expect(201);
    let body = browser.login_password("alice", PASSWORD).await.expect(200);
    assert_eq!(body["offerPasskey"], false, "it has one");
    let by_passkey = browser.login(&mut device, Some("alice")).await.expect(200);
    assert_eq!(by_passkey["session"]["aal"], 2);
}

/// All that a client can see of an answer, but the request's id.
fn seen(answer: &Answer) -> String {
    let headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .collect();
    let id = answer.headers["x-request-id"].to_str().unwrap();
    format!("{} {headers:?} {}", answer.status, answer.text.replace(id, "-"))
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_have_one_answer_byte_for_byte() {
    let app = app().await;
    app.browser()
        .register_password("alice", PASSWORD)
        .await
        .expect(201);
    app.browser()
        .register(&mut SoftwareAuthenticator::new("device"), "passkey-only")
        .await;
    let mut both = app.browser();
    let mut device = SoftwareAuthenticator::new("both");
    both.register(&mut device, "both").await;
    both.step_up(&mut device, "change_password").await;
    let chosen = json!({"password": ANOTHER, "withPasskey": true});
    both.put_password(chosen).await.expect(204);
    import(&app, "imported", &bcrypt(4)).await.unwrap();
    let unknown = app.browser().login_password("nobody", ANOTHER).await;
    unknown.refused(401, "authentication_failed");
    for (name, password) in [
        ("alice", ANOTHER),
        ("passkey-only", ANOTHER),
        ("both", PASSWORD),
        // Right, but it counts only together with the passkey.
        ("both", ANOTHER),
        ("imported", ANOTHER),
    ] {
        let known = app.browser().login_password(name, password).await;
        assert_eq!(seen(&known), seen(&unknown), "{name}");
    }
    // The operator is told more.
    let candidate = app.store.password_candidate("both").await.unwrap().unwrap();
    let events = app.store.events_of(candidate.account.id, None, 2).await.unwrap();
    let codes: Vec<_> = events.iter().map(|event| event.code.as_deref()).collect();
    assert_eq!(codes, [Some("forbidden"), Some("authentication_failed")]);
    assert!(events.iter().all(|event| event.outcome == AuditOutcome::Refused));
}

#[tokio::test]
async fn a_locked_account_answers_as_a_wrong_password_does() {
    let app = app().await;
    app.browser()
        .register_password("alice", PASSWORD)
        .await
        .expect(201);
    let wrong = app.browser().login_password("alice", ANOTHER).await;
    // There is no lock over HTTP yet: an account that never was active stands for one that was locked.
    let found = app.store.password_candidate("alice").await.unwrap().unwrap();
    let mut locked = found.account.clone();
    locked.id.0 = uuid::Uuid::from_u128(1);
    locked.user_handle = keyhaven_types::UserHandle::try_from(&[9; 32][..]).unwrap();
    (locked.username, locked.active) = ("mallory".into(), false);
    let mut password = found.password.unwrap();
    password.account = locked.id;
    let event = app
        .store
        .events_of(found.account.id, None, 1)
        .await
        .unwrap()
        .remove(0);
    let registration = keyhaven_storage::PasswordRegistration {
        account: locked,
        password,
        claim: None,
        session: None,
        ends_session: None,
        audit: keyhaven_storage::AuditEvent {
            id: keyhaven_storage::EventId(uuid::Uuid::from_u128(1)),
            ..event
        }
        .into(),
    };
    let _ = app.store.register_password(registration).await.unwrap();
    let refused = app.browser().login_password("mallory", PASSWORD).await;
    assert_eq!(seen(&refused), seen(&wrong));
}

#[tokio::test]
async fn what_can_be_no_password_is_refused_before_it_is_hashed() {
    let app = app().await;
    app.browser()
        .register_password("alice", PASSWORD)
        .await
        .expect(201);
    for bad in ["", "a\u{0}b", &"x".repeat(257), &"\u{1f511}".repeat(2000)] {
        for name in ["alice", "nobody"] {
            app.browser()
                .login_password(name, bad)
                .await
                .refused(400, "invalid_request");
        }
        app.browser()
            .register_password("bob", bad)
            .await
            .refused(400, "invalid_request");
    }
    for path in ["/password/register", "/password/login"] {
        let body = json!({"username": "alice", "password": "x".repeat(70_000)});
        app.browser()
            .post(path, body)
            .await
            .refused(413, "payload_too_large");
        app.browser()
            .post(path, json!({"username": "alice", "password": 7}))
            .await
            .refused(400, "invalid_request");
        app.browser()
            .send(Method::POST, path, &[], b"username=alice".to_vec())
            .await
            .refused(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_password_is_the_same_however_it_was_typed() {
    let app = app().await;
    let composed = "caf\u{e9} au lait, sans sucre";
    let decomposed = "cafe\u{301}\u{a0}au lait, sans sucre";
    app.browser()
        .register_password("alice", composed)
        .await
        .expect(201);
    app.browser()
        .login_password("alice", decomposed)
        .await
        .expect(200);
    app.browser()
        .login_password("alice", "CAF\u{c9} au lait, sans sucre")
        .await
        .refused(401, "authentication_failed");
}

#[tokio::test]
async fn short_and_common_passwords_are_refused() {
    let app = app().await;
    for bad in [
        "x7#kQ2!vv9Zp3m",
        "passwordpassword",
        "alicealicealicealice",
        "1234567890123456",
    ] {
        let refused = app.browser().register_password("alice", bad).await;
        refused.refused(400, "invalid_request");
        assert!(refused.body["detail"].as_str().unwrap().starts_with("password: "));
        assert!(!refused.text.contains(bad));
    }
    assert!(!app.store.username_exists("alice").await.unwrap());
}

#[tokio::test]
async fn nobody_is_locked_out_by_wrong_passwords_from_elsewhere() {
    let app = App::with(Settings {
        rate_limits: Some(RateLimitSettings::default()),
        ..fallback()
    })
    .await;
    app.browser()
        .register_password("alice", PASSWORD)
        .await
        .expect(201);
    for name in ["alice", "nobody"] {
        let mut attacker = app.browser();
        attacker.ip = "198.51.100.7".into();
        for _ in 0..5 {
            attacker
                .login_password(name, ANOTHER)
                .await
                .refused(401, "authentication_failed");
        }
        // Right or wrong, known or not: it is not looked at any more.
        attacker
            .login_password(name, PASSWORD)
            .await
            .refused(429, "rate_limited");
    }
    app.browser().login_password("alice", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn more_attempts_than_can_be_hashed_are_turned_away_and_cost_nobody_else() {
    let app = App::with(Settings {
        passwords: PasswordSettings {
            hashes_at_once: 1,
            ..fallback().passwords
        },
        ..fallback()
    })
    .await;
    app.browser()
        .register_password("alice", PASSWORD)
        .await
        .expect(201);
    let attempts: Vec<_> = (0..60)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { app.browser().login_password("alice", ANOTHER).await })
        })
        .collect();
    let (mut busy, mut wrong) = (0, 0);
    for attempt in attempts {
        let answer = attempt.await.unwrap();
        if answer.code() == "busy" {
            answer.refused(503, "busy");
            assert!(answer.headers.contains_key("retry-after"));
            busy += 1;
        } else {
            answer.refused(401, "authentication_failed");
            wrong += 1;
        }
    }
    assert!(busy > 0 && wrong > 0, "{busy} busy, {wrong} wrong");
    app.browser().login_password("alice", PASSWORD).await.expect(200);
}

/// In passing: neither presence nor verification.
async fn conditional(browser: &mut Client, device: &mut SoftwareAuthenticator) -> Answer {
    let start = json!({"mediation": "conditional"});
    let started = browser.post("/register/start", start).await;
    if started.status != 200 {
        return started;
    }
    let mut draft = device
        .draft_registration(&started.body["publicKey"], ORIGIN)
        .unwrap();
    draft.flags &= !0b101;
    browser
        .post("/register/finish", finish(&started.body, &draft.finish()))
        .await
}

#[tokio::test]
async fn a_passkey_is_made_in_passing_only_after_a_recent_password_sign_in() {
    let app = app().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register_password("alice", PASSWORD).await.expect(201);
    app.pass(301);
    conditional(&mut browser, &mut device)
        .await
        .refused(403, "step_up_required");
    browser.login_password("alice", PASSWORD).await.expect(200);
    app.pass(299);
    conditional(&mut browser, &mut device).await.expect(201);
    // What was made without verification signs in at AAL1.
    let session = browser.login(&mut device, None).await.expect(200)["session"].clone();
    assert_eq!(session["aal"], 1, "{session}");
    // Nobody else may: not without a session, not with one that a passkey made.
    conditional(&mut browser, &mut device)
        .await
        .refused(403, "forbidden");
    let mut stranger = app.browser();
    stranger
        .post(
            "/register/start",
            json!({"username": "bob", "mediation": "conditional"}),
        )
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn a_password_adds_the_first_passkey_and_no_other_and_removes_none() {
    let app = app().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut owner = app.browser();
    owner.register_password("alice", PASSWORD).await.expect(201);
    let made = owner.add_passkey(&mut device, json!({})).await.expect(201);
    let path = format!("/credentials/{}", made["credential"]["id"].as_str().unwrap());

    // Whoever found the password out, and nothing else.
    let mut thief = app.browser();
    thief.login_password("alice", PASSWORD).await.expect(200);
    let mut own = SoftwareAuthenticator::new("thief");
    for start in [json!({}), json!({"mediation": "conditional"})] {
        let refused = thief.add_passkey(&mut own, start).await;
        refused.refused(403, "step_up_required");
        assert_eq!(refused.body["purpose"], "add_passkey");
    }
    thief.delete(&path).await.refused(403, "step_up_required");
    thief
        .put_password(json!({"password": ANOTHER, "currentPassword": PASSWORD}))
        .await
        .refused(403, "step_up_required");
    thief.delete("/password").await.refused(403, "step_up_required");

    // With the passkey itself more is possible.
    owner.login_password("alice", PASSWORD).await.expect(200);
    owner.step_up(&mut device, "add_passkey").await;
    let mut second = SoftwareAuthenticator::new("second");
    owner.add_passkey(&mut second, json!({})).await.expect(201);
}

/// The way that the answers and the documentation name, step by step.
#[tokio::test]
async fn an_account_with_a_password_alone_adds_a_passkey_and_then_can_leave() {
    let app = App::with(Settings {
        mail: mailing().mail,
        ..fallback()
    })
    .await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register_password("alice", PASSWORD).await.expect(201);
    app.pass(301);
    for (method, path, purpose) in [
        (Method::DELETE, "/account", "delete_account"),
        (Method::GET, "/account/export", "export"),
    ] {
        let refused = browser.send(method, path, &[], Vec::new()).await;
        refused.refused(403, "step_up_required");
        assert_eq!(refused.body["purpose"], purpose);
        let refused = browser.post("/step-up/start", json!({"purpose": purpose})).await;
        refused.refused(400, "no_passkeys");
        assert_eq!(
            refused.body["detail"],
            "this account has no passkey yet: sign in with its password again, add one at once, then confirm with that"
        );
    }
    // Not with a sign-in of long ago.
    let late = browser.add_passkey(&mut device, json!({})).await;
    late.refused(403, "step_up_required");
    browser.login_password("alice", PASSWORD).await.expect(200);
    browser.add_passkey(&mut device, json!({})).await.expect(201);
    browser.step_up(&mut device, "export").await;
    browser.get("/account/export").await.expect(200);
    browser.step_up(&mut device, "change_email").await;
    browser
        .post("/email/change", json!({"email": "alice@example.com"}))
        .await
        .expect(202);
    browser.step_up(&mut device, "delete_account").await;
    browser.delete("/account").await.expect(200);
    app.browser()
        .login_password("alice", PASSWORD)
        .await
        .refused(401, "authentication_failed");
}

/// In another tab, which has the newer cookie by then.
#[tokio::test]
async fn a_passkey_added_beside_a_refresh_brings_no_old_cookie_back() {
    let app = app().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register_password("alice", PASSWORD).await.expect(201);
    let started = browser.post("/register/start", json!({})).await.expect(200);
    let mut slow = browser.clone();
    browser
        .send(Method::POST, "/session/refresh", &[], Vec::new())
        .await
        .expect(200);
    let credential = device.register(&started["publicKey"], &slow.page());
    let added = slow.post("/register/finish", finish(&started, &credential)).await;
    assert!(!added.headers.contains_key("set-cookie"), "{:?}", added.headers);
    added.expect(201);
    app.pass(11);
    browser.get("/session").await.expect(200);
}

#[tokio::test]
async fn of_two_first_passkeys_that_race_one_is_added() {
    let app = app().await;
    let mut browser = app.browser();
    browser.register_password("alice", PASSWORD).await.expect(201);
    let mut thief = app.browser();
    thief.login_password("alice", PASSWORD).await.expect(200);
    let mut finishes = Vec::new();
    for (client, seed) in [(&mut browser, "one"), (&mut thief, "two")] {
        let started = client.post("/register/start", json!({})).await.expect(200);
        let credential = SoftwareAuthenticator::new(seed).register(&started["publicKey"], ORIGIN);
        finishes.push(finish(&started, &credential));
    }
    browser
        .post("/register/finish", finishes.remove(0))
        .await
        .expect(201);
    thief
        .post("/register/finish", finishes.remove(0))
        .await
        .refused(403, "step_up_required");
}

#[tokio::test]
async fn changing_a_password_needs_a_step_up_and_ends_the_other_sessions() {
    let app = app().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let change = json!({"password": PASSWORD});
    // Fresh as the sign-in is: it does not count here.
    let refused = browser.put_password(change.clone()).await;
    refused.refused(403, "step_up_required");
    assert_eq!(refused.body["purpose"], "change_password");
    browser.step_up(&mut device, "delete_passkey").await;
    browser
        .put_password(change.clone())
        .await
        .refused(403, "step_up_required");
    browser.step_up(&mut device, "change_password").await;
    // What is not acceptable leaves the grant.
    browser
        .put_password(json!({"password": "too short"}))
        .await
        .refused(400, "invalid_request");
    browser.put_password(change).await.expect(204);
    let mut elsewhere = app.browser();
    elsewhere.login_password("alice", PASSWORD).await.expect(200);
    // A grant is used once.
    let change = json!({"password": ANOTHER});
    browser
        .put_password(change.clone())
        .await
        .refused(403, "step_up_required");
    browser.step_up(&mut device, "change_password").await;
    browser.put_password(change).await.expect(204);
    elsewhere.get("/session").await.refused(401, "unauthenticated");
    browser.get("/session").await.expect(200);
    app.browser()
        .login_password("alice", PASSWORD)
        .await
        .refused(401, "authentication_failed");
    app.browser().login_password("alice", ANOTHER).await.expect(200);
}

#[tokio::test]
async fn without_a_passkey_the_password_so_far_changes_the_password() {
    let app = app().await;
    let mut browser = app.browser();
    browser.register_password("alice", PASSWORD).await.expect(201);
    let mut elsewhere = app.browser();
    elsewhere.login_password("alice", PASSWORD).await.expect(200);
    browser
        .put_password(json!({"password": ANOTHER}))
        .await
        .refused(401, "password_required");
    browser
        .put_password(json!({"password": ANOTHER, "currentPassword": ANOTHER}))
        .await
        .refused(401, "authentication_failed");
    browser
        .put_password(json!({"password": ANOTHER, "currentPassword": PASSWORD}))
        .await
        .expect(204);
    elsewhere.get("/session").await.refused(401, "unauthenticated");
    app.browser().login_password("alice", ANOTHER).await.expect(200);
    // It is all that there is: it cannot be removed.
    browser.delete("/password").await.refused(409, "last_credential");
}

#[tokio::test]
async fn somebody_with_a_stolen_session_guesses_the_password_slowly() {
    let app = App::with(Settings {
        rate_limits: Some(RateLimitSettings::default()),
        ..fallback()
    })
    .await;
    let mut browser = app.browser();
    browser.register_password("alice", PASSWORD).await.expect(201);
    let guess = json!({"password": ANOTHER, "currentPassword": ANOTHER});
    for n in 0..5_u8 {
        browser.ip = format!("203.0.{n}.1");
        browser
            .put_password(guess.clone())
            .await
            .refused(401, "authentication_failed");
    }
    let right = json!({"password": ANOTHER, "currentPassword": PASSWORD});
    browser
        .put_password(right.clone())
        .await
        .refused(429, "rate_limited");
    // The owner has a session of their own.
    let mut owner = app.browser();
    owner.login_password("alice", PASSWORD).await.expect(200);
    owner.put_password(right).await.expect(204);
}

#[tokio::test]
async fn a_password_is_removed_where_a_passkey_stays() {
    let app = app().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    browser.step_up(&mut device, "change_password").await;
    browser.delete("/password").await.refused(404, "not_found");
    browser
        .put_password(json!({"password": PASSWORD}))
        .await
        .expect(204);
    browser.step_up(&mut device, "change_password").await;
    browser.delete("/password").await.expect(204);
    app.browser()
        .login_password("alice", PASSWORD)
        .await
        .refused(401, "authentication_failed");
}

#[tokio::test]
async fn of_two_changes_that_race_one_happens() {
    let app = app().await;
    let mut browser = app.browser();
    browser.register_password("alice", PASSWORD).await.expect(201);
    let changes: Vec<_> = (0..4)
        .map(|n| {
            let mut browser = browser.clone();
            let new = format!("{ANOTHER} {n}{n}{n}");
            tokio::spawn(async move {
                let body = json!({"password": new, "currentPassword": PASSWORD});
                (browser.put_password(body).await, new)
            })
        })
        .collect();
    let mut changed = Vec::new();
    for change in changes {
        let (answer, new) = change.await.unwrap();
        match answer.status.as_u16() {
            204 => changed.push(new),
            401 => answer.refused(401, "authentication_failed"),
            _ => answer.refused(503, "busy"),
        }
    }
    let [new] = &changed[..] else {
        panic!("{} changes happened", changed.len());
    };
    app.browser().login_password("alice", new).await.expect(200);
}

#[tokio::test]
async fn another_page_can_neither_sign_in_nor_change_a_password() {
    let app = app().await;
    let mut browser = app.browser();
    browser.register_password("alice", PASSWORD).await.expect(201);
    let change = json!({"password": ANOTHER, "currentPassword": PASSWORD});
    for (origin, code) in [
        (Some("https://evil.example".to_owned()), "origin_not_allowed"),
        (None, "origin_not_allowed"),
    ] {
        let mut page = Client {
            origin: origin.clone(),
            ..browser.clone()
        };
        page.login_password("alice", PASSWORD).await.refused(403, code);
        page.register_password("bob", PASSWORD).await.refused(403, code);
        page.put_password(change.clone()).await.refused(403, code);
        page.delete("/password").await.refused(403, code);
    }
    browser.get("/session").await.expect(200);
}

/// The password as another system hashed it.
pub(crate) fn bcrypt(cost: u32) -> String {
    bcrypt::hash_with_salt(PASSWORD, cost, [3; 16])
        .unwrap()
        .to_string()
}

async fn import(app: &App, username: &str, hash: &str) -> Result<(), keyhaven_service::Error> {
    take_over(app, username, None, hash).await
}

/// An account of another system.
pub(crate) async fn take_over(
    app: &App,
    username: &str,
    email: Option<&str>,
    hash: &str,
) -> Result<(), keyhaven_service::Error> {
    let client = keyhaven_service::Client {
        ip: "127.0.0.1".parse().unwrap(),
        user_agent: None,
        request_id: "import".into(),
        origin: None,
        browser: None,
        devices: keyhaven_service::DeviceMarks::default(),
        language: None,
    };
    let import = ImportedPassword {
        username: username.into(),
        display_name: None,
        email: email.map(str::to_owned),
        hash: hash.into(),
    };
    app.keyhaven.passwords.import(&client, import).await.map(|_| ())
}

#[tokio::test]
async fn a_bcrypt_hash_of_another_system_signs_in_and_is_replaced() {
    let app = app().await;
    import(&app, "alice", &bcrypt(4)).await.unwrap();
    let stored = |app: &App| {
        let store = app.store.clone();
        async move {
            let candidate = store.password_candidate("alice").await.unwrap().unwrap();
            candidate.password.unwrap()
        }
    };
    assert_eq!(stored(&app).await.kind, "$2b$04$");
    app.browser()
        .login_password("alice", ANOTHER)
        .await
        .refused(401, "authentication_failed");
    assert_eq!(
        stored(&app).await.kind,
        "$2b$04$",
        "only the right password replaces it"
    );
    app.browser().login_password("alice", PASSWORD).await.expect(200);
    assert_eq!(stored(&app).await.kind, "$argon2id$v=19$m=19456,t=2,p=1$");
    app.browser().login_password("alice", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn what_is_imported_is_checked_line_by_line() {
    let app = app().await;
    import(&app, "alice", &bcrypt(4)).await.unwrap();
    for (username, hash, expected) in [
        ("alice", bcrypt(4), "username_taken"),
        ("no spaces", bcrypt(4), "invalid_request"),
        ("bob", "correct horse".into(), "invalid_request"),
        ("bob", "$1$salt$hash".into(), "invalid_request"),
        (
            "bob",
            "$2b$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".into(),
            "invalid_request",
        ),
    ] {
        let refused = import(&app, username, &hash).await.unwrap_err();
        assert_eq!(refused.code(), expected, "{username} {hash}");
    }
    assert!(!app.store.username_exists("bob").await.unwrap());
    // Every kind costs every sign-in a comparison: their number is bounded.
    for cost in 5..=7 {
        import(&app, &format!("user{cost}"), &bcrypt(cost)).await.unwrap();
    }
    let refused = import(&app, "user8", &bcrypt(8)).await.unwrap_err();
    assert!(refused.to_string().contains("$2b$08$"), "{refused}");
    import(&app, "user9", &bcrypt(5)).await.unwrap();
}

#[tokio::test]
async fn no_password_is_in_an_event() {
    let app = app().await;
    let mut browser = app.browser();
    browser.register_password("alice", PASSWORD).await.expect(201);
    browser
        .login_password("alice", ANOTHER)
        .await
        .refused(401, "authentication_failed");
    browser
        .put_password(json!({"password": ANOTHER, "currentPassword": PASSWORD}))
        .await
        .expect(204);
    let id = app
        .store
        .password_candidate("alice")
        .await
        .unwrap()
        .unwrap()
        .account
        .id;
    let events = app.store.events_of(id, None, 100).await.unwrap();
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(
        actions,
        ["password.change", "password.login", "password.register"]
    );
    let text = format!("{events:?}");
    assert!(!text.contains(PASSWORD) && !text.contains(ANOTHER), "{text}");
}
