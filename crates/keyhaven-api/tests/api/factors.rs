//! A passkey together with a password and a client key; security keys whose PIN is always asked for.

use axum::http::Method;
use keyhaven_service::{AdministrationSettings, Demand, PasswordSettings, RateLimitSettings, Settings};
use keyhaven_storage::Role;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_types::options::UserVerification;
use serde_json::{Value, json};

use crate::admin::set_role;
use crate::support::{Answer, App, Client, ORIGIN, finish, settings};

const PASSWORD: &str = "x7#kQ2!v";
const ANOTHER: &str = "m9!wZ4#p";

fn with(password: Demand, client_key: Demand) -> Settings {
    Settings {
        passwords: PasswordSettings {
            with_passkey: password,
            ..PasswordSettings::default()
        },
        client_key,
        ..settings()
    }
}

impl Client {
    /// A new account; `more` goes along with the finish.
    async fn register_with(
        &mut self,
        device: &mut SoftwareAuthenticator,
        username: &str,
        more: Value,
    ) -> Answer {
        let start = json!({"username": username});
        let started = self.post("/register/start", start).await.expect(200);
        let credential = device.register(&started["publicKey"], &self.page());
        self.post("/register/finish", merged(finish(&started, &credential), more))
            .await
    }

    async fn login_with(&mut self, device: &mut SoftwareAuthenticator, more: Value) -> Answer {
        let started = self.post("/login/start", json!({})).await.expect(200);
        let credential = device.authenticate(&started["publicKey"], &self.page());
        self.post("/login/finish", merged(finish(&started, &credential), more))
            .await
    }
}

fn merged(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("{more} is no object")
    };
    body.as_object_mut().unwrap().extend(more);
    body
}

#[tokio::test]
async fn three_factors_sign_in_together_and_amr_names_each() {
    let app = App::with(with(Demand::Required, Demand::Required)).await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser
        .register_with(&mut device, "alice", json!({"password": PASSWORD}))
        .await
        .expect(201);
    let key = registered["clientKey"].as_str().unwrap().to_owned();
    assert!(key.len() == 32 && key.bytes().all(|digit| digit.is_ascii_hexdigit()));

    let mut stranger = app.browser();
    for (given, code) in [
        (json!({}), "password_required"),
        (json!({"clientKey": key}), "password_required"),
        (
            json!({"password": ANOTHER, "clientKey": key}),
            "authentication_failed",
        ),
        (
            json!({"password": "x".repeat(300), "clientKey": key}),
            "authentication_failed",
        ),
        (json!({"password": PASSWORD}), "client_key_mismatch"),
        (
            json!({"password": PASSWORD, "clientKey": "0".repeat(32)}),
            "client_key_mismatch",
        ),
        (
            json!({"password": PASSWORD, "clientKey": key[1..]}),
            "client_key_mismatch",
        ),
    ] {
        let refused = stranger.login_with(&mut device, given).await;
        refused.refused(401, code);
        assert_eq!(stranger.session_cookie(), None);
    }
    let given = json!({"password": PASSWORD, "clientKey": key.to_uppercase()});
    let session = stranger.login_with(&mut device, given).await.expect(200)["session"].clone();
    assert_eq!(session["amr"], json!(["swk", "user", "mfa", "pwd", "client_key"]));
    assert_eq!(session["aal"], 2);
}

#[tokio::test]
async fn what_else_there_is_shows_only_to_who_can_sign() {
    let app = App::with(with(Demand::Required, Demand::Required)).await;
    let mut device = SoftwareAuthenticator::new("device");
    app.browser()
        .register_with(&mut device, "alice", json!({"password": PASSWORD}))
        .await
        .expect(201);
    let mut answers = Vec::new();
    for name in ["alice", "nobody"] {
        for more in [
            json!({}),
            json!({"password": PASSWORD}),
            json!({"password": ANOTHER}),
        ] {
            let mut stranger = app.browser();
            let started = stranger
                .post("/login/start", json!({"username": name}))
                .await
                .expect(200);
            let offered = started["publicKey"]["allowCredentials"][0]["id"].clone();
            let mut forger = SoftwareAuthenticator::new("forger");
            let creation = json!({"rp": {"id": "example.org"}, "user": {"id": "AA"}, "challenge": "AA",
                "pubKeyCredParams": [{"type": "public-key", "alg": -7}]});
            forger.register(&creation, ORIGIN);
            let mut options = started["publicKey"].clone();
            options["allowCredentials"] = json!([]);
            let mut credential = forger.authenticate(&options, ORIGIN);
            credential["id"] = offered.clone();
            credential["rawId"] = offered;
            credential["response"]["userHandle"] = Value::Null;
            let body = merged(finish(&started, &credential), more);
            let refused = stranger.post("/login/finish", body).await;
            refused.refused(401, "authentication_failed");
            answers.push(refused.comparable());
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn where_everybody_needs_a_password_no_account_is_made_without() {
    let app = App::with(with(Demand::Required, Demand::Off)).await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    for (more, status, code) in [
        (json!({}), 401, "password_required"),
        (json!({"password": "x7#kQ2!"}), 400, "invalid_request"),
        (json!({"password": "password"}), 400, "invalid_request"),
    ] {
        browser
            .register_with(&mut SoftwareAuthenticator::new("early"), "alice", more)
            .await
            .refused(status, code);
    }
    assert!(!app.store.username_exists("alice").await.unwrap());
    let registered = browser
        .register_with(&mut device, "alice", json!({"password": PASSWORD}))
        .await
        .expect(201);
    assert_eq!(registered.get("clientKey"), None);
    // It counts together with the passkey only.
    let body = json!({"username": "alice", "password": PASSWORD});
    app.browser()
        .post("/password/login", body)
        .await
        .refused(404, "not_found");
    browser.step_up(&mut device, "change_password").await;
    let so_far = json!({"currentPassword": PASSWORD});
    browser
        .json(Method::DELETE, "/password", so_far)
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn an_account_chooses_to_be_asked_for_more() {
    let settings = with(Demand::ByAccount, Demand::ByAccount);
    let app = App::with(Settings {
        passwords: PasswordSettings {
            fallback: true,
            ..settings.passwords
        },
        ..settings
    })
    .await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    browser.login_with(&mut device, json!({})).await.expect(200);

    // The password: 8 characters are enough, because it is not enough alone.
    browser.step_up(&mut device, "change_password").await;
    let chosen = json!({"password": PASSWORD, "withPasskey": true});
    browser.json(Method::PUT, "/password", chosen).await.expect(204);
    browser
        .login_with(&mut device, json!({}))
        .await
        .refused(401, "password_required");
    let given = json!({"password": PASSWORD});
    let session = browser.login_with(&mut device, given.clone()).await.expect(200)["session"].clone();
    assert_eq!(session["amr"], json!(["swk", "user", "mfa", "pwd"]));
    let body = json!({"username": "alice", "password": PASSWORD});
    app.browser()
        .post("/password/login", body)
        .await
        .refused(401, "authentication_failed");

    // The client key: shown once, replaced and removed by a step-up each.
    browser
        .post("/account/client-key", json!({}))
        .await
        .refused(403, "step_up_required");
    browser.step_up(&mut device, "change_password").await;
    let first = browser.post("/account/client-key", json!({})).await.expect(200)["clientKey"].clone();
    browser
        .login_with(&mut device, given.clone())
        .await
        .refused(401, "client_key_mismatch");
    let with_first = json!({"password": PASSWORD, "clientKey": first});
    browser
        .login_with(&mut device, with_first.clone())
        .await
        .expect(200);
    browser.step_up(&mut device, "change_password").await;
    let second = browser.post("/account/client-key", json!({})).await.expect(200)["clientKey"].clone();
    assert_ne!(first, second);
    browser
        .login_with(&mut device, with_first)
        .await
        .refused(401, "client_key_mismatch");
    let with_second = json!({"password": PASSWORD, "clientKey": second});
    browser.login_with(&mut device, with_second).await.expect(200);
    browser.step_up(&mut device, "change_password").await;
    browser.delete("/account/client-key").await.expect(204);
    browser.login_with(&mut device, given).await.expect(200);

    // To be asked for less, the password so far is needed too.
    browser.step_up(&mut device, "change_password").await;
    browser
        .delete("/password")
        .await
        .refused(401, "password_required");
    let wrong = json!({"currentPassword": ANOTHER});
    browser
        .json(Method::DELETE, "/password", wrong)
        .await
        .refused(401, "authentication_failed");
    let right = json!({"currentPassword": PASSWORD});
    browser.json(Method::DELETE, "/password", right).await.expect(204);
    browser.login_with(&mut device, json!({})).await.expect(200);
}

#[tokio::test]
async fn there_are_no_client_keys_unless_they_are_enabled() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    assert_eq!(registered.get("clientKey"), None);
    browser.step_up(&mut device, "change_password").await;
    browser
        .post("/account/client-key", json!({}))
        .await
        .refused(404, "not_found");
    browser
        .delete("/account/client-key")
        .await
        .refused(404, "not_found");
    // What is not asked for is not looked at; what could not be kept is refused.
    let given = json!({"password": PASSWORD, "clientKey": "nonsense"});
    browser.login_with(&mut device, given).await.expect(200);
    for mut client in [app.browser(), browser] {
        let mut another = SoftwareAuthenticator::new("another");
        client
            .register_with(&mut another, "bob", json!({"password": PASSWORD}))
            .await
            .refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn who_has_stolen_a_passkey_guesses_the_rest_slowly_from_wherever() {
    let app = App::with(Settings {
        rate_limits: Some(RateLimitSettings {
            per_address_and_account: 1000,
            ..RateLimitSettings::default()
        }),
        ..with(Demand::Off, Demand::Required)
    })
    .await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser
        .register_with(&mut device, "alice", json!({}))
        .await
        .expect(201);
    for n in 0..5_u8 {
        browser.ip = format!("203.0.{n}.1");
        let guess = json!({"clientKey": format!("{n:032x}")});
        browser
            .login_with(&mut device, guess)
            .await
            .refused(401, "client_key_mismatch");
    }
    let right = json!({"clientKey": registered["clientKey"]});
    browser
        .login_with(&mut device, right)
        .await
        .refused(429, "rate_limited");
}

#[tokio::test]
async fn a_client_key_is_in_no_name_no_handle_and_no_event() {
    let app = App::with(with(Demand::Off, Demand::Required)).await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let start = json!({"username": "alice"});
    let started = browser.post("/register/start", start).await.expect(200);
    let credential = device.register(&started["publicKey"], ORIGIN);
    let registered = browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201);
    let key = registered["clientKey"].as_str().unwrap().to_owned();
    let given = json!({"clientKey": key});
    browser.login_with(&mut device, given).await.expect(200);
    browser.step_up(&mut device, "change_password").await;
    let second = browser.post("/account/client-key", json!({})).await.expect(200);
    let second = second["clientKey"].as_str().unwrap();
    let id = app
        .store
        .password_candidate("alice")
        .await
        .unwrap()
        .unwrap()
        .account
        .id;
    let seen = [
        started.to_string(),
        browser.get("/account").await.text,
        browser.get("/credentials").await.text,
        browser.get("/sessions").await.text,
        format!("{:?}", app.store.account(id).await.unwrap()),
        format!("{:?}", app.store.events_of(id, None, 100).await.unwrap()),
    ];
    for text in seen {
        assert!(!text.contains(&key) && !text.contains(second), "{text}");
    }
}

#[tokio::test]
async fn a_security_key_is_registered_with_its_pin_and_never_signs_without() {
    // Elsewhere verification is only preferred.
    let app = App::with(Settings {
        user_verification: UserVerification::Preferred,
        ..settings()
    })
    .await;
    let mut device = SoftwareAuthenticator::new("key");
    let mut browser = app.browser();
    let start = json!({"username": "alice", "pin": true});
    let started = browser.post("/register/start", start.clone()).await.expect(200);
    let selection = &started["publicKey"]["authenticatorSelection"];
    assert_eq!(selection["authenticatorAttachment"], "cross-platform");
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(started["publicKey"]["hints"], json!(["security-key"]));

    // Neither without its PIN, nor another kind of authenticator.
    let mut draft = device.draft_registration(&started["publicKey"], ORIGIN).unwrap();
    draft.flags &= !0b100;
    let mut credential = draft.finish();
    credential["authenticatorAttachment"] = json!("cross-platform");
    browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .refused(400, "user_verification_missing");
    let started = browser.post("/register/start", start.clone()).await.expect(200);
    let mut credential = SoftwareAuthenticator::new("other").register(&started["publicKey"], ORIGIN);
    credential["authenticatorAttachment"] = json!("platform");
    browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .refused(400, "invalid_request");

    let mut device = SoftwareAuthenticator::new("key");
    let started = browser.post("/register/start", start).await.expect(200);
    let mut credential = device.register(&started["publicKey"], ORIGIN);
    credential["authenticatorAttachment"] = json!("cross-platform");
    let registered = browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201);
    assert_eq!(registered["credential"]["pin"], true);
    let listed = browser.get("/credentials").await.expect(200);
    assert_eq!(listed["credentials"][0]["pin"], true);

    let started = browser.post("/login/start", json!({})).await.expect(200);
    let mut draft = device.draft_assertion(&started["publicKey"], ORIGIN).unwrap();
    draft.flags &= !0b100;
    browser
        .post("/login/finish", finish(&started, &draft.finish()))
        .await
        .refused(400, "user_verification_missing");
    browser.login(&mut device, None).await.expect(200);

    for wrong in [
        json!({"username": "bob", "pin": true, "authenticatorAttachment": "platform"}),
        json!({"username": "bob", "pin": "yes"}),
    ] {
        browser
            .post("/register/start", wrong)
            .await
            .refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn the_owner_sees_what_guards_the_account_and_nobody_else() {
    let app = App::with(with(Demand::ByAccount, Demand::ByAccount)).await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let guards = |password: Value, client_key: bool, codes: u64| json!({"password": password, "clientKey": client_key, "recoveryCodesLeft": codes});
    let seen = browser.get("/account/security").await.expect(200);
    assert_eq!(seen, guards(Value::Null, false, 0));
    browser.post("/recovery/codes", json!({})).await.expect(201);
    browser.step_up(&mut device, "change_password").await;
    browser.post("/account/client-key", json!({})).await.expect(200);
    browser.step_up(&mut device, "change_password").await;
    let set = json!({"password": PASSWORD, "withPasskey": true});
    browser.json(Method::PUT, "/password", set).await.expect(204);
    let seen = browser.get("/account/security").await.expect(200);
    assert_eq!(seen, guards(json!("with_passkey"), true, 10));
    app.browser()
        .get("/account/security")
        .await
        .refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_page_can_ask_what_there_is_to_offer() {
    let app = App::with(with(Demand::ByAccount, Demand::Required)).await;
    let offered = app.browser().get("/features").await.expect(200);
    let expected = json!({
        "mail": false, "identifier": "username", "passwordFallback": false, "passwordWithPasskey": "by-account", "clientKey": "required",
    });
    assert_eq!(offered, expected);
}

/// An administrator who may check it reads when a client key was made and when it was used last.
#[tokio::test]
async fn a_client_key_has_its_dates() {
    let app = App::with(Settings {
        administration: AdministrationSettings {
            client_key_check: true,
            ..AdministrationSettings::default()
        },
        ..with(Demand::Off, Demand::ByAccount)
    })
    .await;
    let (mut root, mut root_device) = (app.browser(), SoftwareAuthenticator::new("root"));
    let registered = root.register(&mut root_device, "root").await;
    set_role(&app, registered["user"]["id"].as_str().unwrap(), Role::Admin).await;
    let (mut browser, mut device) = (app.browser(), SoftwareAuthenticator::new("device"));
    let registered = browser.register(&mut device, "alice").await;
    let path = format!(
        "/admin/users/{}/client-key/verify",
        registered["user"]["id"].as_str().unwrap()
    );
    let mut dates = async || {
        root.login(&mut root_device, Some("root")).await.expect(200);
        root.step_up(&mut root_device, "admin").await;
        let found = root.post(&path, json!({"candidate": "00"})).await.expect(200);
        assert_eq!(found["configured"], true);
        [found["createdAt"].clone(), found["lastUsedAt"].clone()]
    };
    app.pass(10);
    browser.step_up(&mut device, "change_password").await;
    let made = browser.post("/account/client-key", json!({})).await.expect(200);
    app.pass(10);
    let (created, used) = ("2027-01-15T08:00:10.000Z", "2027-01-15T08:00:20.000Z");
    assert_eq!(dates().await, [json!(created), Value::Null]);
    let given = json!({"clientKey": made["clientKey"]});
    browser.login_with(&mut device, given).await.expect(200);
    app.pass(10);
    assert_eq!(dates().await, [json!(created), json!(used)]);
}
