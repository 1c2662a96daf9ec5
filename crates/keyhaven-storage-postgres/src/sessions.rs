use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, OpenedSession, Rotation, Session, SessionId, SessionStore, SignInSession,
    StorageError, TokenHash, columns,
};
use keyhaven_types::UnixTime;
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::pool::Lent;
use crate::{PostgresStore, audit};

#[async_trait]
impl SessionStore for PostgresStore {
    async fn session(&self, family: &TokenHash) -> Result<Option<SignInSession>, StorageError> {
        self.answer("session.find", || self.find_session(family)).await
    }

    async fn sessions_of(&self, account: AccountId, now: UnixTime) -> Result<Vec<Session>, StorageError> {
        self.answer("session.list", || self.list_sessions(account, now))
            .await
    }

    async fn touch_session(&self, id: SessionId, seen_at: UnixTime) -> Result<(), StorageError> {
        self.answer("session.touch", || self.touch(id, seen_at)).await
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: UnixTime,
        audit: Aftermath,
    ) -> Result<Rotation, StorageError> {
        self.answer("session.rotate", || self.rotate(id, from, to, now, &audit))
            .await
    }

    async fn end_sessions(
        &self,
        account: AccountId,
        ids: &[SessionId],
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        self.answer("session.end", || self.end(account, &ids, &audit))
            .await
    }

    async fn end_other_sessions(
        &self,
        account: AccountId,
        keep: Option<SessionId>,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.answer("session.end_others", || self.end_others(account, keep, &audit))
            .await
    }

    async fn has_grant(
        &self,
        session: SessionId,
        purpose: &str,
        now: UnixTime,
    ) -> Result<bool, StorageError> {
        self.answer("grant.find", || self.find_grant(session, purpose, now))
            .await
    }

    async fn purge_expired_sessions(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.answer("session.purge", || self.purge(now, limit)).await
    }
}

/// Opens a session in place of another, as part of a transaction.
pub(crate) async fn open(connection: &mut PgConnection, opened: &OpenedSession) -> Result<(), sqlx::Error> {
    if let Some(ends) = opened.ends {
        query!("DELETE FROM sessions WHERE id = $1", ends.0)
            .execute(&mut *connection)
            .await?;
    }
    insert(connection, &opened.session).await
}

/// Writes a session as part of a transaction. Commits of one statement do it by themselves.
pub(crate) async fn insert(connection: &mut PgConnection, session: &Session) -> Result<(), sqlx::Error> {
    let (previous, rotated_at) = session.previous_token.unzip();
    query!(
        "INSERT INTO sessions (id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at,
            created_at, last_seen_at, expires_at, authenticated_at, aal, amr, credential_id, user_agent, ip)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::text::json, $13, $14, $15)",
        session.id.0,
        session.account.0,
        &session.token_family.0[..],
        &session.token_hash.0[..],
        previous.as_ref().map(|hash| &hash.0[..]),
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
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl PostgresStore {
    async fn find_session(&self, family: &TokenHash) -> Result<Option<SignInSession>, Failure> {
        let mut lent = self.primary.lend().await?;
        let row = query!(
            r#"SELECT a.id AS account_id, a.user_handle, a.username, a.display_name, a.email, a.email_verified,
                a.active AS account_active, a.is_admin, a.created_at AS account_created_at, a.updated_at, a.last_login_at,
                s.id AS session_id, s.token_family_hash, s.token_hash, s.previous_token_hash, s.rotated_at, s.earlier_tokens,
                s.created_at AS session_created_at, s.last_seen_at, s.expires_at, s.authenticated_at, s.aal,
                s.amr::text AS "amr!", s.credential_id, s.user_agent, s.ip
            FROM sessions s JOIN accounts a ON a.id = s.account_id
            WHERE s.token_family_hash = $1"#,
            &family.0[..]
        )
        .fetch_optional(&mut *lent)
        .await;
        let Some(row) = lent.settle(row)? else {
            return Ok(None);
        };
        let session = columns::session!(row);
        Ok(Some(SignInSession {
            session,
            account: columns::account!(row),
        }))
    }

    /// Not from the replica: whether a session is still there decides what a signed token is worth.
    async fn list_sessions(&self, account: AccountId, now: UnixTime) -> Result<Vec<Session>, Failure> {
        let mut lent = self.primary.lend().await?;
        let rows = query!(
            r#"SELECT account_id, id AS session_id, token_family_hash, token_hash, previous_token_hash, rotated_at, earlier_tokens,
                created_at AS session_created_at, last_seen_at, expires_at, authenticated_at, aal,
                amr::text AS "amr!", credential_id, user_agent, ip
            FROM sessions WHERE account_id = $1 AND expires_at > $2
            ORDER BY created_at DESC, id DESC"#,
            account.0,
            now.as_millis()
        )
        .fetch_all(&mut *lent)
        .await;
        let rows = lent.settle(rows)?;
        rows.into_iter().map(|row| Ok(columns::session!(row))).collect()
    }

    async fn touch(&self, id: SessionId, seen_at: UnixTime) -> Result<(), Failure> {
        let mut lent = self.primary.lend().await?;
        let touched = query!(
            "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2",
            id.0,
            seen_at.as_millis()
        )
        .execute(&mut *lent)
        .await;
        lent.settle(touched).map(|_| ())
    }

    async fn rotate(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: UnixTime,
        audit: &Aftermath,
    ) -> Result<Rotation, Failure> {
        let still_counts = now.saturating_sub(Session::REPLACED_TOKEN_COUNTS);
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let rotated = query!(
            "UPDATE sessions SET token_hash = $3::bytea, previous_token_hash = $2::bytea, rotated_at = $4,
                earlier_tokens = CASE WHEN rotated_at >= $5 THEN
                    left(encode(previous_token_hash, 'hex') || lpad(to_hex(rotated_at), 16, '0') || earlier_tokens, 2560)
                    ELSE '' END
            WHERE id = $1 AND token_hash = $2 AND expires_at > $4",
            id.0,
            &from.0[..],
            &to.0[..],
            now.as_millis(),
            still_counts.as_millis()
        )
        .execute(&mut *transaction)
        .await?;
        if rotated.rows_affected() != 1 {
            let live = query_scalar!(
                r#"SELECT EXISTS (SELECT FROM sessions WHERE id = $1 AND expires_at > $2) AS "live!""#,
                id.0,
                now.as_millis()
            )
            .fetch_one(&mut *transaction)
            .await?;
            transaction.rollback().await?;
            return lent.settle(Ok(if live {
                Rotation::Lost
            } else {
                Rotation::SessionEnded
            }));
        }
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(Rotation::Rotated))
    }

    async fn end(&self, account: AccountId, ids: &[Uuid], audit: &Aftermath) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let ended = query!(
            "DELETE FROM sessions WHERE id = ANY($1) AND account_id = $2",
            ids,
            account.0
        )
        .execute(&mut *transaction)
        .await?;
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(ended.rows_affected()))
    }

    async fn end_others(
        &self,
        account: AccountId,
        keep: Option<SessionId>,
        audit: &Aftermath,
    ) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let ended = query!(
            "DELETE FROM sessions WHERE account_id = $1 AND id IS DISTINCT FROM $2",
            account.0,
            keep.map(|session| session.0)
        )
        .execute(&mut *transaction)
        .await?;
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(ended.rows_affected()))
    }

    async fn find_grant(&self, session: SessionId, purpose: &str, now: UnixTime) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let live = query_scalar!(
            r#"SELECT EXISTS (
                SELECT FROM step_up_grants WHERE session_id = $1 AND purpose = $2 AND expires_at > $3
            ) AS "exists!""#,
            session.0,
            purpose,
            now.as_millis()
        )
        .fetch_one(&mut *lent)
        .await;
        lent.settle(live)
    }

    async fn purge(&self, now: UnixTime, limit: u32) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let purged = purge(&mut lent, now, i64::from(limit)).await;
        lent.settle(Ok(purged?))
    }
}

/// Rows that another process is purging at this moment are passed over.
async fn purge(lent: &mut Lent, now: UnixTime, limit: i64) -> Result<u64, sqlx::Error> {
    let mut transaction = lent.begin().await?;
    let grants = query!(
        "DELETE FROM step_up_grants WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM step_up_grants WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
        ))",
        now.as_millis(),
        limit
    )
    .execute(&mut *transaction)
    .await?;
    let sessions = query!(
        "DELETE FROM sessions WHERE id = ANY(ARRAY(
            SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
        ))",
        now.as_millis(),
        limit
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(grants.rows_affected().saturating_add(sessions.rows_affected()))
}
