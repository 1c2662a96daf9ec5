//! What surrounds every request: its id, who sent it, where from; and what every answer carries.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use keyhaven_mail::Language;
use keyhaven_service::{Client, DeviceMarks, SecretToken};
use keyhaven_types::{Origin, base64url};
use tracing::Instrument as _;

use crate::error::{ApiError, Problem};
use crate::metrics::method_label;
use crate::proxy::{client_ip, is_trusted};
use crate::state::ApiState;
use crate::trace::{self, TraceParent, request_span};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer than any honest request takes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Gives the request its id and its [`Client`], checks its origin, bounds its time, and finishes the answer: problem
/// documents get their body, every answer gets its headers.
pub(crate) async fn envelope(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let (request_id, fresh) = match request_id(&state, request.headers()) {
        Ok(drawn) => drawn,
        Err(error) => return finish(&state, "", error.into_response()),
    };
    let method = method_label(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    let began = Instant::now();
    let span = request_span(method, &route, &request_id);
    let parent = trusted_parent(&state, &request);
    trace::begin(&*state.operations.traces, &span, (method, &route), parent, fresh);
    let answer = async {
        let client = match client(&state, &request, &request_id) {
            Ok(client) => client,
            Err(error) => return error.into_response(),
        };
        request.extensions_mut().insert(client);
        match tokio::time::timeout(TIMEOUT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => ApiError::new("busy", "the request took too long").into_response(),
        }
    }
    .instrument(span.clone())
    .await;
    let answer = finish(&state, &request_id, answer);
    let status = answer.status().as_u16();
    let code = answer.extensions().get::<Code>().map_or("ok", |code| code.0);
    state
        .operations
        .metrics
        .answered(method, &route, status, code, began.elapsed());
    span.record("http.response.status_code", i64::from(status));
    if code != "ok" {
        span.record("error.type", code);
    }
    span.in_scope(|| tracing::debug!(status, code, "answered"));
    answer
}

/// The caller's id where it is a plain one, else a new one; and random bytes that nothing has been made of.
fn request_id(state: &ApiState, headers: &HeaderMap) -> Result<(String, [u8; 16]), ApiError> {
    let plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let [drawn, fresh] = state
        .keyhaven
        .random_identifiers()
        .map_err(|error| ApiError::from(keyhaven_service::Error::from(error)))?;
    let own = headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(plain);
    let id = own.map_or_else(|| base64url::encode(&drawn), str::to_owned);
    Ok((id, fresh))
}

/// Where the request came from, as far as it can be believed: anybody can write the header, and so put his requests
/// into the traces of others, or have everything recorded.
fn trusted_parent(state: &ApiState, request: &Request) -> Option<TraceParent> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?.0.ip();
    let trusted = &state.settings.trusted_proxies;
    is_trusted(peer.to_canonical(), trusted).then(|| TraceParent::from_headers(request.headers()))?
}

fn client(state: &ApiState, request: &Request, request_id: &str) -> Result<Client, ApiError> {
    let headers = request.headers();
    let origin = origin(state, request.method(), headers)?;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    let user_agent = headers.get(USER_AGENT).map(|value| {
        String::from_utf8_lossy(value.as_bytes())
            .chars()
            // People read it in the list of their sessions: nothing that is invisible or turns text around.
            .filter(|c| matches!(c, ' '..='~'))
            .take(256)
            .collect()
    });
    let devices = keyhaven_session::cookie(headers, state.settings.device_cookie());
    let browser = keyhaven_session::cookie(headers, state.settings.ceremony_cookie());
    Ok(Client {
        ip: client_ip(
            peer,
            headers,
            &state.settings.trusted_proxies,
            state.settings.trusted_proxy_header,
        ),
        user_agent,
        language: headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| Language::accepted(&String::from_utf8_lossy(value.as_bytes()))),
        request_id: request_id.to_owned(),
        origin,
        browser: browser.as_deref().and_then(SecretToken::parse),
        devices: devices.as_deref().map(DeviceMarks::parse).unwrap_or_default(),
    })
}

/// The Origin header. A request that changes something must come from an allowed one, if it names one at all.
fn origin(state: &ApiState, method: &Method, headers: &HeaderMap) -> Result<Option<Origin>, ApiError> {
    let mut values = headers.get_all(ORIGIN).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let allowed = &state.keyhaven.settings().relying_party.origins;
    let known = value
        .to_str()
        .ok()
        .and_then(|text| allowed.iter().find(|origin| origin.as_str() == text));
    match known {
        Some(origin) if values.next().is_none() => Ok(Some(origin.clone())),
        _ if is_safe(method) => Ok(None),
        _ => Err(ApiError::new(
            "origin_not_allowed",
            "this page may not use this service",
        )),
    }
}

/// Whether a method changes nothing (RFC 9110 §9.2.1).
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn finish(state: &ApiState, request_id: &str, response: Response) -> Response {
    let problem = response.extensions().get::<ApiError>().cloned();
    let problem = problem.or_else(|| foreign_refusal(&response));
    let mut response = match problem {
        None => response,
        Some(error) => problem_document(state, request_id, &error, response.headers()),
    };
    let headers = response.headers_mut();
    // All at once: a map that grows one by one is built anew several times.
    headers.reserve(SECURITY_HEADERS.len().saturating_add(8));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in SECURITY_HEADERS {
        headers
            .entry(HeaderName::from_static(name))
            .or_insert(HeaderValue::from_static(value));
    }
    if !state.settings.insecure_cookies {
        let hsts = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.insert(HeaderName::from_static("strict-transport-security"), hsts);
    }
    response
}

/// A refusal that a library below made, in its own words: it gets our code and form like every other one. Answers of
/// ours that are no problem documents (`/ready`) are JSON.
fn foreign_refusal(response: &Response) -> Option<ApiError> {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/"));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    Some(match status {
        StatusCode::NOT_FOUND => ApiError::new("not_found", "there is no such thing"),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::new("method_not_allowed", "this route has other methods"),
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new("payload_too_large", "a body has at most 65,536 bytes")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ApiError::new("unsupported_media_type", "send the body as application/json")
        }
        _ if status.is_client_error() => ApiError::invalid("the request could not be read"),
        _ => ApiError::new("internal_error", "something went wrong here"),
    })
}

/// What no answer goes without. The page and the API description bring wider policies of their own.
const SECURITY_HEADERS: [(&str, &str); 8] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-site"),
    (
        "permissions-policy",
        "publickey-credentials-get=(self), publickey-credentials-create=(self)",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// The code of a refusal, for the metrics.
#[derive(Clone, Copy)]
struct Code(&'static str);

fn problem_document(state: &ApiState, request_id: &str, error: &ApiError, set: &HeaderMap) -> Response {
    let problem = Problem {
        kind: format!("urn:keyhaven:error:{}", error.code),
        title: error.status.canonical_reason().unwrap_or("Error").to_owned(),
        status: error.status.as_u16(),
        detail: error.detail.clone(),
        code: error.code.to_owned(),
        translation_key: format!("error.{}", error.code),
        request_id: request_id.to_owned(),
        step: error
            .step
            .clone()
            .filter(|_| state.settings.disclose_verification_step),
        purpose: error.purpose.map(str::to_owned),
        signals: error.signals.clone(),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = (error.status, body).into_response();
    // What a handler set beside the refusal (a cookie taken away) stays.
    for (name, value) in set {
        if *name != CONTENT_TYPE && *name != axum::http::header::CONTENT_LENGTH {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    response.extensions_mut().insert(Code(error.code));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = error.retry_after {
        // Rounded up, as in the detail: a client that waits as told is not refused again.
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)),
        );
    }
    if error.status == StatusCode::UNAUTHORIZED {
        // RFC 6750 §3.1: only a token that was sent is called invalid; whoever sent none has made no mistake.
        headers.insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(if error.token_refused {
                "Bearer realm=\"keyhaven\", error=\"invalid_token\""
            } else {
                "Bearer realm=\"keyhaven\""
            }),
        );
    }
    response
}
