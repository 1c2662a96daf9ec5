//! Client keys, and what sign-ins with several factors start from.

use async_trait::async_trait;
use keyhaven_storage::{
    ClientKeyChange, ClientKeyChangeOutcome, FactorStore, Factors, OwnedCredential, StorageError, columns,
};
use keyhaven_types::{CredentialId, UnixTime};
use sqlx::{query, query_scalar};

use crate::error::Failure;
use crate::pool::Transaction;
use crate::standing::{lock_active, lock_live, use_grant};
use crate::{PostgresStore, audit};

#[async_trait]
impl FactorStore for PostgresStore {
    async fn credential_with_factors(
        &self,
        id: &CredentialId,
    ) -> Result<Option<(OwnedCredential, Factors)>, StorageError> {
        self.answer("credential.find_with_factors", || {
            self.find_credential_with_factors(id)
        })
        .await
    }

    async fn change_client_key(
        &self,
        change: ClientKeyChange,
    ) -> Result<ClientKeyChangeOutcome, StorageError> {
        self.answer("client_key.change", || self.write_client_key_change(&change))
            .await
    }
}

impl PostgresStore {
    async fn find_credential_with_factors(
        &self,
        id: &CredentialId,
    ) -> Result<Option<(OwnedCredential, Factors)>, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            r#"SELECT a.id AS account_id, a.user_handle, a.username, a.display_name, a.email, a.email_verified,
                a.active AS account_active, a.is_admin, a.created_at AS account_created_at, a.updated_at, a.last_login_at,
                c.credential_id, c.rp_id, c.public_key, c.algorithm, c.sign_count, c.aaguid,
                c.transports::text AS "transports!", c.backup_eligible, c.backup_state, c.uv_initialized, c.pin,
                c.attestation_format, c.attestation_type, c.attestation_trusted, c.attestation_hardware,
                c.device_name, c.user_agent, c.created_at AS credential_created_at, c.last_used_at,
                c.active AS credential_active, c.inactive_reason, c.traits::text AS "traits!",
                p.hash AS "hash?", p.kind AS "kind?", p.with_passkey AS "with_passkey?",
                p.changed_at AS "changed_at?", k.mac AS "client_key_mac?",
                k.created_at AS "client_key_created_at?", k.last_used_at AS "client_key_last_used_at?"
            FROM credentials c JOIN accounts a ON a.id = c.account_id
            LEFT JOIN passwords p ON p.account_id = a.id
            LEFT JOIN client_keys k ON k.account_id = a.id
            WHERE c.credential_id = $1"#,
            id.as_bytes()
        )
        .fetch_optional(&mut *lent)
        .await;
        let Some(row) = lent.settle(row)? else {
            return Ok(None);
        };
        let factors = columns::factors!(row);
        let credential = columns::credential!(row);
        let account = columns::account!(row);
        Ok(Some((OwnedCredential { credential, account }, factors)))
    }

    async fn write_client_key_change(
        &self,
        change: &ClientKeyChange,
    ) -> Result<ClientKeyChangeOutcome, Failure> {
        if change.to.as_ref().is_some_and(|to| to.account != change.account) {
            return Err(Failure::Contradiction("a change speaks of one account"));
        }
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        if let Some(refusal) = refused_change(&mut transaction, change).await? {
            transaction.rollback().await?;
            return lent.settle(Ok(refusal));
        }
        let written = match &change.to {
            None => {
                query!("DELETE FROM client_keys WHERE account_id = $1", change.account.0)
                    .execute(&mut *transaction)
                    .await
            }
            Some(key) => {
                query!(
                    "INSERT INTO client_keys (account_id, mac, created_at, last_used_at) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (account_id) DO UPDATE SET mac = excluded.mac, created_at = excluded.created_at,
                        last_used_at = excluded.last_used_at",
                    key.account.0,
                    &key.mac[..],
                    key.created_at.as_millis(),
                    key.last_used_at.map(UnixTime::as_millis)
                )
                .execute(&mut *transaction)
                .await
            }
        };
        written?;
        audit::append(&mut transaction, &change.audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(ClientKeyChangeOutcome::Changed))
    }
}

/// Why a client key cannot be changed, in the order in which it is asked; `None`: it can, and the grant is used.
async fn refused_change(
    transaction: &mut Transaction<'_>,
    change: &ClientKeyChange,
) -> Result<Option<ClientKeyChangeOutcome>, sqlx::Error> {
    if !lock_active(transaction, change.account).await? {
        return Ok(Some(ClientKeyChangeOutcome::AccountUnavailable));
    }
    if !lock_live(transaction, change.session, change.account, change.at).await? {
        return Ok(Some(ClientKeyChangeOutcome::SessionEnded));
    }
    let has_one = query_scalar!(
        r#"SELECT EXISTS (SELECT FROM client_keys WHERE account_id = $1) AS "exists!""#,
        change.account.0
    );
    if change.to.is_none() && !has_one.fetch_one(&mut **transaction).await? {
        return Ok(Some(ClientKeyChangeOutcome::NotFound));
    }
    let used = use_grant(transaction, change.session, &change.uses_grant, change.at).await?;
    Ok((!used).then_some(ClientKeyChangeOutcome::GrantMissing))
}
