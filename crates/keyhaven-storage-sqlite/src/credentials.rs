use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, Credential, CredentialStore, OwnedCredential, Removal, RemovalOutcome, SessionId,
    StorageError, columns,
};
use keyhaven_types::{CredentialId, RpId, UnixTime};
use sqlx::{SqliteConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::{SqliteStore, audit};

#[async_trait]
impl CredentialStore for SqliteStore {
    async fn credential(&self, id: &CredentialId) -> Result<Option<OwnedCredential>, StorageError> {
        self.find_credential(id)
            .await
            .map_err(Failure::of("credential.find"))
    }

    async fn some_rp_id(&self) -> Result<Option<RpId>, StorageError> {
        self.find_some_rp_id()
            .await
            .map_err(Failure::of("credential.rp_id"))
    }

    async fn credentials_of(&self, account: AccountId) -> Result<Vec<Credential>, StorageError> {
        self.list_credentials(account)
            .await
            .map_err(Failure::of("credential.list"))
    }

    async fn rename_credential(
        &self,
        account: AccountId,
        id: &CredentialId,
        device_name: &str,
        audit: Aftermath,
    ) -> Result<Option<Credential>, StorageError> {
        self.rename(account, id, device_name, &audit)
            .await
            .map_err(Failure::of("credential.rename"))
    }

    async fn remove_credentials(&self, removal: Removal) -> Result<RemovalOutcome, StorageError> {
        self.remove(&removal)
            .await
            .map_err(Failure::of("credential.remove"))
    }
}

impl SqliteStore {
    async fn find_credential(&self, id: &CredentialId) -> Result<Option<OwnedCredential>, Failure> {
        let row = query!(
            r#"SELECT a.id AS "account_id!: Uuid", a.user_handle AS "user_handle!", a.username AS "username!",
                a.display_name AS "display_name!", a.email AS "email?",
                a.email_verified AS "email_verified!: bool", a.active AS "account_active!: bool", a.is_admin AS "is_admin!: bool",
                a.created_at AS "account_created_at!", a.updated_at AS "updated_at!",
                a.last_login_at AS "last_login_at?",
                c.credential_id AS "credential_id!", c.rp_id AS "rp_id!", c.public_key AS "public_key!",
                c.algorithm AS "algorithm!", c.sign_count AS "sign_count!", c.aaguid AS "aaguid!: Uuid",
                c.transports AS "transports!", c.backup_eligible AS "backup_eligible!: bool",
                c.backup_state AS "backup_state!: bool", c.uv_initialized AS "uv_initialized!: bool", c.pin AS "pin!: bool",
                c.attestation_format AS "attestation_format!", c.attestation_type AS "attestation_type!",
                c.attestation_trusted AS "attestation_trusted!: bool",
                c.attestation_hardware AS "attestation_hardware!: bool", c.inactive_reason AS "inactive_reason?", c.traits AS "traits!",
                c.device_name AS "device_name!",
                c.user_agent AS "user_agent?", c.created_at AS "credential_created_at!",
                c.last_used_at AS "last_used_at?", c.active AS "credential_active!: bool"
            FROM credentials c JOIN accounts a ON a.id = c.account_id
            WHERE c.credential_id = ?1"#,
            id.as_bytes()
        )
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let credential = columns::credential!(row);
        Ok(Some(OwnedCredential {
            credential,
            account: columns::account!(row),
        }))
    }

    async fn find_some_rp_id(&self) -> Result<Option<RpId>, Failure> {
        let stored = query_scalar!(
            "SELECT rp_id FROM credentials WHERE credential_id > x'' ORDER BY credential_id LIMIT 1"
        )
        .fetch_optional(&self.readers)
        .await?;
        Ok(stored.as_deref().map(columns::rp_id).transpose()?)
    }

    async fn list_credentials(&self, account: AccountId) -> Result<Vec<Credential>, Failure> {
        let rows = query!(
            r#"SELECT account_id AS "account_id!: Uuid", credential_id, rp_id, public_key, algorithm, sign_count,
                aaguid AS "aaguid!: Uuid", transports, backup_eligible AS "backup_eligible!: bool",
                backup_state AS "backup_state!: bool", uv_initialized AS "uv_initialized!: bool", pin AS "pin!: bool",
                attestation_format, attestation_type, attestation_trusted AS "attestation_trusted!: bool",
                attestation_hardware AS "attestation_hardware!: bool", inactive_reason, traits, device_name, user_agent, created_at AS "credential_created_at!", last_used_at,
                active AS "credential_active!: bool"
            FROM credentials WHERE account_id = ?1
            ORDER BY created_at, rowid"#,
            account.0
        )
        .fetch_all(&self.readers)
        .await?;
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
        let mut transaction = self.write().await?;
        let row = query!(
            r#"UPDATE credentials SET device_name = ?3 WHERE credential_id = ?1 AND account_id = ?2
            RETURNING account_id AS "account_id!: Uuid", credential_id AS "credential_id!", rp_id AS "rp_id!",
                public_key AS "public_key!", algorithm AS "algorithm!", sign_count AS "sign_count!",
                aaguid AS "aaguid!: Uuid", transports AS "transports!",
                backup_eligible AS "backup_eligible!: bool", backup_state AS "backup_state!: bool",
                uv_initialized AS "uv_initialized!: bool", pin AS "pin!: bool", attestation_format AS "attestation_format!",
                attestation_type AS "attestation_type!", attestation_trusted AS "attestation_trusted!: bool",
                attestation_hardware AS "attestation_hardware!: bool", inactive_reason AS "inactive_reason?",
                traits AS "traits!", device_name AS "device_name!", user_agent AS "user_agent?",
                created_at AS "credential_created_at!", last_used_at AS "last_used_at?",
                active AS "credential_active!: bool""#,
            id.as_bytes(),
            account.0,
            device_name
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            transaction.rollback().await?;
            return Ok(None);
        };
        let credential = columns::credential!(row);
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        Ok(Some(credential))
    }

    async fn remove(&self, removal: &Removal) -> Result<RemovalOutcome, Failure> {
        let mut transaction = self.write().await?;
        let outcome = write_removal(&mut transaction, removal).await?;
        match outcome {
            RemovalOutcome::Removed => transaction.commit().await?,
            RemovalOutcome::GrantMissing | RemovalOutcome::LastCredential | RemovalOutcome::NotFound => {
                transaction.rollback().await?;
            }
        }
        Ok(outcome)
    }
}

async fn write_removal(
    connection: &mut SqliteConnection,
    removal: &Removal,
) -> Result<RemovalOutcome, Failure> {
    for id in &removal.credentials {
        let owned = query_scalar!(
            r#"SELECT EXISTS (
                SELECT 1 FROM credentials WHERE credential_id = ?1 AND account_id = ?2
            ) AS "exists!: bool""#,
            id.as_bytes(),
            removal.account.0
        );
        if !owned.fetch_one(&mut *connection).await? {
            return Ok(RemovalOutcome::NotFound);
        }
    }
    if let Some(grant) = &removal.uses_grant
        && !use_grant(connection, removal.account, grant).await?
    {
        return Ok(RemovalOutcome::GrantMissing);
    }
    for id in &removal.credentials {
        query!(
            "DELETE FROM sessions WHERE credential_id = ?1 AND id IS NOT ?2",
            id.as_bytes(),
            removal.keeps_session.map(|session| session.0)
        )
        .execute(&mut *connection)
        .await?;
        query!("DELETE FROM credentials WHERE credential_id = ?1", id.as_bytes())
            .execute(&mut *connection)
            .await?;
    }
    let a_way_is_left = query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM credentials WHERE account_id = ?1 AND active = 1)
            OR (?2 AND EXISTS (SELECT 1 FROM passwords WHERE account_id = ?1 AND with_passkey = 0)
                AND NOT EXISTS (SELECT 1 FROM client_keys WHERE account_id = ?1)) AS "exists!: bool""#,
        removal.account.0,
        removal.password_suffices
    );
    if !a_way_is_left.fetch_one(&mut *connection).await? {
        return Ok(RemovalOutcome::LastCredential);
    }
    audit::append(connection, &removal.audit).await?;
    Ok(RemovalOutcome::Removed)
}

/// Uses up a grant of a session of this account that is live; false: there is none.
pub(crate) async fn use_grant(
    connection: &mut SqliteConnection,
    account: AccountId,
    (session, purpose, now): &(SessionId, String, UnixTime),
) -> Result<bool, Failure> {
    let used = query!(
        "DELETE FROM step_up_grants
        WHERE session_id = ?1 AND purpose = ?2 AND expires_at > ?3
            AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1 AND account_id = ?4)",
        session.0,
        purpose,
        now.as_millis(),
        account.0
    );
    Ok(used.execute(connection).await?.rows_affected() == 1)
}
