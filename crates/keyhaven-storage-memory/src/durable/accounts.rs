use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, AccountStore, Addition, AssertionCommit, AssertionOutcome, CredentialHandle,
    NewRegistration, PasswordVerifier, RegistrationAccount, RegistrationOutcome, StorageError, lookup_key,
};

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl AccountStore for MemoryStore {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StorageError> {
        self.with("account.find", |state| Ok(state.accounts.get(&id).cloned()))
    }

    async fn username_exists(&self, username: &str) -> Result<bool, StorageError> {
        self.with("account.username_exists", |state| {
            Ok(state.usernames.contains_key(lookup_key(username)))
        })
    }

    async fn account_named(&self, username: &str) -> Result<Option<Account>, StorageError> {
        self.with("account.named", |state| {
            let id = state.usernames.get(lookup_key(username));
            Ok(id.and_then(|id| state.accounts.get(id)).cloned())
        })
    }

    async fn login_candidates(&self, username: &str) -> Result<Option<Vec<CredentialHandle>>, StorageError> {
        self.with("account.login_candidates", |state| {
            let id = state.usernames.get(lookup_key(username));
            Ok(id.map(|id| {
                let active = state
                    .credentials_of(*id)
                    .into_iter()
                    .filter(|credential| credential.active);
                let handle = |credential: &keyhaven_storage::Credential| CredentialHandle {
                    id: credential.id.clone(),
                    transports: credential.transports.clone(),
                };
                active.map(handle).collect()
            }))
        })
    }

    async fn commit_registration(
        &self,
        registration: NewRegistration,
    ) -> Result<RegistrationOutcome, StorageError> {
        self.with("account.commit_registration", |state| {
            commit_registration(state, registration)
        })
    }

    async fn commit_assertion(&self, assertion: AssertionCommit) -> Result<AssertionOutcome, StorageError> {
        self.with("account.commit_assertion", |state| {
            commit_assertion(state, assertion)
        })
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.with("account.ping", |_| Ok(()))
    }
}

fn commit_registration(
    state: &mut State,
    registration: NewRegistration,
) -> Result<RegistrationOutcome, Conflict> {
    if !registration.is_of_one_account() {
        return Err(Conflict("a registration speaks of one account"));
    }
    let account_id = registration.account_id();
    let NewRegistration {
        account,
        credential,
        recovery,
        claim,
        session,
        ends,
        password,
        client_key,
        reserved_id,
        audit,
    } = registration;
    match &account {
        RegistrationAccount::Existing(addition) => {
            if let Some(refusal) = refused_addition(state, addition) {
                return Ok(refusal);
            }
        }
        RegistrationAccount::New(account) => {
            if state.usernames.contains_key(lookup_key(&account.username)) {
                return Ok(RegistrationOutcome::UsernameTaken);
            }
            state.check_account(account)?;
        }
    }
    if reserved_id || state.credentials.contains_key(&credential.id) {
        return Ok(RegistrationOutcome::CredentialExists);
    }
    if let Some(session) = &session {
        state.check_session(session, Some((&credential.id, account_id)))?;
    }
    state.check_aftermath(&audit)?;

    match account {
        RegistrationAccount::Existing(addition) => {
            if let (Some(session), Some(purpose)) = (addition.session, addition.uses_grant) {
                state.drop_grant(session, &purpose);
            }
        }
        RegistrationAccount::New(account) => state.insert_account(account),
    }
    if let Some(recovery) = recovery {
        state.end_recoveries(account_id);
        let sessions: Vec<_> = state
            .sessions_of(account_id)
            .iter()
            .map(|session| session.id)
            .collect();
        for session in sessions {
            state.remove_session(session);
        }
        let passkeys = state.credentials_of(account_id);
        let passkeys: Vec<_> = passkeys.iter().map(|passkey| passkey.id.clone()).collect();
        for passkey in passkeys.into_iter().filter(|_| recovery.drops_passkeys) {
            state.remove_credential(&passkey);
        }
        let alone = |password: &PasswordVerifier| !password.with_passkey;
        if recovery.drops_passkeys && state.passwords.get(&account_id).is_some_and(alone) {
            state.passwords.remove(&account_id);
        }
    }
    if let Some(password) = password {
        state.passwords.insert(account_id, password);
    }
    if let Some(client_key) = client_key {
        state.client_keys.insert(account_id, client_key);
    }
    state.insert_credential(credential);
    if let Some(claim) = claim {
        let mailed_since = claim.mailed_at;
        state.put_claim(claim, mailed_since);
    }
    state.end(account_id, &ends);
    if let Some(session) = session {
        state.insert_session(session);
    }
    state.append(audit);
    Ok(RegistrationOutcome::Committed)
}

/// Why one more passkey cannot be added, in the order of the contract's outcomes; `None`: it can.
fn refused_addition(state: &State, addition: &Addition) -> Option<RegistrationOutcome> {
    if !state.is_active(addition.account) {
        return Some(RegistrationOutcome::AccountUnavailable);
    }
    if let Some(session) = addition.session
        && !state.is_live(session, addition.account, addition.at)
    {
        return Some(RegistrationOutcome::SessionEnded);
    }
    if let Some(purpose) = &addition.uses_grant
        && !addition
            .session
            .is_some_and(|session| state.has_grant(session, purpose, addition.at))
    {
        return Some(RegistrationOutcome::GrantMissing);
    }
    let held = u32::try_from(state.credentials_of(addition.account).len()).unwrap_or(u32::MAX);
    (held >= addition.max_credentials).then_some(RegistrationOutcome::TooManyCredentials)
}

fn commit_assertion(state: &mut State, commit: AssertionCommit) -> Result<AssertionOutcome, Conflict> {
    if commit
        .session
        .as_ref()
        .is_some_and(|session| session.account != commit.account)
    {
        return Err(Conflict("an assertion speaks of one account"));
    }
    if commit.backup_state && !commit.backup_eligible {
        return Err(Conflict("what cannot be backed up is not backed up"));
    }
    let (Some(account), Some(credential)) = (
        state.accounts.get(&commit.account),
        state.credentials.get(&commit.credential),
    ) else {
        return Ok(AssertionOutcome::CredentialMissing);
    };
    if credential.account != commit.account {
        return Ok(AssertionOutcome::CredentialMissing);
    }
    if !account.active {
        return Ok(AssertionOutcome::AccountLocked);
    }
    if !credential.active {
        return Ok(AssertionOutcome::CredentialInactive);
    }
    let as_expected = credential.sign_count == commit.expected_sign_count
        && credential.backup_eligible == commit.expected.backup_eligible
        && credential.device_name == commit.expected.device_name
        && account.updated_at == commit.expected.account_updated_at;
    if !as_expected {
        return Ok(AssertionOutcome::RecordChanged);
    }
    if let Some(judged) = &commit.factors {
        let password = state.passwords.get(&commit.account).map(|known| &known.hash);
        let client_key = state.client_keys.get(&commit.account).map(|known| known.mac);
        if password != judged.password.as_ref() || client_key != judged.client_key {
            return Ok(AssertionOutcome::RecordChanged);
        }
    }
    if let Some(grant) = &commit.grant
        && !state.is_live(grant.session, commit.account, commit.used_at)
    {
        return Ok(AssertionOutcome::SessionEnded);
    }
    if let Some(session) = &commit.session {
        state.check_session(session, None)?;
    }
    state.check_aftermath(&commit.audit)?;

    let (Some(account), Some(credential)) = (
        state.accounts.get_mut(&commit.account),
        state.credentials.get_mut(&commit.credential),
    ) else {
        return Ok(AssertionOutcome::CredentialMissing);
    };
    credential.sign_count = commit.new_sign_count;
    credential.backup_eligible = commit.backup_eligible;
    credential.backup_state = commit.backup_state;
    credential.last_used_at = credential.last_used_at.max(Some(commit.used_at));
    if commit.session.is_some() {
        account.last_login_at = account.last_login_at.max(Some(commit.used_at));
    }
    if let (Some(grant), Some(to)) = (&commit.grant, commit.rotation)
        && let Some(session) = state.sessions.get_mut(&grant.session)
    {
        session.replace_token(to, commit.used_at);
    }
    if commit.factors.is_some_and(|judged| judged.uses_client_key)
        && let Some(key) = state.client_keys.get_mut(&commit.account)
    {
        key.last_used_at = key.last_used_at.max(Some(commit.used_at));
    }
    if let Some(grant) = commit.grant {
        state
            .grants
            .entry(grant.session)
            .or_default()
            .insert(grant.purpose, grant.expires_at);
    }
    if let Some(ends) = commit.ends_session {
        state.remove_session(ends);
    }
    if let Some(session) = commit.session {
        state.insert_session(session);
    }
    state.append(commit.audit);
    Ok(AssertionOutcome::Committed)
}
