use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Observed;
use crate::{CeremonyId, CeremonyStore, PendingCeremony, Put, StorageError};

#[async_trait]
impl<S: CeremonyStore + ?Sized> CeremonyStore for Observed<S> {
    async fn put(
        &self,
        id: CeremonyId,
        ceremony: PendingCeremony,
        now: UnixTime,
    ) -> Result<Put, StorageError> {
        self.call("ceremony.put", self.store.put(id, ceremony, now)).await
    }

    async fn take(&self, id: CeremonyId, now: UnixTime) -> Result<Option<PendingCeremony>, StorageError> {
        self.call("ceremony.take", self.store.take(id, now)).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.call("store.ping", self.store.ping()).await
    }

    async fn purge_expired(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.call("ceremony.purge", self.store.purge_expired(now, limit))
            .await
    }
}
