//! The promises of the storage traits, kept in memory.

use std::sync::Arc;

use keyhaven_storage::contract::{CeremonySubject, DurableSubject};
use keyhaven_storage_memory::{MemoryCeremonyStore, MemoryStore};

async fn open_ceremonies(max_pending: usize) -> impl CeremonySubject {
    Arc::new(MemoryCeremonyStore::new(max_pending))
}

async fn open() -> impl DurableSubject {
    Arc::new(MemoryStore::new())
}

keyhaven_storage::ceremony_store_contract!(open_ceremonies);
keyhaven_storage::durable_store_contract!(open);
