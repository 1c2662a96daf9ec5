use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Observed;
use crate::{
    AccountId, Aftermath, CodeAttempt, CodesOutcome, CodesReplacement, OpenedSession, Recovery,
    RecoveryOutcome, RecoveryProof, RecoveryStore, StorageError, TokenHash,
};

#[async_trait]
impl<S: RecoveryStore + ?Sized> RecoveryStore for Observed<S> {
    async fn ask_recovery(
        &self,
        recovery: Recovery,
        max: u32,
        since: UnixTime,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        let answer = self.store.ask_recovery(recovery, max, since, audit);
        self.call("recovery.ask", answer).await
    }

    async fn recovery(&self, id_hash: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.call("recovery.find", self.store.recovery(id_hash)).await
    }

    async fn recovery_to_cancel(&self, cancel: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.call("recovery.find_to_cancel", self.store.recovery_to_cancel(cancel))
            .await
    }

    async fn try_code(&self, attempt: CodeAttempt) -> Result<RecoveryOutcome, StorageError> {
        self.call("recovery.try_code", self.store.try_code(attempt)).await
    }

    async fn carry_out_recovery(
        &self,
        id_hash: &TokenHash,
        proof: RecoveryProof,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<RecoveryOutcome, StorageError> {
        let answer = self.store.carry_out_recovery(id_hash, proof, at, opened, audit);
        self.call("recovery.carry_out", answer).await
    }

    async fn cancel_recoveries(
        &self,
        account: AccountId,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.call(
            "recovery.cancel",
            self.store.cancel_recoveries(account, at, audit),
        )
        .await
    }

    async fn replace_recovery_codes(
        &self,
        replacement: CodesReplacement,
    ) -> Result<CodesOutcome, StorageError> {
        let answer = self.store.replace_recovery_codes(replacement);
        self.call("recovery.replace_codes", answer).await
    }

    async fn recovery_codes_left(&self, account: AccountId) -> Result<u64, StorageError> {
        self.call("recovery.codes_left", self.store.recovery_codes_left(account))
            .await
    }

    async fn recovery_failures(&self, since: UnixTime) -> Result<u64, StorageError> {
        self.call("recovery.failures", self.store.recovery_failures(since))
            .await
    }

    async fn drop_expired_recoveries(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.call("recovery.purge", self.store.drop_expired_recoveries(now, limit))
            .await
    }
}
