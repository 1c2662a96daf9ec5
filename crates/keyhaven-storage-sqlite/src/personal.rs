use async_trait::async_trait;
use keyhaven_storage::{
    PersonalRewrite, PersonalRow, PersonalStore, PersonalTable, StorageError, lookup_key,
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

    async fn all_encrypted(&self) -> Result<bool, StorageError> {
        let all = query_scalar!(r#"SELECT all_encrypted AS "all!: bool" FROM encryption_state"#);
        let all = all.fetch_one(&self.readers).await.map_err(Failure::from);
        all.map_err(Failure::of("personal.all_encrypted"))
    }

    async fn set_all_encrypted(&self) -> Result<(), StorageError> {
        let set = query!("UPDATE encryption_state SET all_encrypted = 1");
        let set = set.execute(&self.writer).await.map_err(Failure::from);
        set.map(|_| ()).map_err(Failure::of("personal.set_all_encrypted"))
    }
}

impl SqliteStore {
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
