//! A commit that fails on its way leaves nothing behind.

use super::DurableSubject;
use super::samples::{
    PURPOSE, account, addition, another, at, credential_id, event, family, login, newcomer, open_session,
    register, register_signed_in, removal, session, snapshot, step_up, token,
};
use crate::{
    AccountId, Addition, AssertionCommit, AssertionOutcome, AuditEvent, DurableStore, NewRegistration,
    RegistrationAccount, Removal, Session, SessionId, StorageError,
};

/// The commits that write more than one row.
const COMMITS: u8 = 9;

/// An account with everything: two passkeys, two sessions, a grant. Numbers `n` and `n + 1`.
async fn furnish(store: &dyn DurableStore, n: u8) -> (AccountId, SessionId) {
    let (id, own) = register_signed_in(store, n).await;
    register(store, another(id, n + 1)).await;
    open_session(
        store,
        Session {
            credential: Some(credential_id(n + 1)),
            ..session(id, n + 1)
        },
        n + 1,
    )
    .await;
    assert_eq!(
        store.commit_assertion(step_up(id, n, own)).await.unwrap(),
        AssertionOutcome::Committed
    );
    (id, own)
}

/// Tries commit number `commit` on what [`furnish`] made. It would bring passkey, session and token `n + 2`.
async fn attempt(
    store: &dyn DurableStore,
    commit: u8,
    n: u8,
    (id, own): (AccountId, SessionId),
    audit: AuditEvent,
) -> Result<(), StorageError> {
    let opened = Session {
        credential: Some(credential_id(n + 1)),
        ..session(id, n + 2)
    };
    match commit {
        0 => {
            let account = RegistrationAccount::Existing(Addition {
                session: Some(own),
                uses_grant: Some(PURPOSE.to_owned()),
                ..addition(id)
            });
            let session = Some(opened);
            let another = another(id, n + 2);
            let registration = NewRegistration {
                account,
                session,
                ends_session: Some(own),
                audit,
                ..another
            };
            store.commit_registration(registration).await.map(|_| ())
        }
        1 => {
            let newcomer = newcomer(n + 2);
            let session = Some(session(newcomer.credential.account, n + 2));
            let registration = NewRegistration {
                session,
                ends_session: Some(own),
                audit,
                ..newcomer
            };
            store.commit_registration(registration).await.map(|_| ())
        }
        2 => {
            let login = login(id, n + 1, n + 2);
            let commit = AssertionCommit {
                ends_session: Some(own),
                audit,
                ..login
            };
            store.commit_assertion(commit).await.map(|_| ())
        }
        3 => {
            let step_up = AssertionCommit {
                audit,
                ..step_up(id, n + 1, session(id, n + 1).id)
            };
            store.commit_assertion(step_up).await.map(|_| ())
        }
        4 => store
            .rename_credential(id, &credential_id(n), "renamed", audit)
            .await
            .map(|_| ()),
        5 => {
            let uses_grant = Some((own, PURPOSE.to_owned(), at(600)));
            let removal = Removal {
                uses_grant,
                audit,
                ..removal(id, &[n])
            };
            store.remove_credentials(removal).await.map(|_| ())
        }
        6 => store
            .rotate_session(own, &token(n), &token(n + 2), at(600), audit)
            .await
            .map(|_| ()),
        7 => store.end_other_sessions(id, Some(own), audit).await.map(|_| ()),
        _ => store.end_sessions(id, &[own], audit).await.map(|_| ()),
    }
}

/// The event is the last thing written. Where it cannot be, because its id is in use, nothing else is.
pub async fn a_failed_event_leaves_nothing(subject: impl DurableSubject) {
    let store = subject.store();
    let elsewhere = account(250).id;
    store.append_event(event(9999, elsewhere)).await.unwrap();
    for commit in 0..COMMITS {
        let n = 10 + 3 * commit;
        let furnished = furnish(&*store, n).await;
        let before = snapshot(&*store, furnished.0).await;
        let duplicate = AuditEvent {
            account: Some(furnished.0),
            ..event(9999, furnished.0)
        };
        assert!(
            attempt(&*store, commit, n, furnished, duplicate).await.is_err(),
            "commit {commit}"
        );
        assert_eq!(snapshot(&*store, furnished.0).await, before, "commit {commit}");
        assert_eq!(store.account(account(n + 2).id).await.unwrap(), None);
        assert_eq!(store.credential(&credential_id(n + 2)).await.unwrap(), None);
        assert_eq!(store.session(&family(n + 2)).await.unwrap(), None);
        // Nothing is in the way of the same commit with an event of its own.
        attempt(
            &*store,
            commit,
            n,
            furnished,
            event(8000 + u128::from(commit), furnished.0),
        )
        .await
        .unwrap();
        assert_ne!(snapshot(&*store, furnished.0).await, before, "commit {commit}");
    }
}

/// Where a session cannot be opened, because its token family is in use, nothing else is written.
pub async fn a_failed_session_leaves_nothing(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = furnish(&*store, 10).await;
    let before = snapshot(&*store, id).await;
    let opened = Session {
        token_family: family(10),
        ..session(id, 20)
    };
    let login = AssertionCommit {
        session: Some(opened.clone()),
        ends_session: Some(session(id, 11).id),
        ..login(id, 11, 20)
    };
    assert!(store.commit_assertion(login).await.is_err());
    assert_eq!(snapshot(&*store, id).await, before);
    let another = NewRegistration {
        session: Some(opened),
        ends_session: Some(session(id, 11).id),
        ..another(id, 12)
    };
    assert!(store.commit_registration(another).await.is_err());
    assert_eq!(snapshot(&*store, id).await, before);
    let stranger = newcomer(30);
    let opened = Session {
        id: own,
        ..session(stranger.credential.account, 30)
    };
    let stranger = NewRegistration {
        session: Some(opened),
        ..stranger
    };
    assert!(store.commit_registration(stranger).await.is_err());
    assert_eq!(store.account(account(30).id).await.unwrap(), None);
    assert_eq!(store.credential(&credential_id(30)).await.unwrap(), None);
    assert_eq!(snapshot(&*store, id).await, before);
    // A user handle that is in use is no outcome but a mistake: the same.
    let twin = crate::Account {
        user_handle: account(10).user_handle,
        ..account(31)
    };
    let twin = NewRegistration {
        account: RegistrationAccount::New(twin),
        ..newcomer(31)
    };
    assert!(store.commit_registration(twin).await.is_err());
    assert!(!store.username_exists("user-31").await.unwrap());
}

/// Whichever table fails, and so whichever statement: what was written before it is gone.
pub async fn a_failed_statement_leaves_nothing(subject: impl DurableSubject) {
    let store = subject.store();
    let mut n = 0;
    let mut failures = 0;
    for table in [
        "accounts",
        "credentials",
        "sessions",
        "step_up_grants",
        "audit_events",
        "audit_unsealed",
    ] {
        for commit in 0..COMMITS {
            n += 4;
            let furnished = furnish(&*store, n).await;
            let before = snapshot(&*store, furnished.0).await;
            if !subject.break_table(table).await {
                return;
            }
            let audit = event(8000 + u128::from(n), furnished.0);
            let attempted = attempt(&*store, commit, n, furnished, audit.clone()).await;
            if attempted.is_err() {
                failures += 1;
                assert_eq!(
                    snapshot(&*store, furnished.0).await,
                    before,
                    "commit {commit}, {table}"
                );
                assert_eq!(store.account(account(n + 2).id).await.unwrap(), None);
                assert_eq!(store.session(&family(n + 2)).await.unwrap(), None);
            } else {
                assert!(!table.starts_with("audit"), "every commit appends its event");
                assert!(snapshot(&*store, furnished.0).await.events.contains(&audit));
            }
            subject.mend_table(table).await;
        }
    }
    assert!(
        failures >= 20,
        "only {failures} commits failed: are the tables broken?"
    );
}
