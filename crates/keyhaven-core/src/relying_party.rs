use keyhaven_types::{
    Challenge, CoseAlgorithm, CredentialId, Mediation, Origin, RpId, SignCount, UserHandle, UserVerification,
};

use crate::attestation::AttestationPolicy;
use crate::cbor::CanonicalCbor;
use crate::extensions::ExtensionPolicy;
use crate::public_key::SUPPORTED_ALGORITHMS;
use crate::trust::AttestationTrust;

/// Who verifies: the RP ID and the pages that may ask for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelyingParty {
    /// The RP ID, whose SHA-256 stands in authenticator data.
    pub id: RpId,
    /// The origins ceremonies may run on, compared as text, whole and exactly.
    pub origins: Vec<Origin>,
    /// Whether ceremonies may run in pages embedded in pages of other origins.
    pub cross_origin: CrossOrigin,
}

/// What to do with a ceremony that ran in an embedded page.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum CrossOrigin {
    /// Accept it; where the browser names the embedding page, only one of these.
    Allow {
        /// Acceptable embedding pages, compared as text, whole and exactly.
        top_origins: Vec<Origin>,
    },
    /// Refuse it.
    #[default]
    Refuse,
}

/// What a registration response is compared with: what the server remembers of the ceremony, never the client's word.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedRegistration<'a> {
    /// Who verifies.
    pub relying_party: &'a RelyingParty,
    /// The challenge that was issued.
    pub challenge: &'a Challenge,
    /// The one origin this ceremony was started from; `None` for any of [`RelyingParty::origins`]. Binding it keeps a
    /// response made on one allowed origin from being used on another (w3c/webauthn#2466).
    pub origin: Option<&'a Origin>,
    /// The mediation that was asked for: user presence may be absent only under [`Mediation::Conditional`].
    pub mediation: Mediation,
}

/// What an assertion is compared with: what the server remembers of the ceremony, never the client's word.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedAssertion<'a> {
    /// Who verifies.
    pub relying_party: &'a RelyingParty,
    /// The challenge that was issued.
    pub challenge: &'a Challenge,
    /// The one origin this ceremony was started from; `None` for any of [`RelyingParty::origins`].
    pub origin: Option<&'a Origin>,
    /// The credentials that were asked for; empty when none was named.
    pub allow_credentials: &'a [CredentialId],
    /// Whether the user was known before the ceremony.
    pub user: ExpectedUser,
    /// The AppID, when the `appid` extension was asked for: only then does the client's `appid` output count.
    pub appid: Option<&'a str>,
}

/// Whether the user was known before an assertion was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExpectedUser {
    /// No: the response itself must name the account, so `userHandle` is required. Hand over the record's own
    /// ([`CredentialRecord::user_handle`](crate::CredentialRecord)) to have it compared.
    Discoverable,
    /// Yes: the credential was looked up among that account's, and `userHandle` may be absent.
    Identified,
}

/// What is stored of a credential and compared with an assertion.
#[derive(Clone, Copy, Debug)]
pub struct CredentialRecord<'a> {
    /// The credential's id.
    pub id: &'a CredentialId,
    /// Its public key.
    pub public_key: &'a CosePublicKey<'a>,
    /// The last sign count.
    pub sign_count: SignCount,
    /// The user handle of the account that owns it; `None` leaves a handle in the response uncompared.
    pub user_handle: Option<&'a UserHandle>,
    /// BE at registration; `None` skips step 7.2.19.
    pub backup_eligible: Option<bool>,
}

/// A credential public key as it is stored: the COSE_Key bytes of the registration, judged when they are used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CosePublicKey<'a>(&'a [u8]);

impl<'a> CosePublicKey<'a> {
    /// Takes the stored bytes. Anything that is no usable key refuses the assertion at step 7.2.21.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The stored bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// How strictly a registration is judged. The default is the strictest that ordinary passkeys can meet.
#[derive(Clone, Debug)]
pub struct RegistrationPolicy<'a> {
    /// The user verification that was asked for. Only [`UserVerification::Required`] refuses.
    pub user_verification: UserVerification,
    /// The algorithms that were offered. Default: all of [`SUPPORTED_ALGORITHMS`].
    pub algorithms: Vec<CoseAlgorithm>,
    /// How attestation statements are judged.
    pub attestation: AttestationPolicy,
    /// Whether the attestation must lead to a trust anchor.
    pub attestation_trust: AttestationTrust<'a>,
    /// Which kinds of credential are acceptable as to backup.
    pub backup: BackupPolicy,
    /// Which extension outputs are acceptable.
    pub extensions: ExtensionPolicy,
    /// How strictly CBOR is read.
    pub canonical_cbor: CanonicalCbor,
}

impl Default for RegistrationPolicy<'_> {
    fn default() -> Self {
        Self {
            user_verification: UserVerification::Required,
            algorithms: SUPPORTED_ALGORITHMS.to_vec(),
            attestation: AttestationPolicy::default(),
            attestation_trust: AttestationTrust::Ignore,
            backup: BackupPolicy::default(),
            extensions: ExtensionPolicy::default(),
            canonical_cbor: CanonicalCbor::default(),
        }
    }
}

/// How strictly an assertion is judged. By default user verification is demanded, and a sign count that does not rise and
/// backup eligibility that changes are refused; extension outputs nobody asked for and map keys in any order are let pass.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AssertionPolicy {
    /// The user verification that was asked for. Only [`UserVerification::Required`] refuses.
    pub user_verification: UserVerification,
    /// What a changed BE flag means.
    pub backup_eligibility_change: BackupEligibilityChange,
    /// What a sign count that did not rise means.
    pub sign_count_regression: SignCountRegression,
    /// Which kinds of credential are acceptable as to backup.
    pub backup: BackupPolicy,
    /// Which extension outputs are acceptable.
    pub extensions: ExtensionPolicy,
    /// How strictly CBOR is read.
    pub canonical_cbor: CanonicalCbor,
}

/// What to do when BE is not what it was at registration. The specification says it never changes (§6.1.3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BackupEligibilityChange {
    /// Accept a credential that has become eligible, because some password managers move device-bound keys into their
    /// sync; the other direction is refused still.
    AllowUpgrade,
    /// Refuse.
    #[default]
    Refuse,
}

/// Which kinds of credential are acceptable as to backup (§7.1 steps 18 and 19, §7.2 step 19.3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BackupPolicy {
    /// All.
    #[default]
    Any,
    /// Those that are backed up now (BS set): losing one device does not lock the user out.
    BackedUp,
    /// Those that can be backed up (BE set).
    Eligible,
    /// Those that never leave their device (BE clear).
    DeviceBound,
}

impl BackupPolicy {
    /// Whether BE is acceptable.
    pub(crate) const fn allows_eligibility(self, eligible: bool) -> bool {
        match self {
            Self::Any => true,
            Self::BackedUp | Self::Eligible => eligible,
            Self::DeviceBound => !eligible,
        }
    }

    /// Whether BS is acceptable.
    pub(crate) const fn allows_state(self, backed_up: bool) -> bool {
        match self {
            Self::Any | Self::Eligible | Self::DeviceBound => true,
            Self::BackedUp => backed_up,
        }
    }
}

/// What to do when the sign count did not rise, a sign of a cloned credential.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SignCountRegression {
    /// Refuse.
    #[default]
    Refuse,
    /// Accept, and say so in [`VerifiedAssertion::sign_count`](crate::VerifiedAssertion::sign_count).
    Report,
}
