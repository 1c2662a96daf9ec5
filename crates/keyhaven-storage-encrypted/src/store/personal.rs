use async_trait::async_trait;

use super::Encrypted;
use keyhaven_storage::{
    EncryptionKey, EncryptionState, PersonalRewrite, PersonalRow, PersonalStore, PersonalTable, StorageError,
};

#[async_trait]
impl<S: PersonalStore + ?Sized> PersonalStore for Encrypted<S> {
    async fn personal_rows(
        &self,
        table: PersonalTable,
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<PersonalRow>, StorageError> {
        self.store.personal_rows(table, after, limit).await
    }

    async fn rewrite_personal(
        &self,
        table: PersonalTable,
        rewrites: &[PersonalRewrite],
    ) -> Result<u64, StorageError> {
        self.store.rewrite_personal(table, rewrites).await
    }

    async fn encryption_state(&self) -> Result<EncryptionState, StorageError> {
        self.store.encryption_state().await
    }

    async fn add_encryption_key(
        &self,
        key: &EncryptionKey,
        beside: &[[u8; 4]],
    ) -> Result<bool, StorageError> {
        self.store.add_encryption_key(key, beside).await
    }

    async fn drop_encryption_key(&self, id: [u8; 4]) -> Result<(), StorageError> {
        self.store.drop_encryption_key(id).await
    }

    async fn set_all_encrypted(&self) -> Result<(), StorageError> {
        self.store.set_all_encrypted().await
    }
}
