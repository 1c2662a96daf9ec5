use async_trait::async_trait;
use keyhaven_types::{CredentialId, RpId, SignCount, UnixTime};

use crate::{
    Account, AccountId, AddressClaim, AddressStore, AdminStore, Aftermath, AuditEvent, AuditLogStore,
    ClientKey, CloneStore, Credential, CredentialHandle, Ending, EventId, FactorStore, JudgedFactors,
    OutboxStore, PasswordStore, PasswordVerifier, PersonalStore, PrivacyStore, RecoveryStore, Role, Session,
    SessionId, SigningKey, StepUpGrant, StorageError, TokenHash,
};

/// Everything that must outlive a restart.
pub trait DurableStore:
    AccountStore
    + AddressStore
    + AdminStore
    + AuditLogStore
    + AuditStore
    + CloneStore
    + CredentialStore
    + FactorStore
    + OutboxStore
    + PasswordStore
    + PersonalStore
    + PrivacyStore
    + RecoveryStore
    + SessionStore
    + SigningKeyStore
{
}

impl<T> DurableStore for T where
    T: AccountStore
        + AddressStore
        + AdminStore
        + AuditLogStore
        + AuditStore
        + CloneStore
        + CredentialStore
        + FactorStore
        + OutboxStore
        + PasswordStore
        + PersonalStore
        + PrivacyStore
        + RecoveryStore
        + SessionStore
        + SigningKeyStore
        + ?Sized
{
}

/// Accounts, and the whole commits that touch more than one kind of record.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// The account with this id.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StorageError>;

    /// Whether an account has this (already case-mapped) username.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn username_exists(&self, username: &str) -> Result<bool, StorageError>;

    /// The account with this (already case-mapped) username.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn account_named(&self, username: &str) -> Result<Option<Account>, StorageError>;

    /// What a login by name starts from: the active credentials of the account with this (already case-mapped) username,
    /// oldest first; `None` where there is no such account. Locked accounts are found too: whether they may sign in is
    /// decided when the login is committed.
    ///
    /// A name that nobody has costs an engine what one with a credential costs: the same probes, one row read.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn login_candidates(&self, username: &str) -> Result<Option<Vec<CredentialHandle>>, StorageError>;

    /// Registers a passkey, for a new account or an existing one, opens its session, ends another and appends the
    /// event: all of it, or nothing. Of racing registrations of one username or one credential id one is committed.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn commit_registration(
        &self,
        registration: NewRegistration,
    ) -> Result<RegistrationOutcome, StorageError>;

    /// Records one verified assertion: sign count (compare-and-set), backup flags, last use, the account's last login,
    /// a new session or a step-up grant, the end of another session, the event: all of it, or nothing.
    ///
    /// Whether credential and account are active is decided here, by the same statement that writes. Of racing
    /// commits that expect the same sign count and set a higher one, one is committed.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn commit_assertion(&self, assertion: AssertionCommit) -> Result<AssertionOutcome, StorageError>;

    /// Whether the store answers now.
    ///
    /// # Errors
    /// When it does not.
    async fn ping(&self) -> Result<(), StorageError>;
}

/// Whose passkey is registered.
#[derive(Clone, Debug)]
pub enum RegistrationAccount {
    /// One more passkey for an account that has some.
    Existing(Addition),
    /// The first passkey of a new account.
    New(Account),
}

impl RegistrationAccount {
    /// The account's id, new or not.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        match self {
            Self::Existing(addition) => addition.account,
            Self::New(account) => account.id,
        }
    }
}

/// One more passkey for an account, and what must hold at the moment it is written.
#[derive(Clone, Debug)]
pub struct Addition {
    /// The account, which must exist and be active.
    pub account: AccountId,
    /// The session that asked: it must be the account's, and not be over at `at`.
    pub session: Option<SessionId>,
    /// The purpose of a step-up grant that this uses up: `session` must hold it, live at `at`.
    pub uses_grant: Option<String>,
    /// More credentials than this the account must not have afterwards.
    pub max_credentials: u32,
    /// Now.
    pub at: UnixTime,
}

/// What a recovery ends with, once its passkey is registered: all sessions of the account end, save the one that is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AfterRecovery {
    /// Whether the passkeys from before go, and a password that signs in without one.
    pub drops_passkeys: bool,
}

/// A registration to be committed.
#[derive(Clone, Debug)]
pub struct NewRegistration {
    /// Whose it is.
    pub account: RegistrationAccount,
    /// The passkey; its `account` is that account.
    pub credential: Credential,
    /// What the passkey of a recovery changes; only for an existing account.
    pub recovery: Option<AfterRecovery>,
    /// The claim of a new account to its address.
    pub claim: Option<AddressClaim>,
    /// A session to open.
    pub session: Option<Session>,
    /// Sessions to end.
    pub ends: Ending,
    /// A new account's password; its `account` is that account.
    pub password: Option<PasswordVerifier>,
    /// A new account's client key; its `account` is that account.
    pub client_key: Option<ClientKey>,
    /// The credential id counts as registered: the server has given it out as a decoy. Same work, same outcome.
    pub reserved_id: bool,
    /// The event, and the mails that tell people.
    pub audit: Aftermath,
}

impl NewRegistration {
    /// The account's id, new or not.
    #[must_use]
    pub const fn account_id(&self) -> AccountId {
        self.account.id()
    }

    /// Whether all of it speaks of one account, and password and client key of a new one, which is a user's: nobody
    /// registers as an administrator.
    #[must_use]
    pub fn is_of_one_account(&self) -> bool {
        if let RegistrationAccount::New(account) = &self.account
            && account.role != Role::User
        {
            return false;
        }
        let account = self.account_id();
        let session = self.session.as_ref().map(|session| session.account);
        let password = self.password.as_ref().map(|password| password.account);
        let client_key = self.client_key.as_ref().map(|key| key.account);
        let claim = self.claim.as_ref().map(|claim| claim.account);
        let new = matches!(self.account, RegistrationAccount::New(_));
        self.credential.account == account
            && session.is_none_or(|of| of == account)
            && claim.is_none_or(|of| of == account)
            && password.is_none_or(|of| new && of == account)
            && client_key.is_none_or(|of| new && of == account)
    }
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum RegistrationOutcome {
    /// The existing account is gone or locked; nothing was written.
    AccountUnavailable,
    /// Written.
    Committed,
    /// The credential id is registered already, to anybody; nothing was written.
    CredentialExists,
    /// The grant is used up, expired or was never given; nothing was written.
    GrantMissing,
    /// The session that asked is over; nothing was written.
    SessionEnded,
    /// The account has as many credentials as it may; nothing was written.
    TooManyCredentials,
    /// Another account has the username; nothing was written.
    UsernameTaken,
}

/// A verified assertion to be recorded.
#[derive(Clone, Debug)]
pub struct AssertionCommit {
    /// The credential that signed.
    pub credential: CredentialId,
    /// Its account.
    pub account: AccountId,
    /// The sign count the verdict was reached with: the stored one must still be this.
    pub expected_sign_count: SignCount,
    /// Everything else that can change and that verdict and answer come from: it must still be stored so. What they
    /// were read from may thus be old, as long as nothing has changed since.
    pub expected: Remembered,
    /// The sign count to store.
    pub new_sign_count: SignCount,
    /// BE to store.
    pub backup_eligible: bool,
    /// BS to store.
    pub backup_state: bool,
    /// When it signed. Last use and last login move forward only.
    pub used_at: UnixTime,
    /// What else was judged by, beside the passkey: it must still be what is stored. `None`: nothing was.
    pub factors: Option<JudgedFactors>,
    /// A session to open: makes this a login, and `used_at` the account's last one.
    pub session: Option<Session>,
    /// A grant to give, for a step-up. Its session must be the account's and not be over at `used_at`.
    pub grant: Option<StepUpGrant>,
    /// The token of the grant's session from now on, whichever it has by then, which becomes the previous one: who can do
    /// more is not known by what could do less, nor by what somebody else has made of that meanwhile.
    pub rotation: Option<TokenHash>,
    /// A session to end.
    pub ends_session: Option<SessionId>,
    /// The event, and the mails that tell people.
    pub audit: Aftermath,
}

/// What is remembered of a credential and its account, as far as it can change, beside what each use of it changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remembered {
    /// [`Account::updated_at`].
    pub account_updated_at: UnixTime,
    /// [`Credential::backup_eligible`].
    pub backup_eligible: bool,
    /// [`Credential::device_name`].
    pub device_name: String,
}

impl Remembered {
    /// Of these records.
    #[must_use]
    pub fn of(owned: &OwnedCredential) -> Self {
        Self {
            account_updated_at: owned.account.updated_at,
            backup_eligible: owned.credential.backup_eligible,
            device_name: owned.credential.device_name.clone(),
        }
    }
}

/// What became of an assertion.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum AssertionOutcome {
    /// The account is locked; nothing was written.
    AccountLocked,
    /// Written.
    Committed,
    /// The credential is revoked or suspended; nothing was written.
    CredentialInactive,
    /// There is no such credential in that account any more; nothing was written.
    CredentialMissing,
    /// The grant's session is over; nothing was written.
    SessionEnded,
    /// Another sign count is stored than the expected one, or something else is not as it was remembered; nothing was
    /// written.
    RecordChanged,
}

/// Passkeys.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// The credential with this id and its account, active or not.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn credential(&self, id: &CredentialId) -> Result<Option<OwnedCredential>, StorageError>;

    /// The RP ID of some credential; `None`: there is no credential. In a store that always served one RP ID it is that.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn some_rp_id(&self) -> Result<Option<RpId>, StorageError>;

    /// All credentials of an account, active or not, oldest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn credentials_of(&self, account: AccountId) -> Result<Vec<Credential>, StorageError>;

    /// Gives a credential of this account another name and appends the event. `None`: the account has no such
    /// credential; nothing was written.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn rename_credential(
        &self,
        account: AccountId,
        id: &CredentialId,
        device_name: &str,
        audit: Aftermath,
    ) -> Result<Option<Credential>, StorageError>;

    /// Removes credentials of an account, ends the sessions they opened (save one), and appends the event: all of it,
    /// or nothing. Racing removals cannot leave the account without an active credential.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn remove_credentials(&self, removal: Removal) -> Result<RemovalOutcome, StorageError>;
}

/// A credential and whose it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnedCredential {
    /// The credential.
    pub credential: Credential,
    /// Its account.
    pub account: Account,
}

/// Credentials to be removed.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The account they must belong to.
    pub account: AccountId,
    /// The credentials; all of them must be the account's.
    pub credentials: Vec<CredentialId>,
    /// Whether none of them has to stay where the account has a password that signs in alone: one that does not count
    /// only together with a passkey, of an account without a client key.
    pub password_suffices: bool,
    /// The session that may live on although a removed credential opened it; it then names no credential.
    pub keeps_session: Option<SessionId>,
    /// A step-up grant of a session of the account that this uses up, live at the given moment; without it nothing is
    /// removed.
    pub uses_grant: Option<(SessionId, String, UnixTime)>,
    /// The event, and the mails that tell people.
    pub audit: Aftermath,
}

/// What became of a removal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum RemovalOutcome {
    /// The grant is used up, expired or was never given; nothing was written.
    GrantMissing,
    /// No active credential would be left, nor a password that suffices; nothing was written.
    LastCredential,
    /// One of them is not the account's; nothing was written.
    NotFound,
    /// Removed.
    Removed,
}

/// Sessions and step-up grants.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// The session whose tokens have this family, with its account. Sessions that have expired are found too, until they
    /// are purged: the caller tells an expired session from none, and a token in force from one that was rotated away.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn session(&self, family: &TokenHash) -> Result<Option<SignInSession>, StorageError>;

    /// All sessions of an account that have not expired at `now`, newest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn sessions_of(&self, account: AccountId, now: UnixTime) -> Result<Vec<Session>, StorageError>;

    /// Moves a session's last use forward; never backward. A session that is gone stays gone.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn touch_session(&self, id: SessionId, seen_at: UnixTime) -> Result<(), StorageError>;

    /// Gives a session a new token, its current one becoming the previous one, if that is still `from`, and the previous one
    /// an earlier one while it counts ([`Session::replace_token`]); appends the event. Of racing rotations from one token one happens.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: UnixTime,
        audit: Aftermath,
    ) -> Result<Rotation, StorageError>;

    /// Ends those of these sessions that are this account's, and appends the event. Tells how many it ended.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn end_sessions(
        &self,
        account: AccountId,
        ids: &[SessionId],
        audit: Aftermath,
    ) -> Result<u64, StorageError>;

    /// Ends all sessions of this account save one, and appends the event. Tells how many it ended.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn end_other_sessions(
        &self,
        account: AccountId,
        keep: Option<SessionId>,
        audit: Aftermath,
    ) -> Result<u64, StorageError>;

    /// Whether this session holds a grant for the purpose that is live at `now`.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn has_grant(&self, session: SessionId, purpose: &str, now: UnixTime)
    -> Result<bool, StorageError>;

    /// Drops sessions and grants that have expired at `now`, at most `limit` of each, and tells how many. Several
    /// processes may do it at once.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn purge_expired_sessions(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError>;
}

/// A session and whose it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignInSession {
    /// The session.
    pub session: Session,
    /// Its account.
    pub account: Account,
}

/// What became of a rotation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Rotation {
    /// The session's token is no longer `from`; nothing was written.
    Lost,
    /// The session is over at that moment; nothing was written.
    SessionEnded,
    /// The new token is in force.
    Rotated,
}

/// Security events.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Appends one event that belongs to no other commit, such as a refusal, with its mails.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn append(&self, aftermath: Aftermath) -> Result<(), StorageError>;

    /// [`Self::append`] for an event that no mail tells of.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn append_event(&self, event: AuditEvent) -> Result<(), StorageError> {
        self.append(event.into()).await
    }

    /// Events of one account, newest first (of one moment: the highest id), at most `limit`; when given, from after
    /// the event that a list before ended with.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn events_of(
        &self,
        account: AccountId,
        after: Option<(UnixTime, EventId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StorageError>;
}

/// Keys that sign access tokens.
#[async_trait]
pub trait SigningKeyStore: Send + Sync {
    /// All keys that have not expired at `now`, newest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn signing_keys(&self, now: UnixTime) -> Result<Vec<SigningKey>, StorageError>;

    /// Adds a key unless one that was made at `unless_newer_than` or later is there; drops keys that have expired at
    /// the new key's creation. Tells whether it was added: of racing processes one adds.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn add_signing_key(
        &self,
        key: SigningKey,
        unless_newer_than: UnixTime,
    ) -> Result<bool, StorageError>;
}
