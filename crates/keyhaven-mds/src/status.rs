//! What has happened to a model, and what a relying party makes of it.

use std::fmt;
use std::time::Duration;

use keyhaven_core::UnixTime;
use serde::Deserialize;

use crate::{Date, Issue};

/// `AuthenticatorStatus` (MDS §3.1.4).
#[derive(Clone, Debug, Eq, PartialEq, Deserialize)]
#[serde(from = "String")]
pub enum Status {
    /// The key that attests is known to others: anybody can pass for the model.
    AttestationKeyCompromise,
    /// Certified, without a level: functional certification.
    FidoCertified,
    /// Certified at this level.
    FidoCertifiedAt(CertificationLevel),
    /// Certified by FIPS 140 at this overall level, which is no certification of FIDO's (MDS v3.1).
    Fips140CertifiedAt(Fips140Level),
    /// Not certified.
    NotFidoCertified,
    /// Its entry is kept up no longer, for example a prototype's: no judgement on the model (MDS v3.1).
    Retired,
    /// No longer to be trusted.
    Revoked,
    /// The maker has filled in FIDO's questionnaire, nobody has checked.
    SelfAssertionSubmitted,
    /// There is a newer version; the report says whether it repairs something.
    UpdateAvailable,
    /// User keys can be taken by somebody who has the device.
    UserKeyPhysicalCompromise,
    /// User keys can be taken from afar.
    UserKeyRemoteCompromise,
    /// User verification can be passed by.
    UserVerificationBypass,
    /// A value of a later specification.
    Other(Box<str>),
}

/// How thoroughly FIDO has certified a model, least first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum CertificationLevel {
    /// Not at all.
    None,
    /// That it follows the protocol.
    Functional,
    /// Level 1.
    L1,
    /// Level 1+.
    L1Plus,
    /// Level 2.
    L2,
    /// Level 2+.
    L2Plus,
    /// Level 3.
    L3,
    /// Level 3+.
    L3Plus,
}

/// An overall security level of FIPS 140.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fips140Level {
    /// Level 1.
    L1,
    /// Level 2.
    L2,
    /// Level 3.
    L3,
    /// Level 4.
    L4,
}

/// `StatusReport` (MDS §3.1.3): one of possibly many on a model, each of which counts.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// What is reported.
    pub status: Status,
    /// Since when; absent means always.
    #[serde(default)]
    pub effective_date: Option<Date>,
    /// The lowest version of the authenticator that it is about.
    #[serde(default, deserialize_with = "crate::entry::if_readable")]
    pub authenticator_version: Option<u64>,
    /// Where more is to be read.
    #[serde(default, deserialize_with = "crate::entry::if_readable")]
    pub url: Option<Box<str>>,
    /// The certificate's number, where one was issued.
    #[serde(default, deserialize_with = "crate::entry::if_readable")]
    pub certificate_number: Option<Box<str>>,
}

/// Which models a relying party accepts. The default refuses those that are revoked or broken, whenever that became
/// effective and whatever was reported since.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusPolicy {
    /// A model with any of these in any effective report is refused. Default: [`Status::Revoked`] and the four that mean a
    /// break ([`Status::AttestationKeyCompromise`], [`Status::UserKeyPhysicalCompromise`],
    /// [`Status::UserKeyRemoteCompromise`], [`Status::UserVerificationBypass`]).
    pub refused: Vec<Status>,
    /// What a status of a later specification means.
    pub unknown_status: UnknownStatus,
    /// The least certification that is enough. Default: none is needed, as many good models have none.
    pub minimum_certification: CertificationLevel,
    /// Of these key protections the model must have one: `hardware`, `tee`, `secure_element`, … as the metadata statement
    /// spells them. Default: no demand.
    pub key_protection_any_of: Vec<String>,
    /// For how many days after its `nextUpdate` a BLOB still counts; `None` for ever. Default: 30, after which nobody can
    /// tell whether a model was revoked meanwhile.
    pub max_overdue_days: Option<u32>,
}

/// What to do with a status this build does not know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum UnknownStatus {
    /// Go by the others, as the specification says (MDS 3.1 §3.1.4): certifications are added now and then.
    #[default]
    Ignore,
    /// Refuse: it may be worse than those that are known.
    Refuse,
}

/// Why a policy refuses a model.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Its certification is not enough.
    #[error("certification {level}, less than {minimum}")]
    Certification {
        /// What it has.
        level: CertificationLevel,
        /// What is needed.
        minimum: CertificationLevel,
    },
    /// None of the key protections that are asked for.
    #[error("none of the key protections that the policy asks for")]
    KeyProtection,
    /// The metadata are out of date.
    #[error("the metadata were to be updated on {next_update}")]
    Overdue {
        /// When.
        next_update: Date,
    },
    /// A status that the policy refuses.
    #[error("status {status}{}", since(.effective_date))]
    Status {
        /// Which.
        status: Status,
        /// Since when.
        effective_date: Option<Date>,
    },
}

fn since(date: &Option<Date>) -> String {
    date.map(|date| format!(" since {date}")).unwrap_or_default()
}

impl Status {
    /// As the specification spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AttestationKeyCompromise => "ATTESTATION_KEY_COMPROMISE",
            Self::FidoCertified => "FIDO_CERTIFIED",
            Self::FidoCertifiedAt(CertificationLevel::L1) => "FIDO_CERTIFIED_L1",
            Self::FidoCertifiedAt(CertificationLevel::L1Plus) => "FIDO_CERTIFIED_L1plus",
            Self::FidoCertifiedAt(CertificationLevel::L2) => "FIDO_CERTIFIED_L2",
            Self::FidoCertifiedAt(CertificationLevel::L2Plus) => "FIDO_CERTIFIED_L2plus",
            Self::FidoCertifiedAt(CertificationLevel::L3) => "FIDO_CERTIFIED_L3",
            Self::FidoCertifiedAt(CertificationLevel::L3Plus) => "FIDO_CERTIFIED_L3plus",
            // No name gives these two.
            Self::FidoCertifiedAt(CertificationLevel::Functional) => "FIDO_CERTIFIED",
            Self::NotFidoCertified | Self::FidoCertifiedAt(CertificationLevel::None) => "NOT_FIDO_CERTIFIED",
            Self::Fips140CertifiedAt(Fips140Level::L1) => "FIPS140_CERTIFIED_L1",
            Self::Fips140CertifiedAt(Fips140Level::L2) => "FIPS140_CERTIFIED_L2",
            Self::Fips140CertifiedAt(Fips140Level::L3) => "FIPS140_CERTIFIED_L3",
            Self::Fips140CertifiedAt(Fips140Level::L4) => "FIPS140_CERTIFIED_L4",
            Self::Retired => "RETIRED",
            Self::Revoked => "REVOKED",
            Self::SelfAssertionSubmitted => "SELF_ASSERTION_SUBMITTED",
            Self::UpdateAvailable => "UPDATE_AVAILABLE",
            Self::UserKeyPhysicalCompromise => "USER_KEY_PHYSICAL_COMPROMISE",
            Self::UserKeyRemoteCompromise => "USER_KEY_REMOTE_COMPROMISE",
            Self::UserVerificationBypass => "USER_VERIFICATION_BYPASS",
            Self::Other(text) => text,
        }
    }

    /// The certification it reports, where it reports one; `None` the level for "not certified".
    const fn certification(&self) -> Option<CertificationLevel> {
        match self {
            Self::FidoCertified => Some(CertificationLevel::Functional),
            Self::FidoCertifiedAt(level) => Some(*level),
            Self::NotFidoCertified => Some(CertificationLevel::None),
            Self::AttestationKeyCompromise
            | Self::Fips140CertifiedAt(_)
            | Self::Retired
            | Self::Revoked
            | Self::SelfAssertionSubmitted
            | Self::UpdateAvailable
            | Self::UserKeyPhysicalCompromise
            | Self::UserKeyRemoteCompromise
            | Self::UserVerificationBypass
            | Self::Other(_) => None,
        }
    }
}

impl From<String> for Status {
    fn from(text: String) -> Self {
        use CertificationLevel as Level;
        match text.as_str() {
            "ATTESTATION_KEY_COMPROMISE" => Self::AttestationKeyCompromise,
            "FIDO_CERTIFIED" => Self::FidoCertified,
            "FIDO_CERTIFIED_L1" => Self::FidoCertifiedAt(Level::L1),
            "FIDO_CERTIFIED_L1plus" => Self::FidoCertifiedAt(Level::L1Plus),
            "FIDO_CERTIFIED_L2" => Self::FidoCertifiedAt(Level::L2),
            "FIDO_CERTIFIED_L2plus" => Self::FidoCertifiedAt(Level::L2Plus),
            "FIDO_CERTIFIED_L3" => Self::FidoCertifiedAt(Level::L3),
            "FIDO_CERTIFIED_L3plus" => Self::FidoCertifiedAt(Level::L3Plus),
            "NOT_FIDO_CERTIFIED" => Self::NotFidoCertified,
            "FIPS140_CERTIFIED_L1" => Self::Fips140CertifiedAt(Fips140Level::L1),
            "FIPS140_CERTIFIED_L2" => Self::Fips140CertifiedAt(Fips140Level::L2),
            "FIPS140_CERTIFIED_L3" => Self::Fips140CertifiedAt(Fips140Level::L3),
            "FIPS140_CERTIFIED_L4" => Self::Fips140CertifiedAt(Fips140Level::L4),
            "RETIRED" => Self::Retired,
            "REVOKED" => Self::Revoked,
            "SELF_ASSERTION_SUBMITTED" => Self::SelfAssertionSubmitted,
            "UPDATE_AVAILABLE" => Self::UpdateAvailable,
            "USER_KEY_PHYSICAL_COMPROMISE" => Self::UserKeyPhysicalCompromise,
            "USER_KEY_REMOTE_COMPROMISE" => Self::UserKeyRemoteCompromise,
            "USER_VERIFICATION_BYPASS" => Self::UserVerificationBypass,
            _ => Self::Other(text.into()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `none`, `functional`, `L1` to `L3+`.
impl fmt::Display for CertificationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Functional => "functional",
            Self::L1 => "L1",
            Self::L1Plus => "L1+",
            Self::L2 => "L2",
            Self::L2Plus => "L2+",
            Self::L3 => "L3",
            Self::L3Plus => "L3+",
        })
    }
}

impl StatusReport {
    /// Whether it counts at `at`: from the first moment of its date on.
    #[must_use]
    pub fn is_effective(&self, at: UnixTime) -> bool {
        self.effective_date.is_none_or(|date| date.midnight() <= at)
    }
}

impl CertificationLevel {
    /// The highest level that effective reports give, of those since the model was last reported as not certified.
    #[must_use]
    pub fn of(reports: &[StatusReport], at: UnixTime) -> Self {
        let effective = || {
            reports
                .iter()
                .filter(|report| report.is_effective(at))
                .filter_map(|report| Some((report.status.certification()?, report.effective_date)))
        };
        let ended = effective()
            .filter(|(level, _)| *level == Self::None)
            .map(|(_, date)| date)
            .max();
        effective()
            .filter(|(_, date)| ended.is_none_or(|ended| *date > ended))
            .map(|(level, _)| level)
            .max()
            .unwrap_or(Self::None)
    }
}

impl Default for StatusPolicy {
    fn default() -> Self {
        Self {
            refused: vec![
                Status::AttestationKeyCompromise,
                Status::Revoked,
                Status::UserKeyPhysicalCompromise,
                Status::UserKeyRemoteCompromise,
                Status::UserVerificationBypass,
            ],
            unknown_status: UnknownStatus::Ignore,
            minimum_certification: CertificationLevel::None,
            key_protection_any_of: Vec::new(),
            max_overdue_days: Some(30),
        }
    }
}

impl StatusPolicy {
    /// Judges a model by all its reports and its key protection. A break of some versions, or of some attestation keys,
    /// refuses the model: an attestation proves neither its version nor that its key is another.
    ///
    /// # Errors
    /// The first refusal.
    pub fn judge(
        &self,
        reports: &[StatusReport],
        key_protection: &[impl AsRef<str>],
        at: UnixTime,
    ) -> Result<(), Refusal> {
        self.judge_statuses(reports, at)?;
        let level = CertificationLevel::of(reports, at);
        if level < self.minimum_certification {
            return Err(Refusal::Certification {
                level,
                minimum: self.minimum_certification,
            });
        }
        let has = |wanted: &String| key_protection.iter().any(|kind| kind.as_ref() == wanted);
        if !self.key_protection_any_of.is_empty() && !self.key_protection_any_of.iter().any(has) {
            return Err(Refusal::KeyProtection);
        }
        Ok(())
    }

    /// Judges metadata by when their next issue was to come.
    ///
    /// # Errors
    /// [`Refusal::Overdue`].
    pub fn judge_issue(&self, issue: Issue, at: UnixTime) -> Result<(), Refusal> {
        let Some(days) = self.max_overdue_days else {
            return Ok(());
        };
        let next_update = issue.next_update;
        let patience = Duration::from_secs(u64::from(days).saturating_mul(86_400));
        if next_update.midnight().saturating_add(patience) < at {
            return Err(Refusal::Overdue { next_update });
        }
        Ok(())
    }

    /// Judges by what has happened alone.
    pub(crate) fn judge_statuses(&self, reports: &[StatusReport], at: UnixTime) -> Result<(), Refusal> {
        for report in reports.iter().filter(|report| report.is_effective(at)) {
            let unknown = matches!(report.status, Status::Other(_));
            if self.refused.contains(&report.status)
                || (unknown && self.unknown_status == UnknownStatus::Refuse)
            {
                return Err(Refusal::Status {
                    status: report.status.clone(),
                    effective_date: report.effective_date,
                });
            }
        }
        Ok(())
    }
}
