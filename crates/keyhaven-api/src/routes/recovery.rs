//! Recovering an account.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use keyhaven_service::{RecoveryProgress, RecoveryState};
use keyhaven_session::Session;

use super::{cookies, session_cookie};
use crate::bodies::{
    AskedRecovery, CancelRecovery, RecoveryBody, RecoveryCodes, RequestRecovery, SessionBody, User,
    VerifyOtp, VerifyRecoveryCode,
};
use crate::error::{ApiError, Problem};
use crate::even::{evenly, refusing_evenly};
use crate::extract::{Body, From, OptionalSession, Path, PresentedSession, StoredSessions};
use crate::state::ApiState;

/// Mail a code to an account's proven address. The answer is the same where no account has it.
#[utoipa::path(
    post, path = "/recovery/request-otp", tag = "recovery", operation_id = "requestRecovery",
    request_body = RequestRecovery,
    responses(
        (status = 200, body = AskedRecovery), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn request(
    State(state): State<ApiState>,
    From(client): From,
    Body(body): Body<RequestRecovery>,
) -> Result<impl IntoResponse, ApiError> {
    let asked = evenly(state.keyhaven.recoveries.request(&client, &body.email)).await?;
    let cookie = asked
        .browser
        .as_ref()
        .and_then(|token| state.settings.set_ceremony(token));
    let body = AskedRecovery {
        recovery_id: asked.id.to_text(),
    };
    Ok((cookies(cookie), Json(body)))
}

/// Show the mailed code; or, without one, take a recovery up whose wait is over. A session that was presented ends where one
/// is opened.
#[utoipa::path(
    post, path = "/recovery/verify-otp", tag = "recovery", operation_id = "verifyRecoveryOtp",
    request_body = VerifyOtp,
    responses(
        (status = 200, description = "a recovery session is open", body = RecoveryBody),
        (status = 202, description = "the account has passkeys: it waits", body = RecoveryBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn verify_otp(
    State(state): State<ApiState>,
    From(client): From,
    PresentedSession(current): PresentedSession,
    Body(body): Body<VerifyOtp>,
) -> Result<Response, ApiError> {
    let current = current.as_ref().map(|current| &current.signed_in);
    let recoveries = &state.keyhaven.recoveries;
    let verify = recoveries.verify(&client, current, &body.recovery_id, body.otp.as_deref());
    Ok(answer(&state, refusing_evenly(verify).await?))
}

/// Show one of the account's recovery codes, after the mailed code: then nothing waits. A session that was presented ends.
#[utoipa::path(
    post, path = "/recovery/verify-code", tag = "recovery", operation_id = "verifyRecoveryCode",
    request_body = VerifyRecoveryCode,
    responses(
        (status = 200, body = RecoveryBody), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn verify_code(
    State(state): State<ApiState>,
    From(client): From,
    PresentedSession(current): PresentedSession,
    Body(body): Body<VerifyRecoveryCode>,
) -> Result<Response, ApiError> {
    let current = current.as_ref().map(|current| &current.signed_in);
    let recoveries = &state.keyhaven.recoveries;
    let verify = recoveries.verify_code(&client, current, &body.recovery_id, &body.code);
    Ok(answer(&state, refusing_evenly(verify).await?))
}

fn answer(state: &ApiState, progress: RecoveryProgress) -> Response {
    match progress {
        RecoveryProgress::Opened {
            account,
            session,
            token,
        } => {
            let body = RecoveryBody {
                user: Some(User::from(&account)),
                // Without an access token: that would be good elsewhere, too.
                session: Some(SessionBody::new(&session)),
                ..RecoveryBody::new("recovered", None)
            };
            (session_cookie(state, &session, &token), Json(body)).into_response()
        }
        RecoveryProgress::Waiting(ready_at) => {
            let body = RecoveryBody::new("waiting", Some(ready_at));
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
    }
}

/// Make new recovery codes, shown this once; those before no longer work. Needs a recent sign-in, or uses a
/// step-up for `add_passkey` up.
#[utoipa::path(
    post, path = "/recovery/codes", tag = "recovery", operation_id = "makeRecoveryCodes",
    responses(
        (status = 201, body = RecoveryCodes), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn make_codes(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
) -> Result<impl IntoResponse, ApiError> {
    let recoveries = &state.keyhaven.recoveries;
    let codes = recoveries.make_codes(&client, &current.signed_in).await?;
    Ok((StatusCode::CREATED, Json(RecoveryCodes { codes })))
}

/// Cancel what is under way: by the mailed link, or signed in.
#[utoipa::path(
    post, path = "/recovery/cancel", tag = "recovery", operation_id = "cancelRecovery",
    request_body = CancelRecovery,
    responses(
        (status = 204), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    From(client): From,
    OptionalSession(current): OptionalSession,
    Body(body): Body<CancelRecovery>,
) -> Result<StatusCode, ApiError> {
    let signed_in = current.as_ref().map(|current| &current.signed_in);
    let recoveries = &state.keyhaven.recoveries;
    recoveries
        .cancel(&client, signed_in, body.token.as_deref())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a recovery stands; for the browser that asked for it.
#[utoipa::path(
    get, path = "/recovery/{id}", tag = "recovery", operation_id = "recovery",
    params(("id" = String, Path, description = "the recovery's id")),
    responses(
        (status = 200, body = RecoveryBody), (status = 404, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn show(
    State(state): State<ApiState>,
    From(client): From,
    Path(id): Path<String>,
) -> Result<Json<RecoveryBody>, ApiError> {
    Ok(Json(
        match state.keyhaven.recoveries.state(&client, &id).await? {
            RecoveryState::Ended => RecoveryBody::new("ended", None),
            RecoveryState::Pending => RecoveryBody::new("pending", None),
            RecoveryState::Ready => RecoveryBody::new("ready", None),
            RecoveryState::Waiting(ready_at) => RecoveryBody::new("waiting", Some(ready_at)),
        },
    ))
}
