//! One file per resource: its handlers.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod client_key;
pub(crate) mod credentials;
pub(crate) mod dev_mails;
pub(crate) mod email;
pub(crate) mod enrolment;
pub(crate) mod features;
pub(crate) mod login;
pub(crate) mod page;
pub(crate) mod password;
pub(crate) mod protections;
pub(crate) mod recovery;
pub(crate) mod register;
pub(crate) mod session;
pub(crate) mod step_up;
pub(crate) mod system;
pub(crate) mod well_known;

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse};
use keyhaven_service::{AddressProof, Client, DeviceMarks, SessionToken, Started};
use keyhaven_storage::{CeremonyId, Session};
use serde::Serialize;

use crate::bodies::{StartedBody, rfc3339};
use crate::state::ApiState;

/// Cookies to send along.
type Cookies = AppendHeaders<Option<(axum::http::HeaderName, HeaderValue)>>;

fn cookies(value: Option<HeaderValue>) -> Cookies {
    AppendHeaders(value.map(|value| (SET_COOKIE, value)))
}

/// The code that somebody typed, and what it belongs to.
fn address_proof(id: Option<&str>, code: Option<String>) -> Option<AddressProof> {
    id.map(|id| AddressProof {
        id: CeremonyId::parse(id),
        code: code.unwrap_or_default(),
    })
}

/// The answer of every start: the options, and the ceremony cookie for a browser.
fn started<Options: Serialize>(
    state: &ApiState,
    started: Started<Options>,
) -> impl IntoResponse + use<Options> {
    let cookie = started
        .browser
        .as_ref()
        .and_then(|token| state.settings.set_ceremony(token));
    let body = StartedBody {
        ceremony_id: started.ceremony.to_text(),
        public_key: started.options,
        expires_at: rfc3339(started.expires_at),
    };
    (cookies(cookie), Json(body))
}

/// The session cookie for the rest of the session's life.
fn session_cookie(state: &ApiState, session: &Session, token: &SessionToken) -> Cookies {
    let left = session.expires_at.saturating_since(state.keyhaven.now());
    cookies(
        state
            .settings
            .set_session(token, i64::try_from(left.as_secs()).unwrap_or(i64::MAX)),
    )
}

/// The device cookie, where what the browser keeps changes.
fn device_cookie(state: &ApiState, device: Option<&DeviceMarks>) -> Cookies {
    cookies(device.and_then(|marks| state.settings.set_device(marks)))
}

/// The token in the body, for a client that keeps no cookies, where access tokens are on.
fn refresh_token(state: &ApiState, client: &Client, token: &SessionToken) -> Option<String> {
    let native = client.origin.is_none() && state.keyhaven.settings().access_tokens.is_some();
    native.then(|| token.to_text())
}
