use async_trait::async_trait;
use keyhaven_storage::{AccountId, Aftermath, CloneAlarm, CloneAlarmOutcome, CloneStore, Credential, CredentialStore, OwnedCredential, Reinstatement, ReinstatementOutcome, Removal, RemovalOutcome, StorageError};
use keyhaven_types::{CredentialId};

use super::Encrypted;

#[async_trait]
impl<S: CredentialStore + ?Sized> CredentialStore for Encrypted<S> {
    async fn credential(&self, id: &CredentialId) -> Result<Option<OwnedCredential>, StorageError> {
        self.store.credential(id).await
    }

    async fn credentials_of(&self, account: AccountId) -> Result<Vec<Credential>, StorageError> {
        self.store.credentials_of(account)
            .await
    }

    async fn rename_credential(
        &self,
        account: AccountId,
        id: &CredentialId,
        device_name: &str,
        audit: Aftermath,
    ) -> Result<Option<Credential>, StorageError> {
        self.store.rename_credential(account, id, device_name, audit).await
    }

    async fn remove_credentials(&self, removal: Removal) -> Result<RemovalOutcome, StorageError> {
        self.store.remove_credentials(removal)
            .await
    }
}

#[async_trait]
impl<S: CloneStore + ?Sized> CloneStore for Encrypted<S> {
    async fn commit_clone_alarm(&self, alarm: CloneAlarm) -> Result<CloneAlarmOutcome, StorageError> {
        self.store.commit_clone_alarm(alarm).await
    }

    async fn reinstate_credential(
        &self,
        reinstatement: Reinstatement,
    ) -> Result<ReinstatementOutcome, StorageError> {
        self.store.reinstate_credential(reinstatement).await
    }
}

