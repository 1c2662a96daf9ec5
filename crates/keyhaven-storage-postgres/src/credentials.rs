use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, Credential, CredentialStore, OwnedCredential, Removal, RemovalOutcome, SessionId,
    StorageError, columns,
};
use keyhaven_types::{CredentialId, RpId, UnixTime};
use sqlx::{query, query_scalar};

use crate::error::Failure;
use crate::pool::Transaction;
use crate::standing::lock_account;
use crate::{PostgresStore, audit};

#[async_trait]
impl CredentialStore for PostgresStore {
    async fn credential(&self, id: &CredentialId) -> Result<Option<OwnedCredential>, StorageError> {
        self.answer("credential.find", || self.find_credential(id)).await
    }

    async fn some_rp_id(&self) -> Result<Option<RpId>, StorageError> {
        self.answer("credential.rp_id", || self.find_some_rp_id()).await
    }

    async fn credentials_of(&self, account: AccountId) -> Result<Vec<Credential>, StorageError> {
        self.answer("credential.list", || self.list_credentials(account))
            .await
    }

    async fn rename_credential(
        &self,
        account: AccountId,
        id: &CredentialId,
        device_name: &str,
        audit: Aftermath,
    ) -> Result<Option<Credential>, StorageError> {
        self.answer("credential.rename", || {
            self.rename(account, id, device_name, &audit)
        })
        .await
    }

    async fn remove_credentials(&self, removal: Removal) -> Result<RemovalOutcome, StorageError> {
        self.answer("credential.remove", || self.remove(&removal)).await
    }
}

impl PostgresStore {
    async fn find_credential(&self, id: &CredentialId) -> Result<Option<OwnedCredential>, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            r#"SELECT a.id AS account_id, a.user_handle, a.username, a.display_name, a.email, a.email_verified,
                a.active AS account_active, a.is_admin, a.created_at AS account_created_at, a.updated_at, a.last_login_at,
                c.credential_id, c.rp_id, c.public_key, c.algorithm, c.sign_count, c.aaguid,
                c.transports::text AS "transports!", c.backup_eligible, c.backup_state, c.uv_initialized, c.pin,
                c.attestation_format, c.attestation_type, c.attestation_trusted, c.attestation_hardware,
                c.device_name, c.user_agent, c.created_at AS credential_created_at, c.last_used_at,
                c.active AS credential_active, c.inactive_reason, c.traits::text AS "traits!"
            FROM credentials c JOIN accounts a ON a.id = c.account_id
            WHERE c.credential_id = $1"#,
            id.as_bytes()
        )
        .fetch_optional(&mut *lent)
        .await;
        let Some(row) = lent.settle(row)? else {
            return Ok(None);
        };
        let credential = columns::credential!(row);
        Ok(Some(OwnedCredential {
            credential,
            account: columns::account!(row),
        }))
    }

    async fn find_some_rp_id(&self) -> Result<Option<RpId>, Failure> {
        let mut lent = self.primary.lend().await?;
        let stored = query_scalar!("SELECT rp_id FROM credentials ORDER BY credential_id LIMIT 1")
            .fetch_optional(&mut *lent)
            .await;
        let stored = lent.settle(stored)?;
        Ok(stored.as_deref().map(columns::rp_id).transpose()?)
    }

    /// Not from the replica: what an account holds decides about step-ups.
    async fn list_credentials(&self, account: AccountId) -> Result<Vec<Credential>, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            r#"SELECT account_id, credential_id, rp_id, public_key, algorithm, sign_count, aaguid,
                transports::text AS "transports!", backup_eligible, backup_state, uv_initialized, pin,
                attestation_format, attestation_type, attestation_trusted, attestation_hardware, device_name,
                user_agent, created_at AS credential_created_at, last_used_at, active AS credential_active,
                inactive_reason, traits::text AS "traits!"
            FROM credentials WHERE account_id = $1
            ORDER BY created_at, credential_id"#,
            account.0
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        rows.into_iter()
            .map(|row| Ok(columns::credential!(row)))
            .collect()
    }

    async fn rename(
        &self,
        account: AccountId,
        id: &CredentialId,
        device_name: &str,
        audit: &Aftermath,
    ) -> Result<Option<Credential>, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let row = query!(
            r#"UPDATE credentials SET device_name = $3::text WHERE credential_id = $1 AND account_id = $2
            RETURNING account_id, credential_id, rp_id, public_key, algorithm, sign_count, aaguid,
                transports::text AS "transports!", backup_eligible, backup_state, uv_initialized, pin,
                attestation_format, attestation_type, attestation_trusted, attestation_hardware, device_name,
                user_agent, created_at AS credential_created_at, last_used_at, active AS credential_active,
                inactive_reason, traits::text AS "traits!""#,
            id.as_bytes(),
            account.0,
            device_name
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            transaction.rollback().await?;
            return lent.settle(Ok(None));
        };
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(()))?;
        Ok(Some(columns::credential!(row)))
    }

    async fn remove(&self, removal: &Removal) -> Result<RemovalOutcome, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let outcome = write_removal(&mut transaction, removal).await?;
        match outcome {
            RemovalOutcome::Removed => transaction.commit().await?,
            RemovalOutcome::GrantMissing | RemovalOutcome::LastCredential | RemovalOutcome::NotFound => {
                transaction.rollback().await?;
            }
        }
        lent.settle(Ok(outcome))
    }
}

async fn write_removal(
    transaction: &mut Transaction<'_>,
    removal: &Removal,
) -> Result<RemovalOutcome, sqlx::Error> {
    let account = removal.account.0;
    let mut ids: Vec<_> = removal
        .credentials
        .iter()
        .map(|id| id.as_bytes().to_vec())
        .collect();
    ids.sort_unstable();
    ids.dedup();

    // First the lock, then the look: of racing removals each sees what the one before has left.
    lock_account(transaction, removal.account).await?;
    let owned = query_scalar!(
        r#"SELECT count(*) AS "count!" FROM credentials WHERE credential_id = ANY($1) AND account_id = $2"#,
        &ids,
        account
    )
    .fetch_one(&mut **transaction)
    .await?;
    if usize::try_from(owned) != Ok(ids.len()) {
        return Ok(RemovalOutcome::NotFound);
    }
    if let Some(grant) = &removal.uses_grant
        && !use_grant(transaction, removal.account, grant).await?
    {
        return Ok(RemovalOutcome::GrantMissing);
    }
    query!(
        "DELETE FROM sessions WHERE credential_id = ANY($1) AND account_id = $2 AND id IS DISTINCT FROM $3",
        &ids,
        account,
        removal.keeps_session.map(|session| session.0)
    )
    .execute(&mut **transaction)
    .await?;
    query!(
        "DELETE FROM credentials WHERE credential_id = ANY($1) AND account_id = $2",
        &ids,
        account
    )
    .execute(&mut **transaction)
    .await?;
    let a_way_is_left = query_scalar!(
        r#"SELECT EXISTS (SELECT FROM credentials WHERE account_id = $1 AND active)
            OR ($2 AND EXISTS (SELECT FROM passwords WHERE account_id = $1 AND NOT with_passkey)
                AND NOT EXISTS (SELECT FROM client_keys WHERE account_id = $1)) AS "exists!""#,
        account,
        removal.password_suffices
    );
    if !a_way_is_left.fetch_one(&mut **transaction).await? {
        return Ok(RemovalOutcome::LastCredential);
    }
    audit::append(transaction, &removal.audit).await?;
    Ok(RemovalOutcome::Removed)
}

/// Uses up a grant of a session of this account that is live; false: there is none.
pub(crate) async fn use_grant(
    transaction: &mut Transaction<'_>,
    account: AccountId,
    (session, purpose, now): &(SessionId, String, UnixTime),
) -> Result<bool, sqlx::Error> {
    let used = query!(
        "DELETE FROM step_up_grants
        WHERE session_id = $1 AND purpose = $2 AND expires_at > $3
            AND EXISTS (SELECT FROM sessions WHERE id = $1 AND account_id = $4)",
        session.0,
        purpose,
        now.as_millis(),
        account.0
    );
    Ok(used.execute(&mut **transaction).await?.rows_affected() == 1)
}
