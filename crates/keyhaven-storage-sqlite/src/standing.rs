//! What a change of an account stands on: an account that may be changed, a session that asks, a grant that is used up.
//! Asked inside the transaction that makes the change.

use keyhaven_storage::{AccountId, SessionId};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query, query_scalar};

use crate::error::Failure;

/// Whether the account may sign in.
pub(crate) async fn is_active(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<bool, Failure> {
    let active = query_scalar!(
        r#"SELECT active AS "active!: bool" FROM accounts WHERE id = ?1"#,
        account.0
    );
    Ok(active.fetch_optional(connection).await? == Some(true))
}

/// Whether the session is the account's and not over at that moment.
pub(crate) async fn is_live(
    connection: &mut SqliteConnection,
    session: SessionId,
    account: AccountId,
    at: UnixTime,
) -> Result<bool, Failure> {
    let at = at.as_millis();
    let live = query_scalar!(
        r#"SELECT EXISTS (
            SELECT 1 FROM sessions WHERE id = ?1 AND account_id = ?2 AND expires_at > ?3
        ) AS "live!: bool""#,
        session.0,
        account.0,
        at
    );
    Ok(live.fetch_one(connection).await?)
}

/// Uses up the session's grant for the purpose. `false`: it holds none that is live at that moment.
pub(crate) async fn use_grant(
    connection: &mut SqliteConnection,
    session: SessionId,
    purpose: &str,
    at: UnixTime,
) -> Result<bool, Failure> {
    let at = at.as_millis();
    let used = query!(
        "DELETE FROM step_up_grants WHERE session_id = ?1 AND purpose = ?2 AND expires_at > ?3",
        session.0,
        purpose,
        at
    );
    Ok(used.execute(connection).await?.rows_affected() == 1)
}
