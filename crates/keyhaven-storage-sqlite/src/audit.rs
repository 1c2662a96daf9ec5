use async_trait::async_trait;
use keyhaven_storage::{AccountId, Aftermath, AuditEvent, AuditStore, EventId, StorageError, columns};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query};
use uuid::Uuid;

use crate::error::Failure;
use crate::{SqliteStore, outbox};

#[async_trait]
impl AuditStore for SqliteStore {
    async fn append(&self, aftermath: Aftermath) -> Result<(), StorageError> {
        self.append_alone(&aftermath)
            .await
            .map_err(Failure::of("event.append"))
    }

    async fn events_of(
        &self,
        account: AccountId,
        after: Option<(UnixTime, EventId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StorageError> {
        self.list_events(account, after, limit)
            .await
            .map_err(Failure::of("event.list"))
    }
}

/// Appends an event and queues its mails, as part of a commit.
pub(crate) async fn append(connection: &mut SqliteConnection, aftermath: &Aftermath) -> Result<(), Failure> {
    for mail in &aftermath.mails {
        outbox::insert(connection, mail).await?;
    }
    append_event(connection, &aftermath.event).await
}

/// Appends an event as part of a commit.
pub(crate) async fn append_event(
    connection: &mut SqliteConnection,
    event: &AuditEvent,
) -> Result<(), Failure> {
    query!(
        "INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id, ip,
            user_agent, request_id, mac, personal, actor)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        event.id.0,
        event.at.as_millis(),
        event.action,
        columns::outcome_text(event.outcome),
        event.code,
        event.step,
        event.account.map(|id| id.0),
        event.credential.as_ref().map(|id| id.as_bytes()),
        event.session.map(|id| id.0),
        event.ip,
        event.user_agent,
        event.request_id,
        &event.mac[..],
        event.personal,
        event.actor.map(|actor| actor.to_string()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl SqliteStore {
    async fn append_alone(&self, aftermath: &Aftermath) -> Result<(), Failure> {
        if aftermath.mails.is_empty() {
            let mut connection = self.writer.acquire().await?;
            return append_event(&mut connection, &aftermath.event).await;
        }
        let mut transaction = self.write().await?;
        append(&mut transaction, aftermath).await?;
        Ok(transaction.commit().await?)
    }

    async fn list_events(
        &self,
        account: AccountId,
        after: Option<(UnixTime, EventId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, Failure> {
        let (at, id) = columns::list_end(after);
        let rows = query!(
            r#"SELECT id AS "id!: Uuid", at, action, outcome, code, step, account_id AS "account_id: Uuid",
                credential_id, session_id AS "session_id: Uuid", ip, user_agent, request_id, actor, personal,
                mac
            FROM audit_events WHERE account_id = ?1 AND (at, id) < (?2, ?3)
            ORDER BY at DESC, id DESC LIMIT ?4"#,
            account.0,
            at,
            id,
            limit
        )
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(|row| Ok(columns::event!(row))).collect()
    }
}
