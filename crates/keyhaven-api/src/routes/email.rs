//! The account's e-mail address.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use keyhaven_session::Session;

use crate::bodies::{ChangeEmail, Told, User, VerifyEmail};
use crate::error::{ApiError, Problem};
use crate::extract::{Body, From, StoredSessions};
use crate::state::ApiState;

/// Prove the address that the account claims, by the token that was mailed there.
#[utoipa::path(
    post, path = "/email/verify", tag = "account", operation_id = "verifyEmail",
    request_body = VerifyEmail,
    responses(
        (status = 200, body = User), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn verify(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    Body(body): Body<VerifyEmail>,
) -> Result<Json<User>, ApiError> {
    let addresses = &state.keyhaven.addresses;
    let account = addresses.verify(&client, &current.signed_in, &body.token).await?;
    Ok(Json(User::from(&account)))
}

/// Mail the claimed address a new link.
#[utoipa::path(
    post, path = "/email/resend", tag = "account", operation_id = "resendEmail",
    responses(
        (status = 202, body = Told), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn resend(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
) -> Result<impl IntoResponse, ApiError> {
    let addresses = &state.keyhaven.addresses;
    addresses.resend(&client, &current.signed_in).await?;
    Ok((StatusCode::ACCEPTED, Json(Told::new("message.email_sent"))))
}

/// Claim another address. It is the account's once the link that is mailed there was followed; until then the present one
/// stays. Needs a step-up for `change_email`.
#[utoipa::path(
    post, path = "/email/change", tag = "account", operation_id = "changeEmail",
    request_body = ChangeEmail,
    responses(
        (status = 202, body = Told), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn change(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    Body(body): Body<ChangeEmail>,
) -> Result<impl IntoResponse, ApiError> {
    let addresses = &state.keyhaven.addresses;
    addresses.change(&client, &current.signed_in, &body.email).await?;
    Ok((StatusCode::ACCEPTED, Json(Told::new("message.email_sent"))))
}
