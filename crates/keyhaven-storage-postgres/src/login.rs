//! A plain login, in the cheapest statement that is whole.

use keyhaven_storage::{AssertionCommit, Session, columns};
use keyhaven_types::UnixTime;
use sqlx::query_scalar;

use crate::PostgresStore;
use crate::error::Failure;

impl PostgresStore {
    /// Records an assertion that opens a session and does nothing else, and that no mail tells of. `false`: something is not as expected, and
    /// nothing was written.
    ///
    /// As in `record_assertion` the account is locked first, and everything else takes its rows from the part before
    /// it: none is written unless all are. Account and credential are found by the snapshot and, where somebody has
    /// changed them meanwhile, judged anew in the version that is locked or changed. It has a third of that statement's
    /// parts less, and is that much cheaper to begin.
    pub(crate) async fn record_login(
        &self,
        commit: &AssertionCommit,
        session: &Session,
    ) -> Result<bool, Failure> {
        let (previous_token, rotated_at) = session.previous_token.unzip();
        let event = &commit.audit.event;
        let mut lent = self.primary.lend().await?;
        let committed = query_scalar!(
            r#"WITH holder AS MATERIALIZED (
                SELECT id FROM accounts WHERE id = $2 AND active AND updated_at = $3 FOR NO KEY UPDATE
            ), used AS (
                UPDATE credentials c
                SET sign_count = $4::bigint, backup_eligible = $5, backup_state = $6,
                    last_used_at = greatest(c.last_used_at, $7)
                FROM holder
                WHERE c.credential_id = $1 AND c.account_id = holder.id AND c.active AND c.sign_count = $8
                    AND c.backup_eligible = $9 AND c.device_name = $10
                RETURNING c.account_id
            ), signed_in AS (
                UPDATE accounts a SET last_login_at = greatest(a.last_login_at, $7) FROM used WHERE a.id = $2
            ), opened AS (
                INSERT INTO sessions (id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at,
                    created_at, last_seen_at, expires_at, authenticated_at, aal, amr, credential_id, user_agent, ip)
                SELECT $11::uuid, $2, $12::bytea, $13::bytea, $14::bytea, $15::bigint, $16::bigint, $17::bigint,
                    $18::bigint, $19::bigint, $20::smallint, $21::text::json, $22::bytea, $23::text, $24::text
                FROM used
            ), recorded AS (
                INSERT INTO audit_events (id, at, action, outcome, code, step, account_id, credential_id, session_id,
                    ip, user_agent, request_id, mac, personal, actor)
                SELECT $25::uuid, $26::bigint, $27::text, $28::text, $29::text, $30::text, $31::uuid, $32::bytea,
                    $33::uuid, $34::text, $35::text, $36::text, $37::bytea, $38::bytea, $39::text
                FROM used
            )
            SELECT true AS "committed!" FROM used"#,
            commit.credential.as_bytes(),
            commit.account.0,
            commit.expected.account_updated_at.as_millis(),
            i64::from(commit.new_sign_count.0),
            commit.backup_eligible,
            commit.backup_state,
            commit.used_at.as_millis(),
            i64::from(commit.expected_sign_count.0),
            commit.expected.backup_eligible,
            commit.expected.device_name,
            session.id.0,
            &session.token_family.0[..],
            &session.token_hash.0[..],
            previous_token.as_ref().map(|hash| &hash.0[..]),
            rotated_at.map(UnixTime::as_millis),
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
            &event.mac[..],
            event.personal.as_deref(),
            event.actor.map(|actor| actor.to_string()),
        )
        .fetch_optional(&mut *lent)
        .await;
        Ok(lent.settle(committed)?.is_some())
    }
}
