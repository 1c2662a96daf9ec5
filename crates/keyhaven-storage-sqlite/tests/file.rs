//! The file itself: who may read it, who may open it, and what it refuses to hold.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::error::Error as _;
use std::path::{Path, PathBuf};

use keyhaven_storage::{
    Account, AccountId, AccountStore as _, AssertionCommit, AssertionOutcome, AuditEvent, AuditLogStore as _,
    AuditOutcome, AuditStore as _, Credential, CredentialStore as _, CredentialTraits, Deletion,
    DeletionGround, DeletionOutcome, Ending, EventId, NewRegistration, PrivacyStore as _,
    RegistrationAccount, RegistrationOutcome, Remembered, Session, SessionId, StorageError, StoredEvent,
    TokenHash,
};
use keyhaven_storage_sqlite::{SqliteOptions, SqliteStore};
use keyhaven_types::{Aaguid, CoseAlgorithm, CredentialId, RpId, SignCount, UnixTime, UserHandle};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};
use tempfile::TempDir;
use uuid::Uuid;

fn fresh() -> (TempDir, SqliteOptions) {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(directory.path().join("keyhaven.db"));
    (directory, options)
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
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

const AT: UnixTime = UnixTime::from_millis(1_790_000_000_000);

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

fn anna() -> NewRegistration {
    let account = Account {
        id: AccountId(Uuid::from_u128(1)),
        user_handle: UserHandle::try_from(&[1; 32][..]).unwrap(),
        username: "anna".into(),
        display_name: "Anna".into(),
        email: Some("Anna@Example.org".into()),
        email_verified: true,
        active: true,
        role: keyhaven_storage::Role::User,
        created_at: AT,
        updated_at: AT,
        last_login_at: None,
    };
    let credential = Credential {
        id: CredentialId::try_from(&[1; 16][..]).unwrap(),
        account: account.id,
        rp_id: RpId::new("example.org").unwrap(),
        public_key: vec![1; 77],
        algorithm: CoseAlgorithm::ES256,
        sign_count: SignCount(0),
        aaguid: Aaguid::ZERO,
        transports: Vec::new(),
        backup_eligible: false,
        backup_state: false,
        uv_initialized: true,
        pin: false,
        attestation_format: "none".into(),
        attestation_type: "none".into(),
        attestation_trusted: false,
        attestation_hardware: false,
        device_name: "Key".into(),
        user_agent: None,
        created_at: AT,
        last_used_at: None,
        active: true,
        inactive_reason: None,
        traits: CredentialTraits::default(),
    };
    NewRegistration {
        session: Some(session(1, &credential)),
        account: RegistrationAccount::New(account),
        credential,
        ends: Ending::Nothing,
        claim: None,
        recovery: None,
        password: None,
        client_key: None,
        reserved_id: false,
        audit: event(1).into(),
    }
}

fn session(n: u8, credential: &Credential) -> Session {
    Session {
        id: SessionId(Uuid::from_u128(u128::from(n))),
        account: credential.account,
        token_family: TokenHash([n; 32]),
        token_hash: TokenHash([n; 32]),
        previous_token: None,
        earlier_tokens: Vec::new(),
        created_at: AT,
        last_seen_at: AT,
        expires_at: UnixTime::from_millis(i64::MAX),
        authenticated_at: AT,
        aal: 2,
        amr: vec!["hwk".into()],
        credential: Some(credential.id.clone()),
        user_agent: None,
        ip: None,
    }
}

async fn with_anna() -> (TempDir, PathBuf, SqliteStore) {
    let (directory, options) = fresh();
    let store = SqliteStore::open(&options).await.unwrap();
    assert_eq!(
        store.commit_registration(anna()).await.unwrap(),
        RegistrationOutcome::Committed
    );
    (directory, options.path, store)
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file_and_its_log() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, path, store) = with_anna().await;
    let mut names = Vec::new();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{file:?}"
        );
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["keyhaven.db", "keyhaven.db-shm", "keyhaven.db-wal"]);

    // Closed, it is one file again.
    store.close().await;
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(path.exists());
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let (_directory, path, store) = with_anna().await;
    let mut connection = raw(&path).await;
    let before = number(&mut connection, "PRAGMA schema_version").await;
    store.migrate().await.unwrap();
    SqliteStore::open(&SqliteOptions::new(&path)).await.unwrap();
    assert_eq!(number(&mut connection, "PRAGMA schema_version").await, before);
    assert!(store.username_exists("anna").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stores_that_start_together_on_a_new_file_all_start() {
    for _ in 0..5 {
        let (_directory, options) = fresh();
        let opening: Vec<_> = (0..8)
            .map(|n| {
                let options = options.clone();
                tokio::spawn(async move {
                    let store = SqliteStore::open(&options).await?;
                    store.append_event(event(n)).await?;
                    Ok::<_, StorageError>(store)
                })
            })
            .collect();
        for store in opening {
            store.await.unwrap().unwrap();
        }
        let mut connection = raw(&options.path).await;
        assert_eq!(
            number(&mut connection, "SELECT count(*) FROM audit_events").await,
            8
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_share_one_file_and_one_sign_count() {
    let (_directory, path, first) = with_anna().await;
    let second = SqliteStore::open(&SqliteOptions::new(&path)).await.unwrap();
    let NewRegistration { credential, .. } = anna();
    let stored = second.credential(&credential.id).await.unwrap().unwrap();

    let logins: Vec<_> = (10..42)
        .map(|n| {
            let store = if n % 2 == 0 { first.clone() } else { second.clone() };
            let login = AssertionCommit {
                credential: credential.id.clone(),
                account: credential.account,
                expected_sign_count: SignCount(0),
                expected: Remembered::of(&stored),
                new_sign_count: SignCount(u32::from(n)),
                backup_eligible: false,
                backup_state: false,
                used_at: AT,
                factors: None,
                session: Some(session(n, &credential)),
                grant: None,
                rotation: None,
                ends_session: None,
                audit: event(u128::from(n)).into(),
            };
            tokio::spawn(async move { store.commit_assertion(login).await.unwrap() })
        })
        .collect();
    let mut outcomes = Vec::new();
    for login in logins {
        outcomes.push(login.await.unwrap());
    }
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    assert_eq!(count(AssertionOutcome::Committed), 1);
    assert_eq!(count(AssertionOutcome::RecordChanged), 31);
}

#[tokio::test]
async fn a_newer_schema_for_newer_versions_is_refused_and_left_alone() {
    let (_directory, path, store) = with_anna().await;
    store.close().await;
    raw(&path)
        .await
        .execute("UPDATE schema_compatibility SET oldest = 9999")
        .await
        .unwrap();
    raw(&path)
        .await
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'from the future', TRUE, x'00', 1);
            UPDATE schema_compatibility SET oldest = 9999",
        )
        .await
        .unwrap();
    let refused = SqliteStore::open(&SqliteOptions::new(&path)).await.unwrap_err();
    assert_eq!(refused.operation, "store.migrate");
    assert!(
        reason(&refused).contains("newer version of Keyhaven (schema 9999"),
        "{}",
        reason(&refused)
    );
    assert_eq!(
        number(&mut raw(&path).await, "SELECT count(*) FROM accounts").await,
        1
    );
}

#[tokio::test]
async fn a_schema_that_was_altered_is_refused() {
    let (_directory, path, store) = with_anna().await;
    store.close().await;
    raw(&path)
        .await
        .execute("UPDATE _sqlx_migrations SET checksum = x'00'")
        .await
        .unwrap();
    assert!(SqliteStore::open(&SqliteOptions::new(&path)).await.is_err());
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let (directory, options) = fresh();
    let text = "not a database, but somebody's only copy of something. ".repeat(100);
    std::fs::write(&options.path, &text).unwrap();
    let refused = SqliteStore::open(&options).await.unwrap_err();
    assert!(
        reason(&refused).contains("not a database"),
        "{}",
        reason(&refused)
    );
    assert_eq!(std::fs::read_to_string(&options.path).unwrap(), text);

    assert!(
        SqliteStore::open(&SqliteOptions::new(directory.path()))
            .await
            .is_err()
    );
    let nowhere = directory.path().join("missing").join("keyhaven.db");
    assert!(SqliteStore::open(&SqliteOptions::new(nowhere)).await.is_err());
}

/// Where permissions bind (they do not bind root): a file that may only be read is an error, not a panic.
#[cfg(unix)]
#[tokio::test]
async fn a_read_only_file_is_an_error() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, path, store) = with_anna().await;
    store.close().await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let binding = std::fs::OpenOptions::new().append(true).open(&path).is_err();
    let opened = SqliteStore::open(&SqliteOptions::new(&path)).await;
    if binding {
        assert!(opened.is_err());
    }
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(
        number(&mut raw(&path).await, "SELECT count(*) FROM accounts").await,
        1
    );
}

#[tokio::test]
async fn a_damaged_value_is_an_error() {
    let (_directory, path, store) = with_anna().await;
    raw(&path)
        .await
        .execute("UPDATE credentials SET transports = '[1]'")
        .await
        .unwrap();
    let damaged = store.login_candidates("anna").await.unwrap_err();
    assert!(reason(&damaged).contains("damaged"), "{}", reason(&damaged));
}

#[tokio::test]
async fn wrong_states_cannot_be_stored() {
    let (_directory, path, _store) = with_anna().await;
    let mut connection = raw(&path).await;
    for sealed in [
        "INSERT INTO audit_batches VALUES (1, 0, 1, 1, zeroblob(32), zeroblob(32), '00000000', zeroblob(64))",
        "INSERT INTO audit_members SELECT 1, 0, id, zeroblob(32) FROM audit_events",
        "INSERT INTO audit_batches VALUES (2, 0, 1, 2, zeroblob(32), randomblob(32), '00000000', zeroblob(64))",
        "INSERT INTO audit_keys VALUES ('00000000', 'key', x'00', 0, NULL, NULL)",
    ] {
        connection.execute(sealed).await.unwrap();
    }
    connection
        .execute(
            "INSERT INTO accounts (id, user_handle, username, username_key, display_name, email, email_key,
                email_verified, active, created_at, updated_at)
            VALUES (x'00000000000000000000000000000002', x'02', 'berta', 'berta', 'Berta', 'anna@example.org',
                'anna@example.org', 0, 1, 0, 0)",
        )
        .await
        .unwrap();
    for wrong in [
        // WebAuthn L3 §6.1 and §6.1.1.
        "UPDATE credentials SET backup_state = 1",
        "UPDATE credentials SET sign_count = -1",
        "UPDATE credentials SET sign_count = 4294967296",
        // Keys and identities.
        "UPDATE credentials SET public_key = x'00'",
        "UPDATE credentials SET algorithm = -257",
        "UPDATE credentials SET rp_id = 'evil.example'",
        "UPDATE credentials SET account_id = x'00000000000000000000000000000002'",
        "UPDATE credentials SET credential_id = x''",
        "UPDATE credentials SET credential_id = zeroblob(1024)",
        "UPDATE credentials SET aaguid = x'00'",
        "UPDATE accounts SET user_handle = x'03'",
        "UPDATE accounts SET id = x'00000000000000000000000000000003' WHERE username = 'berta'",
        "UPDATE accounts SET username = 'anna', username_key = 'anna' WHERE username = 'berta'",
        // Addresses belong to whoever proved them, whatever their case.
        "UPDATE accounts SET email_verified = 1 WHERE username = 'berta'",
        "UPDATE accounts SET email = NULL, email_key = NULL WHERE username = 'anna'",
        "UPDATE accounts SET email = 'ANNA@example.org', email_key = 'ANNA@example.org', email_verified = 1
            WHERE username = 'berta'",
        // What a text is looked up by is the text, or the beginning of an encrypted one.
        "UPDATE accounts SET username = 'clara' WHERE username = 'berta'",
        "UPDATE accounts SET username_key = 'clara' WHERE username = 'berta'",
        "UPDATE accounts SET username = char(1) || printf('%060d', 0) WHERE username = 'berta'",
        "UPDATE accounts SET username = char(1) || printf('%060d', 0), username_key = char(1) || printf('%060d', 0)
            WHERE username = 'berta'",
        "UPDATE accounts SET username = char(1) || printf('%060d', 0), username_key = char(1) || printf('%048d', 1)
            WHERE username = 'berta'",
        "UPDATE accounts SET email = 'other@example.org' WHERE username = 'berta'",
        "UPDATE accounts SET email_key = 'other@example.org' WHERE username = 'berta'",
        "UPDATE accounts SET email = NULL WHERE username = 'berta'",
        "UPDATE accounts SET email_key = NULL WHERE username = 'berta'",
        "UPDATE accounts SET email = char(1) || printf('%060d', 0) WHERE username = 'berta'",
        "UPDATE accounts SET email = char(1) || printf('%060d', 0), email_key = char(1) || printf('%048d', 1)
            WHERE username = 'berta'",
        "INSERT INTO accounts (id, user_handle, username, username_key, display_name, email_verified, active,
            created_at, updated_at)
            VALUES (x'00000000000000000000000000000003', x'03', 'clara', 'dora', 'Clara', 0, 1, 0, 0)",
        "INSERT INTO accounts (id, user_handle, username_key, display_name, email_verified, active, created_at,
            updated_at)
            VALUES (x'00000000000000000000000000000003', x'03', 'clara', 'Clara', 0, 1, 0, 0)",
        "INSERT INTO accounts (id, user_handle, username, username_key, email_verified, active, created_at, updated_at)
            VALUES (x'00000000000000000000000000000003', x'03', 'clara', 'clara', 0, 1, 0, 0)",
        // An encrypted text has a body, and its bounds.
        "UPDATE accounts SET username = char(1) || printf('%048d', 0), username_key = char(1) || printf('%048d', 0)
            WHERE username = 'berta'",
        "UPDATE accounts SET username = char(1) || printf('%02048d', 0), username_key = char(1) || printf('%048d', 0)
            WHERE username = 'berta'",
        "UPDATE accounts SET display_name = char(1)",
        "UPDATE accounts SET display_name = char(1) || printf('%02048d', 0)",
        "UPDATE credentials SET device_name = char(1)",
        "UPDATE credentials SET device_name = char(1) || printf('%02048d', 0)",
        "UPDATE credentials SET user_agent = char(1)",
        "UPDATE credentials SET user_agent = char(1) || printf('%02048d', 0)",
        "UPDATE sessions SET ip = char(1)",
        "UPDATE sessions SET ip = char(1) || printf('%02048d', 0)",
        "UPDATE sessions SET user_agent = char(1)",
        "UPDATE sessions SET user_agent = char(1) || printf('%02048d', 0)",
        "INSERT INTO address_claims SELECT id, char(1) || printf('%048d', 0), zeroblob(32), zeroblob(32), 0, 0, 0, 0
            FROM accounts",
        "INSERT INTO address_claims SELECT id, 'a@', zeroblob(32), zeroblob(32), 0, 0, 0, 0 FROM accounts",
        "INSERT INTO address_claims SELECT id, printf('%0255d', 0), zeroblob(32), zeroblob(32), 0, 0, 0, 0
            FROM accounts",
        // One in the clear is as long as it says what it is.
        "UPDATE accounts SET username = printf('%051d', 0), username_key = printf('%051d', 0) WHERE username = 'berta'",
        "UPDATE accounts SET email = 'a@', email_key = 'a@' WHERE username = 'berta'",
        "UPDATE accounts SET email = printf('%0256d', 0), email_key = printf('%0256d', 0) WHERE username = 'berta'",
        "UPDATE accounts SET display_name = printf('%065d', 0)",
        "UPDATE credentials SET device_name = ''",
        "UPDATE credentials SET device_name = NULL",
        "UPDATE credentials SET device_name = printf('%065d', 0)",
        "UPDATE credentials SET user_agent = printf('%0257d', 0)",
        "UPDATE sessions SET ip = printf('%065d', 0)",
        "UPDATE sessions SET user_agent = printf('%0257d', 0)",
        "INSERT INTO credentials (credential_id, account_id, rp_id, public_key, algorithm, sign_count, aaguid,
                transports, backup_eligible, backup_state, uv_initialized, attestation_format, attestation_type,
                attestation_trusted, created_at, active)
            SELECT x'02', account_id, rp_id, public_key, algorithm, sign_count, aaguid, transports, 0, 0, 1,
                attestation_format, attestation_type, 0, 0, 0
            FROM credentials",
        "INSERT INTO encryption_keys VALUES (x'000000', x'00')",
        "INSERT INTO encryption_keys VALUES (x'00000000', x'')",
        "INSERT INTO encryption_keys VALUES (x'00000000', zeroblob(257))",
        "UPDATE encryption_state SET all_encrypted = 2",
        "INSERT INTO encryption_state VALUES (2, 0)",
        // Lengths, ranges and booleans.
        "UPDATE accounts SET username = '', username_key = ''",
        "UPDATE accounts SET display_name = ''",
        "UPDATE accounts SET active = 2",
        "UPDATE accounts SET is_admin = 2",
        "INSERT INTO account_locks SELECT id, '', 0 FROM accounts",
        "INSERT INTO enrolments SELECT id, x'00', 0, 0 FROM accounts",
        "UPDATE accounts SET has_passkey = NULL",
        "UPDATE accounts SET created_at = 'yesterday'",
        "UPDATE credentials SET active = -1",
        "UPDATE credentials SET attestation_type = 'certified'",
        "UPDATE credentials SET transports = '{}'",
        "UPDATE credentials SET transports = 'usb'",
        "UPDATE sessions SET aal = 0",
        "UPDATE sessions SET aal = 4",
        "UPDATE sessions SET token_hash = x'00'",
        "UPDATE sessions SET token_family_hash = x'00'",
        "UPDATE sessions SET previous_token_hash = zeroblob(32)",
        "UPDATE sessions SET rotated_at = 1",
        "UPDATE sessions SET earlier_tokens = '0'",
        "UPDATE sessions SET earlier_tokens = printf('%02640d', 0)",
        "UPDATE sessions SET earlier_tokens = printf('%079dg', 0)",
        "UPDATE sessions SET account_id = x'00000000000000000000000000000009'",
        "INSERT INTO step_up_grants VALUES (x'00000000000000000000000000000009', 'action', 0)",
        // A session is opened by a credential of its own account.
        "INSERT INTO sessions SELECT x'00000000000000000000000000000004', x'00000000000000000000000000000002',
            zeroblob(32), zeroblob(32), NULL, NULL, 0, 0, 0, 0, 1, '[]', credential_id, NULL, NULL, '' FROM credentials",
        // The log is append-only.
        "UPDATE audit_events SET action = 'nothing'",
        "DELETE FROM audit_events",
        "INSERT INTO audit_events SELECT id, at, action, outcome, code, step, account_id, credential_id,
            session_id, ip, user_agent, request_id, mac, actor, personal FROM audit_events",
        // So is what seals it, and an event goes by pruning alone.
        "UPDATE audit_batches SET total = 2",
        "DELETE FROM audit_batches",
        "UPDATE audit_members SET leaf_index = 1",
        "DELETE FROM audit_members",
        "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_members)",
        "UPDATE audit_keys SET created_at = 1",
        "DELETE FROM audit_keys",
        "INSERT INTO audit_members SELECT 2, 0, event_id, leaf_hash FROM audit_members",
        "INSERT INTO audit_batches SELECT 2, 0, 1001, 2000, root, previous, key_id, signature FROM audit_batches",
    ] {
        let refused = connection.execute(AssertSqlSafe(wrong)).await;
        let refused = refused.expect_err(wrong).into_database_error().expect(wrong);
        let constraint = refused.code().unwrap().parse::<u32>().unwrap() & 0xff;
        assert_eq!(constraint, 19, "{wrong}: {refused}");
    }
}

#[tokio::test]
async fn has_passkey_stays_true_to_the_credentials() {
    let (_directory, path, _store) = with_anna().await;
    let mut connection = raw(&path).await;
    let has_passkey = "SELECT has_passkey FROM accounts";
    assert_eq!(number(&mut connection, has_passkey).await, 1);
    for (change, expected) in [
        ("UPDATE credentials SET active = 0", 0),
        ("UPDATE credentials SET active = 1", 1),
        (
            "INSERT INTO credentials (credential_id, account_id, rp_id, public_key, algorithm, sign_count, aaguid,
                transports, backup_eligible, backup_state, uv_initialized, attestation_format, attestation_type,
                attestation_trusted, device_name, user_agent, created_at, last_used_at, active)
            SELECT x'02', account_id, rp_id, public_key, algorithm, sign_count, aaguid,
                transports, 0, 0, 1, attestation_format, attestation_type, 0, device_name, NULL, 0, NULL, 0
            FROM credentials",
            1,
        ),
        ("DELETE FROM credentials WHERE credential_id <> x'02'", 0),
        ("UPDATE credentials SET active = 1", 1),
        ("DELETE FROM credentials", 0),
    ] {
        connection.execute(change).await.unwrap();
        assert_eq!(number(&mut connection, has_passkey).await, expected, "{change}");
    }
}

#[tokio::test]
async fn an_account_takes_everything_with_it_but_the_log() {
    let (_directory, path, _store) = with_anna().await;
    let mut connection = raw(&path).await;
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

/// A database of the version before has events: they wait to be sealed, as those that come do.
#[tokio::test]
async fn events_from_before_the_sealed_log_are_sealed_too() {
    let (_directory, options) = fresh();
    let mut old = SqliteConnectOptions::new()
        .filename(&options.path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    sqlx::migrate!("../../migrations/sqlite")
        .run_direct(Some(1), &mut old, false)
        .await
        .unwrap();
    let insert = "INSERT INTO audit_events (id, at, action, outcome, mac)
        VALUES (x'00000000000000000000000000000007', 1790000000000, 'test', 'success', zeroblob(32))";
    old.execute(insert).await.unwrap();
    drop(old);
    let store = SqliteStore::open(&options).await.unwrap();
    store.append_event(event(8)).await.unwrap();
    let waiting = store.waiting_events(None, 10).await.unwrap();
    assert_eq!(
        waiting,
        [7, 8].map(|n| (event(n).id, StoredEvent::Whole(event(n))))
    );
}

/// Looking into a database changes nothing, also while a server is running on it; a file that is not there stays so.
#[tokio::test]
async fn a_store_opened_to_read_writes_nothing() {
    let (_directory, options) = fresh();
    assert!(SqliteStore::open_read_only(&options).await.is_err());
    assert!(!options.path.exists());
    let store = SqliteStore::open(&options).await.unwrap();
    store.append_event(event(1)).await.unwrap();
    let reader = SqliteStore::open_read_only(&options).await.unwrap();
    assert_eq!(reader.waiting_events(None, 10).await.unwrap().len(), 1);
    assert!(reader.append_event(event(2)).await.is_err());
    store.append_event(event(2)).await.unwrap();
    assert_eq!(reader.waiting_events(None, 10).await.unwrap().len(), 2);
}

/// Once the log is written back, which closing does, the file holds nothing any more of what was deleted.
#[tokio::test]
async fn a_deleted_account_is_not_in_the_file() {
    let (directory, options) = fresh();
    let store = SqliteStore::open(&options).await.unwrap();
    // Each is said nowhere else, and longer than what is overwritten by chance.
    let personal = [
        "anna-of-the-username",
        "Anna of the display name",
        "anna@address.example",
        "Anna's passkey of that name",
        "Anna's browser of that name",
        "2001:db8:a:b:c:d:e:f",
    ];
    let [username, display_name, email, device_name, user_agent, ip] = personal.map(String::from);
    let mut new = anna();
    let id = new.credential.account;
    if let RegistrationAccount::New(account) = &mut new.account {
        account.username = username;
        account.display_name = display_name;
        account.email = Some(email);
        account.email_verified = false;
    }
    new.credential.device_name = device_name;
    if let Some(session) = &mut new.session {
        session.user_agent = Some(user_agent);
        session.ip = Some(ip);
    }
    let registered = store.commit_registration(new).await.unwrap();
    assert_eq!(registered, RegistrationOutcome::Committed);
    let found = |directory: &Path| -> Vec<&str> {
        let files = std::fs::read_dir(directory).unwrap();
        let bytes: Vec<u8> = files
            .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect();
        let holds = |text: &&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        personal.into_iter().filter(holds).collect()
    };
    store.close().await;
    assert_eq!(found(directory.path()), personal);
    let store = SqliteStore::open(&options).await.unwrap();
    let deletion = Deletion {
        account: id,
        ground: DeletionGround::Unused {
            since: UnixTime::from_millis(AT.as_millis() + 1),
        },
        audit: event(2).into(),
    };
    let deleted = store.delete_account(deletion).await.unwrap();
    assert_eq!(deleted, DeletionOutcome::Deleted);
    store.close().await;
    assert_eq!(found(directory.path()), [""; 0]);
}
