//! Links by which administrators let people in.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;

use super::session_cookie;
use crate::bodies::admin::RedeemEnrolment;
use crate::bodies::{Me, SessionBody, User};
use crate::error::{ApiError, Problem};
use crate::extract::{Body, From, PresentedSession};
use crate::state::ApiState;

/// Use an enrolment link up, once: a recovery session, which can add a passkey, read itself and end. A session that was
/// presented ends.
#[utoipa::path(
    post, path = "/enrolment/redeem", tag = "recovery", operation_id = "redeemEnrolment",
    request_body = RedeemEnrolment,
    responses(
        (status = 200, body = Me), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn redeem(
    State(state): State<ApiState>,
    From(client): From,
    PresentedSession(current): PresentedSession,
    Body(body): Body<RedeemEnrolment>,
) -> Result<impl IntoResponse, ApiError> {
    let current = current.as_ref().map(|current| &current.signed_in);
    let enrolments = &state.keyhaven.enrolments;
    let enrolled = enrolments.redeem(&client, current, &body.token).await?;
    let body = Me {
        user: User::from(&enrolled.account),
        // Without an access token: that would be good elsewhere, too.
        session: SessionBody::new(&enrolled.session),
    };
    Ok((
        session_cookie(&state, &enrolled.session, &enrolled.token),
        Json(body),
    ))
}
