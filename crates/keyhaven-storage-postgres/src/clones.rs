use async_trait::async_trait;
use keyhaven_storage::{
    AlarmEffect, CloneAlarm, CloneAlarmOutcome, CloneStore, InactiveReason, Reinstatement,
    ReinstatementOutcome, StorageError,
};
use sqlx::{query, query_scalar};

use crate::error::Failure;
use crate::pool::Transaction;
use crate::standing::lock_account;
use crate::{PostgresStore, audit, credentials};

#[async_trait]
impl CloneStore for PostgresStore {
    async fn commit_clone_alarm(&self, alarm: CloneAlarm) -> Result<CloneAlarmOutcome, StorageError> {
        self.answer("credential.clone_alarm", || self.sound(&alarm)).await
    }

    async fn reinstate_credential(
        &self,
        reinstatement: Reinstatement,
    ) -> Result<ReinstatementOutcome, StorageError> {
        self.answer("credential.reinstate", || self.reinstate(&reinstatement))
            .await
    }
}

impl PostgresStore {
    async fn sound(&self, alarm: &CloneAlarm) -> Result<CloneAlarmOutcome, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let outcome = write_alarm(&mut transaction, alarm).await?;
        match outcome {
            CloneAlarmOutcome::Committed => transaction.commit().await?,
            CloneAlarmOutcome::AlreadyInactive
            | CloneAlarmOutcome::CredentialMissing
            | CloneAlarmOutcome::RecordChanged
            | CloneAlarmOutcome::ToldAlready => transaction.rollback().await?,
        }
        lent.settle(Ok(outcome))
    }

    async fn reinstate(&self, wanted: &Reinstatement) -> Result<ReinstatementOutcome, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let outcome = write_reinstatement(&mut transaction, wanted).await?;
        match outcome {
            ReinstatementOutcome::Reinstated => transaction.commit().await?,
            ReinstatementOutcome::GrantMissing | ReinstatementOutcome::NotSuspended => {
                transaction.rollback().await?;
            }
        }
        lent.settle(Ok(outcome))
    }
}

/// First the locks, account before credential as all commits do, then the look: a login that held them has left a session
/// that only a statement begun afterwards sees.
async fn write_alarm(
    transaction: &mut Transaction<'_>,
    alarm: &CloneAlarm,
) -> Result<CloneAlarmOutcome, sqlx::Error> {
    let (credential, account) = (alarm.credential.as_bytes(), alarm.account.0);
    let found = query!(
        "SELECT c.active, c.sign_count FROM accounts a JOIN credentials c ON c.account_id = a.id
        WHERE a.id = $2 AND c.credential_id = $1
        FOR NO KEY UPDATE OF a, c",
        credential,
        account
    )
    .fetch_optional(&mut **transaction)
    .await?;
    match found {
        None => return Ok(CloneAlarmOutcome::CredentialMissing),
        Some(found) if !found.active => return Ok(CloneAlarmOutcome::AlreadyInactive),
        Some(found) if found.sign_count != i64::from(alarm.expected_sign_count.0) => {
            return Ok(CloneAlarmOutcome::RecordChanged);
        }
        Some(_) => {}
    }
    match alarm.effect {
        AlarmEffect::OutOfUse(reason) => {
            query!(
                "UPDATE credentials SET active = false, inactive_reason = $2::text WHERE credential_id = $1",
                credential,
                reason.as_str()
            )
            .execute(&mut **transaction)
            .await?;
            query!(
                "DELETE FROM sessions WHERE account_id = $2 AND credential_id = $1",
                credential,
                account
            )
            .execute(&mut **transaction)
            .await?;
        }
        AlarmEffect::ToldUnlessSince(since) => {
            let told = query_scalar!(
                r#"SELECT EXISTS (
                    SELECT FROM audit_events
                    WHERE account_id = $1 AND at > $2 AND credential_id = $3 AND action = $4
                ) AS "exists!""#,
                account,
                since.as_millis(),
                credential,
                alarm.audit.event.action
            );
            if told.fetch_one(&mut **transaction).await? {
                return Ok(CloneAlarmOutcome::ToldAlready);
            }
        }
    }
    audit::append(transaction, &alarm.audit).await?;
    Ok(CloneAlarmOutcome::Committed)
}

async fn write_reinstatement(
    transaction: &mut Transaction<'_>,
    wanted: &Reinstatement,
) -> Result<ReinstatementOutcome, sqlx::Error> {
    lock_account(transaction, wanted.account).await?;
    let updated = query!(
        "UPDATE credentials SET active = true, inactive_reason = NULL, sign_count = 0
        WHERE credential_id = $1 AND account_id = $2 AND inactive_reason = $3::text",
        wanted.credential.as_bytes(),
        wanted.account.0,
        InactiveReason::CloneSuspended.as_str()
    )
    .execute(&mut **transaction)
    .await?;
    if updated.rows_affected() != 1 {
        return Ok(ReinstatementOutcome::NotSuspended);
    }
    if let Some(grant) = &wanted.uses_grant
        && !credentials::use_grant(transaction, wanted.account, grant).await?
    {
        return Ok(ReinstatementOutcome::GrantMissing);
    }
    audit::append(transaction, &wanted.audit).await?;
    Ok(ReinstatementOutcome::Reinstated)
}
