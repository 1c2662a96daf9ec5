//! `keyhaven mds inspect`: what a FIDO metadata BLOB says, and whether it is one.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use keyhaven_core::UnixTime;
use keyhaven_mds::{
    Blob, CertificationLevel, Dropped, Entry, Issue, Signer, StatusPolicy, UnverifiedBlob, Verification,
};
use serde::Serialize;

use crate::pem::{certificates, read, revocation_lists};
use crate::say::note;

/// What to look at, and how.
#[derive(clap::Args)]
pub(crate) struct Inspect {
    /// Verify the BLOB under the certificates in this PEM file: for FIDO's, GlobalSign Root R3.
    #[arg(long, value_name = "PEM")]
    root: Option<PathBuf>,
    /// Certificate revocation lists for the signer's certificates, in a PEM file.
    #[arg(long, value_name = "PEM", requires = "root")]
    crl: Option<PathBuf>,
    /// The moment to judge at, as in 2026-01-31T00:00:00Z. Default: now.
    #[arg(long, value_name = "RFC3339")]
    at: Option<String>,
    /// Whose signature counts: the DNS name in the signer's certificate, or `any` where the root certifies nobody else.
    #[arg(long, value_name = "NAME", default_value = "mds.fidoalliance.org")]
    signer: String,
    /// Print JSON rather than text.
    #[arg(long)]
    json: bool,
    /// The BLOB as it was downloaded; without --root also a payload in JSON.
    file: PathBuf,
}

impl Inspect {
    /// Reads the files and prints what the BLOB says.
    ///
    /// # Errors
    /// When a file cannot be read, an argument is no time or no PEM, or the BLOB cannot be read unverified.
    pub(crate) fn run(&self, now: UnixTime, mut output: impl Write) -> anyhow::Result<ExitCode> {
        let at = match &self.at {
            None => now,
            Some(text) => moment(text)?,
        };
        let bytes = read(&self.file)?;
        let report = match &self.root {
            Some(root) => {
                let roots = certificates(root)?;
                let revoked = self.crl.as_deref().map(revocation_lists).transpose()?;
                let verification = Verification {
                    roots: &roots,
                    signer: match self.signer.as_str() {
                        "any" => Signer::AnyUnderRoots,
                        name => Signer::DnsName(name),
                    },
                    at,
                    revoked: revoked.as_ref(),
                    previous: None,
                };
                match Blob::verify(&bytes, &verification) {
                    Ok(blob) => Report::new(true, blob.issue(), blob.entries(), blob.dropped(), at),
                    Err(error) => {
                        note!("keyhaven: {}: does not verify: {error}", self.file.display())?;
                        return Ok(ExitCode::FAILURE);
                    }
                }
            }
            None => {
                let blob = UnverifiedBlob::read(&bytes)
                    .with_context(|| format!("{}: not a BLOB", self.file.display()))?;
                Report::new(false, blob.issue(), blob.entries(), blob.dropped(), at)
            }
        };
        if self.json {
            serde_json::to_writer_pretty(&mut output, &report)?;
            output.write_all(b"\n")?;
        } else {
            report.print(&mut output)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    verified: bool,
    number: u64,
    next_update: String,
    overdue: bool,
    /// Why the default policy refuses every model; absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// How often each status is reported, effective or not.
    statuses: BTreeMap<String, usize>,
    entries: Vec<EntryReport>,
    dropped: Vec<DroppedReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryReport {
    /// An AAGUID, an AAID, or key identifiers.
    models: Vec<String>,
    description: Option<String>,
    certification: String,
    key_protection: Vec<String>,
    attestation_types: Vec<String>,
    trust_anchors: usize,
    dropped_trust_anchors: usize,
    statuses: Vec<StatusField>,
    /// Why the default policy refuses it; absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusField {
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_date: Option<String>,
}

#[derive(Serialize)]
struct DroppedReport {
    index: usize,
    reason: String,
}

impl Report {
    fn new(verified: bool, issue: Issue, entries: &[Entry], dropped: &[Dropped], at: UnixTime) -> Self {
        let mut statuses = BTreeMap::new();
        for report in entries.iter().flat_map(|entry| &entry.status_reports) {
            *statuses.entry(report.status.to_string()).or_default() += 1;
        }
        Self {
            verified,
            number: issue.number,
            next_update: issue.next_update.to_string(),
            overdue: issue.is_overdue(at),
            refused: StatusPolicy::default()
                .judge_issue(issue, at)
                .err()
                .map(|refusal| refusal.to_string()),
            statuses,
            entries: entries.iter().map(|entry| EntryReport::new(entry, at)).collect(),
            dropped: dropped
                .iter()
                .map(|dropped| DroppedReport {
                    index: dropped.index,
                    reason: dropped.error.to_string(),
                })
                .collect(),
        }
    }

    fn print(&self, mut output: impl Write) -> std::io::Result<()> {
        let verified = if self.verified {
            "verified"
        } else {
            "NOT verified (no --root)"
        };
        writeln!(output, "BLOB number {}, {verified}", self.number)?;
        let overdue = if self.overdue { ", overdue" } else { "" };
        writeln!(output, "next update: {}{overdue}", self.next_update)?;
        if let Some(reason) = &self.refused {
            writeln!(output, "every model is refused by default: {reason}")?;
        }
        let anchors: usize = self.entries.iter().map(|entry| entry.trust_anchors).sum();
        writeln!(
            output,
            "entries: {}, with {anchors} trust anchors; dropped: {}",
            self.entries.len(),
            self.dropped.len()
        )?;
        for dropped in &self.dropped {
            writeln!(
                output,
                "  entry {} dropped: {}",
                dropped.index,
                printable(&dropped.reason)
            )?;
        }
        writeln!(output, "status reports:")?;
        for (status, count) in &self.statuses {
            writeln!(output, "  {count:5} {}", printable(status))?;
        }
        writeln!(output, "models: certification, name")?;
        for entry in &self.entries {
            let model = entry.models.first().map_or("", String::as_str);
            let more = entry.models.len().saturating_sub(1);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            writeln!(
                output,
                "  {}{more}  {}  {}",
                printable(model),
                entry.certification,
                printable(entry.description.as_deref().unwrap_or("(private)")),
            )?;
            if entry.dropped_trust_anchors > 0 {
                writeln!(
                    output,
                    "      {} certificates unreadable",
                    entry.dropped_trust_anchors
                )?;
            }
            if let Some(reason) = &entry.refused {
                writeln!(output, "      refused by default: {}", printable(reason))?;
            }
        }
        Ok(())
    }
}

impl EntryReport {
    fn new(entry: &Entry, at: UnixTime) -> Self {
        let owned = |texts: &[Box<str>]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let statement = entry.statement.as_ref();
        let key_protection = statement.map(|statement| owned(&statement.key_protection));
        let refused = StatusPolicy::default()
            .judge(
                &entry.status_reports,
                key_protection.as_deref().unwrap_or_default(),
                at,
            )
            .err();
        let models = entry
            .aaguid
            .iter()
            .map(ToString::to_string)
            .chain(entry.aaid.iter().map(ToString::to_string))
            .chain(entry.key_identifiers.iter().map(|identifier| hex(identifier)));
        Self {
            models: models.collect(),
            description: statement.map(|statement| statement.description.to_string()),
            certification: CertificationLevel::of(&entry.status_reports, at).to_string(),
            key_protection: key_protection.unwrap_or_default(),
            attestation_types: statement
                .map(|statement| owned(&statement.attestation_types))
                .unwrap_or_default(),
            trust_anchors: statement.map_or(0, |statement| statement.anchors.len()),
            dropped_trust_anchors: statement.map_or(0, |statement| statement.dropped_anchors),
            statuses: entry
                .status_reports
                .iter()
                .map(|report| StatusField {
                    status: report.status.to_string(),
                    effective_date: report.effective_date.map(|date| date.to_string()),
                })
                .collect(),
            refused: refused.map(|refusal| refusal.to_string()),
        }
    }
}

/// Control characters of others do not reach the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn moment(text: &str) -> anyhow::Result<UnixTime> {
    let moment = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .with_context(|| format!("--at {text}: not an RFC 3339 time"))?;
    Ok(UnixTime::from_millis(
        moment.unix_timestamp().saturating_mul(1000),
    ))
}
