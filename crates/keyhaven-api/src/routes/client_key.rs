//! Client keys, where they are asked for beside a passkey.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use keyhaven_session::Session;

use crate::bodies::ClientKeyBody;
use crate::error::{ApiError, Problem};
use crate::extract::{From, NoQuery, StoredSessions};
use crate::state::ApiState;

/// Give the account a client key, in place of the one it had. Needs a step-up for `change_password`.
#[utoipa::path(
    post, path = "/account/client-key", tag = "account", operation_id = "rotateClientKey",
    responses(
        (status = 200, body = ClientKeyBody), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn rotate(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
) -> Result<Json<ClientKeyBody>, ApiError> {
    let keys = &state.keyhaven.client_keys;
    let made = keys.rotate(&client, &current.signed_in).await?;
    Ok(Json(ClientKeyBody {
        client_key: made.as_str().to_owned(),
    }))
}

/// Remove the account's client key: its passkeys are enough again. Needs a step-up for `change_password`.
#[utoipa::path(
    delete, path = "/account/client-key", tag = "account", operation_id = "deleteClientKey",
    responses(
        (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn remove(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    let keys = &state.keyhaven.client_keys;
    keys.remove(&client, &current.signed_in).await?;
    Ok(StatusCode::NO_CONTENT)
}
