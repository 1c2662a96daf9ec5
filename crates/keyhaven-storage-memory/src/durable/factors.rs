use async_trait::async_trait;
use keyhaven_storage::{
    ClientKeyChange, ClientKeyChangeOutcome, FactorStore, Factors, OwnedCredential, StorageError,
};
use keyhaven_types::CredentialId;

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl FactorStore for MemoryStore {
    async fn credential_with_factors(
        &self,
        id: &CredentialId,
    ) -> Result<Option<(OwnedCredential, Factors)>, StorageError> {
        self.with("credential.find_with_factors", |state| {
            Ok(state.credentials.get(id).and_then(|credential| {
                let account = state.accounts.get(&credential.account)?.clone();
                let factors = Factors {
                    password: state.passwords.get(&account.id).cloned(),
                    client_key: state.client_keys.get(&account.id).cloned(),
                };
                let credential = credential.clone();
                Some((OwnedCredential { credential, account }, factors))
            }))
        })
    }

    async fn change_client_key(
        &self,
        change: ClientKeyChange,
    ) -> Result<ClientKeyChangeOutcome, StorageError> {
        self.with("client_key.change", |state| change_client_key(state, change))
    }
}

fn change_client_key(state: &mut State, change: ClientKeyChange) -> Result<ClientKeyChangeOutcome, Conflict> {
    let account = change.account;
    if change.to.as_ref().is_some_and(|to| to.account != account) {
        return Err(Conflict("a change speaks of one account"));
    }
    state.check_aftermath(&change.audit)?;
    if !state.is_active(account) {
        return Ok(ClientKeyChangeOutcome::AccountUnavailable);
    }
    if !state.is_live(change.session, account, change.at) {
        return Ok(ClientKeyChangeOutcome::SessionEnded);
    }
    if change.to.is_none() && !state.client_keys.contains_key(&account) {
        return Ok(ClientKeyChangeOutcome::NotFound);
    }
    if !state.use_grant(account, change.session, &change.uses_grant, change.at) {
        return Ok(ClientKeyChangeOutcome::GrantMissing);
    }
    match change.to {
        None => state.client_keys.remove(&account),
        Some(to) => state.client_keys.insert(account, to),
    };
    state.append(change.audit);
    Ok(ClientKeyChangeOutcome::Changed)
}
