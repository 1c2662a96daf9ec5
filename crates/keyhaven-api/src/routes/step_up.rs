//! Proving presence again.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use keyhaven_service::Error;
use keyhaven_session::Session;
use keyhaven_storage::CeremonyId;
use keyhaven_types::base64url;

use super::{session_cookie, started};
use crate::bodies::{Finish, GrantBody, StepUpStart, rfc3339};
use crate::error::{ApiError, Problem};
use crate::extract::{Body, Current, From, StoredSessions};
use crate::state::ApiState;

/// Start a step-up: asks one of the account's own passkeys.
#[utoipa::path(
    post, path = "/step-up/start", tag = "step-up", operation_id = "startStepUp",
    request_body = StepUpStart,
    responses(
        (status = 200, body = crate::bodies::StartedBody<Object>), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn start(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    Body(body): Body<StepUpStart>,
) -> Result<impl IntoResponse, ApiError> {
    let purpose = body.purpose.parse()?;
    let action = body.action_hash.as_deref().map(action_hash).transpose()?;
    let answer = state
        .keyhaven
        .step_ups
        .start(&client, &current.signed_in, purpose, action)
        .await?;
    Ok(started(&state, answer))
}

/// Finish a step-up: the session holds a grant for the purpose, for 5 minutes, and has a new token (the cookie). Requests
/// with the token before it do not use the grant.
#[utoipa::path(
    post, path = "/step-up/finish", tag = "step-up", operation_id = "finishStepUp",
    request_body = Finish,
    responses(
        (status = 200, body = GrantBody), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn finish(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    Body(body): Body<Finish>,
) -> Result<impl IntoResponse, ApiError> {
    let ceremony = CeremonyId::parse(&body.ceremony_id);
    let response = body.credential.get().as_bytes();
    let Current { signed_in, token } = &current;
    let token = token.as_ref().ok_or(Error::Unauthenticated)?;
    let granted = state
        .keyhaven
        .step_ups
        .finish(&client, signed_in, token, ceremony, response)
        .await?;
    let body = GrantBody {
        purpose: granted.purpose.as_str(),
        expires_at: rfc3339(granted.expires_at),
        confirmation: granted.confirmation,
    };
    let cookie = session_cookie(&state, signed_in.session(), &granted.token);
    Ok((cookie, Json(body)))
}

fn action_hash(text: &str) -> Result<[u8; 32], ApiError> {
    base64url::decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| ApiError::invalid("actionHash: the SHA-256 of the action, 32 bytes in base64url"))
}
