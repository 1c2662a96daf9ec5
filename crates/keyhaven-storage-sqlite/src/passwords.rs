//! Passwords, and their commits in one transaction each.

use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, PasswordCandidate, PasswordChange, PasswordChangeOutcome, PasswordLogin, PasswordLoginOutcome,
    PasswordRegistration, PasswordRegistrationOutcome, PasswordStore, PasswordVerifier, StorageError,
    columns, lookup_key,
};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::registration::insert_account;
use crate::standing::use_grant;
use crate::{SqliteStore, addresses, audit, sessions};

#[async_trait]
impl PasswordStore for SqliteStore {
    async fn password_candidate(&self, username: &str) -> Result<Option<PasswordCandidate>, StorageError> {
        self.find_password_candidate(username)
            .await
            .map_err(Failure::of("password.candidate"))
    }

    async fn password_of(&self, account: AccountId) -> Result<Option<PasswordVerifier>, StorageError> {
        self.find_password(account)
            .await
            .map_err(Failure::of("password.find"))
    }

    async fn password_kinds(&self, limit: u32) -> Result<Vec<String>, StorageError> {
        // From one kind to the next, however many passwords there are of each.
        let kinds = query_scalar!(
            r#"WITH RECURSIVE kinds (kind) AS (
                SELECT min(kind) FROM passwords
                UNION ALL
                SELECT (SELECT min(p.kind) FROM passwords p WHERE p.kind > kinds.kind) FROM kinds
                WHERE kinds.kind IS NOT NULL
            )
            SELECT kind AS "kind!: String" FROM kinds WHERE kind IS NOT NULL LIMIT ?1"#,
            limit
        );
        let kinds = kinds.fetch_all(&self.readers).await.map_err(Failure::from);
        kinds.map_err(Failure::of("password.kinds"))
    }

    async fn register_password(
        &self,
        registration: PasswordRegistration,
    ) -> Result<PasswordRegistrationOutcome, StorageError> {
        self.write_password_registration(&registration)
            .await
            .map_err(Failure::of("password.register"))
    }

    async fn commit_password_login(
        &self,
        login: PasswordLogin,
    ) -> Result<PasswordLoginOutcome, StorageError> {
        self.write_password_login(&login)
            .await
            .map_err(Failure::of("password.login"))
    }

    async fn change_password(&self, change: PasswordChange) -> Result<PasswordChangeOutcome, StorageError> {
        self.write_password_change(&change)
            .await
            .map_err(Failure::of("password.change"))
    }
}

impl SqliteStore {
    async fn find_password_candidate(&self, username: &str) -> Result<Option<PasswordCandidate>, Failure> {
        let row = query!(
            r#"SELECT a.id AS "account_id!: Uuid", a.user_handle AS "user_handle!", a.username AS "username!",
                a.display_name AS "display_name!", a.email AS "email?",
                a.email_verified AS "email_verified!: bool", a.active AS "account_active!: bool", a.is_admin AS "is_admin!: bool",
                a.created_at AS "account_created_at!", a.updated_at AS "updated_at!",
                a.last_login_at AS "last_login_at?", a.has_passkey AS "has_passkey!: bool",
                EXISTS (SELECT 1 FROM client_keys WHERE account_id = a.id) AS "has_client_key!: bool",
                p.hash AS "hash?", p.kind AS "kind?", p.with_passkey AS "with_passkey?: bool",
                p.changed_at AS "changed_at?"
            FROM accounts a LEFT JOIN passwords p ON p.account_id = a.id
            WHERE a.username_key = ?1"#,
            lookup_key(username)
        )
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(PasswordCandidate {
            password: columns::password!(row),
            has_passkey: row.has_passkey,
            has_client_key: row.has_client_key,
            account: columns::account!(row),
        }))
    }

    async fn find_password(&self, account: AccountId) -> Result<Option<PasswordVerifier>, Failure> {
        let row = query!(
            r#"SELECT hash, kind, with_passkey AS "with_passkey!: bool", changed_at
            FROM passwords WHERE account_id = ?1"#,
            account.0
        )
        .fetch_optional(&self.readers)
        .await?;
        Ok(row.map(|row| PasswordVerifier {
            account,
            hash: row.hash,
            kind: row.kind,
            with_passkey: row.with_passkey,
            changed_at: UnixTime::from_millis(row.changed_at),
        }))
    }

    async fn write_password_registration(
        &self,
        registration: &PasswordRegistration,
    ) -> Result<PasswordRegistrationOutcome, Failure> {
        if !registration.is_of_one_account() {
            return Err(Failure::Contradiction("a registration speaks of one account"));
        }
        let mut transaction = self.write().await?;
        if !insert_account(&mut transaction, &registration.account).await? {
            transaction.rollback().await?;
            return Ok(PasswordRegistrationOutcome::UsernameTaken);
        }
        put(&mut transaction, &registration.password).await?;
        if let Some(claim) = &registration.claim {
            addresses::put(&mut transaction, claim, claim.mailed_at).await?;
        }
        if let Some(session) = registration.ends_session {
            sessions::delete(&mut transaction, session).await?;
        }
        if let Some(session) = &registration.session {
            sessions::insert(&mut transaction, session).await?;
        }
        audit::append(&mut transaction, &registration.audit).await?;
        transaction.commit().await?;
        Ok(PasswordRegistrationOutcome::Committed)
    }

    async fn write_password_login(&self, login: &PasswordLogin) -> Result<PasswordLoginOutcome, Failure> {
        let account = login.session.account;
        let mut transaction = self.write().await?;
        let found = query!(
            r#"SELECT a.active AS "active!: bool", p.hash
            FROM accounts a JOIN passwords p ON p.account_id = a.id WHERE a.id = ?1"#,
            account.0
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let refusal = match found {
            Some(found) if !found.active => Some(PasswordLoginOutcome::AccountLocked),
            Some(found) if found.hash == login.compared => None,
            Some(_) | None => Some(PasswordLoginOutcome::PasswordChanged),
        };
        if let Some(refusal) = refusal {
            transaction.rollback().await?;
            return Ok(refusal);
        }
        if let Some((hash, kind)) = &login.rehashed {
            query!(
                "UPDATE passwords SET hash = ?2, kind = ?3 WHERE account_id = ?1",
                account.0,
                hash,
                kind
            )
            .execute(&mut *transaction)
            .await?;
        }
        query!(
            "UPDATE accounts SET last_login_at = max(coalesce(last_login_at, ?2), ?2) WHERE id = ?1",
            account.0,
            login.session.created_at.as_millis()
        )
        .execute(&mut *transaction)
        .await?;
        if let Some(session) = login.ends_session {
            sessions::delete(&mut transaction, session).await?;
        }
        sessions::insert(&mut transaction, &login.session).await?;
        audit::append(&mut transaction, &login.audit).await?;
        transaction.commit().await?;
        Ok(PasswordLoginOutcome::Committed)
    }

    async fn write_password_change(&self, change: &PasswordChange) -> Result<PasswordChangeOutcome, Failure> {
        if change.to.as_ref().is_some_and(|to| to.account != change.account) {
            return Err(Failure::Contradiction("a change speaks of one account"));
        }
        let mut transaction = self.write().await?;
        if let Some(refusal) = refused_change(&mut transaction, change).await? {
            transaction.rollback().await?;
            return Ok(refusal);
        }
        match &change.to {
            None => {
                query!("DELETE FROM passwords WHERE account_id = ?1", change.account.0)
                    .execute(&mut *transaction)
                    .await?;
            }
            Some(to) => put(&mut transaction, to).await?,
        }
        let ended = query!(
            "DELETE FROM sessions WHERE account_id = ?1 AND id <> ?2",
            change.account.0,
            change.session.0
        )
        .execute(&mut *transaction)
        .await?;
        audit::append(&mut transaction, &change.audit).await?;
        transaction.commit().await?;
        Ok(PasswordChangeOutcome::Changed {
            ended: ended.rows_affected(),
        })
    }
}

/// Why a password cannot be changed, in the order in which it is asked; `None`: it can, and the grant is used.
async fn refused_change(
    connection: &mut SqliteConnection,
    change: &PasswordChange,
) -> Result<Option<PasswordChangeOutcome>, Failure> {
    let now = change.at.as_millis();
    let account = query!(
        r#"SELECT a.active AS "active!: bool", a.has_passkey AS "has_passkey!: bool", p.hash AS "hash?",
            EXISTS (
                SELECT 1 FROM sessions WHERE id = ?2 AND account_id = ?1 AND expires_at > ?3
            ) AS "live!: bool"
        FROM accounts a LEFT JOIN passwords p ON p.account_id = a.id WHERE a.id = ?1"#,
        change.account.0,
        change.session.0,
        now
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(account) = account.filter(|account| account.active) else {
        return Ok(Some(PasswordChangeOutcome::AccountUnavailable));
    };
    if !account.live {
        return Ok(Some(PasswordChangeOutcome::SessionEnded));
    }
    if account.hash != change.from {
        return Ok(Some(PasswordChangeOutcome::PasswordChanged));
    }
    if change.needs_passkey() && !account.has_passkey {
        return Ok(Some(PasswordChangeOutcome::NoPasskey));
    }
    if let Some(purpose) = &change.uses_grant
        && !use_grant(connection, change.session, purpose, change.at).await?
    {
        return Ok(Some(PasswordChangeOutcome::GrantMissing));
    }
    Ok(None)
}

pub(crate) async fn put(
    connection: &mut SqliteConnection,
    password: &PasswordVerifier,
) -> Result<(), Failure> {
    query!(
        "INSERT INTO passwords (account_id, hash, kind, with_passkey, changed_at) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (account_id) DO UPDATE SET hash = excluded.hash, kind = excluded.kind,
            with_passkey = excluded.with_passkey, changed_at = excluded.changed_at",
        password.account.0,
        password.hash,
        password.kind,
        password.with_passkey,
        password.changed_at.as_millis()
    )
    .execute(connection)
    .await?;
    Ok(())
}
