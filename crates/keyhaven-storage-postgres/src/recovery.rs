use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, CodeAttempt, CodesOutcome, CodesReplacement, OpenedSession, Recovery,
    RecoveryOutcome, RecoveryProof, RecoveryStage, RecoveryStep, RecoveryStore, Session, StorageError,
    TokenHash, columns,
};
use keyhaven_types::UnixTime;
use sqlx::{PgConnection, query, query_scalar};

use crate::error::Failure;
use crate::pool::Transaction;
use crate::standing::{lock_active, lock_live, use_grant};
use crate::{PostgresStore, audit, sessions};

#[async_trait]
impl RecoveryStore for PostgresStore {
    async fn ask_recovery(
        &self,
        recovery: Recovery,
        max: u32,
        since: UnixTime,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        self.answer("recovery.ask", || {
            self.insert_recovery(&recovery, max, since, &audit)
        })
        .await
    }

    async fn recovery(&self, id_hash: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.answer("recovery.find", || self.find_recovery(id_hash)).await
    }

    async fn recovery_to_cancel(&self, cancel: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.answer("recovery.find_to_cancel", || self.find_to_cancel(cancel))
            .await
    }

    async fn try_code(&self, attempt: CodeAttempt) -> Result<RecoveryOutcome, StorageError> {
        self.answer("recovery.try_code", || self.attempt(&attempt)).await
    }

    async fn carry_out_recovery(
        &self,
        id_hash: &TokenHash,
        proof: RecoveryProof,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<RecoveryOutcome, StorageError> {
        self.answer("recovery.carry_out", || {
            self.carry_out(id_hash, &proof, at, &opened, &audit)
        })
        .await
    }

    async fn cancel_recoveries(
        &self,
        account: AccountId,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.answer("recovery.cancel", || self.cancel(account, at, &audit))
            .await
    }

    async fn replace_recovery_codes(
        &self,
        replacement: CodesReplacement,
    ) -> Result<CodesOutcome, StorageError> {
        self.answer("recovery.replace_codes", || self.replace_codes(&replacement))
            .await
    }

    async fn recovery_codes_left(&self, account: AccountId) -> Result<u64, StorageError> {
        self.answer("recovery.codes_left", || self.count_codes(account))
            .await
    }

    async fn recovery_failures(&self, since: UnixTime) -> Result<u64, StorageError> {
        self.answer("recovery.failures", || self.count_failures(since))
            .await
    }

    async fn drop_expired_recoveries(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.answer("recovery.purge", || self.drop_recoveries(now, limit))
            .await
    }
}

async fn find(connection: &mut PgConnection, id_hash: &TokenHash) -> Result<Option<Recovery>, Failure> {
    let row = query!(
        "SELECT id_hash, account_id, address_hash, browser_hash, code_hash, tries, created_at, code_expires_at, stage,
            ready_at, cancel_hash, code_tries, expires_at
        FROM recoveries WHERE id_hash = $1",
        &id_hash.0[..]
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(columns::recovery!(row)))
}

/// One at a time for each address: whoever comes later counts what those before have written.
async fn lock_address(transaction: &mut Transaction<'_>, address_hash: &[u8; 32]) -> Result<(), sqlx::Error> {
    let [a, b, c, d, e, f, g, h, ..] = *address_hash;
    let key = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
    query!(r#"SELECT pg_advisory_xact_lock($1) AS "void: ()""#, key)
        .fetch_one(&mut **transaction)
        .await?;
    Ok(())
}

impl PostgresStore {
    async fn insert_recovery(
        &self,
        recovery: &Recovery,
        max: u32,
        since: UnixTime,
        audit: &Aftermath,
    ) -> Result<bool, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        lock_address(&mut transaction, &recovery.address_hash).await?;
        let asked = query_scalar!(
            r#"SELECT count(*) AS "asked!" FROM recoveries WHERE address_hash = $1 AND created_at > $2"#,
            &recovery.address_hash[..],
            since.as_millis()
        )
        .fetch_one(&mut *transaction)
        .await?;
        if asked >= i64::from(max) {
            transaction.rollback().await?;
            return lent.settle(Ok(false));
        }
        query!(
            "INSERT INTO recoveries (id_hash, account_id, address_hash, browser_hash, code_hash, tries, created_at,
                code_expires_at, stage, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'asked', $9)",
            &recovery.id_hash.0[..],
            recovery.account.map(|account| account.0),
            &recovery.address_hash[..],
            recovery.browser.as_ref().map(|browser| &browser.0[..]),
            &recovery.code_hash[..],
            i64::from(recovery.tries),
            recovery.created_at.as_millis(),
            recovery.code_expires_at.as_millis(),
            recovery.expires_at.as_millis(),
        )
        .execute(&mut *transaction)
        .await?;
        audit::append(&mut transaction, audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(true))
    }

    async fn find_recovery(&self, id_hash: &TokenHash) -> Result<Option<Recovery>, Failure> {
        let mut lent = self.primary.lend().await?;
        let found = find(&mut lent, id_hash).await?;
        lent.settle(Ok(found))
    }

    async fn find_to_cancel(&self, cancel: &TokenHash) -> Result<Option<Recovery>, Failure> {
        let mut lent = self.primary.lend().await?;
        let id = query_scalar!(
            "SELECT id_hash FROM recoveries WHERE cancel_hash = $1 AND stage = 'waiting'",
            &cancel.0[..]
        )
        .fetch_optional(&mut *lent)
        .await?;
        let found = match id {
            None => None,
            Some(id) => find(&mut lent, &TokenHash(columns::bytes(&id, "recovery id")?)).await?,
        };
        lent.settle(Ok(found))
    }

    async fn attempt(&self, attempt: &CodeAttempt) -> Result<RecoveryOutcome, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let outcome = write_attempt(&mut transaction, attempt).await?;
        match outcome {
            RecoveryOutcome::Refused => transaction.rollback().await?,
            RecoveryOutcome::Taken | RecoveryOutcome::Wrong => transaction.commit().await?,
        }
        lent.settle(Ok(outcome))
    }

    async fn carry_out(
        &self,
        id_hash: &TokenHash,
        proof: &RecoveryProof,
        at: UnixTime,
        opened: &OpenedSession,
        audit: &Aftermath,
    ) -> Result<RecoveryOutcome, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        let outcome = prove(&mut transaction, id_hash, proof, at, &opened.session).await?;
        match outcome {
            RecoveryOutcome::Refused => transaction.rollback().await?,
            RecoveryOutcome::Wrong => transaction.commit().await?,
            RecoveryOutcome::Taken => {
                query!(
                    "UPDATE recoveries SET stage = 'ended' WHERE id_hash = $1",
                    &id_hash.0[..]
                )
                .execute(&mut *transaction)
                .await?;
                sessions::open(&mut transaction, opened).await?;
                audit::append(&mut transaction, audit).await?;
                transaction.commit().await?;
            }
        }
        lent.settle(Ok(outcome))
    }

    async fn cancel(&self, account: AccountId, at: UnixTime, audit: &Aftermath) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        // Either this comes first, or what is carried out does.
        lock_active(&mut transaction, account).await?;
        let cancelled = query!(
            "UPDATE recoveries SET stage = 'ended'
            WHERE account_id = $1 AND stage <> 'ended' AND expires_at > $2",
            account.0,
            at.as_millis()
        )
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        if cancelled > 0 {
            audit::append(&mut transaction, audit).await?;
        }
        transaction.commit().await?;
        lent.settle(Ok(cancelled))
    }

    async fn replace_codes(&self, replacement: &CodesReplacement) -> Result<CodesOutcome, Failure> {
        let CodesReplacement {
            account, session, at, ..
        } = *replacement;
        let mut lent = self.primary.lend().await?;
        let mut transaction = lent.begin().await?;
        // Of two at once the second replaces what the first has written.
        let asked = lock_active(&mut transaction, account).await?
            && lock_live(&mut transaction, session, account, at).await?;
        if !asked {
            transaction.rollback().await?;
            return lent.settle(Ok(CodesOutcome::SessionEnded));
        }
        if let Some(purpose) = &replacement.uses_grant
            && !use_grant(&mut transaction, session, purpose, at).await?
        {
            transaction.rollback().await?;
            return lent.settle(Ok(CodesOutcome::GrantMissing));
        }
        query!("DELETE FROM recovery_codes WHERE account_id = $1", account.0)
            .execute(&mut *transaction)
            .await?;
        let hashes: Vec<_> = replacement.hashes.iter().map(|hash| hash.to_vec()).collect();
        query!(
            "INSERT INTO recovery_codes (account_id, code_hash) SELECT $1, unnest($2::bytea[])",
            account.0,
            &hashes
        )
        .execute(&mut *transaction)
        .await?;
        audit::append(&mut transaction, &replacement.audit).await?;
        transaction.commit().await?;
        lent.settle(Ok(CodesOutcome::Replaced))
    }

    async fn count_codes(&self, account: AccountId) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let left = query_scalar!(
            r#"SELECT count(*) AS "left!" FROM recovery_codes WHERE account_id = $1"#,
            account.0
        )
        .fetch_one(&mut *lent)
        .await;
        Ok(columns::count(lent.settle(left)?, "number of codes")?)
    }

    async fn count_failures(&self, since: UnixTime) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let failures = query_scalar!(
            r#"SELECT coalesce(sum(CASE WHEN stage <> 'asked' AND tries > 0 THEN tries - 1 ELSE tries END), 0)::bigint
                AS "failures!"
            FROM recoveries WHERE created_at > $1"#,
            since.as_millis()
        )
        .fetch_one(&mut *lent)
        .await;
        Ok(columns::count(lent.settle(failures)?, "number of tries")?)
    }

    /// Rows that another process is dropping at this moment are passed over.
    async fn drop_recoveries(&self, now: UnixTime, limit: u32) -> Result<u64, Failure> {
        let mut lent = self.primary.lend().await?;
        let dropped = query!(
            "DELETE FROM recoveries WHERE id_hash = ANY(ARRAY(
                SELECT id_hash FROM recoveries WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
            ))",
            now.as_millis(),
            i64::from(limit)
        )
        .execute(&mut *lent)
        .await;
        lent.settle(dropped).map(|dropped| dropped.rows_affected())
    }
}

async fn write_attempt(
    transaction: &mut Transaction<'_>,
    attempt: &CodeAttempt,
) -> Result<RecoveryOutcome, Failure> {
    let Some(recovery) = find(transaction, &attempt.id_hash).await? else {
        return Ok(RecoveryOutcome::Refused);
    };
    // First the locks, then the look: of racing tries each counts those before.
    lock_address(transaction, &recovery.address_hash).await?;
    let active = match recovery.account {
        None => false,
        Some(account) => lock_active(transaction, account).await?,
    };
    let Some(recovery) = find(transaction, &attempt.id_hash).await? else {
        return Ok(RecoveryOutcome::Refused);
    };
    let of_address = query_scalar!(
        r#"SELECT coalesce(sum(tries), 0)::bigint AS "tries!" FROM recoveries
        WHERE address_hash = $1 AND created_at > $2"#,
        &recovery.address_hash[..],
        attempt.since.as_millis()
    )
    .fetch_one(&mut **transaction)
    .await?;
    if recovery.stage != RecoveryStage::Asked
        || recovery.code_expires_at <= attempt.at
        || recovery.tries >= attempt.max_tries
        || of_address >= i64::from(attempt.max_tries_of_address)
    {
        return Ok(RecoveryOutcome::Refused);
    }
    let id_hash = &attempt.id_hash.0[..];
    query!(
        "UPDATE recoveries SET tries = tries + 1 WHERE id_hash = $1",
        id_hash
    )
    .execute(&mut **transaction)
    .await?;
    let account = recovery
        .account
        .filter(|_| active && recovery.code_hash == attempt.code_hash);
    let Some(account) = account else {
        audit::append(transaction, &attempt.wrong.clone().into()).await?;
        return Ok(RecoveryOutcome::Wrong);
    };
    match &attempt.step {
        RecoveryStep::Open(opened) if opened.session.account != account => {
            return Err(Failure::Contradiction("a recovery speaks of one account"));
        }
        RecoveryStep::Open(opened) => {
            query!(
                "UPDATE recoveries SET stage = 'ended' WHERE id_hash = $1",
                id_hash
            )
            .execute(&mut **transaction)
            .await?;
            sessions::open(transaction, opened).await?;
        }
        RecoveryStep::Wait { ready_at, cancel } => {
            query!(
                "UPDATE recoveries SET stage = 'waiting', ready_at = $2, cancel_hash = $3 WHERE id_hash = $1",
                id_hash,
                ready_at.as_millis(),
                &cancel.0[..]
            )
            .execute(&mut **transaction)
            .await?;
        }
    }
    audit::append(transaction, &attempt.right).await?;
    Ok(RecoveryOutcome::Taken)
}

/// Whether a waiting recovery may be carried out; a code that shows it is used up.
async fn prove(
    transaction: &mut Transaction<'_>,
    id_hash: &TokenHash,
    proof: &RecoveryProof,
    at: UnixTime,
    session: &Session,
) -> Result<RecoveryOutcome, Failure> {
    // First the lock, then the look: of two at once one finds it waiting.
    if !lock_active(transaction, session.account).await? {
        return Ok(RecoveryOutcome::Refused);
    }
    let Some(recovery) = find(transaction, id_hash).await? else {
        return Ok(RecoveryOutcome::Refused);
    };
    let (Some(account), RecoveryStage::Waiting { ready_at, tries, .. }) = (recovery.account, recovery.stage)
    else {
        return Ok(RecoveryOutcome::Refused);
    };
    if recovery.expires_at <= at || session.account != account {
        return Ok(RecoveryOutcome::Refused);
    }
    match proof {
        RecoveryProof::Waited if ready_at > at => Ok(RecoveryOutcome::Refused),
        RecoveryProof::Waited => Ok(RecoveryOutcome::Taken),
        RecoveryProof::Code { max_tries, .. } if tries >= *max_tries => Ok(RecoveryOutcome::Refused),
        RecoveryProof::Code { hash, wrong, .. } => {
            let used = query!(
                "DELETE FROM recovery_codes WHERE account_id = $1 AND code_hash = $2",
                account.0,
                &hash[..]
            );
            if used.execute(&mut **transaction).await?.rows_affected() == 1 {
                return Ok(RecoveryOutcome::Taken);
            }
            query!(
                "UPDATE recoveries SET code_tries = code_tries + 1 WHERE id_hash = $1",
                &id_hash.0[..]
            )
            .execute(&mut **transaction)
            .await?;
            audit::append(transaction, &wrong.clone().into()).await?;
            Ok(RecoveryOutcome::Wrong)
        }
    }
}

/// Ends what is under way to recover an account.
pub(crate) async fn end_all(
    transaction: &mut Transaction<'_>,
    account: AccountId,
) -> Result<(), sqlx::Error> {
    query!(
        "UPDATE recoveries SET stage = 'ended' WHERE account_id = $1 AND stage <> 'ended'",
        account.0
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
