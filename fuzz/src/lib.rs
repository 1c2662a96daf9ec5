//! Fuzz targets of keyhaven-core.
//!
//! The functions are in `targets.rs`, which keyhaven-core's tests include too: they send the committed corpus through
//! it on stable Rust.

#[path = "../../crates/keyhaven-core/tests/support/mod.rs"]
mod support;

pub mod targets;
