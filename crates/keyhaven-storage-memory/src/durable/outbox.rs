use async_trait::async_trait;
use keyhaven_storage::{AuditEvent, MailId, OutboxFigures, OutboxStore, StorageError, TakenMail};
use keyhaven_types::UnixTime;

use super::MemoryStore;
use super::state::State;

#[async_trait]
impl OutboxStore for MemoryStore {
    async fn take_mails(
        &self,
        now: UnixTime,
        lease_until: UnixTime,
        limit: u32,
    ) -> Result<Vec<TakenMail>, StorageError> {
        self.with("outbox.take", |state| {
            let mut due: Vec<_> = state
                .outbox
                .values_mut()
                .filter(|taken| taken.mail.due_at <= now)
                .collect();
            due.sort_by_key(|taken| (taken.mail.due_at, taken.mail.id));
            due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            for taken in &mut due {
                taken.attempt = taken.attempt.saturating_add(1);
                taken.mail.due_at = lease_until;
            }
            Ok(due.into_iter().map(|taken| taken.clone()).collect())
        })
    }

    async fn mail_sent(&self, id: MailId, attempt: u32) -> Result<bool, StorageError> {
        self.with("outbox.sent", |state| {
            Ok(held(state, id, attempt).is_some() && state.outbox.remove(&id).is_some())
        })
    }

    async fn retry_mail(&self, id: MailId, attempt: u32, at: UnixTime) -> Result<bool, StorageError> {
        self.with("outbox.retry", |state| {
            let held = held(state, id, attempt);
            Ok(held.map(|taken| taken.mail.due_at = at).is_some())
        })
    }

    async fn give_mail_up(&self, id: MailId, attempt: u32, event: AuditEvent) -> Result<bool, StorageError> {
        self.with("outbox.give_up", |state| {
            state.check_event(&event)?;
            if held(state, id, attempt).is_none() {
                return Ok(false);
            }
            state.outbox.remove(&id);
            state.append_event(event);
            Ok(true)
        })
    }

    async fn outbox_figures(&self) -> Result<OutboxFigures, StorageError> {
        self.with("outbox.figures", |state| {
            Ok(OutboxFigures {
                waiting: u64::try_from(state.outbox.len())
                    .unwrap_or(u64::MAX)
                    .min(u64::from(OutboxFigures::MOST)),
                oldest: state.outbox.values().map(|taken| taken.mail.created_at).min(),
            })
        })
    }
}

/// The mail, where this was the last attempt to take it.
fn held(state: &mut State, id: MailId, attempt: u32) -> Option<&mut TakenMail> {
    state.outbox.get_mut(&id).filter(|taken| taken.attempt == attempt)
}
