use super::samples::{
    PURPOSE, account, at, event, family, grant, newcomer, open_session, register, register_signed_in,
    session, snapshot, step_up, token,
};
use super::{DurableSubject, count, race};
use crate::{AssertionCommit, AssertionOutcome, DurableStore, Rotation, Session, StepUpGrant};

/// A session that lives so long.
async fn open_until(store: &dyn DurableStore, n: u8, expires_at: i64) {
    open_session(
        store,
        Session {
            expires_at: at(expires_at),
            ..session(account(1).id, n)
        },
        1,
    )
    .await;
}

/// A session is found by its family through all rotations, and says which token is in force and which was before.
pub async fn a_rotated_session_keeps_its_family(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session_id) = register_signed_in(&*store, 1).await;
    for (n, moment) in [(1, 10), (2, 20), (3, 30)] {
        let rotated = store
            .rotate_session(
                session_id,
                &token(n),
                &token(n + 1),
                at(moment),
                event(6 + u128::from(n), id).into(),
            )
            .await
            .unwrap();
        assert_eq!(rotated, Rotation::Rotated);
        let found = store.session(&family(1)).await.unwrap().unwrap();
        assert_eq!(found.session.token_family, family(1));
        assert_eq!(found.session.token_hash, token(n + 1));
        assert_eq!(found.session.previous_token, Some((token(n), at(moment))));
    }
    assert_eq!(store.session(&token(4)).await.unwrap(), None);
    let events = store.events_of(id, None, 10).await.unwrap();
    assert!([7, 8, 9].iter().all(|n| events.contains(&event(*n, id))));
}

/// A token that was replaced is known with its time for as long as it counts, however often it was replaced since; and for
/// no longer, so that what is kept stays small.
pub async fn a_rotated_session_knows_tokens_replaced_shortly_before(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session_id) = register_signed_in(&*store, 1).await;
    let rotate = async |from: u8, to: u8, moment| {
        let event = event(100 + u128::from(to), id).into();
        let (from, to) = (token(from), token(to));
        let rotated = store.rotate_session(session_id, &from, &to, at(moment), event);
        assert_eq!(rotated.await.unwrap(), Rotation::Rotated);
        store.session(&family(1)).await.unwrap().unwrap().session
    };
    let replaced = |n: u8, moment| (token(n), at(moment));
    assert_eq!(rotate(1, 2, 10_000).await.earlier_tokens, []);
    assert_eq!(rotate(2, 3, 15_000).await.earlier_tokens, [replaced(1, 10_000)]);
    let found = rotate(3, 4, 25_000).await;
    assert_eq!(found.earlier_tokens, [replaced(2, 15_000), replaced(1, 10_000)]);
    let listed = store.sessions_of(id, at(0)).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&found));
    assert_eq!(found.replaced_at(&token(4)), None);
    for (n, moment) in [(3, 25_000), (2, 15_000), (1, 10_000)] {
        assert_eq!(found.replaced_at(&token(n)), Some(at(moment)));
    }
    assert_eq!(rotate(4, 5, 35_001).await.earlier_tokens, []);
    for n in 5..50 {
        rotate(n, n + 1, 40_000).await;
    }
    let kept = store
        .session(&family(1))
        .await
        .unwrap()
        .unwrap()
        .session
        .earlier_tokens;
    let expected: Vec<_> = (17..49).rev().map(|n| replaced(n, 40_000)).collect();
    assert_eq!(kept.len(), Session::MOST_EARLIER_TOKENS);
    assert_eq!(kept, expected);
}

/// A grant does not outlive its session.
pub async fn a_session_ends_with_its_grants(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session) = register_signed_in(&*store, 1).await;
    assert_eq!(
        store.commit_assertion(step_up(id, 1, session)).await.unwrap(),
        AssertionOutcome::Committed
    );
    assert_eq!(
        store
            .end_sessions(id, &[session], event(7, id).into())
            .await
            .unwrap(),
        1
    );
    assert!(!store.has_grant(session, PURPOSE, at(0)).await.unwrap());
    assert_eq!(store.session(&family(1)).await.unwrap(), None);
}

/// Last use moves forward only, and an ended session stays ended.
pub async fn a_session_is_touched_forward_only(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session_id) = register_signed_in(&*store, 1).await;
    let before = snapshot(&*store, id).await;
    for (touch, seen) in [(60_000, 60_000), (30_000, 60_000), (60_001, 60_001)] {
        store.touch_session(session_id, at(touch)).await.unwrap();
        let found = store.sessions_of(id, at(0)).await.unwrap();
        assert_eq!(
            found,
            [Session {
                last_seen_at: at(seen),
                ..before.sessions[0].clone()
            }]
        );
    }
    assert_eq!(
        store
            .end_sessions(id, &[session_id], event(7, id).into())
            .await
            .unwrap(),
        1
    );
    store.touch_session(session_id, at(90_000)).await.unwrap();
    assert_eq!(store.session(&family(1)).await.unwrap(), None);
}

/// The caller tells an expired session from none: it is found by its token until it is purged, but no longer listed.
pub async fn expired_sessions_are_found_until_purged(subject: impl DurableSubject) {
    let store = subject.store();
    register(&*store, newcomer(1)).await;
    open_until(&*store, 2, 1000).await;
    let id = account(1).id;
    assert_eq!(store.sessions_of(id, at(999)).await.unwrap().len(), 1);
    assert_eq!(store.sessions_of(id, at(1000)).await.unwrap(), []);
    assert_eq!(
        store
            .session(&family(2))
            .await
            .unwrap()
            .unwrap()
            .session
            .expires_at,
        at(1000)
    );
    assert_eq!(store.purge_expired_sessions(at(999), 10).await.unwrap(), 0);
    assert!(store.session(&family(2)).await.unwrap().is_some());
    assert_eq!(store.purge_expired_sessions(at(1000), 10).await.unwrap(), 1);
    assert_eq!(store.session(&family(2)).await.unwrap(), None);
}

/// Of racing rotations from one token one happens, and the others leave nothing.
pub async fn one_of_racing_rotations_happens(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session_id) = register_signed_in(&*store, 1).await;
    let outcomes = race(32, |n| {
        let store = store.clone();
        let n = u8::try_from(n).unwrap() + 10;
        Box::pin(async move {
            let event = event(u128::from(n), id).into();
            store
                .rotate_session(session_id, &token(1), &token(n), at(10), event)
                .await
                .unwrap()
        })
    })
    .await;
    assert_eq!(count(&outcomes, &Rotation::Rotated), 1);
    assert_eq!(count(&outcomes, &Rotation::Lost), 31);
    let winner = outcomes
        .iter()
        .position(|outcome| *outcome == Rotation::Rotated)
        .unwrap();
    let found = store.session(&family(1)).await.unwrap().unwrap().session;
    assert_eq!(found.token_hash, token(u8::try_from(winner).unwrap() + 10));
    assert_eq!(store.events_of(id, None, 100).await.unwrap().len(), 2);
}

/// Ending names sessions; those of others, unknown ones and ended ones are passed over.
pub async fn only_ones_own_sessions_end(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, first) = register_signed_in(&*store, 1).await;
    let (others, others_session) = register_signed_in(&*store, 2).await;
    open_session(&*store, session(id, 3), 1).await;
    open_session(&*store, session(id, 4), 1).await;
    let before = snapshot(&*store, others).await;
    let named = [first, others_session, session(id, 9).id, session(id, 3).id];
    assert_eq!(
        store.end_sessions(id, &named, event(7, id).into()).await.unwrap(),
        2
    );
    assert_eq!(store.sessions_of(id, at(0)).await.unwrap(), [session(id, 4)]);
    assert_eq!(snapshot(&*store, others).await, before);
    assert_eq!(
        store.end_sessions(id, &named, event(8, id).into()).await.unwrap(),
        0
    );
    let events = store.events_of(id, None, 10).await.unwrap();
    assert!(events.contains(&event(7, id)) && events.contains(&event(8, id)));
}

/// All sessions of the account end save one, or all of them; nobody else's do.
pub async fn other_sessions_end(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, first) = register_signed_in(&*store, 1).await;
    let (others, others_session) = register_signed_in(&*store, 2).await;
    for n in 3..6 {
        open_session(&*store, session(id, n), 1).await;
    }
    let before = snapshot(&*store, others).await;
    assert_eq!(
        store
            .end_other_sessions(id, Some(first), event(7, id).into())
            .await
            .unwrap(),
        3
    );
    assert_eq!(store.sessions_of(id, at(0)).await.unwrap().len(), 1);
    assert!(store.session(&family(1)).await.unwrap().is_some());
    assert_eq!(
        store
            .end_other_sessions(id, Some(others_session), event(8, id).into())
            .await
            .unwrap(),
        1
    );
    open_session(&*store, session(id, 6), 1).await;
    assert_eq!(
        store
            .end_other_sessions(id, None, event(9, id).into())
            .await
            .unwrap(),
        1
    );
    assert_eq!(store.sessions_of(id, at(0)).await.unwrap(), []);
    assert_eq!(snapshot(&*store, others).await, before);
    let events = store.events_of(id, None, 20).await.unwrap();
    assert!([7, 8, 9].iter().all(|n| events.contains(&event(*n, id))));
}

/// Several processes may purge at once: together they drop each session once.
pub async fn purges_at_once_share_the_work(subject: impl DurableSubject) {
    let store = subject.store();
    register(&*store, newcomer(1)).await;
    for n in 10..40 {
        open_until(&*store, n, 1000).await;
    }
    let dropped = race(8, |_| {
        let store = store.clone();
        Box::pin(async move { store.purge_expired_sessions(at(1000), 100).await.unwrap() })
    })
    .await;
    assert_eq!(dropped.iter().sum::<u64>(), 30);
}

/// At most so many sessions and so many grants at a time, and only what has expired.
pub async fn purging_is_bounded(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, live) = register_signed_in(&*store, 1).await;
    for n in 10..15 {
        open_until(&*store, n, 1000).await;
    }
    for (n, purpose) in (0..).zip(["action", "admin", "export"]) {
        let grant = StepUpGrant {
            purpose: purpose.into(),
            expires_at: at(1000),
            ..grant(live)
        };
        let commit = AssertionCommit {
            new_sign_count: keyhaven_types::SignCount(7),
            grant: Some(grant),
            audit: event(100 + n, id).into(),
            ..step_up(id, 1, live)
        };
        assert_eq!(
            store.commit_assertion(commit).await.unwrap(),
            AssertionOutcome::Committed
        );
    }
    assert_eq!(
        store.commit_assertion(step_up(id, 1, live)).await.unwrap(),
        AssertionOutcome::Committed
    );

    assert_eq!(store.purge_expired_sessions(at(1000), 2).await.unwrap(), 4);
    assert_eq!(store.purge_expired_sessions(at(1000), 2).await.unwrap(), 3);
    assert_eq!(store.purge_expired_sessions(at(1000), 2).await.unwrap(), 1);
    assert_eq!(store.purge_expired_sessions(at(1000), 2).await.unwrap(), 0);
    assert_eq!(store.sessions_of(id, at(0)).await.unwrap().len(), 1);
    assert!(store.has_grant(live, PURPOSE, at(1000)).await.unwrap());
}

/// A token that is no longer the current one, or a session that is over, rotates nothing, and is told apart.
pub async fn rotation_is_lost_without_its_token(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session_id) = register_signed_in(&*store, 1).await;
    open_until(&*store, 3, 1000).await;
    let rotated = store
        .rotate_session(session_id, &token(1), &token(2), at(10), event(7, id).into())
        .await
        .unwrap();
    assert_eq!(rotated, Rotation::Rotated);
    let before = snapshot(&*store, id).await;
    for (session, from, now, outcome) in [
        (session_id, token(1), at(20), Rotation::Lost),
        (session_id, token(9), at(20), Rotation::Lost),
        (session_id, token(3), at(20), Rotation::Lost),
        (session(id, 9).id, token(2), at(20), Rotation::SessionEnded),
        (session(id, 3).id, token(3), at(1000), Rotation::SessionEnded),
        (session(id, 3).id, token(9), at(1000), Rotation::SessionEnded),
    ] {
        let lost = store
            .rotate_session(session, &from, &token(8), now, event(8, id).into())
            .await
            .unwrap();
        assert_eq!(lost, outcome);
    }
    assert_eq!(snapshot(&*store, id).await, before);
}

/// Newest first, whatever the order of arrival; nobody else's.
pub async fn sessions_are_listed_newest_first(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 4).await;
    register_signed_in(&*store, 5).await;
    for n in [9, 2, 7] {
        open_session(&*store, session(id, n), 4).await;
    }
    let listed: Vec<_> = store
        .sessions_of(id, at(0))
        .await
        .unwrap()
        .into_iter()
        .map(|session| session.token_hash)
        .collect();
    assert_eq!(listed, [9, 7, 4, 2].map(token));
}
