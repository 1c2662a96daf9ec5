//! A fresh store in a directory of its own.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use async_trait::async_trait;
use keyhaven_storage::DurableStore;
use keyhaven_storage::contract::DurableSubject;
use keyhaven_storage_sqlite::{SqliteOptions, SqliteStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tempfile::TempDir;

/// A fresh, empty store.
pub(crate) async fn open() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(directory.path().join("keyhaven.db"));
    let store = Arc::new(SqliteStore::open(&options).await.unwrap());
    Subject {
        directory,
        options,
        store,
    }
}

pub(crate) struct Subject {
    #[expect(dead_code, reason = "removed when dropped")]
    directory: TempDir,
    options: SqliteOptions,
    store: Arc<SqliteStore>,
}

impl Subject {
    async fn execute(&self, sql: String) {
        let mut connection = SqliteConnectOptions::new()
            .filename(&self.options.path)
            .connect()
            .await
            .unwrap();
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

#[async_trait]
impl DurableSubject for Subject {
    fn store(&self) -> Arc<dyn DurableStore> {
        Arc::<SqliteStore>::clone(&self.store)
    }

    async fn reopen(&mut self) -> bool {
        self.store.close().await;
        self.store = Arc::new(SqliteStore::open(&self.options).await.unwrap());
        true
    }

    async fn break_table(&self, table: &str) -> bool {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            self.execute(format!(
                "CREATE TRIGGER broken_{event} BEFORE {event} ON {table}
                BEGIN SELECT RAISE(ABORT, 'injected'); END"
            ))
            .await;
        }
        true
    }

    async fn mend_table(&self, _table: &str) {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            self.execute(format!("DROP TRIGGER broken_{event}")).await;
        }
    }
}
