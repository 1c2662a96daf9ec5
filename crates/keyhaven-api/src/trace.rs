//! Traces: which one a request belongs to (W3C Trace Context), and its span.

use std::fmt;

use axum::http::HeaderMap;
use tracing::Span;
use tracing::field::Empty;

/// Tells the trace of each request, and may tell somebody about it.
pub trait Traces: Send + Sync {
    /// A request begins, with this span. `parent` is where it came from, if a trusted proxy said so; `fresh` are random
    /// bytes for a trace of its own. Answers the trace's id.
    fn begin(
        &self,
        span: &Span,
        method: &str,
        route: &str,
        parent: Option<TraceParent>,
        fresh: [u8; 16],
    ) -> u128;
}

/// Who sent the request, as `traceparent` tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TraceParent {
    /// Never 0.
    pub trace_id: u128,
    /// Never 0.
    pub span_id: u64,
    /// Whether the sender recorded it.
    pub sampled: bool,
}

/// Traces for the logs alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoggedTraces;

impl Traces for LoggedTraces {
    fn begin(&self, _: &Span, _: &str, _: &str, parent: Option<TraceParent>, fresh: [u8; 16]) -> u128 {
        parent.map_or(u128::from_be_bytes(fresh), |parent| parent.trace_id)
    }
}

impl TraceParent {
    /// Reads the header. Source: W3C Trace Context §3.2; of later versions what version 00 has is read.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all("traceparent").iter();
        let text = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        let mut parts = text.split('-');
        let version = hexadecimal(parts.next()?, 2)?;
        let trace_id = hexadecimal(parts.next()?, 32)?;
        let span_id = u64::try_from(hexadecimal(parts.next()?, 16)?).ok()?;
        let flags = hexadecimal(parts.next()?, 2)?;
        if version == 0xff || trace_id == 0 || span_id == 0 || (version == 0 && parts.next().is_some()) {
            return None;
        }
        Some(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }
}

/// Exactly so many digits, in lower case.
fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == digits && lower).then(|| u128::from_str_radix(text, 16).ok())?
}

/// The span of one request, by OpenTelemetry's names. At the level of errors, so that they can be told whose they are
/// however little is logged. The fields that are empty here are told later, or never.
pub(crate) fn request_span(method: &str, route: &str, request_id: &str) -> Span {
    tracing::error_span!(
        "request",
        otel.name = Empty,
        otel.kind = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        error.type = Empty,
        request_id,
        trace_id = Empty,
    )
}

/// Gives a request's span its trace.
pub(crate) fn begin(
    traces: &dyn Traces,
    span: &Span,
    (method, route): (&str, &str),
    parent: Option<TraceParent>,
    fresh: [u8; 16],
) {
    if !span.is_disabled() {
        let id = traces.begin(span, method, route, parent, fresh);
        span.record("trace_id", tracing::field::display(Hexadecimal(id)));
    }
}

struct Hexadecimal(u128);

impl fmt::Display for Hexadecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Option<TraceParent> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", value.parse().unwrap());
        }
        TraceParent::from_headers(&headers)
    }

    #[test]
    fn a_parent_is_read() {
        let parent = TraceParent {
            trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
            span_id: 0x00f0_67aa_0ba9_02b7,
            sampled: true,
        };
        let written = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(read(&[written]), Some(parent));
        let later = "42-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more";
        assert_eq!(
            read(&[later]),
            Some(TraceParent {
                sampled: false,
                ..parent
            })
        );
    }

    #[test]
    fn what_is_no_parent_is_none() {
        for value in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
        ] {
            assert_eq!(read(&[value]), None, "{value}");
        }
        let twice = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(read(&[twice, twice]), None);
        assert_eq!(read(&[]), None);
    }
}
