//! Which adapter serves which URL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use keyhaven_api::Metrics;
use keyhaven_service::SecretKey;
use keyhaven_storage::observed::Observed;
use keyhaven_storage::{CeremonyStore, DurableStore, LimitStore, PersonalStore as _};
use keyhaven_storage_encrypted::{Encrypted, KeyId};
use keyhaven_storage_memory::{MemoryCeremonyStore, MemoryLimitStore, MemoryStore};
use keyhaven_storage_postgres::PostgresStore;
use keyhaven_storage_redis::RedisStore;
use keyhaven_storage_sqlite::{SqliteOptions, SqliteStore};

use crate::config::{ChallengesUrl, Config, DatabaseUrl};
use crate::{encryption, secret};

/// Why there is no secret key.
const UNNAMED: &str = "secret_key_file: with PostgreSQL it must be named: a file of 32 random bytes, mode 0600, the same for \
    every process. To make one: (umask 077 && head -c 32 /dev/urandom > keyhaven.key)";

/// How long what is under way in the database may take when it is closed.
const LAST: Duration = Duration::from_secs(5);

/// A database that was opened to be written, and is to be closed when nothing works on it any more.
pub(crate) enum Database {
    Memory,
    Postgres(Box<PostgresStore>),
    Sqlite(SqliteStore),
}

impl Database {
    /// Waits for what is under way, and closes it. An SQLite file needs no log beside it then, if no other process has it
    /// open. Left out, nothing is lost: the next start finds the log.
    pub(crate) async fn close(&self) {
        let closed = async {
            match self {
                Self::Memory => {}
                Self::Postgres(store) => store.close().await,
                Self::Sqlite(store) => store.close().await,
            }
        };
        if tokio::time::timeout(LAST, closed).await.is_err() {
            tracing::warn!(
                "stopped with the database still in use; an SQLite file has a log beside it that belongs to it"
            );
        }
    }
}

/// Opens the durable store, brings its schema up to date where that is asked of servers, has it watched, and has personal
/// data encrypted before it gets there.
pub(crate) async fn durable(
    config: &Config,
    metrics: &Metrics,
    secret: &SecretKey,
) -> anyhow::Result<(Arc<dyn DurableStore>, Database)> {
    let keys = encryption::keys(config, secret)?;
    let (store, database) = watched(config, metrics).await?;
    let ring = encryption::ring(&*store, keys).await?;
    encryption::complete(&*store, &ring).await?;
    Ok((Arc::new(Encrypted::new(store, ring)), database))
}

async fn watched(config: &Config, metrics: &Metrics) -> anyhow::Result<(Arc<dyn DurableStore>, Database)> {
    let named = || format!("the database {}", config.database);
    let observer = || Arc::new(metrics.clone());
    match &config.database {
        DatabaseUrl::Memory => {
            let store = Arc::new(MemoryStore::new());
            let watched = Observed::new(store, "memory", observer());
            Ok((Arc::new(watched), Database::Memory))
        }
        DatabaseUrl::Postgres(options) => {
            let store = if config.migrate {
                PostgresStore::open(options).await
            } else {
                PostgresStore::open_as_it_is(options).await
            };
            let store = store.with_context(named)?;
            let pools = store.clone();
            metrics.show_pools(move || pools.pools());
            let watched = Observed::new(Arc::new(store.clone()), "postgresql", observer());
            Ok((Arc::new(watched), Database::Postgres(Box::new(store))))
        }
        DatabaseUrl::Sqlite(options) => {
            let store = if config.migrate {
                SqliteStore::open(options).await
            } else {
                SqliteStore::open_as_it_is(options).await
            };
            let store = store.with_context(named)?;
            let pools = store.clone();
            metrics.show_pools(move || pools.pools());
            let watched = Observed::new(Arc::new(store.clone()), "sqlite", observer());
            Ok((Arc::new(watched), Database::Sqlite(store)))
        }
    }
}

/// Opens the durable store to rewrite what is in it: its schema must be there.
pub(crate) async fn to_rewrite(config: &Config) -> anyhow::Result<(Arc<dyn DurableStore>, Database)> {
    let named = || format!("the database {}", config.database);
    Ok(match &config.database {
        DatabaseUrl::Memory => bail!("{}: there is nothing to rewrite", named()),
        DatabaseUrl::Postgres(options) => {
            let store = PostgresStore::open_as_it_is(options).await.with_context(named)?;
            (Arc::new(store.clone()), Database::Postgres(Box::new(store)))
        }
        DatabaseUrl::Sqlite(options) => {
            let store = SqliteStore::open_as_it_is(options).await.with_context(named)?;
            (Arc::new(store.clone()), Database::Sqlite(store))
        }
    })
}

/// Opens the durable store to look into it: nothing is written, made or migrated.
pub(crate) async fn read_only(config: &Config) -> anyhow::Result<Arc<dyn DurableStore>> {
    let named = || format!("the database {}", config.database);
    match &config.database {
        DatabaseUrl::Memory => bail!("{}: there is nothing to look into", named()),
        DatabaseUrl::Postgres(options) => {
            let store = PostgresStore::open_read_only(options).await.with_context(named)?;
            Ok(Arc::new(store))
        }
        DatabaseUrl::Sqlite(options) => {
            let store = SqliteStore::open_read_only(options).await.with_context(named)?;
            Ok(Arc::new(store))
        }
    }
}

/// The stores of what is gone in minutes, watched: pending ceremonies, and attempts of late. They are reached when they
/// are first asked, and again when they were away: a server that starts before its Redis is not ready, and then is.
pub(crate) fn short_lived(
    config: &Config,
    metrics: &Metrics,
) -> anyhow::Result<(Arc<dyn CeremonyStore>, Arc<dyn LimitStore>)> {
    let max_pending = config.max_pending_ceremonies;
    let observer = || Arc::new(metrics.clone());
    Ok(match &config.challenges {
        ChallengesUrl::Memory => {
            let ceremonies = MemoryCeremonyStore::new(max_pending);
            (
                Arc::new(Observed::new(Arc::new(ceremonies), "memory", observer())),
                // Nothing that is worth watching: it cannot fail, and waits for nobody.
                Arc::new(MemoryLimitStore::new()),
            )
        }
        ChallengesUrl::Redis(options) => {
            let rp_id = config.settings.relying_party.id.clone();
            let store = Arc::new(RedisStore::new(options, rp_id, max_pending)?);
            let watched = Arc::new(Observed::new(store, "redis", observer()));
            (watched.clone(), watched)
        }
    })
}

/// Brings the schema up to date.
pub(crate) async fn migrate(config: &Config) -> anyhow::Result<()> {
    let named = || format!("the database {}", config.database);
    match &config.database {
        DatabaseUrl::Memory => {}
        DatabaseUrl::Postgres(options) => {
            PostgresStore::open(options)
                .await
                .with_context(named)?
                .close()
                .await
        }
        DatabaseUrl::Sqlite(options) => {
            SqliteStore::open(options)
                .await
                .with_context(named)?
                .close()
                .await;
        }
    }
    Ok(())
}

/// Writes a copy of the embedded database into a new file, while servers may be at work on it.
pub(crate) async fn back_up(config: &Config, into: &Path) -> anyhow::Result<()> {
    match &config.database {
        DatabaseUrl::Memory => bail!("the database {}: there is nothing to copy", config.database),
        DatabaseUrl::Postgres(_) => bail!(
            "the database {}: PostgreSQL is backed up by its own tools, for example pg_dump --format=custom",
            config.database
        ),
        DatabaseUrl::Sqlite(options) => {
            let named = || format!("the database {}", config.database);
            let store = SqliteStore::open_as_it_is(options).await.with_context(named)?;
            let copied = store.back_up(into).await;
            store.close().await;
            copied.with_context(|| format!("a copy in {}", into.display()))
        }
    }
}

/// Where the secret key is, or would be made.
pub(crate) fn secret_key_file(config: &Config) -> Option<PathBuf> {
    match (&config.secret_key_file, &config.database) {
        (Some(path), _) => Some(path.clone()),
        (None, DatabaseUrl::Memory | DatabaseUrl::Postgres(_)) => None,
        (None, DatabaseUrl::Sqlite(options)) => Some(options.path.with_extension("key")),
    }
}

/// The secret key: from its file, which an embedded database gets one of its own of. A database that processes on
/// several machines share has none: each would make another, and could not read what the others have sealed. Nor does a
/// database get another one that is encrypted already.
///
/// # Errors
/// When it cannot be read, or is gone.
pub(crate) async fn secret(config: &Config) -> anyhow::Result<SecretKey> {
    match (&config.secret_key_file, &config.database) {
        (Some(path), _) => secret::read(path),
        // What it protects ends with the process too.
        (None, DatabaseUrl::Memory) => secret::draw(),
        (None, DatabaseUrl::Postgres(_)) => bail!(UNNAMED),
        (None, DatabaseUrl::Sqlite(options)) => {
            let path = options.path.with_extension("key");
            if !path.exists()
                && let Some(id) = encrypted_under(options).await
                // Else another process has made both meanwhile.
                && !path.exists()
            {
                bail!(
                    "the secret key file {} is gone, and {} is encrypted (under the key {id}): put it back",
                    path.display(),
                    config.database
                );
            }
            secret::read_or_create(&path)
        }
    }
}

/// Whether the keys are there that a server needs, as far as files tell. Makes none: an embedded database gets its key when
/// it is first served.
///
/// # Errors
/// When one is not named, or cannot be read.
pub(crate) fn check_keys(config: &Config) -> anyhow::Result<()> {
    let secret = match (secret_key_file(config), &config.database) {
        (None, DatabaseUrl::Postgres(_)) => bail!(UNNAMED),
        (Some(path), _) if config.secret_key_file.is_some() || path.exists() => secret::read(&path)?,
        (None, DatabaseUrl::Memory) | (Some(_) | None, _) => secret::draw()?,
    };
    encryption::keys(config, &secret).map(|_| ())
}

/// A key that this file needs. `None`: it is not encrypted, or not there.
async fn encrypted_under(options: &SqliteOptions) -> Option<KeyId> {
    let store = SqliteStore::open_read_only(options).await.ok()?;
    let state = store.encryption_state().await;
    store.close().await;
    state.ok()?.keys.first().map(|key| KeyId(key.id))
}
