use std::collections::BTreeSet;

use keyhaven_types::UnixTime;

use super::samples::{
    PURPOSE, account, all_mails, announced, another, at, credential_id, event, login, mail, newcomer,
    open_session, register, register_signed_in, session, snapshot, step_up, token,
};
use super::{DurableSubject, count, race};
use crate::{
    Account, AccountId, AddressClaim, Aftermath, AssertionOutcome, CodesOutcome, CodesReplacement, Deletion,
    DeletionGround, DeletionOutcome, DurableStore, NewRegistration, PasswordVerifier, RegistrationAccount,
    RegistrationOutcome, SessionId,
};

/// The deletion of an account that its owner asks for; event 7000.
fn deletion(account: AccountId, session: SessionId) -> Deletion {
    Deletion {
        account,
        ground: DeletionGround::Asked {
            session,
            uses_grant: PURPOSE.to_owned(),
            at: at(600),
        },
        audit: event(7000, account).into(),
    }
}

fn unused(account: AccountId, since: UnixTime) -> Deletion {
    Deletion {
        ground: DeletionGround::Unused { since },
        ..deletion(account, SessionId(uuid::Uuid::nil()))
    }
}

/// Account 1 with passkeys 1 and 2, session 1 with a grant, session 30, a password, a claim, a recovery code and a mail.
async fn furnished(store: &dyn DurableStore) -> (AccountId, SessionId) {
    let mut new = newcomer(1);
    let id = new.credential.account;
    let own = crate::Session {
        credential: Some(credential_id(1)),
        ..session(id, 1)
    };
    let own_id = own.id;
    new.session = Some(own);
    new.password = Some(PasswordVerifier {
        account: id,
        hash: "$argon2id$1".into(),
        kind: "argon2id".into(),
        with_passkey: false,
        changed_at: at(1),
    });
    new.claim = Some(AddressClaim {
        account: id,
        address: "user-1@example.org".into(),
        address_hash: [1; 32],
        token_hash: token(90),
        token_expires_at: at(9_000),
        mails: 1,
        mailed_at: at(1),
        expires_at: at(90_000),
    });
    new.audit.mails = vec![mail(1, id)];
    register(store, new).await;
    register(store, another(id, 2)).await;
    open_session(store, session(id, 30), 2).await;
    let codes = CodesReplacement {
        account: id,
        session: own_id,
        uses_grant: None,
        hashes: vec![[5; 32]],
        at: at(600),
        audit: event(7100, id).into(),
    };
    let codes = store.replace_recovery_codes(codes).await.unwrap();
    assert_eq!(codes, CodesOutcome::Replaced);
    let granted = store.commit_assertion(step_up(id, 1, own_id)).await.unwrap();
    assert_eq!(granted, AssertionOutcome::Committed);
    (id, own_id)
}

/// Nothing of a deleted account is left but its events; others keep what they have, and the farewell is sent.
pub async fn a_deleted_account_leaves_its_events_alone(mut subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = furnished(&*store).await;
    let (other, _) = register_signed_in(&*store, 9).await;
    let before = snapshot(&*store, other).await;
    let events = store.events_of(id, None, 100).await.unwrap();
    let farewell = crate::QueuedMail {
        account: None,
        ..mail(7000, id)
    };
    let deleted = Deletion {
        audit: Aftermath {
            mails: vec![farewell.clone()],
            ..event(7000, id).into()
        },
        ..deletion(id, own)
    };
    assert_eq!(
        store.delete_account(deleted).await.unwrap(),
        DeletionOutcome::Deleted
    );
    for _ in 0..2 {
        let store = subject.store();
        assert_eq!(store.account(id).await.unwrap(), None);
        assert!(!store.username_exists("user-1").await.unwrap());
        assert_eq!(store.account_named("user-1").await.unwrap(), None);
        assert_eq!(store.login_candidates("user-1").await.unwrap(), None);
        assert_eq!(store.password_candidate("user-1").await.unwrap(), None);
        assert_eq!(store.password_of(id).await.unwrap(), None);
        for n in [1, 2] {
            assert_eq!(store.credential(&credential_id(n)).await.unwrap(), None);
        }
        assert_eq!(store.credentials_of(id).await.unwrap(), []);
        assert_eq!(store.sessions_of(id, at(0)).await.unwrap(), []);
        assert!(!store.has_grant(own, PURPOSE, at(600)).await.unwrap());
        assert_eq!(store.address_claim(id).await.unwrap(), None);
        // The address has had its mails, whoever asked for them.
        assert_eq!(store.mails_to(&[1; 32], at(0)).await.unwrap(), 1);
        assert_eq!(store.recovery_codes_left(id).await.unwrap(), 0);
        let left = store.events_of(id, None, 100).await.unwrap();
        assert_eq!(left.len(), events.len() + 1);
        assert!(events.iter().all(|event| left.contains(event)));
        assert!(left.contains(&event(7000, id)));
        assert_eq!(snapshot(&*store, other).await, before);
        if !subject.reopen().await {
            break;
        }
    }
    assert_eq!(all_mails(&*subject.store()).await, [farewell.id]);
}

/// Somebody else may take the name, and has nothing of what was there before.
pub async fn a_freed_username_is_taken_without_inheritance(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = furnished(&*store).await;
    let gone = store.delete_account(deletion(id, own)).await.unwrap();
    assert_eq!(gone, DeletionOutcome::Deleted);
    let heir = Account {
        username: "user-1".into(),
        ..account(4)
    };
    register(
        &*store,
        NewRegistration {
            account: RegistrationAccount::New(heir.clone()),
            ..newcomer(4)
        },
    )
    .await;
    let named = store.account_named("user-1").await.unwrap().unwrap();
    assert_eq!(named.id, heir.id);
    let found = store.login_candidates("user-1").await.unwrap().unwrap();
    let ids: Vec<_> = found.into_iter().map(|handle| handle.id).collect();
    assert_eq!(ids, [credential_id(4)]);
    assert_eq!(store.password_of(heir.id).await.unwrap(), None);
    assert_eq!(store.recovery_codes_left(heir.id).await.unwrap(), 0);
    assert_eq!(
        store.events_of(heir.id, None, 10).await.unwrap(),
        [event(4, heir.id)]
    );
}

/// A credential id and a proven address are free again, too.
pub async fn a_deleted_accounts_passkey_can_be_registered_anew(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = furnished(&*store).await;
    let proven = store
        .prove_address(id, own, &token(90), None, at(5), event(7200, id).into())
        .await;
    assert!(matches!(proven.unwrap(), crate::ProofOutcome::Proven(_)));
    let gone = store.delete_account(deletion(id, own)).await.unwrap();
    assert_eq!(gone, DeletionOutcome::Deleted);
    assert_eq!(store.address_owner("user-1@example.org").await.unwrap(), None);
    let heir = Account {
        email_verified: true,
        ..account(1)
    };
    register(
        &*store,
        NewRegistration {
            account: RegistrationAccount::New(Account {
                id: AccountId(uuid::Uuid::from_u128(77)),
                ..heir
            }),
            credential: crate::Credential {
                account: AccountId(uuid::Uuid::from_u128(77)),
                ..newcomer(1).credential
            },
            audit: event(7300, id).into(),
            ..newcomer(1)
        },
    )
    .await;
}

/// Another's session, one that is over, a grant for something else or used up, a locked account: nothing is deleted.
pub async fn a_deletion_needs_its_session_and_its_grant(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = furnished(&*store).await;
    let (other, foreign) = register_signed_in(&*store, 9).await;
    let before = snapshot(&*store, id).await;
    let asked = |session, at, purpose: &str| Deletion {
        ground: DeletionGround::Asked {
            session,
            uses_grant: purpose.to_owned(),
            at,
        },
        ..deletion(id, own)
    };
    for (wanted, expected) in [
        (asked(foreign, at(600), PURPOSE), DeletionOutcome::SessionEnded),
        (asked(own, at(1_000_000), PURPOSE), DeletionOutcome::SessionEnded),
        (asked(own, at(300_000), PURPOSE), DeletionOutcome::GrantMissing),
        (asked(own, at(600), "another"), DeletionOutcome::GrantMissing),
        (
            asked(session(id, 30).id, at(600), PURPOSE),
            DeletionOutcome::GrantMissing,
        ),
        (deletion(account(8).id, own), DeletionOutcome::AccountUnavailable),
        (deletion(other, own), DeletionOutcome::SessionEnded),
    ] {
        assert_eq!(
            store.delete_account(wanted.clone()).await.unwrap(),
            expected,
            "{wanted:?}"
        );
    }
    assert_eq!(snapshot(&*store, id).await, before);
    let mut locked = newcomer(3);
    if let RegistrationAccount::New(account) = &mut locked.account {
        account.active = false;
    }
    let locked_id = locked.credential.account;
    locked.session = Some(session(locked_id, 3));
    register(&*store, locked).await;
    assert_eq!(
        store
            .delete_account(deletion(locked_id, session(locked_id, 3).id))
            .await
            .unwrap(),
        DeletionOutcome::AccountUnavailable
    );
}

/// Of racing deletions with one grant one happens, and logins that race with it leave nothing behind.
pub async fn a_deletion_leaves_nothing_of_what_races_with_it(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = furnished(&*store).await;
    let outcomes = race(24, |n| {
        let store = store.clone();
        let n = u8::try_from(n).unwrap();
        Box::pin(async move {
            match n % 3 {
                0 => {
                    let deletion = Deletion {
                        audit: event(7000 + u128::from(n), id).into(),
                        ..deletion(id, own)
                    };
                    Some(store.delete_account(deletion).await.unwrap())
                }
                1 => {
                    let login = crate::AssertionCommit {
                        new_sign_count: keyhaven_types::SignCount(7),
                        ..login(id, 2, 100 + n)
                    };
                    let _ = store.commit_assertion(login).await.unwrap();
                    None
                }
                _ => {
                    let _ = store.commit_registration(another(id, 100 + n)).await.unwrap();
                    None
                }
            }
        })
    })
    .await;
    assert_eq!(
        count(&outcomes, &Some(DeletionOutcome::Deleted)),
        1,
        "{outcomes:?}"
    );
    assert_eq!(count(&outcomes, &Some(DeletionOutcome::AccountUnavailable)), 7);
    assert_eq!(store.account(id).await.unwrap(), None);
    assert_eq!(store.credentials_of(id).await.unwrap(), []);
    assert_eq!(store.sessions_of(id, at(0)).await.unwrap(), []);
    assert_eq!(
        store.commit_assertion(login(id, 2, 200)).await.unwrap(),
        AssertionOutcome::CredentialMissing
    );
    assert_eq!(
        store.commit_registration(another(id, 200)).await.unwrap(),
        RegistrationOutcome::AccountUnavailable
    );
}

/// An active account has another display name, and says when it changed.
pub async fn a_display_name_is_changed(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let before = store.account(id).await.unwrap().unwrap();
    let renamed = store
        .change_display_name(id, "Zoë", at(700), announced(7400, id))
        .await
        .unwrap();
    let expected = Account {
        display_name: "Zoë".into(),
        updated_at: at(700),
        ..before
    };
    assert_eq!(renamed, Some(expected.clone()));
    assert_eq!(store.account(id).await.unwrap(), Some(expected));
    assert!(
        store
            .events_of(id, None, 10)
            .await
            .unwrap()
            .contains(&event(7400, id))
    );
    assert_eq!(all_mails(&*store).await.len(), 1);
    let nobody = account(8).id;
    let renamed = store
        .change_display_name(nobody, "Zoë", at(700), event(7401, nobody).into())
        .await;
    assert_eq!(renamed.unwrap(), None);
    assert_eq!(store.events_of(nobody, None, 10).await.unwrap(), []);
}

/// Accounts without a proven address that nobody has used since are found page by page, and only they are dropped.
pub async fn unused_accounts_are_found_and_deleted(subject: impl DurableSubject) {
    let store = subject.store();
    let mut expected = BTreeSet::new();
    for n in 1..=8 {
        let mut new = newcomer(n);
        if let RegistrationAccount::New(account) = &mut new.account {
            match n % 4 {
                0 => account.last_login_at = Some(at(1_000)),
                1 => account.last_login_at = Some(at(999)),
                2 => account.email_verified = true,
                _ => {}
            }
            if n % 2 == 1 {
                expected.insert(account.id);
            }
        }
        register(&*store, new).await;
    }
    let (mut found, mut after, mut pages) = (BTreeSet::new(), None, 0);
    loop {
        let page = store.unused_accounts(after, at(1_000), 3).await.unwrap();
        found.extend(page.accounts);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((&found, pages), (&expected, 3));
    for n in 1..=8 {
        let id = account(n).id;
        let gone = Deletion {
            audit: event(7500 + u128::from(n), id).into(),
            ..unused(id, at(1_000))
        };
        let outcome = match expected.contains(&id) {
            true => DeletionOutcome::Deleted,
            false => DeletionOutcome::InUse,
        };
        assert_eq!(store.delete_account(gone).await.unwrap(), outcome, "{n}");
        assert_eq!(store.account(id).await.unwrap().is_none(), expected.contains(&id));
    }
}

/// Address and user agent of old sessions are forgotten, page by page; the sessions stay, and so do newer ones.
pub async fn clients_of_old_sessions_are_forgotten(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    for n in 2..=7 {
        open_session(&*store, session(id, n), 1).await;
    }
    let (mut after, mut pages) = (None, 0);
    loop {
        after = store.forget_session_clients(after, at(4), 3).await.unwrap();
        pages += 1;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    for found in store.sessions_of(id, at(0)).await.unwrap() {
        let kept = found.created_at >= at(4);
        assert_eq!(
            (found.ip.is_some(), found.user_agent.is_some()),
            (kept, kept),
            "{found:?}"
        );
    }
    assert_eq!(store.sessions_of(id, at(0)).await.unwrap().len(), 7);
}
