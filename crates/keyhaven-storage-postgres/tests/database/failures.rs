//! The server, or the way to it, fails: an error in time, never a verdict, and no restart of ours is needed.

use std::time::{Duration, Instant};

use keyhaven_storage::{AccountStore as _, AssertionOutcome, AuditStore as _, RegistrationOutcome};
use keyhaven_testkit::postgres::{Database, Postgres};
use keyhaven_testkit::process::free_port;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use crate::proxy::{KEEP_ANSWERS, LOSE_ANSWERS, PASS, Proxy};
use crate::records::{anna, event, login};
use crate::{comes_to_wait, number, open, options, raw, reason, register_anna, with_anna};

/// A commit whose answer was lost is neither a success nor a refusal; it may have happened, and it is not tried again.
#[tokio::test]
async fn a_lost_answer_is_an_error() {
    let database = Database::fresh();
    let proxy = Proxy::before(database.url()).await;
    let store = open(&proxy.url).await;
    register_anna(&store).await;
    assert_eq!(
        store.commit_assertion(login(0)).await.unwrap(),
        AssertionOutcome::Committed
    );

    let mut connection = raw(database.url()).await;
    let committed = "SELECT sign_count - 1 FROM credentials";
    lose(&proxy, &mut connection, committed, async || {
        store.commit_assertion(login(1)).await.is_err()
    })
    .await;
    assert_eq!(number(&mut connection, "SELECT count(*) FROM sessions").await, 3);
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM audit_events").await,
        3
    );
    // The client, told 503, cannot use the same assertion again.
    assert_eq!(
        store.commit_assertion(login(1)).await.unwrap(),
        AssertionOutcome::RecordChanged
    );
    assert_eq!(
        store.commit_assertion(login(2)).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// A registration whose answer was lost is not tried again either: it would find its own username taken.
#[tokio::test]
async fn a_lost_registration_is_an_error() {
    let database = Database::fresh();
    let proxy = Proxy::before(database.url()).await;
    let store = open(&proxy.url).await;
    // Prepares the statement.
    let mut reserved = anna();
    reserved.reserved_id = true;
    let outcome = store.commit_registration(reserved).await.unwrap();
    assert_eq!(outcome, RegistrationOutcome::CredentialExists);

    let mut connection = raw(database.url()).await;
    let committed = "SELECT count(*) FROM accounts";
    lose(&proxy, &mut connection, committed, async || {
        store.commit_registration(anna()).await.is_err()
    })
    .await;
    assert!(store.username_exists("anna").await.unwrap());
}

/// Loses the answer to a commit until the commit has happened. What was lost with the answer may have been the statement's
/// preparation: then nothing has happened yet, and it is lost again. `attempt` tells whether it was an error.
async fn lose(
    proxy: &Proxy,
    connection: &mut PgConnection,
    committed: &'static str,
    mut attempt: impl AsyncFnMut() -> bool,
) {
    for _ in 0..20 {
        proxy.set(LOSE_ANSWERS);
        assert!(attempt().await, "an answer that was lost is an error");
        proxy.set(PASS);
        for _ in 0..10 {
            if number(connection, committed).await == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    panic!("no commit happened");
}

/// The store has a connection, however long that took.
async fn reached(store: &keyhaven_storage_postgres::PostgresStore) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.ping().await.is_err() {
        assert!(Instant::now() < deadline, "never reached");
    }
}

/// A server that says nothing is given up in time, and its connection is not used again.
#[tokio::test]
async fn silence_is_an_error_in_time() {
    let (database, _) = with_anna().await;
    let proxy = Proxy::before(database.url()).await;
    let mut options = options(&proxy.url);
    options.statement_timeout = Duration::from_secs(1);
    let store = keyhaven_storage_postgres::PostgresStore::open(&options)
        .await
        .unwrap();
    reached(&store).await;

    proxy.set(KEEP_ANSWERS);
    let began = Instant::now();
    let silent = store.commit_assertion(login(0)).await.unwrap_err();
    assert!(
        reason(&silent).contains("no answer within 2s"),
        "{}",
        reason(&silent)
    );
    assert!(began.elapsed() < Duration::from_secs(20));
    proxy.set(PASS);
    store.ping().await.unwrap();
    assert!(store.username_exists("anna").await.unwrap());
}

/// A row that somebody holds is waited for, but not for ever; then nothing was written.
#[tokio::test]
async fn a_lock_held_elsewhere_is_an_error_in_time() {
    let (database, _) = with_anna().await;
    let mut options = options(database.url());
    // The store gives up after twice as long: the server's word comes first, on a busy machine, too.
    options.statement_timeout = Duration::from_secs(2);
    let store = keyhaven_storage_postgres::PostgresStore::open(&options)
        .await
        .unwrap();
    let mut other = raw(database.url()).await;
    other.execute("BEGIN").await.unwrap();
    other.execute("SELECT FROM credentials FOR UPDATE").await.unwrap();
    let refused = store.commit_assertion(login(0)).await.unwrap_err();
    assert!(reason(&refused).contains("timeout"), "{}", reason(&refused));
    // Reading goes on meanwhile.
    assert!(store.username_exists("anna").await.unwrap());
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(number(&mut other, "SELECT sign_count FROM credentials").await, 0);
    assert_eq!(
        store.commit_assertion(login(0)).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// What the server rolls back for the sake of another is tried again.
#[tokio::test]
async fn a_deadlock_is_tried_again() {
    let (database, store) = with_anna().await;
    let mut other = raw(database.url()).await;
    // The other one has more patience: it is the store that is rolled back.
    other.execute("SET deadlock_timeout = '1min'").await.unwrap();
    other.execute("BEGIN").await.unwrap();
    other.execute("SELECT FROM credentials FOR UPDATE").await.unwrap();
    let login = tokio::spawn({
        let store = store.clone();
        async move { store.commit_assertion(login(0)).await }
    });
    comes_to_wait(&mut other, &login).await;
    other
        .execute("UPDATE accounts SET display_name = 'Anna B.'")
        .await
        .unwrap();
    other.execute("COMMIT").await.unwrap();
    assert_eq!(login.await.unwrap().unwrap(), AssertionOutcome::Committed);
    assert_eq!(number(&mut other, "SELECT count(*) FROM audit_events").await, 2);
}

/// A client that goes away drops its request wherever it stands: the commit happened whole or not at all, and the
/// connection is not lent to others half-used.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_abandoned_commit_holds_nothing() {
    let (database, store) = with_anna().await;
    let mut connection = raw(database.url()).await;
    let (mut count, mut abandoned) = (0, 0);
    // How long a commit is waited for: longer after one that was abandoned, shorter after one that got through, so that
    // on machines of any speed it comes to lie about where commits end.
    let mut patience = Duration::from_micros(500);
    for _ in 0..200 {
        if count >= 20 && abandoned >= 20 {
            break;
        }
        let store = store.clone();
        let commit = login(u8::try_from(count).unwrap());
        let task = tokio::spawn(async move { store.commit_assertion(commit).await });
        tokio::time::sleep(patience).await;
        task.abort();
        if task.await.is_err() {
            abandoned += 1;
            patience = patience * 13 / 10;
        } else {
            patience = patience * 7 / 10;
        }
        // Whatever became of it, it is over when its row can be locked.
        let now = number(&mut connection, "SELECT sign_count FROM credentials FOR UPDATE").await;
        assert!(now == count || now == count + 1);
        count = now;
    }
    assert!(
        count >= 20 && abandoned >= 20,
        "{count} committed, {abandoned} abandoned"
    );
    // In one look: the last of them may still be under way.
    let mismatch = "SELECT sign_count + 1 - (SELECT count(*) FROM sessions) FROM credentials";
    assert_eq!(number(&mut connection, mismatch).await, 0);
    let mismatch = "SELECT sign_count + 1 - (SELECT count(*) FROM audit_events) FROM credentials";
    assert_eq!(number(&mut connection, mismatch).await, 0);
}

/// The server goes away and comes back: errors meanwhile, at most one after it, and everything confirmed is there.
#[tokio::test]
async fn the_server_may_come_back() {
    let mut server = Postgres::start().unwrap();
    let store = open(&server.url("postgres")).await;
    register_anna(&store).await;
    // Several connections, so that several are dead afterwards.
    let pings = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.ping().await.unwrap() })
    });
    for ping in pings.collect::<Vec<_>>() {
        ping.await.unwrap();
    }
    server.stop();
    store.ping().await.unwrap_err();
    store.commit_assertion(login(0)).await.unwrap_err();
    store.login_candidates("anna").await.unwrap_err();

    server.run().unwrap();
    let _ = store.ping().await;
    for _ in 0..16 {
        store.ping().await.unwrap();
    }
    assert_eq!(
        store.commit_assertion(login(0)).await.unwrap(),
        AssertionOutcome::Committed
    );

    // Stopped and started between two requests, it costs one of them.
    server.stop();
    server.run().unwrap();
    let _ = store.ping().await;
    assert_eq!(
        store.commit_assertion(login(1)).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// A database that can only be read (full, or a standby by now) refuses writes as errors, and answers reads.
#[tokio::test]
async fn a_read_only_database_is_an_error() {
    let (database, store) = with_anna().await;
    let name = database.url().rsplit_once('/').unwrap().1;
    let mut connection = raw(database.url()).await;
    for sql in [
        &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()",
    ] {
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    }
    let _ = store.ping().await;
    for _ in 0..2 {
        let refused = store.commit_assertion(login(0)).await.unwrap_err();
        assert!(reason(&refused).contains("read-only"), "{}", reason(&refused));
        let refused = store.append_event(event(7)).await.unwrap_err();
        assert!(reason(&refused).contains("read-only"), "{}", reason(&refused));
        assert!(store.username_exists("anna").await.unwrap());
    }
    let writable = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    connection.execute(AssertSqlSafe(writable)).await.unwrap();
    // A connection that refused to write is not used again.
    store.append_event(event(7)).await.unwrap_err();
    assert_eq!(
        store.commit_assertion(login(0)).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// Every connection taken: a clear error in time; and a closed store lends nothing.
#[tokio::test]
async fn too_few_connections_are_an_error_in_time() {
    let (database, _) = with_anna().await;
    let mut options = options(database.url());
    options.connections = 1;
    options.acquire_timeout = Duration::from_millis(300);
    options.statement_timeout = Duration::from_secs(60);
    let store = keyhaven_storage_postgres::PostgresStore::open(&options)
        .await
        .unwrap();
    reached(&store).await;
    let mut other = raw(database.url()).await;
    other.execute("BEGIN").await.unwrap();
    other.execute("SELECT FROM accounts FOR UPDATE").await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.commit_assertion(login(0)).await }
    });
    comes_to_wait(&mut other, &waiting).await;
    let refused = store.ping().await.unwrap_err();
    assert!(
        reason(&refused).contains("no connection within 300ms"),
        "{}",
        reason(&refused)
    );
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), AssertionOutcome::Committed);
    store.ping().await.unwrap();
    store.close().await;
    assert!(reason(&store.ping().await.unwrap_err()).contains("closed"));
}

/// Only events come from the replica, and from the primary where it is away.
#[tokio::test]
async fn only_lists_that_may_be_old_come_from_the_replica() {
    let (database, _) = with_anna().await;
    let elsewhere = Database::fresh();
    let replica = open(elsewhere.url()).await;
    replica.append_event(event(77)).await.unwrap();
    let account = anna().credential.account;

    let both = options(database.url()).with_replica(elsewhere.url()).unwrap();
    let both = keyhaven_storage_postgres::PostgresStore::open(&both)
        .await
        .unwrap();
    assert_eq!(both.events_of(account, None, 10).await.unwrap(), [event(77)]);
    assert!(both.account(account).await.unwrap().is_some());
    assert!(both.username_exists("anna").await.unwrap());

    let nobody = format!("postgres://nobody@127.0.0.1:{}/nothing", free_port());
    let alone = options(database.url()).with_replica(&nobody).unwrap();
    let alone = keyhaven_storage_postgres::PostgresStore::open(&alone)
        .await
        .unwrap();
    assert_eq!(alone.events_of(account, None, 10).await.unwrap(), [event(1)]);
}
