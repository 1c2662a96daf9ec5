use async_trait::async_trait;

use super::Encrypted;
use keyhaven_storage::{
    AccountId, PasswordCandidate, PasswordChange, PasswordChangeOutcome, PasswordLogin, PasswordLoginOutcome,
    PasswordRegistration, PasswordRegistrationOutcome, PasswordStore, PasswordVerifier, StorageError,
};

#[async_trait]
impl<S: PasswordStore + ?Sized> PasswordStore for Encrypted<S> {
    async fn password_candidate(&self, username: &str) -> Result<Option<PasswordCandidate>, StorageError> {
        self.store.password_candidate(username)
            .await
    }

    async fn password_of(&self, account: AccountId) -> Result<Option<PasswordVerifier>, StorageError> {
        self.store.password_of(account).await
    }

    async fn password_kinds(&self, limit: u32) -> Result<Vec<String>, StorageError> {
        self.store.password_kinds(limit)
            .await
    }

    async fn register_password(
        &self,
        registration: PasswordRegistration,
    ) -> Result<PasswordRegistrationOutcome, StorageError> {
        self.store.register_password(registration)
            .await
    }

    async fn commit_password_login(
        &self,
        login: PasswordLogin,
    ) -> Result<PasswordLoginOutcome, StorageError> {
        self.store.commit_password_login(login)
            .await
    }

    async fn change_password(&self, change: PasswordChange) -> Result<PasswordChangeOutcome, StorageError> {
        self.store.change_password(change)
            .await
    }
}

