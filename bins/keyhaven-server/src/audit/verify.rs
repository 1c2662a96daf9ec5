//! `keyhaven audit verify`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use keyhaven_audit::export::{Item, Line, Reader};
use keyhaven_audit::{EventCheck, Report, TrustedKeys, Verifier};
use keyhaven_service::{AuditSecrets, LogSink, newest_batch, walk_log};
use keyhaven_storage::{AuditBatch, AuditKey, AuditMember, AuditPrune, UnsealedEvent};

use super::source;
use super::{Trust, proof, time_text};
use crate::config::{Config, Flags};
use crate::say::{note, say};
use crate::{serve, stores};

/// What to verify, and against what.
#[derive(clap::Args)]
pub(crate) struct Verify {
    /// Verify this export (keyhaven audit export), without any database.
    #[arg(long, value_name = "FILE", conflicts_with = "proof")]
    export: Option<PathBuf>,
    /// Verify this proof (keyhaven audit prove), without any database.
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

impl Verify {
    pub(super) fn run(&self, flags: &Flags) -> anyhow::Result<ExitCode> {
        if let Some(path) = &self.proof {
            return proof::verify(path, &self.trust);
        }
        let config = Config::load(flags)?;
        // An export is verified by what is named: the configuration of this machine may be another deployment's.
        let secrets = match &self.export {
            Some(_) if config.secret_key_file.is_none() => None,
            Some(_) | None => super::secrets(&config)?,
        };
        let report = match &self.export {
            Some(path) => self.export(path, secrets.as_ref())?,
            None => serve::runtime()?.block_on(self.database(&config, secrets.as_ref()))?,
        };
        print(&report)?;
        Ok(if report.is_sound() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    async fn database(&self, config: &Config, secrets: Option<&AuditSecrets>) -> anyhow::Result<Report> {
        let store = stores::read_only(config).await?;
        let newest = newest_batch(&*store).await?;
        let stored = store.audit_keys().await.context("reading the keys")?;
        let verifier = self.verifier(&stored, secrets)?;
        let mut verifying = Verifying(verifier);
        walk_log(&*store, newest, &mut verifying).await?;
        Ok(verifying.0.finish())
    }

    fn export(&self, path: &Path, secrets: Option<&AuditSecrets>) -> anyhow::Result<Report> {
        let mut reader = Reader::default();
        let mut keys = Vec::new();
        let mut verifier = None;
        for (number, line) in (1_u64..).zip(source::lines(path)?) {
            let at = || format!("{}, line {number}", path.display());
            let line: Line = serde_json::from_str(&line.with_context(at)?).with_context(at)?;
            for item in reader.line(line).with_context(at)? {
                if let Item::Key(key) = item {
                    ensure!(verifier.is_none(), "{}: keys come first", at());
                    keys.push(key);
                    continue;
                }
                let verifier = match &mut verifier {
                    Some(verifier) => verifier,
                    none => none.insert(self.verifier(&keys, secrets)?),
                };
                match item {
                    Item::Batch(batch, members) => verifier.batch(&batch, &members),
                    Item::Prune(prune) => verifier.prune(prune),
                    Item::Unsealed(unsealed) => verifier.unsealed(&unsealed),
                    Item::Key(_) => {}
                }
            }
        }
        ensure!(reader.is_whole(), "{}: the export was cut short", path.display());
        let verifier = match verifier {
            Some(verifier) => verifier,
            None => self.verifier(&keys, secrets)?,
        };
        Ok(verifier.finish())
    }

    fn verifier<'a>(
        &self,
        stored: &[AuditKey],
        secrets: Option<&'a AuditSecrets>,
    ) -> anyhow::Result<Verifier<'a>> {
        let keys = self.trusted(stored, secrets)?;
        let mut verifier = Verifier::new(keys, secrets.map(|secrets| -> &dyn EventCheck { secrets }));
        let torn = self
            .trust
            .checkpoints(|checkpoint| verifier.checkpoint(checkpoint))?;
        if torn > 0 {
            note!("keyhaven: note: {torn} lines among the checkpoints are none")?;
        }
        Ok(verifier)
    }

    /// Those that were named and those that they vouch for; else those that the secret key made.
    fn trusted(&self, stored: &[AuditKey], secrets: Option<&AuditSecrets>) -> anyhow::Result<TrustedKeys> {
        let mut keys = self.trust.named_keys()?;
        if keys.is_empty() {
            let secrets = secrets.context(
                "name the log's public key with --key, or its secret key file: a key that the log brings along proves \
                 nothing",
            )?;
            for key in stored.iter().filter_map(|record| secrets.own_key(record)) {
                keys.trust(key);
            }
        }
        for record in stored {
            keys.consider(record);
        }
        Ok(keys)
    }
}

/// A verifier that a log is pushed to.
struct Verifying<'a>(Verifier<'a>);

impl LogSink for Verifying<'_> {
    type Error = anyhow::Error;

    fn prune(&mut self, prune: AuditPrune) -> anyhow::Result<()> {
        self.0.prune(prune);
        Ok(())
    }

    fn batch(&mut self, batch: &AuditBatch, members: &[AuditMember]) -> anyhow::Result<()> {
        self.0.batch(batch, members);
        Ok(())
    }

    fn damaged_batch(&mut self, number: u64, what: &'static str) -> anyhow::Result<()> {
        self.0.damaged_batch(number, what);
        Ok(())
    }

    fn unsealed(&mut self, unsealed: &UnsealedEvent) -> anyhow::Result<()> {
        self.0.unsealed(unsealed);
        Ok(())
    }
}

fn print(report: &Report) -> io::Result<()> {
    for finding in &report.findings {
        say!("BAD {finding}")?;
    }
    let kept = u64::try_from(report.findings.len()).unwrap_or(u64::MAX);
    if report.problems > kept {
        say!("BAD and {} more", report.problems.saturating_sub(kept))?;
    }
    say!(
        "{} batches, {} sealed events, {} not sealed yet",
        report.batches,
        report.sealed,
        report.unsealed
    )?;
    if let Some((through, events, before)) = report.pruned {
        say!(
            "pruned: {events} events of batches 1 to {through}, sealed before {}",
            time_text(before)
        )?;
    }
    if let Some((number, chain, sealed_at)) = report.newest {
        let chain: String = chain.iter().map(|byte| format!("{byte:02x}")).collect();
        say!("newest: batch {number} of {}, {chain}", time_text(sealed_at))?;
    }
    if report.checkpoints == 0 {
        say!("no checkpoint was named: that newer batches were cut off would not show")?;
    } else {
        say!("{} checkpoints", report.checkpoints)?;
    }
    if !report.macs_checked {
        say!("no secret key was named: MACs were not checked, and events that are not sealed not at all")?;
    }
    say!(
        "{}",
        if report.is_sound() {
            "verified"
        } else {
            "NOT VERIFIED"
        }
    )
}
