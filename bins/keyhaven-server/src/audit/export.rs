//! `keyhaven audit export`.

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use keyhaven_audit::export::{self, Line, VERSION};
use keyhaven_storage::{AuditBatch, AuditMember, AuditPrune, StoredEvent, UnsealedEvent};

use super::source::{self, Sink};
use crate::config::{Config, Flags};
use crate::{serve, stores};

pub(super) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let config = Config::load(flags)?;
    serve::runtime()?.block_on(write(&config))?;
    Ok(ExitCode::SUCCESS)
}

async fn write(config: &Config) -> anyhow::Result<()> {
    let store = stores::read_only(config).await?;
    let mut lines = Lines {
        output: BufWriter::new(std::io::stdout()),
        counts: (0, 0, 0),
    };
    let newest = store.newest_batch().await?.map_or(0, |newest| newest.number);
    lines.write(&Line::Log {
        version: VERSION,
        newest_batch: newest,
    })?;
    for key in store.audit_keys().await.context("reading the keys")? {
        lines.write(&(&key).into())?;
    }
    source::push(&*store, &mut lines).await?;
    let (batches, events, unsealed) = lines.counts;
    lines.write(&Line::End {
        batches,
        events,
        unsealed,
    })?;
    lines.output.flush()?;
    Ok(())
}

struct Lines<W> {
    output: W,
    counts: (u64, u64, u64),
}

impl<W: Write> Lines<W> {
    fn write(&mut self, line: &Line) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.output, line)?;
        self.output.write_all(b"\n")?;
        Ok(())
    }
}

impl<W: Write> Sink for Lines<W> {
    fn prune(&mut self, prune: AuditPrune) -> anyhow::Result<()> {
        self.write(&(&prune).into())
    }

    fn batch(&mut self, batch: &AuditBatch, members: &[AuditMember]) -> anyhow::Result<()> {
        self.counts.0 = self.counts.0.saturating_add(1);
        self.write(&Line::Batch(batch.into()))?;
        for member in members {
            let whole = matches!(member.event, StoredEvent::Whole(_));
            self.counts.1 = self.counts.1.saturating_add(u64::from(whole));
            self.write(&export::member(batch.number, member))?;
        }
        Ok(())
    }

    fn damaged_batch(&mut self, number: u64, what: &'static str) -> anyhow::Result<()> {
        anyhow::bail!("batch {number}: the stored {what} is damaged: run keyhaven audit verify")
    }

    fn unsealed(&mut self, unsealed: &UnsealedEvent) -> anyhow::Result<()> {
        self.counts.2 = self.counts.2.saturating_add(1);
        self.write(&export::unsealed(unsealed))
    }
}
