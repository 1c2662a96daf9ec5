use super::AttestationFormat;
use crate::crypto::Sha1;

/// How attestation statements are judged (§7.1 steps 21 and 22); trust in certificates is another policy. The default is the
/// strictest that authenticators in use meet, but for TPMs under Windows Hello, which sign with RS1 (see `sha1`), and but
/// for keys that Android keeps in software (see `android_key`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AttestationPolicy {
    /// Whose rules: those of WebAuthn alone, or FIDO's as well.
    pub profile: Profile,
    /// Which authorization lists of an `android-key` statement count.
    pub android_key: AndroidKeyPolicy,
    /// How many statements of a `compound` one must verify.
    pub compound: CompoundPolicy,
    /// Whether enterprise attestation was asked for.
    pub enterprise: EnterpriseAttestation,
    /// Whether `android-safetynet` is a supported format.
    pub safetynet: SafetyNetPolicy,
    /// Whether statements may rest on SHA-1: signatures under RS1, and names in `tpm`.
    pub sha1: Sha1,
}

/// Whose rules a statement must meet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Profile {
    /// FIDO's conformance rules beside the specification's: the vendor of a `tpm` statement is in the TCG's registry, and
    /// the AAGUID beside a `fido-u2f` statement is zero.
    Fido,
    /// The procedures of WebAuthn L3 §8, nothing else.
    #[default]
    W3c,
}

/// Which authorization lists of an Android key description count (§8.4).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AndroidKeyPolicy {
    /// The trusted execution environment's alone, vouched for by it or by StrongBox: `origin` and `purpose` must be there.
    Tee,
    /// Both: keys made and used by software are accepted. What neither list says of `origin` and `purpose` is not compared.
    #[default]
    Union,
}

/// How many statements of a `compound` one must verify (§8.9).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CompoundPolicy {
    /// All.
    #[default]
    All,
    /// One at least. Those that do not verify, or are of an unsupported format, are left out of the result.
    Any,
}

/// Whether enterprise attestation was asked for, so that a statement may identify the single device (§8.2.2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EnterpriseAttestation {
    /// No: a serial number in the certificate is refused.
    #[default]
    NotRequested,
    /// Yes.
    Requested,
}

/// Whether `android-safetynet` (§8.5) is a supported format.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SafetyNetPolicy {
    /// Yes, for records of devices whose Android is too old for `android-key`.
    Allow,
    /// No: the format is deprecated, and Google has shut the service down.
    #[default]
    Refuse,
}

impl AttestationPolicy {
    /// Whether `format` is one this policy supports.
    pub(crate) fn supports(&self, format: AttestationFormat) -> bool {
        format != AttestationFormat::AndroidSafetyNet || self.safetynet == SafetyNetPolicy::Allow
    }
}
