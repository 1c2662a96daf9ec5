use std::cmp::Reverse;

use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, AccountLock, AccountStanding, AdminAct, AdminChange, AdminOutcome, AdminSession, AdminStore,
    Aftermath, AuditEvent, Ending, Enrolment, EventId, ListedAccount, OpenedSession, RecoveryStage, Role,
    StorageError, TokenHash,
};
use keyhaven_types::UnixTime;

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl AdminStore for MemoryStore {
    async fn accounts(
        &self,
        after: Option<(UnixTime, AccountId)>,
        limit: u32,
    ) -> Result<Vec<ListedAccount>, StorageError> {
        self.with("account.list", |state| {
            let older = state
                .accounts
                .values()
                .filter(|account| after.is_none_or(|after| (account.created_at, account.id) < after));
            let mut found: Vec<_> = older.map(|account| listed(state, account.id)).collect();
            found.sort_by_key(|listed| {
                listed
                    .as_ref()
                    .map(|listed| Reverse((listed.account.created_at, listed.account.id)))
            });
            Ok(first(found.into_iter().flatten(), limit))
        })
    }

    async fn account_standing(
        &self,
        account: AccountId,
        now: UnixTime,
    ) -> Result<AccountStanding, StorageError> {
        self.with("account.standing", |state| {
            let waiting = state
                .recoveries
                .values()
                .filter_map(|recovery| match recovery.stage {
                    RecoveryStage::Waiting { ready_at, .. }
                        if recovery.account == Some(account) && recovery.expires_at > now =>
                    {
                        Some(ready_at)
                    }
                    RecoveryStage::Asked | RecoveryStage::Ended | RecoveryStage::Waiting { .. } => None,
                });
            Ok(AccountStanding {
                lock: state.locks.get(&account).cloned(),
                enrolment: state
                    .enrolments
                    .get(&account)
                    .copied()
                    .filter(|enrolment| enrolment.expires_at > now),
                recovery_ready_at: waiting.min(),
                has_password: state.passwords.contains_key(&account),
                client_key: state.client_keys.get(&account).cloned(),
            })
        })
    }

    async fn administer(&self, change: AdminChange) -> Result<AdminOutcome, StorageError> {
        self.with("account.administer", |state| administer(state, change))
    }

    async fn enrolment(&self, token: &TokenHash) -> Result<Option<Enrolment>, StorageError> {
        self.with("enrolment.find", |state| {
            let mut known = state.enrolments.values();
            Ok(known.find(|enrolment| enrolment.token == *token).copied())
        })
    }

    async fn redeem_enrolment(
        &self,
        token: &TokenHash,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        self.with("enrolment.redeem", |state| {
            let session = &opened.session;
            let good = state
                .enrolments
                .get(&session.account)
                .is_some_and(|enrolment| enrolment.token == *token && enrolment.expires_at > at);
            if !good || !state.is_active(session.account) {
                return Ok(false);
            }
            state.check_aftermath(&audit)?;
            state.check_session(session, None)?;
            state.enrolments.remove(&session.account);
            state.open_session(opened);
            state.append(audit);
            Ok(true)
        })
    }

    async fn drop_expired_enrolments(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.with("enrolment.purge", |state| {
            let over = state
                .enrolments
                .values()
                .filter(|enrolment| enrolment.expires_at <= now);
            let over = first(over.map(|enrolment| enrolment.account), limit);
            for account in &over {
                state.enrolments.remove(account);
            }
            Ok(u64::try_from(over.len()).unwrap_or(u64::MAX))
        })
    }

    async fn events(&self, below: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>, StorageError> {
        self.with("event.list_all", |state| {
            let newest = state.events.values().rev();
            let below = newest.filter(|event| below.is_none_or(|below| event.id < below));
            Ok(first(below.cloned(), limit))
        })
    }
}

fn first<T>(of: impl Iterator<Item = T>, limit: u32) -> Vec<T> {
    of.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
}

fn listed(state: &State, id: AccountId) -> Option<ListedAccount> {
    let account = state.accounts.get(&id)?.clone();
    let has_passkey = state
        .credentials_of(id)
        .iter()
        .any(|credential| credential.active);
    Some(ListedAccount { account, has_passkey })
}

/// Why the administrator may not, now.
fn refusal(state: &State, by: &AdminSession, at: UnixTime) -> Option<AdminOutcome> {
    let admin = state.accounts.get(&by.account);
    if !admin.is_some_and(|admin| admin.active && admin.role == Role::Admin) {
        return Some(AdminOutcome::NotAdmin);
    }
    if !state.is_live(by.session, by.account, at) {
        return Some(AdminOutcome::SessionEnded);
    }
    (!state.has_grant(by.session, &by.grant, at)).then_some(AdminOutcome::GrantMissing)
}

fn administer(state: &mut State, change: AdminChange) -> Result<AdminOutcome, Conflict> {
    let (id, at) = (change.account, change.at);
    if let Some(refusal) = change.by.as_ref().and_then(|by| refusal(state, by, at)) {
        return Ok(refusal);
    }
    let Some(account) = state.accounts.get(&id).cloned() else {
        return Ok(AdminOutcome::AccountMissing);
    };
    state.check_aftermath(&change.audit)?;
    let admins = |state: &State, but: Option<AccountId>| {
        let others = state.accounts.values();
        let mut others = others.filter(|other| other.role == Role::Admin && Some(other.id) != but);
        others.any(|other| other.active || but.is_none())
    };
    match change.act {
        AdminAct::EndSessions => {
            state.end(id, &Ending::Everywhere { keep: None });
        }
        AdminAct::Enrol { .. }
        | AdminAct::SetRole {
            role: Role::Admin, ..
        } if !account.active => {
            return Ok(AdminOutcome::AccountLocked);
        }
        AdminAct::Enrol { token, expires_at } => {
            let enrolment = Enrolment {
                account: id,
                token,
                created_at: at,
                expires_at,
            };
            state.enrolments.insert(id, enrolment);
        }
        AdminAct::Lock { .. } if change.by.as_ref().is_some_and(|by| by.account == id) => {
            return Ok(AdminOutcome::OwnAccount);
        }
        AdminAct::Lock { .. } if account.role == Role::Admin && !admins(state, Some(id)) => {
            return Ok(AdminOutcome::LastAdmin);
        }
        AdminAct::Lock { reason } => {
            state.end(id, &Ending::Everywhere { keep: None });
            state.enrolments.remove(&id);
            state.locks.insert(id, AccountLock { reason, at });
            state.end_recoveries(id);
            if let Some(account) = state.accounts.get_mut(&id) {
                account.active = false;
                account.updated_at = at;
            }
        }
        AdminAct::RemoveCredential {
            credential,
            even_last,
        } => {
            let own = state.credentials_of(id);
            if !own.iter().any(|own| own.id == credential) {
                return Ok(AdminOutcome::CredentialMissing);
            }
            if !even_last && !own.iter().any(|own| own.active && own.id != credential) {
                return Ok(AdminOutcome::LastCredential);
            }
            state.end(id, &Ending::OpenedBy(credential.clone()));
            state.remove_credential(&credential);
        }
        AdminAct::SetRole { first: true, .. } if admins(state, None) => {
            return Ok(AdminOutcome::AdminExists);
        }
        AdminAct::SetRole { role, .. } if role == account.role => return Ok(AdminOutcome::Unchanged),
        AdminAct::SetRole { role, .. } => {
            state.end(id, &Ending::Everywhere { keep: None });
            if let Some(account) = state.accounts.get_mut(&id) {
                account.role = role;
                account.updated_at = at;
            }
        }
        AdminAct::Unlock if account.active => return Ok(AdminOutcome::Unchanged),
        AdminAct::Unlock => {
            state.locks.remove(&id);
            if let Some(account) = state.accounts.get_mut(&id) {
                account.active = true;
                account.updated_at = at;
            }
        }
    }
    if let Some(by) = change.by.filter(|by| by.uses_grant) {
        state.drop_grant(by.session, &by.grant);
    }
    state.append(change.audit);
    Ok(AdminOutcome::Done)
}
