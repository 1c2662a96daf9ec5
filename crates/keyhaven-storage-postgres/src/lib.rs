//! Keyhaven stores in PostgreSQL (15 or later): everything that must outlive a restart, for any number of identical
//! server processes.
//!
//! [`PostgresStore::open`] brings the schema up to date and answers a store that keeps every promise of
//! `keyhaven-storage`'s contract suite. A login is one statement, so one round trip, and so is the registration of a new
//! account: see `assertion` and `registration`. What the server cannot answer in time is an error, never a verdict; so is a commit
//! whose answer was lost on the way. Only what the server said it rolled back (a deadlock, a serialization failure) is
//! tried again.
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
mod clones;
mod credentials;
mod error;
mod factors;
mod login;
mod options;
mod outbox;
mod passwords;
mod pool;
mod privacy;
mod recovery;
mod registration;
mod schema;
mod sealed;
mod sessions;
mod signing_keys;
mod standing;
mod store;

pub use options::{InvalidPostgresUrl, PostgresOptions};
pub use store::PostgresStore;
