use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, AccountStore, AssertionCommit, AssertionOutcome, CredentialHandle, NewRegistration,
    RegistrationOutcome, StorageError, columns, lookup_key,
};
use sqlx::{query, query_scalar};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::Failure;

#[async_trait]
impl AccountStore for SqliteStore {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StorageError> {
        self.find_account(id).await.map_err(Failure::of("account.find"))
    }

    async fn username_exists(&self, username: &str) -> Result<bool, StorageError> {
        let found = query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM accounts WHERE username_key = ?1) AS "exists!: bool""#,
            lookup_key(username)
        );
        let found = found.fetch_one(&self.readers).await.map_err(Failure::from);
        found.map_err(Failure::of("account.username_exists"))
    }

    async fn account_named(&self, username: &str) -> Result<Option<Account>, StorageError> {
        self.find_account_named(username)
            .await
            .map_err(Failure::of("account.named"))
    }

    async fn login_candidates(&self, username: &str) -> Result<Option<Vec<CredentialHandle>>, StorageError> {
        self.find_login_candidates(username)
            .await
            .map_err(Failure::of("account.login_candidates"))
    }

    async fn commit_registration(
        &self,
        registration: NewRegistration,
    ) -> Result<RegistrationOutcome, StorageError> {
        self.register(registration)
            .await
            .map_err(Failure::of("account.commit_registration"))
    }

    async fn commit_assertion(&self, assertion: AssertionCommit) -> Result<AssertionOutcome, StorageError> {
        self.record_assertion(assertion)
            .await
            .map_err(Failure::of("account.commit_assertion"))
    }

    async fn ping(&self) -> Result<(), StorageError> {
        let answer = query_scalar!(r#"SELECT 1 AS "one!: i64""#)
            .fetch_one(&self.readers)
            .await;
        answer
            .map(|_| ())
            .map_err(Failure::from)
            .map_err(Failure::of("store.ping"))
    }
}

impl SqliteStore {
    async fn find_account(&self, id: AccountId) -> Result<Option<Account>, Failure> {
        let row = query!(
            r#"SELECT id AS "account_id!: Uuid", user_handle, username, display_name, email,
                email_verified AS "email_verified!: bool", active AS "account_active!: bool", is_admin AS "is_admin!: bool",
                created_at AS "account_created_at!", updated_at, last_login_at
            FROM accounts WHERE id = ?1"#,
            id.0
        )
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(columns::account!(row)))
    }

    async fn find_account_named(&self, username: &str) -> Result<Option<Account>, Failure> {
        let row = query!(
            r#"SELECT id AS "account_id!: Uuid", user_handle, username, display_name, email,
                email_verified AS "email_verified!: bool", active AS "account_active!: bool", is_admin AS "is_admin!: bool",
                created_at AS "account_created_at!", updated_at, last_login_at
            FROM accounts WHERE username_key = ?1"#,
            lookup_key(username)
        )
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(columns::account!(row)))
    }

    async fn find_login_candidates(&self, username: &str) -> Result<Option<Vec<CredentialHandle>>, Failure> {
        // Of a name that nobody has, too, credentials are looked for and a row is read: the time tells as little as it can.
        let rows = query!(
            r#"SELECT a.id IS NOT NULL AS "known!: bool", c.credential_id AS "credential_id?", c.transports AS "transports?"
            FROM (SELECT 1) LEFT JOIN accounts a ON a.username_key = ?1
                LEFT JOIN credentials c ON c.account_id = coalesce(a.id, zeroblob(16)) AND c.active = 1
            ORDER BY c.created_at, c.rowid"#,
            lookup_key(username)
        )
        .fetch_all(&self.readers)
        .await?;

        let rows = rows
            .into_iter()
            .map(|row| (row.known, row.credential_id, row.transports));
        Ok(columns::login_candidates(rows)?)
    }
}
