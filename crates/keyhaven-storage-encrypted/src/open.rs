//! From the keys that a deployment has, and those that a store needs, to a ring.

use keyhaven_storage::{EncryptionKey, PersonalStore, StorageError};
use zeroize::Zeroizing;

use crate::ring::{KeyId, KeyRing, TextKeys, Unreadable};

/// How often processes that start at once may be faster.
const TRIES: u32 = 64;

/// Why a store cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// Somebody else adds keys all the time.
    #[error("others add keys to the store all the time")]
    Busy,
    /// The keys do not hold one and the same key of look-ups: somebody has changed them.
    #[error("the keys that the store names do not belong together")]
    Inconsistent,
    /// The store holds encrypted texts and names no key.
    #[error("the store is encrypted, and the keys that it names are gone: restore the table encryption_keys")]
    KeysGone,
    /// A key that texts may be encrypted under is missing.
    #[error("the database is encrypted under the key {0}, which is not in the key ring")]
    MissingKey(KeyId),
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// A key is there, but what it should open was changed.
    #[error("what the database holds of the key {id} does not open")]
    Wrong {
        /// Which.
        id: KeyId,
        /// Why.
        source: Unreadable,
    },
    /// The library refuses.
    #[error(transparent)]
    Library(Unreadable),
}

/// The ring for this store: every key that texts in it may be encrypted under must be there. A store that has none yet
/// gets the fresh key of look-ups; where the first key is new to it, it is added, before anything is encrypted under it.
///
/// # Errors
/// Where a key is missing or the store cannot answer; nothing was written then.
pub async fn open<S: PersonalStore + ?Sized>(
    store: &S,
    texts: TextKeys,
    fresh: &Zeroizing<[u8; 32]>,
) -> Result<KeyRing, NotOpened> {
    for _ in 0..TRIES {
        let state = store.encryption_state().await?;
        if state.all_encrypted && state.keys.is_empty() {
            return Err(NotOpened::KeysGone);
        }
        let lookups = lookups(&texts, &state.keys)?;
        let first = texts.first_id();
        let known = state.keys.iter().any(|key| key.id == first.0);
        if let (true, Some(lookups)) = (known, &lookups) {
            return Ok(texts.ring(lookups));
        }
        let added = EncryptionKey {
            id: first.0,
            wrapped_lookups: texts
                .wrap_lookups(lookups.as_ref().unwrap_or(fresh))
                .map_err(NotOpened::Library)?,
        };
        let beside: Vec<_> = state.keys.iter().map(|key| key.id).collect();
        // Whether it was added or somebody else was faster: the next look tells.
        let _ = store.add_encryption_key(&added, &beside).await?;
    }
    Err(NotOpened::Busy)
}

/// The one key of look-ups that all keys hold. `None`: there are no keys.
fn lookups(texts: &TextKeys, keys: &[EncryptionKey]) -> Result<Option<Zeroizing<[u8; 32]>>, NotOpened> {
    let mut found: Option<Zeroizing<[u8; 32]>> = None;
    for key in keys {
        let id = KeyId(key.id);
        let lookups = texts
            .open_lookups(id, &key.wrapped_lookups)
            .map_err(|error| match error {
                Unreadable::UnknownKey(id) => NotOpened::MissingKey(id),
                source @ (Unreadable::Altered | Unreadable::Library | Unreadable::Malformed) => {
                    NotOpened::Wrong { id, source }
                }
            })?;
        if found.as_ref().is_some_and(|other| *other != lookups) {
            return Err(NotOpened::Inconsistent);
        }
        found = Some(lookups);
    }
    Ok(found)
}
