//! The Keyhaven HTTP API as an axum router: the only crate that knows HTTP.
//!
//! [`router`] shows the whole API on one screen. A handler extracts, converts, calls a use case of
//! `keyhaven-service`, and converts back; no rule and no query lives here. Around all of them lies one envelope:
//! request id, origin check, time limit, security headers, problem documents.

mod bodies;
mod cookies;
mod envelope;
mod error;
mod even;
mod extract;
mod gate;
mod lifecycle;
mod metrics;
mod openapi;
mod proxy;
mod routes;
mod state;
mod trace;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use keyhaven_service::Keyhaven;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes as paths;
use utoipa_swagger_ui::{Config, SwaggerUi};

pub use lifecycle::Lifecycle;
pub use metrics::{MetadataFigures, Metrics, metrics_router};
pub use proxy::ProxyHeader;
pub use state::{ApiSettings, NativeApps, Operations};
pub use trace::{LoggedTraces, TraceParent, Traces};

use error::ApiError;
use routes::{
    account, admin, client_key, credentials, dev_mails, email, enrolment, features, login, page, password,
    protections, recovery, register, session, step_up, system, well_known,
};
use state::{ApiState, Shared};

/// Every route of the API, ready to be served. Serve it with
/// `into_make_service_with_connect_info::<SocketAddr>()`, so that addresses are known.
pub fn router(keyhaven: Keyhaven, settings: ApiSettings, operations: Operations) -> Router {
    let base = settings.base_path.clone();
    let state = ApiState::new(Shared {
        keyhaven,
        settings,
        operations,
        exports: Arc::new(Semaphore::new(1)),
    });
    let (api, description) = api().split_for_parts();
    let description_url = format!("{base}openapi.json");
    let docs = SwaggerUi::new(format!("{base}docs"))
        .config(Config::new([description_url.clone()]).validator_url("none"))
        .url(description_url, description);

    let pages = Router::new()
        .route("/", get(page::index))
        .route("/assets/{*path}", get(page::asset));
    let pages = match &state.settings.mail_folder {
        None => pages,
        Some(_) => pages.route("/dev/mails", get(dev_mails::show)),
    };
    let under_base = api.merge(pages);
    let based = match base.trim_end_matches('/') {
        "" => under_base,
        prefix => Router::new()
            .nest(prefix, under_base)
            .route(&base, get(page::index)),
    };
    let routes = based
        .merge(Router::from(docs).layer(from_fn(docs_policy)))
        .route(
            "/.well-known/apple-app-site-association",
            get(well_known::apple_apps),
        )
        .route("/.well-known/assetlinks.json", get(well_known::asset_links))
        .route("/.well-known/change-password", get(well_known::change_password))
        .route("/.well-known/jwks.json", get(well_known::jwks))
        .route(
            "/.well-known/passkey-endpoints",
            get(well_known::passkey_endpoints),
        )
        .route("/.well-known/webauthn", get(well_known::webauthn))
        .fallback(async || gate::unknown())
        .method_not_allowed_fallback(async || {
            ApiError::new("method_not_allowed", "this route has other methods")
        })
        // The first one is the outermost. In one go: each `layer` costs every request a box and a copy of what is in it.
        .layer((
            cors(&state),
            from_fn_with_state(state.clone(), envelope::envelope),
            CatchPanicLayer::custom(|_| {
                tracing::error!("a handler panicked");
                ApiError::new("internal_error", "something went wrong here").into_response()
            }),
            from_fn_with_state(state.clone(), gate::gate),
            DefaultBodyLimit::max(extract::BODY_LIMIT),
        ))
        .with_state(state);
    Router::new()
        .fallback_service(routes)
        .layer(map_response(gate::hide_methods))
}

/// The API description as pretty-printed JSON, for the committed copy.
#[must_use]
pub fn openapi_json() -> String {
    api().into_openapi().to_pretty_json().unwrap_or_default()
}

fn api() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(openapi::Description::openapi())
        .routes(paths!(register::start))
        .routes(paths!(register::finish))
        .routes(paths!(login::start))
        .routes(paths!(login::finish))
        .routes(paths!(session::show, session::sign_out))
        .routes(paths!(session::refresh))
        .routes(paths!(session::list, session::revoke_others))
        .routes(paths!(session::revoke))
        .routes(paths!(step_up::start))
        .routes(paths!(step_up::finish))
        .routes(paths!(credentials::list, credentials::delete_all))
        .routes(paths!(
            credentials::show,
            credentials::change,
            credentials::delete
        ))
        .routes(paths!(password::register))
        .routes(paths!(password::login))
        .routes(paths!(password::change, password::remove))
        .routes(paths!(account::show, account::change, account::delete))
        .routes(paths!(account::export))
        .routes(paths!(account::events))
        .routes(paths!(email::verify))
        .routes(paths!(email::resend))
        .routes(paths!(email::change))
        .routes(paths!(recovery::request))
        .routes(paths!(recovery::verify_otp))
        .routes(paths!(recovery::verify_code))
        .routes(paths!(recovery::make_codes))
        .routes(paths!(recovery::cancel))
        .routes(paths!(recovery::show))
        .routes(paths!(enrolment::redeem))
        .routes(paths!(admin::users))
        .routes(paths!(admin::user))
        .routes(paths!(admin::lock))
        .routes(paths!(admin::unlock))
        .routes(paths!(admin::sign_out))
        .routes(paths!(admin::remove_passkey))
        .routes(paths!(admin::enrolment_link))
        .routes(paths!(admin::verify_client_key))
        .routes(paths!(admin::events))
        .routes(paths!(admin::export))
        .routes(paths!(client_key::rotate, client_key::remove))
        .routes(paths!(protections::show))
        .routes(paths!(system::health))
        .routes(paths!(system::ready))
        .routes(paths!(system::version))
        .routes(paths!(features::show))
}

/// Pages of the allowed origins may call, with cookies; nobody else learns anything.
fn cors(state: &ApiState) -> CorsLayer {
    let origins = &state.keyhaven.settings().relying_party.origins;
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PATCH,
            Method::PUT,
            Method::DELETE,
        ])
        .allow_headers([ACCEPT, AUTHORIZATION, CONTENT_TYPE, envelope::REQUEST_ID])
        .expose_headers([envelope::REQUEST_ID, RETRY_AFTER])
        .max_age(std::time::Duration::from_secs(600))
}

/// The API browser's own scripts and styles, and nothing from elsewhere.
async fn docs_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
