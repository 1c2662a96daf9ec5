use async_trait::async_trait;
use keyhaven_types::CredentialId;

use super::Encrypted;
use keyhaven_storage::{
    ClientKeyChange, ClientKeyChangeOutcome, FactorStore, Factors, OwnedCredential, StorageError,
};

#[async_trait]
impl<S: FactorStore + ?Sized> FactorStore for Encrypted<S> {
    async fn credential_with_factors(
        &self,
        id: &CredentialId,
    ) -> Result<Option<(OwnedCredential, Factors)>, StorageError> {
        let found = self.store.credential_with_factors(id).await?;
        let Some((owned, factors)) = found else {
            return Ok(None);
        };
        Ok(Some((self.owned_out(owned)?, factors)))
    }

    async fn change_client_key(
        &self,
        change: ClientKeyChange,
    ) -> Result<ClientKeyChangeOutcome, StorageError> {
        self.store.change_client_key(change).await
    }
}
