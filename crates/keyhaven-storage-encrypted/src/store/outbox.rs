use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Encrypted;
use keyhaven_storage::{AuditEvent, MailId, OutboxFigures, OutboxStore, StorageError, TakenMail};

#[async_trait]
impl<S: OutboxStore + ?Sized> OutboxStore for Encrypted<S> {
    async fn take_mails(
        &self,
        now: UnixTime,
        lease_until: UnixTime,
        limit: u32,
    ) -> Result<Vec<TakenMail>, StorageError> {
        self.store.take_mails(now, lease_until, limit).await
    }

    async fn mail_sent(&self, id: MailId, attempt: u32) -> Result<bool, StorageError> {
        self.store.mail_sent(id, attempt).await
    }

    async fn retry_mail(&self, id: MailId, attempt: u32, at: UnixTime) -> Result<bool, StorageError> {
        self.store.retry_mail(id, attempt, at).await
    }

    async fn give_mail_up(&self, id: MailId, attempt: u32, event: AuditEvent) -> Result<bool, StorageError> {
        self.store.give_mail_up(id, attempt, event).await
    }

    async fn outbox_figures(&self) -> Result<OutboxFigures, StorageError> {
        self.store.outbox_figures().await
    }
}
