use keyhaven_types::SignCount;

use super::DurableSubject;
use super::samples::{PURPOSE, at, event, grant, open_session, register_signed_in, session, step_up};
use crate::{AssertionCommit, AssertionOutcome, StepUpGrant};

/// A grant is for its purpose and its session, and for nothing else.
pub async fn a_grant_is_for_one_purpose(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, granted) = register_signed_in(&*store, 1).await;
    open_session(&*store, session(id, 2), 1).await;
    assert_eq!(
        store.commit_assertion(step_up(id, 1, granted)).await.unwrap(),
        AssertionOutcome::Committed
    );
    assert!(store.has_grant(granted, PURPOSE, at(600)).await.unwrap());
    assert!(!store.has_grant(granted, "add_passkey", at(600)).await.unwrap());
    assert!(!store.has_grant(granted, "", at(600)).await.unwrap());
    assert!(
        !store
            .has_grant(session(id, 2).id, PURPOSE, at(600))
            .await
            .unwrap()
    );
}

/// The end is inclusive.
pub async fn a_grant_is_gone_at_its_end(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session) = register_signed_in(&*store, 1).await;
    assert_eq!(
        store.commit_assertion(step_up(id, 1, session)).await.unwrap(),
        AssertionOutcome::Committed
    );
    assert!(store.has_grant(session, PURPOSE, at(299_999)).await.unwrap());
    assert!(!store.has_grant(session, PURPOSE, at(300_000)).await.unwrap());
}

/// One grant per session and purpose: the new one's end holds, be it later or earlier.
pub async fn a_new_grant_replaces_the_old(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session) = register_signed_in(&*store, 1).await;
    for (n, end) in [(0, 300_000), (1, 400_000), (2, 200_000)] {
        let commit = AssertionCommit {
            new_sign_count: SignCount(7),
            grant: Some(StepUpGrant {
                expires_at: at(end),
                ..grant(session)
            }),
            audit: event(100 + n, id).into(),
            ..step_up(id, 1, session)
        };
        assert_eq!(
            store.commit_assertion(commit).await.unwrap(),
            AssertionOutcome::Committed
        );
        assert!(store.has_grant(session, PURPOSE, at(end - 1)).await.unwrap());
        assert!(!store.has_grant(session, PURPOSE, at(end)).await.unwrap());
    }
}
