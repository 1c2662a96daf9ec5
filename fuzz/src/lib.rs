//! Fuzz targets of keyhaven-core and keyhaven-mds.
//!
//! The functions are in `targets.rs`, `trust.rs`, `revocation.rs` and `mds.rs`, which the crates' tests include too: they send the committed
//! corpus through them on stable Rust.

#[path = "../../crates/keyhaven-core/tests/support/mod.rs"]
mod support;

pub mod mds;
pub mod revocation;
pub mod targets;
pub mod trust;
