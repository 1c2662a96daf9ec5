//! The store that these tests run on: in memory, or, as `KEYHAVEN_TEST_STORES` says, SQLite or PostgreSQL. What the API
//! promises is the same on all of them, with personal data encrypted before it gets there.

use std::sync::Arc;
use std::time::Duration;

use keyhaven_storage::DurableStore;
use keyhaven_storage_encrypted::{Encrypted, KeyRing};
use keyhaven_storage_memory::MemoryStore;
use keyhaven_storage_postgres::{PostgresOptions, PostgresStore};
use keyhaven_storage_sqlite::{SqliteOptions, SqliteStore};
use keyhaven_testkit::postgres::Database;
use zeroize::Zeroizing;

const STORES: &str = "KEYHAVEN_TEST_STORES";

/// A store, and where it is, which is there as long as this or a copy of it.
#[derive(Clone)]
pub(crate) struct TestStore {
    pub(crate) durable: Arc<dyn DurableStore>,
    #[expect(dead_code, reason = "kept alive")]
    place: Place,
}

#[derive(Clone)]
#[expect(dead_code, reason = "kept alive")]
enum Place {
    Database(Arc<Database>),
    Directory(Arc<tempfile::TempDir>),
    Memory,
}

impl TestStore {
    /// An empty one.
    #[expect(clippy::disallowed_methods, reason = "tests have no other configuration")]
    pub(crate) async fn fresh() -> Self {
        match std::env::var(STORES).as_deref() {
            Err(_) | Ok("memory") => Self::in_memory(),
            Ok("postgres") => Self::on_postgres().await,
            Ok("sqlite") => Self::on_sqlite().await,
            Ok(other) => panic!("{STORES}: memory, postgres or sqlite, not {other}"),
        }
    }

    /// Whatever is said: for tests whose clock stands still, which no database answers in.
    pub(crate) fn in_memory() -> Self {
        Self {
            durable: encrypted(MemoryStore::new()),
            place: Place::Memory,
        }
    }

    async fn on_postgres() -> Self {
        let database = tokio::task::spawn_blocking(Database::fresh).await.unwrap();
        let mut options: PostgresOptions = database.url().parse().unwrap();
        // A busy machine may take its time.
        options.acquire_timeout = Duration::from_secs(60);
        options.statement_timeout = Duration::from_secs(60);
        Self {
            durable: encrypted(PostgresStore::open(&options).await.unwrap()),
            place: Place::Database(Arc::new(database)),
        }
    }

    async fn on_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(directory.path().join("keyhaven.db"));
        Self {
            durable: encrypted(SqliteStore::open(&options).await.unwrap()),
            place: Place::Directory(Arc::new(directory)),
        }
    }
}

/// As the server has it.
fn encrypted(store: impl DurableStore + 'static) -> Arc<dyn DurableStore> {
    let ring = KeyRing::new(&[8; 32], &[Zeroizing::new([7; 32])]).unwrap();
    Arc::new(Encrypted::new(Arc::new(store), Arc::new(ring)))
}
