//! What operators see: whether the process is ready, and what it counts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use keyhaven_api::MetadataFigures;
use keyhaven_service::Observer as _;
use keyhaven_storage::observed::{Observed, PoolFigures, PoolQueue, StoreCall, StoreObserver as _};
use keyhaven_storage::{CeremonyId, CeremonyStore, PendingCeremony, Put, StorageError};
use keyhaven_storage_memory::MemoryCeremonyStore;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_types::UnixTime;
use serde_json::json;
use tower::ServiceExt as _;

use crate::stores::TestStore;
use crate::support::{App, finish, settings};

pub(crate) async fn metrics(app: &App) -> String {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let router = keyhaven_api::metrics_router(app.metrics.clone());
    let response = router.oneshot(request).await.unwrap();
    let bytes = axum::body::to_bytes(response.into_body(), 10_000_000)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// How the store of ceremonies answers when it is asked how it is.
#[derive(Clone, Copy)]
enum Health {
    Full,
    Hangs,
}

struct AilingStore {
    store: MemoryCeremonyStore,
    health: Health,
    asked: Arc<AtomicU32>,
}

#[async_trait]
impl CeremonyStore for AilingStore {
    async fn put(
        &self,
        id: CeremonyId,
        ceremony: PendingCeremony,
        now: UnixTime,
    ) -> Result<Put, StorageError> {
        self.store.put(id, ceremony, now).await
    }

    async fn take(&self, id: CeremonyId, now: UnixTime) -> Result<Option<PendingCeremony>, StorageError> {
        self.store.take(id, now).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.health {
            Health::Full => Err(StorageError::new("store.ping", "no room at 10.1.2.3").because("full")),
            Health::Hangs => std::future::pending().await,
        }
    }

    async fn purge_expired(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.store.purge_expired(now, limit).await
    }
}

async fn ailing(health: Health) -> (App, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let ceremonies = Arc::new(AilingStore {
        store: MemoryCeremonyStore::new(10),
        health,
        asked: asked.clone(),
    });
    let app = App::made_of(settings(), TestStore::in_memory(), ceremonies, "/").await;
    (app, asked)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_named_with_the_reason_and_nothing_more() {
    let (app, _) = ailing(Health::Full).await;
    let answer = app.native().get("/ready").await;
    assert!(!answer.text.contains("10.1.2.3"), "{}", answer.text);
    assert_eq!(
        answer.expect(503),
        json!({
            "status": "unavailable",
            "stores": {"durable": {"status": "up"}, "ceremonies": {"status": "down", "reason": "full"}},
        })
    );
    assert_eq!(
        app.native().get("/health").await.expect(200),
        json!({"status": "ok"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_away_within_a_second() {
    let (app, _) = ailing(Health::Hangs).await;
    let began = tokio::time::Instant::now();
    let answer = app.native().get("/ready").await.expect(503);
    assert!(
        began.elapsed() <= Duration::from_millis(1_500),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        answer["stores"]["ceremonies"],
        json!({"status": "down", "reason": "timeout"})
    );
}

#[tokio::test(start_paused = true)]
async fn who_asks_often_does_not_ask_the_stores() {
    for health in [Health::Full, Health::Hangs] {
        let (app, asked) = ailing(health).await;
        let asking: Vec<_> = (0..50)
            .map(|_| {
                let mut client = app.native();
                tokio::spawn(async move { client.get("/ready").await.expect(503) })
            })
            .collect();
        for asking in asking {
            asking.await.unwrap();
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        app.native().get("/ready").await.expect(503);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn a_process_that_is_stopping_says_so_and_still_answers() {
    let app = App::new().await;
    app.lifecycle.stopping();
    let mut browser = app.browser();
    assert_eq!(
        browser.get("/ready").await.expect(503),
        json!({"status": "stopping"})
    );
    assert_eq!(browser.get("/health").await.expect(200), json!({"status": "ok"}));
    browser.post("/login/start", json!({})).await.expect(200);
}

#[tokio::test]
async fn ceremonies_are_counted_with_the_reason_that_the_caller_is_not_told() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "anna").await;
    browser.login(&mut device, Some("anna")).await.expect(200);
    browser.step_up(&mut device, "export").await;
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let mut credential = device.authenticate(&started["publicKey"], &browser.page());
    credential["response"]["signature"] = json!("MEUCIQ");
    let refused = browser.post("/login/finish", finish(&started, &credential)).await;
    refused.refused(401, "authentication_failed");
    let text = metrics(&app).await;
    for line in [
        r#"keyhaven_ceremonies_total{ceremony="registration",stage="start",outcome="ok"} 1"#,
        r#"keyhaven_ceremonies_total{ceremony="registration",stage="finish",outcome="ok"} 1"#,
        r#"keyhaven_ceremonies_total{ceremony="login",stage="start",outcome="ok"} 2"#,
        r#"keyhaven_ceremonies_total{ceremony="login",stage="finish",outcome="ok"} 1"#,
        r#"keyhaven_ceremonies_total{ceremony="login",stage="finish",outcome="signature_invalid"} 1"#,
        r#"keyhaven_ceremonies_total{ceremony="step_up",stage="start",outcome="ok"} 1"#,
        r#"keyhaven_ceremonies_total{ceremony="step_up",stage="finish",outcome="ok"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn calls_of_stores_are_counted_and_timed() {
    let app = App::new().await;
    let store = Observed::new(
        Arc::new(MemoryCeremonyStore::new(1)),
        "memory",
        Arc::new(app.metrics.clone()),
    );
    let at = UnixTime::from_millis(0);
    assert_eq!(store.take(CeremonyId([1; 32]), at).await.unwrap(), None);
    let text = metrics(&app).await;
    for line in [
        r#"keyhaven_store_calls_total{system="memory",operation="ceremony.take",outcome="ok"} 1"#,
        r#"keyhaven_store_call_duration_seconds_count{system="memory",operation="ceremony.take"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// Everything that can be served is described, and what is described is served.
#[tokio::test]
async fn the_list_of_metrics_is_the_one_that_is_served() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.get("/health").await;
    let counted = &app.metrics;
    counted.ceremony("login", "finish", "ok");
    counted.crosschecked("assertion", "agree");
    counted.purged(1);
    counted.called(&StoreCall {
        system: "postgresql",
        operation: "session.find",
        outcome: "ok",
        took: Duration::from_millis(1),
        round_trips: 1,
    });
    counted.show_pools(|| {
        vec![PoolFigures {
            name: "primary",
            most: 16,
            in_use: 1,
            idle: 2,
            queue: Some(PoolQueue {
                waiting: 0,
                waits: 3,
                waited: Duration::from_millis(4),
            }),
        }]
    });
    counted.show_metadata(|| {
        Some(MetadataFigures {
            number: 1,
            next_update: 2,
            taken: 3,
        })
    });
    let limited = App::with(keyhaven_service::Settings {
        rate_limits: Some(keyhaven_service::RateLimitSettings {
            per_address: 1,
            ..keyhaven_service::RateLimitSettings::default()
        }),
        ..settings()
    })
    .await;
    for _ in 0..3 {
        limited.native().post("/login/start", json!({})).await;
    }
    let texts = [metrics(&app).await, metrics(&limited).await];
    assert!(
        texts[1].contains(r#"keyhaven_rate_limited_total{route="/login/start"} 2"#),
        "{}",
        texts[1]
    );
    let mut served = BTreeSet::new();
    for line in texts.iter().flat_map(|text| text.lines()) {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            served.insert(format!("{name}{suffix}"));
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let text = std::fs::read_to_string(path).unwrap();
    let described: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter_map(|cell| cell.split('{').next())
        .filter(|name| name.starts_with("keyhaven_") || name.starts_with("process_"))
        .map(str::to_owned)
        .collect();
    assert_eq!(served, described);
}
