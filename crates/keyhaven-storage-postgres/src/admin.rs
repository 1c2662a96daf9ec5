use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, AccountStanding, AdminAct, AdminChange, AdminOutcome, AdminSession, AdminStore, Aftermath,
    AuditEvent, Enrolment, EventId, ListedAccount, OpenedSession, Role, StorageError, TokenHash, columns,
};
use keyhaven_types::{CredentialId, UnixTime};
use sqlx::{query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::pool::Transaction;
use crate::standing::{lock_active, lock_live, use_grant};
use crate::{PostgresStore, audit, recovery, sessions};

#[async_trait]
impl AdminStore for PostgresStore {
    async fn accounts(
        &self,
        after: Option<(UnixTime, AccountId)>,
        limit: u32,
    ) -> Result<Vec<ListedAccount>, StorageError> {
        self.answer("account.list", || self.list_accounts(after, limit))
            .await
    }

    async fn account_standing(
        &self,
        account: AccountId,
        now: UnixTime,
    ) -> Result<AccountStanding, StorageError> {
        self.answer("account.standing", || self.find_standing(account, now))
            .await
    }

    async fn administer(&self, change: AdminChange) -> Result<AdminOutcome, StorageError> {
        self.answer("account.administer", || self.write_change(&change))
            .await
    }

    async fn enrolment(&self, token: &TokenHash) -> Result<Option<Enrolment>, StorageError> {
        self.answer("enrolment.find", || self.find_enrolment(token)).await
    }

    async fn redeem_enrolment(
        &self,
        token: &TokenHash,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        self.answer("enrolment.redeem", || self.redeem(token, at, &opened, &audit))
            .await
    }

    async fn drop_expired_enrolments(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.answer("enrolment.purge", || self.drop_enrolments(now, limit))
            .await
    }

    async fn events(&self, below: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>, StorageError> {
        self.answer("event.list_all", || self.list_all_events(below, limit))
            .await
    }
}

impl PostgresStore {
    async fn list_accounts(
        &self,
        after: Option<(UnixTime, AccountId)>,
        limit: u32,
    ) -> Result<Vec<ListedAccount>, Failure> {
        let (at, id) = after.map_or((i64::MAX, Uuid::max()), |(at, id)| (at.as_millis(), id.0));
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            "SELECT id AS account_id, user_handle, username, display_name, email, email_verified,
                active AS account_active, is_admin, created_at AS account_created_at, updated_at, last_login_at,
                has_passkey
            FROM accounts WHERE (created_at, id) < ($1, $2)
            ORDER BY created_at DESC, id DESC LIMIT $3",
            at,
            id,
            i64::from(limit)
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        rows.into_iter()
            .map(|row| {
                let has_passkey = row.has_passkey;
                let account = columns::account!(row);
                Ok(ListedAccount { account, has_passkey })
            })
            .collect()
    }

    async fn find_standing(&self, account: AccountId, now: UnixTime) -> Result<AccountStanding, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            r#"SELECT l.reason AS "reason?", l.locked_at AS "locked_at?",
                e.token_hash AS "token_hash?", e.created_at AS "created_at?", e.expires_at AS "expires_at?",
                (SELECT min(ready_at) FROM recoveries
                    WHERE account_id = a.id AND stage = 'waiting' AND expires_at > $2) AS "ready_at?",
                EXISTS (SELECT FROM passwords WHERE account_id = a.id) AS "has_password!",
                k.mac AS "mac?", k.created_at AS "key_created_at?", k.last_used_at AS "key_last_used_at?"
            FROM accounts a LEFT JOIN account_locks l ON l.account_id = a.id
                LEFT JOIN enrolments e ON e.account_id = a.id AND e.expires_at > $2
                LEFT JOIN client_keys k ON k.account_id = a.id
            WHERE a.id = $1"#,
            account.0,
            now.as_millis()
        )
        .fetch_optional(&mut *lent)
        .await;
        let Some(row) = lent.settle(row)? else {
            return Ok(AccountStanding::default());
        };
        Ok(columns::standing!(row, account))
    }

    async fn write_change(&self, change: &AdminChange) -> Result<AdminOutcome, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let outcome = administer(&mut transaction, change).await?;
        if outcome == AdminOutcome::Done {
            audit::append(&mut transaction, &change.audit).await?;
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        lent.settle(Ok(outcome))
    }

    async fn find_enrolment(&self, token: &TokenHash) -> Result<Option<Enrolment>, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            "SELECT account_id, token_hash, created_at, expires_at FROM enrolments WHERE token_hash = $1",
            &token.0[..]
        )
        .fetch_optional(&mut *lent)
        .await;
        let Some(row) = lent.settle(row)? else {
            return Ok(None);
        };
        Ok(Some(columns::enrolment!(row)))
    }

    async fn redeem(
        &self,
        token: &TokenHash,
        at: UnixTime,
        opened: &OpenedSession,
        audit: &Aftermath,
    ) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        // First the lock on the account, as everything that changes its link has it.
        let active = lock_active(&mut transaction, opened.session.account).await?;
        let used = query!(
            "DELETE FROM enrolments WHERE token_hash = $1 AND account_id = $2 AND expires_at > $3",
            &token.0[..],
            opened.session.account.0,
            at.as_millis()
        );
        let used = used.execute(&mut *transaction).await?.rows_affected() == 1;
        if !active || !used {
            transaction.rollback().await?;
            return lent.settle(Ok(false));
        }
        sessions::open(&mut transaction, opened).await?;
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(true))
    }

    async fn drop_enrolments(&self, now: UnixTime, limit: u32) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let dropped = query!(
            "DELETE FROM enrolments WHERE account_id = ANY(ARRAY(
                SELECT account_id FROM enrolments WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
            ))",
            now.as_millis(),
            i64::from(limit)
        )
        .execute(&mut *lent)
        .await;
        lent.settle(dropped).map(|dropped| dropped.rows_affected())
    }

    async fn list_all_events(&self, below: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>, Failure> {
        let below = below.map_or(Uuid::max(), |id| id.0);
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            "SELECT id, at, action, outcome, code, step, account_id, credential_id, session_id, ip, user_agent,
                request_id, actor, personal, mac
            FROM audit_events WHERE id < $1 ORDER BY id DESC LIMIT $2",
            below,
            i64::from(limit)
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        rows.into_iter().map(|row| Ok(columns::event!(row))).collect()
    }
}

/// Whoever changes who is an administrator, or can act as one, does so alone: what decides is in other rows.
async fn lock_admins(transaction: &mut Transaction<'_>) -> Result<(), sqlx::Error> {
    const ADMINS: i64 = 0x6b65_7968_6164_6d6e;
    query!(r#"SELECT pg_advisory_xact_lock($1) AS "void: ()""#, ADMINS)
        .fetch_one(&mut **transaction)
        .await?;
    Ok(())
}

/// Why the administrator, whose account is locked in the transaction, may not, now.
async fn refusal(
    transaction: &mut Transaction<'_>,
    by: &AdminSession,
    at: UnixTime,
) -> Result<Option<AdminOutcome>, sqlx::Error> {
    if !lock_live(transaction, by.session, by.account, at).await? {
        return Ok(Some(AdminOutcome::SessionEnded));
    }
    let granted = if by.uses_grant {
        use_grant(transaction, by.session, &by.grant, at).await?
    } else {
        let granted = query_scalar!(
            r#"SELECT EXISTS (
                SELECT FROM step_up_grants WHERE session_id = $1 AND purpose = $2 AND expires_at > $3
            ) AS "granted!""#,
            by.session.0,
            by.grant,
            at.as_millis()
        );
        granted.fetch_one(&mut **transaction).await?
    };
    Ok((!granted).then_some(AdminOutcome::GrantMissing))
}

/// What is refused may have been written in part: the caller takes it back.
async fn administer(
    transaction: &mut Transaction<'_>,
    change: &AdminChange,
) -> Result<AdminOutcome, sqlx::Error> {
    if matches!(change.act, AdminAct::Lock { .. } | AdminAct::SetRole { .. }) {
        lock_admins(transaction).await?;
    }
    let (id, at) = (change.account, change.at.as_millis());
    // Both accounts at once, in one order: two who lock each other do not wait for each other for ever.
    let mut ids = vec![id.0];
    ids.extend(change.by.as_ref().map(|by| by.account.0));
    let locked = query!(
        "SELECT id, active, is_admin FROM accounts WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
        &ids
    );
    let locked = locked.fetch_all(&mut **transaction).await?;
    if let Some(by) = &change.by {
        let admin = locked.iter().find(|row| row.id == by.account.0);
        if !admin.is_some_and(|admin| admin.active && admin.is_admin) {
            return Ok(AdminOutcome::NotAdmin);
        }
        if let Some(refusal) = refusal(transaction, by, change.at).await? {
            return Ok(refusal);
        }
    }
    let Some(account) = locked.iter().find(|row| row.id == id.0) else {
        return Ok(AdminOutcome::AccountMissing);
    };
    match &change.act {
        AdminAct::EndSessions => end_sessions(transaction, id).await?,
        AdminAct::Enrol { .. }
        | AdminAct::SetRole {
            role: Role::Admin, ..
        } if !account.active => {
            return Ok(AdminOutcome::AccountLocked);
        }
        AdminAct::Enrol { token, expires_at } => {
            query!(
                "INSERT INTO enrolments (account_id, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (account_id) DO UPDATE SET token_hash = excluded.token_hash,
                    created_at = excluded.created_at, expires_at = excluded.expires_at",
                id.0,
                &token.0[..],
                at,
                expires_at.as_millis()
            )
            .execute(&mut **transaction)
            .await?;
        }
        AdminAct::Lock { .. } if change.by.as_ref().is_some_and(|by| by.account == id) => {
            return Ok(AdminOutcome::OwnAccount);
        }
        AdminAct::Lock { .. } if account.is_admin && !has_other_admin(transaction, id).await? => {
            return Ok(AdminOutcome::LastAdmin);
        }
        AdminAct::Lock { reason } => lock(transaction, id, reason, at).await?,
        AdminAct::RemoveCredential {
            credential,
            even_last,
        } => {
            return remove(transaction, id, credential, *even_last).await;
        }
        AdminAct::SetRole { first: true, .. } if has_admin(transaction).await? => {
            return Ok(AdminOutcome::AdminExists);
        }
        AdminAct::SetRole { role, .. } if (*role == Role::Admin) == account.is_admin => {
            return Ok(AdminOutcome::Unchanged);
        }
        AdminAct::SetRole { role, .. } => {
            query!(
                "UPDATE accounts SET is_admin = $2, updated_at = $3 WHERE id = $1",
                id.0,
                *role == Role::Admin,
                at
            )
            .execute(&mut **transaction)
            .await?;
            end_sessions(transaction, id).await?;
        }
        AdminAct::Unlock if account.active => return Ok(AdminOutcome::Unchanged),
        AdminAct::Unlock => {
            query!(
                "UPDATE accounts SET active = true, updated_at = $2 WHERE id = $1",
                id.0,
                at
            )
            .execute(&mut **transaction)
            .await?;
            query!("DELETE FROM account_locks WHERE account_id = $1", id.0)
                .execute(&mut **transaction)
                .await?;
        }
    }
    Ok(AdminOutcome::Done)
}

async fn end_sessions(transaction: &mut Transaction<'_>, account: AccountId) -> Result<(), sqlx::Error> {
    query!("DELETE FROM sessions WHERE account_id = $1", account.0)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn has_admin(transaction: &mut Transaction<'_>) -> Result<bool, sqlx::Error> {
    query_scalar!(r#"SELECT EXISTS (SELECT FROM accounts WHERE is_admin) AS "exists!""#)
        .fetch_one(&mut **transaction)
        .await
}

async fn has_other_admin(transaction: &mut Transaction<'_>, but: AccountId) -> Result<bool, sqlx::Error> {
    query_scalar!(
        r#"SELECT EXISTS (SELECT FROM accounts WHERE is_admin AND active AND id <> $1) AS "exists!""#,
        but.0
    )
    .fetch_one(&mut **transaction)
    .await
}

async fn lock(
    transaction: &mut Transaction<'_>,
    account: AccountId,
    reason: &str,
    at: i64,
) -> Result<(), sqlx::Error> {
    query!(
        "UPDATE accounts SET active = false, updated_at = $2 WHERE id = $1",
        account.0,
        at
    )
    .execute(&mut **transaction)
    .await?;
    query!(
        "INSERT INTO account_locks (account_id, reason, locked_at) VALUES ($1, $2, $3)
        ON CONFLICT (account_id) DO UPDATE SET reason = excluded.reason, locked_at = excluded.locked_at",
        account.0,
        reason,
        at
    )
    .execute(&mut **transaction)
    .await?;
    query!("DELETE FROM enrolments WHERE account_id = $1", account.0)
        .execute(&mut **transaction)
        .await?;
    recovery::end_all(transaction, account).await?;
    end_sessions(transaction, account).await
}

async fn remove(
    transaction: &mut Transaction<'_>,
    account: AccountId,
    credential: &CredentialId,
    even_last: bool,
) -> Result<AdminOutcome, sqlx::Error> {
    query!(
        "DELETE FROM sessions WHERE account_id = $1 AND credential_id = $2",
        account.0,
        credential.as_bytes()
    )
    .execute(&mut **transaction)
    .await?;
    let removed = query!(
        "DELETE FROM credentials WHERE account_id = $1 AND credential_id = $2",
        account.0,
        credential.as_bytes()
    );
    if removed.execute(&mut **transaction).await?.rows_affected() == 0 {
        return Ok(AdminOutcome::CredentialMissing);
    }
    let one_is_left = query_scalar!(
        r#"SELECT EXISTS (SELECT FROM credentials WHERE account_id = $1 AND active) AS "exists!""#,
        account.0
    );
    if even_last || one_is_left.fetch_one(&mut **transaction).await? {
        Ok(AdminOutcome::Done)
    } else {
        Ok(AdminOutcome::LastCredential)
    }
}
