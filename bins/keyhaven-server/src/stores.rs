//! Which adapter serves which URL.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use keyhaven_service::SecretKey;
use keyhaven_storage::{CeremonyStore, DurableStore};
use keyhaven_storage_memory::MemoryCeremonyStore;
use keyhaven_storage_postgres::PostgresStore;
use keyhaven_storage_sqlite::SqliteStore;

use crate::config::{ChallengesUrl, Config, DatabaseUrl};
use crate::secret;

/// Opens the durable store and brings its schema up to date.
pub(crate) async fn durable(config: &Config) -> anyhow::Result<Arc<dyn DurableStore>> {
    let named = || format!("the database {}", config.database);
    match &config.database {
        DatabaseUrl::Postgres(options) => {
            let store = PostgresStore::open(options).await.with_context(named)?;
            Ok(Arc::new(store))
        }
        DatabaseUrl::Sqlite(options) => {
            let store = SqliteStore::open(options).await.with_context(named)?;
            Ok(Arc::new(store))
        }
    }
}

/// Opens the durable store to look into it: nothing is written, made or migrated.
pub(crate) async fn read_only(config: &Config) -> anyhow::Result<Arc<dyn DurableStore>> {
    let named = || format!("the database {}", config.database);
    match &config.database {
        DatabaseUrl::Postgres(options) => Ok(Arc::new(PostgresStore::open_read_only(options))),
        DatabaseUrl::Sqlite(options) => {
            let store = SqliteStore::open_read_only(options).await.with_context(named)?;
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

/// The secret key: from its file, which an embedded database gets one of its own of. A database that processes on
/// several machines share has none: each would make another, and could not read what the others have sealed.
pub(crate) fn secret(config: &Config) -> anyhow::Result<SecretKey> {
    match (&config.secret_key_file, &config.database) {
        (Some(path), _) => secret::read(path),
        (None, DatabaseUrl::Postgres(_)) => bail!(
            "secret_key_file: with PostgreSQL it must be named: a file of 32 random bytes, mode 0600, the same for \
             every process. To make one: (umask 077 && head -c 32 /dev/urandom > keyhaven.key)"
        ),
        (None, DatabaseUrl::Sqlite(options)) => secret::read_or_create(&options.path.with_extension("key")),
    }
}

/// Where the secret key is, if it is anywhere.
pub(crate) fn secret_file(config: &Config) -> Option<PathBuf> {
    match (&config.secret_key_file, &config.database) {
        (Some(path), _) => Some(path.clone()),
        (None, DatabaseUrl::Postgres(_)) => None,
        (None, DatabaseUrl::Sqlite(options)) => Some(options.path.with_extension("key")),
    }
}
