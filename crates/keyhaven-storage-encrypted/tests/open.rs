//! Which keys a store needs, and what is refused.
#![expect(clippy::unwrap_used, reason = "tests")]

use keyhaven_storage::{EncryptionKey, PersonalStore as _};
use keyhaven_storage_encrypted::{Column, KeyRing, NotOpened, TextKeys, open};
use keyhaven_storage_memory::MemoryStore;
use zeroize::Zeroizing;

fn keys(keys: &[u8]) -> TextKeys {
    let keys: Vec<_> = keys.iter().map(|n| Zeroizing::new([*n; 32])).collect();
    TextKeys::new(&keys).unwrap()
}

async fn opened(store: &MemoryStore, numbers: &[u8], fresh: u8) -> Result<KeyRing, NotOpened> {
    open(store, keys(numbers), &Zeroizing::new([fresh; 32])).await
}

async fn needed(store: &MemoryStore) -> Vec<[u8; 4]> {
    let state = store.encryption_state().await.unwrap();
    state.keys.iter().map(|key| key.id).collect()
}

#[tokio::test]
async fn the_key_of_look_ups_is_drawn_once_and_outlives_every_key_of_texts() {
    let store = MemoryStore::new();
    let lookup = |ring: KeyRing| ring.lookup(Column::Username, "anna");
    let first = lookup(opened(&store, &[1], 51).await.unwrap());
    assert_eq!(lookup(opened(&store, &[1], 52).await.unwrap()), first);
    assert_eq!(lookup(opened(&store, &[2, 1], 53).await.unwrap()), first);
    store.drop_encryption_key(keys(&[1]).first_id().0).await.unwrap();
    assert_eq!(lookup(opened(&store, &[2], 54).await.unwrap()), first);
    assert_eq!(needed(&store).await, [keys(&[2]).first_id().0]);
    let other = opened(&MemoryStore::new(), &[1], 52).await.unwrap();
    assert_ne!(lookup(other), first);
}

#[tokio::test]
async fn a_missing_key_is_named_and_nothing_is_written() {
    let store = MemoryStore::new();
    opened(&store, &[1], 51).await.unwrap();
    let before = store.encryption_state().await.unwrap();
    let refused = opened(&store, &[2], 51).await.unwrap_err();
    let NotOpened::MissingKey(id) = &refused else {
        panic!("{refused}")
    };
    assert_eq!(*id, keys(&[1]).first_id());
    assert!(refused.to_string().contains(&id.to_string()));
    assert_eq!(store.encryption_state().await.unwrap(), before);
}

#[tokio::test]
async fn keys_that_were_changed_are_refused() {
    let store = MemoryStore::new();
    store.set_all_encrypted().await.unwrap();
    let refused = opened(&store, &[1], 51).await;
    assert!(matches!(refused, Err(NotOpened::KeysGone)));

    let store = MemoryStore::new();
    let id = keys(&[1]).first_id().0;
    let foreign = EncryptionKey {
        id,
        wrapped_lookups: keys(&[2]).wrap_lookups(&[9; 32]).unwrap(),
    };
    assert!(store.add_encryption_key(&foreign, &[]).await.unwrap());
    let refused = opened(&store, &[1, 2], 51).await;
    assert!(matches!(refused, Err(NotOpened::Wrong { .. })));

    let store = MemoryStore::new();
    opened(&store, &[1], 51).await.unwrap();
    let odd = EncryptionKey {
        id: keys(&[2]).first_id().0,
        wrapped_lookups: keys(&[2]).wrap_lookups(&[52; 32]).unwrap(),
    };
    assert!(store.add_encryption_key(&odd, &[id]).await.unwrap());
    let refused = opened(&store, &[1, 2], 51).await;
    assert!(matches!(refused, Err(NotOpened::Inconsistent)));
}
