use async_trait::async_trait;

use super::Encrypted;
use keyhaven_storage::{
    AccountId, PasswordCandidate, PasswordChange, PasswordChangeOutcome, PasswordLogin, PasswordLoginOutcome,
    PasswordRegistration, PasswordRegistrationOutcome, PasswordStore, PasswordVerifier, StorageError,
};

#[async_trait]
impl<S: PasswordStore + ?Sized> PasswordStore for Encrypted<S> {
    async fn password_candidate(&self, username: &str) -> Result<Option<PasswordCandidate>, StorageError> {
        let found = self
            .store
            .password_candidate(&self.username_key(username))
            .await?;
        let Some(found) = found else { return Ok(None) };
        let PasswordCandidate { account, .. } = found;
        Ok(Some(PasswordCandidate {
            account: self.account_out(account)?,
            ..found
        }))
    }

    async fn password_of(&self, account: AccountId) -> Result<Option<PasswordVerifier>, StorageError> {
        self.store.password_of(account).await
    }

    async fn password_kinds(&self, limit: u32) -> Result<Vec<String>, StorageError> {
        self.store.password_kinds(limit).await
    }

    async fn register_password(
        &self,
        registration: PasswordRegistration,
    ) -> Result<PasswordRegistrationOutcome, StorageError> {
        let PasswordRegistration {
            account,
            claim,
            session,
            ..
        } = registration;
        self.store
            .register_password(PasswordRegistration {
                account: self.account_in(account)?,
                claim: claim.map(|claim| self.claim_in(claim)).transpose()?,
                session: session.map(|session| self.session_in(session)).transpose()?,
                ..registration
            })
            .await
    }

    async fn commit_password_login(
        &self,
        login: PasswordLogin,
    ) -> Result<PasswordLoginOutcome, StorageError> {
        let PasswordLogin { session, .. } = login;
        self.store
            .commit_password_login(PasswordLogin {
                session: self.session_in(session)?,
                ..login
            })
            .await
    }

    async fn change_password(&self, change: PasswordChange) -> Result<PasswordChangeOutcome, StorageError> {
        self.store.change_password(change).await
    }
}
