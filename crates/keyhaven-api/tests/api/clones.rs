//! Passkeys whose sign count goes back: what policy does about them.

use axum::http::Method;
use keyhaven_service::{ClonePolicy, Demand, Settings};
use keyhaven_storage::AuditOutcome;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::mails::{only, proven};
use crate::support::{Answer, App, Client, finish, mailing, settings};

fn policy(clones: ClonePolicy) -> Settings {
    Settings { clones, ..settings() }
}

/// One app in memory and one on SQLite: what is promised is promised on both.
async fn app(clones: ClonePolicy) -> App {
    App::with(policy(clones)).await
}

/// Alice, signed in by two browsers with the passkey that has a copy, and by one with another; the copy is behind.
struct Alice {
    app: App,
    key: SoftwareAuthenticator,
    copy: SoftwareAuthenticator,
    other: SoftwareAuthenticator,
    by_key: Client,
    by_other: Client,
    key_id: String,
    account: Value,
}

impl Alice {
    async fn on(app: App) -> Self {
        let (mut key, mut other) = (
            SoftwareAuthenticator::new("key"),
            SoftwareAuthenticator::new("other"),
        );
        let mut by_key = app.browser();
        let registered = by_key.register(&mut key, "alice").await;
        let started = by_key.post("/register/start", json!({})).await.expect(200);
        let credential = other.register(&started["publicKey"], "https://example.org");
        by_key
            .post("/register/finish", finish(&started, &credential))
            .await
            .expect(201);
        let copy = key.clone();
        app.pass(1);
        by_key.login(&mut key, None).await.expect(200);
        let mut by_other = app.browser();
        by_other.login(&mut other, None).await.expect(200);
        app.pass(1);
        Self {
            app,
            key,
            copy,
            other,
            by_key,
            by_other,
            key_id: registered["credential"]["id"].as_str().unwrap().to_owned(),
            account: registered["user"]["id"].clone(),
        }
    }

    async fn copy_signs_in(&mut self) -> Answer {
        self.app.browser().login(&mut self.copy, None).await
    }

    async fn key_signs_in(&mut self) -> Answer {
        self.app.browser().login(&mut self.key, None).await
    }

    /// As its owner sees it.
    async fn listed(&mut self) -> Value {
        let list = self.by_other.get("/credentials").await.expect(200);
        let mut listed = list["credentials"].as_array().unwrap().iter();
        let found = listed.find(|credential| credential["id"] == self.key_id.as_str());
        found.unwrap().clone()
    }

    /// Action, outcome and code of each event, oldest first.
    async fn events(&self) -> Vec<(String, AuditOutcome, Option<String>)> {
        let account = self.account.as_str().unwrap().parse().unwrap();
        let mut events = self.app.store.events_of(account, None, 100).await.unwrap();
        events.reverse();
        for event in &events {
            assert!(self.app.keyhaven.event_is_authentic(event));
        }
        events
            .into_iter()
            .map(|event| (event.action, event.outcome, event.code))
            .collect()
    }

    async fn alarms(&self) -> Vec<Option<String>> {
        let events = self.events().await.into_iter();
        events
            .filter(|(action, _, _)| action == "credential.clone_alarm")
            .map(|(_, _, code)| code)
            .collect()
    }
}

fn refused() -> (String, AuditOutcome, Option<String>) {
    (
        "login.finish".to_owned(),
        AuditOutcome::Refused,
        Some("counter_regression".to_owned()),
    )
}

#[tokio::test]
async fn a_copy_is_refused_and_its_owner_told_under_refuse() {
    let app = app(ClonePolicy::Refuse).await;
    let mut alice = Alice::on(app).await;
    alice.copy_signs_in().await.refused(401, "authentication_failed");
    assert_eq!(alice.events().await.last(), Some(&refused()));
    assert_eq!(alice.alarms().await, [Some("clone_refused".to_owned())]);
    assert_eq!(alice.listed().await["active"], true);
    alice.by_key.get("/session").await.expect(200);
    alice.key_signs_in().await.expect(200);
}

#[tokio::test]
async fn a_copy_is_let_in_and_written_down_under_report() {
    let app = app(ClonePolicy::Report).await;
    let mut alice = Alice::on(app).await;
    let counted = alice.listed().await["signCount"].clone();
    alice.copy_signs_in().await.expect(200);
    let reported = (
        "login.finish".to_owned(),
        AuditOutcome::Success,
        Some("counter_regression".to_owned()),
    );
    let events = alice.events().await;
    assert!(events.contains(&reported), "{events:?}");
    assert_eq!(alice.alarms().await, [Some("clone_reported".to_owned())]);
    assert_eq!(
        alice.listed().await["signCount"],
        counted,
        "the higher count stays"
    );
    alice.key_signs_in().await.expect(200);
    assert_eq!(alice.events().await.last().unwrap().2, None);
}

#[tokio::test]
async fn a_copy_takes_the_passkey_and_its_sessions_along_under_suspend_and_revoke() {
    for (clones, reason) in [
        (ClonePolicy::Suspend, "clone_suspended"),
        (ClonePolicy::Revoke, "clone_revoked"),
    ] {
        let app = app(clones).await;
        let mut alice = Alice::on(app).await;
        let answer = alice.copy_signs_in().await;
        answer.refused(401, "authentication_failed");
        assert_eq!(alice.alarms().await, [Some(reason.to_owned())]);
        assert_eq!(alice.events().await.last(), Some(&refused()));
        // Neither twin signs in any more, and a stranger is told what he was told before.
        let again = alice.key_signs_in().await;
        assert_eq!(again.comparable(), answer.comparable());
        alice.copy_signs_in().await.refused(401, "authentication_failed");
        assert_eq!(alice.alarms().await.len(), 1, "once");
        alice.by_key.get("/session").await.refused(401, "unauthenticated");
        // Whoever is signed in another way reads why.
        let listed = alice.listed().await;
        assert_eq!(listed["active"], false);
        assert_eq!(listed["inactiveReason"], reason);
        let mut by_name = alice.app.browser();
        let started = by_name
            .post("/login/start", json!({"username": "alice"}))
            .await
            .expect(200);
        let allowed = started["publicKey"]["allowCredentials"].as_array().unwrap();
        assert_eq!(allowed.len(), 1);
        assert_ne!(allowed[0]["id"], alice.key_id.as_str());
    }
}

#[tokio::test]
async fn a_copy_is_noticed_also_where_accounts_may_be_asked_for_more() {
    let asking = Settings {
        client_key: Demand::ByAccount,
        ..policy(ClonePolicy::Revoke)
    };
    let app = App::with(asking).await;
    let mut alice = Alice::on(app).await;
    alice.copy_signs_in().await.refused(401, "authentication_failed");
    assert_eq!(alice.alarms().await, [Some("clone_revoked".to_owned())]);
    alice.by_key.get("/session").await.refused(401, "unauthenticated");
    assert_eq!(alice.listed().await["active"], false);
}

#[tokio::test]
async fn a_count_that_falls_to_zero_is_a_copy() {
    let app = app(ClonePolicy::Revoke).await;
    let mut alice = Alice::on(app).await;
    alice.copy.counts = false;
    alice.copy.credentials[0].sign_count = 0;
    alice.copy_signs_in().await.refused(401, "authentication_failed");
    assert_eq!(alice.listed().await["inactiveReason"], "clone_revoked");
}

#[tokio::test]
async fn a_passkey_that_never_counted_is_none() {
    let app = app(ClonePolicy::Revoke).await;
    let mut synced = SoftwareAuthenticator::new("synced");
    synced.counts = false;
    let mut browser = app.browser();
    browser.register(&mut synced, "alice").await;
    for _ in 0..3 {
        app.pass(1);
        browser.login(&mut synced.clone(), None).await.expect(200);
    }
}

#[tokio::test]
async fn who_cannot_sign_sounds_no_alarm() {
    let app = app(ClonePolicy::Revoke).await;
    let mut alice = Alice::on(app).await;
    let mut mallory = alice.app.browser();
    let started = mallory.post("/login/start", json!({})).await.expect(200);
    let mut credential = alice
        .copy
        .authenticate(&started["publicKey"], "https://example.org");
    let signature = credential["response"]["signature"].as_str().unwrap().to_owned();
    let spoiled = format!("{}A", &signature[..signature.len() - 1]);
    let spoiled = if spoiled == signature {
        format!("{}Q", &signature[..signature.len() - 1])
    } else {
        spoiled
    };
    credential["response"]["signature"] = json!(spoiled);
    let answer = mallory.post("/login/finish", finish(&started, &credential)).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(alice.alarms().await, []);
    assert_eq!(alice.listed().await["active"], true);
    alice.key_signs_in().await.expect(200);
}

#[tokio::test]
async fn of_two_logins_with_one_count_one_passes_and_the_other_is_a_copy() {
    let app = app(ClonePolicy::Revoke).await;
    let mut alice = Alice::on(app).await;
    let mut twin = alice.key.clone();
    let (mut one, mut two) = (alice.app.browser(), alice.app.browser());
    let mut finishes = Vec::new();
    for (client, device) in [(&mut one, &mut alice.key), (&mut two, &mut twin)] {
        let started = client.post("/login/start", json!({})).await.expect(200);
        let credential = device.authenticate(&started["publicKey"], "https://example.org");
        finishes.push(finish(&started, &credential));
    }
    let (second, first) = (finishes.pop().unwrap(), finishes.pop().unwrap());
    let (first, second) = tokio::join!(
        one.post("/login/finish", first),
        two.post("/login/finish", second)
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    assert_eq!(alice.alarms().await, [Some("clone_revoked".to_owned())]);
    // The session of the one that passed is over as well: nobody knows which of them it was.
    for client in [&mut one, &mut two] {
        client.get("/session").await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn logins_that_overtake_each_other_are_no_copies() {
    let app = app(ClonePolicy::Revoke).await;
    let mut alice = Alice::on(app).await;
    let (mut slow, mut fast) = (alice.app.browser(), alice.app.browser());
    let begun = slow.post("/login/start", json!({})).await.expect(200);
    let early = alice.key.authenticate(&begun["publicKey"], "https://example.org");
    alice.app.pass(1);
    fast.login(&mut alice.key, None).await.expect(200);
    alice.app.pass(1);
    let answer = slow.post("/login/finish", finish(&begun, &early)).await;
    answer.refused(401, "authentication_failed");
    assert_eq!(alice.events().await.last(), Some(&refused()));
    assert_eq!(alice.alarms().await, []);
    fast.get("/session").await.expect(200);
    alice.key_signs_in().await.expect(200);
}

#[tokio::test]
async fn a_step_up_by_a_copy_ends_the_session_it_was_for() {
    let app = app(ClonePolicy::Revoke).await;
    let mut alice = Alice::on(app).await;
    let started = alice
        .by_key
        .post("/step-up/start", json!({"purpose": "add_passkey"}))
        .await
        .expect(200);
    let credential = alice
        .copy
        .authenticate(&started["publicKey"], "https://example.org");
    let answer = alice
        .by_key
        .post("/step-up/finish", finish(&started, &credential))
        .await;
    answer.refused(401, "counter_regression");
    alice.by_key.get("/session").await.refused(401, "unauthenticated");
    assert_eq!(alice.alarms().await, [Some("clone_revoked".to_owned())]);
}

#[tokio::test]
async fn a_suspended_passkey_is_put_back_by_its_owner_with_another_one() {
    let app = app(ClonePolicy::Suspend).await;
    let mut alice = Alice::on(app).await;
    alice.copy_signs_in().await.refused(401, "authentication_failed");
    let path = format!("/credentials/{}", alice.key_id);
    let back = json!({"active": true});
    // A stranger cannot, and neither can a session that is not fresh.
    let mut mallory = alice.app.browser();
    mallory
        .register(&mut SoftwareAuthenticator::new("mallory"), "mallory")
        .await;
    let answer = mallory.json(Method::PATCH, &path, back.clone()).await;
    answer.refused(404, "not_found");
    alice.app.pass(600);
    let answer = alice.by_other.json(Method::PATCH, &path, back.clone()).await;
    answer.refused(403, "step_up_required");
    assert_eq!(answer.body["purpose"], "add_passkey");
    alice.by_other.step_up(&mut alice.other, "add_passkey").await;
    let answer = alice.by_other.json(Method::PATCH, &path, back.clone()).await;
    let answer = answer.expect(200);
    assert_eq!(answer["active"], true);
    assert_eq!(answer["inactiveReason"], Value::Null);
    // It signs in, whatever it counts now.
    alice.app.pass(1);
    alice.key_signs_in().await.expect(200);
    let answer = alice.by_other.json(Method::PATCH, &path, back.clone()).await;
    answer.refused(403, "step_up_required");
    alice.by_other.step_up(&mut alice.other, "add_passkey").await;
    let answer = alice.by_other.json(Method::PATCH, &path, back).await;
    answer.refused(404, "not_found");
    for wrong in [
        json!({}),
        json!({"active": false}),
        json!({"active": true, "deviceName": "x"}),
    ] {
        let answer = alice.by_other.json(Method::PATCH, &path, wrong).await;
        answer.refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn after_a_revocation_the_authenticator_can_register_anew() {
    let app = app(ClonePolicy::Revoke).await;
    let mut alice = Alice::on(app).await;
    alice.copy_signs_in().await.refused(401, "authentication_failed");
    let path = format!("/credentials/{}", alice.key_id);
    let answer = alice
        .by_other
        .json(Method::PATCH, &path, json!({"active": true}))
        .await;
    answer.refused(404, "not_found");
    let started = alice
        .by_other
        .post("/register/start", json!({}))
        .await
        .expect(200);
    let excluded = started["publicKey"]["excludeCredentials"].as_array().unwrap();
    assert!(!excluded.iter().any(|one| one["id"] == alice.key_id.as_str()));
    assert_eq!(excluded.len(), 1);
    let credential = alice.key.register(&started["publicKey"], "https://example.org");
    alice
        .by_other
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201);
    alice.by_other.delete(&path).await.expect(200);
}

#[tokio::test]
async fn a_passkey_that_is_taken_out_of_use_as_a_copy_is_told_to_the_owner_once() {
    for (clones, words) in [
        (ClonePolicy::Revoke, "switched off for good"),
        (ClonePolicy::Suspend, "suspended"),
    ] {
        let app = App::with(Settings { clones, ..mailing() }).await;
        let (mut browser, mut device) = proven(&app, "anna", "anna@example.com").await;
        let mut copy = device.clone();
        browser.login(&mut device, None).await.expect(200);
        app.mails().await;
        app.pass(1);
        for _ in 0..2 {
            let answer = app.browser().login(&mut copy, None).await;
            answer.refused(401, "authentication_failed");
        }
        let mail = only(app.mails().await);
        assert_eq!(mail.to.as_str(), "anna@example.com");
        assert!(mail.text.contains("https://example.org/account#security"));
        assert!(mail.text.to_lowercase().contains(words), "{}", mail.text);
    }
}

/// Whoever has the copy could go on for ever.
#[tokio::test]
async fn a_copy_that_is_refused_or_let_in_is_told_to_the_owner_once_a_day() {
    for (clones, status, code, words) in [
        (ClonePolicy::Refuse, 401, "clone_refused", "refused this time"),
        (ClonePolicy::Report, 200, "clone_reported", "was let in"),
    ] {
        let app = App::with(Settings { clones, ..mailing() }).await;
        let (mut browser, mut device) = proven(&app, "anna", "anna@example.com").await;
        let me = browser.get("/account").await.expect(200);
        let copy = device.clone();
        browser.login(&mut device, None).await.expect(200);
        app.mails().await;
        for day in 0..3 {
            for _ in 0..3 {
                app.pass(1);
                let answer = browser.login(&mut copy.clone(), None).await;
                assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
            }
            let mail = only(app.mails().await);
            assert_eq!(
                (mail.to.as_str(), mail.subject.as_str()),
                ("anna@example.com", "A passkey may have been copied")
            );
            assert!(mail.text.contains(words), "{}", mail.text);
            assert!(mail.text.contains("https://example.org/account#security"));
            let id = me["id"].as_str().unwrap().parse().unwrap();
            let events = app.store.events_of(id, None, 100).await.unwrap();
            let alarms = events
                .iter()
                .filter(|event| event.action == "credential.clone_alarm")
                .map(|event| event.code.as_deref());
            assert_eq!(alarms.collect::<Vec<_>>(), vec![Some(code); day + 1]);
            app.pass(24 * 3600);
        }
    }
}
