use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Encrypted;
use keyhaven_storage::{
    Account, AccountId, AddressClaim, AddressStore, Aftermath, ClaimOutcome, NewClaim, ProofOutcome,
    StorageError, TokenHash,
};

#[async_trait]
impl<S: AddressStore + ?Sized> AddressStore for Encrypted<S> {
    async fn address_owner(&self, address: &str) -> Result<Option<Account>, StorageError> {
        self.store.address_owner(address)
            .await
    }

    async fn address_claim(&self, account: AccountId) -> Result<Option<AddressClaim>, StorageError> {
        self.store.address_claim(account)
            .await
    }

    async fn mails_to(&self, address_hash: &[u8; 32], since: UnixTime) -> Result<u64, StorageError> {
        self.store.mails_to(address_hash, since)
            .await
    }

    async fn claim_address(&self, claim: NewClaim) -> Result<ClaimOutcome, StorageError> {
        self.store.claim_address(claim).await
    }

    async fn prove_address(
        &self,
        account: AccountId,
        token_hash: &TokenHash,
        username: Option<&str>,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<ProofOutcome, StorageError> {
        self.store.prove_address(account, token_hash, username, at, audit).await
    }

    async fn drop_expired_claims(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.store.drop_expired_claims(now, limit)
            .await
    }
}

