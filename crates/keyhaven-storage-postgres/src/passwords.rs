//! Passwords: a registration and a sign-in in one statement each, a change in one transaction.

use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, PasswordCandidate, PasswordChange, PasswordChangeOutcome, PasswordLogin, PasswordLoginOutcome,
    PasswordRegistration, PasswordRegistrationOutcome, PasswordStore, PasswordVerifier, StorageError,
    columns, lookup_key,
};
use keyhaven_types::UnixTime;
use sqlx::{query, query_scalar};
use uuid::Uuid;

use crate::error::{Failure, unique_violation};
use crate::outbox::Mails;
use crate::pool::Transaction;
use crate::standing::{lock_active, lock_live, use_grant};
use crate::{PostgresStore, audit};

#[async_trait]
impl PasswordStore for PostgresStore {
    async fn password_candidate(&self, username: &str) -> Result<Option<PasswordCandidate>, StorageError> {
        self.answer("password.candidate", || self.find_password_candidate(username))
            .await
    }

    async fn password_of(&self, account: AccountId) -> Result<Option<PasswordVerifier>, StorageError> {
        self.answer("password.find", || self.find_password(account)).await
    }

    async fn password_kinds(&self, limit: u32) -> Result<Vec<String>, StorageError> {
        self.answer("password.kinds", || self.find_password_kinds(limit))
            .await
    }

    async fn register_password(
        &self,
        registration: PasswordRegistration,
    ) -> Result<PasswordRegistrationOutcome, StorageError> {
        self.answer("password.register", || {
            self.write_password_registration(&registration)
        })
        .await
    }

    async fn commit_password_login(
        &self,
        login: PasswordLogin,
    ) -> Result<PasswordLoginOutcome, StorageError> {
        self.answer("password.login", || self.write_password_login(&login))
            .await
    }

    async fn change_password(&self, change: PasswordChange) -> Result<PasswordChangeOutcome, StorageError> {
        self.answer("password.change", || self.write_password_change(&change))
            .await
    }
}

impl PostgresStore {
    async fn find_password_candidate(&self, username: &str) -> Result<Option<PasswordCandidate>, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            r#"SELECT a.id AS account_id, a.user_handle, a.username, a.display_name, a.email, a.email_verified,
                a.active AS account_active, a.is_admin, a.created_at AS account_created_at, a.updated_at, a.last_login_at,
                a.has_passkey, EXISTS (SELECT FROM client_keys WHERE account_id = a.id) AS "has_client_key!",
                p.hash AS "hash?", p.kind AS "kind?", p.with_passkey AS "with_passkey?",
                p.changed_at AS "changed_at?"
            FROM accounts a LEFT JOIN passwords p ON p.account_id = a.id
            WHERE lookup_key(a.username) = $1"#,
            lookup_key(username)
        )
        .fetch_optional(&mut *lent)
        .await;
        let Some(row) = lent.settle(row)? else {
            return Ok(None);
        };
        Ok(Some(PasswordCandidate {
            password: columns::password!(row),
            has_passkey: row.has_passkey,
            has_client_key: row.has_client_key,
            account: columns::account!(row),
        }))
    }

    async fn find_password(&self, account: AccountId) -> Result<Option<PasswordVerifier>, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            "SELECT hash, kind, with_passkey, changed_at FROM passwords WHERE account_id = $1",
            account.0
        )
        .fetch_optional(&mut *lent)
        .await;
        Ok(lent.settle(row)?.map(|row| PasswordVerifier {
            account,
            hash: row.hash,
            kind: row.kind,
            with_passkey: row.with_passkey,
            changed_at: UnixTime::from_millis(row.changed_at),
        }))
    }

    /// From one kind to the next, however many passwords there are of each.
    async fn find_password_kinds(&self, limit: u32) -> Result<Vec<String>, Failure> {
        let mut lent = self.primary.lend().await?;
        let kinds = query_scalar!(
            r#"WITH RECURSIVE kinds (kind) AS (
                SELECT min(kind) FROM passwords
                UNION ALL
                SELECT (SELECT min(p.kind) FROM passwords p WHERE p.kind > kinds.kind) FROM kinds
                WHERE kinds.kind IS NOT NULL
            )
            SELECT kind AS "kind!" FROM kinds WHERE kind IS NOT NULL LIMIT $1"#,
            i64::from(limit)
        )
        .fetch_all(&mut *lent)
        .await;
        lent.settle(kinds)
    }

    /// A username that is in use makes the whole statement fail by its unique constraint.
    #[expect(
        clippy::as_conversions,
        reason = "how the query macro is told a type: nothing is converted"
    )]
    async fn write_password_registration(
        &self,
        registration: &PasswordRegistration,
    ) -> Result<PasswordRegistrationOutcome, Failure> {
        let account = &registration.account;
        let password = &registration.password;
        let session = registration.session.as_ref();
        if !registration.is_of_one_account() {
            return Err(Failure::Contradiction("a registration speaks of one account"));
        }
        let (previous_token, rotated_at) = session.and_then(|session| session.previous_token).unzip();
        let claim = registration.claim.as_ref();
        let event = &registration.audit.event;
        let mails = Mails::of(&registration.audit);
        let mut lent = self.primary.lend().await?;
        let written = query!(
            r#"WITH account AS (
                INSERT INTO accounts (id, user_handle, username, display_name, email, email_verified, active,
                    created_at, updated_at, last_login_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                RETURNING id
            ), chosen AS (
                INSERT INTO passwords (account_id, hash, kind, with_passkey, changed_at)
                SELECT account.id, $11::text, $12::text, $13::boolean, $14::bigint FROM account
            ), claimed AS (
                INSERT INTO address_claims (account_id, address, address_hash, token_hash, token_expires_at, mails,
                    mailed_at, expires_at)
                SELECT account.id, $50::text, $51::bytea, $52::bytea, $53::bigint, $54::bigint, $55::bigint, $56::bigint
                FROM account WHERE $50::text IS NOT NULL
            ), ended AS (
                DELETE FROM sessions s USING account WHERE s.id = $15::uuid
            ), opened AS (
                INSERT INTO sessions (id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at,
                    created_at, last_seen_at, expires_at, authenticated_at, aal, amr, credential_id, user_agent, ip)
                SELECT $16::uuid, account.id, $17::bytea, $18::bytea, $19::bytea, $20::bigint, $21::bigint, $22::bigint,
                    $23::bigint, $24::bigint, $25::smallint, $26::text::json, $27::bytea, $28::text, $29::text
                FROM account WHERE $16::uuid IS NOT NULL
            ), queued AS (
                INSERT INTO outbox (id, account_id, sealed, created_at, due_at)
                SELECT mail.* FROM account,
                    unnest($43::uuid[], $44::uuid[], $45::bytea[], $46::bigint[], $47::bigint[]) AS mail
            )
            INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id, ip,
                user_agent, request_id, mac, personal, actor)
            SELECT $30::uuid, $31::bigint, $32::text, $33::text, $34::text, $35::text, $36::uuid, $37::bytea,
                $38::uuid, $39::text, $40::text, $41::text, $42::bytea, $48::bytea, $49::text
            FROM account"#,
            account.id.0,
            account.user_handle.as_bytes(),
            account.username,
            account.display_name,
            account.email.as_deref(),
            account.email_verified,
            account.active,
            account.created_at.as_millis(),
            account.updated_at.as_millis(),
            account.last_login_at.map(UnixTime::as_millis),
            password.hash,
            password.kind,
            password.with_passkey,
            password.changed_at.as_millis(),
            registration.ends_session.map(|session| session.0),
            session.map(|session| session.id.0),
            session.map(|session| &session.token_family.0[..]),
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
            &mails.ids,
            &mails.accounts as &[Option<Uuid>],
            &mails.sealed,
            &mails.created_at,
            &mails.due_at,
            event.personal.as_deref(),
            event.actor.map(|actor| actor.to_string()),
            claim.map(|claim| claim.address.as_str()),
            claim.map(|claim| &claim.address_hash[..]),
            claim.map(|claim| &claim.token_hash.0[..]),
            claim.map(|claim| claim.token_expires_at.as_millis()),
            claim.map(|claim| i64::from(claim.mails)),
            claim.map(|claim| claim.mailed_at.as_millis()),
            claim.map(|claim| claim.expires_at.as_millis()),
        )
        .execute(&mut *lent)
        .await;
        if written.as_ref().err().and_then(unique_violation) == Some("accounts_username") {
            return lent.settle(Ok(PasswordRegistrationOutcome::UsernameTaken));
        }
        lent.settle(written)
            .map(|_| PasswordRegistrationOutcome::Committed)
    }

    #[expect(
        clippy::as_conversions,
        reason = "how the query macro is told a type: nothing is converted"
    )]
    /// As [`Self::record_assertion`] does it: what is locked is judged, and nothing is written unless all is.
    async fn write_password_login(&self, login: &PasswordLogin) -> Result<PasswordLoginOutcome, Failure> {
        let session = &login.session;
        let (previous_token, rotated_at) = session.previous_token.unzip();
        let rehashed = login.rehashed.as_ref();
        let event = &login.audit.event;
        let mails = Mails::of(&login.audit);
        let mut lent = self.primary.lend().await?;
        let outcome = query_scalar!(
            r#"WITH target AS MATERIALIZED (
                SELECT a.active, p.hash FROM accounts a JOIN passwords p ON p.account_id = a.id
                WHERE a.id = $1
                FOR NO KEY UPDATE OF a, p
            ), verdict AS MATERIALIZED (
                SELECT CASE
                    WHEN t.active IS NULL THEN 'password changed'
                    WHEN NOT t.active THEN 'account locked'
                    WHEN t.hash <> $2 THEN 'password changed'
                    ELSE 'committed'
                END AS outcome
                FROM (VALUES (true)) AS one LEFT JOIN target t ON true
            ), committed AS MATERIALIZED (
                SELECT FROM verdict WHERE outcome = 'committed'
            ), rehashed AS (
                UPDATE passwords p SET hash = $3::text, kind = $4::text
                FROM committed WHERE p.account_id = $1 AND $3::text IS NOT NULL
            ), signed_in AS (
                UPDATE accounts a SET last_login_at = greatest(a.last_login_at, $10)
                FROM committed WHERE a.id = $1
            ), ended AS (
                DELETE FROM sessions s USING committed WHERE s.id = $5::uuid
            ), opened AS (
                INSERT INTO sessions (id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at,
                    created_at, last_seen_at, expires_at, authenticated_at, aal, amr, credential_id, user_agent, ip)
                SELECT $6::uuid, $1, $7::bytea, $8::bytea, $9::bytea, $31::bigint, $10::bigint, $11::bigint,
                    $12::bigint, $13::bigint, $14::smallint, $15::text::json, $16::bytea, $17::text, $18::text
                FROM committed
            ), recorded AS (
                INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id,
                    ip, user_agent, request_id, mac, personal, actor)
                SELECT $19::uuid, $20::bigint, $21::text, $22::text, $23::text, $24::text, $25::uuid, $26::bytea,
                    $27::uuid, $28::text, $29::text, $30::text, $32::bytea, $38::bytea, $39::text
                FROM committed
            ), queued AS (
                INSERT INTO outbox (id, account_id, sealed, created_at, due_at)
                SELECT mail.* FROM committed,
                    unnest($33::uuid[], $34::uuid[], $35::bytea[], $36::bigint[], $37::bigint[]) AS mail
            )
            SELECT outcome AS "outcome!" FROM verdict"#,
            session.account.0,
            login.compared,
            rehashed.map(|(hash, _)| hash.as_str()),
            rehashed.map(|(_, kind)| kind.as_str()),
            login.ends_session.map(|session| session.0),
            session.id.0,
            &session.token_family.0[..],
            &session.token_hash.0[..],
            previous_token.as_ref().map(|hash| &hash.0[..]),
            session.created_at.as_millis(),
            session.last_seen_at.as_millis(),
            session.expires_at.as_millis(),
            session.authenticated_at.as_millis(),
            i16::from(session.aal),
            columns::texts(session.amr.iter().map(String::as_str)),
            session.credential.as_ref().map(|id| id.as_bytes()),
            session.user_agent.as_deref(),
            session.ip.as_deref(),
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
            rotated_at.map(UnixTime::as_millis),
            &event.mac[..],
            &mails.ids,
            &mails.accounts as &[Option<Uuid>],
            &mails.sealed,
            &mails.created_at,
            &mails.due_at,
            event.personal.as_deref(),
            event.actor.map(|actor| actor.to_string()),
        )
        .fetch_one(&mut *lent)
        .await;
        Ok(match lent.settle(outcome)?.as_str() {
            "account locked" => PasswordLoginOutcome::AccountLocked,
            "committed" => PasswordLoginOutcome::Committed,
            "password changed" => PasswordLoginOutcome::PasswordChanged,
            _ => return Err(columns::Damaged("verdict").into()),
        })
    }

    async fn write_password_change(&self, change: &PasswordChange) -> Result<PasswordChangeOutcome, Failure> {
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
                query!("DELETE FROM passwords WHERE account_id = $1", change.account.0)
                    .execute(&mut *transaction)
                    .await
            }
            Some(to) => {
                query!(
                    "INSERT INTO passwords (account_id, hash, kind, with_passkey, changed_at)
                    VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (account_id) DO UPDATE SET hash = excluded.hash, kind = excluded.kind,
                        with_passkey = excluded.with_passkey, changed_at = excluded.changed_at",
                    to.account.0,
                    to.hash,
                    to.kind,
                    to.with_passkey,
                    to.changed_at.as_millis()
                )
                .execute(&mut *transaction)
                .await
            }
        };
        written?;
        let ended = query!(
            "DELETE FROM sessions WHERE account_id = $1 AND id <> $2",
            change.account.0,
            change.session.0
        )
        .execute(&mut *transaction)
        .await?;
        audit::append(&mut transaction, &change.audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(PasswordChangeOutcome::Changed {
            ended: ended.rows_affected(),
        }))
    }
}

/// Why a password cannot be changed, in the order in which it is asked; `None`: it can, and the grant is used.
async fn refused_change(
    transaction: &mut Transaction<'_>,
    change: &PasswordChange,
) -> Result<Option<PasswordChangeOutcome>, sqlx::Error> {
    if !lock_active(transaction, change.account).await? {
        return Ok(Some(PasswordChangeOutcome::AccountUnavailable));
    }
    if !lock_live(transaction, change.session, change.account, change.at).await? {
        return Ok(Some(PasswordChangeOutcome::SessionEnded));
    }
    let found = query!(
        r#"SELECT a.has_passkey, p.hash AS "hash?"
        FROM accounts a LEFT JOIN passwords p ON p.account_id = a.id WHERE a.id = $1"#,
        change.account.0
    )
    .fetch_one(&mut **transaction)
    .await?;
    if found.hash != change.from {
        return Ok(Some(PasswordChangeOutcome::PasswordChanged));
    }
    if change.needs_passkey() && !found.has_passkey {
        return Ok(Some(PasswordChangeOutcome::NoPasskey));
    }
    if let Some(purpose) = &change.uses_grant
        && !use_grant(transaction, change.session, purpose, change.at).await?
    {
        return Ok(Some(PasswordChangeOutcome::GrantMissing));
    }
    Ok(None)
}
