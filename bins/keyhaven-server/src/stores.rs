//! Which adapter serves which URL.

use std::sync::Arc;

use anyhow::Context as _;
use keyhaven_service::SecretKey;
use keyhaven_storage::{CeremonyStore, DurableStore};
use keyhaven_storage_memory::MemoryCeremonyStore;
use keyhaven_storage_sqlite::SqliteStore;

use crate::config::{ChallengesUrl, Config, DatabaseUrl};
use crate::secret;

/// Opens the durable store and brings its schema up to date.
pub(crate) async fn durable(config: &Config) -> anyhow::Result<Arc<dyn DurableStore>> {
    match &config.database {
        DatabaseUrl::Sqlite(options) => {
            let store = SqliteStore::open(options)
                .await
                .with_context(|| format!("the database {}", config.database))?;
            Ok(Arc::new(store))
        }
    }
}

/// Opens the store of pending ceremonies.
pub(crate) fn ceremonies(config: &Config) -> Arc<dyn CeremonyStore> {
    match config.challenges {
        ChallengesUrl::Memory => Arc::new(MemoryCeremonyStore::new(config.max_pending_ceremonies)),
    }
}

/// The secret key: from its file, which an embedded database gets one of its own of.
pub(crate) fn secret(config: &Config) -> anyhow::Result<SecretKey> {
    match (&config.secret_key_file, &config.database) {
        (Some(path), _) => secret::read(path),
        (None, DatabaseUrl::Sqlite(options)) => secret::read_or_create(&options.path.with_extension("key")),
    }
}
