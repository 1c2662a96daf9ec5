use async_trait::async_trait;
use keyhaven_types::{CredentialId, RpId, UnixTime};

use super::Observed;
use crate::{
    Account, AccountId, AccountStore, Aftermath, AssertionCommit, AssertionOutcome, AuditBatch, AuditEvent,
    AuditKey, AuditLeaf, AuditLogStore, AuditMember, AuditPrune, AuditStore, CloneAlarm, CloneAlarmOutcome,
    CloneStore, Credential, CredentialHandle, CredentialStore, EventId, NewRegistration, OwnedCredential,
    RegistrationOutcome, Reinstatement, ReinstatementOutcome, Removal, RemovalOutcome, Rotation, Session,
    SessionId, SessionStore, SignInSession, SigningKey, SigningKeyStore, StorageError, StoredEvent,
    TokenHash, UnsealedPage,
};

#[async_trait]
impl<S: AccountStore + ?Sized> AccountStore for Observed<S> {
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StorageError> {
        self.call("account.find", self.store.account(id)).await
    }

    async fn username_exists(&self, username: &str) -> Result<bool, StorageError> {
        self.call("account.username_exists", self.store.username_exists(username))
            .await
    }

    async fn account_named(&self, username: &str) -> Result<Option<Account>, StorageError> {
        self.call("account.named", self.store.account_named(username))
            .await
    }

    async fn login_candidates(&self, username: &str) -> Result<Option<Vec<CredentialHandle>>, StorageError> {
        self.call("account.login_candidates", self.store.login_candidates(username))
            .await
    }

    async fn commit_registration(
        &self,
        registration: NewRegistration,
    ) -> Result<RegistrationOutcome, StorageError> {
        let answer = self.store.commit_registration(registration);
        self.call("account.commit_registration", answer).await
    }

    async fn commit_assertion(&self, assertion: AssertionCommit) -> Result<AssertionOutcome, StorageError> {
        let answer = self.store.commit_assertion(assertion);
        self.call("account.commit_assertion", answer).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.call("store.ping", self.store.ping()).await
    }
}

#[async_trait]
impl<S: CloneStore + ?Sized> CloneStore for Observed<S> {
    async fn commit_clone_alarm(&self, alarm: CloneAlarm) -> Result<CloneAlarmOutcome, StorageError> {
        let answer = self.store.commit_clone_alarm(alarm);
        self.call("credential.clone_alarm", answer).await
    }

    async fn reinstate_credential(
        &self,
        reinstatement: Reinstatement,
    ) -> Result<ReinstatementOutcome, StorageError> {
        let answer = self.store.reinstate_credential(reinstatement);
        self.call("credential.reinstate", answer).await
    }
}

#[async_trait]
impl<S: AuditStore + ?Sized> AuditStore for Observed<S> {
    async fn append(&self, aftermath: Aftermath) -> Result<(), StorageError> {
        self.call("event.append", self.store.append(aftermath)).await
    }

    async fn events_of(
        &self,
        account: AccountId,
        after: Option<(UnixTime, EventId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StorageError> {
        self.call("event.list", self.store.events_of(account, after, limit))
            .await
    }
}

#[async_trait]
impl<S: AuditLogStore + ?Sized> AuditLogStore for Observed<S> {
    async fn waiting_events(
        &self,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<(EventId, StoredEvent)>, StorageError> {
        self.call("audit.waiting", self.store.waiting_events(after, limit))
            .await
    }

    async fn newest_batch(&self) -> Result<Option<AuditBatch>, StorageError> {
        self.call("audit.newest", self.store.newest_batch()).await
    }

    async fn seal(&self, batch: &AuditBatch, leaves: &[AuditLeaf]) -> Result<bool, StorageError> {
        self.call("audit.seal", self.store.seal(batch, leaves)).await
    }

    async fn batches(&self, after: u64, limit: u32) -> Result<Vec<AuditBatch>, StorageError> {
        self.call("audit.batches", self.store.batches(after, limit)).await
    }

    async fn batch_members(&self, batch: u64, limit: u32) -> Result<Vec<AuditMember>, StorageError> {
        self.call("audit.members", self.store.batch_members(batch, limit))
            .await
    }

    async fn unsealed_events(&self, after: Option<EventId>, span: u32) -> Result<UnsealedPage, StorageError> {
        self.call("audit.unsealed", self.store.unsealed_events(after, span))
            .await
    }

    async fn batch_of(&self, event: EventId) -> Result<Option<u64>, StorageError> {
        self.call("audit.batch_of", self.store.batch_of(event)).await
    }

    async fn audit_keys(&self) -> Result<Vec<AuditKey>, StorageError> {
        self.call("audit.keys", self.store.audit_keys()).await
    }

    async fn add_audit_key(&self, key: &AuditKey, unless_newer_than: UnixTime) -> Result<bool, StorageError> {
        self.call("audit.add_key", self.store.add_audit_key(key, unless_newer_than))
            .await
    }

    async fn audit_prunes(&self) -> Result<Vec<AuditPrune>, StorageError> {
        self.call("audit.prunes", self.store.audit_prunes()).await
    }

    async fn add_audit_prune(&self, prune: &AuditPrune) -> Result<bool, StorageError> {
        self.call("audit.add_prune", self.store.add_audit_prune(prune))
            .await
    }

    async fn drop_pruned_events(&self, limit: u32) -> Result<u64, StorageError> {
        self.call("audit.drop_pruned", self.store.drop_pruned_events(limit))
            .await
    }
}

#[async_trait]
impl<S: CredentialStore + ?Sized> CredentialStore for Observed<S> {
    async fn credential(&self, id: &CredentialId) -> Result<Option<OwnedCredential>, StorageError> {
        self.call("credential.find", self.store.credential(id)).await
    }

    async fn some_rp_id(&self) -> Result<Option<RpId>, StorageError> {
        self.call("credential.rp_id", self.store.some_rp_id()).await
    }

    async fn credentials_of(&self, account: AccountId) -> Result<Vec<Credential>, StorageError> {
        self.call("credential.list", self.store.credentials_of(account))
            .await
    }

    async fn rename_credential(
        &self,
        account: AccountId,
        id: &CredentialId,
        device_name: &str,
        audit: Aftermath,
    ) -> Result<Option<Credential>, StorageError> {
        let answer = self.store.rename_credential(account, id, device_name, audit);
        self.call("credential.rename", answer).await
    }

    async fn remove_credentials(&self, removal: Removal) -> Result<RemovalOutcome, StorageError> {
        self.call("credential.remove", self.store.remove_credentials(removal))
            .await
    }
}

#[async_trait]
impl<S: SessionStore + ?Sized> SessionStore for Observed<S> {
    async fn session(&self, family: &TokenHash) -> Result<Option<SignInSession>, StorageError> {
        self.call("session.find", self.store.session(family)).await
    }

    async fn sessions_of(&self, account: AccountId, now: UnixTime) -> Result<Vec<Session>, StorageError> {
        self.call("session.list", self.store.sessions_of(account, now))
            .await
    }

    async fn touch_session(&self, id: SessionId, seen_at: UnixTime) -> Result<(), StorageError> {
        self.call("session.touch", self.store.touch_session(id, seen_at))
            .await
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: UnixTime,
        audit: Aftermath,
    ) -> Result<Rotation, StorageError> {
        let answer = self.store.rotate_session(id, from, to, now, audit);
        self.call("session.rotate", answer).await
    }

    async fn end_sessions(
        &self,
        account: AccountId,
        ids: &[SessionId],
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.call("session.end", self.store.end_sessions(account, ids, audit))
            .await
    }

    async fn end_other_sessions(
        &self,
        account: AccountId,
        keep: Option<SessionId>,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        let answer = self.store.end_other_sessions(account, keep, audit);
        self.call("session.end_others", answer).await
    }

    async fn has_grant(
        &self,
        session: SessionId,
        purpose: &str,
        now: UnixTime,
    ) -> Result<bool, StorageError> {
        self.call("grant.find", self.store.has_grant(session, purpose, now))
            .await
    }

    async fn purge_expired_sessions(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.call("session.purge", self.store.purge_expired_sessions(now, limit))
            .await
    }
}

#[async_trait]
impl<S: SigningKeyStore + ?Sized> SigningKeyStore for Observed<S> {
    async fn signing_keys(&self, now: UnixTime) -> Result<Vec<SigningKey>, StorageError> {
        self.call("signing_key.list", self.store.signing_keys(now)).await
    }

    async fn add_signing_key(
        &self,
        key: SigningKey,
        unless_newer_than: UnixTime,
    ) -> Result<bool, StorageError> {
        let answer = self.store.add_signing_key(key, unless_newer_than);
        self.call("signing_key.add", answer).await
    }
}
