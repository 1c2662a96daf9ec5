use std::time::Duration;

use async_trait::async_trait;

use crate::StorageError;

/// One bucket of attempts: it holds a minute's worth and refills evenly (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bucket {
    /// What is counted, as a keyed hash: evenly spread, and nobody can aim at a name or read anything from it.
    pub name: [u8; 16],
    /// Buckets of one call that share this are decided together; a store that is spread over machines keeps them on
    /// one. A hash too, and for one name always the same.
    pub near: [u8; 8],
    /// How many attempts it holds, and regains in a minute; 0 counts as 1.
    pub per_minute: u32,
}

/// Whether an attempt may go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Allowance {
    /// Every bucket had one left, and has one less now.
    Granted,
    /// A bucket was empty, and none of those near it has lost anything.
    Refused {
        /// How long until that bucket has one again.
        retry_after: Duration,
    },
}

/// Counts attempts. The time is the store's own: processes that share it need not agree about the time of day.
#[async_trait]
pub trait LimitStore: Send + Sync {
    /// Takes one from each bucket, or from none of those that are near each other; the first one that is empty refuses.
    /// One call is at most one round trip.
    ///
    /// # Errors
    /// When the store cannot answer; then the attempt may or may not have been counted.
    async fn take(&self, buckets: &[Bucket]) -> Result<Allowance, StorageError>;
}
