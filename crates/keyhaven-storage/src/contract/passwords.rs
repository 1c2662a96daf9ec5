use super::addresses::claim;
use super::samples::{
    account, at, event, family, newcomer, register, register_signed_in, session, snapshot, step_up,
};
use super::{DurableSubject, count, race};
use crate::{
    Account, AccountId, AssertionCommit, AssertionOutcome, DurableStore, PasswordCandidate, PasswordChange,
    PasswordChangeOutcome, PasswordLogin, PasswordLoginOutcome, PasswordRegistration,
    PasswordRegistrationOutcome, PasswordVerifier, Session, SessionId, StepUpGrant,
};

const PURPOSE: &str = "change_password";

pub(super) fn verifier(account: AccountId, n: u8) -> PasswordVerifier {
    PasswordVerifier {
        account,
        hash: hash(n),
        kind: "$argon2id$v=19$m=19456,t=2,p=1$".into(),
        with_passkey: false,
        changed_at: at(i64::from(n)),
    }
}

fn hash(n: u8) -> String {
    format!("$argon2id$v=19$m=19456,t=2,p=1$salt${n}")
}

/// A new account with password `n` and session `n`; event `n`.
fn newcomer_by_password(n: u8) -> PasswordRegistration {
    let account = account(n);
    PasswordRegistration {
        password: verifier(account.id, n),
        claim: None,
        session: Some(session(account.id, n)),
        ends_session: None,
        audit: event(u128::from(n), account.id).into(),
        account,
    }
}

async fn register_by_password(store: &dyn DurableStore, n: u8) -> (AccountId, SessionId) {
    let registration = newcomer_by_password(n);
    let id = registration.account.id;
    assert_eq!(
        store.register_password(registration).await.unwrap(),
        PasswordRegistrationOutcome::Committed
    );
    (id, session(id, n).id)
}

/// A login by password `password`; session and event 2000 + `n`.
fn login(account: AccountId, password: u8, n: u8) -> PasswordLogin {
    PasswordLogin {
        session: Session {
            created_at: at(500),
            ..session(account, n)
        },
        compared: hash(password),
        rehashed: None,
        ends_session: None,
        audit: event(2000 + u128::from(n), account).into(),
    }
}

/// From password `from` to password `to`; event 3500 + `to`.
fn change(account: AccountId, session: SessionId, from: u8, to: u8) -> PasswordChange {
    PasswordChange {
        account,
        session,
        uses_grant: None,
        from: Some(hash(from)),
        to: Some(verifier(account, to)),
        at: at(600),
        audit: event(3500 + u128::from(to), account).into(),
    }
}

async fn changed(store: &dyn DurableStore, change: PasswordChange) -> PasswordChangeOutcome {
    store.change_password(change).await.unwrap()
}

/// The change is refused so, and nothing of it is written.
async fn refused(store: &dyn DurableStore, change: PasswordChange, expected: PasswordChangeOutcome) {
    let account = change.account;
    let before = (
        snapshot(store, account).await,
        store.password_of(account).await.unwrap(),
    );
    assert_eq!(changed(store, change).await, expected);
    let after = (
        snapshot(store, account).await,
        store.password_of(account).await.unwrap(),
    );
    assert_eq!(after, before);
}

/// A registration by password makes account, password, session and event, and ends the session before it.
pub async fn a_password_registration_is_recorded(subject: impl DurableSubject) {
    let store = subject.store();
    let (_, before) = register_signed_in(&*store, 9).await;
    let id = account(1).id;
    let registration = PasswordRegistration {
        claim: Some(claim(id, 1)),
        ends_session: Some(before),
        ..newcomer_by_password(1)
    };
    assert_eq!(
        store.register_password(registration).await.unwrap(),
        PasswordRegistrationOutcome::Committed
    );
    let found = snapshot(&*store, id).await;
    assert_eq!(found.account, Some(account(1)));
    assert_eq!(found.sessions, [session(id, 1)]);
    assert_eq!(found.events, [event(1, id)]);
    assert_eq!(store.password_of(id).await.unwrap(), Some(verifier(id, 1)));
    assert_eq!(store.address_claim(id).await.unwrap(), Some(claim(id, 1)));
    assert_eq!(store.session(&family(9)).await.unwrap(), None);

    // With a username, a record of another account, or an event that is in use, nothing is written.
    let twin = PasswordRegistration {
        account: Account {
            username: "user-1".into(),
            ..account(2)
        },
        ..newcomer_by_password(2)
    };
    assert_eq!(
        store.register_password(twin).await.unwrap(),
        PasswordRegistrationOutcome::UsernameTaken
    );
    for broken in [
        PasswordRegistration {
            password: verifier(id, 2),
            ..newcomer_by_password(2)
        },
        PasswordRegistration {
            claim: Some(claim(id, 2)),
            ..newcomer_by_password(2)
        },
        PasswordRegistration {
            session: Some(session(id, 2)),
            ..newcomer_by_password(2)
        },
        PasswordRegistration {
            audit: event(1, id).into(),
            ..newcomer_by_password(2)
        },
    ] {
        assert!(store.register_password(broken).await.is_err());
    }
    assert_eq!(store.account(account(2).id).await.unwrap(), None);
    assert_eq!(store.password_of(account(2).id).await.unwrap(), None);
    assert_eq!(store.session(&family(2)).await.unwrap(), None);
}

/// Of racing registrations of one username one is committed.
pub async fn one_of_racing_password_registrations_gets_the_username(subject: impl DurableSubject) {
    let store = subject.store();
    let outcomes = race(16, |n| {
        let store = store.clone();
        let registration = newcomer_by_password(u8::try_from(n).unwrap() + 1);
        let registration = PasswordRegistration {
            account: Account {
                username: "wanted".into(),
                ..registration.account
            },
            ..registration
        };
        Box::pin(async move { store.register_password(registration).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &PasswordRegistrationOutcome::Committed), 1);
    assert_eq!(count(&outcomes, &PasswordRegistrationOutcome::UsernameTaken), 15);
}

/// A candidate is the account by its name, with its password and whether it has an active passkey.
pub async fn a_password_candidate_tells_what_the_account_has(subject: impl DurableSubject) {
    let store = subject.store();
    let (by_password, _) = register_by_password(&*store, 1).await;
    let (by_passkey, own) = register_signed_in(&*store, 2).await;
    let mut retired = newcomer(3);
    retired.credential.active = false;
    register(&*store, retired).await;
    let candidate = |name: &'static str| {
        let store = store.clone();
        async move { store.password_candidate(name).await.unwrap() }
    };
    assert_eq!(candidate("user-0").await, None);
    assert_eq!(candidate("USER-1").await, None);
    assert_eq!(
        candidate("user-1").await,
        Some(PasswordCandidate {
            account: account(1),
            password: Some(verifier(by_password, 1)),
            has_passkey: false,
            has_client_key: false,
        })
    );
    let found = candidate("user-2").await.unwrap();
    assert_eq!((found.password, found.has_passkey), (None, true));
    let found = candidate("user-3").await.unwrap();
    assert_eq!((found.password, found.has_passkey), (None, false));

    // An account with a passkey takes a password, too.
    let first = PasswordChange {
        from: None,
        to: Some(PasswordVerifier {
            with_passkey: true,
            ..verifier(by_passkey, 2)
        }),
        ..change(by_passkey, own, 0, 2)
    };
    assert_eq!(
        changed(&*store, first).await,
        PasswordChangeOutcome::Changed { ended: 0 }
    );
    let found = candidate("user-2").await.unwrap();
    assert!(found.has_passkey);
    assert!(found.password.is_some_and(|password| password.with_passkey));
}

/// A login by password opens its session, ends another, moves the last login and replaces an old hash.
pub async fn a_password_login_is_recorded(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_by_password(&*store, 1).await;
    let commit = PasswordLogin {
        rehashed: Some((hash(7), "$new$".into())),
        ends_session: Some(own),
        ..login(id, 1, 9)
    };
    assert_eq!(
        store.commit_password_login(commit.clone()).await.unwrap(),
        PasswordLoginOutcome::Committed
    );
    let found = snapshot(&*store, id).await;
    assert_eq!(found.sessions, [commit.session]);
    assert_eq!(found.account.unwrap().last_login_at, Some(at(500)));
    assert!(found.events.contains(&commit.audit.event));
    let stored = store.password_of(id).await.unwrap().unwrap();
    assert_eq!((stored.hash, stored.kind), (hash(7), "$new$".into()));
    assert_eq!(stored.changed_at, at(1), "its owner did not change it");
}

/// A login by a password that was changed meanwhile, or of a locked account, writes nothing.
pub async fn a_password_login_needs_the_password_that_was_compared(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_by_password(&*store, 1).await;
    let locked = PasswordRegistration {
        account: Account {
            active: false,
            ..account(2)
        },
        ..newcomer_by_password(2)
    };
    let locked_id = locked.account.id;
    assert_eq!(
        store.register_password(locked).await.unwrap(),
        PasswordRegistrationOutcome::Committed
    );
    let (without, _) = register_signed_in(&*store, 3).await;
    for (commit, expected) in [
        (login(id, 8, 9), PasswordLoginOutcome::PasswordChanged),
        (login(without, 3, 9), PasswordLoginOutcome::PasswordChanged),
        (login(account(4).id, 4, 9), PasswordLoginOutcome::PasswordChanged),
        (login(locked_id, 2, 9), PasswordLoginOutcome::AccountLocked),
    ] {
        let account = commit.session.account;
        let before = snapshot(&*store, account).await;
        let commit = PasswordLogin {
            ends_session: Some(own),
            ..commit
        };
        assert_eq!(store.commit_password_login(commit).await.unwrap(), expected);
        assert_eq!(snapshot(&*store, account).await, before);
    }
    let broken = PasswordLogin {
        audit: event(1, id).into(),
        rehashed: Some((hash(7), "$new$".into())),
        ..login(id, 1, 9)
    };
    let before = snapshot(&*store, id).await;
    assert!(store.commit_password_login(broken).await.is_err());
    assert_eq!(snapshot(&*store, id).await, before);
    assert_eq!(store.password_of(id).await.unwrap(), Some(verifier(id, 1)));
}

/// Another password ends all sessions but the one that asked, and uses the grant.
pub async fn a_password_change_ends_the_other_sessions(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let (others, _) = register_by_password(&*store, 5).await;
    let bystander = snapshot(&*store, others).await;
    let first = PasswordChange {
        from: None,
        ..change(id, own, 0, 1)
    };
    assert_eq!(
        changed(&*store, first).await,
        PasswordChangeOutcome::Changed { ended: 0 }
    );
    for n in [11, 12] {
        assert_eq!(
            store.commit_password_login(login(id, 1, n)).await.unwrap(),
            PasswordLoginOutcome::Committed
        );
    }
    give(&*store, id, own).await;
    let granted = PasswordChange {
        uses_grant: Some(PURPOSE.into()),
        ..change(id, own, 1, 2)
    };
    assert_eq!(
        changed(&*store, granted.clone()).await,
        PasswordChangeOutcome::Changed { ended: 2 }
    );
    let found = snapshot(&*store, id).await;
    let kept: Vec<_> = found.sessions.iter().map(|session| session.id).collect();
    assert_eq!(kept, [own]);
    assert!(found.events.contains(&granted.audit.event));
    assert_eq!(store.password_of(id).await.unwrap(), Some(verifier(id, 2)));
    assert!(!store.has_grant(own, PURPOSE, at(600)).await.unwrap());
    assert_eq!(snapshot(&*store, others).await, bystander);
}

async fn give(store: &dyn DurableStore, account: AccountId, session: SessionId) {
    let grant = StepUpGrant {
        session,
        purpose: PURPOSE.into(),
        expires_at: at(300_000),
    };
    let commit = AssertionCommit {
        grant: Some(grant),
        ..step_up(account, 1, session)
    };
    assert_eq!(
        store.commit_assertion(commit).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// A change that its conditions do not allow writes nothing, and keeps the grant.
pub async fn a_password_change_needs_what_it_was_judged_by(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_by_password(&*store, 1).await;
    let (with_passkey, theirs) = register_signed_in(&*store, 2).await;
    let first = PasswordChange {
        from: None,
        ..change(with_passkey, theirs, 0, 2)
    };
    let _ = changed(&*store, first).await;
    let removal = |change| PasswordChange { to: None, ..change };

    refused(
        &*store,
        change(id, own, 8, 3),
        PasswordChangeOutcome::PasswordChanged,
    )
    .await;
    let first_again = PasswordChange {
        from: None,
        ..change(id, own, 0, 3)
    };
    refused(&*store, first_again, PasswordChangeOutcome::PasswordChanged).await;
    refused(
        &*store,
        change(id, theirs, 1, 3),
        PasswordChangeOutcome::SessionEnded,
    )
    .await;
    let late = PasswordChange {
        at: at(1_000_000),
        ..change(id, own, 1, 3)
    };
    refused(&*store, late, PasswordChangeOutcome::SessionEnded).await;
    refused(
        &*store,
        removal(change(id, own, 1, 3)),
        PasswordChangeOutcome::NoPasskey,
    )
    .await;
    let together = PasswordChange {
        to: Some(PasswordVerifier {
            with_passkey: true,
            ..verifier(id, 3)
        }),
        ..change(id, own, 1, 3)
    };
    refused(&*store, together, PasswordChangeOutcome::NoPasskey).await;
    for session in [own, theirs] {
        let ungranted = PasswordChange {
            uses_grant: Some(PURPOSE.into()),
            ..change(id, session, 1, 3)
        };
        let expected = match session == own {
            true => PasswordChangeOutcome::GrantMissing,
            false => PasswordChangeOutcome::SessionEnded,
        };
        refused(&*store, ungranted, expected).await;
    }
    refused(
        &*store,
        change(account(7).id, own, 1, 3),
        PasswordChangeOutcome::AccountUnavailable,
    )
    .await;
    assert_eq!(
        changed(&*store, removal(change(with_passkey, theirs, 2, 3))).await,
        PasswordChangeOutcome::Changed { ended: 0 }
    );
    assert_eq!(store.password_of(with_passkey).await.unwrap(), None);

    let broken = PasswordChange {
        audit: event(1, id).into(),
        ..change(id, own, 1, 3)
    };
    let before = snapshot(&*store, id).await;
    assert!(store.change_password(broken).await.is_err());
    assert_eq!(snapshot(&*store, id).await, before);
    assert_eq!(store.password_of(id).await.unwrap(), Some(verifier(id, 1)));
}

/// Of racing changes from one password one happens; no login by the old one survives it.
pub async fn one_of_racing_password_changes_happens(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_by_password(&*store, 1).await;
    let outcomes = race(16, |n| {
        let store = store.clone();
        let n = u8::try_from(n).unwrap();
        Box::pin(async move {
            if n % 2 == 0 {
                matches!(
                    changed(&*store, change(id, own, 1, 100 + n)).await,
                    PasswordChangeOutcome::Changed { .. }
                )
            } else {
                let _ = store.commit_password_login(login(id, 1, 100 + n)).await.unwrap();
                false
            }
        })
    })
    .await;
    assert_eq!(count(&outcomes, &true), 1);
    let sessions = snapshot(&*store, id).await.sessions;
    assert_eq!(sessions, [session(id, 1)]);
}

/// The kinds of hashes are told once each, however many passwords there are of one.
pub async fn kinds_of_hashes_are_told_once_each(subject: impl DurableSubject) {
    let store = subject.store();
    assert_eq!(store.password_kinds(16).await.unwrap(), Vec::<String>::new());
    for (n, kind) in [(1, "$2b$12$"), (2, "$2b$12$"), (3, "$2b$10$"), (4, "$argon2id$")] {
        let registration = newcomer_by_password(n);
        let registration = PasswordRegistration {
            password: PasswordVerifier {
                kind: kind.into(),
                ..registration.password
            },
            ..registration
        };
        let _ = store.register_password(registration).await.unwrap();
    }
    assert_eq!(
        store.password_kinds(16).await.unwrap(),
        ["$2b$10$", "$2b$12$", "$argon2id$"]
    );
    assert_eq!(store.password_kinds(2).await.unwrap(), ["$2b$10$", "$2b$12$"]);
}

/// An account's password is found again after a reopen.
pub async fn passwords_survive_a_reopen(mut subject: impl DurableSubject) {
    let (id, _) = register_by_password(&*subject.store(), 1).await;
    if subject.reopen().await {
        assert_eq!(
            subject.store().password_of(id).await.unwrap(),
            Some(verifier(id, 1))
        );
    }
}
