//! The Keyhaven HTTP API as an axum router: the only crate that knows HTTP.
//!
//! [`router`] shows the whole API on one screen. A handler extracts, converts, calls a use case of
//! `keyhaven-service`, and converts back; no rule and no query lives here. Around all of them lies one envelope:
//! request id, origin check, time limit, security headers, problem documents.

mod bodies;
mod cookies;
mod cors;
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
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use keyhaven_service::Keyhaven;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
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
    let (api, of_api) = api().split_for_parts();
    let (well_known, of_well_known) = well_known().split_for_parts();
    let description = openapi::describe(of_api, of_well_known, &base);
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
        .merge(well_known)
        .fallback(async || gate::unknown())
        .method_not_allowed_fallback(async || {
            ApiError::new("method_not_allowed", "this route has other methods")
        })
        // The first one is the outermost. In one go: each `layer` costs every request a box and a copy of what is in it.
        .layer((
            cors::layer(&state.keyhaven.settings().relying_party.origins),
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
    let description = openapi::describe(api().into_openapi(), well_known().into_openapi(), "/");
    description.to_pretty_json().unwrap_or_default()
}

fn api() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(openapi::front())
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

/// What stays at the root of the origin, wherever the API is.
fn well_known() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(paths!(well_known::apple_apps))
        .routes(paths!(well_known::asset_links))
        .routes(paths!(well_known::change_password))
        .routes(paths!(well_known::jwks))
        .routes(paths!(well_known::passkey_endpoints))
        .routes(paths!(well_known::webauthn))
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
