//! A fresh store in a database of its own.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyhaven_storage::DurableStore;
use keyhaven_storage::contract::DurableSubject;
use keyhaven_storage_postgres::{PostgresOptions, PostgresStore};
use keyhaven_testkit::postgres::Database;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// A fresh, empty store.
pub(crate) async fn open() -> Subject {
    let database = Database::fresh();
    let mut options: PostgresOptions = database.url().parse().unwrap();
    // What the contract asks for is not patience: a busy machine may take its time.
    options.acquire_timeout = Duration::from_secs(60);
    options.statement_timeout = Duration::from_secs(60);
    let store = Arc::new(PostgresStore::open(&options).await.unwrap());
    Subject {
        database,
        options,
        store,
    }
}

pub(crate) struct Subject {
    database: Database,
    options: PostgresOptions,
    store: Arc<PostgresStore>,
}

impl Subject {
    async fn execute(&self, sql: String) {
        let mut connection = PgConnection::connect(self.database.url()).await.unwrap();
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

#[async_trait]
impl DurableSubject for Subject {
    fn store(&self) -> Arc<dyn DurableStore> {
        Arc::<PostgresStore>::clone(&self.store)
    }

    async fn reopen(&mut self) -> bool {
        self.store.close().await;
        self.store = Arc::new(PostgresStore::open(&self.options).await.unwrap());
        true
    }

    async fn break_table(&self, table: &str) -> bool {
        self.execute(format!(
            "CREATE TRIGGER broken BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW
            EXECUTE FUNCTION refuse_change('injected')"
        ))
        .await;
        true
    }

    async fn mend_table(&self, table: &str) {
        self.execute(format!("DROP TRIGGER broken ON {table}")).await;
    }
}
