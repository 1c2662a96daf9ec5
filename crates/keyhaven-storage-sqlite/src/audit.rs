use async_trait::async_trait;
use keyhaven_storage::{AccountId, AuditEvent, AuditStore, EventId, StorageError, columns};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::Failure;

#[async_trait]
impl AuditStore for SqliteStore {
    async fn append_event(&self, event: AuditEvent) -> Result<(), StorageError> {
        self.append_alone(&event)
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

/// Appends an event as part of a commit.
pub(crate) async fn append(connection: &mut SqliteConnection, event: &AuditEvent) -> Result<(), Failure> {
    query!(
        "INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id, ip,
            user_agent, request_id, mac)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl SqliteStore {
    async fn append_alone(&self, event: &AuditEvent) -> Result<(), Failure> {
        let mut connection = self.writer.acquire().await?;
        append(&mut connection, event).await
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
                credential_id, session_id AS "session_id: Uuid", ip, user_agent, request_id, mac
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
