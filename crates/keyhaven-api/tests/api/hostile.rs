//! Requests that no honest client sends, and what they must not get: memory, another form of answer, a 5xx.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use keyhaven_storage::{CeremonyId, CeremonyStore, PendingCeremony, Put, StorageError};
use keyhaven_storage_memory::MemoryCeremonyStore;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_types::UnixTime;
use serde_json::json;
use tower::ServiceExt as _;

use crate::stores::TestStore;
use crate::support::{Answer, App, Client, settings};

async fn metrics(app: &App) -> String {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let router = keyhaven_api::metrics_router(app.metrics.clone());
    let response = router.oneshot(request).await.unwrap();
    let bytes = axum::body::to_bytes(response.into_body(), 10_000_000)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn nothing_that_callers_make_up_becomes_a_label() {
    let app = App::new().await;
    let mut browser = app.native();
    browser
        .send(Method::GET, "/nope", &[], Vec::new())
        .await
        .refused(404, "not_found");
    let usual = metrics(&app).await;
    assert!(
        usual.contains(r#"method="GET",route="other",status="404",code="not_found"} 1"#),
        "{usual}"
    );
    let mut lines = 0;
    for n in 0..100 {
        let invented = format!("INVENTED{n}");
        let method = Method::from_bytes(invented.as_bytes()).unwrap();
        for path in [
            "/nope",
            "/login/start",
            &format!("/assets/{invented}"),
            &format!("/{invented}?{invented}"),
        ] {
            browser
                .send(
                    method.clone(),
                    path,
                    &[("x-request-id", invented.as_str())],
                    Vec::new(),
                )
                .await;
            browser
                .send(Method::GET, path, &[("host", invented.as_str())], Vec::new())
                .await;
        }
        let now = metrics(&app).await;
        assert!(!now.to_ascii_lowercase().contains("invented"), "{now}");
        if n == 0 {
            lines = now.lines().count();
        }
        assert_eq!(now.lines().count(), lines, "{now}");
        assert!(now.contains(r#"method="other""#));
    }
}

#[track_caller]
fn is_problem(answer: &Answer, what: &str) {
    assert!(answer.status.as_u16() >= 400, "{what}: {}", answer.status);
    assert_eq!(
        answer.headers["content-type"], "application/problem+json",
        "{what}: {}",
        answer.text
    );
    assert_eq!(answer.body["status"], answer.status.as_u16(), "{what}");
    assert_eq!(answer.body["code"].as_str(), Some(answer.code()), "{what}");
    assert!(
        !answer.code().is_empty() && answer.body["requestId"].is_string(),
        "{what}: {}",
        answer.text
    );
    assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
}

/// Everything that a library between the socket and the handlers could refuse in its own words.
const REFUSED: &[(&str, &str, &str)] = &[
    ("GET", "credentials/%FF", "not_found"),
    ("PATCH", "credentials/%FF", "not_found"),
    ("DELETE", "credentials/%FF", "not_found"),
    ("DELETE", "sessions/%FF", "not_found"),
    ("DELETE", "sessions/x", "not_found"),
    ("GET", "assets/%FF", "not_found"),
    ("GET", "assets/..%2f..%2fCargo.toml", "not_found"),
    ("DELETE", "credentials?except=a&except=b", "invalid_request"),
    ("DELETE", "credentials?except=%FF", "not_found"),
    ("GET", "docs/%FF", "invalid_request"),
    ("GET", "docs/nothing.js", "not_found"),
    ("POST", "docs/", "method_not_allowed"),
    ("POST", "openapi.json", "method_not_allowed"),
    ("POST", "health", "method_not_allowed"),
    ("BREW", "login/start", "method_not_allowed"),
    ("TRACE", "login/start", "method_not_allowed"),
    ("CONNECT", "login/start", "method_not_allowed"),
    ("GET", "login/start/", "not_found"),
    ("GET", "nothing", "not_found"),
    ("GET", "%00", "not_found"),
    ("POST", "login/start", "unsupported_media_type"),
];

async fn refused_everywhere(browser: &mut Client, base: &str) {
    for &(method, path, code) in REFUSED {
        let what = format!("{method} {base}{path}");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = browser
            .send(method, &format!("{base}{path}"), &[], Vec::new())
            .await;
        is_problem(&answer, &what);
        assert_eq!(answer.code(), code, "{what}");
    }
    for (method, target) in [("CONNECT", "example.org:443"), ("GET", "http://example.org/x")] {
        let request = Request::builder().method(method).uri(target);
        let answer = browser.answer(request.body(Body::empty()).unwrap()).await;
        is_problem(&answer, target);
    }
    let json = ("content-type", "application/json");
    for (headers, body, code) in [
        (vec![json], &b""[..], "invalid_request"),
        (vec![json], b"{", "invalid_request"),
        (vec![json], b"\xff", "invalid_request"),
        (vec![json], b"[]", "invalid_request"),
        (vec![json], b"{\"username\":1}", "invalid_request"),
    ] {
        let path = format!("{base}login/start");
        let answer = browser.send(Method::POST, &path, &headers, body.to_vec()).await;
        is_problem(&answer, &format!("{body:?}"));
        assert_eq!(answer.code(), code, "{body:?}");
    }
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    for base in ["/", "/auth/"] {
        let app = App::under(base).await;
        let mut browser = app.browser();
        let mut device = SoftwareAuthenticator::new("device");
        let start = json!({"username": "alice"});
        let started = browser
            .post(&format!("{base}register/start"), start)
            .await
            .expect(200);
        let credential = device.register(&started["publicKey"], &browser.page());
        let finish = crate::support::finish(&started, &credential);
        browser
            .post(&format!("{base}register/finish"), finish)
            .await
            .expect(201);
        refused_everywhere(&mut browser, base).await;
        // The same session is good for what is there.
        browser.get(&format!("{base}credentials")).await.expect(200);
    }
    // Outside of the base path there is nothing but what is well known.
    let mut browser = App::under("/auth/").await.browser();
    for path in ["/", "/health", "/login/start", "/authx", "/.well-known/nothing"] {
        let answer = browser.get(path).await;
        is_problem(&answer, path);
        answer.refused(404, "not_found");
    }
}

/// A body that never ends, a little every five seconds.
fn slow_body() -> Body {
    struct Slow(tokio::time::Interval);
    impl http_body::Body for Slow {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::ready!(self.0.poll_tick(context));
            std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(b" ")))))
        }
    }
    Body::new(Slow(tokio::time::interval(Duration::from_secs(5))))
}

/// Ceremonies on a store that takes a minute over everything.
struct SlowStore(MemoryCeremonyStore);

#[async_trait]
impl CeremonyStore for SlowStore {
    async fn put(
        &self,
        id: CeremonyId,
        ceremony: PendingCeremony,
        now: UnixTime,
    ) -> Result<Put, StorageError> {
        tokio::time::sleep(Duration::from_secs(60)).await;
        self.0.put(id, ceremony, now).await
    }

    async fn take(&self, id: CeremonyId, now: UnixTime) -> Result<Option<PendingCeremony>, StorageError> {
        self.0.take(id, now).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.0.ping().await
    }

    async fn purge_expired(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.0.purge_expired(now, limit).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_the_clients_fault_and_a_slow_store_is_ours() {
    let ceremonies = Arc::new(SlowStore(MemoryCeremonyStore::new(10)));
    let app = App::made_of(settings(), TestStore::in_memory(), ceremonies, "/").await;
    let mut browser = app.browser();
    for path in ["/login/start", "/login/finish", "/session/refresh"] {
        let request = Request::post(path)
            .header("origin", crate::support::ORIGIN)
            .header("content-type", "application/json");
        let began = tokio::time::Instant::now();
        let answer = browser.answer(request.body(slow_body()).unwrap()).await;
        answer.refused(400, "invalid_request");
        assert!(answer.text.contains("too slowly"), "{}", answer.text);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
    let answer = browser.post("/login/start", json!({})).await;
    answer.refused(503, "busy");
    assert_eq!(answer.headers["retry-after"], "1");
}

/// Ceremonies on a store with a fault: whoever asks it for one makes it panic.
struct FaultyStore(MemoryCeremonyStore);

#[async_trait]
impl CeremonyStore for FaultyStore {
    async fn put(
        &self,
        id: CeremonyId,
        ceremony: PendingCeremony,
        now: UnixTime,
    ) -> Result<Put, StorageError> {
        self.0.put(id, ceremony, now).await
    }

    async fn take(&self, _: CeremonyId, _: UnixTime) -> Result<Option<PendingCeremony>, StorageError> {
        panic!("the secret reason")
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.0.ping().await
    }

    async fn purge_expired(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.0.purge_expired(now, limit).await
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_tells_nothing() {
    let ceremonies = Arc::new(FaultyStore(MemoryCeremonyStore::new(10)));
    let app = App::made_of(settings(), TestStore::in_memory(), ceremonies, "/").await;
    let mut browser = app.browser();
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let body = json!({"ceremonyId": started["ceremonyId"], "credential": {}});
    let answer = browser.post("/login/finish", body).await;
    is_problem(&answer, "a panic");
    answer.refused(500, "internal_error");
    assert!(!answer.text.contains("reason"), "{}", answer.text);
    // The others notice nothing of it.
    browser.post("/login/start", json!({})).await.expect(200);
}

#[tokio::test]
async fn names_cannot_hide_or_turn_text_around() {
    let app = App::new().await;
    for name in [
        "\u{200b}",
        "\u{2028}",
        "a\u{200e}b",
        "alice\u{202e}nimda",
        "\u{61c}",
    ] {
        let mut browser = app.browser();
        let body = json!({"username": "alice", "displayName": name});
        let refused = browser.post("/register/start", body).await;
        refused.refused(400, "invalid_request");
        let body = json!({"username": "alice"});
        let started = browser.post("/register/start", body).await.expect(200);
        let credential =
            SoftwareAuthenticator::new("device").register(&started["publicKey"], &browser.page());
        let mut body = crate::support::finish(&started, &credential);
        body["deviceName"] = json!(name);
        let refused = browser.post("/register/finish", body).await;
        refused.refused(400, "invalid_request");
    }
}
