use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, AccountStore, AssertionCommit, AssertionOutcome, CredentialHandle, LoginCandidates,
    NewRegistration, RegistrationOutcome, StorageError, columns,
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

    async fn login_candidates(&self, username: &str) -> Result<Option<LoginCandidates>, StorageError> {
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
            r#"SELECT EXISTS (SELECT FROM accounts WHERE username = $1) AS "exists!""#,
            username
        )
        .fetch_one(&mut *lent)
        .await;
        lent.settle(found)
    }

    async fn find_login_candidates(&self, username: &str) -> Result<Option<LoginCandidates>, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            r#"SELECT a.id AS "account_id!", a.user_handle AS "user_handle!", a.username AS "username!",
                a.display_name AS "display_name!", a.email AS "email?", a.email_verified AS "email_verified!",
                a.active AS "account_active!", a.is_admin AS "is_admin!", a.created_at AS "account_created_at!",
                a.updated_at AS "updated_at!", a.last_login_at AS "last_login_at?",
                c.credential_id AS "credential_id?", c.transports::text AS "transports?"
            FROM accounts a LEFT JOIN credentials c ON c.account_id = a.id AND c.active
            WHERE a.username = $1
            ORDER BY c.created_at, c.credential_id"#,
            username
        )
        .fetch_all(&mut *lent)
        .await;

        let mut candidates: Option<LoginCandidates> = None;
        for row in lent.settle(rows)? {
            let handle = match (&row.credential_id, &row.transports) {
                (Some(id), Some(transports)) => Some(CredentialHandle {
                    id: columns::credential_id(id)?,
                    transports: columns::transports(transports)?,
                }),
                (_, _) => None,
            };
            let found = match &mut candidates {
                Some(found) => found,
                None => {
                    let account = columns::account!(row);
                    candidates.insert(LoginCandidates {
                        account,
                        credentials: Vec::new(),
                    })
                }
            };
            found.credentials.extend(handle);
        }
        Ok(candidates)
    }

    async fn ask(&self) -> Result<(), Failure> {
        let mut lent = self.primary.lend().await?;
        let answer = query_scalar!(r#"SELECT 1 AS "one!""#).fetch_one(&mut *lent).await;
        lent.settle(answer).map(|_| ())
    }
}
