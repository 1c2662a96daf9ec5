use async_trait::async_trait;

use super::Observed;
use crate::{
    AccountId, PasswordCandidate, PasswordChange, PasswordChangeOutcome, PasswordLogin, PasswordLoginOutcome,
    PasswordRegistration, PasswordRegistrationOutcome, PasswordStore, PasswordVerifier, StorageError,
};

#[async_trait]
impl<S: PasswordStore + ?Sized> PasswordStore for Observed<S> {
    async fn password_candidate(&self, username: &str) -> Result<Option<PasswordCandidate>, StorageError> {
        self.call("password.candidate", self.store.password_candidate(username))
            .await
    }

    async fn password_of(&self, account: AccountId) -> Result<Option<PasswordVerifier>, StorageError> {
        self.call("password.find", self.store.password_of(account)).await
    }

    async fn password_kinds(&self, limit: u32) -> Result<Vec<String>, StorageError> {
        self.call("password.kinds", self.store.password_kinds(limit))
            .await
    }

    async fn register_password(
        &self,
        registration: PasswordRegistration,
    ) -> Result<PasswordRegistrationOutcome, StorageError> {
        self.call("password.register", self.store.register_password(registration))
            .await
    }

    async fn commit_password_login(
        &self,
        login: PasswordLogin,
    ) -> Result<PasswordLoginOutcome, StorageError> {
        self.call("password.login", self.store.commit_password_login(login))
            .await
    }

    async fn change_password(&self, change: PasswordChange) -> Result<PasswordChangeOutcome, StorageError> {
        self.call("password.change", self.store.change_password(change))
            .await
    }
}
