//! Recovering an account whose passkeys are lost.
//!
//! What is asked for an address that nobody has is stored all the same, without an account: it is counted alike, and leads
//! nowhere.

use async_trait::async_trait;
use keyhaven_types::UnixTime;

use crate::{AccountId, Aftermath, AuditEvent, Session, SessionId, StorageError, TokenHash};

/// A recovery that somebody asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovery {
    /// Hash of the id that the client holds; unique.
    pub id_hash: TokenHash,
    /// The account; `None`: nobody has the address.
    pub account: Option<AccountId>,
    /// A keyed hash of the address: what is asked for one address is counted by it.
    pub address_hash: [u8; 32],
    /// Hash of the asking browser's cookie; none for a client that sent no Origin.
    pub browser: Option<TokenHash>,
    /// A keyed hash of the mailed code and the id.
    pub code_hash: [u8; 32],
    /// How often a code was tried.
    pub tries: u32,
    /// When it was asked for.
    pub created_at: UnixTime,
    /// From this moment on the mailed code is good for nothing.
    pub code_expires_at: UnixTime,
    /// How far it has come.
    pub stage: RecoveryStage,
    /// From this moment on it is over, whatever happens.
    pub expires_at: UnixTime,
}

/// How far a recovery has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecoveryStage {
    /// A code was mailed.
    Asked,
    /// It was carried out or cancelled.
    Ended,
    /// The mailed code was right, and the account has passkeys: its owner has until `ready_at` to object.
    Waiting {
        /// From this moment on it can be carried out.
        ready_at: UnixTime,
        /// Hash of the token that cancels it; unique.
        cancel: TokenHash,
        /// How often a recovery code was tried.
        tries: u32,
    },
}

/// A session that is opened in place of the one that was presented, if there was one.
#[derive(Clone, Debug)]
pub struct OpenedSession {
    /// The new one.
    pub session: Session,
    /// The presented one, whoever's it is.
    pub ends: Option<SessionId>,
}

/// What a right code leads to.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "made once and taken apart at once")]
pub enum RecoveryStep {
    /// A session is opened; it is the account's.
    Open(OpenedSession),
    /// The recovery waits.
    Wait {
        /// Until then.
        ready_at: UnixTime,
        /// Hash of the token that cancels it.
        cancel: TokenHash,
    },
}

/// A code from a mail, as somebody entered it.
#[derive(Clone, Debug)]
pub struct CodeAttempt {
    /// Hash of the recovery's id.
    pub id_hash: TokenHash,
    /// The keyed hash that the code would have.
    pub code_hash: [u8; 32],
    /// Now.
    pub at: UnixTime,
    /// More tries than these one recovery does not have.
    pub max_tries: u32,
    /// More tries than these all recoveries of one address that were asked for after `since` do not have.
    pub max_tries_of_address: u32,
    /// When that count begins.
    pub since: UnixTime,
    /// What follows where it is right.
    pub step: RecoveryStep,
    /// What is written then.
    pub right: Aftermath,
    /// What is written where it is wrong.
    pub wrong: AuditEvent,
}

/// What carries a waiting recovery out.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "made once and taken apart at once")]
pub enum RecoveryProof {
    /// One of the account's recovery codes, which is used up: its keyed hash, how many tries a recovery has, and what is
    /// written where it is wrong.
    Code {
        /// The keyed hash that the code would have.
        hash: [u8; 32],
        /// More tries than these one recovery does not have.
        max_tries: u32,
        /// What is written where it is wrong.
        wrong: AuditEvent,
    },
    /// The wait is over.
    Waited,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum RecoveryOutcome {
    /// There is no such recovery at this stage, or it has had its tries; nothing was written.
    Refused,
    /// Right: the step is taken.
    Taken,
    /// Wrong: the try was counted.
    Wrong,
}

/// Recovery codes in place of those before.
#[derive(Clone, Debug)]
pub struct CodesReplacement {
    /// Whose they are.
    pub account: AccountId,
    /// The session that asks: it must be the account's, and not be over at `at`.
    pub session: SessionId,
    /// The purpose of a step-up grant that this uses up: `session` must hold it, live at `at`.
    pub uses_grant: Option<String>,
    /// Their keyed hashes.
    pub hashes: Vec<[u8; 32]>,
    /// Now.
    pub at: UnixTime,
    /// The event.
    pub audit: Aftermath,
}

/// What became of a replacement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum CodesOutcome {
    /// The grant is used up, expired or was never given; nothing was written.
    GrantMissing,
    /// Written: those before are good for nothing.
    Replaced,
    /// The session that asked is over, or the account is locked; nothing was written.
    SessionEnded,
}

/// Recoveries, and the recovery codes of accounts.
#[async_trait]
pub trait RecoveryStore: Send + Sync {
    /// Stores a new recovery with its mail, unless `max` of its address were asked for after `since`. Tells whether it was
    /// stored. Of racing ones no more than that are.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn ask_recovery(
        &self,
        recovery: Recovery,
        max: u32,
        since: UnixTime,
        audit: Aftermath,
    ) -> Result<bool, StorageError>;

    /// The recovery with this id, until it is dropped.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn recovery(&self, id_hash: &TokenHash) -> Result<Option<Recovery>, StorageError>;

    /// The waiting recovery that this token cancels.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn recovery_to_cancel(&self, cancel: &TokenHash) -> Result<Option<Recovery>, StorageError>;

    /// Tries a mailed code. A try is counted before its outcome is known, and a code that was right is used up. The account
    /// must be active.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn try_code(&self, attempt: CodeAttempt) -> Result<RecoveryOutcome, StorageError>;

    /// Carries a waiting recovery out: it ends, and the session is opened. The account must be active.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn carry_out_recovery(
        &self,
        id_hash: &TokenHash,
        proof: RecoveryProof,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<RecoveryOutcome, StorageError>;

    /// Ends all recoveries of an account that are under way at `at`, and appends the event where there was one. Tells how
    /// many.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn cancel_recoveries(
        &self,
        account: AccountId,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<u64, StorageError>;

    /// Gives an account other recovery codes.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn replace_recovery_codes(
        &self,
        replacement: CodesReplacement,
    ) -> Result<CodesOutcome, StorageError>;

    /// How many recovery codes of an account are left.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn recovery_codes_left(&self, account: AccountId) -> Result<u64, StorageError>;

    /// How many codes were tried in recoveries that were asked for after `since` and were not right, of all accounts.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn recovery_failures(&self, since: UnixTime) -> Result<u64, StorageError>;

    /// Drops recoveries that were over at `now`, at most `limit`, and tells how many. Several processes may do it at once.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn drop_expired_recoveries(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError>;
}
