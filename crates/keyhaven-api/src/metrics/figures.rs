//! What others know, asked each time somebody reads the numbers.

use std::fmt;
use std::sync::{Arc, OnceLock};

use keyhaven_storage::observed::PoolFigures;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// FIDO metadata in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MetadataFigures {
    /// The number of the BLOB's issue.
    pub number: u64,
    /// When the next issue is due, in seconds since 1970.
    pub next_update: i64,
    /// When this one came into use, in seconds since 1970.
    pub taken: i64,
}

/// Where they are asked from; each is there once somebody said so.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) pools: OnceLock<Box<dyn Fn() -> Vec<PoolFigures> + Send + Sync>>,
    pub(super) metadata: OnceLock<Box<dyn Fn() -> Option<MetadataFigures> + Send + Sync>>,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Collected(pub(super) Arc<Figures>);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(pools) = self.0.pools.get() {
            encode_pools(&mut encoder, &pools())?;
        }
        if let Some(metadata) = self.0.metadata.get().and_then(|metadata| metadata()) {
            encode_metadata(&mut encoder, metadata)?;
        }
        Ok(())
    }
}

/// A gauge of a pool.
type PoolGauge = (&'static str, &'static str, fn(&PoolFigures) -> Option<u64>);

fn encode_pools(encoder: &mut DescriptorEncoder<'_>, pools: &[PoolFigures]) -> fmt::Result {
    const GAUGES: [PoolGauge; 4] = [
        ("pool_max_connections", "Connections there may be", |pool| {
            Some(pool.most)
        }),
        ("pool_used_connections", "Connections that work now", |pool| {
            Some(pool.in_use)
        }),
        (
            "pool_idle_connections",
            "Open connections that nobody uses",
            |pool| Some(pool.idle),
        ),
        ("pool_waiting", "Callers that wait for a connection now", |pool| {
            Some(pool.queue?.waiting)
        }),
    ];
    for (name, help, value) in GAUGES {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for pool in pools {
            if let Some(value) = value(pool) {
                let gauge = ConstGauge::new(value);
                gauge.encode(family.encode_family(&[("pool", pool.name)])?)?;
            }
        }
    }
    let mut waits = encoder.encode_descriptor(
        "pool_waits",
        "Callers that have waited for a connection, most of them for next to nothing",
        None,
        MetricType::Counter,
    )?;
    for pool in pools {
        if let Some(queue) = pool.queue {
            ConstCounter::new(queue.waits).encode(waits.encode_family(&[("pool", pool.name)])?)?;
        }
    }
    let mut waited = encoder.encode_descriptor(
        "pool_wait",
        "Time that callers have waited for a connection, one that was to be opened included",
        Some(&Unit::Seconds),
        MetricType::Counter,
    )?;
    for pool in pools {
        if let Some(queue) = pool.queue {
            let seconds = ConstCounter::new(queue.waited.as_secs_f64());
            seconds.encode(waited.encode_family(&[("pool", pool.name)])?)?;
        }
    }
    Ok(())
}

fn encode_metadata(encoder: &mut DescriptorEncoder<'_>, metadata: MetadataFigures) -> fmt::Result {
    let number = ConstGauge::new(metadata.number);
    number.encode(encoder.encode_descriptor(
        "metadata_number",
        "The number of the FIDO metadata in use",
        None,
        MetricType::Gauge,
    )?)?;
    let times = [
        (
            "metadata_next_update_timestamp",
            "When newer FIDO metadata are due",
            metadata.next_update,
        ),
        (
            "metadata_taken_timestamp",
            "When the FIDO metadata in use were taken",
            metadata.taken,
        ),
    ];
    for (name, help, at) in times {
        let at = ConstGauge::new(at);
        at.encode(encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?)?;
    }
    Ok(())
}
