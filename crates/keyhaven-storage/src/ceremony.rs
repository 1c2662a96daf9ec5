use async_trait::async_trait;
use keyhaven_types::UnixTime;

use crate::{CeremonyId, StorageError};

/// A ceremony between its start and its finish, as the store sees it: opaque bytes with an end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PendingCeremony {
    /// The service's own encoding. At most a few KiB.
    pub payload: Vec<u8>,
    /// From this moment on (inclusive) the ceremony is gone.
    pub expires_at: UnixTime,
}

/// What became of a ceremony that was to be stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Put {
    /// The bound on pending ceremonies is reached: nothing was stored, and no pending ceremony was dropped for it.
    Full,
    /// Stored.
    Stored,
}

/// Pending ceremonies: short-lived, single-use, bounded in number.
#[async_trait]
pub trait CeremonyStore: Send + Sync {
    /// Stores a ceremony under a fresh id. Ceremonies that have expired at `now` do not count against the bound.
    ///
    /// # Errors
    /// When the store cannot answer, or a pending ceremony has the id; that one stays as it is.
    async fn put(
        &self,
        id: CeremonyId,
        ceremony: PendingCeremony,
        now: UnixTime,
    ) -> Result<Put, StorageError>;

    /// Removes and returns a ceremony; of many concurrent callers at most one gets it.
    ///
    /// `None`: unknown, taken before, or expired at `now`.
    ///
    /// # Errors
    /// When the store cannot answer; then the ceremony may or may not be gone.
    async fn take(&self, id: CeremonyId, now: UnixTime) -> Result<Option<PendingCeremony>, StorageError>;

    /// Whether the store answers now.
    ///
    /// # Errors
    /// When it does not.
    async fn ping(&self) -> Result<(), StorageError>;

    /// Drops expired ceremonies, at most `limit` of them, and tells how many. Only tidies up: [`Self::take`] never
    /// returns an expired ceremony.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn purge_expired(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError>;
}
