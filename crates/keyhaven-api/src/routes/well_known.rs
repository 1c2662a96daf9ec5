//! What others look for at the root of the origin.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use serde::Serialize;

use crate::state::ApiState;

/// The keys that verify access tokens (RFC 7517).
pub(crate) async fn jwks(State(state): State<ApiState>) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "application/jwk-set+json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, state.keyhaven.access_tokens.key_set())
}

/// The origins that may use passkeys of this RP ID (L3 §5.11.1).
#[derive(Serialize)]
pub(crate) struct RelatedOrigins {
    origins: Vec<String>,
}

/// Related origins.
pub(crate) async fn webauthn(State(state): State<ApiState>) -> impl IntoResponse {
    let origins = &state.keyhaven.settings().relying_party.origins;
    let web = origins
        .iter()
        .map(|origin| origin.as_str())
        .filter(|origin| origin.starts_with("https://"));
    Json(RelatedOrigins {
        origins: web.map(str::to_owned).collect(),
    })
}
