use super::samples::{at, signing_key};
use super::{DurableSubject, count, race};
use crate::SigningKey;

/// A key that is there is never replaced: its id is refused as an error.
pub async fn a_signing_key_id_is_used_once(subject: impl DurableSubject) {
    let store = subject.store();
    assert!(store.add_signing_key(signing_key(1), at(0)).await.unwrap());
    let forged = SigningKey {
        id: "key-1".into(),
        ..signing_key(2)
    };
    assert!(store.add_signing_key(forged, at(1001)).await.is_err());
    assert_eq!(store.signing_keys(at(0)).await.unwrap(), [signing_key(1)]);
}

/// Expired at the given moment, a key is not listed; expired when another is made, it is dropped.
pub async fn expired_signing_keys_are_dropped(subject: impl DurableSubject) {
    let store = subject.store();
    assert!(store.add_signing_key(signing_key(1), at(0)).await.unwrap());
    assert_eq!(store.signing_keys(at(10_999)).await.unwrap(), [signing_key(1)]);
    assert_eq!(store.signing_keys(at(11_000)).await.unwrap(), []);
    // A key that has expired is no reason not to add one.
    assert!(store.add_signing_key(signing_key(11), at(1000)).await.unwrap());
    assert_eq!(store.signing_keys(at(0)).await.unwrap(), [signing_key(11)]);
}

/// Of racing processes that miss a key one adds its own.
pub async fn one_of_racing_processes_adds_a_signing_key(subject: impl DurableSubject) {
    let store = subject.store();
    let answers = race(16, |n| {
        let store = store.clone();
        let key = SigningKey {
            id: format!("racer-{n}"),
            ..signing_key(1)
        };
        Box::pin(async move { store.add_signing_key(key, at(0)).await.unwrap() })
    })
    .await;
    assert_eq!(count(&answers, &true), 1);
    assert_eq!(store.signing_keys(at(0)).await.unwrap().len(), 1);
}

/// Newest first; a key is added unless one at least as young as asked is there.
pub async fn signing_keys_are_listed_newest_first(subject: impl DurableSubject) {
    let store = subject.store();
    for n in [2, 4, 3] {
        assert!(store.add_signing_key(signing_key(n), at(100_000)).await.unwrap());
    }
    assert_eq!(
        store.signing_keys(at(0)).await.unwrap(),
        [4, 3, 2].map(signing_key)
    );
    assert!(!store.add_signing_key(signing_key(5), at(3999)).await.unwrap());
    assert!(!store.add_signing_key(signing_key(5), at(4000)).await.unwrap());
    assert_eq!(store.signing_keys(at(0)).await.unwrap().len(), 3);
    assert!(store.add_signing_key(signing_key(5), at(4001)).await.unwrap());
    assert_eq!(
        store.signing_keys(at(0)).await.unwrap(),
        [5, 4, 3, 2].map(signing_key)
    );
}
