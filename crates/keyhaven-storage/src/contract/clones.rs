use keyhaven_types::{CredentialId, SignCount};

use super::samples::{
    PURPOSE, account, announced, another, at, credential_id, event, login, open_session, register,
    register_signed_in, session, snapshot, step_up,
};
use super::{DurableSubject, count, race};
use crate::{
    AccountId, AlarmEffect, AssertionCommit, AssertionOutcome, CloneAlarm, CloneAlarmOutcome, Credential,
    DurableStore, InactiveReason, OwnedCredential, Reinstatement, ReinstatementOutcome, Remembered,
    SessionId,
};

/// An alarm about the credential of that number, which stands at 7; event 6000 + `n`.
fn alarm(account: AccountId, credential: u8, n: u8) -> CloneAlarm {
    CloneAlarm {
        credential: credential_id(credential),
        account,
        expected_sign_count: SignCount(7),
        effect: AlarmEffect::OutOfUse(InactiveReason::CloneSuspended),
        audit: event(6000 + u128::from(n), account).into(),
    }
}

/// Its reinstatement; event 6500.
fn reinstatement(account: AccountId, credential: u8) -> Reinstatement {
    Reinstatement {
        account,
        credential: credential_id(credential),
        uses_grant: None,
        audit: event(6500, account).into(),
    }
}

async fn owned(store: &dyn DurableStore, id: &CredentialId) -> OwnedCredential {
    store.credential(id).await.unwrap().unwrap()
}

async fn opened_by(store: &dyn DurableStore, account: AccountId, credential: u8) -> Vec<SessionId> {
    let listed = store.sessions_of(account, at(0)).await.unwrap();
    let opened = listed
        .into_iter()
        .filter(|session| session.credential == Some(credential_id(credential)));
    opened.map(|session| session.id).collect()
}

/// The credential is out of use with its reason, the sessions it opened are over, and no other's; it signs nothing and is
/// no candidate any more.
pub async fn a_clone_alarm_takes_a_credential_out_of_use(subject: impl DurableSubject) {
    let store = subject.store();
    for (n, reason) in [
        (1, InactiveReason::CloneRevoked),
        (3, InactiveReason::CloneSuspended),
    ] {
        let (id, own) = register_signed_in(&*store, n).await;
        register(&*store, another(id, n + 1)).await;
        let known = Remembered::of(&owned(&*store, &credential_id(n)).await);
        let first = AssertionCommit {
            expected: known.clone(),
            ..login(id, n, n + 10)
        };
        assert_eq!(
            store.commit_assertion(first).await.unwrap(),
            AssertionOutcome::Committed
        );
        let by_no_passkey = session(id, n + 5);
        open_session(&*store, by_no_passkey.clone(), n).await;
        assert_eq!(opened_by(&*store, id, n).await, [session(id, n + 10).id, own]);
        let alarm = CloneAlarm {
            expected_sign_count: SignCount(8),
            effect: AlarmEffect::OutOfUse(reason),
            ..alarm(id, n, n)
        };
        assert_eq!(
            store.commit_clone_alarm(alarm.clone()).await.unwrap(),
            CloneAlarmOutcome::Committed
        );
        let found = owned(&*store, &credential_id(n)).await.credential;
        assert_eq!((found.active, found.inactive_reason), (false, Some(reason)));
        assert_eq!(found.sign_count, SignCount(8));
        assert_eq!(opened_by(&*store, id, n).await, []);
        let after = snapshot(&*store, id).await;
        assert_eq!(after.sessions, [by_no_passkey]);
        assert!(after.events.contains(&alarm.audit.event));
        let candidates = store
            .login_candidates(&format!("user-{n}"))
            .await
            .unwrap()
            .unwrap();
        let handles: Vec<_> = candidates.iter().map(|handle| &handle.id).collect();
        assert_eq!(handles, [&credential_id(n + 1)]);
        let again = AssertionCommit {
            expected_sign_count: SignCount(8),
            new_sign_count: SignCount(9),
            expected: known,
            audit: event(6600, id).into(),
            ..login(id, n, n + 20)
        };
        assert_eq!(
            store.commit_assertion(again).await.unwrap(),
            AssertionOutcome::CredentialInactive
        );
    }
}

/// Only by the count that was judged, once, and of the account's own credential; else nothing is written.
pub async fn a_clone_alarm_is_by_the_count_that_was_judged(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let (other, _) = register_signed_in(&*store, 2).await;
    let before = (snapshot(&*store, id).await, snapshot(&*store, other).await);
    let stale = CloneAlarm {
        expected_sign_count: SignCount(6),
        ..alarm(id, 1, 1)
    };
    for (alarm, expected) in [
        (stale, CloneAlarmOutcome::RecordChanged),
        (alarm(id, 2, 1), CloneAlarmOutcome::CredentialMissing),
        (alarm(id, 9, 1), CloneAlarmOutcome::CredentialMissing),
        (alarm(account(9).id, 1, 1), CloneAlarmOutcome::CredentialMissing),
    ] {
        assert_eq!(store.commit_clone_alarm(alarm).await.unwrap(), expected);
    }
    assert_eq!(
        (snapshot(&*store, id).await, snapshot(&*store, other).await),
        before
    );
    assert_eq!(
        store.commit_clone_alarm(alarm(id, 1, 1)).await.unwrap(),
        CloneAlarmOutcome::Committed
    );
    let after = snapshot(&*store, id).await;
    assert_eq!(
        store.commit_clone_alarm(alarm(id, 1, 2)).await.unwrap(),
        CloneAlarmOutcome::AlreadyInactive
    );
    assert_eq!(snapshot(&*store, id).await, after);
}

/// A notice, which changes nothing but what people are told: the first of a day, whoever races.
pub async fn a_clone_notice_is_given_once_in_a_while(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    register(&*store, another(id, 2)).await;
    let notice = |credential, n: u8, moment| {
        let mut notice = CloneAlarm {
            effect: AlarmEffect::ToldUnlessSince(at(moment - 100)),
            audit: announced(6000 + u128::from(n), id),
            ..alarm(id, credential, n)
        };
        notice.audit.event.at = at(moment);
        notice.audit.event.credential = Some(credential_id(credential));
        notice
    };
    let waiting = async || store.outbox_figures().await.unwrap().waiting;
    let before = snapshot(&*store, id).await;
    let outcomes = race(16, |n| {
        let store = store.clone();
        let notice = notice(1, u8::try_from(n).unwrap(), 700);
        Box::pin(async move { store.commit_clone_alarm(notice).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &CloneAlarmOutcome::Committed), 1);
    assert_eq!(count(&outcomes, &CloneAlarmOutcome::ToldAlready), 15);
    assert_eq!(waiting().await, 1);
    let after = snapshot(&*store, id).await;
    assert_eq!(
        (&after.credentials, &after.sessions),
        (&before.credentials, &before.sessions)
    );
    assert_eq!(after.events.len(), before.events.len() + 1);
    assert_eq!(opened_by(&*store, id, 1).await, [own]);
    // Another passkey's, and once that time is over; not by a count that is stored no more.
    let stale = CloneAlarm {
        expected_sign_count: SignCount(6),
        ..notice(2, 20, 701)
    };
    for (notice, expected) in [
        (stale, CloneAlarmOutcome::RecordChanged),
        (notice(2, 21, 701), CloneAlarmOutcome::Committed),
        (notice(1, 22, 799), CloneAlarmOutcome::ToldAlready),
        (notice(1, 23, 800), CloneAlarmOutcome::Committed),
        (notice(1, 24, 801), CloneAlarmOutcome::ToldAlready),
    ] {
        assert_eq!(store.commit_clone_alarm(notice).await.unwrap(), expected);
    }
    assert_eq!(waiting().await, 3);
    // What takes it out of use is done all the same.
    let sounded = store.commit_clone_alarm(alarm(id, 1, 30)).await.unwrap();
    assert_eq!(sounded, CloneAlarmOutcome::Committed);
    let late = store.commit_clone_alarm(notice(1, 31, 2000)).await.unwrap();
    assert_eq!(late, CloneAlarmOutcome::AlreadyInactive);
}

/// Of racing alarms one is committed.
pub async fn one_of_racing_clone_alarms_is_committed(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let outcomes = race(16, |n| {
        let store = store.clone();
        let alarm = alarm(id, 1, u8::try_from(n).unwrap());
        Box::pin(async move { store.commit_clone_alarm(alarm).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &CloneAlarmOutcome::Committed), 1);
    assert_eq!(count(&outcomes, &CloneAlarmOutcome::AlreadyInactive), 15);
    assert_eq!(snapshot(&*store, id).await.events.len(), 2);
}

/// Logins with counts that do not rise race an alarm about them: whatever was committed before it, no session that the
/// credential opened is left.
pub async fn a_clone_alarm_leaves_no_session_of_a_racing_login(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let outcomes = race(33, |n| {
        let store = store.clone();
        let n = u8::try_from(n).unwrap();
        let login = AssertionCommit {
            new_sign_count: SignCount(7),
            ..login(id, 1, 10 + n)
        };
        Box::pin(async move {
            if n == 16 {
                let sounded = store.commit_clone_alarm(alarm(id, 1, 1)).await.unwrap();
                assert_eq!(sounded, CloneAlarmOutcome::Committed);
                return None;
            }
            Some(store.commit_assertion(login).await.unwrap())
        })
    })
    .await;
    let committed = count(&outcomes, &Some(AssertionOutcome::Committed));
    let inactive = count(&outcomes, &Some(AssertionOutcome::CredentialInactive));
    assert_eq!(committed + inactive, 32, "{outcomes:?}");
    assert_eq!(opened_by(&*store, id, 1).await, []);
    assert!(!owned(&*store, &credential_id(1)).await.credential.active);
}

/// A suspended credential comes back with a count of zero; a revoked one, an active one and another's do not.
pub async fn a_suspended_credential_is_reinstated_and_a_revoked_one_is_not(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    register(&*store, another(id, 2)).await;
    let (other, _) = register_signed_in(&*store, 3).await;
    let revoked = CloneAlarm {
        effect: AlarmEffect::OutOfUse(InactiveReason::CloneRevoked),
        ..alarm(id, 2, 2)
    };
    for alarm in [alarm(id, 1, 1), revoked] {
        let sounded = store.commit_clone_alarm(alarm).await.unwrap();
        assert_eq!(sounded, CloneAlarmOutcome::Committed);
    }
    let before = snapshot(&*store, id).await;
    for wanted in [
        reinstatement(id, 2),
        reinstatement(id, 3),
        reinstatement(other, 1),
        reinstatement(other, 3),
        reinstatement(id, 9),
    ] {
        assert_eq!(
            store.reinstate_credential(wanted).await.unwrap(),
            ReinstatementOutcome::NotSuspended
        );
    }
    assert_eq!(snapshot(&*store, id).await, before);
    assert_eq!(
        store.reinstate_credential(reinstatement(id, 1)).await.unwrap(),
        ReinstatementOutcome::Reinstated
    );
    let after = snapshot(&*store, id).await;
    let expected = Credential {
        active: true,
        inactive_reason: None,
        sign_count: SignCount(0),
        ..before.credentials[0].clone()
    };
    assert_eq!(after.credentials, [expected, before.credentials[1].clone()]);
    assert!(after.events.contains(&event(6500, id)));
}

/// Without its grant nothing is reinstated, and the grant is used once.
pub async fn a_reinstatement_uses_its_grant(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    register(&*store, another(id, 2)).await;
    let own = session(id, 30).id;
    open_session(&*store, session(id, 30), 2).await;
    assert_eq!(
        store.commit_clone_alarm(alarm(id, 1, 1)).await.unwrap(),
        CloneAlarmOutcome::Committed
    );
    let wanted = Reinstatement {
        uses_grant: Some((own, PURPOSE.to_owned(), at(600))),
        ..reinstatement(id, 1)
    };
    let before = snapshot(&*store, id).await;
    assert_eq!(
        store.reinstate_credential(wanted.clone()).await.unwrap(),
        ReinstatementOutcome::GrantMissing
    );
    assert_eq!(snapshot(&*store, id).await, before);
    assert_eq!(
        store.commit_assertion(step_up(id, 2, own)).await.unwrap(),
        AssertionOutcome::Committed
    );
    assert_eq!(
        store.reinstate_credential(wanted).await.unwrap(),
        ReinstatementOutcome::Reinstated
    );
    assert!(!store.has_grant(own, PURPOSE, at(600)).await.unwrap());
}
