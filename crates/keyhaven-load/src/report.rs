//! What a run came to, for a person.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::drive::Outcome;
use crate::site::Used;

/// Logins per second, latencies, errors.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "  logins/s        {:.0} ({} in {:.1} s)",
        per_second(outcome),
        outcome.logins,
        outcome.elapsed.as_secs_f64()
    );
    let _ = writeln!(out, "  latency, ms     {}", latencies(&outcome.latency));
    if outcome.errors.is_empty() {
        let _ = writeln!(out, "  errors          none");
    }
    for (name, count) in &outcome.errors {
        let _ = writeln!(out, "  errors          {count} × {name}");
    }
    out
}

/// Processor time per login, by process.
pub(crate) fn costs(used: Used, logins: u64, raw: Duration) -> String {
    let mut out = String::new();
    let each = |used: Duration| micros(used, logins);
    let mut line = |name: &str, used: Option<Duration>| {
        if let Some(used) = used {
            let _ = write!(out, "{name} {:.0}, ", each(used));
        }
    };
    line("server", used.server);
    line("postgres", used.postgres);
    line("redis", used.redis);
    let total = each(used.total());
    let _ = write!(
        out,
        "together {total:.0}: {:.2} × one raw ring ES256 verification ({:.1}); the driver {:.0}",
        total / micros(raw, 1),
        micros(raw, 1),
        each(used.driver)
    );
    format!("  CPU µs/login    {out}\n")
}

/// Percentiles in milliseconds.
pub(crate) fn latencies(latency: &Histogram<u64>) -> String {
    let at = |quantile: f64| millis(latency.value_at_quantile(quantile));
    format!(
        "p50 {:.2}, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, most {:.2}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        millis(latency.max())
    )
}

pub(crate) fn per_second(outcome: &Outcome) -> f64 {
    number(outcome.logins) / outcome.elapsed.as_secs_f64().max(1e-9)
}

pub(crate) fn micros(used: Duration, logins: u64) -> f64 {
    used.as_secs_f64() * 1e6 / number(logins.max(1))
}

fn millis(micros: u64) -> f64 {
    number(micros) / 1000.0
}

/// Exact below 2³², which is far more than there is.
pub(crate) fn number(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}
