//! One registration, in one transaction.

use keyhaven_storage::{
    Account, Addition, Credential, InactiveReason, NewRegistration, RegistrationAccount, RegistrationOutcome,
    columns, lookup_key,
};
use keyhaven_types::AuthenticatorTransport;
use sqlx::{SqliteConnection, query, query_scalar};

use crate::error::Failure;
use crate::standing::{is_active, is_live, use_grant};
use crate::{SqliteStore, addresses, audit, factors, passwords, recovery, sessions};

impl SqliteStore {
    pub(crate) async fn register(
        &self,
        registration: NewRegistration,
    ) -> Result<RegistrationOutcome, Failure> {
        if !registration.is_of_one_account() {
            return Err(Failure::Contradiction("a registration speaks of one account"));
        }

        let mut transaction = self.write().await?;
        let outcome = write_registration(&mut transaction, &registration).await?;
        match outcome {
            RegistrationOutcome::Committed => transaction.commit().await?,
            RegistrationOutcome::AccountUnavailable
            | RegistrationOutcome::CredentialExists
            | RegistrationOutcome::GrantMissing
            | RegistrationOutcome::SessionEnded
            | RegistrationOutcome::TooManyCredentials
            | RegistrationOutcome::UsernameTaken => transaction.rollback().await?,
        }
        Ok(outcome)
    }
}

async fn write_registration(
    connection: &mut SqliteConnection,
    registration: &NewRegistration,
) -> Result<RegistrationOutcome, Failure> {
    match &registration.account {
        RegistrationAccount::Existing(addition) => {
            if let Some(refusal) = refused_addition(connection, addition).await? {
                return Ok(refusal);
            }
        }
        RegistrationAccount::New(account) => {
            if !insert_account(connection, account).await? {
                return Ok(RegistrationOutcome::UsernameTaken);
            }
        }
    }
    if let Some(recovered) = &registration.recovery {
        recovery::end_all(&mut *connection, registration.account_id()).await?;
        let account = registration.account_id().0;
        query!("DELETE FROM sessions WHERE account_id = ?1", account)
            .execute(&mut *connection)
            .await?;
        if recovered.drops_passkeys {
            query!("DELETE FROM credentials WHERE account_id = ?1", account)
                .execute(&mut *connection)
                .await?;
            query!(
                "DELETE FROM passwords WHERE account_id = ?1 AND with_passkey = 0",
                account
            )
            .execute(&mut *connection)
            .await?;
        }
    }
    if let Some(password) = &registration.password {
        passwords::put(connection, password).await?;
    }
    if let Some(key) = &registration.client_key {
        factors::put(connection, key).await?;
    }
    if !insert_credential(connection, &registration.credential).await? || registration.reserved_id {
        return Ok(RegistrationOutcome::CredentialExists);
    }
    if let Some(claim) = &registration.claim {
        addresses::put(connection, claim, claim.mailed_at).await?;
    }
    sessions::end(connection, registration.account_id(), &registration.ends).await?;
    if let Some(session) = &registration.session {
        sessions::insert(connection, session).await?;
    }
    audit::append(connection, &registration.audit).await?;
    Ok(RegistrationOutcome::Committed)
}

/// Why one more passkey cannot be added, in the order of the contract's outcomes; `None`: it can, and its grant is used.
async fn refused_addition(
    connection: &mut SqliteConnection,
    addition: &Addition,
) -> Result<Option<RegistrationOutcome>, Failure> {
    let (account, now) = (addition.account, addition.at);
    if !is_active(&mut *connection, account).await? {
        return Ok(Some(RegistrationOutcome::AccountUnavailable));
    }
    if let Some(session) = addition.session
        && !is_live(&mut *connection, session, account, now).await?
    {
        return Ok(Some(RegistrationOutcome::SessionEnded));
    }
    if let Some(purpose) = &addition.uses_grant {
        let used = match addition.session {
            Some(session) => use_grant(&mut *connection, session, purpose, now).await?,
            None => false,
        };
        if !used {
            return Ok(Some(RegistrationOutcome::GrantMissing));
        }
    }
    let held = query_scalar!(
        r#"SELECT count(*) AS "count!: i64" FROM credentials WHERE account_id = ?1"#,
        account.0
    );
    let held = held.fetch_one(connection).await?;
    Ok((held >= i64::from(addition.max_credentials)).then_some(RegistrationOutcome::TooManyCredentials))
}

/// False: the username is taken.
pub(crate) async fn insert_account(
    connection: &mut SqliteConnection,
    account: &Account,
) -> Result<bool, Failure> {
    let inserted = query!(
        "INSERT INTO accounts (id, user_handle, username, display_name, email, email_verified, active, created_at,
            updated_at, last_login_at, username_key, email_key)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
        ON CONFLICT (username_key) DO NOTHING",
        account.id.0,
        account.user_handle.as_bytes(),
        account.username,
        account.display_name,
        account.email,
        account.email_verified,
        account.active,
        account.created_at.as_millis(),
        account.updated_at.as_millis(),
        account.last_login_at.map(|at| at.as_millis()),
        lookup_key(&account.username),
        account.email.as_deref().map(lookup_key),
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// False: the credential id is registered.
async fn insert_credential(
    connection: &mut SqliteConnection,
    credential: &Credential,
) -> Result<bool, Failure> {
    let inserted = query!(
        "INSERT INTO credentials (credential_id, account_id, rp_id, public_key, algorithm, sign_count, aaguid,
            transports, backup_eligible, backup_state, uv_initialized, attestation_format, attestation_type,
            attestation_trusted, device_name, user_agent, created_at, last_used_at, active, attestation_hardware,
            inactive_reason, traits, pin)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
            ?23)
        ON CONFLICT (credential_id) DO NOTHING",
        credential.id.as_bytes(),
        credential.account.0,
        credential.rp_id.as_str(),
        credential.public_key,
        credential.algorithm.identifier(),
        i64::from(credential.sign_count.0),
        &credential.aaguid.as_bytes()[..],
        columns::texts(credential.transports.iter().map(AuthenticatorTransport::as_str)),
        credential.backup_eligible,
        credential.backup_state,
        credential.uv_initialized,
        credential.attestation_format,
        credential.attestation_type,
        credential.attestation_trusted,
        credential.device_name,
        credential.user_agent,
        credential.created_at.as_millis(),
        credential.last_used_at.map(|at| at.as_millis()),
        credential.active,
        credential.attestation_hardware,
        credential.inactive_reason.map(InactiveReason::as_str),
        columns::stored_traits(&credential.traits),
        credential.pin,
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
