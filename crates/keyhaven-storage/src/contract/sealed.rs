//! The sealed log: what waits is sealed once, and stays.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::samples::{account, at, event};
use super::{DurableSubject, count, race};
use crate::{
    AuditBatch, AuditKey, AuditLeaf, AuditPrune, DurableStore, EventId, MAX_BATCH_EVENTS, StorageError,
    StoredEvent,
};

/// Batch `number` of these events; of the chain only what stores look at is right.
fn batch(number: u64, events: &[EventId]) -> (AuditBatch, Vec<AuditLeaf>) {
    let mut distinct = [0; 32];
    distinct[..8].copy_from_slice(&number.to_be_bytes());
    let leaves: Vec<_> = events
        .iter()
        .map(|event| AuditLeaf {
            event: *event,
            hash: [7; 32],
        })
        .collect();
    let batch = AuditBatch {
        number,
        sealed_at: at(i64::try_from(number).unwrap()),
        events: u32::try_from(events.len()).unwrap(),
        total: number * 10_000,
        root: [u8::try_from(number % 251).unwrap(); 32],
        previous: distinct,
        key_id: "0123abcd".into(),
        signature: std::array::from_fn(|i| u8::try_from(i).unwrap()),
    };
    (batch, leaves)
}

async fn append(store: &dyn DurableStore, numbers: impl IntoIterator<Item = u128>) -> Vec<EventId> {
    let mut ids = Vec::new();
    for n in numbers {
        let event = event(n, account(1).id);
        ids.push(event.id);
        store.append_event(event).await.unwrap();
    }
    ids
}

async fn waiting(store: &dyn DurableStore) -> Vec<EventId> {
    let found = store.waiting_events(None, 10_000).await.unwrap();
    found.into_iter().map(|(id, _)| id).collect()
}

/// Every commit's event waits, in order of ids, page by page.
pub async fn events_wait_to_be_sealed(subject: impl DurableSubject) {
    let store = subject.store();
    assert_eq!(store.waiting_events(None, 10).await.unwrap(), []);
    append(&*store, [3, 1, 2]).await;
    let whole = |n| {
        (
            event(n, account(1).id).id,
            StoredEvent::Whole(event(n, account(1).id)),
        )
    };
    assert_eq!(
        store.waiting_events(None, 10).await.unwrap(),
        [1, 2, 3].map(whole)
    );
    let after = Some(event(1, account(1).id).id);
    assert_eq!(store.waiting_events(after, 1).await.unwrap(), [whole(2)]);
    // An id that was refused does not wait twice, nor does it come to nothing.
    assert!(store.append_event(event(1, account(1).id)).await.is_err());
    assert_eq!(waiting(&*store).await.len(), 3);
}

/// A batch reads back with its members, and its events wait no longer.
pub async fn a_batch_reads_back(mut subject: impl DurableSubject) {
    let store = subject.store();
    assert_eq!(store.newest_batch().await.unwrap(), None);
    let ids = append(&*store, 1..=5).await;
    let held = [ids[2], ids[0], ids[1]];
    let (first, leaves) = batch(1, &held);
    assert!(store.seal(&first, &leaves).await.unwrap());
    let (second, more) = batch(2, &ids[3..4]);
    assert!(store.seal(&second, &more).await.unwrap());
    assert_eq!(waiting(&*store).await, [ids[4]]);
    drop(store);
    subject.reopen().await;
    let store = subject.store();
    assert_eq!(store.newest_batch().await.unwrap(), Some(second.clone()));
    assert_eq!(
        store.batches(0, 10).await.unwrap(),
        [first.clone(), second.clone()]
    );
    assert_eq!(store.batches(0, 1).await.unwrap(), [first]);
    assert_eq!(store.batches(1, 10).await.unwrap(), [second]);
    assert_eq!(store.batches(2, 10).await.unwrap(), []);
    let members = store.batch_members(1, 10).await.unwrap();
    for (index, (member, id)) in members.iter().zip(held).enumerate() {
        assert_eq!(usize::try_from(member.index), Ok(index));
        assert_eq!((member.event_id, member.hash), (id, [7; 32]));
        assert!(matches!(&member.event, StoredEvent::Whole(event) if event.id == id));
    }
    assert_eq!(members.len(), 3);
    assert_eq!(store.batch_members(1, 2).await.unwrap().len(), 2);
    assert_eq!(store.batch_members(9, 2).await.unwrap(), []);
    assert_eq!(store.batch_of(ids[3]).await.unwrap(), Some(2));
    assert_eq!(store.batch_of(ids[4]).await.unwrap(), None);
}

/// Only the next number, only events that wait, each once; what is refused leaves nothing.
pub async fn a_batch_that_does_not_follow_is_refused(subject: impl DurableSubject) {
    let store = subject.store();
    let ids = append(&*store, 1..=4).await;
    let unknown = event(99, account(1).id).id;
    let (first, leaves) = batch(1, &ids[..2]);
    assert!(store.seal(&first, &leaves).await.unwrap());
    for (number, events) in [
        (1, vec![ids[2]]),
        (3, vec![ids[2]]),
        (2, vec![ids[0]]),
        (2, vec![ids[2], ids[1]]),
        (2, vec![ids[2], unknown]),
        (2, vec![ids[2], ids[2]]),
    ] {
        let (refused, leaves) = batch(number, &events);
        assert!(
            !store.seal(&refused, &leaves).await.unwrap(),
            "{number} {events:?}"
        );
    }
    assert_eq!(store.newest_batch().await.unwrap(), Some(first));
    assert_eq!(waiting(&*store).await, ids[2..]);
    let (second, leaves) = batch(2, &ids[2..]);
    assert!(store.seal(&second, &leaves).await.unwrap());
}

/// As many as a batch may hold.
pub async fn a_batch_holds_a_thousand(subject: impl DurableSubject) {
    let store = subject.store();
    let ids = append(&*store, 1..=u128::from(MAX_BATCH_EVENTS)).await;
    let (full, leaves) = batch(1, &ids);
    assert!(store.seal(&full, &leaves).await.unwrap());
    let members = store.batch_members(1, MAX_BATCH_EVENTS + 1).await.unwrap();
    let held: Vec<_> = members.iter().map(|member| member.event_id).collect();
    assert_eq!(held, ids);
    assert_eq!(waiting(&*store).await, []);
}

/// Of processes that write one number, or hold one event, one does.
pub async fn one_of_racing_sealers_seals(subject: impl DurableSubject) {
    let store = subject.store();
    let ids = append(&*store, 1..=8).await;
    let answers = race(8, |n| {
        let store = store.clone();
        let (batch, leaves) = batch(1, &ids[n..=n]);
        Box::pin(async move { store.seal(&batch, &leaves).await.unwrap() })
    })
    .await;
    assert_eq!(count(&answers, &true), 1);
    assert_eq!(waiting(&*store).await.len(), 7);
    assert_eq!(store.batch_members(1, 10).await.unwrap().len(), 1);
}

/// Eight who append and three who seal, all at once: each event is sealed, and once.
pub async fn sealing_while_others_append_loses_nothing(subject: impl DurableSubject) {
    const APPENDERS: u128 = 8;
    const EACH: u128 = 60;
    let store = subject.store();
    let done = Arc::new(AtomicBool::new(false));
    let sealers: Vec<_> = (0..3)
        .map(|_| {
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                loop {
                    let last_round = done.load(Ordering::SeqCst);
                    let newest = store.newest_batch().await.unwrap();
                    let page = store.waiting_events(None, 25).await.unwrap();
                    if page.is_empty() {
                        if last_round {
                            break;
                        }
                        tokio::task::yield_now().await;
                        continue;
                    }
                    let ids: Vec<_> = page.into_iter().map(|(id, _)| id).collect();
                    let (batch, leaves) = batch(newest.map_or(1, |newest| newest.number + 1), &ids);
                    let _won = store.seal(&batch, &leaves).await.unwrap();
                }
            })
        })
        .collect();
    race(8, |n| {
        let store = store.clone();
        let first = u128::try_from(n).unwrap() * EACH;
        Box::pin(async move {
            append(&*store, first..first + EACH).await;
        })
    })
    .await;
    done.store(true, Ordering::SeqCst);
    for sealer in sealers {
        sealer.await.unwrap();
    }
    let mut held = Vec::new();
    for (expected, batch) in (1..).zip(store.batches(0, 10_000).await.unwrap()) {
        assert_eq!(batch.number, expected);
        let members = store.batch_members(batch.number, 10_000).await.unwrap();
        assert_eq!(members.len(), usize::try_from(batch.events).unwrap());
        held.extend(members.into_iter().map(|member| member.event_id));
    }
    let once: BTreeSet<_> = held.iter().copied().collect();
    assert_eq!(held.len(), once.len(), "an event was sealed twice");
    let appended: BTreeSet<_> = (0..APPENDERS * EACH)
        .map(|n| event(n, account(1).id).id)
        .collect();
    assert_eq!(once, appended);
    assert_eq!(store.unsealed_events(None, 10_000).await.unwrap().events, []);
}

/// A look at all events, span by span, finds those that no batch holds.
pub async fn unsealed_events_are_found_page_by_page(subject: impl DurableSubject) {
    let store = subject.store();
    let ids = append(&*store, 1..=10).await;
    let (first, leaves) = batch(1, &[ids[0], ids[3], ids[4], ids[5], ids[9]]);
    assert!(store.seal(&first, &leaves).await.unwrap());
    let expected = [1, 2, 6, 7, 8].map(|n: usize| ids[n]);
    for span in 1..=12 {
        let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = store.unsealed_events(after, span).await.unwrap();
            found.extend(page.events);
            pages += 1;
            match page.next {
                None => break,
                next => after = next,
            }
        }
        assert!(found.iter().all(|found| found.waits));
        let found: Vec<_> = found.iter().map(|found| found.id).collect();
        assert_eq!(found, expected, "spans of {span}");
        assert_eq!(pages, 10 / span + 1, "spans of {span}");
    }
}

fn key(id: &str, n: i64) -> AuditKey {
    AuditKey {
        id: id.into(),
        verifier_key: format!("example.org/audit+{id}+AQ=="),
        sealed_private_key: vec![1; 60],
        created_at: at(n),
        endorsement: (n > 1).then(|| ("00000001".to_owned(), [4; 64])),
    }
}

/// Oldest first, with their endorsements, for ever; of racing processes one adds.
pub async fn audit_keys_are_kept(subject: impl DurableSubject) {
    let store = subject.store();
    assert_eq!(store.audit_keys().await.unwrap(), []);
    let answers = race(8, |n| {
        let (store, key) = (store.clone(), key(&format!("0000000{n}"), 1));
        Box::pin(async move { store.add_audit_key(&key, at(0)).await.unwrap() })
    })
    .await;
    assert_eq!(count(&answers, &true), 1);
    assert!(!store.add_audit_key(&key("0000000a", 5), at(1)).await.unwrap());
    assert!(store.add_audit_key(&key("0000000a", 5), at(2)).await.unwrap());
    let keys = store.audit_keys().await.unwrap();
    assert_eq!((keys.len(), &keys[1]), (2, &key("0000000a", 5)));
    let again: Result<bool, StorageError> = store.add_audit_key(&key("0000000a", 9), at(9)).await;
    assert!(again.is_err(), "a key is never replaced");
}

/// What a prune record names goes, batch by batch, and nothing else; headers stay.
pub async fn pruned_batches_are_emptied(subject: impl DurableSubject) {
    let store = subject.store();
    let ids = append(&*store, 1..=7).await;
    for (number, events) in [(1, &ids[..2]), (2, &ids[2..4]), (3, &ids[4..6])] {
        let (batch, leaves) = batch(number, events);
        assert!(store.seal(&batch, &leaves).await.unwrap());
    }
    assert_eq!(store.drop_pruned_events(1000).await.unwrap(), 0);
    let prune = |through| AuditPrune {
        through,
        chain: [3; 32],
        before: at(100),
        at: at(200),
        key_id: "0123abcd".into(),
        signature: [6; 64],
    };
    assert!(store.add_audit_prune(&prune(2)).await.unwrap());
    assert!(!store.add_audit_prune(&prune(2)).await.unwrap());
    assert!(!store.add_audit_prune(&prune(1)).await.unwrap());
    assert_eq!(store.audit_prunes().await.unwrap(), [prune(2)]);
    assert_eq!(store.drop_pruned_events(1000).await.unwrap(), 2);
    assert_eq!(store.batch_members(1, 10).await.unwrap(), []);
    assert_eq!(store.batch_members(2, 10).await.unwrap().len(), 2);
    let dropped = race(4, |_| {
        let store = store.clone();
        Box::pin(async move { store.drop_pruned_events(5000).await.unwrap() })
    })
    .await;
    assert_eq!(dropped.iter().sum::<u64>(), 2);
    assert_eq!(store.drop_pruned_events(1000).await.unwrap(), 0);
    assert_eq!(store.batches(0, 10).await.unwrap().len(), 3);
    assert_eq!(store.batch_members(3, 10).await.unwrap().len(), 2);
    assert_eq!(store.batch_of(ids[0]).await.unwrap(), None);
    let left = store.events_of(account(1).id, None, 100).await.unwrap();
    let left: Vec<_> = left.into_iter().map(|event| event.id).collect();
    assert_eq!(left, [ids[6], ids[5], ids[4]]);
    assert_eq!(store.unsealed_events(None, 100).await.unwrap().events.len(), 1);
}
