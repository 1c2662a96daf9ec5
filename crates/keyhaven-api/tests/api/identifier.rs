//! Accounts that are called by their e-mail addresses, and trying to make one in another's name.

use axum::http::Method;
use keyhaven_mail::Rendered;
use keyhaven_service::{Identifier, PasswordSettings, RateLimitSettings, Settings};
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, finish, mailing};

const PASSWORD: &str = "correct horse battery staple, twice";

fn by_address() -> Settings {
    Settings {
        identifier: Identifier::Email,
        passwords: PasswordSettings {
            fallback: true,
            ..PasswordSettings::default()
        },
        ..mailing()
    }
}

/// The six digits of a mail.
fn code(mail: &Rendered) -> Option<String> {
    let mut lines = mail.text.lines().map(str::trim);
    let digits = lines.find(|line| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit()));
    digits.map(str::to_owned)
}

async fn ask(browser: &mut Client, email: &str) -> Answer {
    browser.post("/register/start", json!({"email": email})).await
}

fn with_code(asked: &Value, code: &str) -> Value {
    json!({"emailProofId": asked["emailProofId"], "emailCode": code})
}

/// Asks, and answers what came back, and the code that was mailed.
async fn asked(app: &App, browser: &mut Client, email: &str) -> (Value, String) {
    let asked = ask(browser, email).await.expect(202);
    let mails = app.mails().await;
    assert_eq!(mails.len(), 1);
    (asked, code(&mails[0]).unwrap())
}

/// A new account that is called by this address.
async fn registered(app: &App, device: &mut SoftwareAuthenticator, email: &str) -> (Client, Value) {
    let mut browser = app.browser();
    let (asked, code) = asked(app, &mut browser, email).await;
    let started = browser
        .post("/register/start", with_code(&asked, &code))
        .await
        .expect(200);
    assert_eq!(started["publicKey"]["user"]["name"], email);
    let credential = device.register(&started["publicKey"], &browser.page());
    let registered = browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201);
    (browser, registered)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_proven_before_there_is_a_passkey() {
    let app = &App::with(by_address()).await;
    let mut device = SoftwareAuthenticator::new("device");
    let (mut browser, registered) = registered(app, &mut device, "Alice@example.com").await;
    let user = &registered["user"];
    assert_eq!(user["username"], "Alice@example.com");
    assert_eq!(
        (&user["email"], &user["emailVerified"]),
        (&json!("Alice@example.com"), &json!(true))
    );
    assert!(app.mails().await.is_empty(), "nothing is left to be proven");
    let details = &registered["signals"]["currentUserDetails"];
    assert_eq!(details["name"], "Alice@example.com");
    // The name in any spelling finds the account; the store holds no name.
    for typed in ["alice@example.com", "ALICE@EXAMPLE.COM", "Ａlice@example.com"] {
        let started = app
            .browser()
            .post("/login/start", json!({"username": typed}))
            .await
            .expect(200);
        let allowed = &started["publicKey"]["allowCredentials"];
        assert_eq!(allowed[0]["id"], registered["credential"]["id"], "{typed}");
    }
    app.browser()
        .login(&mut device, Some("alice@example.com"))
        .await
        .expect(200);
    app.browser().login(&mut device, None).await.expect(200);
    let id = user["id"].as_str().unwrap().parse().unwrap();
    let stored = app.store.account(id).await.unwrap().unwrap();
    assert!(stored.username.starts_with('@') && !stored.username.to_lowercase().contains("alice"));
    browser.get("/account").await.expect(200);
    // A handle is no name here, and nothing starts without an address.
    browser.cookies.remove("__Host-keyhaven_session");
    let answer = browser
        .post("/register/start", json!({"username": "alice"}))
        .await;
    answer.refused(400, "email_required");
    app.browser()
        .post("/login/start", json!({"username": "alice"}))
        .await
        .refused(400, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_an_address_is_taken_is_told_to_its_mailbox_alone() {
    let app = &App::with(by_address()).await;
    registered(app, &mut SoftwareAuthenticator::new("d"), "taken@example.com").await;
    let mut answers = Vec::new();
    for email in ["taken@example.com", "freex@example.com", "TAKEN@example.com"] {
        let mut browser = app.browser();
        let answer = ask(&mut browser, email).await;
        let status = answer.status;
        let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        let body = answer.expect(202);
        let length = body["emailProofId"].as_str().unwrap().len();
        let guesses = [
            browser.post("/register/start", with_code(&body, "000000")).await,
            browser.post("/register/start", with_code(&body, "")).await,
        ];
        answers.push((
            status,
            names,
            length,
            body["expiresAt"].clone(),
            body["translationKey"].clone(),
            guesses.map(|guess| (guess.status, guess.comparable())),
        ));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    let mails = app.mails().await;
    assert_eq!(mails.len(), 3);
    for mail in mails {
        let is_free = mail.to.as_str() == "freex@example.com";
        assert_eq!(code(&mail).is_some(), is_free, "{}", mail.text);
        assert_eq!(mail.text.contains("#register="), is_free);
        assert_eq!(mail.subject == "You already have an account", !is_free);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_an_account_in_anothers_name() {
    let app = &App::with(by_address()).await;
    // Mallory asks with Bob's address. The code reaches Bob, whose browser did not ask.
    let mut mallory = app.browser();
    let (asked, code) = asked(app, &mut mallory, "bob@example.com").await;
    let mut bob = app.browser();
    let answer = bob.post("/register/start", with_code(&asked, &code)).await;
    answer.refused(400, "challenge_missing");
    // Also where that browser has asked for something of its own, and by a client that keeps no cookies.
    ask(&mut bob, "robert@example.com").await.expect(202);
    let answer = bob.post("/register/start", with_code(&asked, &code)).await;
    answer.refused(400, "challenge_missing");
    let answer = app
        .native()
        .post("/register/start", with_code(&asked, &code))
        .await;
    answer.refused(400, "challenge_missing");
    // Mallory does not have it. Nothing was made.
    for guess in ["", "12345", "1234567", "abcdef"] {
        let answer = mallory.post("/register/start", with_code(&asked, guess)).await;
        answer.refused(401, "authentication_failed");
    }
    let started = app
        .browser()
        .post("/login/start", json!({"username": "bob@example.com"}))
        .await
        .expect(200);
    assert!(
        started["publicKey"]["allowCredentials"][0]["id"].is_string(),
        "a decoy"
    );
    // Bob's own account is made afterwards, and nothing of Mallory's is in it.
    app.mails().await;
    let (_, registered) = registered(app, &mut SoftwareAuthenticator::new("bob"), "bob@example.com").await;
    assert_eq!(registered["user"]["emailVerified"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_code_is_good_once_for_a_while_and_for_a_few_guesses() {
    let app = &App::with(by_address()).await;
    // Once.
    let mut browser = app.browser();
    let (first, code) = asked(app, &mut browser, "a@example.com").await;
    browser
        .post("/register/start", with_code(&first, &code))
        .await
        .expect(200);
    let again = browser.post("/register/start", with_code(&first, &code)).await;
    again.refused(400, "challenge_missing");
    // For 15 minutes.
    let (second, code) = asked(app, &mut browser, "b@example.com").await;
    app.pass(15 * 60);
    let late = browser.post("/register/start", with_code(&second, &code)).await;
    late.refused(400, "challenge_missing");
    // For five guesses, of which the right one would be the sixth.
    let (third, code) = asked(app, &mut browser, "c@example.com").await;
    let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
    for _ in 0..5 {
        let guess = browser.post("/register/start", with_code(&third, &wrong)).await;
        guess.refused(401, "authentication_failed");
    }
    let sixth = browser.post("/register/start", with_code(&third, &code)).await;
    sixth.refused(400, "challenge_missing");
    // A code proves its own address, under its own id, and finishes no ceremony.
    let (one, _) = asked(app, &mut browser, "d@example.com").await;
    let (_, other_code) = asked(app, &mut browser, "e@example.com").await;
    let answer = browser
        .post("/register/start", with_code(&one, &other_code))
        .await;
    answer.refused(401, "authentication_failed");
    let body = json!({"ceremonyId": one["emailProofId"], "credential": {}});
    assert_eq!(
        browser.post("/register/finish", body.clone()).await.code(),
        "challenge_missing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_prove_one_address_one_has_it() {
    let app = &App::with(by_address()).await;
    // The same mailbox, asked for by two browsers before either goes on.
    let (mut one, mut two) = (app.browser(), app.browser());
    let mut finishes = Vec::new();
    for (browser, name) in [(&mut one, "one"), (&mut two, "two")] {
        let (asked, code) = asked(app, browser, "a@example.com").await;
        let started = browser
            .post("/register/start", with_code(&asked, &code))
            .await
            .expect(200);
        let credential = SoftwareAuthenticator::new(name).register(&started["publicKey"], &browser.page());
        finishes.push(finish(&started, &credential));
    }
    one.post("/register/finish", finishes[0].clone())
        .await
        .expect(201);
    let late = two.post("/register/finish", finishes[1].clone()).await;
    late.refused(409, "username_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_five_such_mails_a_day_and_the_answer_does_not_say_so() {
    let app = &App::with(by_address()).await;
    let mut bodies = Vec::new();
    for _ in 0..7 {
        let mut body = ask(&mut app.browser(), "victim@example.com").await.expect(202);
        body.as_object_mut().unwrap().remove("emailProofId");
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(app.mails().await.len(), 5);
    // Recoveries of the address are counted apart.
    let recovery = json!({"email": "victim@example.com"});
    app.browser()
        .post("/recovery/request-otp", recovery)
        .await
        .expect(200);
    app.pass(24 * 3600 + 1);
    ask(&mut app.browser(), "victim@example.com").await.expect(202);
    assert_eq!(app.mails().await.len(), 1);
    let app = App::with(Settings {
        rate_limits: Some(RateLimitSettings::default()),
        ..by_address()
    })
    .await;
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(
            ask(&mut app.browser(), "victim@example.com")
                .await
                .status
                .as_u16(),
        );
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}

/// Five asks about one address, then one about the victim's; and what was mailed for that.
async fn sixth(first_five: &str) -> (Client, Value, Option<String>) {
    let app = App::with(by_address()).await;
    for _ in 0..5 {
        ask(&mut app.browser(), first_five).await.expect(202);
    }
    app.mails().await;
    let mut browser = app.browser();
    let asked = ask(&mut browser, "victim@example.com").await.expect(202);
    let code = app.mails().await.first().and_then(code);
    (browser, asked, code)
}

/// Else guesses were as many as asks: a mailbox that has heard of it five times would hear no more.
#[tokio::test]
async fn a_code_that_was_not_mailed_proves_nothing() {
    // The random source draws alike in both: the codes are the same.
    let (mut mailed, asked, code) = sixth("somebody@example.com").await;
    let (mut silent, unmailed, none) = sixth("victim@example.com").await;
    assert_eq!((&asked["emailProofId"], none), (&unmailed["emailProofId"], None));
    let code = code.unwrap();
    silent
        .post("/register/start", with_code(&unmailed, &code))
        .await
        .refused(401, "authentication_failed");
    mailed
        .post("/register/start", with_code(&asked, &code))
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_account_proves_its_address_first_too() {
    let app = &App::with(by_address()).await;
    let mut browser = app.browser();
    let unproven =
        json!({"username": "alice@example.com", "email": "alice@example.com", "password": PASSWORD});
    let answer = browser.post("/password/register", unproven).await;
    answer.refused(400, "email_required");
    let (asked, code) = asked(app, &mut browser, "alice@example.com").await;
    let mut body = with_code(&asked, &code);
    // A password that is refused uses no code up.
    body["password"] = json!("short");
    browser
        .post("/password/register", body.clone())
        .await
        .refused(400, "invalid_request");
    body["password"] = json!(PASSWORD);
    let made = browser.post("/password/register", body.clone()).await.expect(201);
    assert_eq!(made["user"]["username"], "alice@example.com");
    assert_eq!(made["user"]["emailVerified"], true);
    browser
        .post("/password/register", body)
        .await
        .refused(400, "challenge_missing");
    let login = json!({"username": "ALICE@example.com", "password": PASSWORD});
    app.browser().post("/password/login", login).await.expect(200);
    let login = json!({"email": "alice@example.com", "password": PASSWORD});
    app.browser().post("/password/login", login).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_called_by_its_new_address_once_that_is_proven() {
    let app = &App::with(by_address()).await;
    let mut device = SoftwareAuthenticator::new("device");
    let (mut browser, first) = registered(app, &mut device, "old@example.com").await;
    registered(app, &mut SoftwareAuthenticator::new("other"), "taken@example.com").await;
    for (address, works) in [("taken@example.com", false), ("new@example.com", true)] {
        browser.step_up(&mut device, "change_email").await;
        browser
            .post("/email/change", json!({"email": address}))
            .await
            .expect(202);
        let mails = app.mails().await;
        let mail = mails.iter().find(|mail| mail.to.as_str() == address).unwrap();
        let link = mail.text.split_once("#verify-email=");
        assert_eq!(link.is_some(), works);
        if let Some((_, rest)) = link {
            let token = rest.split_whitespace().next().unwrap();
            let user = browser
                .post("/email/verify", json!({"token": token}))
                .await
                .expect(200);
            assert_eq!(user["username"], address);
        }
    }
    let started = |name| {
        let mut browser = app.browser();
        async move {
            browser
                .post("/login/start", json!({"username": name}))
                .await
                .expect(200)
        }
    };
    let found = started("new@example.com").await;
    assert_eq!(
        found["publicKey"]["allowCredentials"][0]["id"],
        first["credential"]["id"]
    );
    let left = started("old@example.com").await;
    assert_ne!(
        left["publicKey"]["allowCredentials"][0]["id"],
        first["credential"]["id"]
    );
    // What was left is free, for whoever proves it.
    app.mails().await;
    let (_, heir) = registered(app, &mut SoftwareAuthenticator::new("heir"), "old@example.com").await;
    assert_ne!(heir["user"]["id"], first["user"]["id"]);
    // A name is changed in no other way.
    let body = json!({"displayName": "x", "email": "evil@example.com"});
    browser
        .json(Method::PATCH, "/account", body)
        .await
        .refused(400, "invalid_request");
}

#[tokio::test]
async fn what_is_no_address_is_refused_before_anything_is_mailed() {
    let app = App::with(by_address()).await;
    for email in [
        "",
        "alice",
        "a@b",
        "a@b.c\r\nBcc: x@y.z",
        "A <a@b.c>",
        "a\u{200b}@b.c",
        "☃@example.com",
        "a@exa mple.com",
    ] {
        ask(&mut app.browser(), email)
            .await
            .refused(400, "invalid_request");
    }
    let answer = ask(&mut app.browser(), &format!("{}@example.com", "a".repeat(300))).await;
    answer.refused(400, "invalid_request");
    assert!(app.mails().await.is_empty());
}
