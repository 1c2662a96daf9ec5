//! Accounts in their owners' hands: taken along, renamed, deleted; and trying to do that to somebody else's.

use std::time::Duration;

use axum::http::Method;
use keyhaven_mail::Rendered;
use keyhaven_service::{RecoverySettings, RetentionSettings, Settings};
use keyhaven_storage::{AccountId, AuditEvent};
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, finish, mailing};

/// Signed in with a proven address.
async fn proven(app: &App, name: &str) -> (Client, SoftwareAuthenticator, Value) {
    let mut device = SoftwareAuthenticator::new(name);
    let mut browser = app.browser();
    let email = format!("{name}@example.com");
    let started = browser
        .post("/register/start", json!({"username": name, "email": email}))
        .await
        .expect(200);
    let credential = device.register(&started["publicKey"], &browser.page());
    let registered = browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201);
    let mails = app.mails().await;
    let token = after(&mails[0], "#verify-email=");
    browser
        .post("/email/verify", json!({"token": token}))
        .await
        .expect(200);
    (browser, device, registered)
}

#[track_caller]
fn after(mail: &Rendered, mark: &str) -> String {
    let (_, rest) = mail.text.split_once(mark).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn user_handle(browser: &mut Client) -> Value {
    browser.get("/credentials").await.expect(200)["userId"].clone()
}

fn id_of(user: &Value) -> AccountId {
    user["id"].as_str().unwrap().parse().unwrap()
}

async fn delete(browser: &mut Client, device: &mut SoftwareAuthenticator) -> Answer {
    browser.step_up(device, "delete_account").await;
    browser.delete("/account").await
}

/// The events that are stored, as they are stored.
async fn stored(app: &App, id: AccountId) -> Vec<AuditEvent> {
    app.store.events_of(id, None, 1000).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_everything_and_no_secret() {
    let app = &App::with(mailing()).await;
    let (mut browser, mut device, registered) = proven(app, "alice").await;
    browser
        .get("/account/export")
        .await
        .refused(403, "step_up_required");
    browser.step_up(&mut device, "export").await;
    let answer = browser.get("/account/export").await;
    assert_eq!(
        answer.headers["content-disposition"],
        r#"attachment; filename="account.json""#
    );
    assert_eq!(answer.headers["cache-control"], "no-store");
    let text = answer.text.clone();
    let export = answer.expect(200);
    assert_eq!(export["account"]["username"], "alice");
    assert_eq!(export["account"]["email"], "alice@example.com");
    assert_eq!(export["account"]["emailVerified"], true);
    assert_eq!(export["credentials"][0]["id"], registered["credential"]["id"]);
    assert!(export["credentials"][0]["publicKey"]["cose"].is_string());
    assert_eq!(export["sessions"][0]["ip"], "192.0.2.1");
    assert_eq!(
        export["factors"],
        json!({"password": null, "clientKey": null, "recoveryCodesLeft": 0})
    );
    let events = export["events"].as_array().unwrap();
    let actions: Vec<_> = events
        .iter()
        .filter_map(|event| event["action"].as_str())
        .collect();
    for action in [
        "registration.finish",
        "email.verify",
        "step_up.finish",
        "account.export",
    ] {
        assert!(actions.contains(&action), "{actions:?}");
    }
    assert!(events.iter().all(|event| event["ip"] == "192.0.2.1"), "{text}");
    assert_eq!(export["eventsOmitted"], false);
    for secret in ["mac", "hash", "token", "sealed"] {
        assert!(
            !text.to_lowercase().contains(&format!("\"{secret}")),
            "{secret}: {text}"
        );
    }
    assert!(!text.contains(browser.session_cookie().unwrap().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_is_gone_at_once_and_its_owner_is_told() {
    let app = &App::with(mailing()).await;
    let (mut browser, mut device, registered) = proven(app, "alice").await;
    let mut elsewhere = app.browser();
    elsewhere.login(&mut device, Some("alice")).await.expect(200);
    app.mails().await;
    let handle = user_handle(&mut browser).await;
    browser.delete("/account").await.refused(403, "step_up_required");
    let gone = delete(&mut browser, &mut device).await;
    assert_eq!(
        gone.headers["set-cookie"].to_str().unwrap().split(';').next(),
        Some("__Host-keyhaven_session=")
    );
    let gone = gone.expect(200);
    let signal = &gone["signals"]["allAcceptedCredentials"];
    assert_eq!(signal["allAcceptedCredentialIds"], json!([]));
    assert_eq!(signal["userId"], handle);
    // No session, no passkey, no name is good for anything.
    elsewhere.get("/account").await.refused(401, "unauthenticated");
    browser.get("/account").await.refused(401, "unauthenticated");
    let answer = elsewhere.login(&mut device, None).await;
    answer.refused(401, "credential_not_found");
    assert_eq!(
        answer.body["signals"]["unknownCredential"]["credentialId"],
        registered["credential"]["id"]
    );
    assert!(
        app.store
            .account(id_of(&registered["user"]))
            .await
            .unwrap()
            .is_none()
    );
    // The farewell, and nothing else.
    let mails = app.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to.as_str(), "alice@example.com");
    assert!(mails[0].subject.contains("deleted"), "{}", mails[0].subject);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_stays_and_names_nobody() {
    let app = &App::with(mailing()).await;
    app.keyhaven
        .audit_log
        .maintain(Duration::from_secs(86_400))
        .await
        .unwrap();
    let (mut browser, mut device, registered) = proven(app, "alice").await;
    app.keyhaven.audit_log.seal().await.unwrap();
    let id = id_of(&registered["user"]);
    let before = stored(app, id).await;
    let opened = app.keyhaven.privacy.opened(before[0].clone()).await.unwrap();
    assert_eq!(opened.ip.as_deref(), Some("192.0.2.1"));
    delete(&mut browser, &mut device).await.expect(200);
    let events = stored(app, id).await;
    assert_eq!(events[0].action, "account.delete");
    for event in before {
        assert!(events.contains(&event), "an event is never changed");
    }
    for event in events {
        assert!(app.keyhaven.event_is_authentic(&event), "{event:?}");
        let shown = format!("{event:?}");
        for name in ["alice", "192.0.2.1", "example.com"] {
            assert!(!shown.contains(name), "{shown}");
        }
        // The key has gone with the account: not even the deployment opens it.
        let opened = app.keyhaven.privacy.opened(event.clone()).await.unwrap();
        assert_eq!(opened, event);
    }
    let sealed = app.keyhaven.audit_log.seal().await.unwrap();
    assert_eq!(sealed.refused, 0);
    assert!(sealed.events > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freed_name_is_anybodys_and_inherits_nothing() {
    let app = &App::with(mailing()).await;
    let (mut browser, mut device, registered) = proven(app, "alice").await;
    let handle = user_handle(&mut browser).await;
    delete(&mut browser, &mut device).await.expect(200);
    let mut mallory = app.browser();
    let mut key = SoftwareAuthenticator::new("mallory");
    let heir = mallory.register(&mut key, "alice").await;
    assert_ne!(heir["user"]["id"], registered["user"]["id"]);
    assert_ne!(user_handle(&mut mallory).await, handle);
    assert_eq!(heir["user"]["emailVerified"], false);
    let events = mallory.get("/account/events").await.expect(200);
    let events = events["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    // The old passkey opens nothing of hers, nor hers anything of the old.
    app.browser()
        .login(&mut device, None)
        .await
        .refused(401, "credential_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_deletes_one_account_once() {
    let app = &App::with(mailing()).await;
    let (mut alice, mut device, _) = proven(app, "alice").await;
    let (mut bob, mut phone, _) = proven(app, "bob").await;
    // A grant for something else, and another's, are none.
    alice.step_up(&mut device, "export").await;
    alice.delete("/account").await.refused(403, "step_up_required");
    bob.step_up(&mut phone, "delete_account").await;
    alice.delete("/account").await.refused(403, "step_up_required");
    // A stale one neither.
    alice.step_up(&mut device, "delete_account").await;
    app.pass(301);
    alice.delete("/account").await.refused(403, "step_up_required");
    // Of many at once one is the one.
    alice.step_up(&mut device, "delete_account").await;
    let attempts = (0..8).map(|_| {
        let mut browser = alice.clone();
        tokio::spawn(async move { browser.delete("/account").await.status.as_u16() })
    });
    let mut statuses = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        statuses.push(attempt.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert!(
        statuses.iter().all(|status| [200, 401].contains(status)),
        "{statuses:?}"
    );
    bob.get("/account").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_can_neither_delete_nor_change() {
    let app = &App::with(mailing()).await;
    let (mut browser, mut device, _) = proven(app, "alice").await;
    browser.step_up(&mut device, "delete_account").await;
    for origin in [None, Some("https://evil.example".to_owned())] {
        let mut forged = Client {
            origin,
            ..browser.clone()
        };
        forged.delete("/account").await.refused(403, "origin_not_allowed");
        forged
            .json(Method::PATCH, "/account", json!({"displayName": "x"}))
            .await
            .refused(403, "origin_not_allowed");
    }
    app.browser()
        .delete("/account")
        .await
        .refused(401, "unauthenticated");
    app.browser()
        .get("/account/export")
        .await
        .refused(401, "unauthenticated");
    app.browser()
        .get("/account/events")
        .await
        .refused(401, "unauthenticated");
    browser.get("/account").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_neither_exports_nor_deletes_nor_renames() {
    let settings = Settings {
        recovery: RecoverySettings {
            wait: Duration::ZERO,
            ..RecoverySettings::default()
        },
        ..mailing()
    };
    let app = &App::with(settings).await;
    proven(app, "alice").await;
    let mut thief = app.browser();
    let asked = thief
        .post("/recovery/request-otp", json!({"email": "alice@example.com"}))
        .await
        .expect(200);
    let mails = app.mails().await;
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    let code = mails[0].text.lines().map(str::trim).find(is_code).unwrap();
    let body = json!({"recoveryId": asked["recoveryId"], "otp": code});
    thief.post("/recovery/verify-otp", body).await.expect(200);
    thief.get("/session").await.expect(200);
    thief.delete("/account").await.refused(403, "forbidden");
    thief.get("/account/export").await.refused(403, "forbidden");
    thief.get("/account/events").await.refused(403, "forbidden");
    thief
        .json(Method::PATCH, "/account", json!({"displayName": "x"}))
        .await
        .refused(403, "forbidden");
    for purpose in ["export", "delete_account"] {
        let answer = thief.post("/step-up/start", json!({"purpose": purpose})).await;
        answer.refused(403, "forbidden");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_name_is_changed_and_a_username_is_not() {
    let app = &App::with(mailing()).await;
    let (mut browser, mut device, _) = proven(app, "alice").await;
    let mut patch = async |body| browser.json(Method::PATCH, "/account", body).await;
    let changed = patch(json!({"displayName": "  Älice "})).await.expect(200);
    assert_eq!(changed["displayName"], "Älice");
    let details = &changed["signals"]["currentUserDetails"];
    assert_eq!(
        (&details["name"], &details["displayName"]),
        (&json!("alice"), &json!("Älice"))
    );
    for body in [
        json!({}),
        json!({"displayName": ""}),
        json!({"displayName": "a\u{202e}b"}),
        json!({"displayName": "x".repeat(65)}),
        json!({"displayName": null}),
        json!({"displayName": "x", "username": "root"}),
        json!({"displayName": "x", "emailVerified": true}),
        json!({"displayName": "x", "role": "admin"}),
    ] {
        patch(body.clone()).await.refused(400, "invalid_request");
    }
    // A sign-in by a passkey that is remembered says the new name.
    let answer = app.browser().login(&mut device, None).await.expect(200);
    assert_eq!(answer["user"]["displayName"], "Älice");
    assert_eq!(answer["user"]["username"], "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_reads_what_happened_page_by_page() {
    let app = &App::with(mailing()).await;
    let (mut browser, _, _) = proven(app, "alice").await;
    for n in 0..60 {
        let body = json!({"displayName": format!("Alice {n}")});
        browser.json(Method::PATCH, "/account", body).await.expect(200);
    }
    let first = browser.get("/account/events").await.expect(200);
    assert_eq!(first["events"].as_array().unwrap().len(), 50);
    let next = first["next"].as_str().unwrap();
    let second = browser
        .get(&format!("/account/events?after={next}"))
        .await
        .expect(200);
    let rest = second["events"].as_array().unwrap();
    assert!(second.get("next").is_none());
    assert_eq!(rest.last().unwrap()["action"], "registration.finish");
    assert!(!first["events"].as_array().unwrap().contains(&rest[0]));
    for after in ["x", "1.x", "x.0198f2c4-0000-7000-8000-000000000000", "."] {
        let answer = browser.get(&format!("/account/events?after={after}")).await;
        answer.refused(400, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sign_in_and_no_passkey_outlives_a_deletion_that_races_with_it() {
    let app = &App::with(mailing()).await;
    let (mut browser, mut device, registered) = proven(app, "alice").await;
    let id = id_of(&registered["user"]);
    browser.step_up(&mut device, "delete_account").await;
    // All are prepared before the first is sent.
    let mut finishes = Vec::new();
    for _ in 0..6 {
        let mut client = app.browser();
        let started = client.post("/login/start", json!({})).await.expect(200);
        let credential = device.authenticate(&started["publicKey"], &client.page());
        finishes.push((client, "/login/finish", finish(&started, &credential)));
    }
    let started = browser.post("/register/start", json!({})).await.expect(200);
    let credential = SoftwareAuthenticator::new("more").register(&started["publicKey"], &browser.page());
    finishes.push((browser.clone(), "/register/finish", finish(&started, &credential)));
    let mut deleter = browser.clone();
    let deletion = tokio::spawn(async move { deleter.delete("/account").await.status.as_u16() });
    let racing: Vec<_> = finishes
        .into_iter()
        .map(|(mut client, path, body)| {
            tokio::spawn(async move { client.post(path, body).await.status.as_u16() })
        })
        .collect();
    let deleted = deletion.await.unwrap();
    for finish in racing {
        let status = finish.await.unwrap();
        assert!([200, 201, 400, 401].contains(&status), "{status}");
    }
    assert_eq!(deleted, 200);
    assert!(
        app.store
            .sessions_of(id, keyhaven_types::UnixTime::from_millis(0))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(app.store.credentials_of(id).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_needed_any_more_is_forgotten_by_itself() {
    let settings = Settings {
        retention: RetentionSettings {
            session_clients: Some(Duration::from_secs(600)),
            unused_accounts: Some(Duration::from_secs(30 * 86_400)),
        },
        ..mailing()
    };
    let app = &App::with(settings).await;
    let (mut alice, _, registered) = proven(app, "alice").await;
    let mut phone = SoftwareAuthenticator::new("phone");
    let bob = app.browser().register(&mut phone, "bob").await;
    let (alice_id, bob_id) = (id_of(&registered["user"]), id_of(&bob["user"]));
    let listed =
        async |browser: &mut Client| browser.get("/sessions").await.expect(200)["sessions"][0]["ip"].clone();
    app.keyhaven.upkeep.purge().await.unwrap();
    assert_eq!(listed(&mut alice).await, "192.0.2.1");
    app.pass(601);
    app.keyhaven.upkeep.purge().await.unwrap();
    assert_eq!(listed(&mut alice).await, Value::Null);
    // A use is a use, also without a proven address.
    app.pass(20 * 86_400);
    app.browser().login(&mut phone, None).await.expect(200);
    app.pass(20 * 86_400);
    app.keyhaven.upkeep.purge().await.unwrap();
    assert!(app.store.account(bob_id).await.unwrap().is_some());
    app.pass(11 * 86_400);
    app.keyhaven.upkeep.purge().await.unwrap();
    assert!(app.store.account(bob_id).await.unwrap().is_none());
    assert_eq!(stored(app, bob_id).await[0].action, "account.expire");
    assert!(app.store.account(alice_id).await.unwrap().is_some());
    app.browser()
        .login(&mut phone, None)
        .await
        .refused(401, "credential_not_found");
}
