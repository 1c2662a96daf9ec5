//! Bounds on attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::http::Method;
use keyhaven_service::{RateLimitSettings, Settings};
use keyhaven_storage::{Allowance, Bucket, LimitStore, StorageError};
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::json;

use crate::operations::metrics;
use crate::passwords::{PASSWORD, fallback};
use crate::support::{App, finish, settings};

async fn limited() -> App {
    App::with(Settings {
        rate_limits: Some(RateLimitSettings::default()),
        ..settings()
    })
    .await
}

#[tokio::test]
async fn five_attempts_at_an_account_and_nobody_else_is_locked_out() {
    let app = limited().await;
    app.browser()
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    for name in ["alice", "nobody"] {
        let mut attacker = app.browser();
        for _ in 0..5 {
            attacker
                .post("/login/start", json!({"username": name}))
                .await
                .expect(200);
        }
        let refused = attacker.post("/login/start", json!({"username": name})).await;
        refused.refused(429, "rate_limited");
        let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait));
        attacker
            .post("/login/start", json!({"username": "another"}))
            .await
            .expect(200);
        let mut owner = app.browser();
        owner.ip = "192.0.2.77".into();
        owner
            .post("/login/start", json!({"username": name}))
            .await
            .expect(200);
    }
}

/// Whoever waits as the sentence says must not come a moment too early.
#[tokio::test]
async fn the_sentence_and_the_header_tell_the_same_wait() {
    let app = limited().await;
    let mut browser = app.browser();
    for _ in 0..5 {
        browser
            .post("/login/start", json!({"username": "alice"}))
            .await
            .expect(200);
    }
    for _ in 0..40 {
        let refused = browser.post("/login/start", json!({"username": "alice"})).await;
        if refused.status.as_u16() == 200 {
            break;
        }
        refused.refused(429, "rate_limited");
        let wait = refused.headers["retry-after"].to_str().unwrap();
        let sentence = format!("too many attempts; wait {wait} seconds");
        assert_eq!(refused.body["detail"], sentence);
        app.clock.0.fetch_add(370, Ordering::SeqCst);
    }
}

/// Counts lines that an operator sees by default.
struct Lines(Arc<AtomicU64>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, of: &tracing::Metadata<'_>) -> bool {
        *of.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &tracing::Id) {}

    fn exit(&self, _: &tracing::Id) {}
}

/// A stranger can be refused without end: that must not fill the disk. The metrics count it.
#[tokio::test]
async fn what_a_limit_refuses_writes_no_line() {
    let lines = Arc::new(AtomicU64::new(0));
    let _listening = tracing::subscriber::set_default(Lines(lines.clone()));
    let app = limited().await;
    let mut browser = app.browser();
    for n in 0..10 {
        let answer = browser.post("/login/start", json!({"username": "alice"})).await;
        assert_eq!(answer.status.as_u16(), if n < 5 { 200 } else { 429 });
    }
    let crowded = App::new().await;
    for n in 0..1_005 {
        let answer = crowded.browser().post("/login/start", json!({})).await;
        assert_eq!(answer.status.as_u16(), if n < 1_000 { 200 } else { 503 });
    }
    assert_eq!(lines.load(Ordering::SeqCst), 0);
    let counted = metrics(&app).await;
    assert!(
        counted.contains(r#"status="429",code="rate_limited"} 5"#),
        "{counted}"
    );
    let counted = metrics(&crowded).await;
    assert!(counted.contains(r#"status="503",code="busy"} 5"#), "{counted}");
}

#[tokio::test]
async fn finishes_with_one_passkey_are_counted() {
    let app = limited().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    for _ in 0..5 {
        browser.login(&mut device, None).await.expect(200);
    }
    browser
        .login(&mut device, None)
        .await
        .refused(429, "rate_limited");
}

#[tokio::test]
async fn usernames_cannot_be_tried_without_end() {
    let app = limited().await;
    let mut browser = app.browser();
    for n in 0..10 {
        browser
            .post("/register/start", json!({"username": format!("name{n}")}))
            .await
            .expect(200);
    }
    browser
        .post("/register/start", json!({"username": "name11"}))
        .await
        .refused(429, "rate_limited");
    let mut elsewhere = app.browser();
    elsewhere.ip = "198.51.100.2".into();
    elsewhere
        .post("/register/start", json!({"username": "name11"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn the_address_behind_a_trusted_proxy_counts_and_a_claimed_one_does_not() {
    let app = limited().await;
    let body = serde_json::to_vec(&json!({"username": "alice"})).unwrap();
    let json = ("content-type", "application/json");
    let mut proxied = app.browser();
    proxied.ip = "10.1.2.3".into();
    let mut direct = app.browser();
    for n in 0..6 {
        let forwarded = format!("203.0.113.{n}");
        let headers = [json, ("x-forwarded-for", forwarded.as_str())];
        proxied
            .send(Method::POST, "/login/start", &headers, body.clone())
            .await
            .expect(200);
        let answer = direct
            .send(Method::POST, "/login/start", &headers, body.clone())
            .await;
        assert_eq!(answer.status.as_u16(), if n < 5 { 200 } else { 429 });
    }
}

#[tokio::test]
async fn pending_ceremonies_are_bounded() {
    let app = App::new().await;
    let mut browser = app.browser();
    for _ in 0..1_000 {
        browser.post("/login/start", json!({})).await.expect(200);
    }
    let refused = browser.post("/login/start", json!({})).await;
    refused.refused(503, "busy");
    assert!(refused.headers.contains_key("retry-after"));
    app.pass(300);
    browser.post("/login/start", json!({})).await.expect(200);
}

#[tokio::test]
async fn a_header_that_the_proxy_only_passes_on_is_not_believed() {
    let app = limited().await;
    let body = serde_json::to_vec(&json!({"username": "alice"})).unwrap();
    let mut proxied = app.browser();
    proxied.ip = "10.1.2.3".into();
    for n in 0..6 {
        // The proxy appends to one header; the client sends the other, a new address every time.
        let forged = format!("for=203.0.113.{n}");
        let headers = [
            ("content-type", "application/json"),
            ("x-forwarded-for", "198.51.100.7"),
            ("forwarded", forged.as_str()),
        ];
        let answer = proxied
            .send(Method::POST, "/login/start", &headers, body.clone())
            .await;
        assert_eq!(answer.status.as_u16(), if n < 5 { 200 } else { 429 });
    }
}

#[tokio::test]
async fn one_range_of_addresses_cannot_fill_the_pool_of_ceremonies() {
    let app = limited().await;
    let mut attacker = app.browser();
    let mut started = 0;
    // The pool of these tests holds 1,000. A /56 has 256 networks: with 120 for each it would be full many times over.
    for n in 0..1_200 {
        attacker.ip = format!("2001:db8:0:{:x}::1", n % 256);
        let answer = attacker.post("/login/start", json!({})).await;
        if answer.status.as_u16() == 200 {
            started += 1;
        } else {
            answer.refused(429, "rate_limited");
            assert!(answer.headers.contains_key("retry-after"));
        }
    }
    // Four shares, and what refilled meanwhile.
    assert!((480..900).contains(&started), "{started}");
    for ip in ["2001:db9::1", "192.0.2.1"] {
        let mut elsewhere = app.browser();
        elsewhere.ip = ip.into();
        elsewhere.post("/login/start", json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn changes_are_bounded_by_account_and_their_owner_can_still_end_sessions() {
    let app = App::with(Settings {
        rate_limits: Some(RateLimitSettings {
            changes_per_account: 6,
            ..RateLimitSettings::default()
        }),
        ..settings()
    })
    .await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut owner = app.browser();
    let registered = owner.register(&mut device, "alice").await;
    let mut thief = app.browser();
    thief.login(&mut device, None).await.expect(200);
    let path = format!(
        "/credentials/{}",
        registered["credential"]["id"].as_str().unwrap()
    );
    for n in 0..6 {
        // From anywhere: it is the account that counts.
        thief.ip = format!("198.51.100.{n}");
        let name = json!({"deviceName": "x"});
        thief.json(Method::PATCH, &path, name).await.expect(200);
    }
    let account = registered["user"]["id"].as_str().unwrap().parse().unwrap();
    let written = app.store.events_of(account, None, 100).await.unwrap().len();
    let name = json!({"deviceName": "x"});
    let refused = thief.json(Method::PATCH, &path, name.clone()).await;
    refused.refused(429, "rate_limited");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    thief
        .send(Method::POST, "/session/refresh", &[], Vec::new())
        .await
        .refused(429, "rate_limited");
    owner
        .json(Method::PATCH, &path, name)
        .await
        .refused(429, "rate_limited");
    let now_written = app.store.events_of(account, None, 100).await.unwrap().len();
    assert_eq!(now_written, written, "a refusal by a limit writes nothing");
    // The thief has used up what changes the account, not what ends the thief's session.
    for _ in 0..6 {
        owner.delete("/sessions").await.expect(200);
    }
    thief.get("/session").await.refused(401, "unauthenticated");
    owner.delete("/sessions").await.refused(429, "rate_limited");
    owner.delete("/session").await.refused(429, "rate_limited");
    let session = "/sessions/00000000-0000-4000-8000-000000000000";
    owner.delete(session).await.refused(429, "rate_limited");
    owner.delete(&path).await.refused(429, "rate_limited");
    owner.delete("/credentials").await.refused(429, "rate_limited");
    // Reading is free.
    owner.get("/session").await.expect(200);
}

/// Counts nothing, and then is away.
#[derive(Default)]
struct Counter {
    away: AtomicBool,
}

#[async_trait::async_trait]
impl LimitStore for Counter {
    async fn take(&self, _: &[Bucket]) -> Result<Allowance, StorageError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(StorageError::new("limit.take", "away")),
            false => Ok(Allowance::Granted),
        }
    }
}

#[tokio::test]
async fn whoever_signs_out_is_signed_out_also_where_nobody_counts() {
    let counter = Arc::new(Counter::default());
    let settings = Settings {
        rate_limits: Some(RateLimitSettings::default()),
        ..settings()
    };
    let app = App::limited_by(settings, counter.clone()).await;
    let mut browser = app.browser();
    browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    counter.away.store(true, Ordering::SeqCst);
    let others = browser.delete("/sessions").await;
    others.refused(503, "storage_unavailable");
    let mut same = browser.clone();
    browser.delete("/session").await.expect(204);
    same.get("/session").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn changes_are_bounded_by_address() {
    let app = App::with(Settings {
        rate_limits: Some(RateLimitSettings {
            per_address: 3,
            ..RateLimitSettings::default()
        }),
        ..settings()
    })
    .await;
    let mut browser = app.browser();
    browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    for _ in 0..3 {
        browser
            .send(Method::POST, "/session/refresh", &[], Vec::new())
            .await
            .expect(200);
    }
    let refused = browser
        .send(Method::POST, "/session/refresh", &[], Vec::new())
        .await;
    refused.refused(429, "rate_limited");
    browser.ip = "198.51.100.9".into();
    browser
        .send(Method::POST, "/session/refresh", &[], Vec::new())
        .await
        .expect(200);
}

/// What is counted of passkeys says nothing of passwords, and neither gives the other anything back.
#[tokio::test]
async fn passkeys_and_passwords_are_counted_apart() {
    let app = App::with(Settings {
        rate_limits: Some(RateLimitSettings::default()),
        ..fallback()
    })
    .await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut owner = app.browser();
    owner.ip = "198.51.100.9".into();
    owner.register_password("alice", PASSWORD).await.expect(201);
    owner.add_passkey(&mut device, json!({})).await.expect(201);
    owner.login(&mut device, Some("alice")).await.expect(200);
    let mut other = SoftwareAuthenticator::new("other");
    owner.add_passkey(&mut other, json!({})).await.expect(201);
    // Failed passkey sign-ins until there may be no more of them: passwords are asked for as ever.
    let mut browser = app.browser();
    for _ in 0..5 {
        let start = json!({"username": "alice"});
        let started = browser.post("/login/start", start).await.expect(200);
        let mut credential = device.authenticate(&started["publicKey"], &browser.page());
        credential["response"]["signature"] = json!("MAYCAQECAQE");
        let refused = browser.post("/login/finish", finish(&started, &credential)).await;
        refused.refused(401, "authentication_failed");
    }
    let start = browser.post("/login/start", json!({"username": "alice"})).await;
    start.refused(429, "rate_limited");
    for _ in 0..RateLimitSettings::default().passwords_per_address_and_account {
        let wrong = browser
            .login_password("alice", "another horse, another staple")
            .await;
        wrong.refused(401, "authentication_failed");
    }
    let refused = browser.login_password("alice", PASSWORD).await;
    refused.refused(429, "rate_limited");
    // And a passkey that signs in gives no tries back.
    browser.login(&mut other, None).await.expect(200);
    let refused = browser.login_password("alice", PASSWORD).await;
    refused.refused(429, "rate_limited");
}
