//! Password verifiers, for deployments that still allow passwords.

use async_trait::async_trait;
use keyhaven_types::UnixTime;

use crate::{Account, AccountId, AddressClaim, Aftermath, Role, Session, SessionId, StorageError};

/// What an account's password is compared with. At most one per account.
#[derive(Clone, Eq, PartialEq)]
pub struct PasswordVerifier {
    /// Whose it is.
    pub account: AccountId,
    /// A PHC string or a bcrypt hash, at most 256 characters.
    pub hash: String,
    /// The hash's algorithm and work, at most 64 characters: hashes of one kind take the same time.
    pub kind: String,
    /// Whether it counts only together with a passkey, which then does not count without it.
    pub with_passkey: bool,
    /// When its owner chose it, or an operator brought it.
    pub changed_at: UnixTime,
}

impl std::fmt::Debug for PasswordVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordVerifier")
            .field("account", &self.account)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Passwords, and the whole commits that write them.
#[async_trait]
pub trait PasswordStore: Send + Sync {
    /// The account with this (already case-mapped) username, and its password where it has one. Locked accounts are
    /// found too.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn password_candidate(&self, username: &str) -> Result<Option<PasswordCandidate>, StorageError>;

    /// An account's password.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn password_of(&self, account: AccountId) -> Result<Option<PasswordVerifier>, StorageError>;

    /// The kinds of hashes that are stored, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn password_kinds(&self, limit: u32) -> Result<Vec<String>, StorageError>;

    /// Makes an account with a password, claims its address, opens its session, ends another and appends the event: all
    /// of it, or nothing.
    /// Of racing registrations of one username one is committed.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn register_password(
        &self,
        registration: PasswordRegistration,
    ) -> Result<PasswordRegistrationOutcome, StorageError>;

    /// Records a sign-in by password: a session, the end of another, the account's last login, a new hash of the same
    /// password, the event: all of it, or nothing. The hash that was compared must still be the stored one.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn commit_password_login(&self, login: PasswordLogin)
    -> Result<PasswordLoginOutcome, StorageError>;

    /// Sets or removes a password, ends the account's other sessions and appends the event: all of it, or nothing.
    /// Of racing changes from one password one happens.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn change_password(&self, change: PasswordChange) -> Result<PasswordChangeOutcome, StorageError>;
}

/// What a sign-in by password starts from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PasswordCandidate {
    /// The account.
    pub account: Account,
    /// Its password.
    pub password: Option<PasswordVerifier>,
    /// Whether it has an active passkey.
    pub has_passkey: bool,
    /// Whether it has a client key.
    pub has_client_key: bool,
}

/// A new account with a password.
#[derive(Clone, Debug)]
pub struct PasswordRegistration {
    /// The account.
    pub account: Account,
    /// Its password; its `account` is that account.
    pub password: PasswordVerifier,
    /// Its claim to its address.
    pub claim: Option<AddressClaim>,
    /// A session to open.
    pub session: Option<Session>,
    /// A session to end.
    pub ends_session: Option<SessionId>,
    /// The event.
    pub audit: Aftermath,
}

impl PasswordRegistration {
    /// Whether all of it speaks of one account, which is a user's: nobody registers as an administrator.
    #[must_use]
    pub fn is_of_one_account(&self) -> bool {
        let account = self.account.id;
        let claim = self.claim.as_ref().map(|claim| claim.account);
        let session = self.session.as_ref().map(|session| session.account);
        self.account.role == Role::User
            && self.password.account == account
            && claim.is_none_or(|of| of == account)
            && session.is_none_or(|of| of == account)
    }
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum PasswordRegistrationOutcome {
    /// Written.
    Committed,
    /// Another account has the username; nothing was written.
    UsernameTaken,
}

/// A sign-in by password.
#[derive(Clone, Debug)]
pub struct PasswordLogin {
    /// The session to open; its account is whose password was given.
    pub session: Session,
    /// The hash that the password was compared with.
    pub compared: String,
    /// A new hash of the same password, and its kind.
    pub rehashed: Option<(String, String)>,
    /// A session to end.
    pub ends_session: Option<SessionId>,
    /// The event.
    pub audit: Aftermath,
}

/// What became of a sign-in by password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum PasswordLoginOutcome {
    /// The account is locked; nothing was written.
    AccountLocked,
    /// Written.
    Committed,
    /// The hash that was compared is no longer the stored one; nothing was written.
    PasswordChanged,
}

/// Another password, or none.
#[derive(Clone, Debug)]
pub struct PasswordChange {
    /// Whose it is.
    pub account: AccountId,
    /// The session that asks: it must be the account's, and not be over at `at`. It is the one that goes on.
    pub session: SessionId,
    /// The purpose of a step-up grant that this uses up: `session` must hold it, live at `at`.
    pub uses_grant: Option<String>,
    /// The hash that was found and judged by, which must still be the stored one; `None`: there was none.
    pub from: Option<String>,
    /// The new password; `None` removes it. That, and a password that counts only together with a passkey, needs an active
    /// passkey.
    pub to: Option<PasswordVerifier>,
    /// Now.
    pub at: UnixTime,
    /// The event.
    pub audit: Aftermath,
}

impl PasswordChange {
    /// Whether without a passkey there would be no way to sign in afterwards.
    #[must_use]
    pub fn needs_passkey(&self) -> bool {
        self.to.as_ref().is_none_or(|to| to.with_passkey)
    }
}

/// What became of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum PasswordChangeOutcome {
    /// The account is gone or locked; nothing was written.
    AccountUnavailable,
    /// Written; so many other sessions ended.
    Changed {
        /// How many.
        ended: u64,
    },
    /// The grant is used up, expired or was never given; nothing was written.
    GrantMissing,
    /// Without the password there would be no way to sign in; nothing was written.
    NoPasskey,
    /// The stored password is no longer the one that was judged by; nothing was written.
    PasswordChanged,
    /// The session that asked is over; nothing was written.
    SessionEnded,
}
