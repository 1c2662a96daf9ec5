//! One registration, in one statement.

use keyhaven_storage::{NewRegistration, RegistrationAccount, RegistrationOutcome};
use keyhaven_types::{AuthenticatorTransport, UnixTime};
use sqlx::query_scalar;

use crate::error::Failure;
use crate::{PostgresStore, audit, records};

impl PostgresStore {
    /// All of it in one round trip: a new account is inserted, or an existing one is locked while it is active, and
    /// everything else takes its rows from that one row. A username or credential id that is in use makes the whole
    /// statement fail by its unique constraint, which waits for racing commits of the same; so it is the constraint
    /// that gives the verdict, and nothing was written.
    pub(crate) async fn register(
        &self,
        registration: &NewRegistration,
    ) -> Result<RegistrationOutcome, Failure> {
        let (account, new) = match &registration.account {
            RegistrationAccount::Existing(id) => (*id, None),
            RegistrationAccount::New(account) => (account.id, Some(account)),
        };
        let credential = &registration.credential;
        let session = registration.session.as_ref();
        if credential.account != account || session.is_some_and(|session| session.account != account) {
            return Err(Failure::Contradiction("a registration speaks of one account"));
        }
        let (previous_token, rotated_at) = session.and_then(|session| session.previous_token).unzip();
        let grant = registration.uses_grant.as_ref();
        let event = &registration.audit;

        let mut lent = self.primary.lend().await?;
        let registered = query_scalar!(
            r#"WITH newcomer AS (
                INSERT INTO accounts (id, user_handle, username, display_name, email, email_verified, active,
                    created_at, updated_at, last_login_at)
                SELECT $1, $2::bytea, $3::text, $4::text, $5::text, $6::boolean, $7::boolean, $8::bigint, $9::bigint,
                    $10::bigint
                WHERE $2::bytea IS NOT NULL
                RETURNING id
            ), member AS MATERIALIZED (
                SELECT id FROM accounts WHERE $2::bytea IS NULL AND id = $1 AND active
                FOR NO KEY UPDATE
            ), account AS MATERIALIZED (
                SELECT id FROM newcomer UNION ALL SELECT id FROM member
            ), registered AS (
                INSERT INTO credentials (credential_id, account_id, rp_id, public_key, algorithm, sign_count, aaguid,
                    transports, backup_eligible, backup_state, uv_initialized, attestation_format, attestation_type,
                    attestation_trusted, device_name, user_agent, created_at, last_used_at, active)
                SELECT $11::bytea, account.id, $12::text, $13::bytea, $14::bigint, $15::bigint, $16::uuid,
                    $17::text::json, $18::boolean, $19::boolean, $20::boolean, $21::text, $22::text, $23::boolean,
                    $24::text, $25::text, $26::bigint, $27::bigint, $28::boolean
                FROM account
                RETURNING 1
            ), used AS (
                DELETE FROM step_up_grants g USING account WHERE g.session_id = $29::uuid AND g.purpose = $30::text
            ), ended AS (
                DELETE FROM sessions s USING account WHERE s.id = $31::uuid
            ), opened AS (
                INSERT INTO sessions (id, account_id, token_hash, previous_token_hash, rotated_at, created_at,
                    last_seen_at, expires_at, authenticated_at, aal, amr, credential_id, user_agent, ip)
                SELECT $32::uuid, account.id, $33::bytea, $34::bytea, $35::bigint, $36::bigint, $37::bigint,
                    $38::bigint, $39::bigint, $40::smallint, $41::text::json, $42::bytea, $43::text, $44::text
                FROM account WHERE $32::uuid IS NOT NULL
            ), recorded AS (
                INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id,
                    ip, user_agent, request_id, mac)
                SELECT $45::uuid, $46::bigint, $47::text, $48::text, $49::text, $50::text, $51::uuid, $52::bytea,
                    $53::uuid, $54::text, $55::text, $56::text, $57::bytea
                FROM account
            )
            SELECT EXISTS (SELECT FROM registered) AS "registered!""#,
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
            uuid::Uuid::from_bytes(*credential.aaguid.as_bytes()),
            records::texts(credential.transports.iter().map(AuthenticatorTransport::as_str)),
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
            grant.map(|(session, _)| session.0),
            grant.map(|(_, purpose)| purpose.as_str()),
            registration.ends_session.map(|session| session.0),
            session.map(|session| session.id.0),
            session.map(|session| &session.token_hash.0[..]),
            previous_token.as_ref().map(|hash| &hash.0[..]),
            rotated_at.map(UnixTime::as_millis),
            session.map(|session| session.created_at.as_millis()),
            session.map(|session| session.last_seen_at.as_millis()),
            session.map(|session| session.expires_at.as_millis()),
            session.map(|session| session.authenticated_at.as_millis()),
            session.map(|session| i16::from(session.aal)),
            session.map(|session| records::texts(session.amr.iter().map(String::as_str))),
            session.and_then(|session| session.credential.as_ref().map(|id| id.as_bytes())),
            session.and_then(|session| session.user_agent.as_deref()),
            session.and_then(|session| session.ip.as_deref()),
            event.id.0,
            event.at.as_millis(),
            event.action,
            audit::outcome(event),
            event.code.as_deref(),
            event.step.as_deref(),
            event.account.map(|id| id.0),
            event.credential.as_ref().map(|id| id.as_bytes()),
            event.session.map(|id| id.0),
            event.ip.as_deref(),
            event.user_agent.as_deref(),
            event.request_id.as_deref(),
            &event.mac[..],
        )
        .fetch_one(&mut *lent)
        .await;
        match lent.settle(registered) {
            Ok(true) => Ok(RegistrationOutcome::Committed),
            Ok(false) => Ok(RegistrationOutcome::AccountUnavailable),
            Err(failure) => match failure.unique_violation() {
                Some("accounts_username") => Ok(RegistrationOutcome::UsernameTaken),
                Some("credentials_credential_id" | "credentials_of_their_account") => {
                    Ok(RegistrationOutcome::CredentialExists)
                }
                Some(_) | None => Err(failure),
            },
        }
    }
}
