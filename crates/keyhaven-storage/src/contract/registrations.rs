use keyhaven_types::{SignCount, UserHandle};
use uuid::Uuid;

use super::samples::{
    PURPOSE, account, addition, another, at, credential, credential_id, event, family, login, newcomer,
    open_session, register, register_signed_in, session, snapshot, step_up,
};
use super::{DurableSubject, count, race};
use crate::{
    Account, AccountId, Addition, AssertionCommit, AssertionOutcome, Credential, Ending, NewRegistration,
    RegistrationAccount, RegistrationOutcome, Session, SessionId,
};

/// A credential id that anybody has is refused, and nothing of the registration is written.
pub async fn a_credential_id_is_registered_once(subject: impl DurableSubject) {
    let store = subject.store();
    let (first, session_id) = register_signed_in(&*store, 1).await;
    let (second, _) = register_signed_in(&*store, 2).await;
    let before = (snapshot(&*store, first).await, snapshot(&*store, second).await);

    let stranger = account(3);
    let stolen = Credential {
        id: credential(first, 1).id,
        ..credential(stranger.id, 3)
    };
    let registration = NewRegistration {
        credential: stolen,
        session: Some(session(stranger.id, 3)),
        ends: Ending::Session(session_id),
        ..newcomer(3)
    };
    let outcome = store.commit_registration(registration).await.unwrap();
    assert_eq!(outcome, RegistrationOutcome::CredentialExists);
    assert_eq!(store.account(stranger.id).await.unwrap(), None);
    assert!(!store.username_exists(&stranger.username).await.unwrap());
    assert_eq!(store.session(&family(3)).await.unwrap(), None);
    assert_eq!(store.events_of(stranger.id, None, 10).await.unwrap(), []);

    for owner in [first, second] {
        let again = Credential {
            id: credential(first, 1).id,
            ..credential(owner, 4)
        };
        let registration = NewRegistration {
            credential: again,
            ..another(owner, 4)
        };
        let outcome = store.commit_registration(registration).await.unwrap();
        assert_eq!(outcome, RegistrationOutcome::CredentialExists);
    }
    assert_eq!(
        (snapshot(&*store, first).await, snapshot(&*store, second).await),
        before
    );
}

/// A locked account takes no passkey, and nothing is written.
pub async fn a_locked_account_takes_no_passkey(subject: impl DurableSubject) {
    let store = subject.store();
    let locked = Account {
        active: false,
        ..account(1)
    };
    register(
        &*store,
        NewRegistration {
            account: RegistrationAccount::New(locked.clone()),
            ..newcomer(1)
        },
    )
    .await;
    let before = snapshot(&*store, locked.id).await;
    let outcome = store.commit_registration(another(locked.id, 2)).await.unwrap();
    assert_eq!(outcome, RegistrationOutcome::AccountUnavailable);
    assert_eq!(snapshot(&*store, locked.id).await, before);
}

/// An account that does not exist takes no passkey, and nothing is written.
pub async fn a_missing_account_takes_no_passkey(subject: impl DurableSubject) {
    let store = subject.store();
    let missing = account(1).id;
    let outcome = store.commit_registration(another(missing, 1)).await.unwrap();
    assert_eq!(outcome, RegistrationOutcome::AccountUnavailable);
    assert_eq!(store.credential(&credential(missing, 1).id).await.unwrap(), None);
    assert_eq!(store.events_of(missing, None, 10).await.unwrap(), []);
}

/// The session that the browser had before ends in the same commit, whoever's it was; no other does.
pub async fn a_registration_ends_the_given_session(subject: impl DurableSubject) {
    let store = subject.store();
    let (_, first) = register_signed_in(&*store, 1).await;
    let (_, _) = register_signed_in(&*store, 2).await;
    let newcomer = newcomer(3);
    let opened = session(newcomer.credential.account, 3);
    register(
        &*store,
        NewRegistration {
            session: Some(opened),
            ends: Ending::Session(first),
            ..newcomer
        },
    )
    .await;
    assert_eq!(store.session(&family(1)).await.unwrap(), None);
    assert!(store.session(&family(2)).await.unwrap().is_some());
    assert!(store.session(&family(3)).await.unwrap().is_some());
}

/// Signing out is part of the commit: everywhere save where it is said, or what one passkey opened; nobody else's, and
/// not the session that the commit itself opens.
pub async fn a_registration_signs_out_as_it_says(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    register_signed_in(&*store, 2).await;
    for n in [11, 12, 13] {
        let opened = session(id, n);
        open_session(&*store, opened, 1).await;
    }
    let commit = AssertionCommit {
        expected_sign_count: SignCount(7),
        new_sign_count: SignCount(7),
        ..login(id, 1, 14)
    };
    assert!(commit.session.as_ref().unwrap().credential.is_some());
    assert_eq!(
        store.commit_assertion(commit).await.unwrap(),
        AssertionOutcome::Committed
    );
    let own = async || -> Vec<SessionId> {
        let listed = store.sessions_of(id, at(0)).await.unwrap();
        let mut ids: Vec<_> = listed.into_iter().map(|session| session.id).collect();
        ids.sort();
        ids
    };
    let registering = async |n: u8, ends: Ending| {
        let registration = NewRegistration {
            session: Some(session(id, n)),
            ends,
            ..another(id, n)
        };
        register(&*store, registration).await;
    };
    registering(21, Ending::Nothing).await;
    assert_eq!(own().await.len(), 6);
    registering(22, Ending::OpenedBy(credential_id(1))).await;
    assert_eq!(
        own().await,
        [11, 12, 13, 21, 22].map(|n| session(id, n).id),
        "without the first and the one of the login"
    );
    let keep = Some(session(id, 12).id);
    registering(23, Ending::Everywhere { keep }).await;
    assert_eq!(own().await, [session(id, 12).id, session(id, 23).id]);
    registering(24, Ending::Everywhere { keep: None }).await;
    assert_eq!(own().await, [session(id, 24).id]);
    assert!(store.session(&family(2)).await.unwrap().is_some());
}

/// A registration that names two accounts is an error, and nothing is written.
pub async fn a_registration_speaks_of_one_account(subject: impl DurableSubject) {
    let store = subject.store();
    register(&*store, newcomer(1)).await;
    let (first, second) = (account(1).id, account(2).id);
    let before = snapshot(&*store, first).await;
    let others_credential = NewRegistration {
        credential: credential(first, 2),
        ..newcomer(2)
    };
    let others_session = NewRegistration {
        session: Some(session(first, 2)),
        ..newcomer(2)
    };
    for registration in [others_credential, others_session] {
        assert!(store.commit_registration(registration).await.is_err());
        assert_eq!(store.account(second).await.unwrap(), None);
        assert_eq!(snapshot(&*store, first).await, before);
    }
}

/// The grant is gone with the registration that it allowed; without a live one nothing is written.
pub async fn a_registration_uses_its_grant(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session) = register_signed_in(&*store, 1).await;
    let with_grant = |n, purpose: &str, moment| NewRegistration {
        account: RegistrationAccount::Existing(Addition {
            session: Some(session),
            uses_grant: Some(purpose.to_owned()),
            at: at(moment),
            ..addition(id)
        }),
        ..another(id, n)
    };
    assert_eq!(
        store.commit_assertion(step_up(id, 1, session)).await.unwrap(),
        AssertionOutcome::Committed
    );
    let before = snapshot(&*store, id).await;
    for (purpose, moment) in [("add_passkey", 600), (PURPOSE, 300_000)] {
        let outcome = store
            .commit_registration(with_grant(2, purpose, moment))
            .await
            .unwrap();
        assert_eq!(outcome, RegistrationOutcome::GrantMissing);
        assert_eq!(snapshot(&*store, id).await, before);
    }
    register(&*store, with_grant(2, PURPOSE, 299_999)).await;
    assert!(!store.has_grant(session, PURPOSE, at(0)).await.unwrap());
    let before = snapshot(&*store, id).await;
    let outcome = store.commit_registration(with_grant(3, PURPOSE, 600)).await;
    assert_eq!(outcome.unwrap(), RegistrationOutcome::GrantMissing);
    assert_eq!(snapshot(&*store, id).await, before);
}

/// Of racing registrations by one grant one is committed.
pub async fn one_of_racing_registrations_gets_the_grant(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session) = register_signed_in(&*store, 1).await;
    assert_eq!(
        store.commit_assertion(step_up(id, 1, session)).await.unwrap(),
        AssertionOutcome::Committed
    );
    let outcomes = race(16, |n| {
        let store = store.clone();
        let registration = NewRegistration {
            account: RegistrationAccount::Existing(Addition {
                session: Some(session),
                uses_grant: Some(PURPOSE.to_owned()),
                ..addition(id)
            }),
            ..another(id, u8::try_from(n).unwrap() + 10)
        };
        Box::pin(async move { store.commit_registration(registration).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &RegistrationOutcome::Committed), 1);
    assert_eq!(count(&outcomes, &RegistrationOutcome::GrantMissing), 15);
    assert_eq!(store.credentials_of(id).await.unwrap().len(), 2);
}

/// The session that asked for one more passkey is the account's and is not over, or nothing is written.
pub async fn a_registration_needs_the_session_that_asked(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let (_, others) = register_signed_in(&*store, 2).await;
    let before = snapshot(&*store, id).await;
    let asked = |asking, moment| NewRegistration {
        account: RegistrationAccount::Existing(Addition {
            session: Some(asking),
            at: at(moment),
            ..addition(id)
        }),
        ..another(id, 3)
    };
    for (asking, moment) in [(others, 600), (session(id, 9).id, 600), (own, 1_000_000)] {
        let outcome = store.commit_registration(asked(asking, moment)).await.unwrap();
        assert_eq!(outcome, RegistrationOutcome::SessionEnded);
        assert_eq!(snapshot(&*store, id).await, before);
    }
    register(&*store, asked(own, 999_999)).await;
}

/// An account has at most so many passkeys, however many registrations race.
pub async fn an_account_has_at_most_so_many_passkeys(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let outcomes = race(16, |n| {
        let store = store.clone();
        let registration = NewRegistration {
            account: RegistrationAccount::Existing(Addition {
                max_credentials: 4,
                ..addition(id)
            }),
            ..another(id, u8::try_from(n).unwrap() + 10)
        };
        Box::pin(async move { store.commit_registration(registration).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &RegistrationOutcome::Committed), 3);
    assert_eq!(count(&outcomes, &RegistrationOutcome::TooManyCredentials), 13);
    assert_eq!(store.credentials_of(id).await.unwrap().len(), 4);
}

/// An id that counts as registered is refused as one that is, and a name that is taken before it.
pub async fn a_reserved_credential_id_counts_as_registered(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let before = snapshot(&*store, id).await;
    let reserved = |registration| NewRegistration {
        claim: None,
        recovery: None,
        reserved_id: true,
        ..registration
    };
    for registration in [newcomer(2), another(id, 3)] {
        let account = registration.account_id();
        let there = snapshot(&*store, account).await;
        let outcome = store.commit_registration(reserved(registration)).await.unwrap();
        assert_eq!(outcome, RegistrationOutcome::CredentialExists);
        assert_eq!(snapshot(&*store, account).await, there);
    }
    let namesake = Account {
        username: "user-1".into(),
        ..account(2)
    };
    let registration = NewRegistration {
        account: RegistrationAccount::New(namesake),
        ..newcomer(2)
    };
    let outcome = store.commit_registration(reserved(registration)).await.unwrap();
    assert_eq!(outcome, RegistrationOutcome::UsernameTaken);
    assert_eq!(snapshot(&*store, id).await, before);
}

/// One more passkey leaves the account and its other passkeys as they are.
pub async fn a_second_passkey_joins_its_account(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let before = snapshot(&*store, id).await;
    register(&*store, another(id, 2)).await;
    let after = snapshot(&*store, id).await;
    assert_eq!(after.account, before.account);
    assert_eq!(after.sessions, before.sessions);
    assert_eq!(after.credentials, [credential(id, 1), credential(id, 2)]);
    assert_eq!(after.events.len(), 2);
}

/// A username that another account has is refused, and nothing of the registration is written.
pub async fn a_username_is_given_once(subject: impl DurableSubject) {
    let store = subject.store();
    let (first, first_session) = register_signed_in(&*store, 1).await;
    let before = snapshot(&*store, first).await;
    let second = Account {
        username: "user-1".into(),
        ..account(2)
    };
    let registration = NewRegistration {
        session: Some(session(second.id, 2)),
        ends: Ending::Session(first_session),
        account: RegistrationAccount::New(second.clone()),
        ..newcomer(2)
    };
    let outcome = store.commit_registration(registration).await.unwrap();
    assert_eq!(outcome, RegistrationOutcome::UsernameTaken);
    assert_eq!(store.account(second.id).await.unwrap(), None);
    assert_eq!(
        store.credential(&credential(second.id, 2).id).await.unwrap(),
        None
    );
    assert_eq!(store.session(&family(2)).await.unwrap(), None);
    assert_eq!(store.events_of(second.id, None, 10).await.unwrap(), []);
    assert_eq!(snapshot(&*store, first).await, before);
}

fn contestant(n: u8) -> NewRegistration {
    let account = Account {
        id: AccountId(Uuid::from_u128(0xbacc_0000 + u128::from(n))),
        user_handle: UserHandle::try_from(&[0xbb, n][..]).unwrap(),
        ..account(n)
    };
    NewRegistration {
        credential: credential(account.id, n),
        session: Some(Session {
            credential: Some(credential(account.id, n).id),
            ..session(account.id, n)
        }),
        audit: event(u128::from(n), account.id).into(),
        account: RegistrationAccount::New(account),
        ..newcomer(n)
    }
}

/// Of racing registrations of one credential id one is committed, and the others leave nothing.
pub async fn one_of_racing_registrations_gets_the_credential_id(subject: impl DurableSubject) {
    let store = subject.store();
    let outcomes = race(200, |n| {
        let store = store.clone();
        let mut registration = contestant(u8::try_from(n).unwrap());
        registration.credential.id = credential(account(0).id, 99).id;
        registration.session = None;
        Box::pin(async move { store.commit_registration(registration).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &RegistrationOutcome::Committed), 1);
    assert_eq!(count(&outcomes, &RegistrationOutcome::CredentialExists), 199);
    for (n, outcome) in (0..).zip(outcomes) {
        let id = contestant(n).credential.account;
        let found = snapshot(&*store, id).await;
        let there = usize::from(outcome == RegistrationOutcome::Committed);
        assert_eq!(found.account.is_some(), there == 1);
        assert_eq!((found.credentials.len(), found.events.len()), (there, there));
    }
}

/// Of racing registrations of one username one is committed, and the others leave nothing.
pub async fn one_of_racing_registrations_gets_the_username(subject: impl DurableSubject) {
    let store = subject.store();
    let outcomes = race(200, |n| {
        let store = store.clone();
        let mut registration = contestant(u8::try_from(n).unwrap());
        if let RegistrationAccount::New(account) = &mut registration.account {
            account.username = "wanted".into();
        }
        Box::pin(async move { store.commit_registration(registration).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &RegistrationOutcome::Committed), 1);
    assert_eq!(count(&outcomes, &RegistrationOutcome::UsernameTaken), 199);
    for (n, outcome) in (0..).zip(outcomes) {
        let id = contestant(n).credential.account;
        let found = snapshot(&*store, id).await;
        let there = usize::from(outcome == RegistrationOutcome::Committed);
        assert_eq!(found.account.is_some(), there == 1);
        assert_eq!(
            (found.credentials.len(), found.sessions.len(), found.events.len()),
            (there, there, there)
        );
    }
}
