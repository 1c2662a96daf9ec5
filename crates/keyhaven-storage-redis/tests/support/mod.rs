//! Fresh stores on a server that is shared: each under a relying party of its own.
#![expect(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keyhaven_storage::contract::{CeremonySubject, LimitSubject};
use keyhaven_storage::{CeremonyStore, LimitStore};
use keyhaven_storage_redis::{RedisOptions, RedisStore};
use keyhaven_types::RpId;

/// A relying party that no other test has, in this process or another.
pub(crate) fn fresh_rp_id() -> RpId {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    RpId::new(&format!("test-{}-{n}.example.org", std::process::id())).unwrap()
}

pub(crate) fn options(url: &str) -> RedisOptions {
    url.parse().unwrap()
}

/// Of tests that are about something else than patience: a busy machine may take its time.
pub(crate) fn patient(url: &str) -> RedisOptions {
    let mut options = options(url);
    options.connect_timeout = Duration::from_secs(30);
    options.response_timeout = Duration::from_secs(30);
    options
}

pub(crate) struct Subject {
    options: RedisOptions,
    rp_id: RpId,
    max_pending: usize,
    store: Arc<RedisStore>,
}

impl Subject {
    pub(crate) fn new(options: RedisOptions, max_pending: usize) -> Self {
        let rp_id = fresh_rp_id();
        let store = Arc::new(RedisStore::new(&options, rp_id.clone(), max_pending).unwrap());
        Self {
            options,
            rp_id,
            max_pending,
            store,
        }
    }
}

#[async_trait]
impl CeremonySubject for Subject {
    fn store(&self) -> Arc<dyn CeremonyStore> {
        Arc::<RedisStore>::clone(&self.store)
    }

    async fn reopen(&mut self) -> bool {
        self.store = Arc::new(RedisStore::new(&self.options, self.rp_id.clone(), self.max_pending).unwrap());
        true
    }
}

impl LimitSubject for Subject {
    fn store(&self) -> Arc<dyn LimitStore> {
        Arc::<RedisStore>::clone(&self.store)
    }
}
