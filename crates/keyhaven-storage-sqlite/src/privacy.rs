use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, Aftermath, Deletion, DeletionGround, DeletionOutcome, PrivacyStore, SessionId,
    StorageError, UnusedPage, columns,
};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::standing::{is_active, is_live, use_grant};
use crate::{SqliteStore, audit};

#[async_trait]
impl PrivacyStore for SqliteStore {
    async fn delete_account(&self, deletion: Deletion) -> Result<DeletionOutcome, StorageError> {
        self.delete(&deletion)
            .await
            .map_err(Failure::of("account.delete"))
    }

    async fn change_display_name(
        &self,
        account: AccountId,
        display_name: &str,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<Option<Account>, StorageError> {
        self.rename_owner(account, display_name, at, &audit)
            .await
            .map_err(Failure::of("account.rename"))
    }

    async fn unused_accounts(
        &self,
        after: Option<AccountId>,
        since: UnixTime,
        limit: u32,
    ) -> Result<UnusedPage, StorageError> {
        self.find_unused(after, since, limit)
            .await
            .map_err(Failure::of("account.unused"))
    }

    async fn forget_session_clients(
        &self,
        after: Option<SessionId>,
        before: UnixTime,
        limit: u32,
    ) -> Result<Option<SessionId>, StorageError> {
        self.forget_clients(after, before, limit)
            .await
            .map_err(Failure::of("session.forget_clients"))
    }
}

impl SqliteStore {
    async fn delete(&self, deletion: &Deletion) -> Result<DeletionOutcome, Failure> {
        let mut transaction = self.write().await?;
        let outcome = write_deletion(&mut transaction, deletion).await?;
        match outcome {
            DeletionOutcome::Deleted => transaction.commit().await?,
            DeletionOutcome::AccountUnavailable
            | DeletionOutcome::GrantMissing
            | DeletionOutcome::InUse
            | DeletionOutcome::SessionEnded => transaction.rollback().await?,
        }
        Ok(outcome)
    }

    async fn rename_owner(
        &self,
        account: AccountId,
        display_name: &str,
        at: UnixTime,
        audit: &Aftermath,
    ) -> Result<Option<Account>, Failure> {
        let mut transaction = self.write().await?;
        let row = query!(
            r#"UPDATE accounts SET display_name = ?2, updated_at = ?3 WHERE id = ?1 AND active = 1
            RETURNING id AS "account_id!: Uuid", user_handle AS "user_handle!", username AS "username!",
                display_name AS "display_name!", email AS "email?", email_verified AS "email_verified!: bool",
                active AS "account_active!: bool", is_admin AS "is_admin!: bool", created_at AS "account_created_at!",
                updated_at AS "updated_at!", last_login_at AS "last_login_at?""#,
            account.0,
            display_name,
            at.as_millis()
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            transaction.rollback().await?;
            return Ok(None);
        };
        let renamed = columns::account!(row);
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        Ok(Some(renamed))
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
        let since = since.as_millis();
        let rows = query!(
            r#"SELECT id AS "id!: Uuid",
                (email_verified = 0 AND created_at < ?2 AND coalesce(last_login_at < ?2, 1)) AS "unused!: bool"
            FROM accounts WHERE id >= ?1 ORDER BY id LIMIT ?3"#,
            first,
            since,
            limit
        )
        .fetch_all(&self.readers)
        .await?;
        Ok(UnusedPage {
            next: next(&rows, limit, |row| AccountId(row.id)),
            accounts: rows
                .into_iter()
                .filter(|row| row.unused)
                .map(|row| AccountId(row.id))
                .collect(),
        })
    }

    async fn forget_clients(
        &self,
        after: Option<SessionId>,
        before: UnixTime,
        limit: u32,
    ) -> Result<Option<SessionId>, Failure> {
        let Some(first) = columns::next_uuid(after.map(|id| id.0)) else {
            return Ok(None);
        };
        let before = before.as_millis();
        let rows = query!(
            r#"SELECT id AS "id!: Uuid",
                (created_at < ?2 AND (ip IS NOT NULL OR user_agent IS NOT NULL)) AS "old!: bool"
            FROM sessions WHERE id >= ?1 ORDER BY id LIMIT ?3"#,
            first,
            before,
            limit
        )
        .fetch_all(&self.readers)
        .await?;
        let next = next(&rows, limit, |row| SessionId(row.id));
        if rows.iter().any(|row| row.old) {
            let mut transaction = self.write().await?;
            for row in rows.iter().filter(|row| row.old) {
                query!(
                    "UPDATE sessions SET ip = NULL, user_agent = NULL WHERE id = ?1",
                    row.id
                )
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await?;
        }
        Ok(next)
    }
}

/// Where a full page ends.
fn next<R, I>(rows: &[R], limit: u32, id: impl Fn(&R) -> I) -> Option<I> {
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    rows.last().filter(|_| full).map(id)
}

async fn write_deletion(
    connection: &mut SqliteConnection,
    deletion: &Deletion,
) -> Result<DeletionOutcome, Failure> {
    let account = deletion.account;
    if !is_active(&mut *connection, account).await? {
        return Ok(DeletionOutcome::AccountUnavailable);
    }
    match &deletion.ground {
        DeletionGround::Asked {
            session,
            uses_grant,
            at,
        } => {
            if !is_live(&mut *connection, *session, account, *at).await? {
                return Ok(DeletionOutcome::SessionEnded);
            }
            if !use_grant(&mut *connection, *session, uses_grant, *at).await? {
                return Ok(DeletionOutcome::GrantMissing);
            }
        }
        DeletionGround::Unused { since } => {
            let since = since.as_millis();
            let unused = query_scalar!(
                r#"SELECT (email_verified = 0 AND created_at < ?2 AND coalesce(last_login_at < ?2, 1))
                    AS "unused!: bool"
                FROM accounts WHERE id = ?1"#,
                account.0,
                since
            );
            if !unused.fetch_one(&mut *connection).await? {
                return Ok(DeletionOutcome::InUse);
            }
        }
    }
    query!("DELETE FROM outbox WHERE account_id = ?1", account.0)
        .execute(&mut *connection)
        .await?;
    // Everything else of the account goes with its row.
    query!("DELETE FROM accounts WHERE id = ?1", account.0)
        .execute(&mut *connection)
        .await?;
    audit::append(connection, &deletion.audit).await?;
    Ok(DeletionOutcome::Deleted)
}
