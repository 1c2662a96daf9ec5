use super::samples::{
    account, at, credential, event, login, newcomer, register, register_signed_in, session, snapshot, step_up,
};
use super::{DurableSubject, count, race};
use crate::{
    AccountId, AssertionCommit, AssertionOutcome, ClientKey, ClientKeyChange, ClientKeyChangeOutcome,
    Credential, DurableStore, Factors, JudgedFactors, NewRegistration, OwnedCredential, PasswordVerifier,
    RegistrationAccount, Session, SessionId, StepUpGrant,
};

const PURPOSE: &str = "change_password";

fn verifier(account: AccountId, n: u8) -> PasswordVerifier {
    PasswordVerifier {
        account,
        hash: format!("$hash${n}"),
        kind: "$hash$".into(),
        with_passkey: true,
        changed_at: at(i64::from(n)),
    }
}

pub(super) fn client_key(account: AccountId, n: u8) -> ClientKey {
    ClientKey {
        account,
        mac: [n; 32],
        created_at: at(i64::from(n)),
        last_used_at: None,
    }
}

/// Newcomer `n` with a session, password `n` and client key `n`.
async fn register_with_factors(store: &dyn DurableStore, n: u8) -> (AccountId, SessionId) {
    let id = account(n).id;
    let opened = session(id, n);
    let registration = NewRegistration {
        session: Some(opened.clone()),
        password: Some(verifier(id, n)),
        client_key: Some(client_key(id, n)),
        ..newcomer(n)
    };
    register(store, registration).await;
    (id, opened.id)
}

async fn factors(store: &dyn DurableStore, n: u8) -> Factors {
    let id = super::samples::credential_id(n);
    store.credential_with_factors(&id).await.unwrap().unwrap().1
}

fn judged(n: u8) -> JudgedFactors {
    JudgedFactors {
        password: Some(format!("$hash${n}")),
        client_key: Some([n; 32]),
        uses_client_key: true,
    }
}

async fn give(store: &dyn DurableStore, account: AccountId, n: u8, session: SessionId) {
    let grant = StepUpGrant {
        session,
        purpose: PURPOSE.into(),
        expires_at: at(300_000),
    };
    let commit = AssertionCommit {
        grant: Some(grant),
        ..step_up(account, n, session)
    };
    assert_eq!(
        store.commit_assertion(commit).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// To client key `to`; event 6000 + `to`.
fn change(account: AccountId, session: SessionId, to: u8) -> ClientKeyChange {
    ClientKeyChange {
        account,
        session,
        uses_grant: PURPOSE.into(),
        to: Some(client_key(account, to)),
        at: at(600),
        audit: event(6000 + u128::from(to), account).into(),
    }
}

/// A registration brings password and client key with it, for a new account only.
pub async fn a_registration_brings_factors(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_with_factors(&*store, 1).await;
    let found = store
        .credential_with_factors(&super::samples::credential_id(1))
        .await
        .unwrap();
    let owned = OwnedCredential {
        credential: credential(id, 1),
        account: account(1),
    };
    let beside = Factors {
        password: Some(verifier(id, 1)),
        client_key: Some(client_key(id, 1)),
    };
    assert_eq!(found, Some((owned, beside.clone())));
    assert!(
        store
            .password_candidate("user-1")
            .await
            .unwrap()
            .unwrap()
            .has_client_key
    );

    let (without, _) = register_signed_in(&*store, 2).await;
    assert_eq!(factors(&*store, 2).await, Factors::default());
    assert!(
        !store
            .password_candidate("user-2")
            .await
            .unwrap()
            .unwrap()
            .has_client_key
    );
    assert_eq!(
        store
            .credential_with_factors(&super::samples::credential_id(9))
            .await
            .unwrap(),
        None
    );
    for broken in [
        NewRegistration {
            password: Some(verifier(without, 3)),
            ..newcomer(3)
        },
        NewRegistration {
            client_key: Some(client_key(without, 3)),
            ..newcomer(3)
        },
        NewRegistration {
            client_key: Some(client_key(id, 3)),
            account: RegistrationAccount::Existing(crate::Addition {
                session: Some(own),
                ..super::samples::addition(id)
            }),
            credential: credential(id, 3),
            ..newcomer(3)
        },
    ] {
        assert!(store.commit_registration(broken).await.is_err());
    }
    assert_eq!(factors(&*store, 1).await, beside);
    assert_eq!(store.account(account(3).id).await.unwrap(), None);
}

/// A credential that was registered as a security key with a PIN stays one.
pub async fn a_security_keys_pin_reads_back(subject: impl DurableSubject) {
    let store = subject.store();
    let with_pin = Credential {
        pin: true,
        ..newcomer(1).credential
    };
    let registration = NewRegistration {
        credential: with_pin.clone(),
        ..newcomer(1)
    };
    register(&*store, registration).await;
    let found = store.credential(&with_pin.id).await.unwrap().unwrap();
    assert_eq!(found.credential, with_pin);
    assert_eq!(
        store.credentials_of(with_pin.account).await.unwrap(),
        std::slice::from_ref(&with_pin)
    );
    let renamed = store.rename_credential(
        with_pin.account,
        &with_pin.id,
        "key",
        event(9, with_pin.account).into(),
    );
    assert!(renamed.await.unwrap().unwrap().pin);
}

/// A login whose factors are no longer those that were judged writes nothing.
pub async fn a_login_needs_the_factors_it_was_judged_by(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_with_factors(&*store, 1).await;
    for other in [
        JudgedFactors {
            password: None,
            ..judged(1)
        },
        JudgedFactors {
            password: Some("$hash$2".into()),
            ..judged(1)
        },
        JudgedFactors {
            client_key: None,
            ..judged(1)
        },
        JudgedFactors {
            client_key: Some([2; 32]),
            ..judged(1)
        },
    ] {
        let before = (snapshot(&*store, id).await, factors(&*store, 1).await);
        let commit = AssertionCommit {
            factors: Some(other),
            ends_session: Some(own),
            ..login(id, 1, 9)
        };
        assert_eq!(
            store.commit_assertion(commit).await.unwrap(),
            AssertionOutcome::RecordChanged
        );
        let after = (snapshot(&*store, id).await, factors(&*store, 1).await);
        assert_eq!(after, before);
    }
    let commit = AssertionCommit {
        factors: Some(judged(1)),
        ..login(id, 1, 9)
    };
    assert_eq!(
        store.commit_assertion(commit).await.unwrap(),
        AssertionOutcome::Committed
    );
    let used = factors(&*store, 1).await.client_key.unwrap();
    assert_eq!(used.last_used_at, Some(at(500)));
    // Nothing is there, and nothing was: the same.
    let (without, _) = register_signed_in(&*store, 2).await;
    let commit = AssertionCommit {
        factors: Some(JudgedFactors {
            password: None,
            client_key: None,
            uses_client_key: false,
        }),
        ..login(without, 2, 8)
    };
    assert_eq!(
        store.commit_assertion(commit).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// Where nothing was judged beside the passkey, nothing is looked at.
pub async fn a_login_without_factors_looks_at_none(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_with_factors(&*store, 1).await;
    assert_eq!(
        store.commit_assertion(login(id, 1, 9)).await.unwrap(),
        AssertionOutcome::Committed
    );
    assert_eq!(factors(&*store, 1).await.client_key, Some(client_key(id, 1)));
}

/// A client key is set, replaced and removed, each by a grant of its own.
pub async fn a_client_key_is_changed_by_a_grant(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let (others_id, others) = register_with_factors(&*store, 2).await;
    let changed = |change| {
        let store = store.clone();
        async move { store.change_client_key(change).await.unwrap() }
    };
    assert_eq!(
        changed(change(id, own, 3)).await,
        ClientKeyChangeOutcome::GrantMissing
    );
    give(&*store, id, 1, own).await;
    assert_eq!(
        changed(change(id, others, 3)).await,
        ClientKeyChangeOutcome::SessionEnded
    );
    let late = ClientKeyChange {
        at: at(1_000_000),
        ..change(id, own, 3)
    };
    assert_eq!(changed(late).await, ClientKeyChangeOutcome::SessionEnded);
    let late = ClientKeyChange {
        at: at(300_000),
        ..change(id, own, 3)
    };
    assert_eq!(changed(late).await, ClientKeyChangeOutcome::GrantMissing);
    assert_eq!(
        changed(change(account(7).id, own, 3)).await,
        ClientKeyChangeOutcome::AccountUnavailable
    );
    let removal = ClientKeyChange {
        to: None,
        ..change(id, own, 9)
    };
    assert_eq!(changed(removal).await, ClientKeyChangeOutcome::NotFound);
    let broken = ClientKeyChange {
        audit: event(1, id).into(),
        ..change(id, own, 3)
    };
    assert!(store.change_client_key(broken).await.is_err());
    assert_eq!(factors(&*store, 1).await, Factors::default());

    assert_eq!(changed(change(id, own, 3)).await, ClientKeyChangeOutcome::Changed);
    assert_eq!(factors(&*store, 1).await.client_key, Some(client_key(id, 3)));
    assert!(snapshot(&*store, id).await.events.contains(&event(6003, id)));
    assert_eq!(
        changed(change(id, own, 4)).await,
        ClientKeyChangeOutcome::GrantMissing
    );
    give_again(&*store, id, own, 1).await;
    assert_eq!(changed(change(id, own, 4)).await, ClientKeyChangeOutcome::Changed);
    assert_eq!(factors(&*store, 1).await.client_key, Some(client_key(id, 4)));
    give_again(&*store, id, own, 2).await;
    let removal = ClientKeyChange {
        to: None,
        ..change(id, own, 9)
    };
    assert_eq!(changed(removal).await, ClientKeyChangeOutcome::Changed);
    assert_eq!(factors(&*store, 1).await, Factors::default());
    assert_eq!(
        factors(&*store, 2).await.client_key,
        Some(client_key(others_id, 2))
    );
}

/// One more grant, by the credential that stands at 7 and one.
async fn give_again(store: &dyn DurableStore, account: AccountId, session: SessionId, n: u32) {
    let grant = StepUpGrant {
        session,
        purpose: PURPOSE.into(),
        expires_at: at(300_000),
    };
    let commit = AssertionCommit {
        grant: Some(grant),
        expected_sign_count: keyhaven_types::SignCount(7 + n),
        new_sign_count: keyhaven_types::SignCount(8 + n),
        audit: event(7000 + u128::from(n), account).into(),
        ..step_up(account, 1, session)
    };
    assert_eq!(
        store.commit_assertion(commit).await.unwrap(),
        AssertionOutcome::Committed
    );
}

/// No login judged by an old password is committed once another one is.
pub async fn a_login_races_a_password_change(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_with_factors(&*store, 1).await;
    let outcomes = race(16, |n| {
        let store = store.clone();
        let n = u8::try_from(n).unwrap();
        Box::pin(async move {
            if n == 8 {
                let change = crate::PasswordChange {
                    account: id,
                    session: own,
                    uses_grant: None,
                    from: Some("$hash$1".into()),
                    to: Some(verifier(id, 2)),
                    at: at(600),
                    audit: event(6100, id).into(),
                };
                let _ = store.change_password(change).await.unwrap();
                return AssertionOutcome::Committed;
            }
            let commit = AssertionCommit {
                factors: Some(judged(1)),
                new_sign_count: keyhaven_types::SignCount(7),
                session: Some(Session {
                    credential: Some(super::samples::credential_id(1)),
                    ..session(id, 100 + n)
                }),
                audit: event(6200 + u128::from(n), id).into(),
                ..login(id, 1, 100 + n)
            };
            store.commit_assertion(commit).await.unwrap()
        })
    })
    .await;
    let refused = count(&outcomes, &AssertionOutcome::RecordChanged);
    assert_eq!(count(&outcomes, &AssertionOutcome::Committed) + refused, 16);
    // Those that were in time were ended by the change; none came after it.
    let sessions = snapshot(&*store, id).await.sessions;
    assert_eq!(sessions, [session(id, 1)]);
}
