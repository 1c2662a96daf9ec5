//! Is it up, is it ready, which version.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use keyhaven_service::StoreState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ApiState;

/// `GET /health`
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the process answers. Asks no store.
#[utoipa::path(get, path = "/health", tag = "system", operation_id = "health", responses((status = 200, body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// `GET /ready`
#[derive(Serialize, ToSchema)]
pub(crate) struct Ready {
    /// `ready`, `unavailable`, or `stopping`.
    status: &'static str,
    /// Each store; left out while stopping.
    #[serde(skip_serializing_if = "Option::is_none")]
    stores: Option<ReadyStores>,
}

/// How the stores are, or were a second ago.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReadyStores {
    /// Accounts, credentials, sessions, audit.
    durable: ReadyStore,
    /// Pending ceremonies.
    ceremonies: ReadyStore,
}

/// How one store is.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReadyStore {
    /// `up` or `down`.
    status: &'static str,
    /// Why it is down, in a word: `unreachable`, `timeout`, `refused`, `read_only`, `full`, `busy`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl From<StoreState> for ReadyStore {
    fn from(state: StoreState) -> Self {
        let (status, reason) = match state {
            StoreState::Down(reason) => ("down", Some(reason)),
            StoreState::Up => ("up", None),
        };
        Self { status, reason }
    }
}

/// Whether the process is to be sent requests: every store answers, and nobody has asked it to stop.
#[utoipa::path(
    get, path = "/ready", tag = "system", operation_id = "ready",
    responses((status = 200, body = Ready), (status = 503, body = Ready))
)]
pub(crate) async fn ready(State(state): State<ApiState>) -> impl IntoResponse {
    let lifecycle = &state.operations.lifecycle;
    let (status, stores) = if lifecycle.is_stopping() {
        ("stopping", None)
    } else {
        let stores = lifecycle.stores(&state.keyhaven.upkeep).await;
        let ready = [stores.durable, stores.ceremonies]
            .into_iter()
            .all(|store| store == StoreState::Up);
        (if ready { "ready" } else { "unavailable" }, Some(stores))
    };
    let code = if status == "ready" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let stores = stores.map(|stores| ReadyStores {
        durable: stores.durable.into(),
        ceremonies: stores.ceremonies.into(),
    });
    (code, Json(Ready { status, stores }))
}

/// `GET /version`
#[derive(Serialize, ToSchema)]
pub(crate) struct Version {
    /// `keyhaven`.
    name: &'static str,
    /// Semantic version.
    version: &'static str,
}

/// Name and version.
#[utoipa::path(get, path = "/version", tag = "system", operation_id = "version", responses((status = 200, body = Version)))]
pub(crate) async fn version() -> Json<Version> {
    Json(Version {
        name: "keyhaven",
        version: env!("CARGO_PKG_VERSION"),
    })
}
