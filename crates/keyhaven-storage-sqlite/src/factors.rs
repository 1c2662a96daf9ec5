//! Client keys, and what sign-ins with several factors start from.

use async_trait::async_trait;
use keyhaven_storage::{
    AssertionCommit, ClientKey, ClientKeyChange, ClientKeyChangeOutcome, FactorStore, Factors, JudgedFactors,
    OwnedCredential, StorageError, columns,
};
use keyhaven_types::{CredentialId, UnixTime};
use sqlx::{SqliteConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::standing::use_grant;
use crate::{SqliteStore, audit};

#[async_trait]
impl FactorStore for SqliteStore {
    async fn credential_with_factors(
        &self,
        id: &CredentialId,
    ) -> Result<Option<(OwnedCredential, Factors)>, StorageError> {
        self.find_credential_with_factors(id)
            .await
            .map_err(Failure::of("credential.find_with_factors"))
    }

    async fn change_client_key(
        &self,
        change: ClientKeyChange,
    ) -> Result<ClientKeyChangeOutcome, StorageError> {
        self.write_client_key_change(&change)
            .await
            .map_err(Failure::of("client_key.change"))
    }
}

impl SqliteStore {
    async fn find_credential_with_factors(
        &self,
        id: &CredentialId,
    ) -> Result<Option<(OwnedCredential, Factors)>, Failure> {
        let row = query!(
            r#"SELECT a.id AS "account_id!: Uuid", a.user_handle AS "user_handle!", a.username AS "username!",
                a.display_name AS "display_name!", a.email AS "email?",
                a.email_verified AS "email_verified!: bool", a.active AS "account_active!: bool", a.is_admin AS "is_admin!: bool",
                a.created_at AS "account_created_at!", a.updated_at AS "updated_at!",
                a.last_login_at AS "last_login_at?",
                c.credential_id AS "credential_id!", c.rp_id AS "rp_id!", c.public_key AS "public_key!",
                c.algorithm AS "algorithm!", c.sign_count AS "sign_count!", c.aaguid AS "aaguid!: Uuid",
                c.transports AS "transports!", c.backup_eligible AS "backup_eligible!: bool",
                c.backup_state AS "backup_state!: bool", c.uv_initialized AS "uv_initialized!: bool",
                c.pin AS "pin!: bool", c.attestation_format AS "attestation_format!",
                c.attestation_type AS "attestation_type!", c.attestation_trusted AS "attestation_trusted!: bool",
                c.attestation_hardware AS "attestation_hardware!: bool", c.device_name AS "device_name!",
                c.user_agent AS "user_agent?", c.created_at AS "credential_created_at!",
                c.last_used_at AS "last_used_at?", c.active AS "credential_active!: bool",
                c.inactive_reason AS "inactive_reason?", c.traits AS "traits!",
                p.hash AS "hash?", p.kind AS "kind?", p.with_passkey AS "with_passkey?: bool",
                p.changed_at AS "changed_at?", k.mac AS "client_key_mac?",
                k.created_at AS "client_key_created_at?", k.last_used_at AS "client_key_last_used_at?"
            FROM credentials c JOIN accounts a ON a.id = c.account_id
            LEFT JOIN passwords p ON p.account_id = a.id
            LEFT JOIN client_keys k ON k.account_id = a.id
            WHERE c.credential_id = ?1"#,
            id.as_bytes()
        )
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
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
        let mut transaction = self.write().await?;
        if let Some(refusal) = refused_change(&mut transaction, change).await? {
            transaction.rollback().await?;
            return Ok(refusal);
        }
        match &change.to {
            None => {
                query!("DELETE FROM client_keys WHERE account_id = ?1", change.account.0)
                    .execute(&mut *transaction)
                    .await?;
            }
            Some(to) => put(&mut transaction, to).await?,
        }
        audit::append(&mut transaction, &change.audit).await?;
        transaction.commit().await?;
        Ok(ClientKeyChangeOutcome::Changed)
    }
}

/// Why a client key cannot be changed, in the order in which it is asked; `None`: it can, and the grant is used.
async fn refused_change(
    connection: &mut SqliteConnection,
    change: &ClientKeyChange,
) -> Result<Option<ClientKeyChangeOutcome>, Failure> {
    let now = change.at.as_millis();
    let account = query!(
        r#"SELECT a.active AS "active!: bool",
            EXISTS (SELECT 1 FROM client_keys WHERE account_id = ?1) AS "has_client_key!: bool",
            EXISTS (
                SELECT 1 FROM sessions WHERE id = ?2 AND account_id = ?1 AND expires_at > ?3
            ) AS "live!: bool"
        FROM accounts a WHERE a.id = ?1"#,
        change.account.0,
        change.session.0,
        now
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(account) = account.filter(|account| account.active) else {
        return Ok(Some(ClientKeyChangeOutcome::AccountUnavailable));
    };
    if !account.live {
        return Ok(Some(ClientKeyChangeOutcome::SessionEnded));
    }
    if change.to.is_none() && !account.has_client_key {
        return Ok(Some(ClientKeyChangeOutcome::NotFound));
    }
    let used = use_grant(connection, change.session, &change.uses_grant, change.at).await?;
    Ok((!used).then_some(ClientKeyChangeOutcome::GrantMissing))
}

/// Writes a client key as part of a commit.
pub(crate) async fn put(connection: &mut SqliteConnection, key: &ClientKey) -> Result<(), Failure> {
    query!(
        "INSERT INTO client_keys (account_id, mac, created_at, last_used_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (account_id) DO UPDATE SET mac = excluded.mac, created_at = excluded.created_at,
            last_used_at = excluded.last_used_at",
        key.account.0,
        &key.mac[..],
        key.created_at.as_millis(),
        key.last_used_at.map(UnixTime::as_millis)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether what a sign-in was judged by is still what is stored; then the client key's use is recorded.
pub(crate) async fn hold(
    connection: &mut SqliteConnection,
    judged: &JudgedFactors,
    commit: &AssertionCommit,
) -> Result<bool, Failure> {
    let unchanged = query_scalar!(
        r#"SELECT (SELECT hash FROM passwords WHERE account_id = ?1) IS ?2
            AND (SELECT mac FROM client_keys WHERE account_id = ?1) IS ?3 AS "unchanged!: bool""#,
        commit.account.0,
        judged.password,
        judged.client_key.as_ref().map(|mac| &mac[..])
    );
    if !unchanged.fetch_one(&mut *connection).await? {
        return Ok(false);
    }
    if judged.uses_client_key {
        query!(
            "UPDATE client_keys SET last_used_at = max(coalesce(last_used_at, ?2), ?2) WHERE account_id = ?1",
            commit.account.0,
            commit.used_at.as_millis()
        )
        .execute(connection)
        .await?;
    }
    Ok(true)
}
