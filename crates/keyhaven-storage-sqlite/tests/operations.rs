//! What an operator does with the file: newer versions, copies, and several processes that tidy up.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyhaven_storage::{AuditEvent, AuditOutcome, AuditStore as _, EventId, SessionStore as _, StorageError};
use keyhaven_storage_sqlite::{SqliteOptions, SqliteStore};
use keyhaven_types::UnixTime;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};
use tempfile::TempDir;
use uuid::Uuid;

const AT: UnixTime = UnixTime::from_millis(1_790_000_000_000);

fn fresh() -> (TempDir, SqliteOptions) {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(directory.path().join("keyhaven.db"));
    (directory, options)
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .connect()
        .await
        .unwrap()
}

async fn number(connection: &mut SqliteConnection, sql: &'static str) -> i64 {
    connection.fetch_one(sql).await.unwrap().get(0)
}

fn reason(error: &StorageError) -> String {
    error.source().unwrap().to_string()
}

fn event(n: u128) -> AuditEvent {
    AuditEvent {
        id: EventId(Uuid::from_u128(n)),
        at: AT,
        action: "test".into(),
        outcome: AuditOutcome::Success,
        code: None,
        step: None,
        account: None,
        credential: None,
        session: None,
        ip: None,
        user_agent: None,
        request_id: None,
        personal: None,
        actor: None,
        mac: [0; 32],
    }
}

/// Appends events until it is told to stop, and tells how many.
fn serve(store: SqliteStore, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<Result<u128, StorageError>> {
    tokio::spawn(async move {
        let mut served = 0;
        while !stop.load(Ordering::Relaxed) {
            store.append_event(event(served)).await?;
            served += 1;
        }
        Ok(served)
    })
}

/// A later release's step: what this version knows goes on working.
const EXPAND: &str =
    "CREATE TABLE novelties (id INTEGER PRIMARY KEY); ALTER TABLE accounts ADD COLUMN novelty TEXT;";

/// Applies the steps of a later version: those of this one, and one more.
async fn migrate_later(path: &Path, step: &str) {
    let directory = tempfile::tempdir().unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/sqlite");
    for file in std::fs::read_dir(own).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
    }
    std::fs::write(directory.path().join("9000_later.sql"), step).unwrap();
    let later = Migrator::new(directory.path()).await.unwrap();
    later.run(&mut raw(path).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_of_this_version_serve_while_a_later_one_migrates_and_afterwards() {
    let (_directory, options) = fresh();
    let store = SqliteStore::open(&options).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let serving = serve(store.clone(), stop.clone());
    migrate_later(&options.path, EXPAND).await;
    let started = SqliteStore::open(&options).await.unwrap();
    let untouching = SqliteStore::open_as_it_is(&options).await.unwrap();
    store.migrate().await.unwrap();
    for (n, store) in (0..).zip([&store, &started, &untouching]) {
        store.append_event(event((1 << 64) + n)).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let served = serving.await.unwrap().unwrap();
    let events = number(&mut raw(&options.path).await, "SELECT count(*) FROM audit_events").await;
    assert_eq!(u128::try_from(events).unwrap(), 3 + served);
}

#[tokio::test]
async fn a_later_step_that_takes_something_away_says_so_and_is_believed() {
    let (_directory, options) = fresh();
    SqliteStore::open(&options).await.unwrap().close().await;
    let contract = format!("{EXPAND} UPDATE schema_compatibility SET oldest = 9000;");
    migrate_later(&options.path, &contract).await;
    for refused in [
        SqliteStore::open(&options).await.unwrap_err(),
        SqliteStore::open_as_it_is(&options).await.unwrap_err(),
    ] {
        let reason = reason(&refused);
        assert!(
            reason.contains("schema 9000, for versions that know 9000 or later; this one knows"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn who_is_not_to_migrate_changes_nothing_and_says_what_is_missing() {
    let (directory, options) = fresh();
    let refused = SqliteStore::open_as_it_is(&options).await.unwrap_err();
    assert_eq!(refused.reason, "unreachable");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);

    let store = SqliteStore::open(&options).await.unwrap();
    let mut connection = raw(&options.path).await;
    SqliteStore::open_as_it_is(&options)
        .await
        .unwrap()
        .append_event(event(1))
        .await
        .unwrap();
    connection
        .execute("DELETE FROM _sqlx_migrations WHERE version = 3")
        .await
        .unwrap();
    let refused = SqliteStore::open_as_it_is(&options).await.unwrap_err();
    assert!(
        reason(&refused).contains("run `keyhaven migrate` first"),
        "{}",
        reason(&refused)
    );
    drop(store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_is_made_while_others_write_is_whole() {
    let (directory, options) = fresh();
    let store = SqliteStore::open(&options).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let serving = serve(store.clone(), stop.clone());
    let copy = directory.path().join("copy.db");
    for n in 0..3 {
        let before = number(&mut raw(&options.path).await, "SELECT count(*) FROM audit_events").await;
        let copy = copy.with_extension(n.to_string());
        store.back_up(&copy).await.unwrap();
        let mut connection = raw(&copy).await;
        assert!(number(&mut connection, "SELECT count(*) FROM audit_events").await >= before);
        let check: String = connection
            .fetch_one("PRAGMA integrity_check")
            .await
            .unwrap()
            .get(0);
        assert_eq!(check, "ok");
        connection.fetch_all("PRAGMA foreign_key_check").await.unwrap();
        let restored = SqliteStore::open_as_it_is(&SqliteOptions::new(&copy))
            .await
            .unwrap();
        restored.append_event(event(1 << 64)).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    assert!(serving.await.unwrap().unwrap() > 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_copy_is_its_owners_and_replaces_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, options) = fresh();
    let store = SqliteStore::open(&options).await.unwrap();
    let copy = directory.path().join("copy.db");
    store.back_up(&copy).await.unwrap();
    assert_eq!(
        std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let before = std::fs::read(&copy).unwrap();
    store.append_event(event(1)).await.unwrap();
    let refused = store.back_up(&copy).await.unwrap_err();
    assert!(
        reason(&refused).contains("is there already"),
        "{}",
        reason(&refused)
    );
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    let nowhere = directory.path().join("nowhere/copy.db");
    assert_eq!(store.back_up(&nowhere).await.unwrap_err().reason, "unreachable");
    // The database, its log and its index; the copy; nothing unfinished.
    let mut names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["copy.db", "keyhaven.db", "keyhaven.db-shm", "keyhaven.db-wal"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_tidy_up_at_once() {
    let (_directory, options) = fresh();
    let first = SqliteStore::open(&options).await.unwrap();
    let mut connection = raw(&options.path).await;
    let rows = "
        INSERT INTO accounts (id, user_handle, username, username_key, display_name, email_verified, active, created_at,
            updated_at)
        VALUES (zeroblob(16), x'01', 'anna', 'anna', 'Anna', 0, 1, 0, 0);
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2500)
        INSERT INTO sessions (id, account_id, token_family_hash, token_hash, created_at, last_seen_at, expires_at,
            authenticated_at, aal, amr)
        SELECT randomblob(16), zeroblob(16), randomblob(32), randomblob(32), 0, 0, iif(n > 2490, 2000, 1000), 0, 1, '[]'
        FROM n;
        INSERT INTO step_up_grants (session_id, purpose, expires_at) SELECT id, 'action', 500 FROM sessions;";
    connection.execute(AssertSqlSafe(rows)).await.unwrap();
    let now = UnixTime::from_millis(1000);
    let mut tidying = Vec::new();
    for _ in 0..4 {
        let store = SqliteStore::open(&options).await.unwrap();
        tidying.push(tokio::spawn(async move {
            let mut dropped = 0;
            loop {
                match store.purge_expired_sessions(now, 100).await? {
                    0 => return Ok::<_, StorageError>(dropped),
                    some => dropped += some,
                }
            }
        }));
    }
    let mut dropped = 0;
    for tidying in tidying {
        dropped += tidying.await.unwrap().unwrap();
    }
    // Each session once, and each grant once at most: the others went with their sessions.
    assert!((2490..=4990).contains(&dropped), "{dropped}");
    assert_eq!(number(&mut connection, "SELECT count(*) FROM sessions").await, 10);
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM step_up_grants").await,
        0
    );
    assert_eq!(first.purge_expired_sessions(now, 100).await.unwrap(), 0);
}
