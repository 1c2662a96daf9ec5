//! What happened, in numbers, for Prometheus (OpenMetrics text). Served on a listener of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The numbers of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: Family<Answer, Counter>,
    seconds: Family<Route, Histogram>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Answer {
    method: &'static str,
    route: String,
    status: u16,
    /// `ok`, or the stable code of the refusal: for the finishes this is the ceremony's outcome.
    code: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Route {
    method: &'static str,
    route: String,
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("keyhaven");
        let requests = Family::default();
        registry.register(
            "requests",
            "Answered requests, by route and outcome",
            requests.clone(),
        );
        // 0.5 ms to 4 s.
        let seconds = Family::<Route, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.0005, 2.0, 14))
        });
        registry.register_with_unit(
            "request_duration",
            "Time to answer",
            Unit::Seconds,
            seconds.clone(),
        );
        Self(Arc::new(Inner {
            registry,
            requests,
            seconds,
        }))
    }

    /// Counts one answer. Labels stay for ever, so what callers make up must not become one: `method` is from
    /// [`method_label`]'s fixed set, `route` is the router's pattern and never the path, status and code are our own.
    pub(crate) fn answered(
        &self,
        method: &'static str,
        route: &str,
        status: u16,
        code: &'static str,
        took: Duration,
    ) {
        let route = route.to_owned();
        let answer = Answer {
            method,
            route: route.clone(),
            status,
            code,
        };
        self.0.requests.get_or_create(&answer).inc();
        self.0
            .seconds
            .get_or_create(&Route { method, route })
            .observe(took.as_secs_f64());
    }

    fn encode(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut out, &self.0.registry);
        out
    }
}

/// A method as metrics and logs name it. Any token is a method in HTTP (RFC 9110 §9.1): those of no route are `other`.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "DELETE" => "DELETE",
        "GET" => "GET",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "POST" => "POST",
        "PUT" => "PUT",
        _ => "other",
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// `GET /metrics`, and nothing else.
pub fn metrics_router(metrics: Metrics) -> Router {
    async fn show(State(metrics): State<Metrics>) -> impl IntoResponse {
        (
            [(
                CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            metrics.encode(),
        )
    }
    Router::new().route("/metrics", get(show)).with_state(metrics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_route_and_outcome() {
        let metrics = Metrics::new();
        for _ in 0..2 {
            metrics.answered(
                "POST",
                "/login/finish",
                401,
                "authentication_failed",
                Duration::from_millis(3),
            );
        }
        let text = metrics.encode();
        let line = r#"keyhaven_requests_total{method="POST",route="/login/finish",status="401",code="authentication_failed"} 2"#;
        assert!(text.contains(line), "{text}");
        assert!(
            text.contains(
                r#"keyhaven_request_duration_seconds_count{method="POST",route="/login/finish"} 2"#
            )
        );
    }
}
