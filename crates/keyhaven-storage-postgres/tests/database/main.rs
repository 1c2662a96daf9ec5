//! The database itself: what it refuses to hold, how many round trips things take, and what becomes of a commit when
//! the server or the way to it fails.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod failures;
mod proxy;
mod races;
mod records;
mod round_trips;
mod schema;

use std::time::Duration;

use keyhaven_storage::{AccountStore as _, RegistrationOutcome, StorageError};
use keyhaven_storage_postgres::{PostgresOptions, PostgresStore};
use keyhaven_testkit::postgres::Database;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::task::JoinHandle;

async fn with_anna() -> (Database, PostgresStore) {
    let database = Database::fresh();
    let store = open(database.url()).await;
    register_anna(&store).await;
    (database, store)
}

async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(&options(url)).await.unwrap()
}

fn options(url: &str) -> PostgresOptions {
    url.parse().unwrap()
}

async fn register_anna(store: &PostgresStore) {
    let outcome = store.commit_registration(records::anna()).await.unwrap();
    assert_eq!(outcome, RegistrationOutcome::Committed);
}

async fn raw(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    connection
        .fetch_one(AssertSqlSafe(format!("SELECT ({sql})::bigint")))
        .await
        .unwrap()
        .get(0)
}

/// Until `work` waits for a lock that `other` holds, in a transaction.
async fn comes_to_wait<T>(other: &mut PgConnection, work: &JoinHandle<T>) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'";
    while number(other, waiting).await == 0 {
        assert!(!work.is_finished(), "it waits for nobody");
        // Within a transaction the activity is looked at once, and remembered.
        other.execute("SELECT pg_stat_clear_snapshot()").await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn reason(error: &StorageError) -> String {
    std::error::Error::source(error).unwrap().to_string()
}
