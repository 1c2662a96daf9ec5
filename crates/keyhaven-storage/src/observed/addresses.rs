use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Observed;
use crate::{
    Account, AccountId, AddressClaim, AddressStore, Aftermath, ClaimOutcome, NewClaim, ProofOutcome,
    SessionId, StorageError, TokenHash,
};

#[async_trait]
impl<S: AddressStore + ?Sized> AddressStore for Observed<S> {
    async fn address_owner(&self, address: &str) -> Result<Option<Account>, StorageError> {
        self.call("address.owner", self.store.address_owner(address))
            .await
    }

    async fn address_claim(&self, account: AccountId) -> Result<Option<AddressClaim>, StorageError> {
        self.call("address.find_claim", self.store.address_claim(account))
            .await
    }

    async fn mails_to(&self, address_hash: &[u8; 32], since: UnixTime) -> Result<u64, StorageError> {
        self.call("address.mails", self.store.mails_to(address_hash, since))
            .await
    }

    async fn claim_address(&self, claim: NewClaim) -> Result<ClaimOutcome, StorageError> {
        self.call("address.claim", self.store.claim_address(claim)).await
    }

    async fn prove_address(
        &self,
        account: AccountId,
        session: SessionId,
        token_hash: &TokenHash,
        username: Option<&str>,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<ProofOutcome, StorageError> {
        let answer = self
            .store
            .prove_address(account, session, token_hash, username, at, audit);
        self.call("address.prove", answer).await
    }

    async fn forget_claim_mails(&self, until: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.call(
            "address.forget_mails",
            self.store.forget_claim_mails(until, limit),
        )
        .await
    }

    async fn drop_expired_claims(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.call("address.purge", self.store.drop_expired_claims(now, limit))
            .await
    }
}
