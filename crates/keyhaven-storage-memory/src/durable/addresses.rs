use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, AddressClaim, AddressStore, Aftermath, ClaimOutcome, NewClaim, ProofOutcome,
    SessionId, StorageError, TokenHash, lookup_key,
};
use keyhaven_types::UnixTime;

use super::state::{ClaimMails, State};
use super::{Conflict, MemoryStore};

#[async_trait]
impl AddressStore for MemoryStore {
    async fn address_owner(&self, address: &str) -> Result<Option<Account>, StorageError> {
        self.with("address.owner", |state| {
            let has = |account: &&Account| {
                account.email_verified
                    && account
                        .email
                        .as_ref()
                        .is_some_and(|email| lookup_key(email).eq_ignore_ascii_case(lookup_key(address)))
            };
            Ok(state.accounts.values().find(has).cloned())
        })
    }

    async fn address_claim(&self, account: AccountId) -> Result<Option<AddressClaim>, StorageError> {
        self.with("address.find_claim", |state| {
            Ok(state.claims.get(&account).cloned())
        })
    }

    async fn mails_to(&self, address_hash: &[u8; 32], since: UnixTime) -> Result<u64, StorageError> {
        self.with("address.mails", |state| {
            let counted = state.past_claim_mails.iter().copied();
            let counted = counted.chain(state.claims.values().map(ClaimMails::of));
            Ok(counted
                .filter(|counted| counted.address_hash == *address_hash && counted.mailed_at > since)
                .map(|counted| u64::from(counted.mails))
                .sum())
        })
    }

    async fn claim_address(&self, claim: NewClaim) -> Result<ClaimOutcome, StorageError> {
        self.with("address.claim", |state| claim_address(state, claim))
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
        self.with("address.prove", |state| {
            let claim = state.claims.get(&account);
            let good = claim.filter(|claim| claim.token_hash == *token_hash && claim.token_expires_at > at);
            let Some(claim) = good.cloned() else {
                return Ok(ProofOutcome::ClaimMissing);
            };
            if !state.is_active(account) || !state.is_live(session, account, at) {
                return Ok(ProofOutcome::SessionEnded);
            }
            let owned = |other: &&Account| {
                other.id != account
                    && other.email_verified
                    && other.email.as_ref().is_some_and(|email| {
                        lookup_key(email).eq_ignore_ascii_case(lookup_key(&claim.address))
                    })
            };
            if state.accounts.values().any(|other| owned(&other)) {
                return Ok(ProofOutcome::Taken);
            }
            if username
                .and_then(|username| state.usernames.get(lookup_key(username)))
                .is_some_and(|named| *named != account)
            {
                return Ok(ProofOutcome::Taken);
            }
            state.check_aftermath(&audit)?;
            state.drop_claim(account);
            // Codes that went to the address before, and waits that began there.
            state.end_recoveries(account);
            if let Some(username) = username {
                state.rename(account, username);
            }
            let Some(proven) = state.prove_email(account, claim.address, at) else {
                return Ok(ProofOutcome::ClaimMissing);
            };
            state.append(audit);
            Ok(ProofOutcome::Proven(proven))
        })
    }

    async fn forget_claim_mails(&self, until: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.with("address.forget_mails", |state| {
            let mut forgotten = 0;
            state.past_claim_mails.retain(|counted| {
                let goes = counted.mailed_at <= until && forgotten < u64::from(limit);
                forgotten += u64::from(goes);
                !goes
            });
            Ok(forgotten)
        })
    }

    async fn drop_expired_claims(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.with("address.purge", |state| {
            let expired = state.claims.values().filter(|claim| claim.expires_at <= now);
            let expired: Vec<_> = expired
                .map(|claim| claim.account)
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .collect();
            for account in &expired {
                state.drop_claim(*account);
                if let Some(account) = state.accounts.get_mut(account)
                    && !account.email_verified
                {
                    account.email = None;
                    account.updated_at = now;
                }
            }
            Ok(u64::try_from(expired.len()).unwrap_or(u64::MAX))
        })
    }
}

fn claim_address(state: &mut State, new: NewClaim) -> Result<ClaimOutcome, Conflict> {
    let NewClaim {
        claim,
        mailed_since,
        session,
        uses_grant,
        renews,
        at,
        audit,
    } = new;
    if !state.is_active(claim.account) {
        return Ok(ClaimOutcome::AccountUnavailable);
    }
    if !state.is_live(session, claim.account, at) {
        return Ok(ClaimOutcome::SessionEnded);
    }
    if let Some(token) = renews
        && state
            .claims
            .get(&claim.account)
            .is_none_or(|claim| claim.token_hash != token)
    {
        return Ok(ClaimOutcome::ClaimMissing);
    }
    if let Some(purpose) = &uses_grant
        && !state.has_grant(session, purpose, at)
    {
        return Ok(ClaimOutcome::GrantMissing);
    }
    state.check_aftermath(&audit)?;

    if let Some(purpose) = &uses_grant {
        state.drop_grant(session, purpose);
    }
    if let Some(account) = state.accounts.get_mut(&claim.account)
        && !account.email_verified
    {
        account.email = Some(claim.address.clone());
        account.updated_at = at;
    }
    state.put_claim(claim, mailed_since);
    state.append(audit);
    Ok(ClaimOutcome::Claimed)
}
