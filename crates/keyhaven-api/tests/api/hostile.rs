//! Requests that no honest client sends, and what they must not get: memory, another form of answer, a 5xx.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use keyhaven_storage::{CeremonyId, CeremonyStore, PendingCeremony, Put, StorageError};
use keyhaven_storage_memory::{MemoryCeremonyStore, MemoryStore};
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_types::UnixTime;
use serde_json::json;
use tower::ServiceExt as _;

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
