//! Housekeeping and health.

use std::sync::Arc;
use std::time::Duration;

use keyhaven_storage::StorageError;

use crate::context::Context;
use crate::error::Error;

/// As many rows of each kind are dropped in one go.
const BATCH: u32 = 1_000;

/// So many batches of each kind at a time: then others have their turn, and the next time comes soon.
const BATCHES: u32 = 100;

/// The longest pause is 30 seconds more.
const SHORTEST_PAUSE: Duration = Duration::from_secs(45);

/// Tidies up, and asks the stores how they are.
#[derive(Clone)]
pub struct Upkeep(pub(crate) Arc<Context>);

/// Whether a store answers now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StoreState {
    /// It does not, and why, in a word: [`keyhaven_storage::StorageError::reason`].
    Down(&'static str),
    /// It does.
    Up,
}

impl From<Result<(), StorageError>> for StoreState {
    fn from(answer: Result<(), StorageError>) -> Self {
        answer.map_or_else(|error| Self::Down(error.reason), |()| Self::Up)
    }
}

impl Upkeep {
    /// Drops what has expired, a batch at a time, and tells how much. Many processes may do it at once; nothing depends
    /// on it: expired things are never served. It stops where there is no more, and after a bounded number of batches.
    ///
    /// # Errors
    /// [`Error::Storage`]; what was dropped before stays dropped.
    pub async fn purge(&self) -> Result<u64, Error> {
        let now = self.0.clock.now();
        let mut dropped = 0_u64;
        for _ in 0..BATCHES {
            let some = self.0.ceremonies.purge_expired(now, BATCH).await?;
            dropped = dropped.saturating_add(some);
            if some < u64::from(BATCH) {
                break;
            }
        }
        for _ in 0..BATCHES {
            let some = self.0.durable.purge_expired_sessions(now, BATCH).await?;
            dropped = dropped.saturating_add(some);
            // Sessions and grants together: where one kind may have more, there is at least a batch.
            if some < u64::from(BATCH) {
                break;
            }
        }
        for _ in 0..BATCHES {
            let some = self.0.durable.drop_expired_recoveries(now, BATCH).await?;
            dropped = dropped.saturating_add(some);
            if some < u64::from(BATCH) {
                break;
            }
        }
        for _ in 0..BATCHES {
            let some = self.0.durable.drop_expired_claims(now, BATCH).await?;
            dropped = dropped.saturating_add(some);
            if some < u64::from(BATCH) {
                break;
            }
        }
        for _ in 0..BATCHES {
            let some = self.0.durable.drop_expired_enrolments(now, BATCH).await?;
            dropped = dropped.saturating_add(some);
            if some < u64::from(BATCH) {
                break;
            }
        }
        Ok(dropped)
    }

    /// How long to wait before the next time: around a minute, so that processes that were started together do not
    /// tidy up together.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let mut byte = [0];
        // Without a random source the pause is the shortest one.
        let _ = self.0.random.fill(&mut byte);
        let [byte] = byte;
        SHORTEST_PAUSE + Duration::from_millis(u64::from(byte).saturating_mul(118))
    }

    /// Whether the store of accounts, credentials, sessions and events answers now.
    pub async fn durable_store(&self) -> StoreState {
        self.0.durable.ping().await.into()
    }

    /// Whether the store of pending ceremonies answers now.
    pub async fn ceremony_store(&self) -> StoreState {
        self.0.ceremonies.ping().await.into()
    }
}
