use async_trait::async_trait;
use keyhaven_storage::{Account, AccountId, AccountStore, AssertionCommit, AssertionOutcome, LoginCandidates, NewRegistration, RegistrationOutcome, StorageError};

use super::Encrypted;

#[async_trait]
impl<S: AccountStore + ?Sized> AccountStore for Encrypted<S> {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StorageError> {
        self.store.account(id).await
    }

    async fn username_exists(&self, username: &str) -> Result<bool, StorageError> {
        self.store.username_exists(username)
            .await
    }

    async fn login_candidates(&self, username: &str) -> Result<Option<LoginCandidates>, StorageError> {
        self.store.login_candidates(username)
            .await
    }

    async fn commit_registration(
        &self,
        registration: NewRegistration,
    ) -> Result<RegistrationOutcome, StorageError> {
        self.store.commit_registration(registration).await
    }

    async fn commit_assertion(&self, assertion: AssertionCommit) -> Result<AssertionOutcome, StorageError> {
        self.store.commit_assertion(assertion).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.store.ping().await
    }
}

