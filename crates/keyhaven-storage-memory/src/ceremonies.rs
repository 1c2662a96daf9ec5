use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use keyhaven_storage::{CeremonyId, CeremonyStore, PendingCeremony, Put, StorageError};
use keyhaven_types::UnixTime;
use zeroize::Zeroizing;

/// Pending ceremonies in memory, at most so many at once.
///
/// Memory is bounded by that number times [`MemoryCeremonyStore::MAX_PAYLOAD`]. Put and take cost the logarithm of the
/// number of pending ceremonies; each put also drops a few expired ones, so that no sweep is ever needed.
pub struct MemoryCeremonyStore {
    max_pending: usize,
    pending: Mutex<Pending>,
}

impl MemoryCeremonyStore {
    /// The most bytes a ceremony's payload may have.
    pub const MAX_PAYLOAD: usize = 16 * 1024;

    /// The most expired ceremonies that one put drops: a bound on how long others wait for it.
    const SWEEP: usize = 32;

    /// An empty store that holds at most `max_pending` ceremonies.
    #[must_use]
    pub fn new(max_pending: usize) -> Self {
        Self {
            max_pending,
            pending: Mutex::default(),
        }
    }

    fn lock(&self, operation: &'static str) -> Result<MutexGuard<'_, Pending>, StorageError> {
        self.pending
            .lock()
            .map_err(|_| StorageError::new(operation, Poisoned))
    }
}

impl fmt::Debug for MemoryCeremonyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCeremonyStore")
            .field("max_pending", &self.max_pending)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl CeremonyStore for MemoryCeremonyStore {
    async fn put(
        &self,
        id: CeremonyId,
        ceremony: PendingCeremony,
        now: UnixTime,
    ) -> Result<Put, StorageError> {
        const OPERATION: &str = "ceremony.put";
        // Copied to its exact length: a vector's spare capacity would escape the bound.
        let payload = Zeroizing::new(ceremony.payload);
        if payload.len() > Self::MAX_PAYLOAD {
            return Err(StorageError::new(
                OPERATION,
                PayloadTooLarge { len: payload.len() },
            ));
        }
        let payload = Zeroizing::new(Box::<[u8]>::from(payload.as_slice()));

        let mut pending = self.lock(OPERATION)?;
        pending.drop_expired(now, Self::SWEEP);
        if pending.by_id.contains_key(&id) {
            return Err(StorageError::new(OPERATION, IdInUse));
        }
        if pending.by_id.len() >= self.max_pending {
            return Ok(Put::Full);
        }
        pending.by_expiry.insert((ceremony.expires_at, id.0));
        pending.by_id.insert(
            id,
            Entry {
                payload,
                expires_at: ceremony.expires_at,
            },
        );
        Ok(Put::Stored)
    }

    async fn take(&self, id: CeremonyId, now: UnixTime) -> Result<Option<PendingCeremony>, StorageError> {
        let mut pending = self.lock("ceremony.take")?;
        let Some(entry) = pending.by_id.remove(&id) else {
            return Ok(None);
        };
        pending.by_expiry.remove(&(entry.expires_at, id.0));
        drop(pending);
        if entry.expires_at <= now {
            return Ok(None);
        }
        Ok(Some(PendingCeremony {
            payload: entry.payload.to_vec(),
            expires_at: entry.expires_at,
        }))
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.lock("ceremony.ping").map(drop)
    }

    async fn purge_expired(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.lock("ceremony.purge")?.drop_expired(now, limit))
    }
}

/// The same ceremonies twice: by id, and in the order in which they expire.
#[derive(Default)]
struct Pending {
    by_id: HashMap<CeremonyId, Entry>,
    by_expiry: BTreeSet<(UnixTime, [u8; 32])>,
}

struct Entry {
    payload: Zeroizing<Box<[u8]>>,
    expires_at: UnixTime,
}

impl Pending {
    fn drop_expired(&mut self, now: UnixTime, limit: usize) -> u64 {
        let mut dropped = 0;
        for _ in 0..limit {
            match self.by_expiry.first().copied() {
                Some(first @ (expires_at, id)) if expires_at <= now => {
                    self.by_expiry.remove(&first);
                    self.by_id.remove(&CeremonyId(id));
                    dropped += 1;
                }
                Some(_) | None => break,
            }
        }
        dropped
    }
}

/// A thread panicked while it held the lock.
#[derive(Debug, thiserror::Error)]
#[error("the store was left in the middle of a change")]
pub(crate) struct Poisoned;

#[derive(Debug, thiserror::Error)]
#[error("a ceremony with this id is pending")]
struct IdInUse;

#[derive(Debug, thiserror::Error)]
#[error(
    "a ceremony has at most {} bytes, not {len}",
    MemoryCeremonyStore::MAX_PAYLOAD
)]
struct PayloadTooLarge {
    len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ceremony(expires_at: i64) -> PendingCeremony {
        PendingCeremony {
            payload: vec![1; 8],
            expires_at: UnixTime::from_millis(expires_at),
        }
    }

    fn id(n: u8) -> CeremonyId {
        CeremonyId([n; 32])
    }

    #[tokio::test]
    async fn what_is_gone_takes_no_memory() {
        let store = MemoryCeremonyStore::new(4);
        let sizes = || {
            let pending = store.pending.lock().unwrap();
            (pending.by_id.len(), pending.by_expiry.len())
        };
        for (n, moment) in (0..100).zip(0..) {
            let now = UnixTime::from_millis(moment);
            assert_eq!(
                store.put(id(n), ceremony(moment + 2), now).await.unwrap(),
                Put::Stored
            );
            if n % 3 == 0 {
                assert!(store.take(id(n), now).await.unwrap().is_some());
            }
            let (ids, ends) = sizes();
            assert!(ids <= 2 && ids == ends, "{ids} {ends}");
        }
        store
            .purge_expired(UnixTime::from_millis(i64::MAX), 100)
            .await
            .unwrap();
        assert_eq!(sizes(), (0, 0));
    }

    #[tokio::test]
    async fn a_payload_beyond_the_bound_is_an_error() {
        let store = MemoryCeremonyStore::new(4);
        for (len, fits) in [
            (MemoryCeremonyStore::MAX_PAYLOAD, true),
            (MemoryCeremonyStore::MAX_PAYLOAD + 1, false),
        ] {
            let large = PendingCeremony {
                payload: vec![0; len],
                ..ceremony(9)
            };
            assert_eq!(
                store.put(id(1), large, UnixTime::from_millis(0)).await.is_ok(),
                fits
            );
            assert_eq!(
                store
                    .take(id(1), UnixTime::from_millis(0))
                    .await
                    .unwrap()
                    .is_some(),
                fits
            );
        }
    }
}
