use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use keyhaven_types::{
    Aaguid, AuthenticatorTransport, CoseAlgorithm, CredentialId, RpId, SignCount, UnixTime, UserHandle,
};

use crate::{AccountId, EventId, SessionId, TokenHash};

/// One person's account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// What authenticators know it by: random, unique, never changed.
    pub user_handle: UserHandle,
    /// The public handle, already case-mapped (RFC 8265), or what stands for the address that the account is called by;
    /// 1 to 50 characters; unique.
    pub username: String,
    /// What a person reads, 1 to 64 characters.
    pub display_name: String,
    /// The e-mail address as given. Belongs to the account only once verified.
    pub email: Option<String>,
    /// Whether the address was proven.
    pub email_verified: bool,
    /// Whether the account may sign in; false: locked.
    pub active: bool,
    /// What it may do beside using its own account. A new account is a user's.
    pub role: Role,
    /// When it was made.
    pub created_at: UnixTime,
    /// When any of it, save the last sign-in, last changed.
    pub updated_at: UnixTime,
    /// The last sign-in.
    pub last_login_at: Option<UnixTime>,
}

impl Account {
    /// What its owner calls it and a person reads: the proven address where the username is one that only stands for it
    /// (it begins with `@`, as no handle does).
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.email {
            Some(email) if self.email_verified && self.username.starts_with('@') => email,
            Some(_) | None => &self.username,
        }
    }
}

/// What an account may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Role {
    /// Administer the accounts of others.
    Admin,
    /// Use its own account.
    #[default]
    User,
}

impl Role {
    /// As it is answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
        }
    }
}

/// One passkey: WebAuthn L3 §4 "Credential Record" and what people and operators want to know beside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credential {
    /// The credential id; unique over all accounts.
    pub id: CredentialId,
    /// Whose it is.
    pub account: AccountId,
    /// The RP ID it was made for.
    pub rp_id: RpId,
    /// The public key: a COSE_Key (RFC 9052 §7) as the authenticator sent it. Never changes.
    pub public_key: Vec<u8>,
    /// The key's algorithm.
    pub algorithm: CoseAlgorithm,
    /// The last sign count seen.
    pub sign_count: SignCount,
    /// The authenticator model, as claimed by the authenticator.
    pub aaguid: Aaguid,
    /// How the authenticator can be reached, as the client said.
    pub transports: Vec<AuthenticatorTransport>,
    /// BE flag at creation (or after a permitted upgrade).
    pub backup_eligible: bool,
    /// BS flag as last seen.
    pub backup_state: bool,
    /// Whether the user was verified when it was made.
    pub uv_initialized: bool,
    /// Whether it was registered as a security key whose PIN is always asked for, whatever else is.
    pub pin: bool,
    /// Attestation statement format identifier, at most 32 characters.
    pub attestation_format: String,
    /// Attestation type: `none`, `self`, `basic`, `attca`, `anonca` or `uncertain`.
    pub attestation_type: String,
    /// Whether a path to a trust anchor was found.
    pub attestation_trusted: bool,
    /// Whether that attestation says that the key is kept by hardware.
    pub attestation_hardware: bool,
    /// What its owner calls it, 1 to 64 characters.
    pub device_name: String,
    /// The User-Agent that registered it, at most 256 characters.
    pub user_agent: Option<String>,
    /// When it was registered.
    pub created_at: UnixTime,
    /// When it last signed in.
    pub last_used_at: Option<UnixTime>,
    /// Whether it may sign in; false: revoked or suspended.
    pub active: bool,
    /// Why not, where Keyhaven itself took it out of use; `None` where it is active.
    pub inactive_reason: Option<InactiveReason>,
    /// What else its registration said of it.
    pub traits: CredentialTraits,
}

/// What a registration says of a credential beside its record: what was asked for and answered. Never changes.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(default)]
pub struct CredentialTraits {
    /// `credProps.rk`: the client says whether it is discoverable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discoverable: Option<bool>,
    /// `credProtect`, signed: 1 to 3 (CTAP 2.2 §12.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cred_protect: Option<u8>,
    /// `minPinLength`, signed: the shortest PIN the authenticator takes, in Unicode code points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_pin_length: Option<u32>,
    /// `largeBlob`: the client says whether data can be kept with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_blob: Option<bool>,
    /// `prf`: whether secrets can be derived from it; signed as `hmac-secret`, or else said by the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prf: Option<bool>,
    /// The device's serial number out of an enterprise attestation, in lower-case hexadecimal; at most 512 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
}

/// Why a credential was taken out of use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InactiveReason {
    /// Its sign count went back, as that of a copy does: for good.
    CloneRevoked,
    /// Its sign count went back: until its owner has looked.
    CloneSuspended,
}

impl InactiveReason {
    /// As it is stored and answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloneRevoked => "clone_revoked",
            Self::CloneSuspended => "clone_suspended",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::CloneRevoked, Self::CloneSuspended]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }
}

/// What a ceremony's options say of a credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialHandle {
    /// The credential.
    pub id: CredentialId,
    /// How it can be reached.
    pub transports: Vec<AuthenticatorTransport>,
}

/// One signed-in browser or app.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// The session.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// Hash of the part that all tokens of the session share, from its first to its last; unique.
    pub token_family: TokenHash,
    /// Hash of the token the client holds.
    pub token_hash: TokenHash,
    /// Hash of the token before the last rotation, and when that was.
    pub previous_token: Option<(TokenHash, UnixTime)>,
    /// Hashes of tokens that were replaced before that, newest first, and when: each by one that was itself replaced within
    /// [`Self::REPLACED_TOKEN_COUNTS`], at most [`Self::MOST_EARLIER_TOKENS`]. A new session has none.
    pub earlier_tokens: Vec<(TokenHash, UnixTime)>,
    /// When it was made.
    pub created_at: UnixTime,
    /// When a request last used it (not more precise than a minute).
    pub last_seen_at: UnixTime,
    /// From this moment on it is over, whatever happens.
    pub expires_at: UnixTime,
    /// When the user last proved who they are.
    pub authenticated_at: UnixTime,
    /// Authenticator assurance level reached, 1 to 3 (NIST SP 800-63B).
    pub aal: u8,
    /// How the user proved it (RFC 8176 and our own), in order.
    pub amr: Vec<String>,
    /// The passkey that opened it, as long as that is there.
    pub credential: Option<CredentialId>,
    /// The User-Agent that opened it, at most 256 characters.
    pub user_agent: Option<String>,
    /// The address that opened it.
    pub ip: Option<String>,
}

impl Session {
    /// A replaced token still counts for this long, so that requests under way are not refused.
    pub const REPLACED_TOKEN_COUNTS: Duration = Duration::from_secs(10);

    /// How many of [`Self::earlier_tokens`] are kept. More are not replaced within the time that they count.
    pub const MOST_EARLIER_TOKENS: usize = 32;

    /// When this token was replaced, where that is known: of those that still count it is.
    #[must_use]
    pub fn replaced_at(&self, token: &TokenHash) -> Option<UnixTime> {
        self.previous_token
            .iter()
            .chain(&self.earlier_tokens)
            .find(|(hash, _)| hash == token)
            .map(|(_, at)| *at)
    }

    /// Gives it this token in place of the one that it has; what stores do in a query of their own.
    pub fn replace_token(&mut self, to: TokenHash, now: UnixTime) {
        let oldest = now.saturating_sub(Self::REPLACED_TOKEN_COUNTS);
        match self.previous_token.filter(|(_, at)| *at >= oldest) {
            Some(previous) => {
                self.earlier_tokens.insert(0, previous);
                self.earlier_tokens.truncate(Self::MOST_EARLIER_TOKENS);
            }
            // Those before it were replaced longer ago.
            None => self.earlier_tokens.clear(),
        }
        self.previous_token = Some((self.token_hash, now));
        self.token_hash = to;
    }
}

/// A fresh proof of presence for one purpose, bound to one session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepUpGrant {
    /// The session it belongs to; gone when that ends.
    pub session: SessionId,
    /// What it is for, for example `delete_passkey`. One grant per session and purpose; a new one replaces the old.
    pub purpose: String,
    /// From this moment on it is gone.
    pub expires_at: UnixTime,
}

/// Whether what an event records happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuditOutcome {
    /// It was refused; the event's code says why.
    Refused,
    /// It happened.
    Success,
}

/// One security event. Appended once, never updated; carries no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEvent {
    /// The event.
    pub id: EventId,
    /// When it happened.
    pub at: UnixTime,
    /// What happened, for example `login.finish`.
    pub action: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The precise code of a refusal, whatever the client was told.
    pub code: Option<String>,
    /// The verification step that refused, for example `L3 7.2.21`.
    pub step: Option<String>,
    /// The account concerned, where known.
    pub account: Option<AccountId>,
    /// The credential concerned, where known.
    pub credential: Option<CredentialId>,
    /// The session concerned, where known.
    pub session: Option<SessionId>,
    /// The client's address.
    pub ip: Option<String>,
    /// The client's User-Agent, at most 256 characters.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The same three, encrypted by the service, in place of them: 1 to 4096 bytes. They are gone with the account.
    pub personal: Option<Vec<u8>>,
    /// Who did it to the account, where that was not its own owner.
    pub actor: Option<Actor>,
    /// Keyed MAC over all of the above: HMAC-SHA-256, 32 bytes. Made and checked by the service.
    pub mac: [u8; 32],
}

/// Who did something to somebody else's account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Actor {
    /// An administrator.
    Account(AccountId),
    /// Whoever could run commands where the server runs.
    CommandLine,
}

impl Actor {
    const COMMAND_LINE: &str = "command_line";
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => id.fmt(f),
            Self::CommandLine => f.write_str(Self::COMMAND_LINE),
        }
    }
}

impl FromStr for Actor {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::COMMAND_LINE {
            return Ok(Self::CommandLine);
        }
        text.parse().map(Self::Account)
    }
}

/// A key that signs access tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SigningKey {
    /// Key id, the `kid` of tokens.
    pub id: String,
    /// JOSE algorithm, for example `EdDSA`.
    pub algorithm: String,
    /// The public key as a JWK.
    pub public_jwk: String,
    /// The private key, encrypted by the service.
    pub sealed_private_key: Vec<u8>,
    /// When it was made; the newest signs.
    pub created_at: UnixTime,
    /// From this moment on it is no longer published.
    pub expires_at: UnixTime,
}
