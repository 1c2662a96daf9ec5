use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, Aftermath, Deletion, DeletionGround, DeletionOutcome, PrivacyStore, SessionId,
    StorageError, UnusedPage,
};
use keyhaven_types::UnixTime;

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl PrivacyStore for MemoryStore {
    async fn delete_account(&self, deletion: Deletion) -> Result<DeletionOutcome, StorageError> {
        self.with("account.delete", |state| delete(state, deletion))
    }

    async fn change_display_name(
        &self,
        account: AccountId,
        display_name: &str,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<Option<Account>, StorageError> {
        self.with("account.rename", |state| {
            state.check_aftermath(&audit)?;
            let Some(account) = state.accounts.get_mut(&account).filter(|account| account.active) else {
                return Ok(None);
            };
            display_name.clone_into(&mut account.display_name);
            account.updated_at = at;
            let renamed = account.clone();
            state.append(audit);
            Ok(Some(renamed))
        })
    }

    async fn unused_accounts(
        &self,
        after: Option<AccountId>,
        since: UnixTime,
        limit: u32,
    ) -> Result<UnusedPage, StorageError> {
        self.with("account.unused", |state| {
            let (page, next) = page(state.accounts.keys().copied(), after, limit);
            let unused = |id: &AccountId| {
                state
                    .accounts
                    .get(id)
                    .is_some_and(|account| is_unused(account, since))
            };
            Ok(UnusedPage {
                accounts: page.into_iter().filter(unused).collect(),
                next,
            })
        })
    }

    async fn forget_session_clients(
        &self,
        after: Option<SessionId>,
        before: UnixTime,
        limit: u32,
    ) -> Result<Option<SessionId>, StorageError> {
        self.with("session.forget_clients", |state| {
            let (page, next) = page(state.sessions.keys().copied(), after, limit);
            for id in page {
                if let Some(session) = state
                    .sessions
                    .get_mut(&id)
                    .filter(|session| session.created_at < before)
                {
                    session.ip = None;
                    session.user_agent = None;
                }
            }
            Ok(next)
        })
    }
}

/// The first `limit` ids after one, in order, and the last of them where there may be more.
fn page<I: Copy + Ord>(ids: impl Iterator<Item = I>, after: Option<I>, limit: u32) -> (Vec<I>, Option<I>) {
    let mut ids: Vec<_> = ids.filter(|id| after.is_none_or(|after| *id > after)).collect();
    ids.sort_unstable();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    ids.truncate(limit);
    let next = ids.last().filter(|_| ids.len() == limit).copied();
    (ids, next)
}

fn is_unused(account: &Account, since: UnixTime) -> bool {
    !account.email_verified && account.created_at < since && account.last_login_at.is_none_or(|at| at < since)
}

fn delete(state: &mut State, deletion: Deletion) -> Result<DeletionOutcome, Conflict> {
    state.check_aftermath(&deletion.audit)?;
    let id = deletion.account;
    let Some(account) = state.accounts.get(&id).filter(|account| account.active) else {
        return Ok(DeletionOutcome::AccountUnavailable);
    };
    match &deletion.ground {
        DeletionGround::Asked {
            session,
            uses_grant,
            at,
        } => {
            if !state.is_live(*session, id, *at) {
                return Ok(DeletionOutcome::SessionEnded);
            }
            if !state.use_grant(id, *session, uses_grant, *at) {
                return Ok(DeletionOutcome::GrantMissing);
            }
        }
        DeletionGround::Unused { since } if !is_unused(account, *since) => {
            return Ok(DeletionOutcome::InUse);
        }
        DeletionGround::Unused { .. } => {}
    }
    state.remove_account(id);
    state.append(deletion.audit);
    Ok(DeletionOutcome::Deleted)
}
