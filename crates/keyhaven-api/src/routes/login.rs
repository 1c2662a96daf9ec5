//! Signing in.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use keyhaven_service::PresentedFactors;
use keyhaven_storage::CeremonyId;

use super::{device_cookie, refresh_token, session_cookie, started};
use crate::bodies::{CredentialBody, Finish, LoginStart, SessionBody, SignedInBody, User};
use crate::error::{ApiError, Problem};
use crate::even::refusing_evenly;
use crate::extract::{Body, From, PresentedSession};
use crate::state::ApiState;

/// Start a sign-in: by name, or without one for whoever has a passkey here.
#[utoipa::path(
    post, path = "/login/start", tag = "ceremonies", operation_id = "startLogin",
    request_body = LoginStart,
    responses(
        (status = 200, body = crate::bodies::StartedBody<Object>), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn start(
    State(state): State<ApiState>,
    From(client): From,
    Body(body): Body<LoginStart>,
) -> Result<impl IntoResponse, ApiError> {
    let answer = state
        .keyhaven
        .authentications
        .start(&client, body.username.as_deref())
        .await?;
    Ok(started(&state, answer))
}

/// Finish a sign-in: a new session is opened, and the one that was presented ends.
#[utoipa::path(
    post, path = "/login/finish", tag = "ceremonies", operation_id = "finishLogin",
    request_body = Finish,
    responses(
        (status = 200, body = SignedInBody), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn finish(
    State(state): State<ApiState>,
    From(client): From,
    PresentedSession(current): PresentedSession,
    Body(body): Body<Finish>,
) -> Result<impl IntoResponse, ApiError> {
    let presented = PresentedFactors {
        password: body.password.map(Into::into),
        client_key: body.client_key.map(Into::into),
    };
    let ceremony = CeremonyId::parse(&body.ceremony_id);
    let response = body.credential.get().as_bytes();
    let signed_in = current.as_ref().map(|current| &current.signed_in);
    let authentications = &state.keyhaven.authentications;
    let finish = authentications.finish(&client, signed_in, ceremony, response, &presented);
    let done = refusing_evenly(finish).await?;
    let mut session = SessionBody::with_token(&state, &done.account, &done.session);
    session.refresh_token = refresh_token(&state, &client, &done.token);
    let cookie = session_cookie(&state, &done.session, &done.token);
    let body = SignedInBody {
        translation_key: "message.signed_in",
        user: User::from(&done.account),
        credential: CredentialBody::from(&done.credential),
        session,
        signals: done.signals,
        client_key: None,
        recovered: false,
    };
    let device = device_cookie(&state, done.device.as_ref());
    Ok((cookie, device, Json(body)))
}
