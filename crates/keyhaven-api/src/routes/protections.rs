//! What guards the signed-in account beside its passkeys.

use axum::Json;
use axum::extract::State;
use keyhaven_service::{PasswordUse, Protection};
use keyhaven_session::Session;
use serde::Serialize;
use utoipa::ToSchema;

use crate::bodies::PendingRecovery;
use crate::error::{ApiError, Problem};
use crate::extract::StoredSessions;
use crate::state::ApiState;

/// `GET /account/security`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountSecurity {
    /// What its password is good for: `alone` signs in, `with_passkey` counts only together with one; `null`: it has none.
    password: Option<&'static str>,
    /// Whether a sign-in with one of its passkeys asks for a client key, too.
    client_key: bool,
    /// The recovery that waits: whose passkeys these are can object to it (`POST /recovery/cancel`).
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<PendingRecovery>,
    /// How many recovery codes are left.
    recovery_codes_left: u64,
}

impl From<Protection> for AccountSecurity {
    fn from(protection: Protection) -> Self {
        Self {
            password: protection.password.map(|password| match password {
                PasswordUse::Alone => "alone",
                PasswordUse::WithPasskey => "with_passkey",
            }),
            client_key: protection.client_key,
            recovery: protection.recovery_ready_at.map(PendingRecovery::at),
            recovery_codes_left: protection.recovery_codes_left,
        }
    }
}

/// What guards the account beside its passkeys.
#[utoipa::path(
    get, path = "/account/security", tag = "account", operation_id = "accountSecurity",
    responses(
        (status = 200, body = AccountSecurity), (status = 401, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Session(current): Session<StoredSessions>,
) -> Result<Json<AccountSecurity>, ApiError> {
    let protection = state.keyhaven.protections.of(&current.signed_in).await?;
    Ok(Json(protection.into()))
}
