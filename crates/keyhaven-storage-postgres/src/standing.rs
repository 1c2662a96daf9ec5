//! What a change of an account stands on: an account that may be changed, a session that asks, a grant that is used up.
//! Asked inside the transaction that makes the change.

use keyhaven_storage::{AccountId, SessionId};
use keyhaven_types::UnixTime;
use sqlx::{query, query_scalar};

use crate::pool::Transaction;

/// Has everybody else wait who would change the account: first this lock, then the look at what changes.
pub(crate) async fn lock_account(
    transaction: &mut Transaction<'_>,
    account: AccountId,
) -> Result<(), sqlx::Error> {
    query!(
        "SELECT 1 AS one FROM accounts WHERE id = $1 FOR NO KEY UPDATE",
        account.0
    )
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(())
}

/// Whether the account may sign in; until the transaction ends that stays so. First this lock, then the look at what
/// changes: of racing changes each sees what the one before has left.
pub(crate) async fn lock_active(
    transaction: &mut Transaction<'_>,
    account: AccountId,
) -> Result<bool, sqlx::Error> {
    let active = query_scalar!(
        "SELECT active FROM accounts WHERE id = $1 FOR NO KEY UPDATE",
        account.0
    );
    Ok(active.fetch_optional(&mut **transaction).await? == Some(true))
}

/// Whether the session is the account's and not over at that moment; until the transaction ends nobody ends it.
pub(crate) async fn lock_live(
    transaction: &mut Transaction<'_>,
    session: SessionId,
    account: AccountId,
    at: UnixTime,
) -> Result<bool, sqlx::Error> {
    let live = query_scalar!(
        "SELECT id FROM sessions WHERE id = $1 AND account_id = $2 AND expires_at > $3 FOR KEY SHARE",
        session.0,
        account.0,
        at.as_millis()
    );
    Ok(live.fetch_optional(&mut **transaction).await?.is_some())
}

/// Uses up the session's grant for the purpose. `false`: it holds none that is live at that moment.
pub(crate) async fn use_grant(
    transaction: &mut Transaction<'_>,
    session: SessionId,
    purpose: &str,
    at: UnixTime,
) -> Result<bool, sqlx::Error> {
    let used = query!(
        "DELETE FROM step_up_grants WHERE session_id = $1 AND purpose = $2 AND expires_at > $3",
        session.0,
        purpose,
        at.as_millis()
    );
    Ok(used.execute(&mut **transaction).await?.rows_affected() == 1)
}
