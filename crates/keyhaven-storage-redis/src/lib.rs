//! Keyhaven ceremonies and rate limits in Redis (7.0 or later, or Valkey): for any number of identical server processes.
//!
//! [`RedisStore`] keeps every promise of `keyhaven-storage`'s contract suite for ceremonies and limits, on one server, on
//! the master that Sentinels name, and on a Cluster. Each call is one round trip: a script that does what it does in one
//! step. A ceremony that may have been taken is never given out again, whatever Redis forgets: see `scripts/take.lua`.
//!
//! The store connects when it is first asked, and again when it has to. A Redis that is away, slow, or no longer the
//! master is an error within [`RedisOptions::patience`], never a verdict. Nothing is tried again but what the server said
//! it did not do.
//!
//! Absent on purpose: everything that must outlive Redis, clocks, and background tasks other than a connection under way.

mod ceremonies;
mod error;
mod health;
mod limits;
mod link;
mod options;
mod scripts;
mod store;
mod topology;

pub use options::{InvalidRedisUrl, RedisOptions};
pub use store::RedisStore;
