//! E-mail addresses on their way to being proven.
//!
//! An address belongs to nobody until whoever claims it shows what was mailed there. Any number of accounts may claim one
//! address at a time; of those that prove it the first has it.

use async_trait::async_trait;
use keyhaven_types::UnixTime;

use crate::{Account, AccountId, Aftermath, SessionId, StorageError, TokenHash};

/// An account's claim to an address that it has not proven yet. One at a time for each account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressClaim {
    /// Who claims it.
    pub account: AccountId,
    /// The address, 3 to 254 bytes.
    pub address: String,
    /// A keyed hash of the address, upper and lower case alike: claims of one address are counted by it.
    pub address_hash: [u8; 32],
    /// Hash of the token in the newest mail.
    pub token_hash: TokenHash,
    /// From this moment on that token proves nothing.
    pub token_expires_at: UnixTime,
    /// How many mails were sent there for this claim.
    pub mails: u32,
    /// When the newest of them was written, or else the claim was made.
    pub mailed_at: UnixTime,
    /// From this moment on the claim is gone, and the address with it.
    pub expires_at: UnixTime,
}

/// A claim to be made, or renewed, by somebody who is signed in.
#[derive(Clone, Debug)]
pub struct NewClaim {
    /// The claim, its `mails` being those of this commit. It takes the place of the account's claim before; where that was to
    /// the same address, and mailed after `mailed_since`, its mails are counted on.
    pub claim: AddressClaim,
    /// What was mailed up to then is no longer counted.
    pub mailed_since: UnixTime,
    /// The session that asked: it must be the account's, and not be over at `at`.
    pub session: SessionId,
    /// The purpose of a step-up grant that this uses up: `session` must hold it, live at `at`.
    pub uses_grant: Option<String>,
    /// The token of the claim that this one renews: that must still be the account's.
    pub renews: Option<TokenHash>,
    /// Now.
    pub at: UnixTime,
    /// The event, and the mails that tell people.
    pub audit: Aftermath,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum ClaimOutcome {
    /// The account is gone or locked; nothing was written.
    AccountUnavailable,
    /// Written.
    Claimed,
    /// The claim that was to be renewed is not there any more; nothing was written.
    ClaimMissing,
    /// The grant is used up, expired or was never given; nothing was written.
    GrantMissing,
    /// The session that asked is over; nothing was written.
    SessionEnded,
}

/// What became of a proof.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum ProofOutcome {
    /// The account has no claim with this token, or the token has expired; nothing was written.
    ClaimMissing,
    /// The address is the account's, which is now so.
    Proven(Account),
    /// The session is not the account's or over, or the account may not sign in; nothing was written.
    SessionEnded,
    /// Another account has proven the address, or has the username; nothing was written.
    Taken,
}

/// Addresses and who has proven or claims them.
#[async_trait]
pub trait AddressStore: Send + Sync {
    /// The account that has proven this address, upper and lower case alike (ASCII).
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn address_owner(&self, address: &str) -> Result<Option<Account>, StorageError>;

    /// The claim of an account. Claims that have expired are found too, until they are dropped.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn address_claim(&self, account: AccountId) -> Result<Option<AddressClaim>, StorageError>;

    /// How many mails were sent for claims of this address, by whomever, that were mailed after `since`: also for those
    /// that are gone, or have moved to another address.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn mails_to(&self, address_hash: &[u8; 32], since: UnixTime) -> Result<u64, StorageError>;

    /// Makes or renews a claim. Where the account has proven no address, this one becomes its unproven one.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn claim_address(&self, claim: NewClaim) -> Result<ClaimOutcome, StorageError>;

    /// Makes the claimed address the account's proven one, if the claim still has this token and that is good at `at`;
    /// the claim is gone. The session has to be live at `at`. Of racing accounts one proves an address. With `username` the account is called that from then
    /// on, which must be nobody else's.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn prove_address(
        &self,
        account: AccountId,
        session: SessionId,
        token_hash: &TokenHash,
        username: Option<&str>,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<ProofOutcome, StorageError>;

    /// Drops claims that have expired at `now`, and the unproven addresses of their accounts, at most `limit`, and tells
    /// how many. Several processes may do it at once.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn drop_expired_claims(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError>;

    /// Forgets mails for claims that are gone, of up to `until`, at most `limit` counts, and tells how many. Several
    /// processes may do it at once.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn forget_claim_mails(&self, until: UnixTime, limit: u32) -> Result<u64, StorageError>;
}
