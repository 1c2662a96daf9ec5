//! What a sign-in with a passkey can ask for beside it: the password, the client key.

use async_trait::async_trait;
use keyhaven_types::{CredentialId, UnixTime};

use crate::{AccountId, Aftermath, OwnedCredential, PasswordVerifier, SessionId, StorageError};

/// What an account's client key is compared with. At most one per account; the key itself is nowhere.
#[derive(Clone, Eq, PartialEq)]
pub struct ClientKey {
    /// Whose it is.
    pub account: AccountId,
    /// Keyed hash of the key: HMAC-SHA-256, made and checked by the service.
    pub mac: [u8; 32],
    /// When it was made.
    pub created_at: UnixTime,
    /// When it last signed in.
    pub last_used_at: Option<UnixTime>,
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientKey")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// What an account has beside its passkeys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Factors {
    /// Its password.
    pub password: Option<PasswordVerifier>,
    /// Its client key.
    pub client_key: Option<ClientKey>,
}

/// What a sign-in was judged by, beside the passkey: each as it was found, which can be nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JudgedFactors {
    /// The hash of the account's password.
    pub password: Option<String>,
    /// The keyed hash of the account's client key.
    pub client_key: Option<[u8; 32]>,
    /// Whether the client key was used just now.
    pub uses_client_key: bool,
}

/// Client keys, and what sign-ins with several factors start from.
#[async_trait]
pub trait FactorStore: Send + Sync {
    /// The credential with this id, its account, and what that has beside it.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn credential_with_factors(
        &self,
        id: &CredentialId,
    ) -> Result<Option<(OwnedCredential, Factors)>, StorageError>;

    /// Sets or removes an account's client key, and appends the event: all of it, or nothing.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn change_client_key(
        &self,
        change: ClientKeyChange,
    ) -> Result<ClientKeyChangeOutcome, StorageError>;
}

/// Another client key, or none.
#[derive(Clone, Debug)]
pub struct ClientKeyChange {
    /// Whose it is.
    pub account: AccountId,
    /// The session that asks: it must be the account's, and not be over at `at`.
    pub session: SessionId,
    /// The purpose of the step-up grant that this uses up: `session` must hold it, live at `at`.
    pub uses_grant: String,
    /// The new key; its `account` is that account. `None` removes it.
    pub to: Option<ClientKey>,
    /// Now.
    pub at: UnixTime,
    /// The event.
    pub audit: Aftermath,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum ClientKeyChangeOutcome {
    /// The account is gone or locked; nothing was written.
    AccountUnavailable,
    /// Written.
    Changed,
    /// The grant is used up, expired or was never given; nothing was written.
    GrantMissing,
    /// There is no client key to remove; nothing was written.
    NotFound,
    /// The session that asked is over; nothing was written.
    SessionEnded,
}
