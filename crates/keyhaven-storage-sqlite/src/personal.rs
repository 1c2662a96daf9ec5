use async_trait::async_trait;
use keyhaven_storage::{
    Damaged, EncryptionKey, EncryptionState, PersonalRewrite, PersonalRow, PersonalStore, PersonalTable,
    StorageError, lookup_key,
};
use sqlx::{SqliteConnection, query, query_scalar};

use crate::SqliteStore;
use crate::error::Failure;

#[async_trait]
impl PersonalStore for SqliteStore {
    async fn personal_rows(
        &self,
        table: PersonalTable,
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<PersonalRow>, StorageError> {
        self.list_personal(table, after.unwrap_or_default(), limit)
            .await
            .map_err(Failure::of("personal.list"))
    }

    async fn rewrite_personal(
        &self,
        table: PersonalTable,
        rewrites: &[PersonalRewrite],
    ) -> Result<u64, StorageError> {
        self.rewrite(table, rewrites)
            .await
            .map_err(Failure::of("personal.rewrite"))
    }

    async fn encryption_state(&self) -> Result<EncryptionState, StorageError> {
        self.find_encryption_state()
            .await
            .map_err(Failure::of("personal.encryption_state"))
    }

    async fn add_encryption_key(
        &self,
        key: &EncryptionKey,
        beside: &[[u8; 4]],
    ) -> Result<bool, StorageError> {
        self.add_key(key, beside)
            .await
            .map_err(Failure::of("personal.add_key"))
    }

    async fn drop_encryption_key(&self, id: [u8; 4]) -> Result<(), StorageError> {
        self.drop_key(id).await.map_err(Failure::of("personal.drop_key"))
    }

    async fn set_all_encrypted(&self) -> Result<(), StorageError> {
        let set = query!("UPDATE encryption_state SET all_encrypted = 1");
        let set = set.execute(&self.writer).await.map_err(Failure::from);
        set.map(|_| ()).map_err(Failure::of("personal.set_all_encrypted"))
    }
}

async fn keys(connection: &mut SqliteConnection) -> Result<Vec<EncryptionKey>, Failure> {
    let rows = query!("SELECT id, wrapped_lookups FROM encryption_keys ORDER BY id");
    let rows = rows.fetch_all(connection).await?;
    let keys = rows.into_iter().map(|row| {
        Ok(EncryptionKey {
            id: row.id.try_into().map_err(|_| Damaged("id of a key"))?,
            wrapped_lookups: row.wrapped_lookups,
        })
    });
    keys.collect()
}

impl SqliteStore {
    async fn find_encryption_state(&self) -> Result<EncryptionState, Failure> {
        let mut moment = self.readers.begin().await?;
        let all = query_scalar!(r#"SELECT all_encrypted AS "all!: bool" FROM encryption_state"#);
        Ok(EncryptionState {
            all_encrypted: all.fetch_one(&mut *moment).await?,
            keys: keys(&mut moment).await?,
        })
    }

    async fn add_key(&self, key: &EncryptionKey, beside: &[[u8; 4]]) -> Result<bool, Failure> {
        let mut transaction = self.write().await?;
        let known = keys(&mut transaction).await?;
        let among = |id: &[u8; 4]| known.iter().any(|known| known.id == *id);
        if known.len() != beside.len() || !beside.iter().all(among) || among(&key.id) {
            transaction.rollback().await?;
            return Ok(false);
        }
        query!(
            "INSERT INTO encryption_keys (id, wrapped_lookups) VALUES (?1, ?2)",
            &key.id[..],
            key.wrapped_lookups
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn drop_key(&self, id: [u8; 4]) -> Result<(), Failure> {
        query!(
            "DELETE FROM encryption_keys WHERE id = ?1 AND EXISTS (SELECT 1 FROM encryption_keys WHERE id <> ?1)",
            &id[..]
        )
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// No id is empty: all are after that.
    async fn list_personal(
        &self,
        table: PersonalTable,
        after: &[u8],
        limit: u32,
    ) -> Result<Vec<PersonalRow>, Failure> {
        Ok(match table {
            PersonalTable::Accounts => query!(
                "SELECT id, username, display_name, email FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2",
                after,
                limit
            )
            .fetch_all(&self.readers)
            .await?
            .into_iter()
            .map(|row| PersonalRow {
                id: row.id,
                texts: vec![Some(row.username), Some(row.display_name), row.email],
            })
            .collect(),
            PersonalTable::AddressClaims => query!(
                "SELECT account_id, address FROM address_claims WHERE account_id > ?1 ORDER BY account_id LIMIT ?2",
                after,
                limit
            )
            .fetch_all(&self.readers)
            .await?
            .into_iter()
            .map(|row| PersonalRow {
                id: row.account_id,
                texts: vec![Some(row.address)],
            })
            .collect(),
            PersonalTable::Credentials => query!(
                "SELECT credential_id, device_name, user_agent FROM credentials WHERE credential_id > ?1
                ORDER BY credential_id LIMIT ?2",
                after,
                limit
            )
            .fetch_all(&self.readers)
            .await?
            .into_iter()
            .map(|row| PersonalRow {
                id: row.credential_id,
                texts: vec![Some(row.device_name), row.user_agent],
            })
            .collect(),
            PersonalTable::Sessions => query!(
                "SELECT id, ip, user_agent FROM sessions WHERE id > ?1 ORDER BY id LIMIT ?2",
                after,
                limit
            )
            .fetch_all(&self.readers)
            .await?
            .into_iter()
            .map(|row| PersonalRow {
                id: row.id,
                texts: vec![row.ip, row.user_agent],
            })
            .collect(),
        })
    }

    async fn rewrite(&self, table: PersonalTable, rewrites: &[PersonalRewrite]) -> Result<u64, Failure> {
        let mut transaction = self.write().await?;
        let mut done = 0;
        for rewrite in rewrites {
            done += rewrite_one(&mut transaction, table, rewrite).await?;
        }
        transaction.commit().await?;
        Ok(done)
    }
}

async fn rewrite_one(
    connection: &mut SqliteConnection,
    table: PersonalTable,
    rewrite: &PersonalRewrite,
) -> Result<u64, Failure> {
    let text = |texts: &[Option<String>], place: usize| texts.get(place).cloned().flatten();
    let from = |place| text(&rewrite.from.texts, place);
    let to = |place| text(&rewrite.to, place);
    let id = &rewrite.from.id;
    let done = match table {
        PersonalTable::Accounts => {
            let (username, email) = (to(0), to(2));
            query!(
                "UPDATE accounts SET username = ?5, display_name = ?6, email = ?7, username_key = ?8, email_key = ?9
                WHERE id = ?1 AND username = ?2 AND display_name = ?3 AND email IS ?4",
                id,
                from(0),
                from(1),
                from(2),
                username,
                to(1),
                email,
                username.as_deref().map(lookup_key),
                email.as_deref().map(lookup_key)
            )
            .execute(connection)
            .await?
        }
        PersonalTable::AddressClaims => {
            query!(
                "UPDATE address_claims SET address = ?3 WHERE account_id = ?1 AND address = ?2",
                id,
                from(0),
                to(0)
            )
            .execute(connection)
            .await?
        }
        PersonalTable::Credentials => {
            query!(
                "UPDATE credentials SET device_name = ?4, user_agent = ?5
                WHERE credential_id = ?1 AND device_name = ?2 AND user_agent IS ?3",
                id,
                from(0),
                from(1),
                to(0),
                to(1)
            )
            .execute(connection)
            .await?
        }
        PersonalTable::Sessions => query!(
            "UPDATE sessions SET ip = ?4, user_agent = ?5 WHERE id = ?1 AND ip IS ?2 AND user_agent IS ?3",
            id,
            from(0),
            from(1),
            to(0),
            to(1)
        )
        .execute(connection)
        .await?,
    };
    Ok(done.rows_affected())
}
