//! One verified assertion, in one statement.

use keyhaven_storage::{AssertionCommit, AssertionOutcome, Session, columns};
use keyhaven_types::UnixTime;
use sqlx::query_scalar;
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::Failure;
use crate::outbox::Mails;

impl PostgresStore {
    /// All of it in one round trip: a plain login by a statement of its own, everything else, and a login that this one
    /// did not commit and that is to be told why, by one that judges. How one statement decides and writes under READ COMMITTED:
    ///
    /// * All its parts see one snapshot, taken when it begins, so what the snapshot says may be old by the time a row
    ///   is written. `target` therefore *locks* account and credential, in this order as all commits do, and answers
    ///   what they are once the locks are held: a row that was changed meanwhile is read again in its newest version,
    ///   one that was deleted is not there.
    /// * `beside` does the same for what was judged by beside the passkey, and looks at nothing where nothing was.
    /// * `verdict` judges what was locked and nothing else. Of racing commits with one expected sign count the first
    ///   to hold the lock is committed; the others find the count that it stored.
    /// * `committed` is one row or none. Each writing part takes its rows from it, so nothing is written unless all is.
    ///   An update finds its row by the snapshot, follows it to the newest version (which this statement has locked),
    ///   and changes that.
    /// * Foreign keys are checked and triggers run at the end of the statement. Where one of them refuses, or any part
    ///   fails, the statement and with it the transaction never was.
    #[expect(
        clippy::as_conversions,
        reason = "how the query macro is told a type: nothing is converted"
    )]
    pub(crate) async fn record_assertion(
        &self,
        commit: &AssertionCommit,
    ) -> Result<AssertionOutcome, Failure> {
        let session = commit.session.as_ref();
        if session.is_some_and(|session| session.account != commit.account) {
            return Err(Failure::Contradiction("an assertion speaks of one account"));
        }
        let (previous_token, rotated_at) = session.and_then(|session| session.previous_token).unzip();
        let grant = commit.grant.as_ref();
        let judged = commit.factors.as_ref();
        let event = &commit.audit.event;
        let mails = Mails::of(&commit.audit);
        let still_counts = commit.used_at.saturating_sub(Session::REPLACED_TOKEN_COUNTS);

        if let (Some(session), None, None, None) = (session, grant, commit.ends_session, judged)
            && commit.audit.mails.is_empty()
            && self.record_login(commit, session).await?
        {
            return Ok(AssertionOutcome::Committed);
        }

        let mut lent = self.primary.lend().await?;
        let outcome = query_scalar!(
            r#"WITH target AS MATERIALIZED (
                SELECT a.id AS account_id, a.active AS account_active, c.active AS credential_active,
                    c.sign_count = $3 AND c.backup_eligible = $39 AND c.device_name = $40 AND a.updated_at = $41
                    AS as_expected
                FROM accounts a JOIN credentials c ON c.account_id = a.id
                WHERE a.id = $2 AND c.credential_id = $1
                FOR NO KEY UPDATE OF a, c
            ), holder AS MATERIALIZED (
                SELECT s.id FROM sessions s
                WHERE s.id = $21::uuid AND s.account_id = $2 AND s.expires_at > $7
                FOR KEY SHARE
            ), beside AS MATERIALIZED (
                SELECT (SELECT p.hash FROM passwords p WHERE p.account_id = t.account_id FOR SHARE) AS password,
                    (SELECT k.mac FROM client_keys k WHERE k.account_id = t.account_id FOR NO KEY UPDATE) AS client_key
                FROM target t WHERE $42::boolean
            ), verdict AS MATERIALIZED (
                SELECT CASE
                    WHEN t.account_active IS NULL THEN 'credential missing'
                    WHEN NOT t.account_active THEN 'account locked'
                    WHEN NOT t.credential_active THEN 'credential inactive'
                    WHEN NOT t.as_expected THEN 'record changed'
                    WHEN $42::boolean AND (b.password IS DISTINCT FROM $43::text
                        OR b.client_key IS DISTINCT FROM $44::bytea) THEN 'record changed'
                    WHEN $21::uuid IS NOT NULL AND h.id IS NULL THEN 'session ended'
                    ELSE 'committed'
                END AS outcome
                FROM (VALUES (true)) AS one LEFT JOIN target t ON true LEFT JOIN holder h ON true
                LEFT JOIN beside b ON true
            ), committed AS MATERIALIZED (
                SELECT FROM verdict WHERE outcome = 'committed'
            ), used AS (
                UPDATE credentials c
                SET sign_count = $4::bigint, backup_eligible = $5, backup_state = $6,
                    last_used_at = greatest(c.last_used_at, $7)
                FROM committed WHERE c.credential_id = $1
            ), key_used AS (
                UPDATE client_keys k SET last_used_at = greatest(k.last_used_at, $7)
                FROM committed WHERE k.account_id = $2 AND $45::boolean
            ), signed_in AS (
                UPDATE accounts a SET last_login_at = greatest(a.last_login_at, $7)
                FROM committed WHERE a.id = $2 AND $8::uuid IS NOT NULL
            ), ended AS (
                DELETE FROM sessions s USING committed WHERE s.id = $24::uuid
            ), opened AS (
                INSERT INTO sessions (id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at,
                    created_at, last_seen_at, expires_at, authenticated_at, aal, amr, credential_id, user_agent, ip)
                SELECT $8::uuid, $2, $38::bytea, $9::bytea, $10::bytea, $11::bigint, $12::bigint, $13::bigint, $14::bigint,
                    $15::bigint, $16::smallint, $17::text::json, $18::bytea, $19::text, $20::text
                FROM committed WHERE $8::uuid IS NOT NULL
            ), given AS (
                INSERT INTO step_up_grants (session_id, purpose, expires_at)
                SELECT $21::uuid, $22::text, $23::bigint FROM committed WHERE $21::uuid IS NOT NULL
                ON CONFLICT (session_id, purpose) DO UPDATE SET expires_at = excluded.expires_at
            ), rotated AS (
                UPDATE sessions s SET token_hash = $51::bytea, previous_token_hash = s.token_hash, rotated_at = $7,
                    earlier_tokens = CASE WHEN s.rotated_at >= $54::bigint THEN left(
                        encode(s.previous_token_hash, 'hex') || lpad(to_hex(s.rotated_at), 16, '0') || s.earlier_tokens, 2560)
                        ELSE '' END
                FROM committed WHERE s.id = $21::uuid AND $51::bytea IS NOT NULL
            ), recorded AS (
                INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id,
                    ip, user_agent, request_id, mac, personal, actor)
                SELECT $25::uuid, $26::bigint, $27::text, $28::text, $29::text, $30::text, $31::uuid, $32::bytea,
                    $33::uuid, $34::text, $35::text, $36::text, $37::bytea, $52::bytea, $53::text
                FROM committed
            ), queued AS (
                INSERT INTO outbox (id, account_id, sealed, created_at, due_at)
                SELECT mail.* FROM committed,
                    unnest($46::uuid[], $47::uuid[], $48::bytea[], $49::bigint[], $50::bigint[]) AS mail
            )
            SELECT outcome AS "outcome!" FROM verdict"#,
            commit.credential.as_bytes(),
            commit.account.0,
            i64::from(commit.expected_sign_count.0),
            i64::from(commit.new_sign_count.0),
            commit.backup_eligible,
            commit.backup_state,
            commit.used_at.as_millis(),
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
            grant.map(|grant| grant.session.0),
            grant.map(|grant| grant.purpose.as_str()),
            grant.map(|grant| grant.expires_at.as_millis()),
            commit.ends_session.map(|session| session.0),
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
            session.map(|session| &session.token_family.0[..]),
            commit.expected.backup_eligible,
            commit.expected.device_name,
            commit.expected.account_updated_at.as_millis(),
            judged.is_some(),
            judged.and_then(|judged| judged.password.as_deref()),
            judged.and_then(|judged| judged.client_key.as_ref().map(|mac| &mac[..])),
            judged.is_some_and(|judged| judged.uses_client_key),
            &mails.ids,
            &mails.accounts as &[Option<Uuid>],
            &mails.sealed,
            &mails.created_at,
            &mails.due_at,
            commit.rotation.as_ref().map(|to| &to.0[..]),
            event.personal.as_deref(),
            event.actor.map(|actor| actor.to_string()),
            still_counts.as_millis(),
        )
        .fetch_one(&mut *lent)
        .await;
        Ok(match lent.settle(outcome)?.as_str() {
            "account locked" => AssertionOutcome::AccountLocked,
            "committed" => AssertionOutcome::Committed,
            "credential inactive" => AssertionOutcome::CredentialInactive,
            "credential missing" => AssertionOutcome::CredentialMissing,
            "session ended" => AssertionOutcome::SessionEnded,
            "record changed" => AssertionOutcome::RecordChanged,
            _ => return Err(columns::Damaged("verdict").into()),
        })
    }
}
