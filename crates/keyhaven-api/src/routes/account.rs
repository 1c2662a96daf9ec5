//! The signed-in account.

use axum::Json;
use axum::extract::State;
use keyhaven_session::Session;

use crate::bodies::{AccountSecurity, User};
use crate::error::{ApiError, Problem};
use crate::extract::StoredSessions;
use crate::state::ApiState;

/// The signed-in account.
#[utoipa::path(
    get, path = "/account", tag = "account", operation_id = "account",
    responses((status = 200, body = User), (status = 401, body = Problem), (status = 503, body = Problem))
)]
pub(crate) async fn show(Session(current): Session<StoredSessions>) -> Json<User> {
    Json(User::from(current.signed_in.account()))
}

/// What guards the account beside its passkeys.
#[utoipa::path(
    get, path = "/account/security", tag = "account", operation_id = "accountSecurity",
    responses(
        (status = 200, body = AccountSecurity), (status = 401, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn security(
    State(state): State<ApiState>,
    Session(current): Session<StoredSessions>,
) -> Result<Json<AccountSecurity>, ApiError> {
    let protection = state.keyhaven.protections.of(&current.signed_in).await?;
    Ok(Json(protection.into()))
}
