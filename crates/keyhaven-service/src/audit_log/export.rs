//! The log from its beginning to its end, in bounded memory: to be verified, or written out.

use std::io;

use keyhaven_audit::export::{self, Line, VERSION};
use keyhaven_storage::{
    AuditBatch, AuditMember, AuditPrune, Damaged, DurableStore, EventId, MAX_BATCH_EVENTS, StorageError,
    StoredEvent, UnsealedEvent,
};

/// As many headers or events are read at a time.
const PAGE: u32 = 1_000;

/// What a log is pushed to.
pub trait LogSink {
    /// Why it takes no more.
    type Error: From<StorageError> + Send;

    /// A prune record that reaches farther than those before.
    ///
    /// # Errors
    /// When it takes no more.
    fn prune(&mut self, prune: AuditPrune) -> Result<(), Self::Error>;

    /// A batch and its members.
    ///
    /// # Errors
    /// When it takes no more.
    fn batch(&mut self, batch: &AuditBatch, members: &[AuditMember]) -> Result<(), Self::Error>;

    /// A batch that cannot be read.
    ///
    /// # Errors
    /// When it takes no more.
    fn damaged_batch(&mut self, number: u64, what: &'static str) -> Result<(), Self::Error>;

    /// An event that no batch holds.
    ///
    /// # Errors
    /// When it takes no more.
    fn unsealed(&mut self, unsealed: &UnsealedEvent) -> Result<(), Self::Error>;

    /// Waits until it can take more. Called after every batch and every page of events.
    ///
    /// # Errors
    /// When it takes no more.
    fn ready(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        async { Ok(()) }
    }
}

/// Where an export is written, a part at a time.
pub trait LogWriter: Send {
    /// Writes the next part, and waits until there is room for another.
    ///
    /// # Errors
    /// When nobody wants it any more.
    fn write(&mut self, part: Vec<u8>) -> impl Future<Output = io::Result<()>> + Send;
}

/// Why an export ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// What is stored cannot be read.
    #[error("batch {number}: the stored {what} is damaged: run keyhaven audit verify")]
    Damaged {
        /// The batch.
        number: u64,
        /// What of it.
        what: &'static str,
    },
    /// It could not be written.
    #[error("writing the export: {0}")]
    Io(#[from] io::Error),
    /// The store did not answer.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Writes the log as lines of JSON, as `keyhaven audit verify --export` reads them. One that ends early lacks its last
/// line, and so shows.
///
/// # Errors
/// When it could not be written to its end.
pub async fn export_log<W: LogWriter>(store: &dyn DurableStore, writer: &mut W) -> Result<(), ExportError> {
    let mut lines = Lines {
        writer,
        part: Vec::new(),
        counts: (0, 0, 0),
    };
    // First: whatever signed it and the batches before is then among the keys.
    let newest = store.newest_batch().await?.map_or(0, |newest| newest.number);
    lines.line(&Line::Log {
        version: VERSION,
        newest_batch: newest,
    })?;
    for key in store.audit_keys().await? {
        lines.line(&(&key).into())?;
    }
    walk_log(store, newest, &mut lines).await?;
    let (batches, events, unsealed) = lines.counts;
    lines.line(&Line::End {
        batches,
        events,
        unsealed,
    })?;
    lines.ready().await
}

struct Lines<'a, W> {
    writer: &'a mut W,
    part: Vec<u8>,
    counts: (u64, u64, u64),
}

impl<W> Lines<'_, W> {
    fn line(&mut self, line: &Line) -> Result<(), ExportError> {
        serde_json::to_writer(&mut self.part, line).map_err(io::Error::from)?;
        self.part.push(b'\n');
        Ok(())
    }
}

impl<W: LogWriter> LogSink for Lines<'_, W> {
    type Error = ExportError;

    fn prune(&mut self, prune: AuditPrune) -> Result<(), ExportError> {
        self.line(&(&prune).into())
    }

    fn batch(&mut self, batch: &AuditBatch, members: &[AuditMember]) -> Result<(), ExportError> {
        self.counts.0 = self.counts.0.saturating_add(1);
        self.line(&Line::Batch(batch.into()))?;
        for member in members {
            let whole = matches!(member.event, StoredEvent::Whole(_));
            self.counts.1 = self.counts.1.saturating_add(u64::from(whole));
            self.line(&export::member(batch.number, member))?;
        }
        Ok(())
    }

    fn damaged_batch(&mut self, number: u64, what: &'static str) -> Result<(), ExportError> {
        Err(ExportError::Damaged { number, what })
    }

    fn unsealed(&mut self, unsealed: &UnsealedEvent) -> Result<(), ExportError> {
        self.counts.2 = self.counts.2.saturating_add(1);
        self.line(&export::unsealed(unsealed))
    }

    async fn ready(&mut self) -> Result<(), ExportError> {
        if self.part.is_empty() {
            return Ok(());
        }
        Ok(self.writer.write(std::mem::take(&mut self.part)).await?)
    }
}

/// The number of the newest batch; where it cannot be read, one above all: it is met in its place.
///
/// # Errors
/// When the store does not answer.
pub async fn newest_batch(store: &dyn DurableStore) -> Result<u64, StorageError> {
    match store.newest_batch().await {
        Ok(newest) => Ok(newest.map_or(0, |newest| newest.number)),
        Err(error) if damaged(&error).is_some() => Ok(u64::MAX),
        Err(error) => Err(error),
    }
}

/// Pushes the log: its batches up to this one, then what no batch holds. To be asked for the newest one before the keys are
/// read: a batch that comes later may be signed by a key that comes later.
///
/// # Errors
/// When the store does not answer, or the sink takes no more.
pub async fn walk_log<S: LogSink>(
    store: &dyn DurableStore,
    newest: u64,
    sink: &mut S,
) -> Result<(), S::Error> {
    let mut pruned = 0;
    push_prunes(store, sink, &mut pruned).await?;
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
        sink.ready().await?;
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
async fn push_prunes<S: LogSink>(
    store: &dyn DurableStore,
    sink: &mut S,
    pruned: &mut u64,
) -> Result<(), S::Error> {
    for prune in store.audit_prunes().await? {
        if prune.through > *pruned {
            *pruned = prune.through;
            sink.prune(prune)?;
        }
    }
    Ok(())
}

async fn push_batch<S: LogSink>(
    store: &dyn DurableStore,
    sink: &mut S,
    batch: &AuditBatch,
    pruned: &mut u64,
) -> Result<(), S::Error> {
    match store
        .batch_members(batch.number, MAX_BATCH_EVENTS.saturating_add(1))
        .await
    {
        Ok(members) => {
            // It may have been emptied just now; the record of that is written first.
            if members.is_empty() {
                push_prunes(store, sink, pruned).await?;
            }
            sink.batch(batch, &members)?;
        }
        Err(error) => match damaged(&error) {
            Some(what) => {
                sink.damaged_batch(batch.number, what)?;
                sink.batch(batch, &[])?;
            }
            None => return Err(error.into()),
        },
    }
    sink.ready().await
}

/// Events that wait to be sealed and are not there any more.
async fn gone(store: &dyn DurableStore) -> Result<Vec<EventId>, StorageError> {
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
