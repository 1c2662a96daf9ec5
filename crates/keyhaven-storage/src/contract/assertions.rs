use keyhaven_types::SignCount;

use super::samples::{
    PURPOSE, account, another, at, credential, credential_id, event, family, login, newcomer, open_session,
    register, register_signed_in, removal, session, snapshot, step_up, token,
};
use super::{DurableSubject, count, race};
use crate::{
    Account, AccountId, AssertionCommit, AssertionOutcome, Credential, DurableStore, NewRegistration,
    RegistrationAccount, Remembered, RemovalOutcome, Rotation, Session,
};

/// The commit is refused so, and nothing of it is written.
async fn refused(store: &dyn DurableStore, commit: AssertionCommit, expected: AssertionOutcome) {
    let (account, event) = (commit.account, commit.audit.clone());
    let before = snapshot(store, account).await;
    assert_eq!(store.commit_assertion(commit).await.unwrap(), expected);
    assert_eq!(snapshot(store, account).await, before);
    assert!(!before.events.contains(&event.event));
}

/// A login that ends session `ends` and would open session 9.
fn greedy(account: AccountId, credential: u8, ends: &Session) -> AssertionCommit {
    AssertionCommit {
        ends_session: Some(ends.id),
        ..login(account, credential, 9)
    }
}

/// The stored sign count must still be the one the verdict was reached with.
pub async fn a_changed_sign_count_refuses_an_assertion(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    for expected in [0, 6, 8, u32::MAX] {
        let commit = AssertionCommit {
            expected_sign_count: SignCount(expected),
            new_sign_count: SignCount(9),
            ..greedy(id, 1, &session(id, 1))
        };
        let plain = AssertionCommit {
            ends_session: None,
            ..commit.clone()
        };
        refused(&*store, commit, AssertionOutcome::RecordChanged).await;
        refused(&*store, plain, AssertionOutcome::RecordChanged).await;
    }
    // Once a count is used it is used.
    assert_eq!(
        store.commit_assertion(login(id, 1, 2)).await.unwrap(),
        AssertionOutcome::Committed
    );
    let replay = AssertionCommit {
        audit: event(99, id).into(),
        ..greedy(id, 1, &session(id, 1))
    };
    refused(&*store, replay, AssertionOutcome::RecordChanged).await;
}

/// Nobody signs in to a locked account, whatever else is right or wrong.
pub async fn a_locked_account_signs_no_assertion(subject: impl DurableSubject) {
    let store = subject.store();
    let locked = Account {
        active: false,
        ..account(1)
    };
    let id = locked.id;
    let opened = Some(session(id, 1));
    let registration = NewRegistration {
        account: RegistrationAccount::New(locked),
        session: opened,
        ..newcomer(1)
    };
    register(&*store, registration).await;
    for commit in [greedy(id, 1, &session(id, 1)), login(id, 1, 9)] {
        refused(&*store, commit, AssertionOutcome::AccountLocked).await;
    }
    refused(
        &*store,
        step_up(id, 1, session(id, 1).id),
        AssertionOutcome::AccountLocked,
    )
    .await;
}

/// Whatever verdict and answer came from must still be stored as it was remembered.
pub async fn a_record_that_changed_since_refuses_an_assertion(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let remembered = login(id, 1, 1).expected;
    let backup = Remembered {
        backup_eligible: true,
        ..remembered.clone()
    };
    let name = Remembered {
        device_name: "another".into(),
        ..remembered.clone()
    };
    let account = Remembered {
        account_updated_at: at(2),
        ..remembered.clone()
    };
    for expected in [backup, name, account] {
        let commit = AssertionCommit {
            expected: expected.clone(),
            ..greedy(id, 1, &session(id, 1))
        };
        refused(&*store, commit, AssertionOutcome::RecordChanged).await;
        let plain = AssertionCommit {
            expected: expected.clone(),
            ..login(id, 1, 9)
        };
        refused(&*store, plain, AssertionOutcome::RecordChanged).await;
        let step_up = AssertionCommit {
            expected,
            ..step_up(id, 1, session(id, 1).id)
        };
        refused(&*store, step_up, AssertionOutcome::RecordChanged).await;
    }
    let renamed = store
        .rename_credential(id, &credential_id(1), "renamed", event(99, id).into())
        .await;
    assert!(renamed.unwrap().is_some());
    refused(&*store, login(id, 1, 9), AssertionOutcome::RecordChanged).await;
    let known = store.credential(&credential_id(1)).await.unwrap().unwrap();
    let commit = AssertionCommit {
        expected: Remembered::of(&known),
        ..login(id, 1, 9)
    };
    assert_eq!(
        store.commit_assertion(commit).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// A login writes count, flags, last use, last login, the session and the event, and ends the session before it.
pub async fn a_login_is_recorded(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    register(&*store, another(id, 2)).await;
    let others = register_signed_in(&*store, 3).await.0;
    let bystander = snapshot(&*store, others).await;
    let commit = AssertionCommit {
        backup_eligible: true,
        backup_state: true,
        new_sign_count: SignCount(u32::MAX),
        ends_session: Some(session(id, 1).id),
        ..login(id, 1, 9)
    };
    assert_eq!(
        store.commit_assertion(commit.clone()).await.unwrap(),
        AssertionOutcome::Committed
    );

    let found = snapshot(&*store, id).await;
    assert_eq!(
        found.account,
        Some(Account {
            last_login_at: Some(at(500)),
            ..account(1)
        })
    );
    let used = Credential {
        sign_count: SignCount(u32::MAX),
        backup_eligible: true,
        backup_state: true,
        last_used_at: Some(at(500)),
        ..credential(id, 1)
    };
    assert_eq!(found.credentials, [used, credential(id, 2)]);
    assert_eq!(found.sessions, [commit.session.unwrap()]);
    assert!(found.events.contains(&commit.audit.event));
    assert_eq!(store.session(&family(1)).await.unwrap(), None);
    assert_eq!(snapshot(&*store, others).await, bystander);
}

/// A credential that is gone, or another account's, signs nothing.
pub async fn a_missing_credential_signs_no_assertion(subject: impl DurableSubject) {
    let store = subject.store();
    let (first, _) = register_signed_in(&*store, 1).await;
    let (second, _) = register_signed_in(&*store, 2).await;
    let before = snapshot(&*store, second).await;
    for commit in [
        greedy(first, 3, &session(first, 1)),
        login(first, 3, 9),
        login(first, 2, 9),
    ] {
        refused(&*store, commit, AssertionOutcome::CredentialMissing).await;
    }
    let others = AssertionCommit {
        session: Some(session(first, 9)),
        ..greedy(first, 2, &session(first, 1))
    };
    refused(&*store, others, AssertionOutcome::CredentialMissing).await;
    refused(
        &*store,
        greedy(account(3).id, 1, &session(first, 1)),
        AssertionOutcome::CredentialMissing,
    )
    .await;
    assert_eq!(snapshot(&*store, second).await, before);
}

/// Which counts are acceptable is policy: the store takes a lower one too.
pub async fn a_sign_count_may_be_set_back(subject: impl DurableSubject) {
    let store = subject.store();
    register(&*store, newcomer(1)).await;
    let id = account(1).id;
    let back = AssertionCommit {
        new_sign_count: SignCount(3),
        ..login(id, 1, 1)
    };
    assert_eq!(
        store.commit_assertion(back).await.unwrap(),
        AssertionOutcome::Committed
    );
    assert_eq!(
        store.credentials_of(id).await.unwrap()[0].sign_count,
        SignCount(3)
    );
}

/// A step-up gives a grant and is no login.
pub async fn a_step_up_gives_a_grant(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session) = register_signed_in(&*store, 1).await;
    let before = snapshot(&*store, id).await;
    assert!(!store.has_grant(session, PURPOSE, at(500)).await.unwrap());
    let commit = step_up(id, 1, session);
    assert_eq!(
        store.commit_assertion(commit.clone()).await.unwrap(),
        AssertionOutcome::Committed
    );
    assert!(store.has_grant(session, PURPOSE, at(500)).await.unwrap());
    let after = snapshot(&*store, id).await;
    assert_eq!(after.account, before.account);
    assert_eq!(after.sessions, before.sessions);
    assert_eq!(after.credentials[0].sign_count, SignCount(8));
    assert_eq!(after.credentials[0].last_used_at, Some(at(500)));
    assert!(after.events.contains(&commit.audit.event));
}

/// The step-up's session has a new token afterwards, and as its previous one whichever it had by then: where somebody has
/// rotated it meanwhile, theirs. Without a rotation it keeps its token.
pub async fn a_step_up_rotates_its_session(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let step_up_to = |to: u8, count: u32, n: u128| AssertionCommit {
        rotation: Some(token(to)),
        expected_sign_count: SignCount(count),
        new_sign_count: SignCount(count + 1),
        audit: event(7000 + n, id).into(),
        ..step_up(id, 1, own)
    };
    let outcome = store.commit_assertion(step_up_to(50, 7, 1)).await.unwrap();
    assert_eq!(outcome, AssertionOutcome::Committed);
    let rotated = store.session(&family(1)).await.unwrap().unwrap().session;
    assert_eq!(rotated.token_hash, token(50));
    assert_eq!(rotated.previous_token, Some((token(1), at(500))));
    assert_eq!(rotated.earlier_tokens, []);
    assert_eq!(rotated.id, own);
    let refresh = event(7500, id).into();
    let refreshed = store
        .rotate_session(own, &token(50), &token(51), at(400), refresh)
        .await;
    assert_eq!(refreshed.unwrap(), Rotation::Rotated);
    let outcome = store.commit_assertion(step_up_to(52, 8, 2)).await.unwrap();
    assert_eq!(outcome, AssertionOutcome::Committed);
    let found = store.session(&family(1)).await.unwrap().unwrap().session;
    assert_eq!(found.token_hash, token(52));
    assert_eq!(found.previous_token, Some((token(51), at(500))));
    assert_eq!(found.earlier_tokens, [(token(50), at(400)), (token(1), at(500))]);
    assert!(store.has_grant(own, PURPOSE, at(500)).await.unwrap());
    let after = snapshot(&*store, id).await;
    assert_eq!(after.credentials[0].sign_count, SignCount(9));
    for event in [event(7001, id), event(7002, id)] {
        assert!(after.events.contains(&event));
    }
    // What is refused rotates nothing.
    refused(&*store, step_up_to(53, 7, 3), AssertionOutcome::RecordChanged).await;
    let kept = AssertionCommit {
        rotation: None,
        ..step_up_to(54, 9, 4)
    };
    let outcome = store.commit_assertion(kept).await.unwrap();
    assert_eq!(outcome, AssertionOutcome::Committed);
    assert_eq!(store.session(&family(1)).await.unwrap().unwrap().session, found);
}

/// Of a step-up and a rotation that race for one token the step-up's token is the one that lasts.
pub async fn a_step_up_that_races_a_rotation_has_the_last_word(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let mut before = token(1);
    for n in 0..8_u8 {
        let (refreshed, granted) = (token(50 + n), token(60 + n));
        let step_up = AssertionCommit {
            rotation: Some(granted),
            expected_sign_count: SignCount(7 + u32::from(n)),
            new_sign_count: SignCount(8 + u32::from(n)),
            audit: event(7000 + u128::from(n), id).into(),
            ..step_up(id, 1, own)
        };
        let refresh = event(7500 + u128::from(n), id);
        race(2, |i| {
            let (store, step_up, refresh) = (store.clone(), step_up.clone(), refresh.clone().into());
            Box::pin(async move {
                if i == 0 {
                    let outcome = store.commit_assertion(step_up).await.unwrap();
                    assert_eq!(outcome, AssertionOutcome::Committed);
                } else {
                    let refreshed = store.rotate_session(own, &before, &refreshed, at(500), refresh);
                    assert_ne!(refreshed.await.unwrap(), Rotation::SessionEnded);
                }
            })
        })
        .await;
        let found = store.session(&family(1)).await.unwrap().unwrap().session;
        assert_eq!(found.token_hash, granted);
        let (previous, _) = found.previous_token.unwrap();
        assert!([before, refreshed].contains(&previous));
        before = granted;
    }
}

/// A grant needs a session of that account that is not over; without it the sign count stays too.
pub async fn a_step_up_needs_its_session(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let (_, others) = register_signed_in(&*store, 2).await;
    let expired = Session {
        expires_at: at(500),
        ..session(id, 3)
    };
    open_session(&*store, expired.clone(), 1).await;
    for session in [others, expired.id, session(id, 9).id] {
        refused(&*store, step_up(id, 1, session), AssertionOutcome::SessionEnded).await;
        assert!(!store.has_grant(session, PURPOSE, at(0)).await.unwrap());
    }
    let in_time = AssertionCommit {
        used_at: at(499),
        ..step_up(id, 1, expired.id)
    };
    assert_eq!(
        store.commit_assertion(in_time).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// A revoked or suspended credential signs nothing.
pub async fn an_inactive_credential_signs_no_assertion(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let inactive = Credential {
        active: false,
        ..credential(id, 2)
    };
    register(
        &*store,
        NewRegistration {
            credential: inactive,
            ..another(id, 2)
        },
    )
    .await;
    for commit in [greedy(id, 2, &session(id, 1)), login(id, 2, 9)] {
        refused(&*store, commit, AssertionOutcome::CredentialInactive).await;
    }
    refused(
        &*store,
        step_up(id, 2, session(id, 1).id),
        AssertionOutcome::CredentialInactive,
    )
    .await;
}

/// Servers' clocks differ: the later moment stays.
pub async fn last_use_never_moves_back(subject: impl DurableSubject) {
    let store = subject.store();
    register(&*store, newcomer(1)).await;
    let id = account(1).id;
    let earlier = AssertionCommit {
        expected_sign_count: SignCount(8),
        new_sign_count: SignCount(9),
        used_at: at(400),
        ..login(id, 1, 2)
    };
    for commit in [login(id, 1, 1), earlier] {
        assert_eq!(
            store.commit_assertion(commit).await.unwrap(),
            AssertionOutcome::Committed
        );
    }
    let found = store.credential(&credential_id(1)).await.unwrap().unwrap();
    assert_eq!(found.credential.last_used_at, Some(at(500)));
    assert_eq!(found.credential.sign_count, SignCount(9));
    assert_eq!(found.account.last_login_at, Some(at(500)));
}

/// Of racing commits with one expected sign count one is committed, and the others leave nothing.
pub async fn one_of_racing_assertions_is_committed(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let commit = move |n: usize| {
        let n = u8::try_from(n).unwrap();
        AssertionCommit {
            new_sign_count: SignCount(8 + u32::from(n)),
            ..login(id, 1, 10 + n)
        }
    };
    let outcomes = race(200, |n| {
        let store = store.clone();
        Box::pin(async move { store.commit_assertion(commit(n)).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &AssertionOutcome::Committed), 1);
    assert_eq!(count(&outcomes, &AssertionOutcome::RecordChanged), 199);
    let winner = outcomes
        .iter()
        .position(|outcome| *outcome == AssertionOutcome::Committed)
        .unwrap();
    let found = snapshot(&*store, id).await;
    assert_eq!(found.credentials[0].sign_count, commit(winner).new_sign_count);
    assert_eq!(found.sessions.len(), 2);
    assert_eq!(found.events.len(), 2);
    assert!(found.events.contains(&commit(winner).audit.event));
}

/// Logins that race the removal of their passkey: each is committed before it or finds it gone, and none leaves a
/// session that the removed passkey opened.
pub async fn a_login_races_a_removal(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    let uncounted = Credential {
        sign_count: SignCount(0),
        ..credential(id, 1)
    };
    let newcomer = NewRegistration {
        credential: uncounted,
        ..newcomer(1)
    };
    register(&*store, newcomer).await;
    register(&*store, another(id, 2)).await;
    let outcomes = race(33, |n| {
        let store = store.clone();
        let n = u8::try_from(n).unwrap();
        let login = AssertionCommit {
            expected_sign_count: SignCount(0),
            new_sign_count: SignCount(0),
            ..login(id, 1, n)
        };
        Box::pin(async move {
            if n == 16 {
                let removed = store.remove_credentials(removal(id, &[1])).await.unwrap();
                assert_eq!(removed, RemovalOutcome::Removed);
                return None;
            }
            Some(store.commit_assertion(login).await.unwrap())
        })
    })
    .await;
    let committed = count(&outcomes, &Some(AssertionOutcome::Committed));
    let missing = count(&outcomes, &Some(AssertionOutcome::CredentialMissing));
    assert_eq!(committed + missing, 32, "{outcomes:?}");
    let found = snapshot(&*store, id).await;
    assert_eq!(found.sessions, []);
    assert_eq!(found.events.len(), 3 + committed);
}

/// Authenticators that do not count stay at zero: racing logins are all committed.
pub async fn uncounted_assertions_are_all_committed(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    let uncounted = Credential {
        sign_count: SignCount(0),
        ..credential(id, 1)
    };
    register(
        &*store,
        NewRegistration {
            credential: uncounted,
            ..newcomer(1)
        },
    )
    .await;
    let outcomes = race(16, |n| {
        let store = store.clone();
        let commit = AssertionCommit {
            expected_sign_count: SignCount(0),
            new_sign_count: SignCount(0),
            ..login(id, 1, u8::try_from(n).unwrap())
        };
        Box::pin(async move { store.commit_assertion(commit).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &AssertionOutcome::Committed), 16);
    let found = snapshot(&*store, id).await;
    assert_eq!((found.sessions.len(), found.events.len()), (16, 17));
}
