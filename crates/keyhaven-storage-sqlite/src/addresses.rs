use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, AddressClaim, AddressStore, Aftermath, ClaimOutcome, NewClaim, ProofOutcome,
    SessionId, StorageError, TokenHash, columns, lookup_key,
};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::standing::{is_active, is_live, use_grant};
use crate::{SqliteStore, audit, recovery};

#[async_trait]
impl AddressStore for SqliteStore {
    async fn address_owner(&self, address: &str) -> Result<Option<Account>, StorageError> {
        self.find_owner(address)
            .await
            .map_err(Failure::of("address.owner"))
    }

    async fn address_claim(&self, account: AccountId) -> Result<Option<AddressClaim>, StorageError> {
        let mut connection = self.readers.acquire().await.map_err(Failure::from);
        match &mut connection {
            Ok(connection) => find_claim(connection, account).await,
            Err(_) => connection.map(|_| None),
        }
        .map_err(Failure::of("address.find_claim"))
    }

    async fn mails_to(&self, address_hash: &[u8; 32], since: UnixTime) -> Result<u64, StorageError> {
        self.count_mails_to(address_hash, since)
            .await
            .map_err(Failure::of("address.mails"))
    }

    async fn claim_address(&self, claim: NewClaim) -> Result<ClaimOutcome, StorageError> {
        self.claim(&claim).await.map_err(Failure::of("address.claim"))
    }

    async fn prove_address(
        &self,
        account: AccountId,
        session: SessionId,
        token_hash: &TokenHash,
        username: Option<&str>,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<ProofOutcome, StorageError> {
        self.prove(account, session, token_hash, username, at, &audit)
            .await
            .map_err(Failure::of("address.prove"))
    }

    async fn drop_expired_claims(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.drop_claims(now, limit)
            .await
            .map_err(Failure::of("address.purge"))
    }

    async fn forget_claim_mails(&self, until: UnixTime, limit: u32) -> Result<u64, StorageError> {
        let forgotten = query!(
            "DELETE FROM past_claim_mails WHERE rowid IN (
                SELECT rowid FROM past_claim_mails WHERE mailed_at <= ?1 LIMIT ?2
            )",
            until.as_millis(),
            limit
        );
        let forgotten = forgotten.execute(&self.writer).await.map_err(Failure::from);
        forgotten
            .map(|forgotten| forgotten.rows_affected())
            .map_err(Failure::of("address.forget_mails"))
    }
}

/// Writes a claim in place of the one before, as part of a commit; mails since then to the same address are counted on.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    claim: &AddressClaim,
    mailed_since: UnixTime,
) -> Result<(), Failure> {
    query!(
        "INSERT INTO address_claims (account_id, address, address_hash, token_hash, token_expires_at, mails, mailed_at,
            expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (account_id) DO UPDATE SET address = excluded.address, address_hash = excluded.address_hash,
            token_hash = excluded.token_hash, token_expires_at = excluded.token_expires_at,
            mails = excluded.mails + CASE
                WHEN address_claims.address_hash = excluded.address_hash AND address_claims.mailed_at > ?9
                THEN address_claims.mails ELSE 0 END,
            mailed_at = CASE
                WHEN address_claims.address_hash = excluded.address_hash AND address_claims.mailed_at > ?9
                    AND excluded.mails = 0
                THEN address_claims.mailed_at ELSE excluded.mailed_at END,
            expires_at = excluded.expires_at",
        claim.account.0,
        claim.address,
        &claim.address_hash[..],
        &claim.token_hash.0[..],
        claim.token_expires_at.as_millis(),
        claim.mails,
        claim.mailed_at.as_millis(),
        claim.expires_at.as_millis(),
        mailed_since.as_millis(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn find_claim(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<Option<AddressClaim>, Failure> {
    let row = query!(
        r#"SELECT account_id AS "account_id!: Uuid", address, address_hash, token_hash, token_expires_at, mails,
            mailed_at, expires_at
        FROM address_claims WHERE account_id = ?1"#,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(columns::address_claim!(row)))
}

async fn owner(connection: &mut SqliteConnection, address: &str) -> Result<Option<Account>, Failure> {
    let key = lookup_key(address);
    let row = query!(
        r#"SELECT id AS "account_id!: Uuid", user_handle, username, display_name, email,
            email_verified AS "email_verified!: bool", active AS "account_active!: bool", is_admin AS "is_admin!: bool",
            created_at AS "account_created_at!", updated_at, last_login_at
        FROM accounts WHERE email_key = ?1 COLLATE NOCASE AND email_verified = 1"#,
        key
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(columns::account!(row)))
}

impl SqliteStore {
    async fn find_owner(&self, address: &str) -> Result<Option<Account>, Failure> {
        let mut connection = self.readers.acquire().await?;
        owner(&mut connection, address).await
    }

    async fn count_mails_to(&self, address_hash: &[u8; 32], since: UnixTime) -> Result<u64, Failure> {
        let hash = &address_hash[..];
        let sum = query_scalar!(
            r#"SELECT coalesce(sum(mails), 0) AS "mails!: i64" FROM (
                SELECT mails FROM address_claims WHERE address_hash = ?1 AND mailed_at > ?2
                UNION ALL SELECT mails FROM past_claim_mails WHERE address_hash = ?1 AND mailed_at > ?2
            )"#,
            hash,
            since.as_millis()
        );
        Ok(columns::count(
            sum.fetch_one(&self.readers).await?,
            "number of mails",
        )?)
    }

    async fn claim(&self, new: &NewClaim) -> Result<ClaimOutcome, Failure> {
        let mut transaction = self.write().await?;
        let outcome = write_claim(&mut transaction, new).await?;
        match outcome {
            ClaimOutcome::Claimed => transaction.commit().await?,
            ClaimOutcome::AccountUnavailable
            | ClaimOutcome::ClaimMissing
            | ClaimOutcome::GrantMissing
            | ClaimOutcome::SessionEnded => transaction.rollback().await?,
        }
        Ok(outcome)
    }

    async fn prove(
        &self,
        account: AccountId,
        session: SessionId,
        token_hash: &TokenHash,
        username: Option<&str>,
        at: UnixTime,
        audit: &Aftermath,
    ) -> Result<ProofOutcome, Failure> {
        let mut transaction = self.write().await?;
        let claim = find_claim(&mut transaction, account).await?;
        let good = claim.filter(|claim| claim.token_hash == *token_hash && claim.token_expires_at > at);
        let Some(claim) = good else {
            transaction.rollback().await?;
            return Ok(ProofOutcome::ClaimMissing);
        };
        if !is_active(&mut transaction, account).await?
            || !is_live(&mut transaction, session, account, at).await?
        {
            transaction.rollback().await?;
            return Ok(ProofOutcome::SessionEnded);
        }
        let other = owner(&mut transaction, &claim.address).await?;
        if other.is_some_and(|other| other.id != account) {
            transaction.rollback().await?;
            return Ok(ProofOutcome::Taken);
        }
        if let Some(key) = username.map(lookup_key) {
            let named = query_scalar!(
                r#"SELECT EXISTS (SELECT 1 FROM accounts WHERE username_key = ?1 AND id <> ?2) AS "taken!: bool""#,
                key,
                account.0
            );
            if named.fetch_one(&mut *transaction).await? {
                transaction.rollback().await?;
                return Ok(ProofOutcome::Taken);
            }
        }
        query!("DELETE FROM address_claims WHERE account_id = ?1", account.0)
            .execute(&mut *transaction)
            .await?;
        let row = query!(
            r#"UPDATE accounts
            SET email = ?2, email_key = ?5, email_verified = 1, updated_at = ?3,
                username = coalesce(?4, username), username_key = coalesce(?6, username_key)
            WHERE id = ?1
            RETURNING id AS "account_id!: Uuid", user_handle AS "user_handle!", username AS "username!",
                display_name AS "display_name!", email AS "email?", email_verified AS "email_verified!: bool",
                active AS "account_active!: bool", is_admin AS "is_admin!: bool", created_at AS "account_created_at!",
                updated_at AS "updated_at!", last_login_at AS "last_login_at?""#,
            account.0,
            claim.address,
            at.as_millis(),
            username,
            lookup_key(&claim.address),
            username.map(lookup_key)
        )
        .fetch_one(&mut *transaction)
        .await?;
        let proven = columns::account!(row);
        // Codes that went to the address before, and waits that began there.
        recovery::end_all(&mut transaction, account).await?;
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        Ok(ProofOutcome::Proven(proven))
    }

    async fn drop_claims(&self, now: UnixTime, limit: u32) -> Result<u64, Failure> {
        let mut transaction = self.write().await?;
        let dropped = query_scalar!(
            r#"DELETE FROM address_claims WHERE account_id IN (
                SELECT account_id FROM address_claims WHERE expires_at <= ?1 LIMIT ?2
            ) RETURNING account_id AS "account_id!: Uuid""#,
            now.as_millis(),
            limit
        );
        let dropped = dropped.fetch_all(&mut *transaction).await?;
        for account in &dropped {
            query!(
                "UPDATE accounts SET email = NULL, email_key = NULL, updated_at = ?2 WHERE id = ?1 AND email_verified = 0",
                account,
                now.as_millis()
            )
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(u64::try_from(dropped.len()).unwrap_or(u64::MAX))
    }
}

async fn write_claim(connection: &mut SqliteConnection, new: &NewClaim) -> Result<ClaimOutcome, Failure> {
    let account = new.claim.account;
    if !is_active(&mut *connection, account).await? {
        return Ok(ClaimOutcome::AccountUnavailable);
    }
    if !is_live(&mut *connection, new.session, account, new.at).await? {
        return Ok(ClaimOutcome::SessionEnded);
    }
    if let Some(token) = &new.renews {
        let before = find_claim(connection, account).await?;
        if before.is_none_or(|before| before.token_hash != *token) {
            return Ok(ClaimOutcome::ClaimMissing);
        }
    }
    if let Some(purpose) = &new.uses_grant
        && !use_grant(&mut *connection, new.session, purpose, new.at).await?
    {
        return Ok(ClaimOutcome::GrantMissing);
    }
    let now = new.at.as_millis();
    query!(
        "UPDATE accounts SET email = ?2, email_key = ?4, updated_at = ?3 WHERE id = ?1 AND email_verified = 0",
        account.0,
        new.claim.address,
        now,
        lookup_key(&new.claim.address)
    )
    .execute(&mut *connection)
    .await?;
    put(connection, &new.claim, new.mailed_since).await?;
    audit::append(connection, &new.audit).await?;
    Ok(ClaimOutcome::Claimed)
}
