//! What a Redis does beside answering: it is slow, away, restarted, spread over machines, guarded.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod failures;
mod keys;
mod topologies;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use keyhaven_storage::observed::{Observed, StoreCall, StoreObserver};
use keyhaven_storage::{Allowance, Bucket, CeremonyId, CeremonyStore, LimitStore, PendingCeremony, Put};
use keyhaven_storage_redis::RedisStore;
use keyhaven_types::UnixTime;

/// The moment at which these tests play: before any that a Redis can have.
pub(crate) const NOW: UnixTime = UnixTime::from_millis(1_600_000_000_000);

pub(crate) fn id(n: u8) -> CeremonyId {
    CeremonyId([n; 32])
}

pub(crate) fn ceremony() -> PendingCeremony {
    PendingCeremony {
        payload: b"a ceremony".to_vec(),
        expires_at: UnixTime::from_millis(NOW.as_millis() + 60_000),
    }
}

pub(crate) fn bucket(n: u8, per_minute: u32) -> Bucket {
    Bucket {
        name: [n; 16],
        near: [n; 8],
        per_minute,
    }
}

pub(crate) fn open(url: &str) -> RedisStore {
    RedisStore::new(&support::options(url), support::fresh_rp_id(), 100).unwrap()
}

/// A store whose round trips are counted.
pub(crate) fn counted(store: RedisStore) -> (Observed<RedisStore>, Arc<RoundTrips>) {
    let count = Arc::new(RoundTrips::default());
    (Observed::new(Arc::new(store), "redis", count.clone()), count)
}

#[derive(Default)]
pub(crate) struct RoundTrips(AtomicU32);

impl RoundTrips {
    /// Those since the last time.
    pub(crate) fn take(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl StoreObserver for RoundTrips {
    fn called(&self, call: &StoreCall) {
        self.0.fetch_add(call.round_trips, Ordering::Relaxed);
    }
}

/// Everything a login asks for works.
pub(crate) async fn works(store: &RedisStore) {
    store.ping().await.unwrap();
    let id = id(1);
    assert_eq!(store.put(id, ceremony(), NOW).await.unwrap(), Put::Stored);
    assert_eq!(
        CeremonyStore::take(store, id, NOW).await.unwrap(),
        Some(ceremony())
    );
    assert_eq!(CeremonyStore::take(store, id, NOW).await.unwrap(), None);
    // Other buckets each time.
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let empty = [bucket(n, 1)];
    assert_eq!(LimitStore::take(store, &empty).await.unwrap(), Allowance::Granted);
    assert_ne!(LimitStore::take(store, &empty).await.unwrap(), Allowance::Granted);
    assert_eq!(store.purge_expired(NOW, 10).await.unwrap(), 0);
}
