use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Ending, PasswordCandidate, PasswordChange, PasswordChangeOutcome, PasswordLogin,
    PasswordLoginOutcome, PasswordRegistration, PasswordRegistrationOutcome, PasswordStore, PasswordVerifier,
    StorageError, lookup_key,
};

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl PasswordStore for MemoryStore {
    async fn password_candidate(&self, username: &str) -> Result<Option<PasswordCandidate>, StorageError> {
        self.with("password.candidate", |state| {
            let account = state
                .usernames
                .get(lookup_key(username))
                .and_then(|id| state.accounts.get(id));
            Ok(account.map(|account| PasswordCandidate {
                account: account.clone(),
                password: state.passwords.get(&account.id).cloned(),
                has_passkey: has_passkey(state, account.id),
                has_client_key: state.client_keys.contains_key(&account.id),
            }))
        })
    }

    async fn password_of(&self, account: AccountId) -> Result<Option<PasswordVerifier>, StorageError> {
        self.with("password.find", |state| {
            Ok(state.passwords.get(&account).cloned())
        })
    }

    async fn password_kinds(&self, limit: u32) -> Result<Vec<String>, StorageError> {
        self.with("password.kinds", |state| {
            let mut kinds: Vec<_> = state
                .passwords
                .values()
                .map(|password| password.kind.clone())
                .collect();
            kinds.sort();
            kinds.dedup();
            kinds.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(kinds)
        })
    }

    async fn register_password(
        &self,
        registration: PasswordRegistration,
    ) -> Result<PasswordRegistrationOutcome, StorageError> {
        self.with("password.register", |state| register(state, registration))
    }

    async fn commit_password_login(
        &self,
        login: PasswordLogin,
    ) -> Result<PasswordLoginOutcome, StorageError> {
        self.with("password.login", |state| commit_login(state, login))
    }

    async fn change_password(&self, change: PasswordChange) -> Result<PasswordChangeOutcome, StorageError> {
        self.with("password.change", |state| change_password(state, change))
    }
}

fn has_passkey(state: &State, account: AccountId) -> bool {
    state
        .credentials_of(account)
        .iter()
        .any(|credential| credential.active)
}

fn register(
    state: &mut State,
    registration: PasswordRegistration,
) -> Result<PasswordRegistrationOutcome, Conflict> {
    if !registration.is_of_one_account() {
        return Err(Conflict("a registration speaks of one account"));
    }
    let PasswordRegistration {
        account,
        password,
        claim,
        session,
        ends_session,
        audit,
    } = registration;
    if state.usernames.contains_key(lookup_key(&account.username)) {
        return Ok(PasswordRegistrationOutcome::UsernameTaken);
    }
    state.check_account(&account)?;
    if let Some(session) = &session {
        state.check_session(session, None)?;
    }
    state.check_aftermath(&audit)?;

    state.passwords.insert(account.id, password);
    state.insert_account(account);
    if let Some(claim) = claim {
        let mailed_since = claim.mailed_at;
        state.put_claim(claim, mailed_since);
    }
    if let Some(ends) = ends_session {
        state.remove_session(ends);
    }
    if let Some(session) = session {
        state.insert_session(session);
    }
    state.append(audit);
    Ok(PasswordRegistrationOutcome::Committed)
}

fn commit_login(state: &mut State, login: PasswordLogin) -> Result<PasswordLoginOutcome, Conflict> {
    let account = login.session.account;
    state.check_session(&login.session, None)?;
    state.check_aftermath(&login.audit)?;
    let (Some(found), Some(password)) = (
        state.accounts.get_mut(&account),
        state.passwords.get_mut(&account),
    ) else {
        return Ok(PasswordLoginOutcome::PasswordChanged);
    };
    if !found.active {
        return Ok(PasswordLoginOutcome::AccountLocked);
    }
    if password.hash != login.compared {
        return Ok(PasswordLoginOutcome::PasswordChanged);
    }
    if let Some((hash, kind)) = login.rehashed {
        (password.hash, password.kind) = (hash, kind);
    }
    found.last_login_at = found.last_login_at.max(Some(login.session.created_at));
    if let Some(ends) = login.ends_session {
        state.remove_session(ends);
    }
    state.insert_session(login.session);
    state.append(login.audit);
    Ok(PasswordLoginOutcome::Committed)
}

fn change_password(state: &mut State, change: PasswordChange) -> Result<PasswordChangeOutcome, Conflict> {
    let account = change.account;
    if change.to.as_ref().is_some_and(|to| to.account != account) {
        return Err(Conflict("a change speaks of one account"));
    }
    state.check_aftermath(&change.audit)?;
    if !state.is_active(account) {
        return Ok(PasswordChangeOutcome::AccountUnavailable);
    }
    if !state.is_live(change.session, account, change.at) {
        return Ok(PasswordChangeOutcome::SessionEnded);
    }
    if state.passwords.get(&account).map(|known| &known.hash) != change.from.as_ref() {
        return Ok(PasswordChangeOutcome::PasswordChanged);
    }
    if change.needs_passkey() && !has_passkey(state, account) {
        return Ok(PasswordChangeOutcome::NoPasskey);
    }
    if let Some(purpose) = &change.uses_grant
        && !state.use_grant(account, change.session, purpose, change.at)
    {
        return Ok(PasswordChangeOutcome::GrantMissing);
    }
    match change.to {
        None => state.passwords.remove(&account),
        Some(to) => state.passwords.insert(account, to),
    };
    let keep = Some(change.session);
    let ended = state.end(account, &Ending::Everywhere { keep });
    state.append(change.audit);
    Ok(PasswordChangeOutcome::Changed { ended })
}
