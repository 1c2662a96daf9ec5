//! One verified assertion, in one transaction.

use keyhaven_storage::{AssertionCommit, AssertionOutcome, Session, StepUpGrant};
use sqlx::{SqliteConnection, query};

use crate::error::Failure;
use crate::{SqliteStore, audit, factors, sessions};

impl SqliteStore {
    pub(crate) async fn record_assertion(
        &self,
        commit: AssertionCommit,
    ) -> Result<AssertionOutcome, Failure> {
        if commit
            .session
            .as_ref()
            .is_some_and(|session| session.account != commit.account)
        {
            return Err(Failure::Contradiction("an assertion speaks of one account"));
        }

        let mut transaction = self.write().await?;
        let outcome = write_assertion(&mut transaction, &commit).await?;
        match outcome {
            AssertionOutcome::Committed => transaction.commit().await?,
            AssertionOutcome::AccountLocked
            | AssertionOutcome::CredentialInactive
            | AssertionOutcome::CredentialMissing
            | AssertionOutcome::SessionEnded
            | AssertionOutcome::RecordChanged => transaction.rollback().await?,
        }
        Ok(outcome)
    }
}

async fn write_assertion(
    connection: &mut SqliteConnection,
    commit: &AssertionCommit,
) -> Result<AssertionOutcome, Failure> {
    if !compare_and_set(connection, commit).await? {
        return why_unchanged(connection, commit).await;
    }
    if let Some(judged) = &commit.factors
        && !factors::hold(connection, judged, commit).await?
    {
        return Ok(AssertionOutcome::RecordChanged);
    }
    if let Some(grant) = &commit.grant
        && !give(connection, grant, commit).await?
    {
        return Ok(AssertionOutcome::SessionEnded);
    }
    rotate(connection, commit).await?;
    if let Some(session) = commit.ends_session {
        sessions::delete(connection, session).await?;
    }
    if let Some(session) = &commit.session {
        query!(
            "UPDATE accounts SET last_login_at = max(coalesce(last_login_at, ?2), ?2) WHERE id = ?1",
            commit.account.0,
            commit.used_at.as_millis()
        )
        .execute(&mut *connection)
        .await?;
        sessions::insert(connection, session).await?;
    }
    audit::append(connection, &commit.audit).await?;
    Ok(AssertionOutcome::Committed)
}

/// The one statement that decides: everything that can change is asked for where it is written.
async fn compare_and_set(
    connection: &mut SqliteConnection,
    commit: &AssertionCommit,
) -> Result<bool, Failure> {
    let updated = query!(
        "UPDATE credentials
        SET sign_count = ?4, backup_eligible = ?5, backup_state = ?6,
            last_used_at = max(coalesce(last_used_at, ?7), ?7)
        WHERE credential_id = ?1 AND account_id = ?2 AND sign_count = ?3 AND active = 1 AND backup_eligible = ?8
            AND device_name = ?9
            AND EXISTS (SELECT 1 FROM accounts WHERE id = ?2 AND active = 1 AND updated_at = ?10)",
        commit.credential.as_bytes(),
        commit.account.0,
        i64::from(commit.expected_sign_count.0),
        i64::from(commit.new_sign_count.0),
        commit.backup_eligible,
        commit.backup_state,
        commit.used_at.as_millis(),
        commit.expected.backup_eligible,
        commit.expected.device_name,
        commit.expected.account_updated_at.as_millis(),
    )
    .execute(connection)
    .await?;
    Ok(updated.rows_affected() == 1)
}

async fn why_unchanged(
    connection: &mut SqliteConnection,
    commit: &AssertionCommit,
) -> Result<AssertionOutcome, Failure> {
    let found = query!(
        r#"SELECT c.active AS "credential_active!: bool", a.active AS "account_active!: bool"
        FROM credentials c JOIN accounts a ON a.id = c.account_id
        WHERE c.credential_id = ?1 AND c.account_id = ?2"#,
        commit.credential.as_bytes(),
        commit.account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(match found {
        None => AssertionOutcome::CredentialMissing,
        Some(found) if !found.account_active => AssertionOutcome::AccountLocked,
        Some(found) if !found.credential_active => AssertionOutcome::CredentialInactive,
        Some(_) => AssertionOutcome::RecordChanged,
    })
}

/// False: the session is over, or another account's.
async fn give(
    connection: &mut SqliteConnection,
    grant: &StepUpGrant,
    commit: &AssertionCommit,
) -> Result<bool, Failure> {
    let given = query!(
        "INSERT INTO step_up_grants (session_id, purpose, expires_at)
        SELECT id, ?2, ?3 FROM sessions WHERE id = ?1 AND account_id = ?4 AND expires_at > ?5
        ON CONFLICT (session_id, purpose) DO UPDATE SET expires_at = excluded.expires_at",
        grant.session.0,
        grant.purpose,
        grant.expires_at.as_millis(),
        commit.account.0,
        commit.used_at.as_millis(),
    )
    .execute(connection)
    .await?;
    Ok(given.rows_affected() == 1)
}

/// Whatever token the grant's session has by now: it is the previous one afterwards.
async fn rotate(connection: &mut SqliteConnection, commit: &AssertionCommit) -> Result<(), Failure> {
    let (Some(grant), Some(to)) = (&commit.grant, &commit.rotation) else {
        return Ok(());
    };
    let still_counts = commit.used_at.saturating_sub(Session::REPLACED_TOKEN_COUNTS);
    query!(
        "UPDATE sessions SET token_hash = ?2, previous_token_hash = token_hash, rotated_at = ?3,
            earlier_tokens = CASE WHEN rotated_at >= ?4 THEN
                substr(lower(hex(previous_token_hash)) || printf('%016x', rotated_at) || earlier_tokens, 1, 2560)
                ELSE '' END
        WHERE id = ?1",
        grant.session.0,
        &to.0[..],
        commit.used_at.as_millis(),
        still_counts.as_millis(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
