use async_trait::async_trait;
use keyhaven_storage::{
    Damaged, EncryptionKey, EncryptionState, PersonalRewrite, PersonalRow, PersonalStore, PersonalTable,
    StorageError,
};
use sqlx::{query, query_scalar};
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::Failure;
use crate::pool::Transaction;

#[async_trait]
impl PersonalStore for PostgresStore {
    async fn personal_rows(
        &self,
        table: PersonalTable,
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<PersonalRow>, StorageError> {
        self.answer("personal.list", || self.list_personal(table, after, limit))
            .await
    }

    async fn rewrite_personal(
        &self,
        table: PersonalTable,
        rewrites: &[PersonalRewrite],
    ) -> Result<u64, StorageError> {
        self.answer("personal.rewrite", || self.rewrite(table, rewrites))
            .await
    }

    async fn encryption_state(&self) -> Result<EncryptionState, StorageError> {
        self.answer("personal.encryption_state", || self.find_encryption_state())
            .await
    }

    async fn add_encryption_key(
        &self,
        key: &EncryptionKey,
        beside: &[[u8; 4]],
    ) -> Result<bool, StorageError> {
        self.answer("personal.add_key", || self.add_key(key, beside))
            .await
    }

    async fn drop_encryption_key(&self, id: [u8; 4]) -> Result<(), StorageError> {
        self.answer("personal.drop_key", || self.drop_key(id)).await
    }

    async fn set_all_encrypted(&self) -> Result<(), StorageError> {
        self.answer("personal.set_all_encrypted", || self.put_all_encrypted())
            .await
    }
}

impl PostgresStore {
    async fn list_personal(
        &self,
        table: PersonalTable,
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<PersonalRow>, Failure> {
        let limit = i64::from(limit);
        let mut lent = self.primary.lend().await?;
        let row = |id: Uuid, texts| PersonalRow {
            id: id.as_bytes().to_vec(),
            texts,
        };
        let rows = match table {
            PersonalTable::Accounts => {
                query!(
                    "SELECT id, username::text, display_name::text, email::text FROM accounts
                WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2",
                    after.and_then(uuid),
                    limit
                )
                .map(|found| row(found.id, vec![found.username, found.display_name, found.email]))
                .fetch_all(&mut *lent)
                .await
            }
            PersonalTable::AddressClaims => {
                query!(
                    "SELECT account_id, address::text FROM address_claims
                WHERE $1::uuid IS NULL OR account_id > $1 ORDER BY account_id LIMIT $2",
                    after.and_then(uuid),
                    limit
                )
                .map(|found| row(found.account_id, vec![found.address]))
                .fetch_all(&mut *lent)
                .await
            }
            PersonalTable::Credentials => {
                query!(
                    "SELECT credential_id, device_name::text, user_agent::text FROM credentials
                WHERE $1::bytea IS NULL OR credential_id > $1 ORDER BY credential_id LIMIT $2",
                    after,
                    limit
                )
                .map(|found| PersonalRow {
                    id: found.credential_id,
                    texts: vec![found.device_name, found.user_agent],
                })
                .fetch_all(&mut *lent)
                .await
            }
            PersonalTable::Sessions => {
                query!(
                    "SELECT id, ip::text, user_agent::text FROM sessions
                WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2",
                    after.and_then(uuid),
                    limit
                )
                .map(|found| row(found.id, vec![found.ip, found.user_agent]))
                .fetch_all(&mut *lent)
                .await
            }
        };
        lent.settle(rows)
    }

    async fn rewrite(&self, table: PersonalTable, rewrites: &[PersonalRewrite]) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let mut done = 0;
        for rewrite in rewrites {
            done += rewrite_one(&mut transaction, table, rewrite).await?;
        }
        transaction.commit().await?;
        lent.settle(Ok(done))
    }

    async fn find_encryption_state(&self) -> Result<EncryptionState, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            r#"SELECT s.all_encrypted, k.id AS "id?", k.wrapped_lookups AS "wrapped_lookups?"
            FROM encryption_state s LEFT JOIN encryption_keys k ON true WHERE s.one ORDER BY k.id"#
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        let mut state = EncryptionState::default();
        for row in rows {
            state.all_encrypted = row.all_encrypted;
            if let (Some(id), Some(wrapped_lookups)) = (row.id, row.wrapped_lookups) {
                let id = id.try_into().map_err(|_| Damaged("id of a key"))?;
                state.keys.push(EncryptionKey { id, wrapped_lookups });
            }
        }
        Ok(state)
    }

    /// Whoever adds or drops one waits for whoever does so already.
    async fn add_key(&self, key: &EncryptionKey, beside: &[[u8; 4]]) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        query!("SELECT all_encrypted FROM encryption_state WHERE one FOR UPDATE")
            .fetch_one(&mut *transaction)
            .await?;
        let known = query_scalar!("SELECT id FROM encryption_keys")
            .fetch_all(&mut *transaction)
            .await?;
        let among = |id: &[u8; 4]| known.iter().any(|known| known == id);
        let as_read = known.len() == beside.len() && beside.iter().all(among) && !among(&key.id);
        if as_read {
            query!(
                "INSERT INTO encryption_keys (id, wrapped_lookups) VALUES ($1::bytea, $2::bytea)",
                &key.id[..],
                &key.wrapped_lookups[..]
            )
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        lent.settle(Ok(as_read))
    }

    async fn drop_key(&self, id: [u8; 4]) -> Result<(), Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        query!("SELECT all_encrypted FROM encryption_state WHERE one FOR UPDATE")
            .fetch_one(&mut *transaction)
            .await?;
        query!(
            "DELETE FROM encryption_keys
            WHERE id = $1::bytea AND EXISTS (SELECT FROM encryption_keys WHERE id <> $1::bytea)",
            &id[..]
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        lent.settle(Ok(()))
    }

    async fn put_all_encrypted(&self) -> Result<(), Failure> {
        let mut lent = self.primary.lend().await?;
        let set = query!("UPDATE encryption_state SET all_encrypted = true WHERE one")
            .execute(&mut *lent)
            .await;
        lent.settle(set).map(|_| ())
    }
}

fn uuid(id: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(id).ok()
}

/// In order of their ids, as the rows come: two who do it at once wait for each other, and for nothing else.
async fn rewrite_one(
    transaction: &mut Transaction<'_>,
    table: PersonalTable,
    rewrite: &PersonalRewrite,
) -> Result<u64, sqlx::Error> {
    let text = |texts: &[Option<String>], place: usize| texts.get(place).cloned().flatten();
    let from = |place| text(&rewrite.from.texts, place);
    let to = |place| text(&rewrite.to, place);
    let id = &rewrite.from.id[..];
    let done = match table {
        PersonalTable::Accounts => {
            query!(
                "UPDATE accounts SET username = $5::text, display_name = $6::text, email = $7::text
                WHERE id = $1::uuid AND username = $2::text AND display_name = $3::text
                    AND email IS NOT DISTINCT FROM $4::text",
                uuid(id),
                from(0),
                from(1),
                from(2),
                to(0),
                to(1),
                to(2)
            )
            .execute(&mut **transaction)
            .await?
        }
        PersonalTable::AddressClaims => {
            query!(
                "UPDATE address_claims SET address = $3::text WHERE account_id = $1::uuid AND address = $2::text",
                uuid(id),
                from(0),
                to(0)
            )
            .execute(&mut **transaction)
            .await?
        }
        PersonalTable::Credentials => {
            query!(
                "UPDATE credentials SET device_name = $4::text, user_agent = $5::text
                WHERE credential_id = $1::bytea AND device_name = $2::text
                    AND user_agent IS NOT DISTINCT FROM $3::text",
                id,
                from(0),
                from(1),
                to(0),
                to(1)
            )
            .execute(&mut **transaction)
            .await?
        }
        PersonalTable::Sessions => {
            query!(
                "UPDATE sessions SET ip = $4::text, user_agent = $5::text
                WHERE id = $1::uuid AND ip IS NOT DISTINCT FROM $2::text AND user_agent IS NOT DISTINCT FROM $3::text",
                uuid(id),
                from(0),
                from(1),
                to(0),
                to(1)
            )
            .execute(&mut **transaction)
            .await?
        }
    };
    Ok(done.rows_affected())
}
