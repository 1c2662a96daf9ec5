//! Which adapter serves which URL.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use keyhaven_service::SecretKey;
use keyhaven_storage::{CeremonyStore, DurableStore, LimitStore};
use keyhaven_storage_memory::{MemoryCeremonyStore, MemoryLimitStore};
use keyhaven_storage_postgres::PostgresStore;
use keyhaven_storage_redis::RedisStore;
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

/// The stores of what is gone in minutes: pending ceremonies, and attempts of late. They are reached when they are first
/// asked, and again when they were away: a server that starts before its Redis is not ready, and then is.
pub(crate) fn short_lived(config: &Config) -> anyhow::Result<(Arc<dyn CeremonyStore>, Arc<dyn LimitStore>)> {
    let max_pending = config.max_pending_ceremonies;
    Ok(match &config.challenges {
        ChallengesUrl::Memory => (
            Arc::new(MemoryCeremonyStore::new(max_pending)),
            Arc::new(MemoryLimitStore::new()),
        ),
        ChallengesUrl::Redis(options) => {
            let rp_id = config.settings.relying_party.id.clone();
            let store = Arc::new(RedisStore::new(options, rp_id, max_pending)?);
            (store.clone(), store)
        }
    })
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
