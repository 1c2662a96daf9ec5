use async_trait::async_trait;
use keyhaven_storage::{
    AlarmEffect, AuditEvent, CloneAlarm, CloneAlarmOutcome, CloneStore, Ending, InactiveReason,
    Reinstatement, ReinstatementOutcome, StorageError,
};
use keyhaven_types::SignCount;

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl CloneStore for MemoryStore {
    async fn commit_clone_alarm(&self, alarm: CloneAlarm) -> Result<CloneAlarmOutcome, StorageError> {
        self.with("credential.clone_alarm", |state| sound(state, alarm))
    }

    async fn reinstate_credential(
        &self,
        reinstatement: Reinstatement,
    ) -> Result<ReinstatementOutcome, StorageError> {
        self.with("credential.reinstate", |state| reinstate(state, reinstatement))
    }
}

fn sound(state: &mut State, alarm: CloneAlarm) -> Result<CloneAlarmOutcome, Conflict> {
    state.check_aftermath(&alarm.audit)?;
    let Some(credential) = state
        .credentials
        .get_mut(&alarm.credential)
        .filter(|credential| credential.account == alarm.account)
    else {
        return Ok(CloneAlarmOutcome::CredentialMissing);
    };
    if !credential.active {
        return Ok(CloneAlarmOutcome::AlreadyInactive);
    }
    if credential.sign_count != alarm.expected_sign_count {
        return Ok(CloneAlarmOutcome::RecordChanged);
    }
    match alarm.effect {
        AlarmEffect::OutOfUse(reason) => {
            credential.active = false;
            credential.inactive_reason = Some(reason);
            state.end(alarm.account, &Ending::OpenedBy(alarm.credential));
        }
        AlarmEffect::ToldUnlessSince(since) => {
            let like_it = |event: &&AuditEvent| {
                event.action == alarm.audit.event.action
                    && event.credential.as_ref() == Some(&alarm.credential)
                    && event.at > since
            };
            if state.events_of(alarm.account).iter().any(like_it) {
                return Ok(CloneAlarmOutcome::ToldAlready);
            }
        }
    }
    state.append(alarm.audit);
    Ok(CloneAlarmOutcome::Committed)
}

fn reinstate(state: &mut State, wanted: Reinstatement) -> Result<ReinstatementOutcome, Conflict> {
    state.check_aftermath(&wanted.audit)?;
    let suspended = state
        .credentials
        .get(&wanted.credential)
        .is_some_and(|credential| {
            credential.account == wanted.account
                && credential.inactive_reason == Some(InactiveReason::CloneSuspended)
        });
    if !suspended {
        return Ok(ReinstatementOutcome::NotSuspended);
    }
    if let Some((session, purpose, now)) = &wanted.uses_grant
        && !state.use_grant(wanted.account, *session, purpose, *now)
    {
        return Ok(ReinstatementOutcome::GrantMissing);
    }
    if let Some(credential) = state.credentials.get_mut(&wanted.credential) {
        credential.active = true;
        credential.inactive_reason = None;
        credential.sign_count = SignCount(0);
    }
    state.append(wanted.audit);
    Ok(ReinstatementOutcome::Reinstated)
}
