use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, Aftermath, CodeAttempt, CodesOutcome, CodesReplacement, OpenedSession, Recovery,
    RecoveryOutcome, RecoveryProof, RecoveryStage, RecoveryStep, RecoveryStore, StorageError, TokenHash,
};
use keyhaven_types::UnixTime;

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl RecoveryStore for MemoryStore {
    async fn ask_recovery(
        &self,
        recovery: Recovery,
        max: u32,
        since: UnixTime,
        audit: Aftermath,
    ) -> Result<bool, StorageError> {
        self.with("recovery.ask", |state| {
            let of_late =
                |known: &&Recovery| known.address_hash == recovery.address_hash && known.created_at > since;
            let asked = state.recoveries.values().filter(of_late).count();
            if u32::try_from(asked).is_ok_and(|asked| asked >= max) {
                return Ok(false);
            }
            if state.recoveries.contains_key(&recovery.id_hash) {
                return Err(Conflict("a recovery with this id exists"));
            }
            state.check_aftermath(&audit)?;
            state.recoveries.insert(recovery.id_hash, recovery);
            state.append(audit);
            Ok(true)
        })
    }

    async fn recovery(&self, id_hash: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.with("recovery.find", |state| {
            Ok(state.recoveries.get(id_hash).cloned())
        })
    }

    async fn recovery_to_cancel(&self, token: &TokenHash) -> Result<Option<Recovery>, StorageError> {
        self.with("recovery.find_to_cancel", |state| {
            let cancelled = |recovery: &&Recovery| {
                matches!(recovery.stage, RecoveryStage::Waiting { cancel, .. } if cancel == *token)
            };
            Ok(state.recoveries.values().find(cancelled).cloned())
        })
    }

    async fn try_code(&self, attempt: CodeAttempt) -> Result<RecoveryOutcome, StorageError> {
        self.with("recovery.try_code", |state| try_code(state, attempt))
    }

    async fn carry_out_recovery(
        &self,
        id_hash: &TokenHash,
        proof: RecoveryProof,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<RecoveryOutcome, StorageError> {
        self.with("recovery.carry_out", |state| {
            carry_out(state, id_hash, proof, at, opened, audit)
        })
    }

    async fn cancel_recoveries(
        &self,
        account: AccountId,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<u64, StorageError> {
        self.with("recovery.cancel", |state| {
            state.check_aftermath(&audit)?;
            let mut cancelled = 0;
            for recovery in state.recoveries.values_mut() {
                let under_way = recovery.stage != RecoveryStage::Ended && recovery.expires_at > at;
                if recovery.account == Some(account) && under_way {
                    recovery.stage = RecoveryStage::Ended;
                    cancelled += 1;
                }
            }
            if cancelled > 0 {
                state.append(audit);
            }
            Ok(cancelled)
        })
    }

    async fn replace_recovery_codes(
        &self,
        replacement: CodesReplacement,
    ) -> Result<CodesOutcome, StorageError> {
        self.with("recovery.replace_codes", |state| {
            let CodesReplacement {
                account, session, at, ..
            } = replacement;
            if !state.is_live(session, account, at) {
                return Ok(CodesOutcome::SessionEnded);
            }
            state.check_aftermath(&replacement.audit)?;
            if let Some(purpose) = &replacement.uses_grant
                && !state.use_grant(account, session, purpose, at)
            {
                return Ok(CodesOutcome::GrantMissing);
            }
            state
                .recovery_codes
                .insert(account, replacement.hashes.into_iter().collect());
            state.append(replacement.audit);
            Ok(CodesOutcome::Replaced)
        })
    }

    async fn recovery_codes_left(&self, account: AccountId) -> Result<u64, StorageError> {
        self.with("recovery.codes_left", |state| {
            let left = state.recovery_codes.get(&account).map_or(0, |codes| codes.len());
            Ok(u64::try_from(left).unwrap_or(u64::MAX))
        })
    }

    async fn recovery_failures(&self, since: UnixTime) -> Result<u64, StorageError> {
        self.with("recovery.failures", |state| {
            let of_late = state
                .recoveries
                .values()
                .filter(|recovery| recovery.created_at > since);
            Ok(of_late.map(|recovery| u64::from(failures(recovery))).sum())
        })
    }

    async fn drop_expired_recoveries(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        self.with("recovery.purge", |state| {
            let expired = state
                .recoveries
                .values()
                .filter(|recovery| recovery.expires_at <= now);
            let expired: Vec<_> = expired
                .map(|recovery| recovery.id_hash)
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .collect();
            for id in &expired {
                state.recoveries.remove(id);
            }
            Ok(u64::try_from(expired.len()).unwrap_or(u64::MAX))
        })
    }
}

/// Of the tries of a recovery that went on one was right.
fn failures(recovery: &Recovery) -> u32 {
    match recovery.stage {
        RecoveryStage::Asked => recovery.tries,
        RecoveryStage::Ended | RecoveryStage::Waiting { .. } => recovery.tries.saturating_sub(1),
    }
}

fn try_code(state: &mut State, attempt: CodeAttempt) -> Result<RecoveryOutcome, Conflict> {
    let Some(recovery) = state.recoveries.get(&attempt.id_hash).cloned() else {
        return Ok(RecoveryOutcome::Refused);
    };
    let of_address: u32 = state
        .recoveries
        .values()
        .filter(|known| known.address_hash == recovery.address_hash && known.created_at > attempt.since)
        .map(|known| known.tries)
        .sum();
    let open = recovery.stage == RecoveryStage::Asked
        && recovery.code_expires_at > attempt.at
        && recovery.tries < attempt.max_tries
        && of_address < attempt.max_tries_of_address;
    if !open {
        return Ok(RecoveryOutcome::Refused);
    }
    let right = recovery.code_hash == attempt.code_hash
        && recovery.account.is_some_and(|account| state.is_active(account));
    if right {
        state.check_aftermath(&attempt.right)?;
        if let RecoveryStep::Open(opened) = &attempt.step {
            state.check_session(&opened.session, None)?;
        }
    } else {
        state.check_event(&attempt.wrong)?;
    }
    let Some(recovery) = state.recoveries.get_mut(&attempt.id_hash) else {
        return Ok(RecoveryOutcome::Refused);
    };
    recovery.tries = recovery.tries.saturating_add(1);
    if !right {
        state.append_event(attempt.wrong);
        return Ok(RecoveryOutcome::Wrong);
    }
    match attempt.step {
        RecoveryStep::Open(opened) => {
            recovery.stage = RecoveryStage::Ended;
            state.open_session(opened);
        }
        RecoveryStep::Wait { ready_at, cancel } => {
            recovery.stage = RecoveryStage::Waiting {
                ready_at,
                cancel,
                tries: 0,
            };
        }
    }
    state.append(attempt.right);
    Ok(RecoveryOutcome::Taken)
}

fn carry_out(
    state: &mut State,
    id_hash: &TokenHash,
    proof: RecoveryProof,
    at: UnixTime,
    opened: OpenedSession,
    audit: Aftermath,
) -> Result<RecoveryOutcome, Conflict> {
    let found = state.recoveries.get(id_hash).cloned();
    let Some((account, expires_at, ready_at, tries)) = found.and_then(|recovery| match recovery.stage {
        RecoveryStage::Waiting { ready_at, tries, .. } => {
            Some((recovery.account?, recovery.expires_at, ready_at, tries))
        }
        RecoveryStage::Asked | RecoveryStage::Ended => None,
    }) else {
        return Ok(RecoveryOutcome::Refused);
    };
    if expires_at <= at || !state.is_active(account) || opened.session.account != account {
        return Ok(RecoveryOutcome::Refused);
    }
    match proof {
        RecoveryProof::Code {
            hash,
            max_tries,
            wrong,
        } => {
            if tries >= max_tries {
                return Ok(RecoveryOutcome::Refused);
            }
            let known = state.recovery_codes.get(&account);
            if !known.is_some_and(|codes| codes.contains(&hash)) {
                state.check_event(&wrong)?;
                if let Some(Recovery {
                    stage: RecoveryStage::Waiting { tries, .. },
                    ..
                }) = state.recoveries.get_mut(id_hash)
                {
                    *tries = tries.saturating_add(1);
                }
                state.append_event(wrong);
                return Ok(RecoveryOutcome::Wrong);
            }
            state.check_aftermath(&audit)?;
            state.check_session(&opened.session, None)?;
            if let Some(codes) = state.recovery_codes.get_mut(&account) {
                codes.remove(&hash);
            }
        }
        RecoveryProof::Waited => {
            if ready_at > at {
                return Ok(RecoveryOutcome::Refused);
            }
            state.check_aftermath(&audit)?;
            state.check_session(&opened.session, None)?;
        }
    }
    if let Some(recovery) = state.recoveries.get_mut(id_hash) {
        recovery.stage = RecoveryStage::Ended;
    }
    state.open_session(opened);
    state.append(audit);
    Ok(RecoveryOutcome::Taken)
}
