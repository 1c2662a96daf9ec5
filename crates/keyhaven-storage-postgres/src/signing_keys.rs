use async_trait::async_trait;
use keyhaven_storage::{SigningKey, SigningKeyStore, StorageError};
use keyhaven_types::UnixTime;
use sqlx::query;

use crate::PostgresStore;
use crate::error::Failure;
use crate::pool::Lent;

#[async_trait]
impl SigningKeyStore for PostgresStore {
    async fn signing_keys(&self, now: UnixTime) -> Result<Vec<SigningKey>, StorageError> {
        self.answer("signing_key.list", || self.list_signing_keys(now))
            .await
    }

    async fn add_signing_key(
        &self,
        key: SigningKey,
        unless_newer_than: UnixTime,
    ) -> Result<bool, StorageError> {
        self.answer("signing_key.add", || {
            self.insert_signing_key(&key, unless_newer_than)
        })
        .await
    }
}

impl PostgresStore {
    async fn list_signing_keys(&self, now: UnixTime) -> Result<Vec<SigningKey>, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            "SELECT id, algorithm, public_jwk, sealed_private_key, created_at, expires_at
            FROM signing_keys WHERE expires_at > $1
            ORDER BY created_at DESC, id",
            now.as_millis()
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
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
        let mut lent = self.primary.lend().await?;
        let added = add(&mut lent, key, unless_newer_than).await;
        lent.settle(Ok(added?))
    }
}

async fn add(lent: &mut Lent, key: &SigningKey, unless_newer_than: UnixTime) -> Result<bool, sqlx::Error> {
    let mut transaction = lent.begin().await?;
    // First the lock, then the look: the statements below see what the process before has committed.
    query!("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *transaction)
        .await?;
    query!(
        "DELETE FROM signing_keys WHERE expires_at <= $1",
        key.created_at.as_millis()
    )
    .execute(&mut *transaction)
    .await?;
    let added = query!(
        "INSERT INTO signing_keys (id, algorithm, public_jwk, sealed_private_key, created_at, expires_at)
        SELECT $1::text, $2::text, $3::text, $4::bytea, $5::bigint, $6::bigint
        WHERE NOT EXISTS (SELECT FROM signing_keys WHERE created_at >= $7)",
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
