use async_trait::async_trait;

use super::Observed;
use crate::{PersonalRewrite, PersonalRow, PersonalStore, PersonalTable, StorageError};

#[async_trait]
impl<S: PersonalStore + ?Sized> PersonalStore for Observed<S> {
    async fn personal_rows(
        &self,
        table: PersonalTable,
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<PersonalRow>, StorageError> {
        self.call("personal.list", self.store.personal_rows(table, after, limit))
            .await
    }

    async fn rewrite_personal(
        &self,
        table: PersonalTable,
        rewrites: &[PersonalRewrite],
    ) -> Result<u64, StorageError> {
        self.call("personal.rewrite", self.store.rewrite_personal(table, rewrites))
            .await
    }

    async fn all_encrypted(&self) -> Result<bool, StorageError> {
        self.call("personal.all_encrypted", self.store.all_encrypted())
            .await
    }

    async fn set_all_encrypted(&self) -> Result<(), StorageError> {
        self.call("personal.set_all_encrypted", self.store.set_all_encrypted())
            .await
    }
}
