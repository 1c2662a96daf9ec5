use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, Credential, CredentialStore, OwnedCredential, Removal, RemovalOutcome, StorageError,
};
use keyhaven_types::{CredentialId, RpId};

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl CredentialStore for MemoryStore {
    async fn credential(&self, id: &CredentialId) -> Result<Option<OwnedCredential>, StorageError> {
        self.with("credential.find", |state| {
            Ok(state.credentials.get(id).and_then(|credential| {
                let account = state.accounts.get(&credential.account)?.clone();
                Some(OwnedCredential {
                    credential: credential.clone(),
                    account,
                })
            }))
        })
    }

    async fn some_rp_id(&self) -> Result<Option<RpId>, StorageError> {
        self.with("credential.rp_id", |state| {
            let some = state.credentials.values().next();
            Ok(some.map(|credential| credential.rp_id.clone()))
        })
    }

    async fn credentials_of(&self, account: AccountId) -> Result<Vec<Credential>, StorageError> {
        self.with("credential.list", |state| {
            Ok(state.credentials_of(account).into_iter().cloned().collect())
        })
    }

    async fn rename_credential(
        &self,
        account: AccountId,
        id: &CredentialId,
        device_name: &str,
        audit: Aftermath,
    ) -> Result<Option<Credential>, StorageError> {
        self.with("credential.rename", |state| {
            state.check_aftermath(&audit)?;
            let Some(credential) = state
                .credentials
                .get_mut(id)
                .filter(|found| found.account == account)
            else {
                return Ok(None);
            };
            device_name.clone_into(&mut credential.device_name);
            let renamed = credential.clone();
            state.append(audit);
            Ok(Some(renamed))
        })
    }

    async fn remove_credentials(&self, removal: Removal) -> Result<RemovalOutcome, StorageError> {
        self.with("credential.remove", |state| remove_credentials(state, removal))
    }
}

fn remove_credentials(state: &mut State, removal: Removal) -> Result<RemovalOutcome, Conflict> {
    state.check_aftermath(&removal.audit)?;
    let owned = |id| {
        state
            .credentials
            .get(id)
            .is_some_and(|credential| credential.account == removal.account)
    };
    if !removal.credentials.iter().all(owned) {
        return Ok(RemovalOutcome::NotFound);
    }
    if let Some((session, purpose, now)) = &removal.uses_grant
        && !state.has_grant_of(removal.account, *session, purpose, *now)
    {
        return Ok(RemovalOutcome::GrantMissing);
    }
    let stays = |credential: &&Credential| credential.active && !removal.credentials.contains(&credential.id);
    let by_password = removal.password_suffices
        && !state.client_keys.contains_key(&removal.account)
        && state
            .passwords
            .get(&removal.account)
            .is_some_and(|password| !password.with_passkey);
    if !by_password && !state.credentials_of(removal.account).iter().any(stays) {
        return Ok(RemovalOutcome::LastCredential);
    }

    if let Some((session, purpose, _)) = &removal.uses_grant {
        state.drop_grant(*session, purpose);
    }
    let opened = |credential: &Option<CredentialId>| {
        credential
            .as_ref()
            .is_some_and(|credential| removal.credentials.contains(credential))
    };
    let ended: Vec<_> = state
        .sessions_of(removal.account)
        .into_iter()
        .filter(|session| Some(session.id) != removal.keeps_session && opened(&session.credential))
        .map(|session| session.id)
        .collect();
    for session in ended {
        state.remove_session(session);
    }
    for credential in &removal.credentials {
        state.remove_credential(credential);
    }
    state.append(removal.audit);
    Ok(RemovalOutcome::Removed)
}
