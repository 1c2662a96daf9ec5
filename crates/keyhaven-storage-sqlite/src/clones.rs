use async_trait::async_trait;
use keyhaven_storage::{
    AlarmEffect, CloneAlarm, CloneAlarmOutcome, CloneStore, Ending, InactiveReason, Reinstatement,
    ReinstatementOutcome, StorageError,
};
use sqlx::{SqliteConnection, query, query_scalar};

use crate::error::Failure;
use crate::{SqliteStore, audit, credentials, sessions};

#[async_trait]
impl CloneStore for SqliteStore {
    async fn commit_clone_alarm(&self, alarm: CloneAlarm) -> Result<CloneAlarmOutcome, StorageError> {
        self.sound(&alarm)
            .await
            .map_err(Failure::of("credential.clone_alarm"))
    }

    async fn reinstate_credential(
        &self,
        reinstatement: Reinstatement,
    ) -> Result<ReinstatementOutcome, StorageError> {
        self.reinstate(&reinstatement)
            .await
            .map_err(Failure::of("credential.reinstate"))
    }
}

impl SqliteStore {
    async fn sound(&self, alarm: &CloneAlarm) -> Result<CloneAlarmOutcome, Failure> {
        let mut transaction = self.write().await?;
        let outcome = write_alarm(&mut transaction, alarm).await?;
        match outcome {
            CloneAlarmOutcome::Committed => transaction.commit().await?,
            CloneAlarmOutcome::AlreadyInactive
            | CloneAlarmOutcome::CredentialMissing
            | CloneAlarmOutcome::RecordChanged
            | CloneAlarmOutcome::ToldAlready => transaction.rollback().await?,
        }
        Ok(outcome)
    }

    async fn reinstate(&self, wanted: &Reinstatement) -> Result<ReinstatementOutcome, Failure> {
        let mut transaction = self.write().await?;
        let outcome = write_reinstatement(&mut transaction, wanted).await?;
        match outcome {
            ReinstatementOutcome::Reinstated => transaction.commit().await?,
            ReinstatementOutcome::GrantMissing | ReinstatementOutcome::NotSuspended => {
                transaction.rollback().await?;
            }
        }
        Ok(outcome)
    }
}

async fn write_alarm(
    connection: &mut SqliteConnection,
    alarm: &CloneAlarm,
) -> Result<CloneAlarmOutcome, Failure> {
    let found = query!(
        r#"SELECT active AS "active!: bool", sign_count AS "sign_count!" FROM credentials
        WHERE credential_id = ?1 AND account_id = ?2"#,
        alarm.credential.as_bytes(),
        alarm.account.0
    )
    .fetch_optional(&mut *connection)
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
                "UPDATE credentials SET active = 0, inactive_reason = ?2 WHERE credential_id = ?1",
                alarm.credential.as_bytes(),
                reason.as_str()
            )
            .execute(&mut *connection)
            .await?;
            let opened = Ending::OpenedBy(alarm.credential.clone());
            sessions::end(connection, alarm.account, &opened).await?;
        }
        AlarmEffect::ToldUnlessSince(since) => {
            let told = query_scalar!(
                r#"SELECT EXISTS (
                    SELECT 1 FROM audit_events
                    WHERE account_id = ?1 AND at > ?2 AND credential_id = ?3 AND action = ?4
                ) AS "exists!: bool""#,
                alarm.account.0,
                since.as_millis(),
                alarm.credential.as_bytes(),
                alarm.audit.event.action
            );
            if told.fetch_one(&mut *connection).await? {
                return Ok(CloneAlarmOutcome::ToldAlready);
            }
        }
    }
    audit::append(connection, &alarm.audit).await?;
    Ok(CloneAlarmOutcome::Committed)
}

async fn write_reinstatement(
    connection: &mut SqliteConnection,
    wanted: &Reinstatement,
) -> Result<ReinstatementOutcome, Failure> {
    let updated = query!(
        "UPDATE credentials SET active = 1, inactive_reason = NULL, sign_count = 0
        WHERE credential_id = ?1 AND account_id = ?2 AND inactive_reason = ?3",
        wanted.credential.as_bytes(),
        wanted.account.0,
        InactiveReason::CloneSuspended.as_str()
    )
    .execute(&mut *connection)
    .await?;
    if updated.rows_affected() != 1 {
        return Ok(ReinstatementOutcome::NotSuspended);
    }
    if let Some(grant) = &wanted.uses_grant
        && !credentials::use_grant(connection, wanted.account, grant).await?
    {
        return Ok(ReinstatementOutcome::GrantMissing);
    }
    audit::append(connection, &wanted.audit).await?;
    Ok(ReinstatementOutcome::Reinstated)
}
