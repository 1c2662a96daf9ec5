//! The promises of the storage traits, kept in memory.

use std::sync::Arc;

use keyhaven_storage::contract::{CeremonySubject, DurableSubject, LimitSubject};
use keyhaven_storage_memory::{MemoryCeremonyStore, MemoryLimitStore, MemoryStore};

async fn open_ceremonies(max_pending: usize) -> impl CeremonySubject {
    Arc::new(MemoryCeremonyStore::new(max_pending))
}

async fn open_limits() -> impl LimitSubject {
    Arc::new(MemoryLimitStore::new())
}

async fn open() -> impl DurableSubject {
    Arc::new(MemoryStore::new())
}

keyhaven_storage::ceremony_store_contract!(open_ceremonies);
keyhaven_storage::limit_store_contract!(open_limits);
keyhaven_storage::durable_store_contract!(open);
keyhaven_storage::personal_store_contract!(open);
