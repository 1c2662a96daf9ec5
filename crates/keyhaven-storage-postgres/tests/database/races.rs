//! Races, with the moment of meeting chosen: each commit has begun, and waits, when what it was begun on changes.

use std::sync::Arc;

use keyhaven_storage::{
    AccountStore as _, AssertionCommit, AssertionOutcome, NewRegistration, RegistrationAccount,
    RegistrationOutcome, SessionStore as _, StepUpGrant, StorageError,
};
use keyhaven_types::{CredentialId, UnixTime};
use sqlx::{Executor as _, PgConnection};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use crate::records::{addition, anna, event, login, session};
use crate::{comes_to_wait, number, open, raw, with_anna};

/// Begins `work`, which must come to wait for `other`; then lets `other` end as told, and answers what came of it.
async fn meanwhile<T>(other: &mut PgConnection, work: JoinHandle<T>, end: &'static str) -> T {
    comes_to_wait(other, &work).await;
    other.execute(end).await.unwrap();
    work.await.unwrap()
}

/// What the verdict is reached on is what is stored when the locks are held, not what was when the statement began.
#[tokio::test]
async fn a_login_judges_what_is_stored_when_it_holds_the_locks() {
    for (change, expected) in [
        (
            "UPDATE credentials SET sign_count = 5",
            AssertionOutcome::RecordChanged,
        ),
        (
            "UPDATE credentials SET active = false",
            AssertionOutcome::CredentialInactive,
        ),
        ("DELETE FROM credentials", AssertionOutcome::CredentialMissing),
        (
            "UPDATE accounts SET active = false",
            AssertionOutcome::AccountLocked,
        ),
        ("DELETE FROM accounts", AssertionOutcome::CredentialMissing),
        (
            "UPDATE accounts SET display_name = 'changed'",
            AssertionOutcome::Committed,
        ),
        (
            "UPDATE accounts SET updated_at = updated_at + 1",
            AssertionOutcome::RecordChanged,
        ),
        (
            "UPDATE credentials SET device_name = 'changed'",
            AssertionOutcome::RecordChanged,
        ),
        (
            "UPDATE credentials SET last_used_at = 9000000000000, transports = '[\"changed\"]'",
            AssertionOutcome::Committed,
        ),
    ] {
        for end in ["COMMIT", "ROLLBACK"] {
            let (database, store) = with_anna().await;
            let mut other = raw(database.url()).await;
            other.execute("BEGIN").await.unwrap();
            other.execute(change).await.unwrap();
            let login = tokio::spawn(async move { store.commit_assertion(login(0)).await.unwrap() });
            let outcome = meanwhile(&mut other, login, end).await;

            let expected = if end == "COMMIT" {
                expected
            } else {
                AssertionOutcome::Committed
            };
            assert_eq!(outcome, expected, "{change}; {end}");
            let committed = i64::from(expected == AssertionOutcome::Committed);
            for (sql, number_expected) in [
                ("SELECT count(*) FROM audit_events", 1 + committed),
                (
                    "SELECT count(*) FROM sessions WHERE token_hash = decode(repeat('0a', 32), 'hex')",
                    committed,
                ),
                ("SELECT count(*) FROM credentials WHERE sign_count = 1", committed),
                (
                    "SELECT count(*) FROM accounts WHERE last_login_at IS NOT NULL",
                    committed,
                ),
            ] {
                assert_eq!(
                    number(&mut other, sql).await,
                    number_expected,
                    "{change}; {end}: {sql}"
                );
            }
            if change.contains("changed") && end == "COMMIT" {
                // What the other wrote is not undone.
                let kept = "SELECT (SELECT count(*) FROM accounts WHERE display_name = 'changed')
                    + (SELECT count(*) FROM credentials
                        WHERE device_name = 'changed' OR transports::text LIKE '%changed%')";
                assert_eq!(number(&mut other, kept).await, 1, "{change}");
            }
            if change.contains("last_used_at") && end == "COMMIT" {
                let last = "SELECT last_used_at FROM credentials";
                assert_eq!(number(&mut other, last).await, 9_000_000_000_000);
            }
        }
    }
}

/// A step-up is not given to a session that ends while it is committed.
#[tokio::test]
async fn a_grant_needs_its_session_when_it_is_given() {
    for (change, expected) in [
        ("DELETE FROM sessions", AssertionOutcome::SessionEnded),
        (
            "UPDATE sessions SET id = gen_random_uuid()",
            AssertionOutcome::SessionEnded,
        ),
    ] {
        for end in ["COMMIT", "ROLLBACK"] {
            let (database, store) = with_anna().await;
            let mut other = raw(database.url()).await;
            other.execute("BEGIN").await.unwrap();
            other.execute(change).await.unwrap();
            let step_up = AssertionCommit {
                session: None,
                grant: Some(StepUpGrant {
                    session: session(1).id,
                    purpose: "action".into(),
                    expires_at: UnixTime::from_millis(i64::MAX),
                }),
                ..login(0)
            };
            let step_up = tokio::spawn(async move { store.commit_assertion(step_up).await.unwrap() });
            let outcome = meanwhile(&mut other, step_up, end).await;
            let expected = if end == "COMMIT" {
                expected
            } else {
                AssertionOutcome::Committed
            };
            assert_eq!(outcome, expected, "{change}; {end}");
            let committed = i64::from(expected == AssertionOutcome::Committed);
            assert_eq!(
                number(&mut other, "SELECT count(*) FROM step_up_grants").await,
                committed
            );
            assert_eq!(
                number(&mut other, "SELECT sign_count FROM credentials").await,
                committed
            );
            assert_eq!(
                number(&mut other, "SELECT count(*) FROM audit_events").await,
                1 + committed
            );
        }
    }
}

/// A name, or a credential id, that another is about to register: whoever commits first has it.
#[tokio::test]
async fn a_registration_waits_for_another_of_the_same_name_or_credential() {
    let berta = || {
        let mut berta = anna();
        if let RegistrationAccount::New(account) = &mut berta.account {
            account.id.0 = uuid::Uuid::from_u128(2);
            account.user_handle = keyhaven_types::UserHandle::try_from(&[2; 32][..]).unwrap();
            account.username = "berta".into();
            account.email_verified = false;
        }
        berta.credential.account.0 = uuid::Uuid::from_u128(2);
        berta.credential.id = CredentialId::try_from(&[2; 16][..]).unwrap();
        NewRegistration {
            session: None,
            audit: event(2).into(),
            ..berta
        }
    };
    for (change, expected) in [
        ("UPDATE accounts SET username = 'berta'", RegistrationOutcome::UsernameTaken),
        (
            "INSERT INTO credentials SELECT decode(repeat('02', 16), 'hex'), account_id, rp_id, public_key, algorithm,
                sign_count, aaguid, transports, false, false, true, attestation_format, attestation_type, false,
                device_name, NULL, 0, NULL, true
            FROM credentials",
            RegistrationOutcome::CredentialExists,
        ),
    ] {
        for end in ["COMMIT", "ROLLBACK"] {
            let (database, store) = with_anna().await;
            let mut other = raw(database.url()).await;
            other.execute("BEGIN").await.unwrap();
            other.execute(change).await.unwrap();
            let registration = berta();
            let registering =
                tokio::spawn(async move { store.commit_registration(registration).await.unwrap() });
            let outcome = meanwhile(&mut other, registering, end).await;
            let expected = if end == "COMMIT" { expected } else { RegistrationOutcome::Committed };
            assert_eq!(outcome, expected, "{change}; {end}");
            let committed = i64::from(expected == RegistrationOutcome::Committed);
            assert_eq!(number(&mut other, "SELECT count(*) FROM accounts").await, 1 + committed);
            assert_eq!(number(&mut other, "SELECT count(*) FROM audit_events").await, 1 + committed);
        }
    }
}

/// An account that is locked, or deleted, while a passkey is added to it takes none.
#[tokio::test]
async fn an_account_takes_a_passkey_only_while_it_is_active() {
    for change in ["UPDATE accounts SET active = false", "DELETE FROM accounts"] {
        for end in ["COMMIT", "ROLLBACK"] {
            let (database, store) = with_anna().await;
            let mut other = raw(database.url()).await;
            other.execute("BEGIN").await.unwrap();
            other.execute(change).await.unwrap();
            let mut another = anna();
            another.account = addition(another.credential.account);
            another.credential.id = CredentialId::try_from(&[2; 16][..]).unwrap();
            another.session = Some(session(2));
            another.audit = event(2).into();
            let adding = tokio::spawn(async move { store.commit_registration(another).await.unwrap() });
            let outcome = meanwhile(&mut other, adding, end).await;
            let expected = match end {
                "COMMIT" => RegistrationOutcome::AccountUnavailable,
                _ => RegistrationOutcome::Committed,
            };
            assert_eq!(outcome, expected, "{change}; {end}");
            let committed = i64::from(expected == RegistrationOutcome::Committed);
            assert_eq!(
                number(&mut other, "SELECT count(*) FROM audit_events").await,
                1 + committed
            );
            let new =
                "SELECT count(*) FROM credentials WHERE credential_id = decode(repeat('02', 16), 'hex')";
            assert_eq!(number(&mut other, new).await, committed);
        }
    }
}

/// As many processes as there are drop what has expired at once: none waits for another, none fails, all is dropped once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_tidy_up_at_once() {
    let (database, store) = with_anna().await;
    let mut connection = raw(database.url()).await;
    for sql in [
        "INSERT INTO sessions (id, account_id, token_family_hash, token_hash, created_at, last_seen_at, expires_at,
            authenticated_at, aal, amr)
        SELECT gen_random_uuid(), (SELECT id FROM accounts), sha256(n::text::bytea), sha256(''), 0, 0,
            CASE WHEN n > 4990 THEN 2000 ELSE 1000 END, 0, 1, '[]'
        FROM generate_series(1, 5000) AS n",
        "INSERT INTO step_up_grants (session_id, purpose, expires_at)
        SELECT id, 'action', 500 FROM sessions WHERE expires_at <= 2000",
    ] {
        connection.execute(sql).await.unwrap();
    }
    let now = UnixTime::from_millis(1000);
    let mut tidying = Vec::new();
    let together = Arc::new(Barrier::new(8));
    for _ in 0..8 {
        let (store, together) = (open(database.url()).await, Arc::clone(&together));
        tidying.push(tokio::spawn(async move {
            let mut dropped = 0;
            together.wait().await;
            loop {
                match store.purge_expired_sessions(now, 100).await? {
                    0 => return Ok::<_, StorageError>(dropped),
                    some => dropped += some,
                }
            }
        }));
    }
    let mut took_part = 0;
    for tidying in tidying {
        took_part += u32::from(tidying.await.unwrap().unwrap() > 0);
    }
    assert!(took_part > 1, "only one did anything");
    // Rows that another process held at the last look are left to it, or to the next time.
    while store.purge_expired_sessions(now, 100).await.unwrap() > 0 {}
    let left = "SELECT count(*) FROM sessions WHERE expires_at <= 2000";
    assert_eq!(number(&mut connection, left).await, 10);
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM step_up_grants").await,
        0
    );
}
