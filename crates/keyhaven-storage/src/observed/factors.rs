use async_trait::async_trait;
use keyhaven_types::CredentialId;

use super::Observed;
use crate::{ClientKeyChange, ClientKeyChangeOutcome, FactorStore, Factors, OwnedCredential, StorageError};

#[async_trait]
impl<S: FactorStore + ?Sized> FactorStore for Observed<S> {
    async fn credential_with_factors(
        &self,
        id: &CredentialId,
    ) -> Result<Option<(OwnedCredential, Factors)>, StorageError> {
        let answer = self.store.credential_with_factors(id);
        self.call("credential.find_with_factors", answer).await
    }

    async fn change_client_key(
        &self,
        change: ClientKeyChange,
    ) -> Result<ClientKeyChangeOutcome, StorageError> {
        self.call("client_key.change", self.store.change_client_key(change))
            .await
    }
}
