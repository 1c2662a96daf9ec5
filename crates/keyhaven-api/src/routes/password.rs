//! Passwords, where they are allowed: signing in without a passkey, and on to one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use keyhaven_service::{Client, NewPassword, PasswordSignIn, RegisterPassword};
use keyhaven_session::Session;
use zeroize::Zeroizing;

use super::{address_proof, refresh_token, session_cookie};
use crate::bodies::{
    PasswordChange, PasswordLogin, PasswordRegister, PasswordRemoval, PasswordSignedIn, SessionBody, User,
};
use crate::error::{ApiError, Problem};
use crate::even::refusing_evenly;
use crate::extract::{Body, From, NoQuery, OptionalBody, PresentedSession, StoredSessions};
use crate::state::ApiState;

/// Make an account with a password. `offerPasskey` says that the page should offer to make a passkey now.
#[utoipa::path(
    post, path = "/password/register", tag = "password", operation_id = "registerPassword",
    request_body = PasswordRegister,
    responses(
        (status = 201, body = PasswordSignedIn), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn register(
    State(state): State<ApiState>,
    From(client): From,
    PresentedSession(current): PresentedSession,
    Body(body): Body<PasswordRegister>,
) -> Result<impl IntoResponse, ApiError> {
    let request = RegisterPassword {
        username: body.username,
        display_name: body.display_name,
        email: body.email,
        password: body.password.into(),
        proof: address_proof(body.email_proof_id.as_deref(), body.email_code),
    };
    let current = current.as_ref().map(|current| &current.signed_in);
    let passwords = &state.keyhaven.passwords;
    let done = passwords.register(&client, current, request).await?;
    let key = "message.account_created";
    Ok((StatusCode::CREATED, signed_in(&state, &client, &done, key)))
}

/// Sign in with a password, at AAL1: a new session is opened, and the one that was presented ends.
#[utoipa::path(
    post, path = "/password/login", tag = "password", operation_id = "loginPassword",
    request_body = PasswordLogin,
    responses(
        (status = 200, body = PasswordSignedIn), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn login(
    State(state): State<ApiState>,
    From(client): From,
    PresentedSession(current): PresentedSession,
    Body(body): Body<PasswordLogin>,
) -> Result<impl IntoResponse, ApiError> {
    let password = Zeroizing::new(body.password);
    let current = current.as_ref().map(|current| &current.signed_in);
    let passwords = &state.keyhaven.passwords;
    let sign_in = passwords.sign_in(&client, current, &body.username, &password);
    let done = refusing_evenly(sign_in).await?;
    Ok(signed_in(&state, &client, &done, "message.signed_in"))
}

/// Set another password, or the first one: the account's other sessions end.
#[utoipa::path(
    put, path = "/password", tag = "password", operation_id = "changePassword",
    request_body = PasswordChange,
    responses(
        (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn change(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    Body(body): Body<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let new = NewPassword {
        password: body.password.into(),
        current: body.current_password.map(Into::into),
        with_passkey: body.with_passkey,
    };
    let passwords = &state.keyhaven.passwords;
    passwords.change(&client, &current.signed_in, new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove the password, where a passkey stays: the account's other sessions end.
#[utoipa::path(
    delete, path = "/password", tag = "password", operation_id = "deletePassword",
    request_body(content = Option<PasswordRemoval>, description = "where a sign-in asks for the password together with a passkey"),
    responses(
        (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn remove(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    _: NoQuery,
    OptionalBody(body): OptionalBody<PasswordRemoval>,
) -> Result<StatusCode, ApiError> {
    let so_far = body.and_then(|body| body.current_password).map(Into::into);
    let passwords = &state.keyhaven.passwords;
    passwords.remove(&client, &current.signed_in, so_far).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn signed_in(
    state: &ApiState,
    client: &Client,
    done: &PasswordSignIn,
    translation_key: &'static str,
) -> impl IntoResponse + use<> {
    let mut session = SessionBody::with_token(state, &done.account, &done.session);
    session.refresh_token = refresh_token(state, client, &done.token);
    let body = PasswordSignedIn {
        user: User::from(&done.account),
        session,
        offer_passkey: done.offer_passkey,
        translation_key,
    };
    (session_cookie(state, &done.session, &done.token), Json(body))
}
