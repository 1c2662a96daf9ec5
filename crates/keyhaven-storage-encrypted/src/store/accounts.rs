use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, AccountStore, AssertionCommit, AssertionOutcome, CredentialHandle, NewRegistration,
    RegistrationAccount, RegistrationOutcome, StorageError,
};

use super::{Encrypted, unreadable};
use crate::ring::{Column, Place};

#[async_trait]
impl<S: AccountStore + ?Sized> AccountStore for Encrypted<S> {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StorageError> {
        let found = self.store.account(id).await?;
        found.map(|account| self.account_out(account)).transpose()
    }

    async fn username_exists(&self, username: &str) -> Result<bool, StorageError> {
        self.store.username_exists(&self.username_key(username)).await
    }

    async fn account_named(&self, username: &str) -> Result<Option<Account>, StorageError> {
        let found = self.store.account_named(&self.username_key(username)).await?;
        found.map(|account| self.account_out(account)).transpose()
    }

    async fn login_candidates(&self, username: &str) -> Result<Option<Vec<CredentialHandle>>, StorageError> {
        self.store.login_candidates(&self.username_key(username)).await
    }

    async fn commit_registration(
        &self,
        registration: NewRegistration,
    ) -> Result<RegistrationOutcome, StorageError> {
        let NewRegistration {
            account,
            credential,
            claim,
            session,
            ..
        } = registration;
        self.store
            .commit_registration(NewRegistration {
                account: match account {
                    RegistrationAccount::New(account) => RegistrationAccount::New(self.account_in(account)?),
                    existing @ RegistrationAccount::Existing(_) => existing,
                },
                credential: self.credential_in(credential)?,
                claim: claim.map(|claim| self.claim_in(claim)).transpose()?,
                session: session.map(|session| self.session_in(session)).transpose()?,
                ..registration
            })
            .await
    }

    async fn commit_assertion(
        &self,
        mut assertion: AssertionCommit,
    ) -> Result<AssertionOutcome, StorageError> {
        assertion.session = assertion
            .session
            .map(|session| self.session_in(session))
            .transpose()?;
        let expected = std::mem::take(&mut assertion.expected.device_name);
        let place = Place {
            column: Column::DeviceName,
            row: assertion.credential.as_bytes(),
        };
        assertion.expected.device_name = self.ring.encrypt(place, &expected).map_err(unreadable)?;
        if self.ring.texts().ids().nth(1).is_none() {
            return self.store.commit_assertion(assertion).await;
        }
        let mut outcome = self.store.commit_assertion(assertion.clone()).await?;
        if outcome == AssertionOutcome::RecordChanged {
            // The name may be stored under another key of the ring, until all were renewed. Where it is not stored as it
            // was expected nothing is written, and the next form is tried.
            for form in self.ring.older_forms(place, &expected).map_err(unreadable)? {
                let mut again = assertion.clone();
                again.expected.device_name = form;
                outcome = self.store.commit_assertion(again).await?;
                if outcome != AssertionOutcome::RecordChanged {
                    break;
                }
            }
        }
        Ok(outcome)
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.store.ping().await
    }
}
