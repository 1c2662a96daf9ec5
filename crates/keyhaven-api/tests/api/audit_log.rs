//! Sealing, as servers do it: keys that follow each other, several at once, and what is never sealed.

use std::collections::BTreeSet;
use std::time::Duration;

use keyhaven_audit::{Report, TrustedKeys, Verifier, Wrong};
use keyhaven_service::{AuditSecrets, SecretKey};
use keyhaven_storage::{DurableStore, EventId, StoredEvent};
use keyhaven_types::UnixTime;
use serde_json::json;
use uuid::Uuid;

use crate::support::App;

const DAY: i64 = 24 * 3600;
const ROTATION: Duration = Duration::from_secs(100 * 24 * 3600);

async fn fail(app: &App) {
    let body = json!({"ceremonyId": "A".repeat(43), "credential": {}});
    let _refused = app.native().post("/login/finish", body).await;
}

/// Verifies all of it by these keys; with the secret key all events too.
async fn verify(store: &dyn DurableStore, keys: TrustedKeys) -> Report {
    let secrets = AuditSecrets::derive(&SecretKey::new([7; 32])).unwrap();
    let mut verifier = Verifier::new(keys, Some(&secrets));
    for prune in store.audit_prunes().await.unwrap() {
        verifier.prune(prune);
    }
    for batch in store.batches(0, 1000).await.unwrap() {
        verifier.batch(&batch, &store.batch_members(batch.number, 1001).await.unwrap());
    }
    for unsealed in store.unsealed_events(None, 10_000).await.unwrap().events {
        verifier.unsealed(&unsealed);
    }
    verifier.finish()
}

async fn own_keys(store: &dyn DurableStore) -> TrustedKeys {
    let secrets = AuditSecrets::derive(&SecretKey::new([7; 32])).unwrap();
    let mut keys = TrustedKeys::default();
    for record in store.audit_keys().await.unwrap() {
        keys.trust(secrets.own_key(&record).unwrap());
    }
    keys
}

#[tokio::test]
async fn a_new_key_is_vouched_for_by_the_one_before() {
    let app = App::new().await;
    for _ in 0..3 {
        app.keyhaven.audit_log.maintain(ROTATION).await.unwrap();
        // Nothing to do until it is time.
        app.keyhaven.audit_log.maintain(ROTATION).await.unwrap();
        fail(&app).await;
        let sealed = app.keyhaven.audit_log.seal().await.unwrap();
        assert_eq!((sealed.events, sealed.refused), (1, 0));
        app.pass(101 * DAY);
    }
    let stored = app.store.audit_keys().await.unwrap();
    assert_eq!(stored.len(), 3);
    // Whoever wrote down the first key trusts those that came after it, and nobody else's.
    let mut first = TrustedKeys::default();
    first.trust(stored[0].verifier_key.parse().unwrap());
    let report = verify(&*app.store, first.clone()).await;
    assert_eq!(report.findings[0].wrong, Wrong::UnknownKey(stored[1].id.clone()));
    for record in &stored {
        assert!(first.consider(record));
    }
    assert!(verify(&*app.store, first).await.is_sound());
    assert!(verify(&*app.store, own_keys(&*app.store).await).await.is_sound());
    // Another secret made none of them.
    let stranger = AuditSecrets::derive(&SecretKey::new([8; 32])).unwrap();
    assert!(stored.iter().all(|record| stranger.own_key(record).is_none()));
}

#[tokio::test]
async fn what_this_deployment_did_not_write_is_not_sealed() {
    let app = App::new().await;
    app.keyhaven.audit_log.maintain(ROTATION).await.unwrap();
    fail(&app).await;
    let (_, StoredEvent::Whole(genuine)) = app.store.waiting_events(None, 1).await.unwrap().remove(0) else {
        panic!("an event waits")
    };
    // More of them than one page holds, and before the others.
    for n in 0..1500 {
        let mut forged = genuine.clone();
        forged.id = EventId(Uuid::from_u128(n));
        app.store.append_event(forged).await.unwrap();
    }
    let sealed = app.keyhaven.audit_log.seal().await.unwrap();
    assert_eq!((sealed.events, sealed.refused), (1, 1500));
    assert_eq!(app.store.batch_of(genuine.id).await.unwrap(), Some(1));
    let report = verify(&*app.store, own_keys(&*app.store).await).await;
    assert_eq!((report.sealed, report.problems), (1, 1500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_that_seal_while_others_write_lose_nothing() {
    let app = App::new().await;
    app.keyhaven.audit_log.maintain(ROTATION).await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move {
                for _ in 0..40 {
                    fail(&app).await;
                }
            })
        })
        .collect();
    let sealers: Vec<_> = (0..3)
        .map(|_| {
            let log = app.keyhaven.audit_log.clone();
            tokio::spawn(async move {
                let mut sealed = 0;
                for _ in 0..200 {
                    sealed += log.seal().await.unwrap().events;
                    tokio::task::yield_now().await;
                }
                sealed
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut sealed = 0;
    for sealer in sealers {
        sealed += sealer.await.unwrap();
    }
    sealed += app.keyhaven.audit_log.seal().await.unwrap().events;
    let report = verify(&*app.store, own_keys(&*app.store).await).await;
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.unsealed, 0);
    assert_eq!(report.sealed, u64::from(sealed));
    assert!(sealed >= 8 * 40, "{sealed}");
}

#[tokio::test]
async fn pruning_drops_whole_batches_and_says_so() {
    let app = App::new().await;
    app.keyhaven.audit_log.maintain(ROTATION).await.unwrap();
    let mut moments = Vec::new();
    for _ in 0..4 {
        fail(&app).await;
        fail(&app).await;
        app.keyhaven.audit_log.seal().await.unwrap();
        moments.push(app.keyhaven.now());
        app.pass(DAY);
    }
    let before_all = app.keyhaven.audit_log.prune(moments[0]).await.unwrap();
    assert_eq!((before_all.through, before_all.events), (0, 0));
    let pruned = app.keyhaven.audit_log.prune(moments[2]).await.unwrap();
    assert_eq!((pruned.through, pruned.events), (2, 4));
    let again = app.keyhaven.audit_log.prune(moments[2]).await.unwrap();
    assert_eq!((again.through, again.events), (2, 0));
    let report = verify(&*app.store, own_keys(&*app.store).await).await;
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.sealed, report.pruned), (4, Some((2, 4, moments[2]))));
    let everything = UnixTime::from_millis(i64::MAX);
    assert_eq!(app.keyhaven.audit_log.prune(everything).await.unwrap().through, 4);
    fail(&app).await;
    app.keyhaven.audit_log.seal().await.unwrap();
    let report = verify(&*app.store, own_keys(&*app.store).await).await;
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.batches, report.sealed), (5, 1));
}

/// What happens within one millisecond is listed in the order in which it happened.
#[tokio::test]
async fn ids_of_events_ascend() {
    let app = App::new().await;
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        fail(&app).await;
        let waiting = app.store.waiting_events(None, 1000).await.unwrap();
        let (newest, _) = waiting.last().unwrap();
        assert!(seen.insert(*newest), "the newest event has not the highest id");
    }
}
