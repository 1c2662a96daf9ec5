//! Addresses and notices, as they arrive.

use axum::http::Method;
use keyhaven_mail::Rendered;
use keyhaven_service::Settings;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::passwords::{self, PASSWORD, bcrypt, take_over};
use crate::support::{Answer, App, Client, finish, mailing};

/// The token of the link in a mail.
#[track_caller]
fn token(mail: &Rendered) -> String {
    let (_, rest) = mail
        .text
        .split_once("https://example.org/account#verify-email=")
        .unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn only(mails: Vec<Rendered>) -> Rendered {
    let [mail] = <[Rendered; 1]>::try_from(mails).unwrap_or_else(|mails| panic!("{} mails", mails.len()));
    mail
}

fn subjects(mails: &[Rendered]) -> Vec<(&str, &str)> {
    let mut subjects: Vec<_> = mails
        .iter()
        .map(|mail| (mail.to.as_str(), mail.subject.as_str()))
        .collect();
    subjects.sort_unstable();
    subjects
}

async fn register(
    browser: &mut Client,
    device: &mut SoftwareAuthenticator,
    name: &str,
    email: &str,
) -> Value {
    let started = browser
        .post("/register/start", json!({"username": name, "email": email}))
        .await
        .expect(200);
    let credential = device.register(&started["publicKey"], &browser.page());
    browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201)
}

/// Signed in, with a proven address.
pub(crate) async fn proven(app: &App, name: &str, email: &str) -> (Client, SoftwareAuthenticator) {
    let mut device = SoftwareAuthenticator::new(name);
    let mut browser = app.browser();
    register(&mut browser, &mut device, name, email).await;
    let mail = only(app.mails().await);
    verify(&mut browser, &token(&mail)).await.expect(200);
    (browser, device)
}

async fn verify(browser: &mut Client, token: &str) -> Answer {
    browser.post("/email/verify", json!({"token": token})).await
}

async fn change(browser: &mut Client, device: &mut SoftwareAuthenticator, email: &str) -> Answer {
    browser.step_up(device, "change_email").await;
    browser.post("/email/change", json!({"email": email})).await
}

#[tokio::test]
async fn an_address_is_the_accounts_once_the_mailed_link_was_followed() {
    let app = App::with(mailing()).await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = register(&mut browser, &mut device, "anna", "Anna@example.com").await;
    assert_eq!(registered["user"]["emailVerified"], false);
    let mail = only(app.mails().await);
    assert_eq!(mail.to.as_str(), "Anna@example.com");
    assert_eq!(mail.subject, "Confirm your e-mail address");
    assert!(
        !mail.text.contains("anna"),
        "nobody greets a stranger by name: {}",
        mail.text
    );
    let token = token(&mail);
    let user = verify(&mut browser, &token).await.expect(200);
    assert_eq!(
        (&user["email"], &user["emailVerified"]),
        (&json!("Anna@example.com"), &json!(true))
    );
    // Once.
    verify(&mut browser, &token).await.refused(404, "not_found");
    assert!(app.mails().await.is_empty());
}

#[tokio::test]
async fn a_mailed_link_and_the_session_of_the_account_that_asked_must_come_together() {
    let app = App::with(mailing()).await;
    // Mallory has typed Bob's address. The link reaches Bob, who is signed in to an account of his own.
    let (mut mallory, mut bob) = (app.browser(), app.browser());
    register(
        &mut mallory,
        &mut SoftwareAuthenticator::new("m"),
        "mallory",
        "bob@example.com",
    )
    .await;
    let mail = only(app.mails().await);
    bob.register(&mut SoftwareAuthenticator::new("b"), "bob").await;
    verify(&mut bob, &token(&mail)).await.refused(404, "not_found");
    // Nor without a session, nor by guessing from Mallory's.
    verify(&mut app.browser(), &token(&mail))
        .await
        .refused(401, "unauthenticated");
    for guess in ["", "AAAA", "A".repeat(43).as_str(), "\r\n"] {
        verify(&mut mallory, guess).await.refused(404, "not_found");
    }
    let user = mallory.get("/account").await.expect(200);
    assert_eq!(user["emailVerified"], false);
    // Bob proves it himself, and what Mallory was sent is worth nothing afterwards.
    let mut phone = SoftwareAuthenticator::new("phone");
    let mut bob = app.browser();
    register(&mut bob, &mut phone, "bob2", "bob@example.com").await;
    let own = only(app.mails().await);
    verify(&mut bob, &token(&own)).await.expect(200);
    verify(&mut mallory, &token(&mail))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn answers_are_the_same_whoever_has_the_address() {
    let app = App::with(mailing()).await;
    proven(&app, "owner", "taken@example.com").await;
    let mut answers = Vec::new();
    for (name, email) in [
        ("stranger1", "taken@example.com"),
        ("stranger2", "freex@example.com"),
    ] {
        let mut device = SoftwareAuthenticator::new(name);
        let mut browser = app.browser();
        let start = browser
            .post("/register/start", json!({"username": name, "email": email}))
            .await
            .expect(200);
        let credential = device.register(&start["publicKey"], &browser.page());
        let finished = browser
            .post("/register/finish", finish(&start, &credential))
            .await
            .expect(201);
        assert_eq!(finished["user"]["email"], email);
        assert_eq!(finished["user"]["emailVerified"], false);
        app.pass(61);
        let resent = browser.post("/email/resend", json!({})).await;
        answers.push((resent.status, resent.text));
        let changed = change(&mut browser, &mut device, &format!("x{email}")).await;
        answers.push((changed.status, changed.text));
        let changed = change(&mut browser, &mut device, email).await;
        answers.push((changed.status, changed.text));
    }
    let (first, second) = answers.split_at(3);
    assert_eq!(first, second);
    // The owner is told, without a link; the other address gets one.
    let mails = app.mails().await;
    let to_owner: Vec<_> = mails
        .iter()
        .filter(|mail| mail.to.as_str() == "taken@example.com")
        .collect();
    assert_eq!(to_owner.len(), 3);
    for mail in to_owner {
        assert_eq!(mail.subject, "Somebody entered your e-mail address");
        assert!(!mail.text.contains("verify-email"), "{}", mail.text);
        assert!(mail.text.contains("Hello owner"));
    }
}

#[tokio::test]
async fn an_address_gets_a_few_mails_a_day_however_many_accounts_claim_it() {
    let app = App::with(mailing()).await;
    for n in 0..8 {
        let name = format!("user{n}");
        let mut browser = app.browser();
        register(
            &mut browser,
            &mut SoftwareAuthenticator::new(&name),
            &name,
            if n % 2 == 0 {
                "victim@example.com"
            } else {
                "VICTIM@example.com"
            },
        )
        .await;
    }
    assert_eq!(app.mails().await.len(), 5);
    app.pass(24 * 3600 + 1);
    let mut browser = app.browser();
    register(
        &mut browser,
        &mut SoftwareAuthenticator::new("later"),
        "later",
        "victim@example.com",
    )
    .await;
    assert_eq!(app.mails().await.len(), 1);
}

#[tokio::test]
async fn who_moves_on_and_comes_back_or_goes_altogether_mails_no_more() {
    let victim = "victim@example.com";
    let app = App::with(mailing()).await;
    let (mut browser, mut device) = proven(&app, "mallory", "mallory@example.com").await;
    for _ in 0..3 {
        for address in [victim, victim, "elsewhere@example.com"] {
            change(&mut browser, &mut device, address).await.expect(202);
        }
    }
    let mut mails = app.mails().await;
    for n in 0..6 {
        let name = format!("user{n}");
        let mut device = SoftwareAuthenticator::new(&name);
        let mut browser = app.browser();
        register(&mut browser, &mut device, &name, victim).await;
        // Sent before the account goes, and what is not sent with it.
        mails.extend(app.mails().await);
        browser.step_up(&mut device, "delete_account").await;
        browser.delete("/account").await.expect(200);
    }
    // Nor under another spelling.
    change(&mut browser, &mut device, "victim@ｅxample.com")
        .await
        .expect(202);
    mails.extend(app.mails().await);
    let to_victim = mails.iter().filter(|mail| mail.to.as_str().starts_with("victim"));
    assert_eq!(to_victim.count(), 5);
    app.pass(24 * 3600 + 1);
    browser.login(&mut device, None).await.expect(200);
    change(&mut browser, &mut device, victim).await.expect(202);
    let again = app.mails().await;
    assert!(again.iter().any(|mail| mail.to.as_str() == victim));
}

#[tokio::test]
async fn a_new_link_takes_the_place_of_the_one_before() {
    let app = App::with(mailing()).await;
    let mut browser = app.browser();
    register(
        &mut browser,
        &mut SoftwareAuthenticator::new("device"),
        "anna",
        "anna@example.com",
    )
    .await;
    let first = only(app.mails().await);
    let refused = browser.post("/email/resend", json!({})).await;
    refused.refused(429, "rate_limited");
    assert_eq!(refused.headers["retry-after"], "60");
    app.pass(60);
    let told = browser.post("/email/resend", json!({})).await.expect(202);
    assert_eq!(told["translationKey"], "message.email_sent");
    let second = only(app.mails().await);
    verify(&mut browser, &token(&first))
        .await
        .refused(404, "not_found");
    verify(&mut browser, &token(&second)).await.expect(200);
    browser
        .post("/email/resend", json!({}))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_link_is_good_for_a_day_and_an_unproven_address_for_a_week() {
    let app = App::with(mailing()).await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    register(&mut browser, &mut device, "anna", "anna@example.com").await;
    let first = only(app.mails().await);
    app.pass(24 * 3600);
    browser.login(&mut device, None).await.expect(200);
    verify(&mut browser, &token(&first))
        .await
        .refused(404, "not_found");
    for day in 1..7 {
        app.keyhaven.upkeep.purge().await.unwrap();
        browser.login(&mut device, None).await.expect(200);
        let user = browser.get("/account").await.expect(200);
        assert_eq!(user["email"], "anna@example.com", "day {day}");
        app.pass(24 * 3600);
    }
    // And an hour, in which a clock that is ahead drops nothing.
    for (seconds, kept) in [(0, true), (3_599, true), (1, false)] {
        app.pass(seconds);
        app.keyhaven.upkeep.purge().await.unwrap();
        browser.login(&mut device, None).await.expect(200);
        let user = browser.get("/account").await.expect(200);
        assert_eq!(user.get("email").is_some(), kept);
    }
    browser
        .post("/email/resend", json!({}))
        .await
        .refused(404, "not_found");
}

/// With mails, and passwords that sign in alone.
fn with_passwords() -> Settings {
    Settings {
        passwords: passwords::fallback().passwords,
        ..mailing()
    }
}

#[tokio::test]
async fn an_address_of_a_password_account_is_proven_by_mail_too() {
    let app = App::with(with_passwords()).await;
    let mut browser = app.browser();
    let body = json!({"username": "anna", "email": "anna@example.com", "password": PASSWORD});
    let registered = browser.post("/password/register", body.clone()).await.expect(201);
    assert_eq!(registered["user"]["emailVerified"], false);
    let mail = only(app.mails().await);
    assert_eq!(mail.to.as_str(), "anna@example.com");
    assert_eq!(mail.subject, "Confirm your e-mail address");
    // What is refused sends no mail.
    let refused = app.browser().post("/password/register", body).await;
    refused.refused(409, "username_taken");
    assert!(app.mails().await.is_empty());
    // The claim is the account's already: another mail can be asked for in a minute.
    let soon = browser.post("/email/resend", json!({})).await;
    soon.refused(429, "rate_limited");
    let user = verify(&mut browser, &token(&mail)).await.expect(200);
    assert_eq!(user["emailVerified"], true);
}

#[tokio::test]
async fn an_unproven_address_of_a_password_account_is_kept_for_a_week() {
    let app = App::with(with_passwords()).await;
    let body = json!({"username": "anna", "email": "anna@example.com", "password": PASSWORD});
    app.browser().post("/password/register", body).await.expect(201);
    for (days, expected) in [(6, json!("anna@example.com")), (2, Value::Null)] {
        app.pass(days * 24 * 3600);
        app.keyhaven.upkeep.purge().await.unwrap();
        let signed_in = app.browser().login_password("anna", PASSWORD).await.expect(200);
        assert_eq!(signed_in["user"]["email"], expected);
    }
}

/// Nobody has asked for mails to addresses that were taken over: they are there, unproven, until their owners ask.
#[tokio::test]
async fn an_imported_address_is_claimed_when_its_owner_asks() {
    let app = App::with(with_passwords()).await;
    take_over(&app, "anna", Some("anna@example.com"), &bcrypt(4))
        .await
        .unwrap();
    assert!(app.mails().await.is_empty());
    app.pass(30 * 24 * 3600);
    app.keyhaven.upkeep.purge().await.unwrap();
    let mut browser = app.browser();
    let signed_in = browser.login_password("anna", PASSWORD).await.expect(200);
    assert_eq!(
        (&signed_in["user"]["email"], &signed_in["user"]["emailVerified"]),
        (&json!("anna@example.com"), &json!(false))
    );
    browser.post("/email/resend", json!({})).await.expect(202);
    let mail = only(app.mails().await);
    assert_eq!(mail.to.as_str(), "anna@example.com");
    let again = browser.post("/email/resend", json!({})).await;
    again.refused(429, "rate_limited");
    let user = verify(&mut browser, &token(&mail)).await.expect(200);
    assert_eq!(user["emailVerified"], true);
}

#[tokio::test]
async fn a_change_is_told_to_both_sides_and_done_when_the_new_one_is_proven() {
    let app = App::with(mailing()).await;
    let (mut browser, mut device) = proven(&app, "anna", "old@example.com").await;
    browser
        .post("/email/change", json!({"email": "new@example.com"}))
        .await
        .refused(403, "step_up_required");
    change(&mut browser, &mut device, "OLD@example.com")
        .await
        .refused(400, "invalid_request");
    assert!(app.mails().await.is_empty());
    // The grant is still there, and good for one change.
    browser
        .post("/email/change", json!({"email": "new@example.com"}))
        .await
        .expect(202);
    browser
        .post("/email/change", json!({"email": "other@example.com"}))
        .await
        .refused(403, "step_up_required");
    let mails = app.mails().await;
    assert_eq!(
        subjects(&mails),
        [
            ("new@example.com", "Confirm your new e-mail address"),
            ("old@example.com", "Your e-mail address is about to change"),
        ]
    );
    let old = mails
        .iter()
        .find(|mail| mail.to.as_str() == "old@example.com")
        .unwrap();
    assert!(old.text.contains("new@example.com") && !old.text.contains("verify-email"));
    let user = browser.get("/account").await.expect(200);
    assert_eq!(
        (&user["email"], &user["emailVerified"]),
        (&json!("old@example.com"), &json!(true))
    );
    let link = mails
        .iter()
        .find(|mail| mail.to.as_str() == "new@example.com")
        .unwrap();
    let user = verify(&mut browser, &token(link)).await.expect(200);
    assert_eq!(user["email"], "new@example.com");
    let mail = only(app.mails().await);
    assert_eq!(
        (mail.to.as_str(), mail.subject.as_str()),
        ("old@example.com", "Your e-mail address was changed")
    );
}

#[tokio::test]
async fn no_address_makes_a_header() {
    let app = App::with(mailing()).await;
    let (mut browser, mut device) = proven(&app, "anna", "anna@example.com").await;
    browser.step_up(&mut device, "change_email").await;
    for address in [
        "a@example.com\r\nBcc: eve@example.com",
        "a@example.com\nBcc: eve@example.com",
        "a@example.com, eve@example.com",
        "a@example.com\0",
        "Eve <eve@example.com>",
        "a@example.com\u{2028}b",
        "\"a\r\nBcc: eve\"@example.com",
        "a@localhost",
        "a@[127.0.0.1]",
        "a",
        "",
    ] {
        browser
            .post("/email/change", json!({"email": address}))
            .await
            .refused(400, "invalid_request");
        app.browser()
            .post("/register/start", json!({"username": "eve", "email": address}))
            .await
            .refused(400, "invalid_request");
    }
    let long = format!("{}@example.com", "a".repeat(300));
    browser
        .post("/email/change", json!({"email": long}))
        .await
        .refused(400, "invalid_request");
    assert!(app.mails().await.is_empty());
}

#[tokio::test]
async fn links_lead_to_the_configured_page_whatever_the_host_header_says() {
    let app = App::with(mailing()).await;
    let mut browser = app.browser();
    let body = serde_json::to_vec(&json!({"username": "anna", "email": "anna@example.com"})).unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example"),
    ];
    let started = browser
        .send(Method::POST, "/register/start", &headers, body)
        .await
        .expect(200);
    let credential = SoftwareAuthenticator::new("device").register(&started["publicKey"], &browser.page());
    let body = serde_json::to_vec(&finish(&started, &credential)).unwrap();
    browser
        .send(Method::POST, "/register/finish", &headers, body)
        .await
        .expect(201);
    let mail = only(app.mails().await);
    let whole = String::from_utf8(mail.to_bytes()).unwrap();
    assert!(!whole.contains("evil") && !mail.html.contains("evil"), "{whole}");
    assert!(mail.text.contains("https://example.org/account#verify-email="));
}

#[tokio::test]
async fn mails_are_in_the_language_that_the_browser_asks_for() {
    let app = App::with(mailing()).await;
    let mut browser = app.browser();
    let body = serde_json::to_vec(&json!({"username": "anna", "email": "anna@example.com"})).unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("accept-language", "de-CH, en;q=0.5"),
    ];
    let started = browser
        .send(Method::POST, "/register/start", &headers, body)
        .await
        .expect(200);
    let credential = SoftwareAuthenticator::new("device").register(&started["publicKey"], &browser.page());
    let body = serde_json::to_vec(&finish(&started, &credential)).unwrap();
    browser
        .send(Method::POST, "/register/finish", &headers, body)
        .await
        .expect(201);
    let mail = only(app.mails().await);
    assert!(mail.html.contains("lang=\"de\""));
}

#[tokio::test]
async fn passkeys_that_come_and_go_are_told_to_the_owner() {
    let app = App::with(mailing()).await;
    let (mut browser, _device) = proven(&app, "anna", "anna@example.com").await;
    let started = browser.post("/register/start", json!({})).await.expect(200);
    let credential = SoftwareAuthenticator::new("key").register(&started["publicKey"], &browser.page());
    let mut body = finish(&started, &credential);
    body["deviceName"] = json!("Blue key");
    let added = browser.post("/register/finish", body).await.expect(201);
    let mail = only(app.mails().await);
    assert_eq!(mail.subject, "A passkey was added");
    assert!(mail.text.contains("Blue key") && mail.text.contains("192.0.2.1"));
    assert!(mail.text.contains("https://example.org/account#security"));

    let id = added["credential"]["id"].as_str().unwrap();
    browser.delete(&format!("/credentials/{id}")).await.expect(200);
    let mail = only(app.mails().await);
    assert_eq!(mail.subject, "A passkey was removed");
    assert!(mail.text.contains("Blue key"));
    // What is refused is not told.
    browser
        .delete(&format!("/credentials/{id}"))
        .await
        .refused(404, "not_found");
    assert!(app.mails().await.is_empty());
}

#[tokio::test]
async fn a_sign_in_from_a_new_device_is_told_to_the_owner() {
    let app = App::with(mailing()).await;
    let (mut browser, mut device) = proven(&app, "anna", "anna@example.com").await;
    // The browser that registered is no new one.
    browser.login(&mut device, Some("anna")).await.expect(200);
    assert!(app.mails().await.is_empty());
    let mut other = app.browser();
    other.login(&mut device, None).await.expect(200);
    let mail = only(app.mails().await);
    assert_eq!(mail.subject, "A new device signed in");
    // Known from now on; a mark of somebody else's account is none.
    other.login(&mut device, None).await.expect(200);
    assert!(app.mails().await.is_empty());
    let (mut theirs, _) = proven(&app, "bob", "bob@example.com").await;
    theirs.login(&mut device, None).await.expect(200);
    let mail = only(app.mails().await);
    assert_eq!(mail.to.as_str(), "anna@example.com");
    // The browser knows both from now on.
    theirs.login(&mut device, None).await.expect(200);
    assert!(app.mails().await.is_empty());
}

#[tokio::test]
async fn who_has_no_proven_address_is_told_nothing() {
    let app = App::with(mailing()).await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    register(&mut browser, &mut device, "anna", "anna@example.com").await;
    app.mails().await;
    app.browser().login(&mut device, None).await.expect(200);
    assert!(app.mails().await.is_empty());
}

#[tokio::test]
async fn without_mail_nothing_waits_to_be_sent() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    register(&mut browser, &mut device, "anna", "anna@example.com").await;
    assert!(app.mails().await.is_empty());
    assert_eq!(app.store.outbox_figures().await.unwrap().waiting, 0);
    assert!(!browser.cookies.contains_key("__Host-keyhaven_device"));
}

/// Nothing is claimed, and no step-up used up, for a mail that never leaves.
#[tokio::test]
async fn without_mail_no_address_is_claimed() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "anna").await;
    let refused = change(&mut browser, &mut device, "new@example.com").await;
    refused.refused(404, "not_found");
    let refused = browser.post("/email/resend", json!({})).await;
    refused.refused(404, "not_found");
    let account = browser.get("/account").await.expect(200);
    let account = account["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(app.store.address_claim(account).await.unwrap(), None);
}

#[tokio::test]
async fn mails_that_are_kept_are_shown_to_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::keeping_mails(folder.path().to_owned()).await;
    let mut browser = app.browser();
    let ask = async |browser: &mut Client, host: &str, forwarded: &str| {
        let headers = [("host", host), ("x-forwarded-for", forwarded)];
        let headers: Vec<_> = headers
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        browser
            .send(Method::GET, "/dev/mails", &headers, Vec::new())
            .await
            .status
            .as_u16()
    };
    for (peer, host, forwarded, status) in [
        ("127.0.0.1", "localhost:8080", "", 200),
        ("127.0.0.1", "127.0.0.1", "", 200),
        ("::1", "[::1]:8080", "", 200),
        ("::ffff:127.0.0.1", "LOCALHOST", "", 200),
        ("127.0.0.1", "evil.example:8080", "", 404),
        ("127.0.0.1", "localhost.evil.example", "", 404),
        ("127.0.0.1", "localhost:evil", "", 404),
        ("127.0.0.1", "", "", 404),
        ("192.0.2.1", "localhost:8080", "", 404),
        // Through a proxy that is trusted, which says what it likes.
        ("10.0.0.1", "localhost:8080", "127.0.0.1", 404),
    ] {
        browser.ip = peer.into();
        assert_eq!(ask(&mut browser, host, forwarded).await, status, "{peer} {host}");
    }
}
