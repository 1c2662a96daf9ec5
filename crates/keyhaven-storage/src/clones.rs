//! What becomes of a credential that seems to have a copy.

use async_trait::async_trait;
use keyhaven_types::{CredentialId, SignCount, UnixTime};

use crate::{AccountId, Aftermath, InactiveReason, SessionId, StorageError};

/// Taking credentials out of use, and back.
#[async_trait]
pub trait CloneStore: Send + Sync {
    /// Takes a credential out of use, ends the sessions that it opened, and appends the event: all of it, or nothing. Of
    /// racing alarms about one credential one is committed, and no login that races them leaves a session behind. Or, as
    /// the alarm says, appends the event alone, unless there was one like it of late.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn commit_clone_alarm(&self, alarm: CloneAlarm) -> Result<CloneAlarmOutcome, StorageError>;

    /// Puts a suspended credential back in use, with a sign count of zero, so that whatever it says next is its count, and
    /// appends the event: all of it, or nothing.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn reinstate_credential(
        &self,
        reinstatement: Reinstatement,
    ) -> Result<ReinstatementOutcome, StorageError>;
}

/// A credential to be taken out of use, and what it was judged by.
#[derive(Clone, Debug)]
pub struct CloneAlarm {
    /// The credential that signed with a count that went back.
    pub credential: CredentialId,
    /// Its account.
    pub account: AccountId,
    /// The count it was judged by: the stored one must still be this.
    pub expected_sign_count: SignCount,
    /// What becomes of it.
    pub effect: AlarmEffect,
    /// The event, and the mail that tells the owner.
    pub audit: Aftermath,
}

/// What becomes of a credential that seems to have a copy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AlarmEffect {
    /// Nothing: its owner is told, unless an event of the same action, about this credential and its account, is later
    /// than this moment.
    ToldUnlessSince(UnixTime),
    /// It is inactive, for this reason.
    OutOfUse(InactiveReason),
}

/// What became of an alarm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum CloneAlarmOutcome {
    /// The credential is out of use already; nothing was written.
    AlreadyInactive,
    /// Written.
    Committed,
    /// There is no such credential in that account any more; nothing was written.
    CredentialMissing,
    /// Another sign count is stored than the expected one; nothing was written.
    RecordChanged,
    /// The owner was told of late; nothing was written.
    ToldAlready,
}

/// A suspended credential to be put back in use.
#[derive(Clone, Debug)]
pub struct Reinstatement {
    /// The account it must belong to.
    pub account: AccountId,
    /// The credential.
    pub credential: CredentialId,
    /// A step-up grant of a session of the account that this uses up, live at the given moment; without it nothing is
    /// written.
    pub uses_grant: Option<(SessionId, String, UnixTime)>,
    /// The event.
    pub audit: Aftermath,
}

/// What became of a reinstatement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum ReinstatementOutcome {
    /// The grant is used up, expired or was never given; nothing was written.
    GrantMissing,
    /// The account has no such credential that is suspended; nothing was written.
    NotSuspended,
    /// In use again.
    Reinstated,
}
