use async_trait::async_trait;
use keyhaven_storage::{
    Aftermath, AuditEvent, MailId, OutboxFigures, OutboxStore, StorageError, TakenMail, columns,
};
use keyhaven_types::UnixTime;
use sqlx::query;
use uuid::Uuid;

use crate::error::Failure;
use crate::{PostgresStore, audit};

#[async_trait]
impl OutboxStore for PostgresStore {
    async fn take_mails(
        &self,
        now: UnixTime,
        lease_until: UnixTime,
        limit: u32,
    ) -> Result<Vec<TakenMail>, StorageError> {
        self.answer("outbox.take", || self.take(now, lease_until, limit))
            .await
    }

    async fn mail_sent(&self, id: MailId, attempt: u32) -> Result<bool, StorageError> {
        self.answer("outbox.sent", || self.drop_mail(id, attempt)).await
    }

    async fn retry_mail(&self, id: MailId, attempt: u32, at: UnixTime) -> Result<bool, StorageError> {
        self.answer("outbox.retry", || self.move_mail(id, attempt, at))
            .await
    }

    async fn give_mail_up(&self, id: MailId, attempt: u32, event: AuditEvent) -> Result<bool, StorageError> {
        self.answer("outbox.give_up", || self.give_up(id, attempt, &event))
            .await
    }

    async fn outbox_figures(&self) -> Result<OutboxFigures, StorageError> {
        self.answer("outbox.figures", || self.count_mails()).await
    }
}

/// Mails column by column, as a statement takes any number of them: by `unnest`.
pub(crate) struct Mails {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) accounts: Vec<Option<Uuid>>,
    pub(crate) sealed: Vec<Vec<u8>>,
    pub(crate) created_at: Vec<i64>,
    pub(crate) due_at: Vec<i64>,
}

impl Mails {
    pub(crate) fn of(aftermath: &Aftermath) -> Self {
        let mails = || aftermath.mails.iter();
        Self {
            ids: mails().map(|mail| mail.id.0).collect(),
            accounts: mails()
                .map(|mail| mail.account.map(|account| account.0))
                .collect(),
            sealed: mails().map(|mail| mail.sealed.clone()).collect(),
            created_at: mails().map(|mail| mail.created_at.as_millis()).collect(),
            due_at: mails().map(|mail| mail.due_at.as_millis()).collect(),
        }
    }
}

impl PostgresStore {
    /// Mails that another process is taking at this moment are passed over.
    async fn take(
        &self,
        now: UnixTime,
        lease_until: UnixTime,
        limit: u32,
    ) -> Result<Vec<TakenMail>, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            "UPDATE outbox SET due_at = $2, attempts = attempts + 1
            WHERE id = ANY(ARRAY(
                SELECT id FROM outbox WHERE due_at <= $1 ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
            ))
            RETURNING id, account_id, sealed, created_at, due_at, attempts",
            now.as_millis(),
            lease_until.as_millis(),
            i64::from(limit)
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        rows.into_iter()
            .map(|row| Ok(columns::taken_mail!(row)))
            .collect()
    }

    async fn drop_mail(&self, id: MailId, attempt: u32) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let dropped = query!(
            "DELETE FROM outbox WHERE id = $1 AND attempts = $2",
            id.0,
            i64::from(attempt)
        )
        .execute(&mut *lent)
        .await;
        lent.settle(dropped).map(|dropped| dropped.rows_affected() == 1)
    }

    async fn move_mail(&self, id: MailId, attempt: u32, at: UnixTime) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let moved = query!(
            "UPDATE outbox SET due_at = $3 WHERE id = $1 AND attempts = $2",
            id.0,
            i64::from(attempt),
            at.as_millis()
        )
        .execute(&mut *lent)
        .await;
        lent.settle(moved).map(|moved| moved.rows_affected() == 1)
    }

    async fn give_up(&self, id: MailId, attempt: u32, event: &AuditEvent) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let dropped = query!(
            "DELETE FROM outbox WHERE id = $1 AND attempts = $2",
            id.0,
            i64::from(attempt)
        )
        .execute(&mut *transaction)
        .await?;
        if dropped.rows_affected() != 1 {
            transaction.rollback().await?;
            return lent.settle(Ok(false));
        }
        audit::append(&mut transaction, &event.clone().into()).await?;
        transaction.commit().await?;
        lent.settle(Ok(true))
    }

    async fn count_mails(&self) -> Result<OutboxFigures, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            r#"SELECT count(*) AS "waiting!", min(created_at) AS oldest
            FROM (SELECT created_at FROM outbox ORDER BY created_at LIMIT $1) AS counted"#,
            i64::from(OutboxFigures::MOST)
        )
        .fetch_one(&mut *lent)
        .await;
        let row = lent.settle(row)?;
        Ok(OutboxFigures {
            waiting: columns::count(row.waiting, "number of mails")?,
            oldest: row.oldest.map(UnixTime::from_millis),
        })
    }
}
