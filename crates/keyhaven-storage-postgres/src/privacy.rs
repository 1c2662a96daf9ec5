use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, Aftermath, Deletion, DeletionGround, DeletionOutcome, PrivacyStore, SessionId,
    StorageError, UnusedPage, columns,
};
use keyhaven_types::UnixTime;
use sqlx::query;

use crate::error::Failure;
use crate::pool::Transaction;
use crate::standing::{lock_live, use_grant};
use crate::{PostgresStore, audit};

#[async_trait]
impl PrivacyStore for PostgresStore {
    async fn delete_account(&self, deletion: Deletion) -> Result<DeletionOutcome, StorageError> {
        self.answer("account.delete", || self.delete(&deletion)).await
    }

    async fn change_display_name(
        &self,
        account: AccountId,
        display_name: &str,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<Option<Account>, StorageError> {
        self.answer("account.rename", || {
            self.rename_owner(account, display_name, at, &audit)
        })
        .await
    }

    async fn unused_accounts(
        &self,
        after: Option<AccountId>,
        since: UnixTime,
        limit: u32,
    ) -> Result<UnusedPage, StorageError> {
        self.answer("account.unused", || self.find_unused(after, since, limit))
            .await
    }

    async fn forget_session_clients(
        &self,
        after: Option<SessionId>,
        before: UnixTime,
        limit: u32,
    ) -> Result<Option<SessionId>, StorageError> {
        self.answer("session.forget_clients", || {
            self.forget_clients(after, before, limit)
        })
        .await
    }
}

impl PostgresStore {
    async fn delete(&self, deletion: &Deletion) -> Result<DeletionOutcome, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let outcome = write_deletion(&mut transaction, deletion).await?;
        match outcome {
            DeletionOutcome::Deleted => transaction.commit().await?,
            DeletionOutcome::AccountUnavailable
            | DeletionOutcome::GrantMissing
            | DeletionOutcome::InUse
            | DeletionOutcome::SessionEnded => transaction.rollback().await?,
        }
        lent.settle(Ok(outcome))
    }

    async fn rename_owner(
        &self,
        account: AccountId,
        display_name: &str,
        at: UnixTime,
        audit: &Aftermath,
    ) -> Result<Option<Account>, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let row = query!(
            "UPDATE accounts SET display_name = $2::text, updated_at = $3 WHERE id = $1 AND active
            RETURNING id AS account_id, user_handle, username, display_name, email, email_verified,
                active AS account_active, is_admin, created_at AS account_created_at, updated_at, last_login_at",
            account.0,
            display_name,
            at.as_millis()
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            transaction.rollback().await?;
            return lent.settle(Ok(None));
        };
        let renamed = columns::account!(row);
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(Some(renamed)))
    }

    async fn find_unused(
        &self,
        after: Option<AccountId>,
        since: UnixTime,
        limit: u32,
    ) -> Result<UnusedPage, Failure> {
        let Some(first) = columns::next_uuid(after.map(|id| id.0)) else {
            return Ok(UnusedPage {
                accounts: Vec::new(),
                next: None,
            });
        };
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            r#"SELECT id, (NOT email_verified AND created_at < $2 AND coalesce(last_login_at < $2, true))
                AS "unused!"
            FROM accounts WHERE id >= $1 ORDER BY id LIMIT $3"#,
            first,
            since.as_millis(),
            i64::from(limit)
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
        Ok(UnusedPage {
            next: rows.last().filter(|_| full).map(|row| AccountId(row.id)),
            accounts: rows
                .into_iter()
                .filter(|row| row.unused)
                .map(|row| AccountId(row.id))
                .collect(),
        })
    }

    /// Rows that somebody else holds at this moment have their turn the next time.
    async fn forget_clients(
        &self,
        after: Option<SessionId>,
        before: UnixTime,
        limit: u32,
    ) -> Result<Option<SessionId>, Failure> {
        let Some(first) = columns::next_uuid(after.map(|id| id.0)) else {
            return Ok(None);
        };
        let mut lent = self.primary.lend().await?;
        let seen = query!(
            r#"WITH looked AS MATERIALIZED (
                SELECT id FROM sessions WHERE id >= $1 ORDER BY id LIMIT $3
            ), forgotten AS (
                UPDATE sessions SET ip = NULL, user_agent = NULL
                WHERE id = ANY(ARRAY(
                    SELECT s.id FROM sessions s JOIN looked ON looked.id = s.id
                    WHERE s.created_at < $2 AND (s.ip IS NOT NULL OR s.user_agent IS NOT NULL)
                    FOR UPDATE OF s SKIP LOCKED
                ))
            )
            SELECT count(*) AS "looked!", (array_agg(id ORDER BY id DESC))[1] AS last FROM looked"#,
            first,
            before.as_millis(),
            i64::from(limit)
        )
        .fetch_one(&mut *lent)
        .await;
        let seen = lent.settle(seen)?;
        Ok(seen
            .last
            .filter(|_| seen.looked == i64::from(limit))
            .map(SessionId))
    }
}

async fn write_deletion(
    transaction: &mut Transaction<'_>,
    deletion: &Deletion,
) -> Result<DeletionOutcome, sqlx::Error> {
    let account = deletion.account;
    // Whoever changes anything of the account has finished, or waits and finds nothing.
    let found = query!(
        "SELECT active, email_verified, created_at, last_login_at FROM accounts WHERE id = $1 FOR UPDATE",
        account.0
    );
    let Some(found) = found
        .fetch_optional(&mut **transaction)
        .await?
        .filter(|found| found.active)
    else {
        return Ok(DeletionOutcome::AccountUnavailable);
    };
    match &deletion.ground {
        DeletionGround::Asked {
            session,
            uses_grant,
            at,
        } => {
            if !lock_live(transaction, *session, account, *at).await? {
                return Ok(DeletionOutcome::SessionEnded);
            }
            if !use_grant(transaction, *session, uses_grant, *at).await? {
                return Ok(DeletionOutcome::GrantMissing);
            }
        }
        DeletionGround::Unused { since } => {
            let newest = found
                .last_login_at
                .unwrap_or(found.created_at)
                .max(found.created_at);
            if found.email_verified || newest >= since.as_millis() {
                return Ok(DeletionOutcome::InUse);
            }
        }
    }
    query!("DELETE FROM outbox WHERE account_id = $1", account.0)
        .execute(&mut **transaction)
        .await?;
    // Everything else of the account goes with its row.
    query!("DELETE FROM accounts WHERE id = $1", account.0)
        .execute(&mut **transaction)
        .await?;
    audit::append(transaction, &deletion.audit).await?;
    Ok(DeletionOutcome::Deleted)
}
