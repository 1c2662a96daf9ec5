use async_trait::async_trait;
use keyhaven_storage::{
    AuditEvent, MailId, OutboxFigures, OutboxStore, QueuedMail, StorageError, TakenMail, columns,
};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query};
use uuid::Uuid;

use crate::error::Failure;
use crate::{SqliteStore, audit};

#[async_trait]
impl OutboxStore for SqliteStore {
    async fn take_mails(
        &self,
        now: UnixTime,
        lease_until: UnixTime,
        limit: u32,
    ) -> Result<Vec<TakenMail>, StorageError> {
        self.take(now, lease_until, limit)
            .await
            .map_err(Failure::of("outbox.take"))
    }

    async fn mail_sent(&self, id: MailId, attempt: u32) -> Result<bool, StorageError> {
        let dropped = query!(
            "DELETE FROM outbox WHERE id = ?1 AND attempts = ?2",
            id.0,
            attempt
        );
        let dropped = dropped.execute(&self.writer).await.map_err(Failure::from);
        dropped
            .map(|dropped| dropped.rows_affected() == 1)
            .map_err(Failure::of("outbox.sent"))
    }

    async fn retry_mail(&self, id: MailId, attempt: u32, at: UnixTime) -> Result<bool, StorageError> {
        let at = at.as_millis();
        let moved = query!(
            "UPDATE outbox SET due_at = ?3 WHERE id = ?1 AND attempts = ?2",
            id.0,
            attempt,
            at
        );
        let moved = moved.execute(&self.writer).await.map_err(Failure::from);
        moved
            .map(|moved| moved.rows_affected() == 1)
            .map_err(Failure::of("outbox.retry"))
    }

    async fn give_mail_up(&self, id: MailId, attempt: u32, event: AuditEvent) -> Result<bool, StorageError> {
        self.give_up(id, attempt, &event)
            .await
            .map_err(Failure::of("outbox.give_up"))
    }

    async fn outbox_figures(&self) -> Result<OutboxFigures, StorageError> {
        self.figures().await.map_err(Failure::of("outbox.figures"))
    }
}

/// Queues a mail as part of a commit.
pub(crate) async fn insert(connection: &mut SqliteConnection, mail: &QueuedMail) -> Result<(), Failure> {
    query!(
        "INSERT INTO outbox (id, account_id, sealed, created_at, due_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        mail.id.0,
        mail.account.map(|account| account.0),
        mail.sealed,
        mail.created_at.as_millis(),
        mail.due_at.as_millis(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl SqliteStore {
    async fn take(
        &self,
        now: UnixTime,
        lease_until: UnixTime,
        limit: u32,
    ) -> Result<Vec<TakenMail>, Failure> {
        // Nearly always there is none: then nobody has to wait for the writing lock.
        let due = query!(
            r#"SELECT id AS "id!: Uuid" FROM outbox WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2"#,
            now.as_millis(),
            limit
        );
        let due = due.fetch_all(&self.readers).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = self.write().await?;
        let mut taken = Vec::with_capacity(due.len());
        for mail in due {
            let row = query!(
                r#"UPDATE outbox SET due_at = ?3, attempts = attempts + 1 WHERE id = ?1 AND due_at <= ?2
                RETURNING id AS "id!: Uuid", account_id AS "account_id: Uuid", sealed AS "sealed!",
                    created_at AS "created_at!", due_at AS "due_at!", attempts AS "attempts!""#,
                mail.id,
                now.as_millis(),
                lease_until.as_millis()
            )
            .fetch_optional(&mut *transaction)
            .await?;
            if let Some(row) = row {
                taken.push(columns::taken_mail!(row));
            }
        }
        transaction.commit().await?;
        Ok(taken)
    }

    async fn give_up(&self, id: MailId, attempt: u32, event: &AuditEvent) -> Result<bool, Failure> {
        let mut transaction = self.write().await?;
        let dropped = query!(
            "DELETE FROM outbox WHERE id = ?1 AND attempts = ?2",
            id.0,
            attempt
        );
        if dropped.execute(&mut *transaction).await?.rows_affected() != 1 {
            transaction.rollback().await?;
            return Ok(false);
        }
        audit::append_event(&mut transaction, event).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn figures(&self) -> Result<OutboxFigures, Failure> {
        let most = i64::from(OutboxFigures::MOST);
        let row = query!(
            r#"SELECT count(*) AS "waiting!: i64", min(created_at) AS "oldest: i64"
            FROM (SELECT created_at FROM outbox ORDER BY created_at LIMIT ?)"#,
            most
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(OutboxFigures {
            waiting: columns::count(row.waiting, "number of mails")?,
            oldest: row.oldest.map(UnixTime::from_millis),
        })
    }
}
