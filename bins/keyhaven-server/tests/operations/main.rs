//! What an operator does with the real binary: upgrades, copies, stops, logs, traces, and the files that deploy it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod backup;
mod deploy;
mod metrics;
mod migrate;
mod process;
mod rp_id;
mod secrecy;
mod stop;
#[cfg(feature = "otlp")]
mod traces;
