use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, Ending, OpenedSession, Rotation, Session, SessionId, SessionStore, SignInSession,
    StorageError, TokenHash, columns,
};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::{SqliteStore, audit};

#[async_trait]
impl SessionStore for SqliteStore {
    async fn session(&self, family: &TokenHash) -> Result<Option<SignInSession>, StorageError> {
        self.find_session(family)
            .await
            .map_err(Failure::of("session.find"))
    }

    async fn sessions_of(&self, account: AccountId, now: UnixTime) -> Result<Vec<Session>, StorageError> {
        self.list_sessions(account, now)
            .await
            .map_err(Failure::of("session.list"))
    }

    async fn touch_session(&self, id: SessionId, seen_at: UnixTime) -> Result<(), StorageError> {
        let touched = query!(
            "UPDATE sessions SET last_seen_at = ?2 WHERE id = ?1 AND last_seen_at < ?2",
            id.0,
            seen_at.as_millis()
        );
        let touched = touched.execute(&self.writer).await.map_err(Failure::from);
        touched.map(|_| ()).map_err(Failure::of("session.touch"))
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: UnixTime,
        audit: Aftermath,
    ) -> Result<Rotation, StorageError> {
        self.rotate(id, from, to, now, &audit)
            .await
            .map_err(Failure::of("session.rotate"))
    }

    async fn end_sessions(
        &self,
        account: AccountId,
        ids: &[SessionId],
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.end(account, ids, &audit)
            .await
            .map_err(Failure::of("session.end"))
    }

    async fn end_other_sessions(
        &self,
        account: AccountId,
        keep: Option<SessionId>,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.end_others(account, keep, &audit)
            .await
            .map_err(Failure::of("session.end_others"))
    }

    async fn has_grant(
        &self,
        session: SessionId,
        purpose: &str,
        now: UnixTime,
    ) -> Result<bool, StorageError> {
        let live = query_scalar!(
            r#"SELECT EXISTS (
                SELECT 1 FROM step_up_grants WHERE session_id = ?1 AND purpose = ?2 AND expires_at > ?3
            ) AS "exists!: bool""#,
            session.0,
            purpose,
            now.as_millis()
        );
        let live = live.fetch_one(&self.readers).await.map_err(Failure::from);
        live.map_err(Failure::of("grant.find"))
    }

    async fn purge_expired_sessions(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.purge(now, limit).await.map_err(Failure::of("session.purge"))
    }
}

/// Writes a session as part of a commit.
pub(crate) async fn insert(connection: &mut SqliteConnection, session: &Session) -> Result<(), Failure> {
    let (previous, rotated_at) = session.previous_token.unzip();
    query!(
        "INSERT INTO sessions (id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at,
            created_at, last_seen_at, expires_at, authenticated_at, aal, amr, credential_id, user_agent, ip)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
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
        session.aal,
        columns::texts(session.amr.iter().map(String::as_str)),
        session.credential.as_ref().map(|id| id.as_bytes()),
        session.user_agent,
        session.ip,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Opens a session in place of another, as part of a commit.
pub(crate) async fn open(connection: &mut SqliteConnection, opened: &OpenedSession) -> Result<(), Failure> {
    if let Some(ends) = opened.ends {
        delete(&mut *connection, ends).await?;
    }
    insert(connection, &opened.session).await
}

/// Ends a session, whoever's it is, as part of a commit. Its grants go with it.
pub(crate) async fn delete(connection: &mut SqliteConnection, id: SessionId) -> Result<(), Failure> {
    query!("DELETE FROM sessions WHERE id = ?1", id.0)
        .execute(connection)
        .await?;
    Ok(())
}

impl SqliteStore {
    async fn find_session(&self, family: &TokenHash) -> Result<Option<SignInSession>, Failure> {
        let row = query!(
            r#"SELECT a.id AS "account_id!: Uuid", a.user_handle AS "user_handle!", a.username AS "username!",
                a.display_name AS "display_name!", a.email AS "email?",
                a.email_verified AS "email_verified!: bool", a.active AS "account_active!: bool", a.is_admin AS "is_admin!: bool",
                a.created_at AS "account_created_at!", a.updated_at AS "updated_at!",
                a.last_login_at AS "last_login_at?",
                s.id AS "session_id!: Uuid", s.token_family_hash AS "token_family_hash!", s.token_hash AS "token_hash!",
                s.previous_token_hash AS "previous_token_hash?", s.rotated_at AS "rotated_at?", s.earlier_tokens AS "earlier_tokens!",
                s.created_at AS "session_created_at!", s.last_seen_at AS "last_seen_at!",
                s.expires_at AS "expires_at!", s.authenticated_at AS "authenticated_at!", s.aal AS "aal!",
                s.amr AS "amr!", s.credential_id AS "credential_id?", s.user_agent AS "user_agent?", s.ip AS "ip?"
            FROM sessions s JOIN accounts a ON a.id = s.account_id
            WHERE s.token_family_hash = ?1"#,
            &family.0[..]
        )
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let session = columns::session!(row);
        Ok(Some(SignInSession {
            session,
            account: columns::account!(row),
        }))
    }

    async fn list_sessions(&self, account: AccountId, now: UnixTime) -> Result<Vec<Session>, Failure> {
        let rows = query!(
            r#"SELECT account_id AS "account_id!: Uuid", id AS "session_id!: Uuid", token_family_hash, token_hash,
                previous_token_hash, rotated_at, earlier_tokens, created_at AS "session_created_at!", last_seen_at, expires_at,
                authenticated_at, aal, amr, credential_id, user_agent, ip
            FROM sessions WHERE account_id = ?1 AND expires_at > ?2
            ORDER BY created_at DESC, rowid DESC"#,
            account.0,
            now.as_millis()
        )
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(|row| Ok(columns::session!(row))).collect()
    }

    async fn rotate(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: UnixTime,
        audit: &Aftermath,
    ) -> Result<Rotation, Failure> {
        let mut transaction = self.write().await?;
        let still_counts = now.saturating_sub(Session::REPLACED_TOKEN_COUNTS);
        let rotated = query!(
            "UPDATE sessions SET token_hash = ?3, previous_token_hash = ?2, rotated_at = ?4,
                earlier_tokens = CASE WHEN rotated_at >= ?5 THEN
                    substr(lower(hex(previous_token_hash)) || printf('%016x', rotated_at) || earlier_tokens, 1, 2560)
                    ELSE '' END
            WHERE id = ?1 AND token_hash = ?2 AND expires_at > ?4",
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
                r#"SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ?1 AND expires_at > ?2) AS "live!: bool""#,
                id.0,
                now.as_millis()
            );
            let live = live.fetch_one(&mut *transaction).await?;
            transaction.rollback().await?;
            return Ok(if live {
                Rotation::Lost
            } else {
                Rotation::SessionEnded
            });
        }
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        Ok(Rotation::Rotated)
    }

    async fn end(&self, account: AccountId, ids: &[SessionId], audit: &Aftermath) -> Result<u64, Failure> {
        let mut transaction = self.write().await?;
        let mut ended = 0;
        for id in ids {
            let deleted = query!(
                "DELETE FROM sessions WHERE id = ?1 AND account_id = ?2",
                id.0,
                account.0
            );
            ended += deleted.execute(&mut *transaction).await?.rows_affected();
        }
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    async fn end_others(
        &self,
        account: AccountId,
        keep: Option<SessionId>,
        audit: &Aftermath,
    ) -> Result<u64, Failure> {
        let mut transaction = self.write().await?;
        let ended = end(&mut transaction, account, &Ending::Everywhere { keep }).await?;
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    async fn purge(&self, now: UnixTime, limit: u32) -> Result<u64, Failure> {
        let mut transaction = self.write().await?;
        let grants = query!(
            "DELETE FROM step_up_grants WHERE (session_id, purpose) IN (
                SELECT session_id, purpose FROM step_up_grants WHERE expires_at <= ?1 LIMIT ?2
            )",
            now.as_millis(),
            limit
        )
        .execute(&mut *transaction)
        .await?;
        let sessions = query!(
            "DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE expires_at <= ?1 LIMIT ?2)",
            now.as_millis(),
            limit
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(grants.rows_affected() + sessions.rows_affected())
    }
}

/// Ends what a commit of this account ends with it, and tells how many.
pub(crate) async fn end(
    connection: &mut SqliteConnection,
    account: AccountId,
    ending: &Ending,
) -> Result<u64, Failure> {
    let ended = match ending {
        Ending::Everywhere { keep } => {
            let keep = keep.map(|session| session.0);
            query!(
                "DELETE FROM sessions WHERE account_id = ?1 AND id IS NOT ?2",
                account.0,
                keep
            )
            .execute(connection)
            .await?
        }
        Ending::Nothing => return Ok(0),
        Ending::OpenedBy(credential) => {
            query!(
                "DELETE FROM sessions WHERE account_id = ?1 AND credential_id = ?2",
                account.0,
                credential.as_bytes()
            )
            .execute(connection)
            .await?
        }
        Ending::Session(id) => {
            query!("DELETE FROM sessions WHERE id = ?1", id.0)
                .execute(connection)
                .await?
        }
    };
    Ok(ended.rows_affected())
}
