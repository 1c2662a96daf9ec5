use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, Rotation, Session, SessionId, SessionStore, SignInSession, StorageError, TokenHash,
};
use keyhaven_types::UnixTime;

use super::Encrypted;

#[async_trait]
impl<S: SessionStore + ?Sized> SessionStore for Encrypted<S> {
    async fn session(&self, family: &TokenHash) -> Result<Option<SignInSession>, StorageError> {
        let found = self.store.session(family).await?;
        let Some(found) = found else { return Ok(None) };
        Ok(Some(SignInSession {
            session: self.session_out(found.session)?,
            account: self.account_out(found.account)?,
        }))
    }

    async fn sessions_of(&self, account: AccountId, now: UnixTime) -> Result<Vec<Session>, StorageError> {
        let found = self.store.sessions_of(account, now).await?;
        found
            .into_iter()
            .map(|session| self.session_out(session))
            .collect()
    }

    async fn touch_session(&self, id: SessionId, seen_at: UnixTime) -> Result<(), StorageError> {
        self.store.touch_session(id, seen_at).await
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: UnixTime,
        audit: Aftermath,
    ) -> Result<Rotation, StorageError> {
        self.store.rotate_session(id, from, to, now, audit).await
    }

    async fn end_sessions(
        &self,
        account: AccountId,
        ids: &[SessionId],
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.store.end_sessions(account, ids, audit).await
    }

    async fn end_other_sessions(
        &self,
        account: AccountId,
        keep: Option<SessionId>,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.store.end_other_sessions(account, keep, audit).await
    }

    async fn has_grant(
        &self,
        session: SessionId,
        purpose: &str,
        now: UnixTime,
    ) -> Result<bool, StorageError> {
        self.store.has_grant(session, purpose, now).await
    }

    async fn purge_expired_sessions(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.store.purge_expired_sessions(now, limit).await
    }
}
