//! Handler arguments: the client, the body, the session.

use std::time::Duration;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ORIGIN};
use axum::http::request::Parts;
use keyhaven_service::{Client, Error, SessionToken, SignedIn};
use keyhaven_session::{Assurance, Authority, bearer_token, cookie};
use keyhaven_types::UnixTime;
use serde::de::DeserializeOwned;

use crate::envelope::is_safe;
use crate::error::ApiError;
use crate::state::ApiState;

/// The most bytes a body may have.
pub(crate) const BODY_LIMIT: usize = 64 * 1024;

/// The longest that a client may take over sending a body. Half of what a request gets, so that what is slow here is
/// told apart from what is slow there.
pub(crate) const BODY_PATIENCE: Duration = Duration::from_secs(15);

/// Who is asking; put there by the envelope.
pub(crate) struct From(pub(crate) Client);

impl FromRequestParts<ApiState> for From {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        client(parts).map(Self)
    }
}

pub(crate) fn client(parts: &Parts) -> Result<Client, ApiError> {
    parts
        .extensions
        .get::<Client>()
        .cloned()
        .ok_or_else(|| ApiError::new("internal_error", "no client"))
}

/// A part of the path. What cannot be read there names nothing.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<ApiState> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(part)) => Ok(Self(part)),
            Err(_) => Err(Error::NotFound.into()),
        }
    }
}

/// The query. Parameters that are not known are refused (by `deny_unknown_fields`, which each `T` has: what is to delete all
/// but one must not, for a letter of the wrong case, delete all), and so is one that is given twice.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<ApiState> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(ApiError::invalid(format!("query: {}", rejection.body_text()))),
        }
    }
}

/// No query, where something is taken away: who sends one believes that it says what.
pub(crate) struct NoQuery;

impl FromRequestParts<ApiState> for NoQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        match parts.uri.query() {
            None | Some("") => Ok(Self),
            Some(_) => Err(ApiError::invalid("query: there are no parameters here")),
        }
    }
}

/// A JSON body, at most [`BODY_LIMIT`] bytes. Members that are not known are ignored.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        if !is_json(&request) {
            return Err(not_json());
        }
        let bytes = bytes(request, state).await?;
        parsed(&bytes).map(Self)
    }
}

/// A JSON body that may be left out entirely.
pub(crate) struct OptionalBody<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<ApiState> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let json = is_json(&request);
        let bytes = bytes(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !json {
            return Err(not_json());
        }
        if bytes.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        parsed(&bytes).map(|body| Self(Some(body)))
    }
}

/// An object: the library would read an array, too, as the values of its members in the order of their declaration.
fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::invalid("body: not a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::invalid(format!("body: {error}")))
}

fn is_json(request: &Request) -> bool {
    let value = request.headers().get(CONTENT_TYPE);
    let essence = value.and_then(|value| value.as_bytes().split(|&byte| byte == b';').next());
    essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

fn not_json() -> ApiError {
    ApiError::new("unsupported_media_type", "send the body as application/json")
}

/// Whether the body is sent as it is: no content coding is undone here (RFC 9110 §8.4).
fn is_plain(request: &Request) -> bool {
    let codings = request.headers().get_all(CONTENT_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    codings.all(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

async fn bytes(request: Request, state: &ApiState) -> Result<Bytes, ApiError> {
    if !is_plain(&request) {
        return Err(ApiError::new(
            "unsupported_media_type",
            "send the body without a content coding",
        ));
    }
    let too_large = || ApiError::new("payload_too_large", "a body has at most 65,536 bytes");
    // A body that announces itself as too large is not waited for.
    let announced = usize::try_from(request.body().size_hint().lower());
    if announced.is_ok_and(|len| len > BODY_LIMIT) {
        return Err(too_large());
    }
    let read = tokio::time::timeout(BODY_PATIENCE, Bytes::from_request(request, state));
    let Ok(read) = read.await else {
        // The client's fault and not ours: no 5xx, which would call operators and invite proxies to try again.
        return Err(ApiError::invalid("body: it was sent too slowly"));
    };
    read.map_err(|rejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            ApiError::invalid("body: it could not be read")
        }
    })
}

/// Finds the session of a request for `keyhaven-session`'s extractor: by cookie, or, for reading only, by access token.
#[derive(Clone, Debug)]
pub(crate) struct StoredSessions(ApiState);

/// A session in force, and the token it was opened with, where that was a cookie.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) signed_in: SignedIn,
    pub(crate) token: Option<SessionToken>,
}

impl axum::extract::FromRef<ApiState> for StoredSessions {
    fn from_ref(state: &ApiState) -> Self {
        Self(state.clone())
    }
}

impl Assurance for Current {
    fn aal(&self) -> u8 {
        self.signed_in.session().aal
    }

    fn authenticated_at(&self) -> UnixTime {
        self.signed_in.session().authenticated_at
    }
}

impl StoredSessions {
    /// The session of a request, a recovery's as well.
    async fn of_any_kind(&self, parts: &Parts) -> Result<Current, ApiError> {
        let client = client(parts)?;
        if let Some(token) = session_token(&self.0, parts) {
            require_origin(parts)?;
            let signed_in = self.0.keyhaven.sessions.authenticate(&client, &token).await?;
            return Ok(Current {
                signed_in,
                token: Some(token),
            });
        }
        let token = bearer_token(&parts.headers).ok_or(Error::Unauthenticated)?;
        if !is_safe(&parts.method) {
            // A token cannot be revoked: it may read, never change.
            return Err(Error::Unauthenticated.into());
        }
        match self.0.keyhaven.access_tokens.authenticate(token).await {
            Ok(signed_in) => Ok(Current {
                signed_in,
                token: None,
            }),
            Err(error) => Err(ApiError {
                token_refused: true,
                ..error.into()
            }),
        }
    }
}

/// Full sessions. One that came from a recovery is refused here, and so everywhere, save where [`AnySessions`] is named.
impl Authority for StoredSessions {
    type Session = Current;
    type Rejection = ApiError;

    async fn authenticate(&self, parts: &Parts) -> Result<Current, ApiError> {
        let current = self.of_any_kind(parts).await?;
        if current.signed_in.is_recovery() {
            return Err(ApiError::new(
                "forbidden",
                "a recovery can add a passkey, read its session and sign out, nothing else",
            ));
        }
        Ok(current)
    }

    fn now(&self) -> UnixTime {
        self.0.keyhaven.now()
    }
}

/// Sessions of every kind, for the few routes that a recovery session is there for.
#[derive(Clone, Debug)]
pub(crate) struct AnySessions(StoredSessions);

impl axum::extract::FromRef<ApiState> for AnySessions {
    fn from_ref(state: &ApiState) -> Self {
        Self(StoredSessions(state.clone()))
    }
}

impl Authority for AnySessions {
    type Session = Current;
    type Rejection = ApiError;

    async fn authenticate(&self, parts: &Parts) -> Result<Current, ApiError> {
        self.0.of_any_kind(parts).await
    }

    fn now(&self) -> UnixTime {
        self.0.now()
    }
}

/// A browser names its page on every request that changes something: one with a cookie that does not is not the page.
pub(crate) fn require_origin(parts: &Parts) -> Result<(), ApiError> {
    if is_safe(&parts.method) || parts.headers.contains_key(ORIGIN) {
        Ok(())
    } else {
        Err(ApiError::new(
            "origin_not_allowed",
            "a request with a session cookie needs an Origin header",
        ))
    }
}

pub(crate) fn session_token(state: &ApiState, parts: &Parts) -> Option<SessionToken> {
    SessionToken::parse(&cookie(&parts.headers, state.settings.session_cookie())?)
}

/// The session a registration may be started with: none where no cookie was sent; one that is over is told apart.
pub(crate) enum MaybeSession {
    InForce(Box<Current>),
    None,
    Over(ApiError),
}

impl FromRequestParts<ApiState> for MaybeSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        if session_token(state, parts).is_none() {
            return Ok(Self::None);
        }
        match StoredSessions(state.clone()).of_any_kind(parts).await {
            Ok(current) => Ok(Self::InForce(Box::new(current))),
            Err(over) if matches!(over.code, "session_expired" | "unauthenticated") => Ok(Self::Over(over)),
            Err(error) => Err(error),
        }
    }
}

/// The session of a request, where it has one in force and a full one.
pub(crate) struct OptionalSession(pub(crate) Option<Current>);

impl FromRequestParts<ApiState> for OptionalSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let PresentedSession(current) = PresentedSession::from_request_parts(parts, state).await?;
        Ok(Self(current.filter(|current| !current.signed_in.is_recovery())))
    }
}

/// The session that a finish was sent with, where there is one in force: the ceremony says whether it matters.
pub(crate) struct PresentedSession(pub(crate) Option<Current>);

impl FromRequestParts<ApiState> for PresentedSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let Some(token) = session_token(state, parts) else {
            return Ok(Self(None));
        };
        require_origin(parts)?;
        match state
            .keyhaven
            .sessions
            .authenticate(&client(parts)?, &token)
            .await
        {
            Ok(signed_in) => Ok(Self(Some(Current {
                signed_in,
                token: Some(token),
            }))),
            Err(error @ (Error::Storage(_) | Error::Random(_))) => Err(error.into()),
            Err(_) => Ok(Self(None)),
        }
    }
}
