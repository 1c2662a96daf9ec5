//! The promises of the storage traits, kept where personal data is encrypted before it comes to the store.

use std::sync::Arc;

use keyhaven_storage_encrypted::contract::Subject;
use keyhaven_storage_memory::MemoryStore;

async fn open() -> Subject<Arc<MemoryStore>> {
    Subject::new(Arc::new(MemoryStore::new()))
}

keyhaven_storage::durable_store_contract!(open);
