//! What administrators see, and what they do to the accounts of others.

use async_trait::async_trait;
use keyhaven_types::{CredentialId, UnixTime};

use crate::{
    Account, AccountId, Aftermath, AuditEvent, ClientKey, EventId, OpenedSession, Role, SessionId,
    StorageError, TokenHash,
};

/// One line of a list of accounts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedAccount {
    /// The account.
    pub account: Account,
    /// Whether it has an active credential.
    pub has_passkey: bool,
}

/// How an account stands, beside its record, its credentials and its sessions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccountStanding {
    /// Why it is locked and since when, where that was said.
    pub lock: Option<AccountLock>,
    /// The enrolment link that is good at that moment.
    pub enrolment: Option<Enrolment>,
    /// From when on the recovery that waits at that moment can be carried out.
    pub recovery_ready_at: Option<UnixTime>,
    /// Whether it has a password.
    pub has_password: bool,
    /// Its client key.
    pub client_key: Option<ClientKey>,
}

/// Why an account is locked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountLock {
    /// In words, 1 to 256 characters.
    pub reason: String,
    /// Since when.
    pub at: UnixTime,
}

/// A link by which the owner of an account is let in to add a passkey. At most one per account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Enrolment {
    /// Whose.
    pub account: AccountId,
    /// Hash of the token in the link; unique.
    pub token: TokenHash,
    /// When it was made.
    pub created_at: UnixTime,
    /// From this moment on it is good for nothing.
    pub expires_at: UnixTime,
}

/// What is done to an account by somebody else.
#[derive(Clone, Debug)]
pub struct AdminChange {
    /// The account.
    pub account: AccountId,
    /// The administrator, and what must hold at the moment of the change; `None`: the command line.
    pub by: Option<AdminSession>,
    /// What is done.
    pub act: AdminAct,
    /// Now.
    pub at: UnixTime,
    /// The event, and the mails that tell people.
    pub audit: Aftermath,
}

/// An administrator who asks: an active account with that role, its session, and a grant of that session.
#[derive(Clone, Debug)]
pub struct AdminSession {
    /// The administrator.
    pub account: AccountId,
    /// The session, which must be that account's and not be over.
    pub session: SessionId,
    /// The purpose of the step-up grant that the session must hold.
    pub grant: String,
    /// Whether the grant is used up.
    pub uses_grant: bool,
}

/// What can be done to somebody's account.
#[derive(Clone, Debug)]
pub enum AdminAct {
    /// All sessions end.
    EndSessions,
    /// A link is made, in place of the one before.
    Enrol {
        /// Hash of the token in the link.
        token: TokenHash,
        /// From this moment on it is good for nothing.
        expires_at: UnixTime,
    },
    /// Nobody signs in any more: all sessions, recoveries and links end too.
    Lock {
        /// Why, 1 to 256 characters.
        reason: String,
    },
    /// A credential goes, and the sessions that it opened end.
    RemoveCredential {
        /// Which.
        credential: CredentialId,
        /// Also where no active credential would be left.
        even_last: bool,
    },
    /// Another role; all sessions end, so that nobody has a new right by an old token.
    SetRole {
        /// Which.
        role: Role,
        /// Only where nobody is an administrator.
        first: bool,
    },
    /// It may sign in again.
    Unlock,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum AdminOutcome {
    /// The account is locked; nothing was written.
    AccountLocked,
    /// There is no such account; nothing was written.
    AccountMissing,
    /// Somebody is an administrator already; nothing was written.
    AdminExists,
    /// The account has no such credential; nothing was written.
    CredentialMissing,
    /// Done.
    Done,
    /// The grant is used up, expired or was never given; nothing was written.
    GrantMissing,
    /// No administrator who can sign in would be left; nothing was written.
    LastAdmin,
    /// No active credential would be left; nothing was written.
    LastCredential,
    /// Who asks is no administrator any more, or locked; nothing was written.
    NotAdmin,
    /// An administrator cannot do that to himself; nothing was written.
    OwnAccount,
    /// The session that asked is over; nothing was written.
    SessionEnded,
    /// It is so already; nothing was written.
    Unchanged,
}

/// The accounts and the events of all, for administrators.
#[async_trait]
pub trait AdminStore: Send + Sync {
    /// Accounts, newest first (of one moment: the highest id), at most `limit`; when given, from after the account that a
    /// list before ended with.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn accounts(
        &self,
        after: Option<(UnixTime, AccountId)>,
        limit: u32,
    ) -> Result<Vec<ListedAccount>, StorageError>;

    /// How an account stands at `now`; of one that does not exist there is nothing to tell.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn account_standing(
        &self,
        account: AccountId,
        now: UnixTime,
    ) -> Result<AccountStanding, StorageError>;

    /// Does something to an account, and appends the event: all of it, or nothing. Of racing changes each stands on what
    /// the one before has left: two administrators cannot lock each other out.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn administer(&self, change: AdminChange) -> Result<AdminOutcome, StorageError>;

    /// The link with this token, good or not.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn enrolment(&self, token: &TokenHash) -> Result<Option<Enrolment>, StorageError>;

    /// Uses up a link that is good at `at`, opens the session and appends the event. The account must be active, and the
    /// session its. Tells whether it was done: of racing ones one is.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn redeem_enrolment(
        &self,
        token: &TokenHash,
        at: UnixTime,
        opened: OpenedSession,
        audit: Aftermath,
    ) -> Result<bool, StorageError>;

    /// Drops links that were over at `now`, at most `limit`, and tells how many. Several processes may do it at once.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn drop_expired_enrolments(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError>;

    /// Events of all accounts and of none, highest id first, at most `limit`; when given, from below this id.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn events(&self, below: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>, StorageError>;
}
