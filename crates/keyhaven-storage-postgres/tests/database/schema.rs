//! What the schema refuses to hold, how it comes about, and how it is searched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyhaven_storage::{AccountStore as _, AuditLogStore as _, AuditStore as _, StorageError, StoredEvent};
use keyhaven_storage_postgres::PostgresStore;
use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::TempDir;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use crate::records::event;
use crate::{comes_to_wait, number, open, options, raw, reason, with_anna};

/// The steps, one per file.
const STEPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres");

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stores_that_start_together_on_a_new_database_all_start() {
    for _ in 0..5 {
        let database = Database::fresh();
        let opening: Vec<_> = (0..8)
            .map(|n| {
                let options = options(database.url());
                tokio::spawn(async move {
                    let store = PostgresStore::open(&options).await?;
                    store.append_event(event(n)).await?;
                    Ok::<_, StorageError>(store)
                })
            })
            .collect();
        for store in opening {
            store.await.unwrap().unwrap();
        }
        let mut connection = raw(database.url()).await;
        assert_eq!(
            number(&mut connection, "SELECT count(*) FROM audit_events").await,
            8
        );
        assert_eq!(
            number(&mut connection, "SELECT count(*) FROM _sqlx_migrations").await,
            i64::try_from(std::fs::read_dir(STEPS).unwrap().count()).unwrap()
        );
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let (database, store) = with_anna().await;
    store.migrate().await.unwrap();
    let again = open(database.url()).await;
    assert!(again.username_exists("anna").await.unwrap());
}

#[tokio::test]
async fn a_newer_schema_for_newer_versions_is_refused_and_left_alone() {
    let (database, _store) = with_anna().await;
    let mut connection = raw(database.url()).await;
    connection
        .execute("UPDATE schema_compatibility SET oldest = 9999")
        .await
        .unwrap();
    connection
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'from the future', TRUE, '\\x00', 1)",
        )
        .await
        .unwrap();
    let refused = PostgresStore::open(&options(database.url())).await.unwrap_err();
    assert_eq!(refused.operation, "store.migrate");
    assert!(
        reason(&refused).contains("newer version of Keyhaven (schema 9999"),
        "{}",
        reason(&refused)
    );
    assert_eq!(refused.reason, "schema");
    assert_eq!(number(&mut connection, "SELECT count(*) FROM accounts").await, 1);
}

/// A later release's step: what this version knows goes on working.
const EXPAND: &str =
    "CREATE TABLE novelties (id bigint PRIMARY KEY); ALTER TABLE accounts ADD COLUMN novelty text;";

/// The steps of this version, and one more.
async fn later_version(step: &str) -> (TempDir, Migrator) {
    let directory = TempDir::new("migrations");
    for file in std::fs::read_dir(STEPS).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
    }
    std::fs::write(directory.path().join("9000_later.sql"), step).unwrap();
    let migrator = Migrator::new(directory.path()).await.unwrap();
    (directory, migrator)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_of_this_version_serve_while_a_later_one_migrates_and_afterwards() {
    let (database, store) = with_anna().await;
    let stop = Arc::new(AtomicBool::new(false));
    let serving = {
        let (store, stop) = (store.clone(), stop.clone());
        tokio::spawn(async move {
            let mut served = 0;
            while !stop.load(Ordering::Relaxed) {
                store.append_event(event(1000 + served)).await?;
                assert!(store.login_candidates("anna").await?.is_some());
                served += 1;
            }
            Ok::<_, StorageError>(served)
        })
    };
    let (_directory, later) = later_version(EXPAND).await;
    let mut connection = raw(database.url()).await;
    later.run_direct(None, &mut connection, false).await.unwrap();
    // One that starts now, one that is told not to migrate, and one that is told to.
    let started = open(database.url()).await;
    let untouching = PostgresStore::open_as_it_is(&options(database.url()))
        .await
        .unwrap();
    store.migrate().await.unwrap();
    for (n, store) in [&store, &started, &untouching].into_iter().enumerate() {
        store
            .append_event(event(1 << 64 | u128::try_from(n).unwrap()))
            .await
            .unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let served = serving.await.unwrap().unwrap();
    assert!(served > 0);
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM audit_events").await,
        // Anna's registration is one as well.
        1 + 3 + i64::try_from(served).unwrap()
    );
}

#[tokio::test]
async fn a_later_step_that_takes_something_away_says_so_and_is_believed() {
    let (database, _store) = with_anna().await;
    let contract = format!("{EXPAND} UPDATE schema_compatibility SET oldest = 9000;");
    let (_directory, later) = later_version(&contract).await;
    let mut connection = raw(database.url()).await;
    later.run_direct(None, &mut connection, false).await.unwrap();
    for refused in [
        PostgresStore::open(&options(database.url())).await.unwrap_err(),
        PostgresStore::open_as_it_is(&options(database.url()))
            .await
            .unwrap_err(),
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
    let database = Database::fresh();
    let refused = PostgresStore::open_as_it_is(&options(database.url()))
        .await
        .unwrap_err();
    assert!(
        reason(&refused).contains("run `keyhaven migrate` first"),
        "{}",
        reason(&refused)
    );
    let mut connection = raw(database.url()).await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(number(&mut connection, tables).await, 0);
    open(database.url()).await;
    let store = PostgresStore::open_as_it_is(&options(database.url()))
        .await
        .unwrap();
    store.append_event(event(1)).await.unwrap();
    connection
        .execute("DELETE FROM _sqlx_migrations WHERE version = 3")
        .await
        .unwrap();
    let refused = PostgresStore::open_as_it_is(&options(database.url())).await;
    assert_eq!(refused.unwrap_err().reason, "schema");
}

#[tokio::test]
async fn a_schema_that_was_altered_is_refused() {
    let (database, _store) = with_anna().await;
    let mut connection = raw(database.url()).await;
    connection
        .execute("UPDATE _sqlx_migrations SET checksum = '\\x00'")
        .await
        .unwrap();
    assert!(PostgresStore::open(&options(database.url())).await.is_err());
}

#[tokio::test]
async fn a_damaged_value_is_an_error() {
    let (database, store) = with_anna().await;
    let mut connection = raw(database.url()).await;
    connection
        .execute("UPDATE credentials SET transports = '[1]'")
        .await
        .unwrap();
    let damaged = store.login_candidates("anna").await.unwrap_err();
    assert!(reason(&damaged).contains("damaged"), "{}", reason(&damaged));
}

#[tokio::test]
async fn wrong_states_cannot_be_stored() {
    let (database, _store) = with_anna().await;
    let mut connection = raw(database.url()).await;
    let zeros = |n: u32| format!("decode(repeat('00', {n}), 'hex')");
    for sealed in [
        format!(
            "INSERT INTO audit_batches VALUES (1, 0, 1, 1, {}, {}, '00000000', {})",
            zeros(32),
            zeros(32),
            zeros(64)
        ),
        format!(
            "INSERT INTO audit_members SELECT 1, 0, id, {} FROM audit_events",
            zeros(32)
        ),
        format!(
            "INSERT INTO audit_keys VALUES ('00000000', 'key', {}, 0, NULL, NULL)",
            zeros(1)
        ),
    ] {
        connection.execute(AssertSqlSafe(sealed)).await.unwrap();
    }
    connection
        .execute(
            "INSERT INTO accounts (id, user_handle, username, display_name, email, email_verified, active, created_at,
                updated_at)
            VALUES ('00000000-0000-0000-0000-000000000002', '\\x02', 'berta', 'Berta', 'anna@example.org', false, true,
                0, 0)",
        )
        .await
        .unwrap();
    for wrong in [
        // WebAuthn L3 §6.1 and §6.1.1.
        "UPDATE credentials SET backup_state = true",
        "UPDATE credentials SET sign_count = -1",
        "UPDATE credentials SET sign_count = 4294967296",
        // Keys and identities.
        "UPDATE credentials SET public_key = '\\x00'",
        "UPDATE credentials SET algorithm = -257",
        "UPDATE credentials SET rp_id = 'evil.example'",
        "UPDATE credentials SET account_id = '00000000-0000-0000-0000-000000000002'",
        "UPDATE credentials SET credential_id = ''",
        "UPDATE credentials SET credential_id = decode(repeat('00', 1024), 'hex')",
        "UPDATE credentials SET aaguid = '00000000-0000-0000-0000-000000000009'",
        "UPDATE accounts SET user_handle = '\\x03'",
        "UPDATE accounts SET id = '00000000-0000-0000-0000-000000000003' WHERE username = 'berta'",
        "UPDATE accounts SET username = 'anna' WHERE username = 'berta'",
        // Addresses belong to whoever proved them, whatever their case.
        "UPDATE accounts SET email_verified = true WHERE username = 'berta'",
        "UPDATE accounts SET email = NULL WHERE username = 'anna'",
        "UPDATE accounts SET email = 'ANNA@example.org', email_verified = true WHERE username = 'berta'",
        // What an encrypted text is looked up by is its beginning.
        "UPDATE accounts SET username = chr(1) || repeat('0', 48) || id::text",
        "UPDATE accounts SET email = chr(1) || repeat('0', 48) || id::text, email_verified = true",
        // It has a body, and its bounds.
        "UPDATE accounts SET username = chr(1) || repeat('0', 48) WHERE username = 'berta'",
        "UPDATE accounts SET username = chr(1) || repeat('0', 2048) WHERE username = 'berta'",
        "UPDATE accounts SET email = chr(1) || repeat('0', 48) WHERE username = 'berta'",
        "UPDATE accounts SET email = chr(1) || repeat('0', 2048) WHERE username = 'berta'",
        "UPDATE accounts SET display_name = chr(1)",
        "UPDATE accounts SET display_name = chr(1) || repeat('0', 2048)",
        "UPDATE credentials SET device_name = chr(1)",
        "UPDATE credentials SET device_name = chr(1) || repeat('0', 2048)",
        "UPDATE credentials SET user_agent = chr(1)",
        "UPDATE credentials SET user_agent = chr(1) || repeat('0', 2048)",
        "UPDATE sessions SET ip = chr(1)",
        "UPDATE sessions SET ip = chr(1) || repeat('0', 2048)",
        "UPDATE sessions SET user_agent = chr(1)",
        "UPDATE sessions SET user_agent = chr(1) || repeat('0', 2048)",
        "INSERT INTO address_claims (account_id, address, address_hash, token_hash, token_expires_at, mails, mailed_at,
            expires_at)
        SELECT id, chr(1) || repeat('0', 48), sha256(''), sha256(''), 0, 0, 0, 0 FROM accounts",
        "INSERT INTO address_claims (account_id, address, address_hash, token_hash, token_expires_at, mails, mailed_at,
            expires_at)
        SELECT id, 'a@', sha256(''), sha256(''), 0, 0, 0, 0 FROM accounts",
        "INSERT INTO address_claims (account_id, address, address_hash, token_hash, token_expires_at, mails, mailed_at,
            expires_at)
        SELECT id, repeat('a', 255), sha256(''), sha256(''), 0, 0, 0, 0 FROM accounts",
        // One in the clear is as long as it says what it is.
        "UPDATE accounts SET email = 'a@' WHERE username = 'berta'",
        "UPDATE accounts SET email = repeat('a', 256) WHERE username = 'berta'",
        "UPDATE accounts SET display_name = repeat('a', 65)",
        "UPDATE credentials SET device_name = ''",
        "UPDATE credentials SET device_name = repeat('a', 65)",
        "UPDATE credentials SET user_agent = repeat('a', 257)",
        "UPDATE sessions SET ip = repeat('a', 65)",
        "UPDATE sessions SET user_agent = repeat('a', 257)",
        "INSERT INTO encryption_keys VALUES ('\\x000000', '\\x00')",
        "INSERT INTO encryption_keys VALUES ('\\x00000000', '')",
        "INSERT INTO encryption_keys VALUES ('\\x00000000', decode(repeat('00', 257), 'hex'))",
        "INSERT INTO encryption_state VALUES (false, false)",
        // Lengths and ranges.
        "UPDATE accounts SET username = ''",
        "UPDATE accounts SET username = repeat('ü', 51)",
        "UPDATE accounts SET display_name = ''",
        "UPDATE accounts SET created_at = NULL",
        "UPDATE credentials SET active = NULL",
        "UPDATE credentials SET attestation_type = 'certified'",
        "UPDATE credentials SET transports = '{}'",
        "UPDATE sessions SET aal = 0",
        "UPDATE sessions SET aal = 4",
        "UPDATE sessions SET token_hash = '\\x00'",
        "UPDATE sessions SET token_family_hash = '\\x00'",
        "UPDATE sessions SET previous_token_hash = decode(repeat('00', 32), 'hex')",
        "UPDATE sessions SET rotated_at = 1",
        "UPDATE sessions SET earlier_tokens = '0'",
        "UPDATE sessions SET earlier_tokens = repeat('0', 2640)",
        "UPDATE sessions SET earlier_tokens = repeat('0', 79) || 'g'",
        "UPDATE sessions SET account_id = '00000000-0000-0000-0000-000000000009'",
        "INSERT INTO step_up_grants VALUES ('00000000-0000-0000-0000-000000000009', 'action', 0)",
        // A session is opened by a credential of its own account.
        "UPDATE sessions SET account_id = '00000000-0000-0000-0000-000000000002'",
        "INSERT INTO sessions SELECT '00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000002',
            decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), NULL, NULL, 0, 0, 0, 0, 1, '[]', credential_id, NULL, NULL
        FROM credentials",
        // The log is append-only.
        "UPDATE audit_events SET action = 'nothing'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "INSERT INTO audit_events (id, at, action, outcome, mac) SELECT id, at, action, outcome, mac
        FROM audit_events",
        "INSERT INTO audit_events (id, at, action, outcome, mac)
        SELECT gen_random_uuid(), at, action, 'perhaps', mac FROM audit_events",
        // So is what seals it, and an event goes by pruning alone.
        "UPDATE audit_batches SET total = 2",
        "DELETE FROM audit_batches",
        "TRUNCATE audit_batches",
        "UPDATE audit_members SET leaf_index = 1",
        "DELETE FROM audit_members",
        "TRUNCATE audit_members",
        "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_members)",
        "UPDATE audit_keys SET created_at = 1",
        "DELETE FROM audit_keys",
        "TRUNCATE audit_keys",
        "TRUNCATE audit_prunes",
        "INSERT INTO audit_members SELECT 2, 0, event_id, leaf_hash FROM audit_members",
        "INSERT INTO audit_batches SELECT 2, 0, 1001, 2000, root, '\\x00', key_id, signature FROM audit_batches",
    ] {
        let refused = connection.execute(wrong).await;
        let refused = refused.expect_err(wrong).into_database_error().expect(wrong);
        let code = refused.code().unwrap().into_owned();
        assert!(code.starts_with("23"), "{wrong}: {code} {refused}");
    }
}

#[tokio::test]
async fn has_passkey_stays_true_to_the_credentials() {
    let (database, _store) = with_anna().await;
    let mut connection = raw(database.url()).await;
    let has_passkey = "SELECT has_passkey::int FROM accounts";
    assert_eq!(number(&mut connection, has_passkey).await, 1);
    for (change, expected) in [
        ("UPDATE accounts SET has_passkey = false", 1),
        ("UPDATE credentials SET active = false", 0),
        ("UPDATE accounts SET has_passkey = true", 0),
        ("UPDATE credentials SET active = true", 1),
        (
            "INSERT INTO credentials SELECT '\\x02', account_id, rp_id, public_key, algorithm, sign_count, aaguid,
                transports, false, false, true, attestation_format, attestation_type, false, device_name, NULL, 0,
                NULL, false
            FROM credentials",
            1,
        ),
        ("DELETE FROM credentials WHERE credential_id <> '\\x02'", 0),
        ("UPDATE credentials SET active = true", 1),
        ("DELETE FROM credentials", 0),
    ] {
        connection.execute(change).await.unwrap();
        assert_eq!(number(&mut connection, has_passkey).await, expected, "{change}");
    }
}

/// Writers that know nothing of each other, each taking one of the last two credentials away.
#[tokio::test]
async fn has_passkey_stays_true_where_writers_race() {
    let (database, _store) = with_anna().await;
    let mut first = raw(database.url()).await;
    let url = database.url().to_owned();
    first
        .execute(
            "INSERT INTO credentials SELECT '\\x02', account_id, rp_id, public_key, algorithm, sign_count, aaguid,
                transports, false, false, true, attestation_format, attestation_type, false, device_name, NULL, 0,
                NULL, true
            FROM credentials",
        )
        .await
        .unwrap();
    first.execute("BEGIN").await.unwrap();
    first
        .execute("DELETE FROM credentials WHERE credential_id = '\\x02'")
        .await
        .unwrap();
    let second = tokio::spawn(async move {
        let mut second = raw(&url).await;
        second
            .execute("DELETE FROM credentials WHERE credential_id <> '\\x02'")
            .await
            .unwrap();
    });
    comes_to_wait(&mut first, &second).await;
    first.execute("COMMIT").await.unwrap();
    second.await.unwrap();
    assert_eq!(
        number(&mut first, "SELECT has_passkey::int FROM accounts").await,
        0
    );
}

#[tokio::test]
async fn an_account_takes_everything_with_it_but_the_log() {
    let (database, _store) = with_anna().await;
    let mut connection = raw(database.url()).await;
    connection
        .execute("INSERT INTO step_up_grants SELECT id, 'action', 9 FROM sessions")
        .await
        .unwrap();
    connection.execute("DELETE FROM accounts").await.unwrap();
    let left = "SELECT (SELECT count(*) FROM credentials) + (SELECT count(*) FROM sessions)
        + (SELECT count(*) FROM step_up_grants)";
    assert_eq!(number(&mut connection, left).await, 0);
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM audit_events").await,
        1
    );
}

/// Every query can find its rows by an index: where reading whole tables is forbidden, none needs to.
#[tokio::test]
async fn no_query_scans_a_table() {
    let (database, _store) = with_anna().await;
    let mut connection = raw(database.url()).await;
    // As the store sets them.
    for setting in ["enable_seqscan = off", "plan_cache_mode = force_generic_plan"] {
        connection
            .execute(AssertSqlSafe(format!("SET {setting}")))
            .await
            .unwrap();
    }
    let metadata = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let mut seen = 0;
    for file in std::fs::read_dir(metadata).unwrap() {
        let json = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let metadata: serde_json::Value = serde_json::from_str(&json).unwrap();
        let sql = metadata["query"].as_str().unwrap();
        if sql.starts_with("LOCK") {
            continue;
        }
        let parameters = metadata["describe"]["parameters"]["Left"]
            .as_array()
            .unwrap()
            .len();
        let nothing = vec!["NULL"; parameters].join(", ");
        let arguments = if parameters == 0 {
            String::new()
        } else {
            format!("({nothing})")
        };
        for sql in [
            format!("PREPARE q AS {sql}"),
            format!("EXPLAIN EXECUTE q{arguments}"),
            "DEALLOCATE q".to_owned(),
        ] {
            let plan = connection
                .fetch_all(AssertSqlSafe(sql.clone()))
                .await
                .expect(&sql);
            for step in plan {
                let step: String = step.get(0);
                // The few keys may be read whole.
                let few = ["encryption_keys", "signing_keys"];
                assert!(
                    !step.contains("Seq Scan") || few.iter().any(|few| step.contains(few)),
                    "{step}: {sql}"
                );
            }
        }
        seen += 1;
    }
    assert!(seen > 25, "{seen} queries");
}

/// A database of the version before has events: they wait to be sealed, as those that come do.
#[tokio::test]
async fn events_from_before_the_sealed_log_are_sealed_too() {
    let database = Database::fresh();
    let mut old = raw(database.url()).await;
    sqlx::migrate!("../../migrations/postgres")
        .run_direct(Some(1), &mut old, false)
        .await
        .unwrap();
    old.execute(
        "INSERT INTO audit_events (id, at, action, outcome, mac)
        VALUES ('00000000-0000-0000-0000-000000000007', 1790000000000, 'test', 'success', decode(repeat('00', 32), 'hex'))",
    )
    .await
    .unwrap();
    let store = open(database.url()).await;
    store.append_event(event(8)).await.unwrap();
    let waiting = store.waiting_events(None, 10).await.unwrap();
    assert_eq!(waiting.len(), 2);
    assert!(
        waiting
            .iter()
            .all(|(_, event)| matches!(event, StoredEvent::Whole(_)))
    );
}

/// Looking into a database changes nothing.
#[tokio::test]
async fn a_store_opened_to_read_writes_nothing() {
    let (database, store) = with_anna().await;
    let reader = PostgresStore::open_read_only(&options(database.url()))
        .await
        .unwrap();
    assert_eq!(reader.waiting_events(None, 10).await.unwrap().len(), 1);
    assert!(reader.append_event(event(2)).await.is_err());
    store.append_event(event(2)).await.unwrap();
    assert_eq!(reader.waiting_events(None, 10).await.unwrap().len(), 2);
}
