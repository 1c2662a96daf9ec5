use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Observed;
use crate::{
    Account, AccountId, Aftermath, Deletion, DeletionOutcome, PrivacyStore, SessionId, StorageError,
    UnusedPage,
};

#[async_trait]
impl<S: PrivacyStore + ?Sized> PrivacyStore for Observed<S> {
    async fn delete_account(&self, deletion: Deletion) -> Result<DeletionOutcome, StorageError> {
        self.call("account.delete", self.store.delete_account(deletion))
            .await
    }

    async fn change_display_name(
        &self,
        account: AccountId,
        display_name: &str,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<Option<Account>, StorageError> {
        let answer = self.store.change_display_name(account, display_name, at, audit);
        self.call("account.rename", answer).await
    }

    async fn unused_accounts(
        &self,
        after: Option<AccountId>,
        since: UnixTime,
        limit: u32,
    ) -> Result<UnusedPage, StorageError> {
        self.call("account.unused", self.store.unused_accounts(after, since, limit))
            .await
    }

    async fn forget_session_clients(
        &self,
        after: Option<SessionId>,
        before: UnixTime,
        limit: u32,
    ) -> Result<Option<SessionId>, StorageError> {
        let answer = self.store.forget_session_clients(after, before, limit);
        self.call("session.forget_clients", answer).await
    }
}
