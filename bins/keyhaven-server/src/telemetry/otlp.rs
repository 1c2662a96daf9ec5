//! Traces to an OpenTelemetry collector: OTLP, protobuf over HTTP, in batches from a thread of its own. A collector that is
//! away costs traces, never requests.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use keyhaven_api::{TraceParent, Traces};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::config::OpenTelemetry;

/// How long the collector has for a batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// The spans of our own crates, and nobody else's: what a library puts into its spans is not ours to promise.
const OURS: [&str; 3] = ["keyhaven_api", "keyhaven_service", "keyhaven_storage"];

/// What sends, until it is stopped.
pub(super) struct Export(SdkTracerProvider);

/// Begins to send what the layer is told.
pub(super) fn start<S>(telemetry: &OpenTelemetry) -> anyhow::Result<(Export, Box<dyn Layer<S> + Send + Sync>)>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .build();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client(agent.into()))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(telemetry.url.as_str())
        .with_timeout(PATIENCE)
        .build()
        .context("telemetry.traces_url")?;
    let resource = Resource::builder_empty()
        .with_service_name("keyhaven")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            telemetry.sample_ratio,
        ))))
        .build();
    let ours = OURS
        .into_iter()
        .map(|target| (target, LevelFilter::DEBUG))
        .collect::<Targets>();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("keyhaven"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(ours);
    Ok((Export(provider), Box::new(layer)))
}

impl Export {
    /// Sends what is left.
    pub(super) fn stop(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Traces that are sent as well as logged.
pub(super) struct SentTraces;

impl Traces for SentTraces {
    fn begin(
        &self,
        span: &Span,
        method: &str,
        route: &str,
        parent: Option<TraceParent>,
        _fresh: [u8; 16],
    ) -> u128 {
        span.record(
            "otel.name",
            tracing::field::display(format_args!("{method} {route}")),
        );
        span.record("otel.kind", "server");
        if let Some(parent) = parent {
            let context = SpanContext::new(
                TraceId::from(parent.trace_id),
                SpanId::from(parent.span_id),
                if parent.sampled {
                    TraceFlags::SAMPLED
                } else {
                    TraceFlags::NOT_SAMPLED
                },
                true,
                TraceState::NONE,
            );
            // A span that has begun before it has a parent keeps the trace it has.
            let _ = span.set_parent(Context::new().with_remote_span_context(context));
        }
        let id = span.context().span().span_context().trace_id();
        u128::from_be_bytes(id.to_bytes())
    }
}

/// Sends with the client that the server has anyhow. It blocks, in the thread that sends and nowhere else.
#[derive(Debug)]
struct Client(ureq::Agent);

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.0.run(request.map(|body| body.to_vec()))?;
        let (parts, mut body) = answer.into_parts();
        let body = body.with_config().limit(64 * 1024).read_to_vec()?;
        Ok(Response::from_parts(parts, body.into()))
    }
}
