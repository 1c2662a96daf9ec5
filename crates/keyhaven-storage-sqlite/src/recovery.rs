use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, CodeAttempt, CodesOutcome, CodesReplacement, OpenedSession, Recovery,
    RecoveryOutcome, RecoveryProof, RecoveryStage, RecoveryStep, RecoveryStore, Session, StorageError,
    TokenHash, columns,
};
use keyhaven_types::UnixTime;
use sqlx::{SqliteConnection, query, query_scalar};
use uuid::Uuid;

use crate::error::Failure;
use crate::standing::{is_active, is_live, use_grant};
use crate::{SqliteStore, audit, sessions};

#[async_trait]
impl RecoveryStore for SqliteStore {
    async fn ask_recovery(
        &self,
        recovery: Recovery,
        max: u32,
        since: UnixTime,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        self.ask(&recovery, max, since, &audit)
            .await
            .map_err(Failure::of("recovery.ask"))
    }

    async fn recovery(&self, id_hash: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.find_recovery(id_hash)
            .await
            .map_err(Failure::of("recovery.find"))
    }

    async fn recovery_to_cancel(&self, cancel: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.find_to_cancel(cancel)
            .await
            .map_err(Failure::of("recovery.find_to_cancel"))
    }

    async fn try_code(&self, attempt: CodeAttempt) -> Result<RecoveryOutcome, StorageError> {
        self.attempt(&attempt)
            .await
            .map_err(Failure::of("recovery.try_code"))
    }

    async fn carry_out_recovery(
        &self,
        id_hash: &TokenHash,
        proof: RecoveryProof,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<RecoveryOutcome, StorageError> {
        self.carry_out(id_hash, &proof, at, &opened, &audit)
            .await
            .map_err(Failure::of("recovery.carry_out"))
    }

    async fn cancel_recoveries(
        &self,
        account: AccountId,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.cancel(account, at, &audit)
            .await
            .map_err(Failure::of("recovery.cancel"))
    }

    async fn replace_recovery_codes(
        &self,
        replacement: CodesReplacement,
    ) -> Result<CodesOutcome, StorageError> {
        self.replace_codes(&replacement)
            .await
            .map_err(Failure::of("recovery.replace_codes"))
    }

    async fn recovery_codes_left(&self, account: AccountId) -> Result<u64, StorageError> {
        self.count_codes(account)
            .await
            .map_err(Failure::of("recovery.codes_left"))
    }

    async fn recovery_failures(&self, since: UnixTime) -> Result<u64, StorageError> {
        self.count_failures(since)
            .await
            .map_err(Failure::of("recovery.failures"))
    }

    async fn drop_expired_recoveries(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        let dropped = query!(
            "DELETE FROM recoveries WHERE id_hash IN (SELECT id_hash FROM recoveries WHERE expires_at <= ?1 LIMIT ?2)",
            now.as_millis(),
            limit
        );
        let dropped = dropped.execute(&self.writer).await.map_err(Failure::from);
        dropped
            .map(|dropped| dropped.rows_affected())
            .map_err(Failure::of("recovery.purge"))
    }
}

async fn find(connection: &mut SqliteConnection, id_hash: &TokenHash) -> Result<Option<Recovery>, Failure> {
    let id_hash = &id_hash.0[..];
    let row = query!(
        r#"SELECT id_hash, account_id AS "account_id: Uuid", address_hash, browser_hash, code_hash, tries, created_at,
            code_expires_at, stage, ready_at, cancel_hash, code_tries, expires_at
        FROM recoveries WHERE id_hash = ?1"#,
        id_hash
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(columns::recovery!(row)))
}

impl SqliteStore {
    async fn ask(
        &self,
        recovery: &Recovery,
        max: u32,
        since: UnixTime,
        audit: &Aftermath,
    ) -> Result<bool, Failure> {
        let mut transaction = self.write().await?;
        let asked = query_scalar!(
            r#"SELECT count(*) AS "asked!: i64" FROM recoveries WHERE address_hash = ?1 AND created_at > ?2"#,
            &recovery.address_hash[..],
            since.as_millis()
        );
        if asked.fetch_one(&mut *transaction).await? >= i64::from(max) {
            transaction.rollback().await?;
            return Ok(false);
        }
        query!(
            "INSERT INTO recoveries (id_hash, account_id, address_hash, browser_hash, code_hash, tries, created_at,
                code_expires_at, stage, expires_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'asked', ?9)",
            &recovery.id_hash.0[..],
            recovery.account.map(|account| account.0),
            &recovery.address_hash[..],
            recovery.browser.as_ref().map(|browser| &browser.0[..]),
            &recovery.code_hash[..],
            recovery.tries,
            recovery.created_at.as_millis(),
            recovery.code_expires_at.as_millis(),
            recovery.expires_at.as_millis(),
        )
        .execute(&mut *transaction)
        .await?;
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn find_recovery(&self, id_hash: &TokenHash) -> Result<Option<Recovery>, Failure> {
        let mut connection = self.readers.acquire().await?;
        find(&mut connection, id_hash).await
    }

    async fn find_to_cancel(&self, cancel: &TokenHash) -> Result<Option<Recovery>, Failure> {
        let cancel = &cancel.0[..];
        let id = query_scalar!(
            "SELECT id_hash FROM recoveries WHERE cancel_hash = ?1 AND stage = 'waiting'",
            cancel
        );
        let Some(id) = id.fetch_optional(&self.readers).await? else {
            return Ok(None);
        };
        self.find_recovery(&TokenHash(columns::bytes(&id, "recovery id")?))
            .await
    }

    async fn attempt(&self, attempt: &CodeAttempt) -> Result<RecoveryOutcome, Failure> {
        let mut transaction = self.write().await?;
        let outcome = write_attempt(&mut transaction, attempt).await?;
        match outcome {
            RecoveryOutcome::Refused => transaction.rollback().await?,
            RecoveryOutcome::Taken | RecoveryOutcome::Wrong => transaction.commit().await?,
        }
        Ok(outcome)
    }

    async fn carry_out(
        &self,
        id_hash: &TokenHash,
        proof: &RecoveryProof,
        at: UnixTime,
        opened: &OpenedSession,
        audit: &Aftermath,
    ) -> Result<RecoveryOutcome, Failure> {
        let mut transaction = self.write().await?;
        let outcome = prove(&mut transaction, id_hash, proof, at, &opened.session).await?;
        match outcome {
            RecoveryOutcome::Refused => transaction.rollback().await?,
            RecoveryOutcome::Wrong => transaction.commit().await?,
            RecoveryOutcome::Taken => {
                let id_hash = &id_hash.0[..];
                query!(
                    "UPDATE recoveries SET stage = 'ended' WHERE id_hash = ?1",
                    id_hash
                )
                .execute(&mut *transaction)
                .await?;
                sessions::open(&mut transaction, opened).await?;
                audit::append(&mut transaction, audit).await?;
                transaction.commit().await?;
            }
        }
        Ok(outcome)
    }

    async fn cancel(&self, account: AccountId, at: UnixTime, audit: &Aftermath) -> Result<u64, Failure> {
        let mut transaction = self.write().await?;
        let cancelled = query!(
            "UPDATE recoveries SET stage = 'ended'
            WHERE account_id = ?1 AND stage <> 'ended' AND expires_at > ?2",
            account.0,
            at.as_millis()
        );
        let cancelled = cancelled.execute(&mut *transaction).await?.rows_affected();
        if cancelled > 0 {
            audit::append(&mut transaction, audit).await?;
        }
        transaction.commit().await?;
        Ok(cancelled)
    }

    async fn replace_codes(&self, replacement: &CodesReplacement) -> Result<CodesOutcome, Failure> {
        let CodesReplacement {
            account, session, at, ..
        } = *replacement;
        let mut transaction = self.write().await?;
        if !is_live(&mut transaction, session, account, at).await? {
            transaction.rollback().await?;
            return Ok(CodesOutcome::SessionEnded);
        }
        if let Some(purpose) = &replacement.uses_grant
            && !use_grant(&mut transaction, session, purpose, at).await?
        {
            transaction.rollback().await?;
            return Ok(CodesOutcome::GrantMissing);
        }
        query!("DELETE FROM recovery_codes WHERE account_id = ?1", account.0)
            .execute(&mut *transaction)
            .await?;
        for hash in &replacement.hashes {
            query!(
                "INSERT INTO recovery_codes (account_id, code_hash) VALUES (?1, ?2)",
                account.0,
                &hash[..]
            )
            .execute(&mut *transaction)
            .await?;
        }
        audit::append(&mut transaction, &replacement.audit).await?;
        transaction.commit().await?;
        Ok(CodesOutcome::Replaced)
    }

    async fn count_codes(&self, account: AccountId) -> Result<u64, Failure> {
        let left = query_scalar!(
            r#"SELECT count(*) AS "left!: i64" FROM recovery_codes WHERE account_id = ?1"#,
            account.0
        );
        Ok(columns::count(
            left.fetch_one(&self.readers).await?,
            "number of codes",
        )?)
    }

    async fn count_failures(&self, since: UnixTime) -> Result<u64, Failure> {
        let failures = query_scalar!(
            r#"SELECT coalesce(sum(tries - (stage <> 'asked' AND tries > 0)), 0) AS "failures!: i64"
            FROM recoveries WHERE created_at > ?1"#,
            since.as_millis()
        );
        Ok(columns::count(
            failures.fetch_one(&self.readers).await?,
            "number of tries",
        )?)
    }
}

async fn write_attempt(
    connection: &mut SqliteConnection,
    attempt: &CodeAttempt,
) -> Result<RecoveryOutcome, Failure> {
    let Some(recovery) = find(connection, &attempt.id_hash).await? else {
        return Ok(RecoveryOutcome::Refused);
    };
    let of_address = query_scalar!(
        r#"SELECT coalesce(sum(tries), 0) AS "tries!: i64" FROM recoveries
        WHERE address_hash = ?1 AND created_at > ?2"#,
        &recovery.address_hash[..],
        attempt.since.as_millis()
    );
    let of_address = of_address.fetch_one(&mut *connection).await?;
    if recovery.stage != RecoveryStage::Asked
        || recovery.code_expires_at <= attempt.at
        || recovery.tries >= attempt.max_tries
        || of_address >= i64::from(attempt.max_tries_of_address)
    {
        return Ok(RecoveryOutcome::Refused);
    }
    let id_hash = &attempt.id_hash.0[..];
    query!(
        "UPDATE recoveries SET tries = tries + 1 WHERE id_hash = ?1",
        id_hash
    )
    .execute(&mut *connection)
    .await?;
    let account = match recovery.account {
        Some(account) if recovery.code_hash == attempt.code_hash => {
            is_active(connection, account).await?.then_some(account)
        }
        Some(_) | None => None,
    };
    let Some(account) = account else {
        audit::append_event(connection, &attempt.wrong).await?;
        return Ok(RecoveryOutcome::Wrong);
    };
    match &attempt.step {
        RecoveryStep::Open(opened) if opened.session.account != account => {
            return Err(Failure::Contradiction("a recovery speaks of one account"));
        }
        RecoveryStep::Open(opened) => {
            query!(
                "UPDATE recoveries SET stage = 'ended' WHERE id_hash = ?1",
                id_hash
            )
            .execute(&mut *connection)
            .await?;
            sessions::open(connection, opened).await?;
        }
        RecoveryStep::Wait { ready_at, cancel } => {
            query!(
                "UPDATE recoveries SET stage = 'waiting', ready_at = ?2, cancel_hash = ?3 WHERE id_hash = ?1",
                id_hash,
                ready_at.as_millis(),
                &cancel.0[..]
            )
            .execute(&mut *connection)
            .await?;
        }
    }
    audit::append(connection, &attempt.right).await?;
    Ok(RecoveryOutcome::Taken)
}

/// Whether a waiting recovery may be carried out; a code that shows it is used up.
async fn prove(
    connection: &mut SqliteConnection,
    id_hash: &TokenHash,
    proof: &RecoveryProof,
    at: UnixTime,
    session: &Session,
) -> Result<RecoveryOutcome, Failure> {
    let Some(recovery) = find(connection, id_hash).await? else {
        return Ok(RecoveryOutcome::Refused);
    };
    let (Some(account), RecoveryStage::Waiting { ready_at, tries, .. }) = (recovery.account, recovery.stage)
    else {
        return Ok(RecoveryOutcome::Refused);
    };
    if recovery.expires_at <= at || session.account != account || !is_active(connection, account).await? {
        return Ok(RecoveryOutcome::Refused);
    }
    match proof {
        RecoveryProof::Waited if ready_at > at => Ok(RecoveryOutcome::Refused),
        RecoveryProof::Waited => Ok(RecoveryOutcome::Taken),
        RecoveryProof::Code { max_tries, .. } if tries >= *max_tries => Ok(RecoveryOutcome::Refused),
        RecoveryProof::Code { hash, wrong, .. } => {
            let used = query!(
                "DELETE FROM recovery_codes WHERE account_id = ?1 AND code_hash = ?2",
                account.0,
                &hash[..]
            );
            if used.execute(&mut *connection).await?.rows_affected() == 1 {
                return Ok(RecoveryOutcome::Taken);
            }
            let id_hash = &id_hash.0[..];
            query!(
                "UPDATE recoveries SET code_tries = code_tries + 1 WHERE id_hash = ?1",
                id_hash
            )
            .execute(&mut *connection)
            .await?;
            audit::append_event(connection, wrong).await?;
            Ok(RecoveryOutcome::Wrong)
        }
    }
}

/// Ends what is under way to recover an account.
pub(crate) async fn end_all(connection: &mut SqliteConnection, account: AccountId) -> Result<(), Failure> {
    query!(
        "UPDATE recoveries SET stage = 'ended' WHERE account_id = ?1 AND stage <> 'ended'",
        account.0
    )
    .execute(connection)
    .await?;
    Ok(())
}
