use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, CloneAlarm, CloneAlarmOutcome, CloneStore, Credential, CredentialStore,
    OwnedCredential, Reinstatement, ReinstatementOutcome, Removal, RemovalOutcome, StorageError,
};
use keyhaven_types::{CredentialId, RpId};

use super::Encrypted;
use crate::ring::Column;

#[async_trait]
impl<S: CredentialStore + ?Sized> CredentialStore for Encrypted<S> {
    async fn credential(&self, id: &CredentialId) -> Result<Option<OwnedCredential>, StorageError> {
        let found = self.store.credential(id).await?;
        found.map(|owned| self.owned_out(owned)).transpose()
    }

    async fn some_rp_id(&self) -> Result<Option<RpId>, StorageError> {
        self.store.some_rp_id().await
    }

    async fn credentials_of(&self, account: AccountId) -> Result<Vec<Credential>, StorageError> {
        let found = self.store.credentials_of(account).await?;
        found
            .into_iter()
            .map(|credential| self.credential_out(credential))
            .collect()
    }

    async fn rename_credential(
        &self,
        account: AccountId,
        id: &CredentialId,
        device_name: &str,
        audit: Aftermath,
    ) -> Result<Option<Credential>, StorageError> {
        let name = self.text_in(Column::DeviceName, id.as_bytes(), device_name)?;
        let renamed = self.store.rename_credential(account, id, &name, audit).await?;
        renamed
            .map(|credential| self.credential_out(credential))
            .transpose()
    }

    async fn remove_credentials(&self, removal: Removal) -> Result<RemovalOutcome, StorageError> {
        self.store.remove_credentials(removal).await
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
