use std::borrow::Cow;
use std::time::Duration;

use keyhaven_core::{AssertionError, RegistrationError, Step};
use keyhaven_storage::StorageError;
use keyhaven_types::signal::UnknownCredential;

use crate::ports::RandomUnavailable;
use crate::step_up::Purpose;

/// Why a use case was refused.
///
/// [`Error::code`] is the stable code of `docs/errors.md`. What an anonymous caller is told can be less than what the
/// audit event holds: see [`Error::AuthenticationFailed`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The account may not sign in.
    #[error("this account is locked")]
    AccountLocked,
    /// A login step refused.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// A login was refused for a reason that could tell whether an account exists.
    #[error("the sign-in was refused")]
    AuthenticationFailed,
    /// As many ceremonies are pending as the store may hold.
    #[error("too many ceremonies are pending; try again shortly")]
    Busy,
    /// The ceremony is unknown, expired, finished before, of another kind, or another browser's.
    #[error("the ceremony is unknown, expired or already finished; start again")]
    ChallengeMissing,
    /// The client key, too, has to be given, or another one was.
    #[error("give the account's client key, too")]
    ClientKeyMismatch,
    /// The credential is registered already.
    #[error("this passkey is registered already")]
    CredentialExists,
    /// The credential is not stored here.
    #[error("this passkey is not known here")]
    CredentialNotFound {
        /// What the page can tell the browser: certain, at the moment of the look.
        signal: Option<Box<UnknownCredential>>,
    },
    /// The credential was revoked or suspended.
    #[error("this passkey was revoked")]
    CredentialRevoked,
    /// Accounts are called by their addresses here, and none was given, or none was proven.
    #[error("give an e-mail address, and then the code that was sent there")]
    EmailRequired,
    /// The caller may not do this.
    #[error("{detail}")]
    Forbidden {
        /// What is not allowed.
        detail: Cow<'static, str>,
    },
    /// A value of the request cannot be used.
    #[error("{detail}")]
    InvalidRequest {
        /// Which, and what it must be.
        detail: Cow<'static, str>,
    },
    /// Removing it would leave no way to sign in.
    #[error("this is the account's last passkey: add another one first")]
    LastCredential,
    /// Without the password there would be no way to sign in.
    #[error("this account has no passkey: add one first")]
    LastFactor,
    /// The authenticator is of no model that may be registered, or does not prove of which it is.
    #[error("this authenticator's model is not approved, or its attestation does not prove which it is")]
    ModelNotAllowed,
    /// The account has no passkey that is in use.
    #[error("this account has no passkey in use")]
    NoPasskeys,
    /// Its owner is to confirm with a passkey, and it has none.
    #[error(
        "this account has no passkey yet: sign in with its password again, add one at once, then confirm with that"
    )]
    NoPasskeyYet,
    /// A second implementation refuses a registration that the verifier accepted, and is to be believed.
    #[error("the passkey was refused by a second verification")]
    RegistrationDisputed,
    /// The thing named is not the caller's, or not there.
    #[error("not found")]
    NotFound,
    /// The password, too, has to be given.
    #[error("give the password, too")]
    PasswordRequired,
    /// No random bytes are to be had.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
    /// Too many attempts. Rounded up: who comes a moment too early is refused again.
    #[error("too many attempts; wait {} seconds", .retry_after.as_millis().div_ceil(1000).max(1))]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// A registration step refused.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The session is over.
    #[error("the session is over; sign in again")]
    SessionExpired,
    /// The user must prove presence again.
    #[error("confirm with a passkey first")]
    StepUpRequired {
        /// For what.
        purpose: Purpose,
    },
    /// A store did not answer.
    #[error("the store is not available; try again shortly")]
    Storage(#[from] StorageError),
    /// Nobody is signed in.
    #[error("sign in first")]
    Unauthenticated,
    /// No account has this name.
    #[error("no account has this name")]
    UserNotFound,
    /// Another account has this name.
    #[error("this username is taken")]
    UsernameTaken,
}

impl Error {
    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidRequest {
            detail: detail.into(),
        }
    }

    pub(crate) fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Forbidden {
            detail: detail.into(),
        }
    }

    /// The stable code, as documented in `docs/errors.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AccountLocked => "account_locked",
            Self::Assertion(error) => error.code(),
            Self::AuthenticationFailed => "authentication_failed",
            Self::Busy => "busy",
            Self::ChallengeMissing => "challenge_missing",
            Self::ClientKeyMismatch => "client_key_mismatch",
            Self::CredentialExists => "credential_exists",
            Self::CredentialNotFound { .. } => "credential_not_found",
            Self::CredentialRevoked => "credential_revoked",
            Self::EmailRequired => "email_required",
            Self::Forbidden { .. } => "forbidden",
            Self::InvalidRequest { .. } => "invalid_request",
            Self::LastCredential | Self::LastFactor => "last_credential",
            Self::ModelNotAllowed => "attestation_untrusted",
            Self::NoPasskeys | Self::NoPasskeyYet => "no_passkeys",
            Self::NotFound => "not_found",
            Self::PasswordRequired => "password_required",
            Self::Random(_) | Self::Storage(_) => "storage_unavailable",
            Self::RateLimited { .. } => "rate_limited",
            Self::Registration(error) => error.code(),
            Self::RegistrationDisputed => "attestation_invalid",
            Self::SessionExpired => "session_expired",
            Self::StepUpRequired { .. } => "step_up_required",
            Self::Unauthenticated => "unauthenticated",
            Self::UserNotFound => "user_not_found",
            Self::UsernameTaken => "username_taken",
        }
    }

    /// The verification step that refused, for example `L3 7.2.21`.
    #[must_use]
    pub fn step(&self) -> Option<String> {
        if let Self::Assertion(error) = self {
            Some(error.step().to_string())
        } else if let Self::Registration(error) = self {
            Some(error.step().to_string())
        } else if let Self::ModelNotAllowed = self {
            // Whether the attestation is acceptable under the Relying Party's policy.
            Some(Step::Registration(24).to_string())
        } else {
            None
        }
    }
}
