use async_trait::async_trait;
use keyhaven_storage::{SigningKey, SigningKeyStore, StorageError};
use keyhaven_types::UnixTime;

use super::{Conflict, MemoryStore};

#[async_trait]
impl SigningKeyStore for MemoryStore {
    async fn signing_keys(&self, now: UnixTime) -> Result<Vec<SigningKey>, StorageError> {
        self.with("signing_key.list", |state| {
            let mut keys: Vec<_> = state
                .signing_keys
                .iter()
                .filter(|key| key.expires_at > now)
                .cloned()
                .collect();
            keys.sort_by_key(|key| std::cmp::Reverse(key.created_at));
            Ok(keys)
        })
    }

    async fn add_signing_key(
        &self,
        key: SigningKey,
        unless_newer_than: UnixTime,
    ) -> Result<bool, StorageError> {
        self.with("signing_key.add", |state| {
            state
                .signing_keys
                .retain(|known| known.expires_at > key.created_at);
            if state
                .signing_keys
                .iter()
                .any(|known| known.created_at >= unless_newer_than)
            {
                return Ok(false);
            }
            if state.signing_keys.iter().any(|known| known.id == key.id) {
                return Err(Conflict("a key with this id exists"));
            }
            state.signing_keys.push(key);
            Ok(true)
        })
    }
}
