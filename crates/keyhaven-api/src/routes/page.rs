//! The demo page: static files in the binary, no build step, nothing loaded from elsewhere.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;

use crate::error::ApiError;
use crate::extract::Path;
use crate::state::ApiState;

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! assets {
    ($($name:literal => $kind:literal),* $(,)?) => {
        /// Path, type and bytes of each file.
        const ASSETS: &[(&str, &str, &[u8])] =
            &[$(($name, $kind, include_bytes!(concat!("../../assets/", $name)))),*];
    };
}

assets! {
    "app.css" => "text/css; charset=utf-8",
    "app.js" => "text/javascript; charset=utf-8",
    "context.js" => "text/javascript; charset=utf-8",
    "favicon.svg" => "image/svg+xml",
    "i18n.js" => "text/javascript; charset=utf-8",
    "keyhaven.d.ts" => "text/plain; charset=utf-8",
    "kept.js" => "text/javascript; charset=utf-8",
    "keyhaven.js" => "text/javascript; charset=utf-8",
    "messages.js" => "text/javascript; charset=utf-8",
    "pages/account.js" => "text/javascript; charset=utf-8",
    "pages/admin-user.js" => "text/javascript; charset=utf-8",
    "pages/admin.js" => "text/javascript; charset=utf-8",
    "pages/desk.js" => "text/javascript; charset=utf-8",
    "pages/events.js" => "text/javascript; charset=utf-8",
    "pages/links.js" => "text/javascript; charset=utf-8",
    "pages/offer.js" => "text/javascript; charset=utf-8",
    "pages/passkeys.js" => "text/javascript; charset=utf-8",
    "pages/protections.js" => "text/javascript; charset=utf-8",
    "pages/recover.js" => "text/javascript; charset=utf-8",
    "pages/register.js" => "text/javascript; charset=utf-8",
    "pages/sessions.js" => "text/javascript; charset=utf-8",
    "pages/sign-in.js" => "text/javascript; charset=utf-8",
    "pages/task.js" => "text/javascript; charset=utf-8",
    "ui.js" => "text/javascript; charset=utf-8",
}

/// The page itself.
pub(crate) async fn index(State(state): State<ApiState>) -> impl IntoResponse {
    let html = include_str!("../../assets/index.html").replace("{{base}}", &state.settings.base_path);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY)),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, html)
}

/// One of its files.
pub(crate) async fn asset(Path(path): Path<String>) -> Result<impl IntoResponse, ApiError> {
    let (_, kind, bytes) = ASSETS
        .iter()
        .find(|(known, _, _)| *known == path)
        .ok_or_else(|| ApiError::new("not_found", "there is no such file"))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    Ok((headers, *bytes))
}
