//! The promises of the storage traits, kept where personal data is encrypted before it comes here.

mod support;

async fn open() -> keyhaven_storage_encrypted::contract::Subject<support::Subject> {
    keyhaven_storage_encrypted::contract::Subject::new(support::open().await)
}

keyhaven_storage::durable_store_contract!(open);
