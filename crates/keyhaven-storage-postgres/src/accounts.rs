use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, AccountStore, AssertionCommit, AssertionOutcome, CredentialHandle, NewRegistration,
    RegistrationOutcome, StorageError, columns, lookup_key,
};
use sqlx::{query, query_scalar};

use crate::PostgresStore;
use crate::error::Failure;

#[async_trait]
impl AccountStore for PostgresStore {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StorageError> {
        self.answer("account.find", || self.find_account(id)).await
    }

    async fn username_exists(&self, username: &str) -> Result<bool, StorageError> {
        self.answer("account.username_exists", || self.find_username(username))
            .await
    }

    async fn account_named(&self, username: &str) -> Result<Option<Account>, StorageError> {
        self.answer("account.named", || self.find_account_named(username))
            .await
    }

    async fn login_candidates(&self, username: &str) -> Result<Option<Vec<CredentialHandle>>, StorageError> {
        self.answer("account.login_candidates", || {
            self.find_login_candidates(username)
        })
        .await
    }

    async fn commit_registration(
        &self,
        registration: NewRegistration,
    ) -> Result<RegistrationOutcome, StorageError> {
        self.answer("account.commit_registration", || self.register(&registration))
            .await
    }

    async fn commit_assertion(&self, assertion: AssertionCommit) -> Result<AssertionOutcome, StorageError> {
        self.answer("account.commit_assertion", || self.record_assertion(&assertion))
            .await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.answer("store.ping", || self.ask()).await
    }
}

impl PostgresStore {
    async fn find_account(&self, id: AccountId) -> Result<Option<Account>, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            r#"SELECT id AS account_id, user_handle, username, display_name, email, email_verified,
                active AS account_active, is_admin, created_at AS account_created_at, updated_at, last_login_at
            FROM accounts WHERE id = $1"#,
            id.0
        )
        .fetch_optional(&mut *lent)
        .await;
        let Some(row) = lent.settle(row)? else {
            return Ok(None);
        };
        Ok(Some(columns::account!(row)))
    }

    async fn find_username(&self, username: &str) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let found = query_scalar!(
            r#"SELECT EXISTS (SELECT FROM accounts WHERE lookup_key(username) = $1) AS "exists!""#,
            lookup_key(username)
        )
        .fetch_one(&mut *lent)
        .await;
        lent.settle(found)
    }

    async fn find_account_named(&self, username: &str) -> Result<Option<Account>, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            r#"SELECT id AS account_id, user_handle, username, display_name, email, email_verified,
                active AS account_active, is_admin, created_at AS account_created_at, updated_at, last_login_at
            FROM accounts WHERE lookup_key(username) = $1"#,
            lookup_key(username)
        )
        .fetch_optional(&mut *lent)
        .await;
        let Some(row) = lent.settle(row)? else {
            return Ok(None);
        };
        Ok(Some(columns::account!(row)))
    }

    async fn find_login_candidates(&self, username: &str) -> Result<Option<Vec<CredentialHandle>>, Failure> {
        let mut lent = self.primary.lend().await?;
        // Of a name that nobody has, too, credentials are looked for and a row is read: the time tells as little as it can.
        let rows = query!(
            r#"SELECT a.id IS NOT NULL AS "known!", c.credential_id AS "credential_id?", c.transports::text AS "transports?"
            FROM (VALUES (0)) one LEFT JOIN accounts a ON lookup_key(a.username) = $1
                LEFT JOIN credentials c ON c.account_id = coalesce(a.id, '00000000-0000-0000-0000-000000000000') AND c.active
            ORDER BY c.created_at, c.credential_id"#,
            lookup_key(username)
        )
        .fetch_all(&mut *lent)
        .await;

        let rows = lent.settle(rows)?;
        let rows = rows
            .into_iter()
            .map(|row| (row.known, row.credential_id, row.transports));
        Ok(columns::login_candidates(rows)?)
    }

    async fn ask(&self) -> Result<(), Failure> {
        let mut lent = self.primary.lend().await?;
        let answer = query_scalar!(r#"SELECT 1 AS "one!""#).fetch_one(&mut *lent).await;
        lent.settle(answer).map(|_| ())
    }
}
