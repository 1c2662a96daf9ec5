use std::time::Duration;

use keyhaven_storage::StorageError;
use keyhaven_storage::observed::PoolFigures;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::PostgresOptions;
use crate::error::Failure;
use crate::pool::Pool;
use crate::schema;

/// How often a commit is tried that the server rolls back for the sake of others.
const TRIES: u32 = 6;

/// Accounts, credentials, sessions, grants, signing keys and events in one PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pub(crate) primary: Pool,
    pub(crate) replica: Option<Pool>,
    /// As it was given, for the connection that migrates.
    options: PgConnectOptions,
    /// What an operation may take at most.
    patience: Duration,
}

impl PostgresStore {
    /// Connects, and brings the schema up to date. Processes that start together do that one after the other.
    ///
    /// # Errors
    /// When the database cannot be reached or written, or its schema is of a newer version that this one cannot work
    /// with.
    pub async fn open(options: &PostgresOptions) -> Result<Self, StorageError> {
        let store = Self::new(options);
        store.migrate().await?;
        Ok(store)
    }

    /// Connects to look into a database that is there: nothing is changed or migrated, and what would write fails.
    ///
    /// # Errors
    /// As [`Self::open_as_it_is`].
    pub async fn open_read_only(options: &PostgresOptions) -> Result<Self, StorageError> {
        let primary = options.primary.clone();
        Self::open_as_it_is(&PostgresOptions {
            primary: primary.options([("default_transaction_read_only", "on")]),
            replica: None,
            ..options.clone()
        })
        .await
    }

    /// Connects, and changes nothing: for processes that are not to migrate.
    ///
    /// # Errors
    /// When the database cannot be reached, or its schema is not one that this version works with.
    pub async fn open_as_it_is(options: &PostgresOptions) -> Result<Self, StorageError> {
        let store = Self::new(options);
        let looked = tokio::time::timeout(store.patience, store.look()).await;
        looked
            .unwrap_or(Err(Failure::NoAnswer(store.patience)))
            .map_err(Failure::of("store.open"))?;
        Ok(store)
    }

    /// Brings the schema up to date, under an advisory lock, so that of several processes one does it. Done already,
    /// it does nothing.
    ///
    /// # Errors
    /// When the database cannot be reached or written, or its schema is of a newer version that this one cannot work
    /// with; then nothing was changed.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        let migrate = async {
            // A connection of its own: a step may take longer than statements may, and so may waiting for others.
            let mut connection = self.options.connect().await?;
            let migrated = schema::migrate(&mut connection).await;
            connection.close().await.ok();
            migrated
        };
        migrate.await.map_err(Failure::of("store.migrate"))
    }

    async fn look(&self) -> Result<(), Failure> {
        let mut connection = self.options.connect().await?;
        let fits = schema::fits(&mut connection).await;
        connection.close().await.ok();
        fits
    }

    /// How its pools are used now.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolFigures> {
        let replica = self.replica.iter().map(|pool| pool.figures("replica"));
        std::iter::once(self.primary.figures("primary"))
            .chain(replica)
            .collect()
    }

    /// Closes all connections; those in use, as soon as they have their answer. Without it nothing is lost.
    pub async fn close(&self) {
        self.primary.close().await;
        if let Some(replica) = &self.replica {
            replica.close().await;
        }
    }

    /// Does what it says, within the time there is. What the server says it rolled back for the sake of others is
    /// tried again, a few times; nothing else is, because it may have happened.
    pub(crate) async fn answer<T, F>(
        &self,
        operation: &'static str,
        mut work: impl FnMut() -> F + Send,
    ) -> Result<T, StorageError>
    where
        T: Send,
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let tries = async {
            for again in 1..TRIES {
                match work().await {
                    Err(failure) if failure.is_rolled_back() => {
                        tracing::debug!(
                            operation,
                            again,
                            "rolled back for the sake of another, and tried again"
                        );
                        tokio::time::sleep(Duration::from_millis(5).saturating_mul(again)).await;
                    }
                    answer => return answer,
                }
            }
            work().await
        };
        let answer = match tokio::time::timeout(self.patience, tries).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::NoAnswer(self.patience)),
        };
        answer.map_err(Failure::of(operation))
    }

    fn new(options: &PostgresOptions) -> Self {
        let milliseconds = options.statement_timeout.as_millis().to_string();
        let pool = |connect: &PgConnectOptions| {
            let connect = connect.clone().options([
                // What the statements of this crate are written for, whatever the database's default is.
                ("default_transaction_isolation", "read committed"),
                ("statement_timeout", milliseconds.as_str()),
                ("lock_timeout", milliseconds.as_str()),
                ("idle_in_transaction_session_timeout", milliseconds.as_str()),
                // Every statement finds its rows by an index, and one plan fits all its arguments: it is made once, and
                // is the right one too where it was made while the tables were empty.
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_seqscan", "off"),
                ("jit", "off"),
            ]);
            Pool::new(connect, options.connections, options.acquire_timeout)
        };
        Self {
            primary: pool(&options.primary),
            replica: options.replica.as_ref().map(pool),
            options: options.primary.clone(),
            patience: options.statement_timeout.saturating_mul(2),
        }
    }
}
