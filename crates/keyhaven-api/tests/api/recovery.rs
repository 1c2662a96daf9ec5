//! Recovering accounts, and trying to take them over that way.

use axum::http::Method;
use keyhaven_mail::Rendered;
use keyhaven_service::{ClonePolicy, OldPasskeys, RecoverySettings, Settings};
use keyhaven_storage::Role;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::admin::set_role;
use crate::passwords;
use crate::support::{Answer, App, Client, finish, mailing};

const ANNA: &str = "anna@example.com";

/// The six digits of a mail.
#[track_caller]
fn digits(mail: &Rendered) -> String {
    assert_eq!(mail.subject, "Your recovery code");
    let code = mail.text.lines().map(str::trim);
    let mut code = code.filter(|line| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit()));
    code.next().unwrap().to_owned()
}

/// Other digits.
fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

fn token(mail: &Rendered, place: &str) -> String {
    let mark = format!("https://example.org/account#{place}=");
    let (_, rest) = mail.text.split_once(&mark).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn add_passkey(browser: &mut Client, device: &mut SoftwareAuthenticator) -> Answer {
    let started = browser.post("/register/start", json!({})).await.expect(200);
    let credential = device.register(&started["publicKey"], &browser.page());
    browser
        .post("/register/finish", finish(&started, &credential))
        .await
}

/// Anna, signed in, with a proven address and one passkey.
pub(crate) async fn anna(app: &App) -> (Client, SoftwareAuthenticator) {
    let mut device = SoftwareAuthenticator::new("lost");
    let mut browser = app.browser();
    let started = browser
        .post("/register/start", json!({"username": "anna", "email": ANNA}))
        .await
        .expect(200);
    let credential = device.register(&started["publicKey"], &browser.page());
    browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201);
    let mails = app.mails().await;
    let token = token(&mails[0], "verify-email");
    browser
        .post("/email/verify", json!({"token": token}))
        .await
        .expect(200);
    (browser, device)
}

async fn request(browser: &mut Client, email: &str) -> Answer {
    browser
        .post("/recovery/request-otp", json!({"email": email}))
        .await
}

/// Asks for a recovery of Anna's account: its id and the mailed code.
async fn asked(app: &App, browser: &mut Client) -> (Value, String) {
    let asked = request(browser, ANNA).await.expect(200);
    let mails = app.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to.as_str(), ANNA);
    (asked["recoveryId"].clone(), digits(&mails[0]))
}

async fn verify(browser: &mut Client, id: &Value, otp: &str) -> Answer {
    browser
        .post("/recovery/verify-otp", json!({"recoveryId": id, "otp": otp}))
        .await
}

/// A browser in which Anna's account is being recovered, where nothing waits.
pub(crate) async fn recovery_session(app: &App) -> Client {
    let mut browser = app.browser();
    let (id, code) = asked(app, &mut browser).await;
    verify(&mut browser, &id, &code).await.expect(200);
    browser
}

/// The recovery that the signed-in account is told of.
async fn under_way(owner: &mut Client) -> Value {
    owner.get("/account/security").await.expect(200)["recovery"].clone()
}

async fn state(browser: &mut Client, id: &Value) -> Answer {
    browser.get(&format!("/recovery/{}", id.as_str().unwrap())).await
}

/// Where nothing waits.
fn at_once() -> Settings {
    Settings {
        recovery: RecoverySettings {
            wait: std::time::Duration::ZERO,
            ..RecoverySettings::default()
        },
        ..mailing()
    }
}

#[tokio::test]
async fn a_lost_account_is_recovered_by_mail_and_a_new_passkey() {
    let app = App::with(at_once()).await;
    let (mut elsewhere, mut lost) = anna(&app).await;
    let mut browser = app.browser();
    let (id, code) = asked(&app, &mut browser).await;
    assert_eq!(state(&mut browser, &id).await.expect(200)["state"], "pending");
    let recovered = verify(&mut browser, &id, &code).await.expect(200);
    assert_eq!(recovered["state"], "recovered");
    assert_eq!(recovered["translationKey"], "message.recovery_recovered");
    assert_eq!(recovered["user"]["username"], "anna");
    assert_eq!(recovered["session"]["amr"], json!(["recovery"]));
    assert_eq!(recovered["session"]["aal"], 1);

    let mut phone = SoftwareAuthenticator::new("new phone");
    let before = browser.session_cookie().cloned();
    let added = add_passkey(&mut browser, &mut phone).await.expect(201);
    assert_eq!(added["recovered"], true);
    assert_eq!(added["translationKey"], "message.account_recovered");
    assert_eq!(added["session"]["aal"], 2);
    assert_ne!(
        browser.session_cookie().cloned(),
        before,
        "a new session for new rights"
    );
    browser.get("/credentials").await.expect(200);
    // Everybody else is signed out, and everybody is told.
    elsewhere.get("/session").await.refused(401, "unauthenticated");
    let mails = app.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject, "Your account was recovered");
    // By this policy the lost passkey stays, to be looked at.
    assert_eq!(
        browser.get("/credentials").await.expect(200)["credentials"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    app.browser().login(&mut phone, None).await.expect(200);
    app.browser().login(&mut lost, None).await.expect(200);
    assert_eq!(state(&mut browser, &id).await.expect(200)["state"], "ended");
}

#[tokio::test]
async fn by_policy_the_passkeys_before_go() {
    let settings = Settings {
        recovery: RecoverySettings {
            old_passkeys: OldPasskeys::Revoke,
            ..at_once().recovery
        },
        ..at_once()
    };
    let app = App::with(settings).await;
    let (_, mut lost) = anna(&app).await;
    let mut browser = app.browser();
    let (id, code) = asked(&app, &mut browser).await;
    verify(&mut browser, &id, &code).await.expect(200);
    add_passkey(&mut browser, &mut SoftwareAuthenticator::new("new"))
        .await
        .expect(201);
    let list = browser.get("/credentials").await.expect(200);
    assert_eq!(list["credentials"].as_array().unwrap().len(), 1);
    app.browser()
        .login(&mut lost, None)
        .await
        .refused(401, "credential_not_found");
}

/// Where what was there before is not to be trusted, neither is a password that signs in alone.
#[tokio::test]
async fn by_policy_the_password_before_goes_with_the_passkeys() {
    for (old_passkeys, status) in [(OldPasskeys::Revoke, 401), (OldPasskeys::Review, 200)] {
        let app = App::with(Settings {
            passwords: passwords::fallback().passwords,
            recovery: RecoverySettings {
                old_passkeys,
                ..at_once().recovery
            },
            ..at_once()
        })
        .await;
        let (mut owner, mut lost) = anna(&app).await;
        owner.step_up(&mut lost, "change_password").await;
        owner
            .put_password(json!({"password": passwords::PASSWORD}))
            .await
            .expect(204);
        app.mails().await;
        let mut browser = recovery_session(&app).await;
        // It counts until there is a new passkey: who only asked has changed nothing.
        let signed_in = app.browser().login_password("anna", passwords::PASSWORD).await;
        signed_in.expect(200);
        add_passkey(&mut browser, &mut SoftwareAuthenticator::new("new"))
            .await
            .expect(201);
        let answer = app.browser().login_password("anna", passwords::PASSWORD).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    }
}

/// An account without passkeys has nothing but its mailbox and its password: there is nobody to wait for.
#[tokio::test]
async fn an_account_without_passkeys_is_recovered_at_once() {
    let app = App::with(Settings {
        passwords: passwords::fallback().passwords,
        ..mailing()
    })
    .await;
    let body = json!({"username": "anna", "email": ANNA, "password": passwords::PASSWORD});
    let mut owner = app.browser();
    owner.post("/password/register", body).await.expect(201);
    let proof = token(&app.mails().await[0], "verify-email");
    owner
        .post("/email/verify", json!({"token": proof}))
        .await
        .expect(200);
    let mut browser = recovery_session(&app).await;
    assert_eq!(
        browser.get("/session").await.expect(200)["session"]["amr"],
        json!(["recovery"])
    );
    add_passkey(&mut browser, &mut SoftwareAuthenticator::new("first"))
        .await
        .expect(201);
    owner.get("/session").await.refused(401, "unauthenticated");
    // From then on it has one, and waits.
    app.mails().await;
    let mut again = app.browser();
    let (id, code) = asked(&app, &mut again).await;
    verify(&mut again, &id, &code).await.expect(202);
}

#[tokio::test]
async fn who_is_let_in_anew_is_no_longer_who_was_signed_in_before() {
    let app = App::with(at_once()).await;
    let (mut browser, _) = anna(&app).await;
    let before = browser.clone();
    let (id, code) = asked(&app, &mut browser).await;
    verify(&mut browser, &id, &wrong(&code))
        .await
        .refused(401, "authentication_failed");
    before.clone().get("/session").await.expect(200);
    verify(&mut browser, &id, &code).await.expect(200);
    before
        .clone()
        .get("/session")
        .await
        .refused(401, "unauthenticated");
    // Also one recovery after the other.
    let first = browser.clone();
    let (id, code) = asked(&app, &mut browser).await;
    verify(&mut browser, &id, &code).await.expect(200);
    assert_eq!(
        browser.get("/session").await.expect(200)["session"]["amr"],
        json!(["recovery"])
    );
    first
        .clone()
        .get("/session")
        .await
        .refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_recovery_session_is_short_and_cancels_nothing() {
    let app = App::with(at_once()).await;
    let (_, mut device) = anna(&app).await;
    let mut browser = app.browser();
    let (id, code) = asked(&app, &mut browser).await;
    verify(&mut browser, &id, &code).await.expect(200);
    browser.get("/session").await.expect(200);
    // It cannot cancel the recoveries of the account either.
    browser
        .post("/recovery/cancel", json!({}))
        .await
        .refused(401, "unauthenticated");
    browser.delete("/session").await.expect(204);
    // Nor does it live long.
    app.pass(60);
    let (id, code) = asked(&app, &mut browser).await;
    verify(&mut browser, &id, &code).await.expect(200);
    app.pass(15 * 60);
    browser.get("/session").await.refused(401, "session_expired");
    app.browser().login(&mut device, None).await.expect(200);
}

/// Who has a copy of a passkey can have it taken out of use: that must not spare the wait.
#[tokio::test]
async fn an_account_whose_passkey_is_suspended_waits_too() {
    let app = App::with(Settings {
        clones: ClonePolicy::Suspend,
        ..mailing()
    })
    .await;
    let (mut browser, mut device) = anna(&app).await;
    let mut copy = device.clone();
    browser.login(&mut device, None).await.expect(200);
    app.pass(1);
    let by_copy = app.browser().login(&mut copy, None).await;
    by_copy.refused(401, "authentication_failed");
    app.mails().await;
    let mut thief = app.browser();
    let (id, code) = asked(&app, &mut thief).await;
    let waiting = verify(&mut thief, &id, &code).await.expect(202);
    assert_eq!(waiting["state"], "waiting");
    assert!(thief.session_cookie().is_none());
}

/// Where the code goes is what was proven, not what somebody typed: a mail host may tell spellings apart.
#[tokio::test]
async fn a_code_goes_to_the_address_as_it_was_proven() {
    let app = App::with(mailing()).await;
    anna(&app).await;
    request(&mut app.browser(), &ANNA.to_uppercase())
        .await
        .expect(200);
    let mails = app.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to.as_str(), ANNA);
}

/// Whoever administers the accounts of others: a mailbox is not enough for that.
#[tokio::test]
async fn an_administrator_is_not_recovered_by_a_mailbox() {
    let app = App::with(mailing()).await;
    let (mut browser, _device) = anna(&app).await;
    let me = browser.get("/account").await.expect(200);
    let mut before = app.browser();
    let (id, code) = asked(&app, &mut before).await;
    set_role(&app, me["id"].as_str().unwrap(), Role::Admin).await;
    app.mails().await;
    // Neither by a code that was mailed before, nor by another.
    verify(&mut before, &id, &code)
        .await
        .refused(401, "authentication_failed");
    let mut after = app.browser();
    let answer = request(&mut after, ANNA).await.expect(200);
    assert!(answer["recoveryId"].is_string());
    assert!(app.mails().await.is_empty());
}

#[tokio::test]
async fn an_account_with_passkeys_waits_and_its_owner_can_object() {
    let app = App::with(mailing()).await;
    let (_, mut device) = anna(&app).await;
    let mut thief = app.browser();
    let (id, code) = asked(&app, &mut thief).await;
    let waiting = verify(&mut thief, &id, &code).await.expect(202);
    assert_eq!(waiting["state"], "waiting");
    assert!(thief.session_cookie().is_none());
    let mails = app.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject, "Recovery of your account was requested");
    // Not yet, and not with the code again.
    let take_up = json!({"recoveryId": id});
    thief
        .post("/recovery/verify-otp", take_up.clone())
        .await
        .refused(401, "authentication_failed");
    verify(&mut thief, &id, &code)
        .await
        .refused(401, "authentication_failed");
    // One click, in whatever browser, signed in or not.
    let cancel = token(&mails[0], "cancel-recovery");
    app.browser()
        .post("/recovery/cancel", json!({"token": "A".repeat(43)}))
        .await
        .refused(404, "not_found");
    app.browser()
        .post("/recovery/cancel", json!({"token": cancel}))
        .await
        .expect(204);
    app.browser()
        .post("/recovery/cancel", json!({"token": cancel}))
        .await
        .refused(404, "not_found");
    app.pass(24 * 3600);
    assert_eq!(state(&mut thief, &id).await.expect(200)["state"], "ended");
    thief
        .post("/recovery/verify-otp", take_up)
        .await
        .refused(401, "authentication_failed");
    app.browser().login(&mut device, None).await.expect(200);
}

#[tokio::test]
async fn whoever_is_signed_in_can_object_as_well() {
    let app = App::with(mailing()).await;
    let (mut owner, device) = anna(&app).await;
    let mut thief = app.browser();
    let (id, code) = asked(&app, &mut thief).await;
    // A mail alone is no way in yet: there is nothing to be told.
    assert_eq!(under_way(&mut owner).await, Value::Null);
    let ready_at = verify(&mut thief, &id, &code).await.expect(202)["readyAt"].clone();
    assert!(ready_at.is_string());
    assert_eq!(under_way(&mut owner).await, json!({"readyAt": ready_at}));
    app.browser()
        .post("/recovery/cancel", json!({}))
        .await
        .refused(401, "unauthenticated");
    owner.post("/recovery/cancel", json!({})).await.expect(204);
    assert_eq!(state(&mut thief, &id).await.expect(200)["state"], "ended");
    assert_eq!(under_way(&mut owner).await, Value::Null);
    owner
        .post("/recovery/cancel", json!({}))
        .await
        .refused(404, "not_found");

    // Who has got in already is out again, whatever the owner's page still shows.
    app.mails().await;
    app.pass(60);
    let (id, code) = asked(&app, &mut thief).await;
    verify(&mut thief, &id, &code).await.expect(202);
    app.pass(24 * 3600);
    let (mut owner, mut device) = (app.browser(), device);
    owner.login(&mut device, None).await.expect(200);
    thief
        .post("/recovery/verify-otp", json!({"recoveryId": id}))
        .await
        .expect(200);
    thief.get("/session").await.expect(200);
    owner.post("/recovery/cancel", json!({})).await.expect(204);
    thief.get("/session").await.refused(401, "unauthenticated");
    owner.get("/session").await.expect(200);
}

#[tokio::test]
async fn when_nobody_objects_the_browser_that_asked_takes_it_up() {
    let app = App::with(mailing()).await;
    anna(&app).await;
    let mut browser = app.browser();
    let (id, code) = asked(&app, &mut browser).await;
    verify(&mut browser, &id, &code).await.expect(202);
    app.pass(24 * 3600 - 1);
    assert_eq!(state(&mut browser, &id).await.expect(200)["state"], "waiting");
    let take_up = json!({"recoveryId": id});
    browser
        .post("/recovery/verify-otp", take_up.clone())
        .await
        .refused(401, "authentication_failed");
    app.pass(1);
    assert_eq!(state(&mut browser, &id).await.expect(200)["state"], "ready");
    // Not another browser.
    app.browser()
        .post("/recovery/verify-otp", take_up.clone())
        .await
        .refused(401, "authentication_failed");
    browser
        .post("/recovery/verify-otp", take_up.clone())
        .await
        .expect(200);
    browser
        .post("/recovery/verify-otp", take_up)
        .await
        .refused(401, "authentication_failed");
    add_passkey(&mut browser, &mut SoftwareAuthenticator::new("new"))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_recovery_code_beside_the_mailed_one_spares_the_wait() {
    let app = App::with(mailing()).await;
    let (mut owner, _) = anna(&app).await;
    let made = owner.post("/recovery/codes", json!({})).await.expect(201);
    let codes = made["codes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    let mails = app.mails().await;
    assert_eq!(mails[0].subject, "New recovery codes were made");
    assert!(!mails[0].text.contains(codes[0].as_str().unwrap()));
    let mut browser = app.browser();
    let (id, otp) = asked(&app, &mut browser).await;
    let with = |code: &str| json!({"recoveryId": id, "code": code});
    // Alone it is worth nothing: first the code from the mail.
    let code = codes[3].as_str().unwrap();
    browser
        .post("/recovery/verify-code", with(code))
        .await
        .refused(401, "authentication_failed");
    verify(&mut browser, &id, &otp).await.expect(202);
    app.mails().await;
    browser
        .post("/recovery/verify-code", with("nonsense"))
        .await
        .refused(400, "invalid_request");
    browser
        .post("/recovery/verify-code", with("0000-0000-0000-0000"))
        .await
        .refused(401, "authentication_failed");
    app.browser()
        .post("/recovery/verify-code", with(code))
        .await
        .refused(401, "authentication_failed");
    let typed = code.to_lowercase().replace('-', " ");
    browser
        .post("/recovery/verify-code", with(&typed))
        .await
        .expect(200);
    // Used up; and it does not open a second one.
    app.pass(60);
    let mut again = app.browser();
    let (id, otp) = asked(&app, &mut again).await;
    verify(&mut again, &id, &otp).await.expect(202);
    again
        .post("/recovery/verify-code", json!({"recoveryId": id, "code": code}))
        .await
        .refused(401, "authentication_failed");
}

#[tokio::test]
async fn new_recovery_codes_need_a_passkey_at_that_moment_each_time() {
    let app = App::with(mailing()).await;
    let (mut owner, mut device) = anna(&app).await;
    app.pass(600);
    let make = json!({});
    for _ in 0..2 {
        owner
            .post("/recovery/codes", make.clone())
            .await
            .refused(403, "step_up_required");
        owner.step_up(&mut device, "add_passkey").await;
        owner.post("/recovery/codes", make.clone()).await.expect(201);
    }
    // What makes codes adds no passkey as well.
    owner
        .post("/register/start", json!({}))
        .await
        .refused(403, "step_up_required");
}

#[tokio::test]
async fn recovery_codes_cannot_be_tried_for_ever() {
    let app = App::with(mailing()).await;
    let (mut owner, _) = anna(&app).await;
    let made = owner.post("/recovery/codes", json!({})).await.expect(201);
    app.mails().await;
    let mut browser = app.browser();
    let (id, otp) = asked(&app, &mut browser).await;
    verify(&mut browser, &id, &otp).await.expect(202);
    for _ in 0..5 {
        browser
            .post(
                "/recovery/verify-code",
                json!({"recoveryId": id, "code": "0000-0000-0000-0000"}),
            )
            .await
            .refused(401, "authentication_failed");
    }
    browser
        .post(
            "/recovery/verify-code",
            json!({"recoveryId": id, "code": made["codes"][0]}),
        )
        .await
        .refused(401, "authentication_failed");
}

#[tokio::test]
async fn a_mailed_code_has_five_tries_ten_minutes_and_one_use() {
    let app = App::with(at_once()).await;
    anna(&app).await;
    let mut browser = app.browser();
    let (id, code) = asked(&app, &mut browser).await;
    for _ in 0..5 {
        verify(&mut browser, &id, &wrong(&code))
            .await
            .refused(401, "authentication_failed");
    }
    verify(&mut browser, &id, &code)
        .await
        .refused(401, "authentication_failed");

    let (id, code) = asked(&app, &mut browser).await;
    app.pass(600);
    verify(&mut browser, &id, &code)
        .await
        .refused(401, "authentication_failed");

    let (id, code) = asked(&app, &mut browser).await;
    for odd in ["", "12345", "1234567", "12345a", "１２３４５６", "+12345"] {
        verify(&mut browser, &id, odd)
            .await
            .refused(400, "invalid_request");
    }
    verify(&mut browser, &id, &code).await.expect(200);
    verify(&mut browser, &id, &code)
        .await
        .refused(401, "authentication_failed");
}

#[tokio::test]
async fn an_account_gets_three_codes_and_ten_tries_a_day_and_signs_in_all_the_same() {
    let app = App::with(at_once()).await;
    let (_, mut device) = anna(&app).await;
    let mut attacker = app.browser();
    let mut tried = 0;
    for n in 0..4 {
        let asked = request(&mut attacker, if n % 2 == 0 { ANNA } else { "ANNA@example.com" })
            .await
            .expect(200);
        let mails = app.mails().await;
        assert_eq!(mails.len(), usize::from(n < 3), "code {n}");
        for _ in 0..5 {
            let id = &asked["recoveryId"];
            let answer = verify(&mut attacker, id, "000000").await;
            answer.refused(401, "authentication_failed");
            tried += 1;
        }
    }
    assert_eq!(tried, 20);
    let account = app.store.address_owner(ANNA).await.unwrap().unwrap();
    let events = app.store.events_of(account.id, None, 1000).await.unwrap();
    let counted = events
        .iter()
        .filter(|event| event.code.as_deref() == Some("recovery_code_wrong"))
        .count();
    assert_eq!(counted, 10, "the others were refused unread");
    app.browser().login(&mut device, Some("anna")).await.expect(200);
    assert_eq!(app.keyhaven.recoveries.failures().await.unwrap(), (10, false));
    // Tomorrow is another day.
    app.pass(24 * 3600 + 1);
    app.mails().await;
    let (id, code) = asked(&app, &mut attacker).await;
    verify(&mut attacker, &id, &code).await.expect(200);
}

#[tokio::test]
async fn a_code_belongs_to_the_browser_that_asked_for_it_and_nobody_else_uses_its_tries_up() {
    let app = App::with(at_once()).await;
    anna(&app).await;
    let mut browser = app.browser();
    let (id, code) = asked(&app, &mut browser).await;
    let mut other = app.browser();
    request(&mut other, "nobody@example.com").await.expect(200);
    for stranger in [&mut other, &mut app.browser(), &mut app.native()] {
        for otp in [
            code.as_str(),
            "000000",
            "000001",
            "000002",
            "000003",
            "000004",
            "000005",
        ] {
            verify(stranger, &id, otp)
                .await
                .refused(401, "authentication_failed");
        }
        state(stranger, &id).await.refused(404, "not_found");
    }
    verify(&mut browser, &id, &code).await.expect(200);
    // A client that sends no Origin is bound by the id alone, and a browser cannot take its place.
    let mut native = app.native();
    let (id, code) = asked(&app, &mut native).await;
    verify(&mut browser, &id, &wrong(&code))
        .await
        .refused(401, "authentication_failed");
    verify(&mut native, &id, &code).await.expect(200);
}

#[tokio::test]
async fn an_unknown_address_is_answered_like_a_known_one() {
    let app = App::with(mailing()).await;
    anna(&app).await;
    let mut answers = Vec::new();
    for email in [ANNA, "nobody@example.com"] {
        let mut browser = app.browser();
        let waiting = app.store.outbox_figures().await.unwrap().waiting;
        let asked = request(&mut browser, email).await;
        let id = asked.body["recoveryId"].clone();
        // The same is queued, too; what nobody gets is dropped.
        assert_eq!(app.store.outbox_figures().await.unwrap().waiting, waiting + 1);
        let sent = app.mails().await.len();
        assert_eq!(sent, usize::from(email == ANNA));
        let mut seen = vec![(asked.status, id.as_str().unwrap().len(), Value::Null)];
        let state = state(&mut browser, &id).await;
        seen.push((state.status, 0, state.comparable()));
        for otp in ["000000", "000001", "000002", "000003", "000004", "000005"] {
            let answer = verify(&mut browser, &id, otp).await;
            seen.push((answer.status, 0, answer.comparable()));
        }
        for n in 0..4 {
            let again = request(&mut browser, email).await;
            assert_eq!(again.body.as_object().unwrap().len(), 1);
            seen.push((again.status, n, Value::Null));
            app.mails().await;
        }
        answers.push(seen);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn an_address_that_is_not_proven_recovers_nothing() {
    let app = App::with(at_once()).await;
    let mut mallory = app.browser();
    let started = mallory
        .post("/register/start", json!({"username": "mallory", "email": ANNA}))
        .await
        .expect(200);
    let credential = SoftwareAuthenticator::new("m").register(&started["publicKey"], &mallory.page());
    mallory
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201);
    app.mails().await;
    request(&mut app.browser(), ANNA).await.expect(200);
    assert!(app.mails().await.is_empty());
}

#[tokio::test]
async fn racing_tries_open_one_session() {
    let app = App::with(at_once()).await;
    anna(&app).await;
    let mut browser = app.browser();
    let (id, code) = asked(&app, &mut browser).await;
    let tries = (0..20).map(|_| {
        let (mut browser, id, code) = (browser.clone(), id.clone(), code.clone());
        tokio::spawn(async move { verify(&mut browser, &id, &code).await.status.as_u16() })
    });
    let mut opened = 0;
    for answer in tries.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            200 => opened += 1,
            other => assert_eq!(other, 401),
        }
    }
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn a_recovery_session_cannot_be_fixed_on_somebody() {
    let app = App::with(at_once()).await;
    anna(&app).await;
    let mut browser = app.browser();
    // Whatever the browser held before, the session is a new one.
    browser
        .cookies
        .insert("__Host-keyhaven_session".into(), "A".repeat(64));
    let (id, code) = asked(&app, &mut browser).await;
    verify(&mut browser, &id, &code).await.expect(200);
    assert_ne!(browser.session_cookie(), Some(&"A".repeat(64)));
    // The page of somebody else cannot do any of it.
    let mut evil = app.browser();
    evil.origin = Some("https://evil.example".into());
    for (path, body) in [
        ("/recovery/request-otp", json!({"email": ANNA})),
        ("/recovery/verify-otp", json!({"recoveryId": id, "otp": code})),
        ("/recovery/verify-code", json!({"recoveryId": id, "code": "x"})),
        ("/recovery/cancel", json!({"token": "x"})),
        ("/recovery/codes", json!({})),
    ] {
        evil.post(path, body).await.refused(403, "origin_not_allowed");
    }
}

#[tokio::test]
async fn hostile_bodies_are_refused_by_code() {
    let app = App::with(at_once()).await;
    let mut browser = app.browser();
    for path in [
        "/recovery/request-otp",
        "/recovery/verify-otp",
        "/recovery/verify-code",
        "/email/verify",
        "/email/change",
    ] {
        let mut signed_in = browser.clone();
        if path.starts_with("/email") {
            signed_in
                .register(&mut SoftwareAuthenticator::new(path), &path[7..])
                .await;
        }
        for body in [
            json!([]),
            json!({}),
            json!("x"),
            json!({"email": 1, "recoveryId": [], "otp": {}, "code": 7, "token": null}),
        ] {
            signed_in.post(path, body).await.refused(400, "invalid_request");
        }
        let large = vec![b' '; 70_000];
        signed_in
            .send(Method::POST, path, &[("content-type", "application/json")], large)
            .await
            .refused(413, "payload_too_large");
        signed_in
            .send(
                Method::POST,
                path,
                &[("content-type", "text/plain")],
                b"{}".to_vec(),
            )
            .await
            .refused(415, "unsupported_media_type");
    }
    for id in ["", "x", &"A".repeat(43), &"A".repeat(10_000)] {
        verify(&mut browser, &json!(id), "123456")
            .await
            .refused(401, "authentication_failed");
    }
    request(&mut browser, "a@example.com\r\nBcc: eve@example.com")
        .await
        .refused(400, "invalid_request");
}

#[tokio::test]
async fn without_mail_there_is_no_recovery() {
    let app = App::new().await;
    request(&mut app.browser(), ANNA).await.refused(404, "not_found");
}
