use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Encrypted;
use crate::ring::Column;
use keyhaven_storage::{
    Account, AccountId, AddressClaim, AddressStore, Aftermath, ClaimOutcome, NewClaim, ProofOutcome,
    SessionId, StorageError, TokenHash,
};

#[async_trait]
impl<S: AddressStore + ?Sized> AddressStore for Encrypted<S> {
    async fn address_owner(&self, address: &str) -> Result<Option<Account>, StorageError> {
        let key = self.ring.lookup(Column::Address, address);
        let found = self.store.address_owner(&key).await?;
        found.map(|account| self.account_out(account)).transpose()
    }

    async fn address_claim(&self, account: AccountId) -> Result<Option<AddressClaim>, StorageError> {
        let found = self.store.address_claim(account).await?;
        found.map(|claim| self.claim_out(claim)).transpose()
    }

    async fn mails_to(&self, address_hash: &[u8; 32], since: UnixTime) -> Result<u64, StorageError> {
        self.store.mails_to(address_hash, since).await
    }

    async fn claim_address(&self, claim: NewClaim) -> Result<ClaimOutcome, StorageError> {
        let NewClaim { claim: address, .. } = claim;
        self.store
            .claim_address(NewClaim {
                claim: self.claim_in(address)?,
                ..claim
            })
            .await
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
        let username = username
            .map(|username| self.username_in(account, username))
            .transpose()?;
        let outcome = self
            .store
            .prove_address(account, session, token_hash, username.as_deref(), at, audit)
            .await?;
        Ok(match outcome {
            ProofOutcome::Proven(account) => ProofOutcome::Proven(self.account_out(account)?),
            other @ (ProofOutcome::ClaimMissing | ProofOutcome::SessionEnded | ProofOutcome::Taken) => other,
        })
    }

    async fn forget_claim_mails(&self, until: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.store.forget_claim_mails(until, limit).await
    }

    async fn drop_expired_claims(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.store.drop_expired_claims(now, limit).await
    }
}
