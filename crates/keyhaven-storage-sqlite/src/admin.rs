use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, AccountStanding, AdminAct, AdminChange, AdminOutcome, AdminSession, AdminStore, Aftermath,
    AuditEvent, Enrolment, EventId, ListedAccount, OpenedSession, Role, StorageError, TokenHash, columns,
};
use keyhaven_types::{CredentialId, UnixTime};
use sqlx::{SqliteConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::standing::{is_active, is_live, use_grant};
use crate::{SqliteStore, audit, recovery, sessions};

#[async_trait]
impl AdminStore for SqliteStore {
    async fn accounts(
        &self,
        after: Option<(UnixTime, AccountId)>,
        limit: u32,
    ) -> Result<Vec<ListedAccount>, StorageError> {
        self.list_accounts(after, limit)
            .await
            .map_err(Failure::of("account.list"))
    }

    async fn account_standing(
        &self,
        account: AccountId,
        now: UnixTime,
    ) -> Result<AccountStanding, StorageError> {
        self.find_standing(account, now)
            .await
            .map_err(Failure::of("account.standing"))
    }

    async fn administer(&self, change: AdminChange) -> Result<AdminOutcome, StorageError> {
        self.write_change(&change)
            .await
            .map_err(Failure::of("account.administer"))
    }

    async fn enrolment(&self, token: &TokenHash) -> Result<Option<Enrolment>, StorageError> {
        self.find_enrolment(token)
            .await
            .map_err(Failure::of("enrolment.find"))
    }

    async fn redeem_enrolment(
        &self,
        token: &TokenHash,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        self.redeem(token, at, &opened, &audit)
            .await
            .map_err(Failure::of("enrolment.redeem"))
    }

    async fn drop_expired_enrolments(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        let dropped = query!(
            "DELETE FROM enrolments WHERE account_id IN (SELECT account_id FROM enrolments WHERE expires_at <= ?1 LIMIT ?2)",
            now.as_millis(),
            limit
        );
        let dropped = dropped.execute(&self.writer).await.map_err(Failure::from);
        dropped
            .map(|dropped| dropped.rows_affected())
            .map_err(Failure::of("enrolment.purge"))
    }

    async fn events(&self, below: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>, StorageError> {
        self.list_all_events(below, limit)
            .await
            .map_err(Failure::of("event.list_all"))
    }
}

impl SqliteStore {
    async fn list_accounts(
        &self,
        after: Option<(UnixTime, AccountId)>,
        limit: u32,
    ) -> Result<Vec<ListedAccount>, Failure> {
        let (at, id) = after.map_or((i64::MAX, Uuid::max()), |(at, id)| (at.as_millis(), id.0));
        let rows = query!(
            r#"SELECT id AS "account_id!: Uuid", user_handle, username, display_name, email,
                email_verified AS "email_verified!: bool", active AS "account_active!: bool",
                is_admin AS "is_admin!: bool", created_at AS "account_created_at!", updated_at, last_login_at,
                has_passkey AS "has_passkey!: bool"
            FROM accounts WHERE (created_at, id) < (?1, ?2)
            ORDER BY created_at DESC, id DESC LIMIT ?3"#,
            at,
            id,
            limit
        )
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|row| {
                let has_passkey = row.has_passkey;
                let account = columns::account!(row);
                Ok(ListedAccount { account, has_passkey })
            })
            .collect()
    }

    async fn find_standing(&self, account: AccountId, now: UnixTime) -> Result<AccountStanding, Failure> {
        let now = now.as_millis();
        let row = query!(
            r#"SELECT l.reason AS "reason?", l.locked_at AS "locked_at?",
                e.token_hash AS "token_hash?", e.created_at AS "created_at?", e.expires_at AS "expires_at?",
                (SELECT min(ready_at) FROM recoveries
                    WHERE account_id = a.id AND stage = 'waiting' AND expires_at > ?2) AS "ready_at?: i64",
                EXISTS (SELECT 1 FROM passwords WHERE account_id = a.id) AS "has_password!: bool",
                k.mac AS "mac?", k.created_at AS "key_created_at?", k.last_used_at AS "key_last_used_at?"
            FROM accounts a LEFT JOIN account_locks l ON l.account_id = a.id
                LEFT JOIN enrolments e ON e.account_id = a.id AND e.expires_at > ?2
                LEFT JOIN client_keys k ON k.account_id = a.id
            WHERE a.id = ?1"#,
            account.0,
            now
        )
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else {
            return Ok(AccountStanding::default());
        };
        Ok(columns::standing!(row, account))
    }

    async fn write_change(&self, change: &AdminChange) -> Result<AdminOutcome, Failure> {
        let mut transaction = self.write().await?;
        let outcome = administer(&mut transaction, change).await?;
        if outcome == AdminOutcome::Done {
            audit::append(&mut transaction, &change.audit).await?;
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(outcome)
    }

    async fn find_enrolment(&self, token: &TokenHash) -> Result<Option<Enrolment>, Failure> {
        let token = &token.0[..];
        let row = query!(
            r#"SELECT account_id AS "account_id!: Uuid", token_hash, created_at, expires_at FROM enrolments
            WHERE token_hash = ?1"#,
            token
        )
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(columns::enrolment!(row)))
    }

    async fn redeem(
        &self,
        token: &TokenHash,
        at: UnixTime,
        opened: &OpenedSession,
        audit: &Aftermath,
    ) -> Result<bool, Failure> {
        let mut transaction = self.write().await?;
        let used = query!(
            "DELETE FROM enrolments WHERE token_hash = ?1 AND account_id = ?2 AND expires_at > ?3",
            &token.0[..],
            opened.session.account.0,
            at.as_millis()
        );
        let used = used.execute(&mut *transaction).await?.rows_affected() == 1;
        if !used || !is_active(&mut transaction, opened.session.account).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        sessions::open(&mut transaction, opened).await?;
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn list_all_events(&self, below: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>, Failure> {
        let below = below.map_or(Uuid::max(), |id| id.0);
        let rows = query!(
            r#"SELECT id AS "id!: Uuid", at, action, outcome, code, step, account_id AS "account_id: Uuid",
                credential_id, session_id AS "session_id: Uuid", ip, user_agent, request_id, actor, personal, mac
            FROM audit_events WHERE id < ?1 ORDER BY id DESC LIMIT ?2"#,
            below,
            limit
        )
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(|row| Ok(columns::event!(row))).collect()
    }
}

/// Why the administrator may not, now.
async fn refusal(
    connection: &mut SqliteConnection,
    by: &AdminSession,
    at: UnixTime,
) -> Result<Option<AdminOutcome>, Failure> {
    let admin = query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?1 AND active = 1 AND is_admin = 1) AS "admin!: bool""#,
        by.account.0
    );
    if !admin.fetch_one(&mut *connection).await? {
        return Ok(Some(AdminOutcome::NotAdmin));
    }
    if !is_live(connection, by.session, by.account, at).await? {
        return Ok(Some(AdminOutcome::SessionEnded));
    }
    let granted = if by.uses_grant {
        use_grant(connection, by.session, &by.grant, at).await?
    } else {
        let at = at.as_millis();
        let granted = query_scalar!(
            r#"SELECT EXISTS (
                SELECT 1 FROM step_up_grants WHERE session_id = ?1 AND purpose = ?2 AND expires_at > ?3
            ) AS "granted!: bool""#,
            by.session.0,
            by.grant,
            at
        );
        granted.fetch_one(&mut *connection).await?
    };
    Ok((!granted).then_some(AdminOutcome::GrantMissing))
}

/// What is refused may have been written in part: the caller takes it back.
async fn administer(
    connection: &mut SqliteConnection,
    change: &AdminChange,
) -> Result<AdminOutcome, Failure> {
    if let Some(by) = &change.by
        && let Some(refusal) = refusal(connection, by, change.at).await?
    {
        return Ok(refusal);
    }
    let (id, at) = (change.account, change.at.as_millis());
    let account = query!(
        r#"SELECT active AS "active!: bool", is_admin AS "is_admin!: bool" FROM accounts WHERE id = ?1"#,
        id.0
    );
    let Some(account) = account.fetch_optional(&mut *connection).await? else {
        return Ok(AdminOutcome::AccountMissing);
    };
    match &change.act {
        AdminAct::EndSessions => end_sessions(connection, id).await?,
        AdminAct::Enrol { .. }
        | AdminAct::SetRole {
            role: Role::Admin, ..
        } if !account.active => {
            return Ok(AdminOutcome::AccountLocked);
        }
        AdminAct::Enrol { token, expires_at } => {
            query!(
                "INSERT INTO enrolments (account_id, token_hash, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (account_id) DO UPDATE SET token_hash = excluded.token_hash,
                    created_at = excluded.created_at, expires_at = excluded.expires_at",
                id.0,
                &token.0[..],
                at,
                expires_at.as_millis()
            )
            .execute(connection)
            .await?;
        }
        AdminAct::Lock { .. } if change.by.as_ref().is_some_and(|by| by.account == id) => {
            return Ok(AdminOutcome::OwnAccount);
        }
        AdminAct::Lock { .. } if account.is_admin && !has_other_admin(connection, id).await? => {
            return Ok(AdminOutcome::LastAdmin);
        }
        AdminAct::Lock { reason } => lock(connection, id, reason, at).await?,
        AdminAct::RemoveCredential {
            credential,
            even_last,
        } => {
            return remove(connection, id, credential, *even_last).await;
        }
        AdminAct::SetRole { first: true, .. } if has_admin(connection).await? => {
            return Ok(AdminOutcome::AdminExists);
        }
        AdminAct::SetRole { role, .. } if (*role == Role::Admin) == account.is_admin => {
            return Ok(AdminOutcome::Unchanged);
        }
        AdminAct::SetRole { role, .. } => {
            let is_admin = *role == Role::Admin;
            query!(
                "UPDATE accounts SET is_admin = ?2, updated_at = ?3 WHERE id = ?1",
                id.0,
                is_admin,
                at
            )
            .execute(&mut *connection)
            .await?;
            end_sessions(connection, id).await?;
        }
        AdminAct::Unlock if account.active => return Ok(AdminOutcome::Unchanged),
        AdminAct::Unlock => {
            query!(
                "UPDATE accounts SET active = 1, updated_at = ?2 WHERE id = ?1",
                id.0,
                at
            )
            .execute(&mut *connection)
            .await?;
            query!("DELETE FROM account_locks WHERE account_id = ?1", id.0)
                .execute(connection)
                .await?;
        }
    }
    Ok(AdminOutcome::Done)
}

async fn end_sessions(connection: &mut SqliteConnection, account: AccountId) -> Result<(), Failure> {
    query!("DELETE FROM sessions WHERE account_id = ?1", account.0)
        .execute(connection)
        .await?;
    Ok(())
}

async fn has_admin(connection: &mut SqliteConnection) -> Result<bool, Failure> {
    let one =
        query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM accounts WHERE is_admin = 1) AS "exists!: bool""#);
    Ok(one.fetch_one(connection).await?)
}

async fn has_other_admin(connection: &mut SqliteConnection, but: AccountId) -> Result<bool, Failure> {
    let one = query_scalar!(
        r#"SELECT EXISTS (
            SELECT 1 FROM accounts WHERE is_admin = 1 AND active = 1 AND id <> ?1
        ) AS "exists!: bool""#,
        but.0
    );
    Ok(one.fetch_one(connection).await?)
}

async fn lock(
    connection: &mut SqliteConnection,
    account: AccountId,
    reason: &str,
    at: i64,
) -> Result<(), Failure> {
    query!(
        "UPDATE accounts SET active = 0, updated_at = ?2 WHERE id = ?1",
        account.0,
        at
    )
    .execute(&mut *connection)
    .await?;
    query!(
        "INSERT INTO account_locks (account_id, reason, locked_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (account_id) DO UPDATE SET reason = excluded.reason, locked_at = excluded.locked_at",
        account.0,
        reason,
        at
    )
    .execute(&mut *connection)
    .await?;
    query!("DELETE FROM enrolments WHERE account_id = ?1", account.0)
        .execute(&mut *connection)
        .await?;
    recovery::end_all(&mut *connection, account).await?;
    end_sessions(connection, account).await
}

async fn remove(
    connection: &mut SqliteConnection,
    account: AccountId,
    credential: &CredentialId,
    even_last: bool,
) -> Result<AdminOutcome, Failure> {
    query!(
        "DELETE FROM sessions WHERE account_id = ?1 AND credential_id = ?2",
        account.0,
        credential.as_bytes()
    )
    .execute(&mut *connection)
    .await?;
    let removed = query!(
        "DELETE FROM credentials WHERE account_id = ?1 AND credential_id = ?2",
        account.0,
        credential.as_bytes()
    );
    if removed.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(AdminOutcome::CredentialMissing);
    }
    let one_is_left = query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM credentials WHERE account_id = ?1 AND active = 1) AS "exists!: bool""#,
        account.0
    );
    if even_last || one_is_left.fetch_one(connection).await? {
        Ok(AdminOutcome::Done)
    } else {
        Ok(AdminOutcome::LastCredential)
    }
}
