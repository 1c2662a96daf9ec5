use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyhaven_storage::StorageError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::SqliteOptions;
use crate::error::Failure;

/// The schema, one step per file; a released step never changes.
static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Accounts, credentials, sessions, grants, signing keys and events in one SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    /// One connection: SQLite has one writer at a time, and a queue here is fairer than its busy loop.
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it when missing (mode 0600), and brings its schema up to date. Processes that start
    /// together do that one after the other.
    ///
    /// # Errors
    /// When the file cannot be opened or written, is no database, or was made by a newer version of Keyhaven.
    pub async fn open(options: &SqliteOptions) -> Result<Self, StorageError> {
        let store = Self::connect(options).await.map_err(Failure::of("store.open"))?;
        match store.migrate().await {
            Ok(()) => Ok(store),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// Opens a file that is there to look into it: nothing is made, changed or migrated, and what would write fails. A
    /// server may be running on it.
    ///
    /// # Errors
    /// When the file is not there, cannot be read, or is no database.
    pub async fn open_read_only(options: &SqliteOptions) -> Result<Self, StorageError> {
        let connection = SqliteConnectOptions::new()
            .filename(&options.path)
            .busy_timeout(options.busy_timeout)
            .read_only(true)
            .pragma("trusted_schema", "OFF")
            .pragma("query_only", "ON");
        let readers = SqlitePoolOptions::new().max_connections(options.readers.max(1));
        let opened = readers.connect_with(connection).await;
        let readers = opened.map_err(|error| StorageError::new("store.open", error))?;
        Ok(Self {
            writer: readers.clone(),
            readers,
        })
    }

    /// Brings the schema up to date: in one transaction, so that of several processes one does it. Done already, it
    /// does nothing.
    ///
    /// # Errors
    /// When the file cannot be written, or was made by a newer version of Keyhaven; then nothing was changed.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        let migrate = async {
            let mut transaction = self.write().await?;
            match MIGRATIONS.run_direct(None, &mut *transaction, false).await {
                Ok(()) => Ok(transaction.commit().await?),
                Err(MigrateError::VersionMissing(found)) => {
                    let known = MIGRATIONS
                        .iter()
                        .map(|migration| migration.version)
                        .max()
                        .unwrap_or(0);
                    Err(Failure::NewerSchema { found, known })
                }
                Err(error) => Err(Failure::Migration(error)),
            }
        };
        migrate.await.map_err(Failure::of("store.migrate"))
    }

    /// Waits for what is under way, writes the log back into the file and closes it. Without it nothing is lost; the
    /// next start takes a moment longer.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A transaction that may write. It holds the writing lock from its first moment, so what it reads stays true.
    /// Dropped, it is rolled back.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, Failure> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn connect(options: &SqliteOptions) -> Result<Self, Failure> {
        make_private_file(&options.path)?;
        let connection = SqliteConnectOptions::new()
            .filename(&options.path)
            .busy_timeout(options.busy_timeout)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            // The schema of a file is not code that we trust.
            .pragma("trusted_schema", "OFF");
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(options.busy_timeout)
                .test_before_acquire(false)
                .max_lifetime(None)
        };
        let writer = pool().min_connections(1).max_connections(1).idle_timeout(None);
        let writer = connect_patiently(
            writer,
            connection.clone().journal_mode(SqliteJournalMode::Wal),
            options,
        )
        .await?;
        let readers = pool().max_connections(options.readers.max(1));
        let readers = readers.connect_lazy_with(connection.pragma("query_only", "ON"));
        Ok(Self { writer, readers })
    }
}

/// Makes the file before SQLite does, for its owner only. SQLite gives the log beside it the same mode.
fn make_private_file(path: &Path) -> Result<(), std::io::Error> {
    // POSIX locks are the process's: closing this descriptor would drop the locks of a store of this process that had
    // opened the file meanwhile.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut new = OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    match new.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Changing a new file into WAL mode needs it alone, and SQLite does not wait for that: another process that opens it
/// at the same moment makes it fail at once.
async fn connect_patiently(
    pool: SqlitePoolOptions,
    connection: SqliteConnectOptions,
    options: &SqliteOptions,
) -> Result<SqlitePool, sqlx::Error> {
    let started = Instant::now();
    loop {
        match pool.clone().connect_with(connection.clone()).await {
            Err(error) if is_busy(&error) && started.elapsed() < options.busy_timeout => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            connected => return connected,
        }
    }
}

/// Primary result codes SQLITE_BUSY and SQLITE_LOCKED; the extended ones hold them in their lowest byte.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| matches!(code & 0xff, 5 | 6))
}
