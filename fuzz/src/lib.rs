//! Fuzz targets of keyhaven-core and keyhaven-mds.
//!
//! `targets` and `mds.rs` are included by the crates' tests too: they send the committed corpus through them on stable
//! Rust.

#[path = "../../crates/keyhaven-core/tests/support/mod.rs"]
mod support;

pub mod mds;
pub mod targets;
