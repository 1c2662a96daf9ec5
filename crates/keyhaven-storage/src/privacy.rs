//! What the people behind accounts can ask for: other words, and an end to it all; and what goes by itself.

use async_trait::async_trait;
use keyhaven_types::UnixTime;

use crate::{Account, AccountId, Aftermath, SessionId, StorageError};

/// An account to be deleted.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// Which.
    pub account: AccountId,
    /// What must hold at the moment it is deleted.
    pub ground: DeletionGround,
    /// The event, and the mails that tell people: the only ones about the account that are left.
    pub audit: Aftermath,
}

/// Why an account is deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DeletionGround {
    /// Its owner asks for it.
    Asked {
        /// The session that asks: it must be the account's, and not be over at `at`.
        session: SessionId,
        /// The purpose of a step-up grant that this uses up: `session` must hold it, live at `at`.
        uses_grant: String,
        /// Now.
        at: UnixTime,
    },
    /// It has proven no address, and was neither made nor signed in to since this moment.
    Unused {
        /// The moment.
        since: UnixTime,
    },
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum DeletionOutcome {
    /// The account is gone already, or locked; nothing was written.
    AccountUnavailable,
    /// It is gone: passkeys, sessions, grants, passwords, client key, recoveries, addresses and unsent mails with it.
    Deleted,
    /// The grant is used up, expired or was never given; nothing was written.
    GrantMissing,
    /// It is used, or has proven an address; nothing was written.
    InUse,
    /// The session that asked is over; nothing was written.
    SessionEnded,
}

/// What a look at some accounts, or some sessions, found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnusedPage {
    /// Those that are not used.
    pub accounts: Vec<AccountId>,
    /// Where to look on; `None`: that was the end.
    pub next: Option<AccountId>,
}

/// Deleting accounts, renaming their owners, and forgetting what is not needed any more.
#[async_trait]
pub trait PrivacyStore: Send + Sync {
    /// Deletes an account and everything of it, and appends the event: all of it, or nothing. Events stay. Whatever races
    /// with it, nothing of the account is there afterwards.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn delete_account(&self, deletion: Deletion) -> Result<DeletionOutcome, StorageError>;

    /// Gives an active account another display name, 1 to 64 characters, and appends the event. `None`: it is gone or
    /// locked; nothing was written.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn change_display_name(
        &self,
        account: AccountId,
        display_name: &str,
        at: UnixTime,
        audit: Aftermath,
    ) -> Result<Option<Account>, StorageError>;

    /// Looks at `limit` accounts in order of their ids, from after `after`, for those that [`DeletionGround::Unused`]
    /// speaks of.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn unused_accounts(
        &self,
        after: Option<AccountId>,
        since: UnixTime,
        limit: u32,
    ) -> Result<UnusedPage, StorageError>;

    /// Looks at `limit` sessions in order of their ids, from after `after`, and forgets address and user agent of those
    /// that were opened before `before`. Tells where to look on; `None`: that was the end.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn forget_session_clients(
        &self,
        after: Option<SessionId>,
        before: UnixTime,
        limit: u32,
    ) -> Result<Option<SessionId>, StorageError>;
}
