use keyhaven_types::UnixTime;

use super::samples::at;
use super::{CeremonySubject, MAX_PENDING, count, race};
use crate::{CeremonyId, CeremonyStore, PendingCeremony, Put};

fn id(n: usize) -> CeremonyId {
    let mut bytes = [0xce; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes()[..8]);
    CeremonyId(bytes)
}

fn ceremony(n: usize) -> PendingCeremony {
    PendingCeremony {
        payload: format!("ceremony {n}").into_bytes(),
        expires_at: at(60_000),
    }
}

async fn fill(store: &dyn CeremonyStore) {
    for n in 0..MAX_PENDING {
        assert_eq!(store.put(id(n), ceremony(n), at(0)).await.unwrap(), Put::Stored);
    }
}

/// Taken, a ceremony is gone.
pub async fn a_ceremony_can_be_taken_once(subject: impl CeremonySubject) {
    let store = subject.store();
    assert_eq!(store.put(id(1), ceremony(1), at(0)).await.unwrap(), Put::Stored);
    assert_eq!(store.put(id(2), ceremony(2), at(0)).await.unwrap(), Put::Stored);
    assert_eq!(store.take(id(1), at(0)).await.unwrap(), Some(ceremony(1)));
    assert_eq!(store.take(id(1), at(0)).await.unwrap(), None);
    assert_eq!(store.take(id(2), at(0)).await.unwrap(), Some(ceremony(2)));
}

/// The end is inclusive, and decided by the given moment alone.
pub async fn a_ceremony_is_gone_at_its_end(subject: impl CeremonySubject) {
    let store = subject.store();
    for n in 1..=3 {
        assert_eq!(store.put(id(n), ceremony(n), at(0)).await.unwrap(), Put::Stored);
    }
    assert_eq!(store.take(id(1), at(59_999)).await.unwrap(), Some(ceremony(1)));
    assert_eq!(store.take(id(2), at(60_000)).await.unwrap(), None);
    assert_eq!(store.take(id(3), at(60_001)).await.unwrap(), None);
}

/// A store that works says so.
pub async fn a_ceremony_store_answers_a_ping(subject: impl CeremonySubject) {
    subject.store().ping().await.unwrap();
}

/// An id that is in use is refused as an error; the pending ceremony stays as it is.
pub async fn an_id_in_use_is_refused(subject: impl CeremonySubject) {
    let store = subject.store();
    assert_eq!(store.put(id(1), ceremony(1), at(0)).await.unwrap(), Put::Stored);
    assert!(store.put(id(1), ceremony(2), at(0)).await.is_err());
    assert_eq!(store.take(id(1), at(0)).await.unwrap(), Some(ceremony(1)));
}

/// What was never stored is none.
pub async fn an_unknown_ceremony_is_none(subject: impl CeremonySubject) {
    assert_eq!(subject.store().take(id(1), at(0)).await.unwrap(), None);
}

/// Payloads are bytes: none, any, and a few KiB of them; ends reach from now to the end of time.
pub async fn ceremonies_of_any_content_read_back(subject: impl CeremonySubject) {
    let store = subject.store();
    let any: Vec<u8> = (0..8192_u32).map(|i| i.to_le_bytes()[0]).collect();
    for (n, payload) in [Vec::new(), vec![0], vec![0xff; 3], any].into_iter().enumerate() {
        let expires_at = if n == 0 {
            UnixTime::from_millis(i64::MAX)
        } else {
            at(1)
        };
        let ceremony = PendingCeremony { payload, expires_at };
        assert_eq!(
            store.put(id(n), ceremony.clone(), at(0)).await.unwrap(),
            Put::Stored
        );
        assert_eq!(store.take(id(n), at(0)).await.unwrap(), Some(ceremony));
    }
}

/// Where a store outlives its process, so do pending ceremonies, and what was taken stays taken.
pub async fn ceremonies_survive_a_reopen(mut subject: impl CeremonySubject) {
    let store = subject.store();
    for n in 1..=2 {
        assert_eq!(store.put(id(n), ceremony(n), at(0)).await.unwrap(), Put::Stored);
    }
    assert_eq!(store.take(id(2), at(0)).await.unwrap(), Some(ceremony(2)));
    drop(store);
    if subject.reopen().await {
        let store = subject.store();
        assert_eq!(store.take(id(1), at(0)).await.unwrap(), Some(ceremony(1)));
        assert_eq!(store.take(id(2), at(0)).await.unwrap(), None);
    }
}

/// Purging drops what has expired, no more than asked for, and nothing else.
pub async fn expired_ceremonies_are_purged(subject: impl CeremonySubject) {
    let store = subject.store();
    for n in 0..10 {
        let ceremony = PendingCeremony {
            expires_at: at(if n < 6 { 10 } else { 11 }),
            ..ceremony(n)
        };
        assert_eq!(store.put(id(n), ceremony, at(0)).await.unwrap(), Put::Stored);
    }
    assert_eq!(store.purge_expired(at(9), 100).await.unwrap(), 0);
    assert_eq!(store.purge_expired(at(10), 4).await.unwrap(), 4);
    assert_eq!(store.purge_expired(at(10), 100).await.unwrap(), 2);
    assert_eq!(store.purge_expired(at(10), 100).await.unwrap(), 0);
    for n in 6..10 {
        assert!(store.take(id(n), at(10)).await.unwrap().is_some());
    }
}

/// Ceremonies that have expired at the given moment take no room, whether purged or not.
pub async fn expired_ceremonies_do_not_count(subject: impl CeremonySubject) {
    let store = subject.store();
    fill(&*store).await;
    assert_eq!(
        store.put(id(MAX_PENDING), ceremony(0), at(59_999)).await.unwrap(),
        Put::Full
    );
    let late = PendingCeremony {
        expires_at: at(120_000),
        ..ceremony(0)
    };
    for n in 0..MAX_PENDING {
        assert_eq!(
            store.put(id(1000 + n), late.clone(), at(60_000)).await.unwrap(),
            Put::Stored,
            "{n}"
        );
    }
    assert_eq!(store.put(id(3000), late, at(60_000)).await.unwrap(), Put::Full);
}

/// At the bound a new ceremony is refused; none that is pending is dropped for it.
pub async fn put_is_refused_at_the_bound(subject: impl CeremonySubject) {
    let store = subject.store();
    fill(&*store).await;
    for n in 0..8 {
        let put = store.put(id(MAX_PENDING + n), ceremony(n), at(0)).await.unwrap();
        assert_eq!(put, Put::Full);
    }
    for n in 0..MAX_PENDING {
        assert_eq!(store.take(id(n), at(0)).await.unwrap(), Some(ceremony(n)));
    }
    for n in 0..8 {
        assert_eq!(store.take(id(MAX_PENDING + n), at(0)).await.unwrap(), None);
    }
}

/// Twice as many racing puts as there is room for: the bound is filled exactly.
pub async fn racing_puts_keep_the_bound(subject: impl CeremonySubject) {
    let store = subject.store();
    let answers = race(2 * MAX_PENDING, |n| {
        let store = store.clone();
        Box::pin(async move { store.put(id(n), ceremony(n), at(0)).await.unwrap() })
    })
    .await;
    assert_eq!(count(&answers, &Put::Stored), MAX_PENDING);
    for (n, put) in answers.into_iter().enumerate() {
        assert_eq!(
            store.take(id(n), at(0)).await.unwrap().is_some(),
            put == Put::Stored
        );
    }
}

/// Of two hundred concurrent callers one gets the ceremony.
pub async fn take_has_one_winner(subject: impl CeremonySubject) {
    let store = subject.store();
    for n in 0..5 {
        assert_eq!(store.put(id(n), ceremony(n), at(0)).await.unwrap(), Put::Stored);
        let answers = race(200, |_| {
            let store = store.clone();
            Box::pin(async move { store.take(id(n), at(0)).await.unwrap() })
        })
        .await;
        assert_eq!(count(&answers, &Some(ceremony(n))), 1);
        assert_eq!(count(&answers, &None), 199);
    }
}

/// What is taken counts no longer.
pub async fn taking_makes_room(subject: impl CeremonySubject) {
    let store = subject.store();
    fill(&*store).await;
    assert_eq!(store.take(id(3), at(0)).await.unwrap(), Some(ceremony(3)));
    assert_eq!(
        store.put(id(MAX_PENDING), ceremony(0), at(0)).await.unwrap(),
        Put::Stored
    );
    assert_eq!(store.put(id(3), ceremony(3), at(0)).await.unwrap(), Put::Full);
}
