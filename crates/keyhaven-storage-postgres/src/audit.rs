use async_trait::async_trait;
use keyhaven_storage::{AccountId, Aftermath, AuditEvent, AuditStore, EventId, StorageError, columns};
use keyhaven_types::UnixTime;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::Failure;
use crate::outbox::Mails;
use crate::pool::Pool;

#[async_trait]
impl AuditStore for PostgresStore {
    async fn append(&self, aftermath: Aftermath) -> Result<(), StorageError> {
        self.answer("event.append", || self.append_alone(&aftermath))
            .await
    }

    async fn events_of(
        &self,
        account: AccountId,
        after: Option<(UnixTime, EventId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StorageError> {
        self.answer("event.list", || self.list_events(account, after, limit))
            .await
    }
}

/// Appends an event and queues its mails, in one statement: alone, or as part of a transaction. Commits of one statement
/// do it by themselves.
#[expect(
    clippy::as_conversions,
    reason = "how the query macro is told a type: nothing is converted"
)]
pub(crate) async fn append(connection: &mut PgConnection, aftermath: &Aftermath) -> Result<(), sqlx::Error> {
    let event = &aftermath.event;
    let mails = Mails::of(aftermath);
    query!(
        "WITH queued AS (
            INSERT INTO outbox (id, account_id, sealed, created_at, due_at)
            SELECT * FROM unnest($14::uuid[], $15::uuid[], $16::bytea[], $17::bigint[], $18::bigint[])
        )
        INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id, ip,
            user_agent, request_id, mac, personal, actor)
        VALUES ($1, $2, $3::text, $4::text, $5::text, $6::text, $7, $8::bytea, $9, $10::text, $11::text, $12::text,
            $13::bytea, $19::bytea, $20::text)",
        event.id.0,
        event.at.as_millis(),
        event.action,
        columns::outcome_text(event.outcome),
        event.code.as_deref(),
        event.step.as_deref(),
        event.account.map(|id| id.0),
        event.credential.as_ref().map(|id| id.as_bytes()),
        event.session.map(|id| id.0),
        event.ip.as_deref(),
        event.user_agent.as_deref(),
        event.request_id.as_deref(),
        &event.mac[..],
        &mails.ids,
        &mails.accounts as &[Option<Uuid>],
        &mails.sealed,
        &mails.created_at,
        &mails.due_at,
        event.personal.as_deref(),
        event.actor.map(|actor| actor.to_string()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl PostgresStore {
    async fn append_alone(&self, aftermath: &Aftermath) -> Result<(), Failure> {
        let mut lent = self.primary.lend().await?;
        let appended = append(&mut lent, aftermath).await;
        lent.settle(appended)
    }

    /// The one read that may be a moment old: nothing is decided by it.
    async fn list_events(
        &self,
        account: AccountId,
        after: Option<(UnixTime, EventId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, Failure> {
        if let Some(replica) = &self.replica {
            match list(replica, account, after, limit).await {
                Err(failure) => tracing::warn!(error = %failure, "the replica is away: the primary answers"),
                listed => return listed,
            }
        }
        list(&self.primary, account, after, limit).await
    }
}

async fn list(
    pool: &Pool,
    account: AccountId,
    after: Option<(UnixTime, EventId)>,
    limit: u32,
) -> Result<Vec<AuditEvent>, Failure> {
    let (at, id) = columns::list_end(after);
    let mut lent = pool.lend().await?;
    let rows = query!(
        "SELECT id, at, action, outcome, code, step, account_id, credential_id, session_id, ip, user_agent, request_id,
            actor, personal, mac
        FROM audit_events WHERE account_id = $1 AND (at, id) < ($2, $3)
        ORDER BY at DESC, id DESC LIMIT $4",
        account.0,
        at,
        id,
        i64::from(limit)
    )
    .fetch_all(&mut *lent)
    .await;
    let rows = lent.settle(rows)?;
    rows.into_iter().map(|row| Ok(columns::event!(row))).collect()
}
