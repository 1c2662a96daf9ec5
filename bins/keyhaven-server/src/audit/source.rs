//! Where a log is read from: a database or an export, both in bounded memory; and what it is held against.

use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, bail};
use keyhaven_audit::{Checkpoint, CheckpointReader, TrustedKeys, VerifierKey};
use keyhaven_storage::{
    AuditBatch, AuditMember, AuditPrune, Damaged, DurableStore, EventId, MAX_BATCH_EVENTS, StorageError,
    StoredEvent, UnsealedEvent,
};

use super::Trust;

/// As many headers or events are read at a time.
const PAGE: u32 = 1_000;

impl Trust {
    /// The keys that were named.
    pub(super) fn named_keys(&self) -> anyhow::Result<TrustedKeys> {
        let mut keys = TrustedKeys::default();
        for named in &self.keys {
            let text = match named.parse::<VerifierKey>() {
                Ok(key) => {
                    keys.trust(key);
                    continue;
                }
                Err(_) => std::fs::read_to_string(named)
                    .with_context(|| format!("--key {named}: neither a key nor a file"))?,
            };
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                keys.trust(line.parse().with_context(|| format!("--key {named}"))?);
            }
        }
        Ok(keys)
    }

    /// The checkpoints that were named, one by one, and how many lines of their files are none.
    pub(super) fn checkpoints(&self, mut take: impl FnMut(Checkpoint)) -> anyhow::Result<u64> {
        let mut torn = 0_u64;
        for path in &self.checkpoints {
            let mut reader = CheckpointReader::default();
            let mut found = false;
            for line in lines(path)? {
                if let Some(checkpoint) = reader.line(&line.with_context(|| path.display().to_string())?) {
                    found = true;
                    take(checkpoint);
                }
            }
            if !found {
                bail!("{}: no checkpoint in it", path.display());
            }
            torn = torn.saturating_add(reader.torn());
        }
        Ok(torn)
    }
}

pub(super) fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = std::io::Result<String>> + use<>> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    Ok(BufReader::new(file).lines())
}

/// What a database's log is pushed to.
pub(super) trait Sink {
    fn prune(&mut self, prune: AuditPrune) -> anyhow::Result<()>;
    fn batch(&mut self, batch: &AuditBatch, members: &[AuditMember]) -> anyhow::Result<()>;
    fn damaged_batch(&mut self, number: u64, what: &'static str) -> anyhow::Result<()>;
    fn unsealed(&mut self, unsealed: &UnsealedEvent) -> anyhow::Result<()>;
}

/// Pushes the log: its batches up to the one that is the newest now, then what no batch holds.
pub(super) async fn push(store: &dyn DurableStore, sink: &mut impl Sink) -> anyhow::Result<()> {
    let mut pruned = 0;
    push_prunes(store, sink, &mut pruned).await?;
    let newest = match store.newest_batch().await {
        Ok(newest) => newest.map_or(0, |newest| newest.number),
        // It is met again, in its place.
        Err(error) if damaged(&error).is_some() => u64::MAX,
        Err(error) => return Err(error.into()),
    };
    let mut after = 0;
    'batches: while after < newest {
        let page = match store.batches(after, PAGE).await {
            Ok(page) => page,
            Err(error) => match damaged(&error) {
                // One by one, up to the one that is damaged: what follows it cannot be read on from.
                Some(what) => {
                    while let Some(batch) = store.batches(after, 1).await.unwrap_or_default().first() {
                        after = batch.number;
                        push_batch(store, sink, batch, &mut pruned).await?;
                    }
                    sink.damaged_batch(after.saturating_add(1), what)?;
                    break 'batches;
                }
                None => return Err(error.into()),
            },
        };
        if page.is_empty() {
            break;
        }
        for batch in page.iter().take_while(|batch| batch.number <= newest) {
            push_batch(store, sink, batch, &mut pruned).await?;
        }
        after = page.last().map_or(u64::MAX, |last| last.number);
    }
    // What is sealed meanwhile is in none of both: the next verification's.
    let mut after = None;
    loop {
        let page = store.unsealed_events(after, PAGE).await?;
        for unsealed in &page.events {
            sink.unsealed(unsealed)?;
        }
        match page.next {
            None => break,
            next => after = next,
        }
    }
    for id in gone(store).await? {
        sink.unsealed(&UnsealedEvent {
            id,
            waits: true,
            event: StoredEvent::Missing,
        })?;
    }
    Ok(())
}

/// Pushes the prune records that reach farther than `pruned`.
async fn push_prunes(store: &dyn DurableStore, sink: &mut impl Sink, pruned: &mut u64) -> anyhow::Result<()> {
    for prune in store.audit_prunes().await? {
        if prune.through > *pruned {
            *pruned = prune.through;
            sink.prune(prune)?;
        }
    }
    Ok(())
}

async fn push_batch(
    store: &dyn DurableStore,
    sink: &mut impl Sink,
    batch: &AuditBatch,
    pruned: &mut u64,
) -> anyhow::Result<()> {
    match store
        .batch_members(batch.number, MAX_BATCH_EVENTS.saturating_add(1))
        .await
    {
        Ok(members) => {
            // It may have been emptied just now; the record of that is written first.
            if members.is_empty() {
                push_prunes(store, sink, pruned).await?;
            }
            sink.batch(batch, &members)
        }
        Err(error) => match damaged(&error) {
            Some(what) => {
                sink.damaged_batch(batch.number, what)?;
                sink.batch(batch, &[])
            }
            None => Err(error.into()),
        },
    }
}

/// Events that wait to be sealed and are not there any more.
async fn gone(store: &dyn DurableStore) -> anyhow::Result<Vec<EventId>> {
    let (mut gone, mut after) = (Vec::new(), None);
    loop {
        let page = store.waiting_events(after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(gone);
        };
        after = Some(*last);
        let missing = page
            .iter()
            .filter(|(_, event)| matches!(event, StoredEvent::Missing));
        gone.extend(
            missing
                .map(|(id, _)| *id)
                .take(usize::try_from(PAGE).unwrap_or(0)),
        );
    }
}

/// What is damaged, where that is why the store did not answer.
fn damaged(error: &StorageError) -> Option<&'static str> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&*error.source);
    while let Some(error) = source {
        if let Some(Damaged(what)) = error.downcast_ref::<Damaged>() {
            return Some(what);
        }
        source = error.source();
    }
    None
}
