use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyhaven_storage::StorageError;
use keyhaven_storage::observed::PoolFigures;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqlitePool, Transaction};

use crate::SqliteOptions;
use crate::error::Failure;
use crate::{backup, schema};

/// How long a start waits for other processes that are making the file, or migrating it: in a large one that takes longer
/// than anything else they do.
const START_PATIENCE: Duration = Duration::from_secs(60);

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
    /// When the file is not there or cannot be read, or its schema is not one that this version works with.
    pub async fn open_read_only(options: &SqliteOptions) -> Result<Self, StorageError> {
        let connection = SqliteConnectOptions::new()
            .filename(&options.path)
            .busy_timeout(options.busy_timeout)
            .read_only(true)
            .pragma("trusted_schema", "OFF")
            .pragma("query_only", "ON");
        let readers = SqlitePoolOptions::new().max_connections(options.readers.max(1));
        let open = async {
            let readers = readers.connect_with(connection).await?;
            let store = Self {
                writer: readers.clone(),
                readers,
            };
            schema::look(&store).await?;
            Ok(store)
        };
        open.await.map_err(Failure::of("store.open"))
    }

    /// Opens the file, which must be there, and leaves its schema as it is: for processes that are not to migrate.
    ///
    /// # Errors
    /// When the file is not there or cannot be opened, or its schema is not one that this version works with.
    pub async fn open_as_it_is(options: &SqliteOptions) -> Result<Self, StorageError> {
        let open = async {
            std::fs::metadata(&options.path)?;
            let store = Self::connect(options).await?;
            match schema::look(&store).await {
                Ok(()) => Ok(store),
                Err(failure) => {
                    store.close().await;
                    Err(failure)
                }
            }
        };
        open.await.map_err(Failure::of("store.open"))
    }

    /// Brings the schema up to date: in one transaction, so that of several processes one does it. Done already, it
    /// does nothing.
    ///
    /// # Errors
    /// When the file cannot be written, or its schema is of a newer version that this one cannot work with; then nothing
    /// was changed.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        schema::migrate(self).await.map_err(Failure::of("store.migrate"))
    }

    /// Writes a whole and consistent copy into a new file (mode 0600), while others read and write the database. The
    /// copy is on the disk, under its name, or not there at all.
    ///
    /// # Errors
    /// When something has that name already, or the copy cannot be written.
    pub async fn back_up(&self, into: &Path) -> Result<(), StorageError> {
        backup::write(self, into)
            .await
            .map_err(Failure::of("store.back_up"))
    }

    /// How its pools are used now.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolFigures> {
        let figures = |name, pool: &SqlitePool| {
            let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
            let idle = count(pool.num_idle());
            PoolFigures {
                name,
                most: pool.options().get_max_connections().into(),
                in_use: u64::from(pool.size()).saturating_sub(idle),
                idle,
                queue: None,
            }
        };
        vec![figures("writer", &self.writer), figures("readers", &self.readers)]
    }

    /// Waits for what is under way, writes the log back into the file and closes it. Without it nothing is lost; the
    /// next start takes a moment longer.
    pub async fn close(&self) {
        self.readers.close().await;
        // Whichever connection is the last to close writes it back, too, unless it cannot tell that it is the last. What
        // another process still reads stays in the log, for that one to write back.
        let _ = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.writer)
            .await;
        self.writer.close().await;
    }

    /// A transaction that may write. It holds the writing lock from its first moment, so what it reads stays true.
    /// Dropped, it is rolled back.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, Failure> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(crate) async fn connect(options: &SqliteOptions) -> Result<Self, Failure> {
        make_private_file(&options.path)?;
        let connection = SqliteConnectOptions::new()
            .filename(&options.path)
            .busy_timeout(options.busy_timeout)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            // The schema of a file is not code that we trust.
            .pragma("trusted_schema", "OFF")
            // What is deleted is overwritten: an account that is gone is not to be found in the file.
            .pragma("secure_delete", "ON");
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(options.busy_timeout)
                .test_before_acquire(false)
                // Where a disk is full SQLite rolls back by itself, and sqlx goes on to believe in the transaction: no other
                // could be begun on that connection. It is closed, and another one opened.
                .before_acquire(|connection, _| {
                    let usable = !connection.is_in_transaction();
                    Box::pin(std::future::ready(Ok(usable)))
                })
                .max_lifetime(None)
        };
        let writer = pool().min_connections(1).max_connections(1).idle_timeout(None);
        let file = connection.clone().journal_mode(SqliteJournalMode::Wal);
        // Changing a new file into WAL mode needs it alone, and SQLite does not wait for that: another process that opens it
        // at the same moment makes it fail at once.
        let writer = patiently(|| {
            let connecting = writer.clone().connect_with(file.clone());
            async { Ok(connecting.await?) }
        })
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

/// Tries until nobody else has the file, as long as a start waits for that.
pub(crate) async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let started = Instant::now();
    loop {
        match attempt().await {
            Err(failure) if failure.is_busy() && started.elapsed() < START_PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}
