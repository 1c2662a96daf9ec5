use super::factors::client_key;
use super::passwords::verifier;
use super::samples::{
    PURPOSE, account, another, at, credential, credential_id, event, family, newcomer, open_session,
    register, register_signed_in, removal, session, snapshot, step_up,
};
use super::{DurableSubject, count, race};
use crate::{
    AssertionOutcome, Credential, DurableStore, NewRegistration, PasswordVerifier, RegistrationOutcome,
    Removal, RemovalOutcome, Session,
};

/// The removal is refused so, and nothing of it is written.
async fn refused(store: &dyn DurableStore, removal: Removal, expected: RemovalOutcome) {
    let account = removal.account;
    let before = snapshot(store, account).await;
    assert_eq!(store.remove_credentials(removal).await.unwrap(), expected);
    assert_eq!(snapshot(store, account).await, before);
}

/// A new name is the only thing that changes.
pub async fn a_credential_is_renamed(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    register(&*store, another(id, 2)).await;
    let before = snapshot(&*store, id).await;
    let renamed = Credential {
        device_name: "Schlüssel 🔑".into(),
        ..credential(id, 2)
    };
    let answer = store
        .rename_credential(id, &credential_id(2), "Schlüssel 🔑", event(7, id).into())
        .await
        .unwrap();
    assert_eq!(answer.as_ref(), Some(&renamed));
    let after = snapshot(&*store, id).await;
    assert_eq!(after.credentials, [credential(id, 1), renamed]);
    assert_eq!(
        (&after.account, &after.sessions),
        (&before.account, &before.sessions)
    );
    assert!(after.events.contains(&event(7, id)));
}

/// One grant allows one removal, however many ask at once.
pub async fn a_grant_is_used_once(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session) = register_signed_in(&*store, 1).await;
    for n in 2..40 {
        register(&*store, another(id, n)).await;
    }
    assert_eq!(
        store.commit_assertion(step_up(id, 1, session)).await.unwrap(),
        AssertionOutcome::Committed
    );
    let outcomes = race(32, |n| {
        let store = store.clone();
        let removal = Removal {
            uses_grant: Some((session, PURPOSE.into(), at(600))),
            ..removal(id, &[u8::try_from(n).unwrap() + 2])
        };
        Box::pin(async move { store.remove_credentials(removal).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &RemovalOutcome::Removed), 1);
    assert_eq!(count(&outcomes, &RemovalOutcome::GrantMissing), 31);
    assert_eq!(store.credentials_of(id).await.unwrap().len(), 38);
    assert!(!store.has_grant(session, PURPOSE, at(600)).await.unwrap());
}

/// Without a live grant of that session, account and purpose nothing is removed; a refused removal keeps the grant.
pub async fn a_removal_needs_its_grant(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    register(&*store, another(id, 2)).await;
    let (others_id, others) = register_signed_in(&*store, 3).await;
    open_session(&*store, session(id, 4), 2).await;
    for commit in [step_up(id, 1, own), step_up(others_id, 3, others)] {
        assert_eq!(
            store.commit_assertion(commit).await.unwrap(),
            AssertionOutcome::Committed
        );
    }

    let removal = |session, purpose: &str, now| Removal {
        uses_grant: Some((session, purpose.to_owned(), now)),
        ..removal(id, &[2])
    };
    for without in [
        removal(own, "change_email", at(600)),
        removal(session(id, 4).id, PURPOSE, at(600)),
        removal(session(id, 9).id, PURPOSE, at(600)),
        removal(others, PURPOSE, at(600)),
        removal(own, PURPOSE, at(300_000)),
    ] {
        refused(&*store, without, RemovalOutcome::GrantMissing).await;
    }
    let everything = Removal {
        credentials: vec![credential_id(1), credential_id(2)],
        ..removal(own, PURPOSE, at(600))
    };
    refused(&*store, everything, RemovalOutcome::LastCredential).await;
    assert!(store.has_grant(others, PURPOSE, at(600)).await.unwrap());

    let allowed = removal(own, PURPOSE, at(299_999));
    assert_eq!(
        store.remove_credentials(allowed).await.unwrap(),
        RemovalOutcome::Removed
    );
    assert!(!store.has_grant(own, PURPOSE, at(600)).await.unwrap());
}

/// Removed credentials are gone, with the sessions they opened save one; their ids are free.
pub async fn a_removed_credential_is_gone(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, kept) = register_signed_in(&*store, 1).await;
    for n in [2, 3] {
        register(&*store, another(id, n)).await;
    }
    let (others, _) = register_signed_in(&*store, 8).await;
    let bystander = snapshot(&*store, others).await;
    for (n, by) in [(11, Some(1)), (12, Some(2)), (13, Some(3)), (14, None)] {
        let opened = Session {
            credential: by.map(credential_id),
            ..session(id, n)
        };
        open_session(&*store, opened, by.unwrap_or(3)).await;
    }

    let removal = Removal {
        keeps_session: Some(kept),
        ..removal(id, &[1, 2, 1])
    };
    assert_eq!(
        store.remove_credentials(removal.clone()).await.unwrap(),
        RemovalOutcome::Removed
    );
    let found = snapshot(&*store, id).await;
    assert_eq!(
        found
            .credentials
            .iter()
            .map(|credential| credential.id.clone())
            .collect::<Vec<_>>(),
        [credential_id(3)]
    );
    for n in [1, 2] {
        assert_eq!(store.credential(&credential_id(n)).await.unwrap(), None);
    }
    for n in [11, 12] {
        assert_eq!(store.session(&family(n)).await.unwrap(), None);
    }
    for n in [13, 14] {
        assert!(store.session(&family(n)).await.unwrap().is_some());
    }
    // The kept session lives on; what opened it is gone.
    let kept = store.session(&family(1)).await.unwrap().unwrap().session;
    assert_eq!(
        kept,
        Session {
            credential: None,
            ..session(id, 1)
        }
    );
    assert!(found.events.contains(&removal.audit.event));
    let candidates = store.login_candidates("user-1").await.unwrap().unwrap();
    assert_eq!(candidates.len(), 1);
    assert_eq!(snapshot(&*store, others).await, bystander);

    let again = NewRegistration {
        audit: event(77, id).into(),
        ..another(id, 2)
    };
    assert_eq!(
        store.commit_registration(again).await.unwrap(),
        RegistrationOutcome::Committed
    );
}

/// All of the credentials must be the account's; else none is removed.
pub async fn anothers_credential_is_not_removed(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    register(&*store, another(id, 2)).await;
    let (others, _) = register_signed_in(&*store, 3).await;
    register(&*store, another(others, 4)).await;
    let before = snapshot(&*store, others).await;
    for credentials in [&[3][..], &[9], &[2, 3], &[2, 9], &[9, 2]] {
        refused(&*store, removal(id, credentials), RemovalOutcome::NotFound).await;
    }
    refused(&*store, removal(account(9).id, &[2]), RemovalOutcome::NotFound).await;
    assert_eq!(snapshot(&*store, others).await, before);
}

/// Nobody renames what is not theirs; nothing is written.
pub async fn anothers_credential_is_not_renamed(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let (others, _) = register_signed_in(&*store, 2).await;
    let before = (snapshot(&*store, id).await, snapshot(&*store, others).await);
    for n in [2, 3] {
        let answer = store
            .rename_credential(id, &credential_id(n), "mine", event(7, id).into())
            .await
            .unwrap();
        assert_eq!(answer, None);
    }
    assert_eq!(
        (snapshot(&*store, id).await, snapshot(&*store, others).await),
        before
    );
}

/// Each of racing removals takes another credential: all but one succeed.
pub async fn racing_removals_leave_one_credential(subject: impl DurableSubject) {
    let store = subject.store();
    register(&*store, newcomer(0)).await;
    let id = account(0).id;
    for n in 1..32 {
        register(&*store, another(id, n)).await;
    }
    let outcomes = race(32, |n| {
        let store = store.clone();
        let removal = removal(id, &[u8::try_from(n).unwrap()]);
        Box::pin(async move { store.remove_credentials(removal).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &RemovalOutcome::Removed), 31);
    assert_eq!(count(&outcomes, &RemovalOutcome::LastCredential), 1);
    assert_eq!(store.credentials_of(id).await.unwrap().len(), 1);
    assert_eq!(store.events_of(id, None, 100).await.unwrap().len(), 32 + 31);
}

/// What cannot sign in is no way in: an inactive credential that is left does not help.
pub async fn the_last_active_credential_stays(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    for n in [2, 3] {
        let inactive = Credential {
            active: false,
            ..credential(id, n)
        };
        register(
            &*store,
            NewRegistration {
                credential: inactive,
                ..another(id, n)
            },
        )
        .await;
    }
    refused(&*store, removal(id, &[1]), RemovalOutcome::LastCredential).await;
    refused(&*store, removal(id, &[1, 2, 3]), RemovalOutcome::LastCredential).await;
    assert_eq!(
        store.remove_credentials(removal(id, &[2])).await.unwrap(),
        RemovalOutcome::Removed
    );
    refused(&*store, removal(id, &[1]), RemovalOutcome::LastCredential).await;
}

/// Where a password suffices and signs in alone, no credential has to stay.
pub async fn the_last_credential_goes_where_a_password_suffices(subject: impl DurableSubject) {
    let store = subject.store();
    for (n, with_passkey, has_client_key, expected) in [
        (1, Some(false), false, RemovalOutcome::Removed),
        (2, Some(true), false, RemovalOutcome::LastCredential),
        (3, Some(false), true, RemovalOutcome::LastCredential),
        (4, None, false, RemovalOutcome::LastCredential),
    ] {
        let id = account(n).id;
        let registration = NewRegistration {
            password: with_passkey.map(|with_passkey| PasswordVerifier {
                with_passkey,
                ..verifier(id, n)
            }),
            client_key: has_client_key.then(|| client_key(id, n)),
            session: Some(session(id, n)),
            ..newcomer(n)
        };
        register(&*store, registration).await;
        let last = removal(id, &[n]);
        refused(&*store, last.clone(), RemovalOutcome::LastCredential).await;
        let last = Removal {
            password_suffices: true,
            ..last
        };
        if expected == RemovalOutcome::Removed {
            let removed = store.remove_credentials(last).await.unwrap();
            assert_eq!(removed, expected);
            let found = store
                .password_candidate(&format!("user-{n}"))
                .await
                .unwrap()
                .unwrap();
            assert!(found.password.is_some() && !found.has_passkey);
        } else {
            refused(&*store, last, expected).await;
        }
    }
}
