//! Keyhaven stores in one SQLite file: everything that must outlive a restart, without a database server.
//!
//! [`SqliteStore::open`] makes the file (readable by its owner only), brings its schema up to date and answers a store
//! that keeps every promise of `keyhaven-storage`'s contract suite. The file is in WAL mode with `synchronous=FULL`:
//! what was answered is on the disk. One connection writes, a few others read; several processes may share the file.
//!
//! The queries are checked when this crate is compiled, against the metadata in `.sqlx`. After a change to a query or
//! a migration, `cargo xtask sqlx-prepare` writes it anew.
//!
//! Absent on purpose: pending ceremonies (they live in memory or Redis), clocks, and background tasks.

mod accounts;
mod addresses;
mod admin;
mod assertion;
mod audit;
mod backup;
mod clones;
mod credentials;
mod error;
mod factors;
mod options;
mod outbox;
mod passwords;
mod privacy;
mod recovery;
mod registration;
mod schema;
mod sealed;
mod sessions;
mod signing_keys;
mod standing;
mod store;
#[cfg(test)]
mod tests;

pub use options::{InvalidSqliteUrl, SqliteOptions};
pub use store::SqliteStore;
