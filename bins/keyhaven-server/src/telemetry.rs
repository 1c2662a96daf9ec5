//! Log lines to standard error, and traces to a collector where the build has that.

#[cfg(feature = "otlp")]
mod otlp;

use std::io::IsTerminal as _;
use std::sync::Arc;

use keyhaven_api::{LoggedTraces, Traces};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Config, LogFormat};

/// What was started, until the process ends.
pub(crate) struct Telemetry {
    #[cfg(feature = "otlp")]
    export: Option<otlp::Export>,
}

impl Telemetry {
    /// Begins to log, and to send traces where the configuration says so.
    ///
    /// # Errors
    /// When the traces' address cannot be used.
    pub(crate) fn start(config: &Config) -> anyhow::Result<Self> {
        let filter = EnvFilter::try_new(&config.log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
        #[cfg(feature = "otlp")]
        if let Some(telemetry) = &config.telemetry {
            let (export, spans) = otlp::start(telemetry)?;
            // Each has its own filter: what is sent does not depend on what is logged.
            let subscriber = Registry::default()
                .with(lines(config.log.format).with_filter(filter))
                .with(spans);
            // A second subscriber can only be set by a test that has one already.
            let _ = subscriber.try_init();
            return Ok(Self { export: Some(export) });
        }
        let _ = Registry::default()
            .with(filter)
            .with(lines(config.log.format))
            .try_init();
        Ok(Self {
            #[cfg(feature = "otlp")]
            export: None,
        })
    }

    /// Who tells which trace a request belongs to.
    pub(crate) fn traces(&self) -> Arc<dyn Traces> {
        #[cfg(feature = "otlp")]
        if self.export.is_some() {
            return Arc::new(otlp::SentTraces);
        }
        Arc::new(LoggedTraces)
    }

    /// Sends what has not been sent yet.
    pub(crate) fn stop(self) {
        #[cfg(feature = "otlp")]
        if let Some(export) = self.export {
            export.stop();
        }
    }
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Json => Box::new(lines.json().flatten_event(true)),
        LogFormat::Text => Box::new(lines),
    }
}
