use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, AuditBatch, AuditEvent, AuditKey, AuditLeaf, AuditLogStore, AuditMember,
    AuditPrune, AuditStore, EventId, SigningKey, SigningKeyStore, StorageError, StoredEvent, UnsealedPage,
};
use keyhaven_types::UnixTime;

use super::Encrypted;

#[async_trait]
impl<S: AuditStore + ?Sized> AuditStore for Encrypted<S> {
    async fn append(&self, aftermath: Aftermath) -> Result<(), StorageError> {
        self.store.append(aftermath).await
    }

    async fn events_of(
        &self,
        account: AccountId,
        after: Option<(UnixTime, EventId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StorageError> {
        self.store.events_of(account, after, limit).await
    }
}

#[async_trait]
impl<S: AuditLogStore + ?Sized> AuditLogStore for Encrypted<S> {
    async fn waiting_events(
        &self,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<(EventId, StoredEvent)>, StorageError> {
        self.store.waiting_events(after, limit).await
    }

    async fn newest_batch(&self) -> Result<Option<AuditBatch>, StorageError> {
        self.store.newest_batch().await
    }

    async fn seal(&self, batch: &AuditBatch, leaves: &[AuditLeaf]) -> Result<bool, StorageError> {
        self.store.seal(batch, leaves).await
    }

    async fn batches(&self, after: u64, limit: u32) -> Result<Vec<AuditBatch>, StorageError> {
        self.store.batches(after, limit).await
    }

    async fn batch_members(&self, batch: u64, limit: u32) -> Result<Vec<AuditMember>, StorageError> {
        self.store.batch_members(batch, limit).await
    }

    async fn unsealed_events(&self, after: Option<EventId>, span: u32) -> Result<UnsealedPage, StorageError> {
        self.store.unsealed_events(after, span).await
    }

    async fn batch_of(&self, event: EventId) -> Result<Option<u64>, StorageError> {
        self.store.batch_of(event).await
    }

    async fn audit_keys(&self) -> Result<Vec<AuditKey>, StorageError> {
        self.store.audit_keys().await
    }

    async fn add_audit_key(&self, key: &AuditKey, unless_newer_than: UnixTime) -> Result<bool, StorageError> {
        self.store.add_audit_key(key, unless_newer_than).await
    }

    async fn audit_prunes(&self) -> Result<Vec<AuditPrune>, StorageError> {
        self.store.audit_prunes().await
    }

    async fn add_audit_prune(&self, prune: &AuditPrune) -> Result<bool, StorageError> {
        self.store.add_audit_prune(prune).await
    }

    async fn drop_pruned_events(&self, limit: u32) -> Result<u64, StorageError> {
        self.store.drop_pruned_events(limit).await
    }
}

#[async_trait]
impl<S: SigningKeyStore + ?Sized> SigningKeyStore for Encrypted<S> {
    async fn signing_keys(&self, now: UnixTime) -> Result<Vec<SigningKey>, StorageError> {
        self.store.signing_keys(now).await
    }

    async fn add_signing_key(
        &self,
        key: SigningKey,
        unless_newer_than: UnixTime,
    ) -> Result<bool, StorageError> {
        self.store.add_signing_key(key, unless_newer_than).await
    }
}
