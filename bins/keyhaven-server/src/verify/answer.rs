//! One line of output.

use keyhaven_core::{Flags, Step, Trace};
use serde::Serialize;

use super::case::NoCase;

#[derive(Clone, Copy, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Error,
    Ok,
    Reject,
}

/// One line of output; what does not apply is absent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fmt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attestation_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attestation_trusted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alg: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aaguid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sign_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sign_count_verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flags: Option<FlagsField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credential_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<Vec<TraceField>>,
}

#[derive(Serialize)]
pub(super) struct FlagsField {
    pub(super) up: bool,
    pub(super) uv: bool,
    pub(super) be: bool,
    pub(super) bs: bool,
    pub(super) at: bool,
    pub(super) ed: bool,
}

#[derive(Serialize)]
pub(super) struct TraceField {
    pub(super) step: String,
    pub(super) outcome: &'static str,
    pub(super) detail: String,
}

impl Answer {
    pub(super) const fn new(verdict: Verdict) -> Self {
        Self {
            name: None,
            verdict,
            code: None,
            step: None,
            detail: None,
            fmt: None,
            attestation_type: None,
            attestation_trusted: None,
            alg: None,
            aaguid: None,
            sign_count: None,
            sign_count_verdict: None,
            flags: None,
            credential_id: None,
            public_key: None,
            trace: None,
        }
    }

    pub(super) fn error(name: Option<String>, no_case: NoCase) -> Self {
        Self {
            name,
            detail: Some(no_case),
            ..Self::new(Verdict::Error)
        }
    }

    pub(super) fn reject(code: &'static str, step: Step, detail: String) -> Self {
        Self {
            code: Some(code),
            step: Some(step.to_string()),
            detail: Some(detail),
            ..Self::new(Verdict::Reject)
        }
    }

    /// Adds the steps, where they were asked for. A response that could not be read was refused at its first one.
    pub(super) fn with_trace(mut self, steps: Option<Trace>) -> Self {
        let Some(steps) = steps else {
            return self;
        };
        let mut entries: Vec<TraceField> = steps
            .entries()
            .iter()
            .map(|entry| TraceField {
                step: entry.step.to_string(),
                outcome: entry.outcome.as_str(),
                detail: entry.detail.clone(),
            })
            .collect();
        if entries.is_empty()
            && let (Some(step), Some(detail)) = (&self.step, &self.detail)
        {
            entries.push(TraceField {
                step: step.clone(),
                outcome: "failed",
                detail: detail.clone(),
            });
        }
        self.trace = Some(entries);
        self
    }
}

impl From<Flags> for FlagsField {
    fn from(flags: Flags) -> Self {
        Self {
            up: flags.user_present(),
            uv: flags.user_verified(),
            be: flags.backup_eligible(),
            bs: flags.backup_state(),
            at: flags.attested_credential_data(),
            ed: flags.extension_data(),
        }
    }
}
