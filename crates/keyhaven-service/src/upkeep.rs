//! Housekeeping and health.

use std::sync::Arc;

use crate::context::Context;
use crate::error::Error;

/// As many rows of each kind are dropped in one go.
const BATCH: u32 = 1_000;

/// Tidies up, and asks the stores how they are.
#[derive(Clone)]
pub struct Upkeep(pub(crate) Arc<Context>);

/// Which store answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Readiness {
    /// Accounts, credentials, sessions, audit.
    pub durable: bool,
    /// Pending ceremonies.
    pub ceremonies: bool,
}

impl Upkeep {
    /// Drops what has expired, and tells how much. Nothing depends on it: expired things are never served.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn purge(&self) -> Result<u64, Error> {
        let now = self.0.clock.now();
        let ceremonies = self.0.ceremonies.purge_expired(now, BATCH).await?;
        let sessions = self.0.durable.purge_expired_sessions(now, BATCH).await?;
        Ok(ceremonies.saturating_add(sessions))
    }

    /// Whether each store answers now.
    pub async fn readiness(&self) -> Readiness {
        Readiness {
            durable: self.0.durable.ping().await.is_ok(),
            ceremonies: self.0.ceremonies.ping().await.is_ok(),
        }
    }
}
