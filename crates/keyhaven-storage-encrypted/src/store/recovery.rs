use async_trait::async_trait;
use keyhaven_types::UnixTime;

use super::Encrypted;
use keyhaven_storage::{
    AccountId, Aftermath, CodeAttempt, CodesOutcome, CodesReplacement, OpenedSession, Recovery,
    RecoveryOutcome, RecoveryProof, RecoveryStep, RecoveryStore, StorageError, TokenHash,
};

#[async_trait]
impl<S: RecoveryStore + ?Sized> RecoveryStore for Encrypted<S> {
    async fn ask_recovery(
        &self,
        recovery: Recovery,
        max: u32,
        since: UnixTime,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        self.store.ask_recovery(recovery, max, since, audit).await
    }

    async fn recovery(&self, id_hash: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.store.recovery(id_hash).await
    }

    async fn recovery_to_cancel(&self, cancel: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.store.recovery_to_cancel(cancel).await
    }

    async fn try_code(&self, attempt: CodeAttempt) -> Result<RecoveryOutcome, StorageError> {
        let CodeAttempt { step, .. } = attempt;
        let step = match step {
            RecoveryStep::Open(opened) => RecoveryStep::Open(self.opened_in(opened)?),
            wait @ RecoveryStep::Wait { .. } => wait,
        };
        self.store.try_code(CodeAttempt { step, ..attempt }).await
    }

    async fn carry_out_recovery(
        &self,
        id_hash: &TokenHash,
        proof: RecoveryProof,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<RecoveryOutcome, StorageError> {
        let opened = self.opened_in(opened)?;
        self.store
            .carry_out_recovery(id_hash, proof, at, opened, audit)
            .await
    }

    async fn cancel_recoveries(
        &self,
        account: AccountId,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.store.cancel_recoveries(account, at, audit).await
    }

    async fn replace_recovery_codes(
        &self,
        replacement: CodesReplacement,
    ) -> Result<CodesOutcome, StorageError> {
        self.store.replace_recovery_codes(replacement).await
    }

    async fn recovery_codes_left(&self, account: AccountId) -> Result<u64, StorageError> {
        self.store.recovery_codes_left(account).await
    }

    async fn recovery_failures(&self, since: UnixTime) -> Result<u64, StorageError> {
        self.store.recovery_failures(since).await
    }

    async fn drop_expired_recoveries(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.store.drop_expired_recoveries(now, limit).await
    }
}
