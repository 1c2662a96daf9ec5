use async_trait::async_trait;
use keyhaven_storage::{AccountId, AuditEvent, AuditOutcome, AuditStore, EventId, SessionId, StorageError};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query};
use tracing::instrument;
use uuid::Uuid;

use crate::error::Failure;
use crate::{SqliteStore, records};

#[async_trait]
impl AuditStore for SqliteStore {
    #[instrument(level = "debug", name = "db.event.append", skip_all)]
    async fn append_event(&self, event: AuditEvent) -> Result<(), StorageError> {
        self.append_alone(&event)
            .await
            .map_err(Failure::of("event.append"))
    }

    #[instrument(level = "debug", name = "db.event.list", skip_all)]
    async fn events_of(
        &self,
        account: AccountId,
        before: Option<UnixTime>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StorageError> {
        self.list_events(account, before, limit)
            .await
            .map_err(Failure::of("event.list"))
    }
}

/// Appends an event as part of a commit.
pub(crate) async fn append(connection: &mut SqliteConnection, event: &AuditEvent) -> Result<(), Failure> {
    let outcome = match event.outcome {
        AuditOutcome::Refused => "refused",
        AuditOutcome::Success => "success",
    };
    query!(
        "INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id, ip,
            user_agent, request_id, mac)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        event.id.0,
        event.at.as_millis(),
        event.action,
        outcome,
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
        before: Option<UnixTime>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, Failure> {
        // The newest moment that is asked for; nothing is older than the beginning of time.
        let newest = match before {
            None => i64::MAX,
            Some(before) => match before.as_millis().checked_sub(1) {
                None => return Ok(Vec::new()),
                Some(newest) => newest,
            },
        };
        let rows = query!(
            r#"SELECT id AS "id!: Uuid", at, action, outcome, code, step, account_id AS "account_id: Uuid",
                credential_id, session_id AS "session_id: Uuid", ip, user_agent, request_id, mac
            FROM audit_events WHERE account_id = ?1 AND at <= ?2
            ORDER BY at DESC, position DESC LIMIT ?3"#,
            account.0,
            newest,
            limit
        )
        .fetch_all(&self.readers)
        .await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            events.push(AuditEvent {
                id: EventId(row.id),
                at: UnixTime::from_millis(row.at),
                action: row.action,
                outcome: match row.outcome.as_str() {
                    "refused" => AuditOutcome::Refused,
                    "success" => AuditOutcome::Success,
                    _ => return Err(Failure::Damaged("outcome")),
                },
                code: row.code,
                step: row.step,
                account: row.account_id.map(AccountId),
                credential: row
                    .credential_id
                    .as_deref()
                    .map(records::credential_id)
                    .transpose()?,
                session: row.session_id.map(SessionId),
                ip: row.ip,
                user_agent: row.user_agent,
                request_id: row.request_id,
                mac: row.mac.try_into().map_err(|_| Failure::Damaged("MAC"))?,
            });
        }
        Ok(events)
    }
}
