//! `keyhaven audit`: the sealed log on the command line. Everything but `prune` only reads.

mod export;
mod proof;
mod source;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use keyhaven_service::AuditSecrets;
use keyhaven_storage::EventId;

use crate::config::{Config, Flags};
use crate::say::say;
use crate::{sealer, secret, serve, stores};

/// What can be done with the audit log.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Verify the log in the database, an export of it, or a proof.
    ///
    /// With the secret key (configured, or beside an SQLite database) the MAC of every event is checked as well, and the
    /// public keys are known by it; without it name them with --key. Exit status 0: all is well. 1: something is
    /// wrong; the first thing is named first. 2: it could not be verified.
    Verify(verify::Verify),
    /// Write the log as lines of JSON to standard output.
    Export,
    /// Write a proof that one event is sealed to standard output.
    Prove(proof::Prove),
    /// Print the public keys of the log, oldest first.
    Keys,
    /// Empty batches that were sealed before a moment. Headers stay, so that the rest remains verifiable.
    Prune {
        /// As in 2026-01-31T00:00:00Z.
        #[arg(long, value_name = "RFC3339")]
        before: String,
    },
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// When it could not be done; that something is wrong with the log is an exit status.
    pub(crate) fn run(&self, flags: &Flags) -> anyhow::Result<ExitCode> {
        match self {
            Self::Verify(verify) => verify.run(flags),
            Self::Export => export::run(flags),
            Self::Prove(prove) => prove.run(flags),
            Self::Keys => serve::runtime()?.block_on(keys(flags)),
            Self::Prune { before } => serve::runtime()?.block_on(prune(flags, before)),
        }
    }
}

async fn keys(flags: &Flags) -> anyhow::Result<ExitCode> {
    let config = Config::load(flags)?;
    let store = stores::read_only(&config).await?;
    for key in store.audit_keys().await.context("reading the keys")? {
        say!("{}", key.verifier_key)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn prune(flags: &Flags, before: &str) -> anyhow::Result<ExitCode> {
    let config = Config::load(flags)?;
    let before = moment(before)?;
    anyhow::ensure!(
        before <= sealer::ago(std::time::Duration::ZERO),
        "--before: a moment that has passed"
    );
    let opened = serve::open(&config, None, &keyhaven_api::Metrics::new()).await?;
    let log = &opened.keyhaven.audit_log;
    log.maintain(config.audit.key_rotation).await?;
    let pruned = log.prune(before).await?;
    opened.database.close().await;
    if pruned.through == 0 {
        say!("no batch was sealed before that")?;
    } else {
        say!(
            "dropped {} events; batches 1 to {} are empty",
            pruned.events,
            pruned.through
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the secret key of this configuration can check. `None`: there is none here.
fn secrets(config: &Config) -> anyhow::Result<Option<AuditSecrets>> {
    let Some(path) = stores::secret_key_file(config) else {
        return Ok(None);
    };
    if config.secret_key_file.is_none() && !path.is_file() {
        return Ok(None);
    }
    Ok(Some(AuditSecrets::derive(&secret::read(&path)?)?))
}

fn event_id(text: &str) -> anyhow::Result<EventId> {
    text.parse()
        .with_context(|| format!("--event {text}: an event's id is a UUID"))
}

fn moment(text: &str) -> anyhow::Result<keyhaven_types::UnixTime> {
    let moment = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .with_context(|| format!("--before {text}: not an RFC 3339 time"))?;
    Ok(keyhaven_types::UnixTime::from_millis(
        i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX),
    ))
}

pub(crate) fn time_text(at: keyhaven_types::UnixTime) -> String {
    let nanos = i128::from(at.as_millis()).saturating_mul(1_000_000);
    time::OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| format!("{} ms", at.as_millis()))
}

/// What verification trusts, as named on the command line.
#[derive(clap::Args)]
struct Trust {
    /// A public key of the log as keyhaven audit keys prints it, or a file of such lines; may be given more than once.
    /// Keys that a named one vouches for are trusted, too.
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<String>,
    /// A file of checkpoints that was kept elsewhere.
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
}
