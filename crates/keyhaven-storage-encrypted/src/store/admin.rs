use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Encrypted;
use keyhaven_storage::{
    AccountId, AccountStanding, AdminChange, AdminOutcome, AdminStore, Aftermath, AuditEvent, Enrolment,
    EventId, ListedAccount, OpenedSession, StorageError, TokenHash,
};

#[async_trait]
impl<S: AdminStore + ?Sized> AdminStore for Encrypted<S> {
    async fn accounts(
        &self,
        after: Option<(UnixTime, AccountId)>,
        limit: u32,
    ) -> Result<Vec<ListedAccount>, StorageError> {
        let found = self.store.accounts(after, limit).await?;
        found.into_iter().map(|listed| self.listed_out(listed)).collect()
    }

    async fn account_standing(
        &self,
        account: AccountId,
        now: UnixTime,
    ) -> Result<AccountStanding, StorageError> {
        self.store.account_standing(account, now).await
    }

    async fn administer(&self, change: AdminChange) -> Result<AdminOutcome, StorageError> {
        self.store.administer(change).await
    }

    async fn enrolment(&self, token: &TokenHash) -> Result<Option<Enrolment>, StorageError> {
        self.store.enrolment(token).await
    }

    async fn redeem_enrolment(
        &self,
        token: &TokenHash,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        let opened = self.opened_in(opened)?;
        self.store.redeem_enrolment(token, at, opened, audit).await
    }

    async fn drop_expired_enrolments(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.store.drop_expired_enrolments(now, limit).await
    }

    async fn events(&self, below: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>, StorageError> {
        self.store.events(below, limit).await
    }
}

impl<S: ?Sized> Encrypted<S> {
    fn listed_out(&self, listed: ListedAccount) -> Result<ListedAccount, StorageError> {
        Ok(ListedAccount {
            account: self.account_out(listed.account)?,
            has_passkey: listed.has_passkey,
        })
    }
}
