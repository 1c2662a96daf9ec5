//! One registration: of a new account in one statement, of one more passkey in one transaction.

use keyhaven_storage::{
    Addition, InactiveReason, NewRegistration, RegistrationAccount, RegistrationOutcome, columns,
};
use keyhaven_types::{AuthenticatorTransport, UnixTime};
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::{Failure, unique_violation};
use crate::outbox::Mails;
use crate::pool::Transaction;
use crate::standing::{lock_active, lock_live, use_grant};
use crate::{PostgresStore, recovery};

impl PostgresStore {
    pub(crate) async fn register(
        &self,
        registration: &NewRegistration,
    ) -> Result<RegistrationOutcome, Failure> {
        if !registration.is_of_one_account() {
            return Err(Failure::Contradiction("a registration speaks of one account"));
        }

        let mut lent = self.primary.lend().await?;
        let RegistrationAccount::Existing(addition) = &registration.account else {
            let written = write(&mut lent, registration).await;
            return match verdict(&written) {
                Some(outcome) => lent.settle(Ok(outcome)),
                None => lent.settle(written).map(|()| RegistrationOutcome::Committed),
            };
        };
        let mut transaction = lent.begin().await?;
        let refusal = refused_addition(&mut transaction, addition).await?;
        let refusal = match refusal {
            Some(_) => refusal,
            None => {
                let written = write(&mut transaction, registration).await;
                let refusal = verdict(&written);
                if refusal.is_none() {
                    written?;
                    if registration.recovery.is_some() {
                        recovery::end_all(&mut transaction, addition.account).await?;
                    }
                }
                refusal
            }
        };
        match refusal {
            Some(_) => transaction.rollback().await?,
            None => transaction.commit().await?,
        }
        lent.settle(Ok(refusal.unwrap_or(RegistrationOutcome::Committed)))
    }
}

/// What is in use already, where that is why nothing was written.
fn verdict(written: &Result<(), sqlx::Error>) -> Option<RegistrationOutcome> {
    match unique_violation(written.as_ref().err()?)? {
        "accounts_username" => Some(RegistrationOutcome::UsernameTaken),
        "credentials_credential_id" | "credentials_of_their_account" => {
            Some(RegistrationOutcome::CredentialExists)
        }
        _ => None,
    }
}

/// Why one more passkey cannot be added, in the order of the contract's outcomes; `None`: it can, and its grant is used.
async fn refused_addition(
    transaction: &mut Transaction<'_>,
    addition: &Addition,
) -> Result<Option<RegistrationOutcome>, sqlx::Error> {
    let (account, now) = (addition.account, addition.at);
    if !lock_active(transaction, account).await? {
        return Ok(Some(RegistrationOutcome::AccountUnavailable));
    }
    if let Some(session) = addition.session
        && !lock_live(transaction, session, account, now).await?
    {
        return Ok(Some(RegistrationOutcome::SessionEnded));
    }
    if let Some(purpose) = &addition.uses_grant {
        let used = match addition.session {
            Some(session) => use_grant(transaction, session, purpose, now).await?,
            None => false,
        };
        if !used {
            return Ok(Some(RegistrationOutcome::GrantMissing));
        }
    }
    let held = query_scalar!(
        r#"SELECT count(*) AS "count!" FROM credentials WHERE account_id = $1"#,
        account.0
    );
    let held = held.fetch_one(&mut **transaction).await?;
    Ok((held >= i64::from(addition.max_credentials)).then_some(RegistrationOutcome::TooManyCredentials))
}

/// Writes all of it in one statement: a new account is inserted first, and everything else takes its rows from the
/// account's. A username or credential id that is in use makes the whole statement fail by its unique constraint, which
/// waits for racing commits of the same; so it is the constraint that gives the verdict, and nothing was written. A
/// reserved id is inserted twice, which is the same failure.
#[expect(
    clippy::as_conversions,
    reason = "how the query macro is told a type: nothing is converted"
)]
async fn write(connection: &mut PgConnection, registration: &NewRegistration) -> Result<(), sqlx::Error> {
    let account = registration.account_id();
    let new = match &registration.account {
        RegistrationAccount::Existing(_) => None,
        RegistrationAccount::New(account) => Some(account),
    };
    let credential = &registration.credential;
    let session = registration.session.as_ref();
    let (previous_token, rotated_at) = session.and_then(|session| session.previous_token).unzip();
    let password = registration.password.as_ref();
    let client_key = registration.client_key.as_ref();
    let event = &registration.audit.event;
    let mails = Mails::of(&registration.audit);
    let claim = registration.claim.as_ref();
    query!(
            r#"WITH newcomer AS (
                INSERT INTO accounts (id, user_handle, username, display_name, email, email_verified, active,
                    created_at, updated_at, last_login_at)
                SELECT $1, $2::bytea, $3::text, $4::text, $5::text, $6::boolean, $7::boolean, $8::bigint, $9::bigint,
                    $10::bigint
                WHERE $2::bytea IS NOT NULL
                RETURNING id
            ), account AS MATERIALIZED (
                SELECT id FROM newcomer UNION ALL SELECT $1 WHERE $2::bytea IS NULL
            ), registered AS (
                INSERT INTO credentials (credential_id, account_id, rp_id, public_key, algorithm, sign_count, aaguid,
                    transports, backup_eligible, backup_state, uv_initialized, attestation_format, attestation_type,
                    attestation_trusted, device_name, user_agent, created_at, last_used_at, active, pin,
                    attestation_hardware, inactive_reason, traits)
                SELECT $11::bytea, account.id, $12::text, $13::bytea, $14::bigint, $15::bigint, $16::uuid,
                    $17::text::json, $18::boolean, $19::boolean, $20::boolean, $21::text, $22::text, $23::boolean,
                    $24::text, $25::text, $26::bigint, $27::bigint, $28::boolean, $58::boolean,
                    $80::boolean, $81::text, $85::text::json
                FROM account, generate_series(1, CASE WHEN $29::boolean THEN 2 ELSE 1 END)
            ), chosen AS (
                INSERT INTO passwords (account_id, hash, kind, with_passkey, changed_at)
                SELECT account.id, $59::text, $60::text, $61::boolean, $62::bigint FROM account
                WHERE $59::text IS NOT NULL
            ), handed_out AS (
                INSERT INTO client_keys (account_id, mac, created_at, last_used_at)
                SELECT account.id, $63::bytea, $64::bigint, $65::bigint FROM account WHERE $63::bytea IS NOT NULL
            ), ended AS (
                DELETE FROM sessions s USING account
                WHERE s.id = $31::uuid OR (s.account_id = $1
                    AND ($82::boolean AND s.id IS DISTINCT FROM $83::uuid OR s.credential_id = $84::bytea))
            ), opened AS (
                INSERT INTO sessions (id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at,
                    created_at, last_seen_at, expires_at, authenticated_at, aal, amr, credential_id, user_agent, ip)
                SELECT $32::uuid, account.id, $30::bytea, $33::bytea, $34::bytea, $35::bigint, $36::bigint, $37::bigint,
                    $38::bigint, $39::bigint, $40::smallint, $41::text::json, $42::bytea, $43::text, $44::text
                FROM account WHERE $32::uuid IS NOT NULL
            ), signed_out AS (
                DELETE FROM sessions s USING account WHERE $78::boolean AND s.account_id = $1
            ), dropped AS (
                DELETE FROM credentials c USING account WHERE $79::boolean AND c.account_id = $1
            ), dropped_password AS (
                DELETE FROM passwords p USING account WHERE $79::boolean AND p.account_id = $1 AND NOT p.with_passkey
            ), claimed AS (
                INSERT INTO address_claims (account_id, address, address_hash, token_hash, token_expires_at, mails,
                    mailed_at, expires_at)
                SELECT account.id, $71::text, $72::bytea, $73::bytea, $74::bigint, $75::bigint, $76::bigint, $77::bigint
                FROM account WHERE $71::text IS NOT NULL
            ), queued AS (
                INSERT INTO outbox (id, account_id, sealed, created_at, due_at)
                SELECT mail.* FROM account,
                    unnest($66::uuid[], $67::uuid[], $68::bytea[], $69::bigint[], $70::bigint[]) AS mail
            )
            INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id, ip,
                user_agent, request_id, mac, personal, actor)
            SELECT $45::uuid, $46::bigint, $47::text, $48::text, $49::text, $50::text, $51::uuid, $52::bytea,
                $53::uuid, $54::text, $55::text, $56::text, $57::bytea, $86::bytea, $87::text
            FROM account"#,
            account.0,
            new.map(|account| account.user_handle.as_bytes()),
            new.map(|account| account.username.as_str()),
            new.map(|account| account.display_name.as_str()),
            new.and_then(|account| account.email.as_deref()),
            new.map(|account| account.email_verified),
            new.map(|account| account.active),
            new.map(|account| account.created_at.as_millis()),
            new.map(|account| account.updated_at.as_millis()),
            new.and_then(|account| account.last_login_at.map(UnixTime::as_millis)),
            credential.id.as_bytes(),
            credential.rp_id.as_str(),
            credential.public_key,
            credential.algorithm.identifier(),
            i64::from(credential.sign_count.0),
            Uuid::from_bytes(*credential.aaguid.as_bytes()),
            columns::texts(credential.transports.iter().map(AuthenticatorTransport::as_str)),
            credential.backup_eligible,
            credential.backup_state,
            credential.uv_initialized,
            credential.attestation_format,
            credential.attestation_type,
            credential.attestation_trusted,
            credential.device_name,
            credential.user_agent.as_deref(),
            credential.created_at.as_millis(),
            credential.last_used_at.map(UnixTime::as_millis),
            credential.active,
            registration.reserved_id,
            session.map(|session| &session.token_family.0[..]),
            registration.ends.session().map(|session| session.0),
            session.map(|session| session.id.0),
            session.map(|session| &session.token_hash.0[..]),
            previous_token.as_ref().map(|hash| &hash.0[..]),
            rotated_at.map(UnixTime::as_millis),
            session.map(|session| session.created_at.as_millis()),
            session.map(|session| session.last_seen_at.as_millis()),
            session.map(|session| session.expires_at.as_millis()),
            session.map(|session| session.authenticated_at.as_millis()),
            session.map(|session| i16::from(session.aal)),
            session.map(|session| columns::texts(session.amr.iter().map(String::as_str))),
            session.and_then(|session| session.credential.as_ref().map(|id| id.as_bytes())),
            session.and_then(|session| session.user_agent.as_deref()),
            session.and_then(|session| session.ip.as_deref()),
            event.id.0,
            event.at.as_millis(),
            event.action,
            columns::outcome_text(event.outcome),
            event.code.as_deref(),
            event.step.as_deref(),
            event.account.map(|id| id.0),
            event.credential.as_ref().map(|id| id.as_bytes()),
            event.session.map(|id| id.0),
            event.ip.as_deref(),
            event.user_agent.as_deref(),
            event.request_id.as_deref(),
            &event.mac[..],
            credential.pin,
            password.map(|password| password.hash.as_str()),
            password.map(|password| password.kind.as_str()),
            password.map(|password| password.with_passkey),
            password.map(|password| password.changed_at.as_millis()),
            client_key.map(|key| &key.mac[..]),
            client_key.map(|key| key.created_at.as_millis()),
            client_key.and_then(|key| key.last_used_at.map(UnixTime::as_millis)),
            &mails.ids,
            &mails.accounts as &[Option<Uuid>],
            &mails.sealed,
            &mails.created_at,
            &mails.due_at,
            claim.map(|claim| claim.address.as_str()),
            claim.map(|claim| &claim.address_hash[..]),
            claim.map(|claim| &claim.token_hash.0[..]),
            claim.map(|claim| claim.token_expires_at.as_millis()),
            claim.map(|claim| i64::from(claim.mails)),
            claim.map(|claim| claim.mailed_at.as_millis()),
            claim.map(|claim| claim.expires_at.as_millis()),
            registration.recovery.is_some(),
            registration
                .recovery
                .is_some_and(|recovery| recovery.drops_passkeys),
            credential.attestation_hardware,
            credential.inactive_reason.map(InactiveReason::as_str),
            registration.ends.is_everywhere(),
            registration.ends.kept().map(|session| session.0),
            registration.ends.opener().map(|id| id.as_bytes()),
            columns::stored_traits(&credential.traits),
            event.personal.as_deref(),
            event.actor.map(|actor| actor.to_string()),
        )
    .execute(connection)
    .await?;
    Ok(())
}
