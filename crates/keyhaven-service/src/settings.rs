//! What an operator decides. Values are checked where they are read; here they are facts.

use std::time::Duration;

use keyhaven_core::cbor::CanonicalCbor;
use keyhaven_core::{AttestationFormat, AttestationPolicy, RelyingParty};
use keyhaven_types::options::{AttestationConveyance, UserVerification};
use keyhaven_types::{Aaguid, CoseAlgorithm};

use crate::administration::AdministrationSettings;
use crate::clones::ClonePolicy;
use crate::extensions::ExtensionSettings;
use crate::mails::{MailSettings, SECURITY};
use crate::recovery::RecoverySettings;

/// The decisions that ceremonies, sessions and answers follow.
#[derive(Clone, Debug)]
pub struct Settings {
    /// RP ID, allowed origins, cross-origin rule.
    pub relying_party: RelyingParty,
    /// The name a person reads in prompts.
    pub rp_name: String,
    /// Where the server is reached from outside: the issuer of tokens, without a final slash.
    pub public_url: String,
    /// How long a started ceremony can be finished. 60 to 600 seconds outside tests.
    pub ceremony_ttl: Duration,
    /// Random bytes in a challenge, 16 to 128.
    pub challenge_len: usize,
    /// Whether users must be verified by PIN or biometric.
    pub user_verification: UserVerification,
    /// The algorithms offered for new passkeys, best first.
    pub algorithms: Vec<CoseAlgorithm>,
    /// Which attestation is asked for.
    pub attestation: AttestationConveyance,
    /// How attestation statements are judged, whether enterprise attestation was asked for aside: `attestation` says so.
    pub attestation_policy: AttestationPolicy,
    /// The models that new passkeys must be of, as a trusted attestation proves; none: any.
    pub allowed_models: Vec<Aaguid>,
    /// Attestation statement formats that are preferred, best first. A hint: others are verified too.
    pub attestation_formats: Vec<AttestationFormat>,
    /// Which passkeys are acceptable as to backup, at registration and at every use.
    pub backup: keyhaven_core::BackupPolicy,
    /// Whether BE may turn from clear to set after registration.
    pub backup_eligibility_change: keyhaven_core::BackupEligibilityChange,
    /// How strictly the CBOR of registrations must have CTAP2's form. Sign-ins never ask for it: what was registered
    /// before must not be locked out.
    pub canonical_cbor: CanonicalCbor,
    /// Extensions that are asked for.
    pub extensions: ExtensionSettings,
    /// What to do with outputs of extensions that were not asked for.
    pub unsolicited_extensions: keyhaven_core::UnsolicitedExtensions,
    /// What to do with a passkey whose sign count goes back.
    pub clones: ClonePolicy,
    /// How many credentials that have signed in are kept in memory, so that their next login reads nothing first: about
    /// 1 KB each. 0: none.
    pub known_credentials: usize,
    /// Whether anonymous callers may learn that an account exists.
    pub disclose_existence: bool,
    /// What accounts are called by. [`Identifier::Email`] only where mails are sent.
    pub identifier: Identifier,
    /// How long what is not needed any more is kept.
    pub retention: RetentionSettings,
    /// The page that links lead to, with its path. Never from a request: whoever can choose a Host header could have
    /// links point to himself.
    pub page: String,
    /// What administrators can do.
    pub administration: AdministrationSettings,
    /// How mails look; `None`: none are sent.
    pub mail: Option<MailSettings>,
    /// How accounts are recovered, where mails are sent.
    pub recovery: RecoverySettings,
    /// Limits of sessions.
    pub sessions: SessionSettings,
    /// Signed access tokens, where wanted.
    pub access_tokens: Option<AccessTokenSettings>,
    /// What passwords are good for.
    pub passwords: PasswordSettings,
    /// Whether a sign-in with a passkey asks for the client key too.
    pub client_key: Demand,
    /// Bounds on attempts; `None`: no bound.
    pub rate_limits: Option<RateLimitSettings>,
}

/// What accounts are called by.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Identifier {
    /// Their e-mail addresses, each proven before there is an account.
    Email,
    /// Public handles, which their owners choose.
    #[default]
    Username,
}

/// How long what is not needed any more is kept. The default: as long as what it belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub struct RetentionSettings {
    /// Address and user agent of a session, from its beginning.
    pub session_clients: Option<Duration>,
    /// Accounts that have proven no address, from their last use.
    pub unused_accounts: Option<Duration>,
}

/// How long sessions live, by the level they were opened with.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// Of sessions at AAL1.
    pub aal1: SessionLimits,
    /// Of sessions at AAL2.
    pub aal2: SessionLimits,
    /// Of sessions at AAL3.
    pub aal3: SessionLimits,
    /// How long a sign-in counts as fresh for adding and deleting passkeys.
    pub fresh: Duration,
}

/// How long a session lives until its user must sign in again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionLimits {
    /// From sign-in to the end, whatever happens.
    pub absolute: Duration,
    /// Without a request.
    pub idle: Duration,
}

impl Settings {
    /// Where people look after what guards their accounts: a place on the page.
    #[must_use]
    pub fn security_page(&self) -> String {
        self.place(SECURITY)
    }

    /// A place on the page. What follows `#` never leaves the browser: no server log and no Referer has it.
    pub(crate) fn place(&self, place: &str) -> String {
        format!("{}#{place}", self.page)
    }
}

impl SessionLimits {
    /// The longest at a level: 30 days at AAL1; 24 h, and 1 h without use, at AAL2; 12 h, and 15 min without use, at AAL3.
    /// A level that does not exist is held to the strictest.
    ///
    /// Source: NIST SP 800-63B-4 §2.1.3, §2.2.3, §2.3.3.
    #[must_use]
    pub const fn longest(aal: u8) -> Self {
        let (absolute, idle) = match aal {
            1 => (30 * 24 * 60 * 60, 30 * 24 * 60 * 60),
            2 => (24 * 60 * 60, 60 * 60),
            _ => (12 * 60 * 60, 15 * 60),
        };
        Self {
            absolute: Duration::from_secs(absolute),
            idle: Duration::from_secs(idle),
        }
    }
}

impl SessionSettings {
    /// The limits at a level: what was decided, and never longer than [`SessionLimits::longest`].
    #[must_use]
    pub fn of(&self, aal: u8) -> SessionLimits {
        let decided = match aal {
            1 => self.aal1,
            2 => self.aal2,
            _ => self.aal3,
        };
        let longest = SessionLimits::longest(aal);
        SessionLimits {
            absolute: decided.absolute.min(longest.absolute),
            idle: decided.idle.min(longest.idle),
        }
    }
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            aal1: SessionLimits::longest(1),
            aal2: SessionLimits::longest(2),
            aal3: SessionLimits::longest(3),
            fresh: Duration::from_secs(5 * 60),
        }
    }
}

/// What passwords are good for. The default: nothing.
#[derive(Clone, Copy, Debug)]
pub struct PasswordSettings {
    /// Whether a password alone makes an account and signs in, at AAL1.
    pub fallback: bool,
    /// Whether a sign-in with a passkey asks for the password too.
    pub with_passkey: Demand,
    /// So many hashes are computed at once, each in 19 MiB.
    pub hashes_at_once: u32,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self {
            fallback: false,
            with_passkey: Demand::Off,
            hashes_at_once: 4,
        }
    }
}

impl PasswordSettings {
    /// Whether accounts can have a password at all.
    #[must_use]
    pub fn any(&self) -> bool {
        self.fallback || self.with_passkey != Demand::Off
    }
}

/// Whether a sign-in asks for one more factor.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Demand {
    /// Where the account's owner wants it.
    ByAccount,
    /// Never.
    #[default]
    Off,
    /// Always; who does not have it does not get in.
    Required,
}

/// How access tokens live.
#[derive(Clone, Copy, Debug)]
pub struct AccessTokenSettings {
    /// From issue to end.
    pub lifetime: Duration,
    /// How long a key signs before the next one takes over.
    pub rotation: Duration,
}

impl Default for AccessTokenSettings {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(5 * 60),
            rotation: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// Attempts per minute. A bucket holds a minute's worth and refills evenly.
#[derive(Clone, Copy, Debug)]
pub struct RateLimitSettings {
    /// Requests of one kind from one address (IPv6: one /64). Starts are also counted for the networks around it, all
    /// kinds together: 4 times as many for an IPv6 /56, 8 times for a /48 or an IPv4 /24, 16 times for a /32 or an IPv4
    /// /16.
    pub per_address: u32,
    /// Attempts at one account from one address.
    pub per_address_and_account: u32,
    /// Answers from which one address can learn that a username is taken.
    pub username_taken: u32,
    /// Passwords tried from one address, and, together, from the networks around it as starts are (see `per_address`).
    pub passwords_per_address: u32,
    /// Passwords tried for one account from one address; from the networks around it together 2, 4 and 8 times as many.
    pub passwords_per_address_and_account: u32,
    /// Changes that one account makes: renaming, refreshing, removing, ending sessions.
    pub changes_per_account: u32,
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self {
            per_address: 120,
            per_address_and_account: 5,
            username_taken: 10,
            passwords_per_address: 30,
            passwords_per_address_and_account: 5,
            changes_per_account: 60,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use keyhaven_core::{CrossOrigin, RelyingParty};
    use keyhaven_types::{Origin, RpId};

    use super::*;

    /// The strict ones, for `https://example.org`, without limits.
    pub(crate) fn settings() -> Settings {
        Settings {
            relying_party: RelyingParty {
                id: RpId::new("example.org").unwrap(),
                origins: vec![Origin::new("https://example.org").unwrap()],
                cross_origin: CrossOrigin::Refuse,
            },
            rp_name: "Example".into(),
            public_url: "https://example.org".into(),
            ceremony_ttl: Duration::from_secs(300),
            challenge_len: 32,
            user_verification: UserVerification::Required,
            algorithms: keyhaven_core::SUPPORTED_ALGORITHMS.to_vec(),
            attestation: AttestationConveyance::None,
            attestation_policy: AttestationPolicy::default(),
            allowed_models: Vec::new(),
            attestation_formats: Vec::new(),
            backup: keyhaven_core::BackupPolicy::Any,
            backup_eligibility_change: keyhaven_core::BackupEligibilityChange::Refuse,
            canonical_cbor: CanonicalCbor::default(),
            extensions: ExtensionSettings::default(),
            clones: ClonePolicy::default(),
            unsolicited_extensions: keyhaven_core::UnsolicitedExtensions::Ignore,
            known_credentials: 0,
            disclose_existence: false,
            identifier: Identifier::default(),
            retention: RetentionSettings::default(),
            page: "https://example.org/".into(),
            administration: AdministrationSettings::default(),
            mail: None,
            recovery: RecoverySettings::default(),
            passwords: PasswordSettings::default(),
            client_key: Demand::default(),
            sessions: SessionSettings::default(),
            access_tokens: None,
            rate_limits: None,
        }
    }

    #[test]
    fn policy_can_only_tighten_the_limits_of_a_level() {
        let seconds = |absolute, idle| SessionLimits {
            absolute: Duration::from_secs(absolute),
            idle: Duration::from_secs(idle),
        };
        let wide = seconds(u64::MAX, u64::MAX);
        let settings = SessionSettings {
            aal1: wide,
            aal2: wide,
            aal3: seconds(600, 60),
            ..SessionSettings::default()
        };
        assert_eq!(settings.of(1), seconds(2_592_000, 2_592_000));
        assert_eq!(settings.of(2), seconds(86_400, 3_600));
        assert_eq!(settings.of(3), seconds(600, 60));
        let wide = SessionSettings {
            aal3: wide,
            ..settings
        };
        assert_eq!(wide.of(3), seconds(43_200, 900));
        assert_eq!(wide.of(0), wide.of(3));
        assert_eq!(wide.of(9), wide.of(3));
    }
}
