use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Observed;
use crate::{
    AccountId, AccountStanding, AdminChange, AdminOutcome, AdminStore, Aftermath, AuditEvent, Enrolment,
    EventId, ListedAccount, OpenedSession, StorageError, TokenHash,
};

#[async_trait]
impl<S: AdminStore + ?Sized> AdminStore for Observed<S> {
    async fn accounts(
        &self,
        after: Option<(UnixTime, AccountId)>,
        limit: u32,
    ) -> Result<Vec<ListedAccount>, StorageError> {
        self.call("account.list", self.store.accounts(after, limit)).await
    }

    async fn account_standing(
        &self,
        account: AccountId,
        now: UnixTime,
    ) -> Result<AccountStanding, StorageError> {
        self.call("account.standing", self.store.account_standing(account, now))
            .await
    }

    async fn administer(&self, change: AdminChange) -> Result<AdminOutcome, StorageError> {
        self.call("account.administer", self.store.administer(change))
            .await
    }

    async fn enrolment(&self, token: &TokenHash) -> Result<Option<Enrolment>, StorageError> {
        self.call("enrolment.find", self.store.enrolment(token)).await
    }

    async fn redeem_enrolment(
        &self,
        token: &TokenHash,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        let answer = self.store.redeem_enrolment(token, at, opened, audit);
        self.call("enrolment.redeem", answer).await
    }

    async fn drop_expired_enrolments(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        let answer = self.store.drop_expired_enrolments(now, limit);
        self.call("enrolment.purge", answer).await
    }

    async fn events(&self, below: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>, StorageError> {
        self.call("event.list_all", self.store.events(below, limit)).await
    }
}
