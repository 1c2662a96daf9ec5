//! Cross-origin resource sharing (Fetch §3.2): which pages may call, and read what is answered.

use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER,
};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use futures_util::future::Either;
use keyhaven_types::Origin;
use tower::{Layer, Service};
use tower_http::cors::{AllowOrigin, Cors, CorsLayer};

use crate::envelope;

/// Pages of the allowed origins may call, with cookies; nobody else learns anything.
pub(crate) fn layer(origins: &[Origin]) -> Pages {
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    let cors = CorsLayer::new()
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
        .max_age(std::time::Duration::from_secs(600));
    Pages(cors)
}

/// Lays [`CorsLayer`] around a service, save around requests that it would mistake.
#[derive(Clone)]
pub(crate) struct Pages(CorsLayer);

impl<S> Layer<S> for Pages {
    type Service = Shared<S>;

    fn layer(&self, inner: S) -> Shared<S> {
        Shared(self.0.layer(inner))
    }
}

/// A service that pages may call.
///
/// The library answers every OPTIONS itself. One that is no preflight is a request like any other: it goes past the
/// library, to be refused by whatever its path refuses it.
#[derive(Clone)]
pub(crate) struct Shared<S>(Cors<S>);

impl<S> Service<Request> for Shared<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<<Cors<S> as Service<Request>>::Future, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if request.method() != Method::OPTIONS || is_preflight(&request) {
            Either::Left(self.0.call(request))
        } else {
            Either::Right(self.0.get_mut().call(request))
        }
    }
}

/// Fetch §3.2.2: what a browser asks before it sends a page's request.
fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
