use async_trait::async_trait;
use keyhaven_storage::{SigningKey, SigningKeyStore, StorageError};
use keyhaven_types::UnixTime;
use sqlx::query;

use crate::SqliteStore;
use crate::error::Failure;

#[async_trait]
impl SigningKeyStore for SqliteStore {
    async fn signing_keys(&self, now: UnixTime) -> Result<Vec<SigningKey>, StorageError> {
        self.list_signing_keys(now)
            .await
            .map_err(Failure::of("signing_key.list"))
    }

    async fn add_signing_key(
        &self,
        key: SigningKey,
        unless_newer_than: UnixTime,
    ) -> Result<bool, StorageError> {
        self.insert_signing_key(&key, unless_newer_than)
            .await
            .map_err(Failure::of("signing_key.add"))
    }
}

impl SqliteStore {
    async fn list_signing_keys(&self, now: UnixTime) -> Result<Vec<SigningKey>, Failure> {
        let rows = query!(
            "SELECT id, algorithm, public_jwk, sealed_private_key, created_at, expires_at
            FROM signing_keys WHERE expires_at > ?1
            ORDER BY created_at DESC, rowid DESC",
            now.as_millis()
        )
        .fetch_all(&self.readers)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| SigningKey {
                id: row.id,
                algorithm: row.algorithm,
                public_jwk: row.public_jwk,
                sealed_private_key: row.sealed_private_key,
                created_at: UnixTime::from_millis(row.created_at),
                expires_at: UnixTime::from_millis(row.expires_at),
            })
            .collect())
    }

    async fn insert_signing_key(
        &self,
        key: &SigningKey,
        unless_newer_than: UnixTime,
    ) -> Result<bool, Failure> {
        let mut transaction = self.write().await?;
        query!(
            "DELETE FROM signing_keys WHERE expires_at <= ?1",
            key.created_at.as_millis()
        )
        .execute(&mut *transaction)
        .await?;
        let added = query!(
            "INSERT INTO signing_keys (id, algorithm, public_jwk, sealed_private_key, created_at, expires_at)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE created_at >= ?7)",
            key.id,
            key.algorithm,
            key.public_jwk,
            key.sealed_private_key,
            key.created_at.as_millis(),
            key.expires_at.as_millis(),
            unless_newer_than.as_millis(),
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(added.rows_affected() == 1)
    }
}
