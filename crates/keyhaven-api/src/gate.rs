//! What stands before everything under `/admin`: for who is no administrator there is nothing there.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::ALLOW;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use keyhaven_service::{Error, Operator};
use keyhaven_storage::Session;

use crate::error::ApiError;
use crate::extract::{client, require_origin, session_token};
use crate::state::ApiState;

/// An administrator's request that the gate has let through.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    /// Who administers.
    pub(crate) operator: Operator,
    /// The session that asks.
    pub(crate) session: Session,
}

/// A handler that asks for it is not called for anybody else, wherever its route stands.
impl FromRequestParts<ApiState> for Admitted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

/// Lets administrators through to what is under `/admin`, and everybody to everything else. By the path, so before any
/// route, method or body is looked at: what there is shows to nobody else.
pub(crate) async fn gate(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    if !is_guarded(request.uri().path(), &state.settings.base_path) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    match admit(&state, &parts).await {
        Ok(admitted) => {
            parts.extensions.insert(admitted);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => error.into_response(),
    }
}

/// Around all routes: the router tells the methods of a route whatever answered in its place, a preflight or the gate.
/// They belong to one answer only (RFC 9110 §15.5.6); with any other they would tell that there is a route.
pub(crate) async fn hide_methods(mut response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().remove(ALLOW);
    }
    response
}

fn is_guarded(path: &str, base: &str) -> bool {
    let below = path
        .strip_prefix(base)
        .and_then(|below| below.strip_prefix("admin"));
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

async fn admit(state: &ApiState, parts: &Parts) -> Result<Admitted, ApiError> {
    // Not by an access token: that cannot be revoked.
    let token = session_token(state, parts).ok_or_else(unknown)?;
    let sessions = &state.keyhaven.sessions;
    let signed_in = match sessions.authenticate(&client(parts)?, &token).await {
        Ok(signed_in) if signed_in.administers() => signed_in,
        Err(error @ (Error::Storage(_) | Error::Random(_))) => return Err(error.into()),
        Ok(_) | Err(_) => return Err(unknown()),
    };
    require_origin(parts)?;
    let operator = state.keyhaven.administration.admit(&signed_in).await?;
    Ok(Admitted {
        operator,
        session: signed_in.session().clone(),
    })
}

/// As every route that there is not.
pub(crate) fn unknown() -> ApiError {
    Error::NotFound.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_under_admin_is_guarded_and_nothing_else() {
        for (path, base, guarded) in [
            ("/admin", "/", true),
            ("/admin/", "/", true),
            ("/admin/users", "/", true),
            ("/administrators", "/", false),
            ("/account", "/", false),
            ("/auth/admin/users", "/auth/", true),
            ("/admin/users", "/auth/", false),
            ("/auth/account", "/auth/", false),
        ] {
            assert_eq!(is_guarded(path, base), guarded, "{path} under {base}");
        }
    }
}
