use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, AccountStore, AssertionCommit, AssertionOutcome, CredentialHandle, LoginCandidates,
    NewRegistration, RegistrationOutcome, StorageError, columns,
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
            r#"SELECT EXISTS (SELECT 1 FROM accounts WHERE username = ?1) AS "exists!: bool""#,
            username
        );
        let found = found.fetch_one(&self.readers).await.map_err(Failure::from);
        found.map_err(Failure::of("account.username_exists"))
    }

    async fn login_candidates(&self, username: &str) -> Result<Option<LoginCandidates>, StorageError> {
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

    async fn find_login_candidates(&self, username: &str) -> Result<Option<LoginCandidates>, Failure> {
        let rows = query!(
            r#"SELECT a.id AS "account_id!: Uuid", a.user_handle AS "user_handle!", a.username AS "username!",
                a.display_name AS "display_name!", a.email AS "email?",
                a.email_verified AS "email_verified!: bool", a.active AS "account_active!: bool", a.is_admin AS "is_admin!: bool",
                a.created_at AS "account_created_at!", a.updated_at AS "updated_at!",
                a.last_login_at AS "last_login_at?",
                c.credential_id AS "credential_id?", c.transports AS "transports?"
            FROM accounts a LEFT JOIN credentials c ON c.account_id = a.id AND c.active = 1
            WHERE a.username = ?1
            ORDER BY c.created_at, c.rowid"#,
            username
        )
        .fetch_all(&self.readers)
        .await?;

        let mut candidates: Option<LoginCandidates> = None;
        for row in rows {
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
}
