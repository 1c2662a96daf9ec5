//! Checkpoints kept outside the database: appended to a file, posted to a URL.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use keyhaven_api::Metrics;
use keyhaven_audit::Checkpoint;

use crate::config::AuditConfig;

/// How long a URL may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Where checkpoints go.
pub(crate) struct Exporter {
    file: Option<PathBuf>,
    url: Option<String>,
    interval: Duration,
    in_file: AtomicU64,
    at_url: AtomicU64,
    metrics: Metrics,
}

impl Exporter {
    pub(crate) fn new(config: &AuditConfig, metrics: Metrics) -> Self {
        Self {
            file: config.checkpoint_file.clone(),
            url: config.checkpoint_url.clone(),
            interval: config.checkpoint_interval,
            in_file: AtomicU64::new(0),
            at_url: AtomicU64::new(0),
            metrics,
        }
    }

    /// Whether they go anywhere.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.file.is_some() || self.url.is_some()
    }

    /// How long to wait between two, and before what failed is tried again.
    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// Brings a checkpoint to where it is not yet; tells whether it is everywhere now.
    pub(crate) fn export(&self, checkpoint: &Checkpoint) -> bool {
        let file = self
            .file
            .as_deref()
            .is_none_or(|path| self.once(checkpoint, &self.in_file, || append(path, checkpoint)));
        let url = self
            .url
            .as_deref()
            .is_none_or(|url| self.once(checkpoint, &self.at_url, || post(url, checkpoint)));
        file && url
    }

    fn once(
        &self,
        checkpoint: &Checkpoint,
        kept: &AtomicU64,
        keep: impl FnOnce() -> anyhow::Result<()>,
    ) -> bool {
        if kept.load(Ordering::Relaxed) >= checkpoint.batch {
            return true;
        }
        match keep() {
            Ok(()) => {
                kept.store(checkpoint.batch, Ordering::Relaxed);
                true
            }
            Err(error) => {
                self.metrics.checkpoint_failed();
                tracing::warn!(
                    batch = checkpoint.batch,
                    error = format!("{error:#}"),
                    "a checkpoint of the audit log could not be kept; it is tried again"
                );
                false
            }
        }
    }
}

/// Appends the note in one write, and waits until it is on the disk. Nothing that is in the file is ever changed; behind
/// a note that was cut short (a power cut) the next begins on a line of its own.
fn append(path: &Path, checkpoint: &Checkpoint) -> anyhow::Result<()> {
    let keep = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let mut text = String::new();
        if file.metadata()?.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                text.push('\n');
            }
        }
        text.push_str(&checkpoint.note());
        text.push('\n');
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    keep().with_context(|| path.display().to_string())
}

fn post(url: &str, checkpoint: &Checkpoint) -> anyhow::Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .build()
        .into();
    agent
        .post(url)
        .content_type("text/plain; charset=utf-8")
        .send(checkpoint.note())
        .context("audit.checkpoint_url")?;
    Ok(())
}
