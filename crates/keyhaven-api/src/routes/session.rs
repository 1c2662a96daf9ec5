//! The session that asks, and the account's others.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use keyhaven_service::{Error, SessionToken, SignedIn};
use keyhaven_session::{Authority as _, Session};
use serde::Deserialize;

use super::{cookies, refresh_token, session_cookie};
use crate::bodies::{Ended, ListedSession, Me, Refresh, SessionBody, SessionList, User};
use crate::error::{ApiError, Problem};
use crate::extract::{AnySessions, Current, From, NoQuery, OptionalBody, Path, Query, StoredSessions};
use crate::state::ApiState;

/// Who is signed in.
#[utoipa::path(
    get, path = "/session", tag = "sessions", operation_id = "session",
    responses((status = 200, body = Me), (status = 401, body = Problem), (status = 503, body = Problem))
)]
pub(crate) async fn show(Session(current): Session<AnySessions>) -> Json<Me> {
    Json(me(&current.signed_in))
}

fn me(signed_in: &SignedIn) -> Me {
    Me {
        user: User::from(signed_in.account()),
        session: SessionBody::new(signed_in.session()),
    }
}

/// Renew the session's token (the cookie, or `refreshToken`), and the access token where those are on.
#[utoipa::path(
    post, path = "/session/refresh", tag = "sessions", operation_id = "refreshSession",
    request_body(content = Option<Refresh>, description = "for clients that keep no cookies; else nothing"),
    responses(
        (status = 200, body = Me), (status = 401, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn refresh(
    State(state): State<ApiState>,
    From(client): From,
    request: axum::extract::Request,
) -> Result<impl IntoResponse, ApiError> {
    let (parts, body) = request.into_parts();
    let with_body = axum::extract::Request::from_parts(parts.clone(), body);
    let OptionalBody(body) =
        <OptionalBody<Refresh> as axum::extract::FromRequest<_>>::from_request(with_body, &state).await?;
    let (signed_in, token) = match body.and_then(|body| body.refresh_token) {
        None => {
            let authority = <StoredSessions as axum::extract::FromRef<_>>::from_ref(&state);
            let Current { signed_in, token } = authority.authenticate(&parts).await?;
            (signed_in, token.ok_or(Error::Unauthenticated)?)
        }
        Some(refresh_token) => {
            let token = SessionToken::parse(&refresh_token).ok_or(Error::Unauthenticated)?;
            (
                state.keyhaven.sessions.authenticate(&client, &token).await?,
                token,
            )
        }
    };
    let sessions = &state.keyhaven.sessions;
    let token = sessions.refresh(&client, &signed_in, &token).await?;
    let (account, session) = (signed_in.account(), signed_in.session());
    let mut body = SessionBody::with_token(&state, account, session);
    let cookie = match &token {
        None => cookies(None),
        Some(token) => {
            body.refresh_token = refresh_token(&state, &client, token);
            session_cookie(&state, session, token)
        }
    };
    Ok((
        cookie,
        Json(Me {
            user: User::from(account),
            session: body,
        }),
    ))
}

/// Sign out.
#[utoipa::path(
    delete, path = "/session", tag = "sessions", operation_id = "signOut",
    responses(
        (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn sign_out(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<AnySessions>,
    _: NoQuery,
) -> Result<impl IntoResponse, ApiError> {
    state
        .keyhaven
        .sessions
        .sign_out(&client, &current.signed_in)
        .await?;
    Ok((StatusCode::NO_CONTENT, cookies(state.settings.clear_session())))
}

/// All sessions of the account.
#[utoipa::path(
    get, path = "/sessions", tag = "sessions", operation_id = "sessions",
    responses((status = 200, body = SessionList), (status = 401, body = Problem), (status = 503, body = Problem))
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Session(current): Session<StoredSessions>,
) -> Result<Json<SessionList>, ApiError> {
    let sessions = state.keyhaven.sessions.list(&current.signed_in).await?;
    let own = current.signed_in.session();
    Ok(Json(SessionList {
        sessions: sessions
            .iter()
            .map(|session| ListedSession::new(session, own))
            .collect(),
    }))
}

/// End one session of the account.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "sessions", operation_id = "endSession",
    params(("id" = String, Path, description = "the session's id")),
    responses(
        (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn revoke(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    _: NoQuery,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    state
        .keyhaven
        .sessions
        .revoke(&client, &current.signed_in, id)
        .await?;
    let own = current.signed_in.session().id == id;
    Ok((
        StatusCode::NO_CONTENT,
        cookies(own.then(|| state.settings.clear_session()).flatten()),
    ))
}

/// Which sessions to end.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndSessions {
    /// The one that asks as well.
    #[serde(default)]
    all: bool,
}

/// End all other sessions of the account; with `?all=true` the one that asks as well: sign out everywhere.
#[utoipa::path(
    delete, path = "/sessions", tag = "sessions", operation_id = "endOtherSessions",
    params(EndSessions),
    responses(
        (status = 200, body = Ended), (status = 401, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn revoke_others(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    Query(EndSessions { all }): Query<EndSessions>,
) -> Result<impl IntoResponse, ApiError> {
    let sessions = &state.keyhaven.sessions;
    let (ended, cookie) = if all {
        let ended = sessions.revoke_all(&client, &current.signed_in).await?;
        (ended, state.settings.clear_session())
    } else {
        (sessions.revoke_others(&client, &current.signed_in).await?, None)
    };
    Ok((cookies(cookie), Json(Ended { ended })))
}
