use async_trait::async_trait;

use super::Observed;
use crate::{
    EncryptionKey, EncryptionState, PersonalRewrite, PersonalRow, PersonalStore, PersonalTable, StorageError,
};

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

    async fn encryption_state(&self) -> Result<EncryptionState, StorageError> {
        self.call("personal.encryption_state", self.store.encryption_state())
            .await
    }

    async fn add_encryption_key(
        &self,
        key: &EncryptionKey,
        beside: &[[u8; 4]],
    ) -> Result<bool, StorageError> {
        self.call("personal.add_key", self.store.add_encryption_key(key, beside))
            .await
    }

    async fn drop_encryption_key(&self, id: [u8; 4]) -> Result<(), StorageError> {
        self.call("personal.drop_key", self.store.drop_encryption_key(id))
            .await
    }

    async fn set_all_encrypted(&self) -> Result<(), StorageError> {
        self.call("personal.set_all_encrypted", self.store.set_all_encrypted())
            .await
    }
}
