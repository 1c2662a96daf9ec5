use async_trait::async_trait;
use keyhaven_storage::{AccountId, AuditEvent, AuditStore, EventId, StorageError};
use keyhaven_types::UnixTime;

use super::MemoryStore;

#[async_trait]
impl AuditStore for MemoryStore {
    async fn append_event(&self, event: AuditEvent) -> Result<(), StorageError> {
        self.with("event.append", |state| {
            state.check_event(&event)?;
            state.append_event(event);
            Ok(())
        })
    }

    async fn events_of(
        &self,
        account: AccountId,
        after: Option<(UnixTime, EventId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StorageError> {
        self.with("event.list", |state| {
            let events = state.events_of(account).into_iter();
            let older = events.filter(|event| after.is_none_or(|after| (event.at, event.id) < after));
            Ok(older
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .cloned()
                .collect())
        })
    }
}
