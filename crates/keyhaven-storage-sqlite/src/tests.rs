//! What can only be seen from inside: connections and their settings.

use std::time::Duration;

use keyhaven_storage::{AccountStore as _, AuditEvent, AuditOutcome, AuditStore as _, EventId, StorageError};
use keyhaven_types::UnixTime;
use sqlx::{AssertSqlSafe, Row as _, SqlitePool, query};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{SqliteOptions, SqliteStore};

async fn open() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&SqliteOptions::new(directory.path().join("keyhaven.db")))
        .await
        .unwrap();
    (directory, store)
}

/// A new file whose lock is waited for so many milliseconds.
fn impatient(milliseconds: u64) -> (TempDir, SqliteOptions) {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        busy_timeout: Duration::from_millis(milliseconds),
        ..SqliteOptions::new(directory.path().join("keyhaven.db"))
    };
    (directory, options)
}

fn event(n: u128) -> AuditEvent {
    AuditEvent {
        id: EventId(Uuid::from_u128(n)),
        at: UnixTime::from_millis(0),
        action: "test".into(),
        outcome: AuditOutcome::Success,
        code: None,
        step: None,
        account: None,
        credential: None,
        session: None,
        ip: None,
        user_agent: Some("u".repeat(256)),
        request_id: None,
        personal: None,
        actor: None,
        mac: [0; 32],
    }
}

async fn number(pool: &SqlitePool, sql: &'static str) -> i64 {
    query(sql).fetch_one(pool).await.unwrap().get(0)
}

#[tokio::test]
async fn every_connection_is_set_up() {
    let (_directory, store) = open().await;
    for pool in [&store.writer, &store.readers] {
        let mode: String = query("PRAGMA journal_mode").fetch_one(pool).await.unwrap().get(0);
        assert_eq!(mode, "wal");
        assert_eq!(number(pool, "PRAGMA synchronous").await, 2);
        assert_eq!(number(pool, "PRAGMA foreign_keys").await, 1);
        assert_eq!(number(pool, "PRAGMA busy_timeout").await, 5000);
        assert_eq!(number(pool, "PRAGMA trusted_schema").await, 0);
    }
    assert!(
        query("DELETE FROM accounts")
            .execute(&store.readers)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_full_disk_is_an_error_that_leaves_nothing_and_passes() {
    let (_directory, store) = open().await;
    let pages = number(&store.writer, "PRAGMA page_count").await;
    let limit = format!("PRAGMA max_page_count = {}", pages + 8);
    query(AssertSqlSafe(limit)).execute(&store.writer).await.unwrap();
    let mut written = 0;
    let full = loop {
        match store.append_event(event(written)).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000);
    };
    assert!(
        std::error::Error::source(&full)
            .unwrap()
            .to_string()
            .contains("full"),
        "{full:?}"
    );
    assert!(store.append_event(event(written)).await.is_err());
    let kept = number(&store.readers, "SELECT count(*) FROM audit_events").await;
    assert_eq!(u128::try_from(kept).unwrap(), written);
    let sound: String = query("PRAGMA integrity_check")
        .fetch_one(&store.readers)
        .await
        .unwrap()
        .get(0);
    assert_eq!(sound, "ok");

    query("PRAGMA max_page_count = 1000000")
        .execute(&store.writer)
        .await
        .unwrap();
    store.append_event(event(written)).await.unwrap();
}

/// As SQLite does where a disk is full: then there is nothing left to roll back.
#[tokio::test]
async fn a_transaction_that_sqlite_rolls_back_by_itself_costs_its_connection_and_nothing_else() {
    let (_directory, store) = open().await;
    let mut transaction = store.write().await.unwrap();
    crate::audit::append_event(&mut transaction, &event(1))
        .await
        .unwrap();
    query("ROLLBACK").execute(&mut *transaction).await.unwrap();
    drop(transaction);
    let mut next = store.write().await.unwrap();
    crate::audit::append_event(&mut next, &event(2)).await.unwrap();
    next.commit().await.unwrap();
    assert_eq!(
        number(&store.readers, "SELECT count(*) FROM audit_events").await,
        1
    );
}

/// A client that goes away drops its request wherever it stands.
#[tokio::test]
async fn an_abandoned_commit_frees_the_writer() {
    let (_directory, store) = open().await;
    for n in 0..200 {
        let store = store.clone();
        let task = tokio::spawn(async move {
            let mut transaction = store.write().await.unwrap();
            crate::audit::append_event(&mut transaction, &event(n))
                .await
                .unwrap();
            transaction.commit().await.unwrap();
        });
        tokio::time::sleep(Duration::from_micros(u64::try_from(n * 13 % 1000).unwrap())).await;
        task.abort();
        let _ = task.await;
    }
    // Each was committed whole or not at all, and none holds the lock.
    store.append_event(event(1000)).await.unwrap();
    let other = SqlitePool::connect_with(
        sqlx::sqlite::SqliteConnectOptions::new()
            .filename(_directory.path().join("keyhaven.db"))
            .busy_timeout(Duration::from_millis(0)),
    );
    query("BEGIN IMMEDIATE")
        .execute(&other.await.unwrap())
        .await
        .unwrap();
}

/// Another process that holds the writing lock for long is an error in time; reading goes on meanwhile.
#[tokio::test]
async fn a_lock_held_elsewhere_is_an_error_in_time() {
    let (_directory, options) = impatient(100);
    let store = SqliteStore::open(&options).await.unwrap();
    let other = SqliteStore::open(&options).await.unwrap();
    let held = other.write().await.unwrap();
    let refused: StorageError = store.append_event(event(1)).await.unwrap_err();
    assert!(
        std::error::Error::source(&refused)
            .unwrap()
            .to_string()
            .contains("locked"),
        "{refused:?}"
    );
    store.ping().await.unwrap();
    assert!(!store.username_exists("anna").await.unwrap());
    held.rollback().await.unwrap();
    store.append_event(event(1)).await.unwrap();
}

/// A migration that another process is at is waited for, longer than other writing.
#[tokio::test]
async fn a_start_waits_for_a_migration_elsewhere() {
    let (_directory, options) = impatient(10);
    let migrating = SqliteStore::connect(&options).await.unwrap();
    let lock = migrating.write().await.unwrap();
    let starting = tokio::spawn(async move { SqliteStore::open(&options).await });
    // Many times as long as others wait.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!starting.is_finished());
    lock.rollback().await.unwrap();
    starting.await.unwrap().unwrap().ping().await.unwrap();
}

/// Every query finds its rows by an index: none reads a whole table.
#[tokio::test]
async fn no_query_scans_a_table() {
    let (_directory, store) = open().await;
    let metadata = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let mut seen = 0;
    for file in std::fs::read_dir(metadata).unwrap() {
        let json = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let metadata: serde_json::Value = serde_json::from_str(&json).unwrap();
        let sql = metadata["query"].as_str().unwrap().to_owned();
        let plan = query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
            .fetch_all(&store.readers)
            .await
            .unwrap();
        for step in plan {
            let step: String = step.get("detail");
            // The outbox is counted up to a bound. The few keys and prune records are read whole, and of the batches
            // the newest one; the places of a new batch and the batches to be emptied are lists of the statement itself, and
            // so are the kinds of hashes. Administrators are few, and an index of their own. An account's few credentials
            // are sorted after the join.
            let whole = [
                "USING INDEX accounts_admins",
                "USING COVERING INDEX accounts_admins",
                "CONSTANT ROW",
                "signing_keys",
                "audit_keys",
                "audit_prunes",
                "encryption_keys",
                "encryption_state",
                "SCAN kinds",
                "SCAN place",
                "SCAN (",
            ];
            let newest = sql.ends_with("ORDER BY number DESC LIMIT 1");
            let counted = sql.ends_with("FROM outbox ORDER BY created_at LIMIT ?)");
            let scans = step.starts_with("SCAN")
                && !whole.iter().any(|whole| step.contains(whole))
                && !newest
                && !counted;
            let sorts = step.contains("TEMP B-TREE") && !sql.contains("LEFT JOIN");
            assert!(!scans && !sorts, "{step}: {sql}");
        }
        seen += 1;
    }
    assert!(seen > 25, "{seen} queries");
}
