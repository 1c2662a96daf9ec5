//! Is it up, is it ready, which version.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
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
    /// `ready` or `unavailable`.
    status: &'static str,
    /// Accounts, credentials, sessions, audit: `up` or `down`.
    database: &'static str,
    /// Pending ceremonies: `up` or `down`.
    challenges: &'static str,
}

/// Whether every store answers.
#[utoipa::path(
    get, path = "/ready", tag = "system", operation_id = "ready",
    responses((status = 200, body = Ready), (status = 503, body = Ready))
)]
pub(crate) async fn ready(State(state): State<ApiState>) -> impl IntoResponse {
    let readiness = state.keyhaven.upkeep.readiness().await;
    let word = |up| if up { "up" } else { "down" };
    let ready = readiness.durable && readiness.ceremonies;
    let body = Ready {
        status: if ready { "ready" } else { "unavailable" },
        database: word(readiness.durable),
        challenges: word(readiness.ceremonies),
    };
    (
        if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        Json(body),
    )
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
