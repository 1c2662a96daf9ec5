//! Registering passkeys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use keyhaven_service::{AskedProof, Error, FinishRegistration, Identifier, StartRegistration};
use keyhaven_storage::CeremonyId;
use zeroize::Zeroizing;

use super::{address_proof, cookies, device_cookie, refresh_token, session_cookie, started};
use crate::bodies::{
    AskedProofBody, CredentialBody, Finish, RegisterStart, SessionBody, SignedInBody, User, rfc3339,
};
use crate::error::{ApiError, Problem};
use crate::even::evenly;
use crate::extract::{Body, From, MaybeSession, PresentedSession};
use crate::state::ApiState;

/// Start a registration: for a new account, or, with a session, one more passkey.
#[utoipa::path(
    post, path = "/register/start", tag = "ceremonies", operation_id = "startRegistration",
    request_body = RegisterStart,
    responses(
        (status = 200, body = crate::bodies::StartedBody<Object>),
        (status = 202, body = AskedProofBody, description = "accounts are called by their addresses: a code was mailed"),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn start(
    State(state): State<ApiState>,
    From(client): From,
    session: MaybeSession,
    Body(body): Body<RegisterStart>,
) -> Result<Response, ApiError> {
    let current = match session {
        MaybeSession::InForce(current) => Some(current),
        // Without a name there is only the session to go by.
        MaybeSession::Over(over)
            if body.username.is_none() && body.email.is_none() && body.email_proof_id.is_none() =>
        {
            return Err(over);
        }
        MaybeSession::None | MaybeSession::Over(_) => None,
    };
    let by_address = state.keyhaven.settings().identifier == Identifier::Email;
    if by_address && current.is_none() && body.email_proof_id.is_none() {
        let email = body.email.as_deref().ok_or(Error::EmailRequired)?;
        let answer = evenly(state.keyhaven.registrations.ask(&client, email)).await?;
        return Ok(asked(&state, &answer));
    }
    let request = StartRegistration {
        username: body.username,
        display_name: body.display_name,
        email: body.email,
        authenticator_attachment: body.authenticator_attachment,
        hints: body.hints,
        mediation: body.mediation.unwrap_or_default(),
        pin: body.pin,
        proof: address_proof(body.email_proof_id.as_deref(), body.email_code),
    };
    let signed_in = current.as_ref().map(|current| &current.signed_in);
    let answer = state
        .keyhaven
        .registrations
        .start(&client, signed_in, request)
        .await?;
    Ok(started(&state, answer).into_response())
}

fn asked(state: &ApiState, asked: &AskedProof) -> Response {
    let cookie = asked
        .browser
        .as_ref()
        .and_then(|token| state.settings.set_ceremony(token));
    let body = AskedProofBody {
        email_proof_id: asked.id.to_text(),
        expires_at: rfc3339(asked.expires_at),
        translation_key: "message.registration_code_sent",
    };
    (StatusCode::ACCEPTED, cookies(cookie), Json(body)).into_response()
}

/// Finish a registration: the passkey is stored, and for a new account a session opened.
#[utoipa::path(
    post, path = "/register/finish", tag = "ceremonies", operation_id = "finishRegistration",
    request_body = Finish,
    responses(
        (status = 201, body = SignedInBody), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn finish(
    State(state): State<ApiState>,
    From(client): From,
    PresentedSession(current): PresentedSession,
    Body(body): Body<Finish>,
) -> Result<impl IntoResponse, ApiError> {
    let password = body.password.map(Zeroizing::new);
    let request = FinishRegistration {
        ceremony: CeremonyId::parse(&body.ceremony_id),
        response: body.credential.get().as_bytes(),
        device_name: body.device_name.as_deref(),
        password: password.as_ref().map(|typed| typed.as_str()),
    };
    let signed_in = current.as_ref().map(|current| &current.signed_in);
    let registered = state
        .keyhaven
        .registrations
        .finish(&client, signed_in, request)
        .await?;
    let mut session = SessionBody::with_token(&state, &registered.account, &registered.session);
    // Only a token that was made here: the one that the request came with may have been replaced by now, and a cookie that
    // brings it back would have every tab signed out.
    let cookie = match &registered.token {
        None => cookies(None),
        Some(token) => {
            session.refresh_token = refresh_token(&state, &client, token);
            session_cookie(&state, &registered.session, token)
        }
    };
    let translation_key = match (registered.recovered, &registered.token) {
        (true, _) => "message.account_recovered",
        (false, Some(_)) => "message.account_created",
        (false, None) => "message.passkey_added",
    };
    let body = SignedInBody {
        translation_key,
        user: User::from(&registered.account),
        credential: CredentialBody::from(&registered.credential),
        session,
        signals: registered.signals,
        client_key: registered.client_key.map(|key| key.as_str().to_owned()),
        recovered: registered.recovered,
    };
    let device = device_cookie(&state, registered.device.as_ref());
    Ok((StatusCode::CREATED, cookie, device, Json(body)))
}
