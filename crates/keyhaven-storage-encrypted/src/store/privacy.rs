use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Encrypted;
use crate::ring::Column;
use keyhaven_storage::{
    Account, AccountId, Aftermath, Deletion, DeletionOutcome, PrivacyStore, SessionId, StorageError,
    UnusedPage,
};

#[async_trait]
impl<S: PrivacyStore + ?Sized> PrivacyStore for Encrypted<S> {
    async fn delete_account(&self, deletion: Deletion) -> Result<DeletionOutcome, StorageError> {
        self.store.delete_account(deletion).await
    }

    async fn change_display_name(
        &self,
        account: AccountId,
        display_name: &str,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<Option<Account>, StorageError> {
        let name = self.text_in(Column::DisplayName, account.0.as_bytes(), display_name)?;
        let renamed = self.store.change_display_name(account, &name, at, audit).await?;
        renamed.map(|account| self.account_out(account)).transpose()
    }

    async fn unused_accounts(
        &self,
        after: Option<AccountId>,
        since: UnixTime,
        limit: u32,
    ) -> Result<UnusedPage, StorageError> {
        self.store.unused_accounts(after, since, limit).await
    }

    async fn forget_session_clients(
        &self,
        after: Option<SessionId>,
        before: UnixTime,
        limit: u32,
    ) -> Result<Option<SessionId>, StorageError> {
        self.store.forget_session_clients(after, before, limit).await
    }
}
