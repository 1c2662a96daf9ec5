use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, Ending, Rotation, Session, SessionId, SessionStore, SignInSession, StorageError,
    TokenHash,
};
use keyhaven_types::UnixTime;

use super::MemoryStore;

#[async_trait]
impl SessionStore for MemoryStore {
    async fn session(&self, family: &TokenHash) -> Result<Option<SignInSession>, StorageError> {
        self.with("session.find", |state| {
            Ok(state.token_families.get(family).and_then(|id| {
                let session = state.sessions.get(id)?.clone();
                let account = state.accounts.get(&session.account)?.clone();
                Some(SignInSession { session, account })
            }))
        })
    }

    async fn sessions_of(&self, account: AccountId, now: UnixTime) -> Result<Vec<Session>, StorageError> {
        self.with("session.list", |state| {
            let sessions = state.sessions_of(account).into_iter();
            Ok(sessions
                .filter(|session| session.expires_at > now)
                .cloned()
                .collect())
        })
    }

    async fn touch_session(&self, id: SessionId, seen_at: UnixTime) -> Result<(), StorageError> {
        self.with("session.touch", |state| {
            if let Some(session) = state.sessions.get_mut(&id) {
                session.last_seen_at = session.last_seen_at.max(seen_at);
            }
            Ok(())
        })
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: UnixTime,
        audit: Aftermath,
    ) -> Result<Rotation, StorageError> {
        self.with("session.rotate", |state| {
            state.check_aftermath(&audit)?;
            let live = state.sessions.get_mut(&id);
            let Some(session) = live.filter(|session| session.expires_at > now) else {
                return Ok(Rotation::SessionEnded);
            };
            if session.token_hash != *from {
                return Ok(Rotation::Lost);
            }
            session.replace_token(*to, now);
            state.append(audit);
            Ok(Rotation::Rotated)
        })
    }

    async fn end_sessions(
        &self,
        account: AccountId,
        ids: &[SessionId],
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.with("session.end", |state| {
            state.check_aftermath(&audit)?;
            let mut ended = 0;
            for id in ids {
                let owned = state
                    .sessions
                    .get(id)
                    .is_some_and(|session| session.account == account);
                if owned && state.remove_session(*id) {
                    ended += 1;
                }
            }
            state.append(audit);
            Ok(ended)
        })
    }

    async fn end_other_sessions(
        &self,
        account: AccountId,
        keep: Option<SessionId>,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.with("session.end_others", |state| {
            state.check_aftermath(&audit)?;
            let ended = state.end(account, &Ending::Everywhere { keep });
            state.append(audit);
            Ok(ended)
        })
    }

    async fn has_grant(
        &self,
        session: SessionId,
        purpose: &str,
        now: UnixTime,
    ) -> Result<bool, StorageError> {
        self.with("grant.find", |state| Ok(state.has_grant(session, purpose, now)))
    }

    async fn purge_expired_sessions(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.with("session.purge", |state| {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let mut dropped = 0;
            let expired = state.grants.iter().flat_map(|(session, grants)| {
                let ended = grants.iter().filter(|(_, end)| **end <= now);
                ended.map(|(purpose, _)| (*session, purpose.clone()))
            });
            let grants: Vec<_> = expired.take(limit).collect();
            for (session, purpose) in grants {
                if let Some(grants) = state.grants.get_mut(&session) {
                    grants.remove(&purpose);
                    dropped += 1;
                }
            }
            state.grants.retain(|_, grants| !grants.is_empty());
            let expired = state
                .sessions
                .values()
                .filter(|session| session.expires_at <= now);
            let sessions: Vec<_> = expired.map(|session| session.id).take(limit).collect();
            for id in sessions {
                if state.remove_session(id) {
                    dropped += 1;
                }
            }
            Ok(dropped)
        })
    }
}
