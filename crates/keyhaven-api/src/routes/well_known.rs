//! What others look for at the root of the origin.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Problem;
use crate::gate;
use crate::state::ApiState;

/// Everybody may keep it, for a while.
const KEPT: [(axum::http::HeaderName, &str); 1] = [(CACHE_CONTROL, "public, max-age=300")];

/// The keys that verify access tokens (RFC 7517); none where those are off.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "well-known", operation_id = "keySet",
    responses((status = 200, content_type = "application/jwk-set+json", body = Object))
)]
pub(crate) async fn jwks(State(state): State<ApiState>) -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "application/jwk-set+json")];
    (KEPT, headers, state.keyhaven.access_tokens.key_set())
}

/// The origins that may use passkeys of this RP ID (L3 §5.11.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct RelatedOrigins<'a> {
    origins: Vec<&'a str>,
}

/// The origins that may use passkeys of this RP ID.
#[utoipa::path(
    get, path = "/.well-known/webauthn", tag = "well-known", operation_id = "relatedOrigins",
    responses((status = 200, body = RelatedOrigins<'_>))
)]
pub(crate) async fn webauthn(State(state): State<ApiState>) -> Response {
    let origins = &state.keyhaven.settings().relying_party.origins;
    let web = origins
        .iter()
        .map(|origin| origin.as_str())
        .filter(|origin| origin.starts_with("https://"));
    Json(RelatedOrigins {
        origins: web.collect(),
    })
    .into_response()
}

/// Where passkeys are made and managed (W3C Passkey Endpoints, §3.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct PasskeyEndpoints<'a> {
    enroll: &'a str,
    manage: &'a str,
}

/// For password managers and browsers: the page's security settings.
#[utoipa::path(
    get, path = "/.well-known/passkey-endpoints", tag = "well-known", operation_id = "passkeyEndpoints",
    responses((status = 200, body = PasskeyEndpoints<'_>))
)]
pub(crate) async fn passkey_endpoints(State(state): State<ApiState>) -> Response {
    let page = state.keyhaven.settings().security_page();
    let endpoints = PasskeyEndpoints {
        enroll: &page,
        manage: &page,
    };
    (KEPT, Json(endpoints)).into_response()
}

/// Where a password is changed (W3C Change Password URL); nowhere, where there are none.
#[utoipa::path(
    get, path = "/.well-known/change-password", tag = "well-known", operation_id = "changePasswordPage",
    responses((status = 303, description = "to the page"), (status = 404, body = Problem))
)]
pub(crate) async fn change_password(State(state): State<ApiState>) -> Response {
    let settings = state.keyhaven.settings();
    if settings.passwords.any() {
        Redirect::to(&settings.security_page()).into_response()
    } else {
        gate::unknown().into_response()
    }
}

/// A statement that an app may do as the site does (Google Digital Asset Links).
#[derive(Serialize)]
struct AssetLink<'a> {
    relation: [&'static str; 2],
    target: AndroidApp<'a>,
}

#[derive(Serialize)]
struct AndroidApp<'a> {
    namespace: &'static str,
    package_name: &'a str,
    sha256_cert_fingerprints: Vec<String>,
}

/// Android's: Credential Manager asks for both permissions before it lets an app use the site's passkeys.
#[utoipa::path(
    get, path = "/.well-known/assetlinks.json", tag = "well-known", operation_id = "assetLinks",
    responses((status = 200, body = Vec<Object>), (status = 404, body = Problem))
)]
pub(crate) async fn asset_links(State(state): State<ApiState>) -> Response {
    let apps = &state.settings.apps;
    if apps.android.is_empty() {
        return gate::unknown().into_response();
    }
    let links = apps.android.iter().map(|package_name| AssetLink {
        relation: [
            "delegate_permission/common.handle_all_urls",
            "delegate_permission/common.get_login_creds",
        ],
        target: AndroidApp {
            namespace: "android_app",
            package_name,
            sha256_cert_fingerprints: apps.android_certificates.iter().map(fingerprint).collect(),
        },
    });
    (KEPT, Json(links.collect::<Vec<_>>())).into_response()
}

/// As `keytool` prints it.
fn fingerprint(certificate: &[u8; 32]) -> String {
    let bytes: Vec<_> = certificate.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

/// The apps that share credentials with the site (Apple, Supporting associated domains).
#[derive(Serialize)]
struct AppleAppSiteAssociation<'a> {
    webcredentials: WebCredentials<'a>,
}

#[derive(Serialize)]
struct WebCredentials<'a> {
    apps: &'a [String],
}

/// Apple's: the apps that share credentials with the site.
#[utoipa::path(
    get, path = "/.well-known/apple-app-site-association", tag = "well-known", operation_id = "appleApps",
    responses((status = 200, body = Object), (status = 404, body = Problem))
)]
pub(crate) async fn apple_apps(State(state): State<ApiState>) -> Response {
    let apps = &state.settings.apps.apple;
    if apps.is_empty() {
        return gate::unknown().into_response();
    }
    let association = AppleAppSiteAssociation {
        webcredentials: WebCredentials { apps },
    };
    (KEPT, Json(association)).into_response()
}
