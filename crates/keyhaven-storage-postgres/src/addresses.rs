use async_trait::async_trait;
use keyhaven_storage::{
    Account, AccountId, AddressClaim, AddressStore, Aftermath, ClaimOutcome, NewClaim, ProofOutcome,
    SessionId, StorageError, TokenHash, columns, lookup_key,
};
use keyhaven_types::UnixTime;
use sqlx::{PgConnection, query, query_scalar};

use crate::error::{Failure, unique_violation};
use crate::pool::Transaction;
use crate::standing::{lock_active, lock_live, use_grant};
use crate::{PostgresStore, audit, recovery};

#[async_trait]
impl AddressStore for PostgresStore {
    async fn address_owner(&self, address: &str) -> Result<Option<Account>, StorageError> {
        self.answer("address.owner", || self.find_owner(address)).await
    }

    async fn address_claim(&self, account: AccountId) -> Result<Option<AddressClaim>, StorageError> {
        self.answer("address.find_claim", || self.find_claim(account))
            .await
    }

    async fn mails_to(&self, address_hash: &[u8; 32], since: UnixTime) -> Result<u64, StorageError> {
        self.answer("address.mails", || self.count_mails_to(address_hash, since))
            .await
    }

    async fn claim_address(&self, claim: NewClaim) -> Result<ClaimOutcome, StorageError> {
        self.answer("address.claim", || self.claim(&claim)).await
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
        self.answer("address.prove", || {
            self.prove(account, session, token_hash, username, at, &audit)
        })
        .await
    }

    async fn forget_claim_mails(&self, until: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.answer("address.forget_mails", || self.forget_mails(until, limit))
            .await
    }

    async fn drop_expired_claims(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.answer("address.purge", || self.drop_claims(now, limit))
            .await
    }
}

async fn claim_of(
    connection: &mut PgConnection,
    account: AccountId,
) -> Result<Option<AddressClaim>, Failure> {
    let row = query!(
        "SELECT account_id, address, address_hash, token_hash, token_expires_at, mails, mailed_at, expires_at
        FROM address_claims WHERE account_id = $1",
        account.0
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(columns::address_claim!(row)))
}

impl PostgresStore {
    async fn find_owner(&self, address: &str) -> Result<Option<Account>, Failure> {
        let mut lent = self.primary.lend().await?;
        // Upper and lower case as the unique index has them.
        let row = query!(
            r#"SELECT id AS account_id, user_handle, username, display_name, email, email_verified,
                active AS account_active, is_admin, created_at AS account_created_at, updated_at, last_login_at
            FROM accounts WHERE lower(lookup_key(email)) = lower($1::text COLLATE "C") AND email_verified"#,
            lookup_key(address)
        )
        .fetch_optional(&mut *lent)
        .await;
        let Some(row) = lent.settle(row)? else {
            return Ok(None);
        };
        Ok(Some(columns::account!(row)))
    }

    async fn find_claim(&self, account: AccountId) -> Result<Option<AddressClaim>, Failure> {
        let mut lent = self.primary.lend().await?;
        let claim = claim_of(&mut lent, account).await?;
        lent.settle(Ok(claim))
    }

    async fn count_mails_to(&self, address_hash: &[u8; 32], since: UnixTime) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let sum = query_scalar!(
            r#"SELECT coalesce(sum(mails), 0)::bigint AS "mails!" FROM (
                SELECT mails FROM address_claims WHERE address_hash = $1 AND mailed_at > $2
                UNION ALL SELECT mails FROM past_claim_mails WHERE address_hash = $1 AND mailed_at > $2
            ) AS counted"#,
            &address_hash[..],
            since.as_millis()
        )
        .fetch_one(&mut *lent)
        .await;
        Ok(columns::count(lent.settle(sum)?, "number of mails")?)
    }

    async fn claim(&self, new: &NewClaim) -> Result<ClaimOutcome, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let outcome = write_claim(&mut transaction, new).await?;
        match outcome {
            ClaimOutcome::Claimed => transaction.commit().await?,
            ClaimOutcome::AccountUnavailable
            | ClaimOutcome::ClaimMissing
            | ClaimOutcome::GrantMissing
            | ClaimOutcome::SessionEnded => transaction.rollback().await?,
        }
        lent.settle(Ok(outcome))
    }

    /// The unique index gives the verdict about racing accounts: it waits for those before.
    async fn prove(
        &self,
        account: AccountId,
        session: SessionId,
        token_hash: &TokenHash,
        username: Option<&str>,
        at: UnixTime,
        audit: &Aftermath,
    ) -> Result<ProofOutcome, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        // Account before claim, as all commits do.
        let active = lock_active(&mut transaction, account).await?;
        let address = query_scalar!(
            "DELETE FROM address_claims WHERE account_id = $1 AND token_hash = $2 AND token_expires_at > $3
            RETURNING address",
            account.0,
            &token_hash.0[..],
            at.as_millis()
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(address) = address else {
            transaction.rollback().await?;
            return lent.settle(Ok(ProofOutcome::ClaimMissing));
        };
        if !active || !lock_live(&mut transaction, session, account, at).await? {
            transaction.rollback().await?;
            return lent.settle(Ok(ProofOutcome::SessionEnded));
        }
        let row = query!(
            "UPDATE accounts
            SET email = $2, email_verified = true, updated_at = $3, username = coalesce($4::text, username)
            WHERE id = $1
            RETURNING id AS account_id, user_handle, username, display_name, email, email_verified,
                active AS account_active, is_admin, created_at AS account_created_at, updated_at, last_login_at",
            account.0,
            address,
            at.as_millis(),
            username
        )
        .fetch_one(&mut *transaction)
        .await;
        let row = match row {
            Err(error)
                if matches!(
                    unique_violation(&error),
                    Some("accounts_username" | "accounts_verified_email")
                ) =>
            {
                transaction.rollback().await?;
                return lent.settle(Ok(ProofOutcome::Taken));
            }
            row => row?,
        };
        // Codes that went to the address before, and waits that began there.
        recovery::end_all(&mut transaction, account).await?;
        let proven = columns::account!(row);
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(ProofOutcome::Proven(proven)))
    }

    /// Rows that another process is dropping at this moment are passed over.
    async fn forget_mails(&self, until: UnixTime, limit: u32) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let forgotten = query!(
            "DELETE FROM past_claim_mails WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM past_claim_mails WHERE mailed_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
            ))",
            until.as_millis(),
            i64::from(limit)
        )
        .execute(&mut *lent)
        .await;
        Ok(lent.settle(forgotten)?.rows_affected())
    }

    /// Rows that another process is dropping at this moment are passed over.
    async fn drop_claims(&self, now: UnixTime, limit: u32) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let dropped = query_scalar!(
            r#"WITH dropped AS (
                DELETE FROM address_claims WHERE account_id = ANY(ARRAY(
                    SELECT account_id FROM address_claims WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
                )) RETURNING account_id
            ), forgotten AS (
                UPDATE accounts a SET email = NULL, updated_at = $1
                FROM dropped WHERE a.id = dropped.account_id AND NOT a.email_verified
            )
            SELECT count(*) AS "dropped!" FROM dropped"#,
            now.as_millis(),
            i64::from(limit)
        )
        .fetch_one(&mut *lent)
        .await;
        Ok(columns::count(lent.settle(dropped)?, "number of claims")?)
    }
}

async fn write_claim(transaction: &mut Transaction<'_>, new: &NewClaim) -> Result<ClaimOutcome, Failure> {
    let (claim, account) = (&new.claim, new.claim.account);
    if !lock_active(transaction, account).await? {
        return Ok(ClaimOutcome::AccountUnavailable);
    }
    if !lock_live(transaction, new.session, account, new.at).await? {
        return Ok(ClaimOutcome::SessionEnded);
    }
    if let Some(token) = &new.renews {
        let before = claim_of(transaction, account).await?;
        if before.is_none_or(|before| before.token_hash != *token) {
            return Ok(ClaimOutcome::ClaimMissing);
        }
    }
    if let Some(purpose) = &new.uses_grant
        && !use_grant(transaction, new.session, purpose, new.at).await?
    {
        return Ok(ClaimOutcome::GrantMissing);
    }
    query!(
        "UPDATE accounts SET email = $2, updated_at = $3 WHERE id = $1 AND NOT email_verified",
        account.0,
        claim.address,
        new.at.as_millis()
    )
    .execute(&mut **transaction)
    .await?;
    query!(
        "INSERT INTO address_claims (account_id, address, address_hash, token_hash, token_expires_at, mails, mailed_at,
            expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (account_id) DO UPDATE SET address = excluded.address, address_hash = excluded.address_hash,
            token_hash = excluded.token_hash, token_expires_at = excluded.token_expires_at,
            mails = excluded.mails + CASE
                WHEN address_claims.address_hash = excluded.address_hash AND address_claims.mailed_at > $9
                THEN address_claims.mails ELSE 0 END,
            mailed_at = CASE
                WHEN address_claims.address_hash = excluded.address_hash AND address_claims.mailed_at > $9
                    AND excluded.mails = 0
                THEN address_claims.mailed_at ELSE excluded.mailed_at END,
            expires_at = excluded.expires_at",
        account.0,
        claim.address,
        &claim.address_hash[..],
        &claim.token_hash.0[..],
        claim.token_expires_at.as_millis(),
        i64::from(claim.mails),
        claim.mailed_at.as_millis(),
        claim.expires_at.as_millis(),
        new.mailed_since.as_millis(),
    )
    .execute(&mut **transaction)
    .await?;
    audit::append(transaction, &new.audit).await?;
    Ok(ClaimOutcome::Claimed)
}
