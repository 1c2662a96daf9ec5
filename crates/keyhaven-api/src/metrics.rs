//! What happened, in numbers, for Prometheus (OpenMetrics text). Served on a listener of its own.
//!
//! Every label is from a fixed set: routes, codes, operations. Nothing that a caller can make up becomes one.

mod figures;
mod process;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use keyhaven_service::Observer;
use keyhaven_storage::observed::{PoolFigures, StoreCall, StoreObserver};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use figures::Figures;
pub use figures::MetadataFigures;

/// The numbers of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    audit_checkpoint_failures: Counter,
    audit_refused: Gauge,
    audit_sealed: Counter,
    ceremonies: Family<Ceremony, Counter>,
    crosschecks: Family<SecondVerdict, Counter>,
    figures: Arc<Figures>,
    purged: Counter,
    rate_limited: Family<Refused, Counter>,
    requests: Family<Answer, Counter>,
    seconds: Family<Route, Histogram>,
    store_calls: Family<StoreAnswer, Counter>,
    store_round_trips: Family<StoreOperation, Counter>,
    store_seconds: Family<StoreOperation, Histogram>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Answer {
    method: &'static str,
    route: String,
    status: u16,
    /// `ok`, or the stable code of the refusal, as the caller was told it.
    code: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Ceremony {
    ceremony: &'static str,
    stage: &'static str,
    /// `ok`, or the code as the audit event has it.
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Refused {
    route: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Route {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct SecondVerdict {
    ceremony: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StoreAnswer {
    system: &'static str,
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StoreOperation {
    system: &'static str,
    operation: &'static str,
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut root = Registry::default();
        root.register_collector(Box::new(process::Process));
        let registry = root.sub_registry_with_prefix("keyhaven");
        registry.register(
            "build",
            "Which version runs",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        let figures = Arc::new(Figures::default());
        registry.register_collector(Box::new(figures::Collected(figures.clone())));

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
        let rate_limited = Family::default();
        registry.register(
            "rate_limited",
            "Requests that were refused because there were too many",
            rate_limited.clone(),
        );
        let ceremonies = Family::default();
        registry.register(
            "ceremonies",
            "Starts and finishes of ceremonies, by what became of them",
            ceremonies.clone(),
        );
        let crosschecks = Family::default();
        registry.register(
            "crosscheck_verdicts",
            "What the second implementation said about what was accepted",
            crosschecks.clone(),
        );
        let store_calls = Family::default();
        registry.register(
            "store_calls",
            "Calls of stores, by what came of them",
            store_calls.clone(),
        );
        // 0.1 ms to 6.5 s: longer than any store is waited for.
        let store_seconds = Family::<StoreOperation, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.0001, 2.0, 17))
        });
        registry.register_with_unit(
            "store_call_duration",
            "Time that stores took",
            Unit::Seconds,
            store_seconds.clone(),
        );
        let store_round_trips = Family::default();
        registry.register(
            "store_round_trips",
            "Messages to stores on other machines that waited for an answer",
            store_round_trips.clone(),
        );
        let purged = Counter::default();
        registry.register(
            "purged",
            "Expired rows that this process has dropped",
            purged.clone(),
        );
        let audit_sealed = Counter::default();
        registry.register(
            "audit_sealed",
            "Audit events that this process has sealed",
            audit_sealed.clone(),
        );
        let audit_refused = Gauge::default();
        registry.register(
            "audit_refused",
            "Audit events that wait and cannot be sealed, because they are not as Keyhaven wrote them",
            audit_refused.clone(),
        );
        let audit_checkpoint_failures = Counter::default();
        registry.register(
            "audit_checkpoint_failures",
            "Attempts to keep a checkpoint of the audit log elsewhere that failed",
            audit_checkpoint_failures.clone(),
        );
        Self(Arc::new(Inner {
            registry: root,
            audit_checkpoint_failures,
            audit_refused,
            audit_sealed,
            ceremonies,
            crosschecks,
            figures,
            purged,
            rate_limited,
            requests,
            seconds,
            store_calls,
            store_round_trips,
            store_seconds,
        }))
    }

    /// Shows these pools. Asked each time the numbers are; the first to come is kept.
    pub fn show_pools(&self, pools: impl Fn() -> Vec<PoolFigures> + Send + Sync + 'static) {
        let _ = self.0.figures.pools.set(Box::new(pools));
    }

    /// Shows these metadata. Asked each time the numbers are; the first to come is kept.
    pub fn show_metadata(&self, metadata: impl Fn() -> Option<MetadataFigures> + Send + Sync + 'static) {
        let _ = self.0.figures.metadata.set(Box::new(metadata));
    }

    /// Counts what a second implementation said of a `registration` or an `assertion`: `agree`, `disagree`, `abstain`.
    pub fn crosschecked(&self, ceremony: &'static str, verdict: &'static str) {
        let said = SecondVerdict { ceremony, verdict };
        self.0.crosschecks.get_or_create(&said).inc();
    }

    /// Counts an attempt to keep a checkpoint elsewhere that failed.
    pub fn checkpoint_failed(&self) {
        self.0.audit_checkpoint_failures.inc();
    }

    /// Counts audit events that were sealed, and shows how many cannot be.
    pub fn sealed(&self, events: u32, refused: u64) {
        self.0.audit_sealed.inc_by(events.into());
        self.0
            .audit_refused
            .set(i64::try_from(refused).unwrap_or(i64::MAX));
    }

    /// Counts expired rows that were dropped.
    pub fn purged(&self, rows: u64) {
        self.0.purged.inc_by(rows);
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
        if code == "rate_limited" {
            let refused = Refused { route: route.clone() };
            self.0.rate_limited.get_or_create(&refused).inc();
        }
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

impl Observer for Metrics {
    fn ceremony(&self, ceremony: &'static str, stage: &'static str, outcome: &'static str) {
        let ceremony = Ceremony {
            ceremony,
            stage,
            outcome,
        };
        self.0.ceremonies.get_or_create(&ceremony).inc();
    }
}

impl StoreObserver for Metrics {
    fn called(&self, call: &StoreCall) {
        let (system, operation, outcome) = (call.system, call.operation, call.outcome);
        let answer = StoreAnswer {
            system,
            operation,
            outcome,
        };
        self.0.store_calls.get_or_create(&answer).inc();
        let operation = StoreOperation { system, operation };
        let seconds = self.0.store_seconds.get_or_create(&operation);
        seconds.observe(call.took.as_secs_f64());
        if call.round_trips > 0 {
            let round_trips = self.0.store_round_trips.get_or_create(&operation);
            round_trips.inc_by(call.round_trips.into());
        }
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
