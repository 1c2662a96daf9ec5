//! What ceremonies ask for and accept, as it is written.

use std::path::PathBuf;

use keyhaven_types::options::{AttestationConveyance, LargeBlobSupport, UserVerification};
use serde::Deserialize;

use super::{list, numbers};

/// How attestations are judged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Attestation {
    pub(crate) allow_safetynet: bool,
    pub(crate) allow_sha1: bool,
    #[serde(deserialize_with = "list")]
    pub(crate) allowed_aaguids: Vec<String>,
    pub(crate) anchors_file: Option<PathBuf>,
    pub(crate) anchors_hardware: bool,
    pub(crate) android_key: AndroidKey,
    pub(crate) compound: Compound,
    pub(crate) crl_file: Option<PathBuf>,
    pub(crate) mds_file: Option<PathBuf>,
    pub(crate) mds_root_file: Option<PathBuf>,
    pub(crate) mds_signer: String,
    pub(crate) mds_url: Option<String>,
    pub(crate) profile: Profile,
    pub(crate) status_policy: Option<StatusPolicy>,
    pub(crate) trust: Trust,
}

impl Default for Attestation {
    fn default() -> Self {
        Self {
            allow_safetynet: false,
            allow_sha1: false,
            allowed_aaguids: Vec::new(),
            anchors_file: None,
            anchors_hardware: false,
            android_key: AndroidKey::Union,
            compound: Compound::All,
            crl_file: None,
            mds_file: None,
            mds_root_file: None,
            mds_signer: "mds.fidoalliance.org".into(),
            mds_url: None,
            profile: Profile::W3c,
            status_policy: None,
            trust: Trust::Ignore,
        }
    }
}

/// Which models metadata vouch for. What is not written is as in `keyhaven_mds::StatusPolicy::default()`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StatusPolicy {
    #[serde(deserialize_with = "list")]
    pub(crate) key_protection: Vec<String>,
    pub(crate) max_overdue_days: Option<u32>,
    pub(crate) minimum_certification: Option<String>,
    #[serde(deserialize_with = "list")]
    pub(crate) refused: Vec<String>,
    pub(crate) unknown_status: UnknownStatus,
}

/// What a status of a later specification means.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UnknownStatus {
    #[default]
    Ignore,
    Refuse,
}

/// How many statements of a `compound` one must verify.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compound {
    All,
    Any,
}

/// Which authorization lists of an Android key description count.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AndroidKey {
    Tee,
    Union,
}

/// Whose rules attestation statements must meet.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Profile {
    Fido,
    W3c,
}

/// Whether attestations must lead to a trust anchor.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Trust {
    Ignore,
    Required,
}

/// Whether a second implementation judges what was accepted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Crosscheck {
    Enforce,
    Off,
    Report,
}

/// What ceremonies ask for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ceremonies {
    pub(crate) challenge_bytes: usize,
    pub(crate) clones: Clones,
    pub(crate) user_verification: UserVerification,
    #[serde(deserialize_with = "numbers")]
    pub(crate) algorithms: Option<Vec<i64>>,
    pub(crate) attestation: AttestationConveyance,
    #[serde(deserialize_with = "list")]
    pub(crate) attestation_formats: Vec<String>,
    pub(crate) backup: Backup,
    pub(crate) backup_eligibility_change: BackupEligibilityChange,
    pub(crate) canonical_cbor: CanonicalCbor,
    pub(crate) cross_origin: CrossOrigin,
    pub(crate) extensions: Extensions,
    pub(crate) known_credentials: usize,
    pub(crate) max_pending: usize,
    #[serde(deserialize_with = "list")]
    pub(crate) top_origins: Vec<String>,
    pub(crate) unsolicited_extensions: UnsolicitedExtensions,
}

impl Default for Ceremonies {
    fn default() -> Self {
        Self {
            challenge_bytes: 32,
            clones: Clones::Refuse,
            user_verification: UserVerification::Required,
            algorithms: None,
            attestation: AttestationConveyance::None,
            attestation_formats: Vec::new(),
            backup: Backup::Any,
            backup_eligibility_change: BackupEligibilityChange::Refuse,
            canonical_cbor: CanonicalCbor::AnyKeyOrder,
            cross_origin: CrossOrigin::Refuse,
            extensions: Extensions::default(),
            known_credentials: 10_000,
            max_pending: 100_000,
            top_origins: Vec::new(),
            unsolicited_extensions: UnsolicitedExtensions::Ignore,
        }
    }
}

/// What to do with a passkey whose sign count goes back.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Clones {
    Refuse,
    Report,
    Revoke,
    Suspend,
}

/// Whether BE may turn from clear to set after registration.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BackupEligibilityChange {
    AllowUpgrade,
    Refuse,
}

/// Which passkeys are acceptable as to backup.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Backup {
    Any,
    BackedUp,
    DeviceBound,
    Eligible,
}

/// Whether CBOR maps must have CTAP2's order of keys.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CanonicalCbor {
    AnyKeyOrder,
    Strict,
}

/// Whether ceremonies may run in pages embedded in pages of other origins.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CrossOrigin {
    Allow,
    Refuse,
}

/// Extensions that ceremonies ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Extensions {
    pub(crate) appid: Option<String>,
    pub(crate) cred_protect: Option<CredProtect>,
    pub(crate) enforce_cred_protect: bool,
    pub(crate) large_blob: Option<LargeBlobSupport>,
    pub(crate) min_pin_length: Option<u32>,
    pub(crate) prf: bool,
}

/// Whether an authenticator verifies the user before it lets a passkey be used.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CredProtect {
    Optional,
    OptionalWithCredentialId,
    Required,
}

/// What to do with outputs of extensions that were not asked for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UnsolicitedExtensions {
    Ignore,
    Refuse,
}
