//! Sealing the audit log: batches, the keys that sign them, and what is dropped when it is old.

mod export;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use keyhaven_audit::{Checkpoint, EventCheck, SigningKey, VerifierKey};
use keyhaven_storage::{AuditBatch, AuditEvent, AuditKey, MAX_BATCH_EVENTS, StoredEvent};
use keyhaven_types::UnixTime;
use zeroize::Zeroizing;

pub use export::{ExportError, LogSink, LogWriter, export_log, newest_batch, walk_log};

use crate::context::Context;
use crate::error::Error;
use crate::moments::ago;
use crate::ports::RandomUnavailable;
use crate::secrets::{Keys, SecretKey};

/// As many pages of events that cannot be sealed are looked through for some that can.
const MAX_PAGES: u32 = 32;

/// As many headers are read at a time, and about as many events dropped.
const PAGE: u32 = 1_000;

/// The sealed audit log. Any number of processes may seal at once: of those that write one batch, one does.
#[derive(Clone)]
pub struct AuditLog {
    context: Arc<Context>,
    key: Arc<RwLock<Option<Arc<SigningKey>>>>,
}

/// What one attempt to seal did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sealed {
    /// The batch that was written, as its checkpoint; `None`: nothing waited, or another process was first.
    pub checkpoint: Option<Checkpoint>,
    /// How many events it holds.
    pub events: u32,
    /// Whether more may be waiting.
    pub more: bool,
    /// Events that wait and are not sealed: their row is gone, damaged, or not as this deployment wrote it.
    pub refused: u64,
}

/// What pruning did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pruned {
    /// The last batch that is empty now; 0: none is.
    pub through: u64,
    /// How many events were dropped.
    pub events: u64,
}

impl AuditLog {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            key: Arc::default(),
        }
    }

    /// Makes a first key, or the next one when the newest has signed for `rotation`, and learns of keys that other
    /// processes made. To be called at start and then every minute or so.
    ///
    /// # Errors
    /// [`Error::Storage`]; keys sealed under another secret are left alone and not used.
    pub async fn maintain(&self, rotation: Duration) -> Result<(), Error> {
        let now = self.context.clock.now();
        let fresh_since = ago(now, rotation);
        let stored = self.context.durable.audit_keys().await?;
        let newest = self.newest_usable(&stored);
        let signing = match newest {
            Some((key, created_at)) if created_at > fresh_since => key,
            older => {
                let older = older.map(|(key, _)| key);
                let (key, record) = self.new_key(now, older.as_ref())?;
                // A newer key that this process cannot use must not keep it from having one.
                let unusable = stored.last().is_some_and(|last| last.created_at > fresh_since);
                let unless = if unusable {
                    now
                } else {
                    fresh_since.saturating_add(MILLISECOND)
                };
                if self.context.durable.add_audit_key(&record, unless).await? {
                    key
                } else {
                    let stored = self.context.durable.audit_keys().await?;
                    match self.newest_usable(&stored) {
                        Some((key, _)) => key,
                        None => return Err(Error::Busy),
                    }
                }
            }
        };
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(signing));
        Ok(())
    }

    /// Seals what waits, at most one batch of it. [`Self::maintain`] has to have been called.
    ///
    /// Only what this deployment wrote is sealed: a row that somebody else put into the table waits for ever, and
    /// verification names it.
    ///
    /// # Errors
    /// [`Error::Storage`]; [`Error::Busy`] where there is no key yet.
    pub async fn seal(&self) -> Result<Sealed, Error> {
        let durable = &self.context.durable;
        let mut sealed = Sealed::default();
        let (mut events, mut after) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let room = MAX_BATCH_EVENTS.saturating_sub(u32::try_from(events.len()).unwrap_or(u32::MAX));
            let page = durable.waiting_events(after, room).await?;
            sealed.more = page.len() == usize::try_from(room).unwrap_or(usize::MAX);
            after = page.last().map(|(id, _)| *id);
            for (_, event) in page {
                match event {
                    StoredEvent::Whole(event) if self.context.event_is_authentic(&event) => {
                        events.push(event)
                    }
                    StoredEvent::Damaged(_) | StoredEvent::Missing | StoredEvent::Whole(_) => {
                        sealed.refused = sealed.refused.saturating_add(1);
                    }
                }
            }
            if !sealed.more || events.len() == usize::try_from(MAX_BATCH_EVENTS).unwrap_or(usize::MAX) {
                break;
            }
        }
        if events.is_empty() {
            return Ok(sealed);
        }
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner).clone();
        let key = key.ok_or(Error::Busy)?;
        let newest = durable.newest_batch().await?;
        let now = self.context.clock.now();
        let Some((batch, leaves)) = keyhaven_audit::seal(newest.as_ref(), events, now, &key) else {
            return Ok(sealed);
        };
        if durable.seal(&batch, &leaves).await? {
            sealed.events = batch.events;
            sealed.checkpoint = Some(Checkpoint::of(&batch, key.verifier_key().name()));
        }
        Ok(sealed)
    }

    /// The checkpoint of the newest batch.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn newest_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let newest = self.context.durable.newest_batch().await?;
        Ok(newest.map(|newest| Checkpoint::of(&newest, &self.origin())))
    }

    /// Empties batches that were sealed before this moment. Headers and roots stay, and a signed record says what is
    /// gone, so that what is left remains verifiable.
    ///
    /// # Errors
    /// [`Error::Storage`]; [`Error::Busy`] where there is no key yet.
    pub async fn prune(&self, before: UnixTime) -> Result<Pruned, Error> {
        let durable = &self.context.durable;
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner).clone();
        let key = key.ok_or(Error::Busy)?;
        let pruned = durable.audit_prunes().await?;
        let mut pruned = Pruned {
            through: pruned.last().map_or(0, |last| last.through),
            events: 0,
        };
        if let Some(last) = self.last_before(pruned.through, before).await? {
            let record = keyhaven_audit::prune(&last, before, self.context.clock.now(), &key);
            if durable.add_audit_prune(&record).await? {
                pruned.through = last.number;
            }
        }
        // Also what a process that was stopped half-way left behind.
        loop {
            let dropped = durable.drop_pruned_events(PAGE).await?;
            pruned.events = pruned.events.saturating_add(dropped);
            if dropped == 0 {
                return Ok(pruned);
            }
        }
    }

    /// The last of the batches after `after` that were all sealed before this moment.
    async fn last_before(&self, after: u64, before: UnixTime) -> Result<Option<AuditBatch>, Error> {
        let (mut last, mut after) = (None, after);
        loop {
            let page = self.context.durable.batches(after, PAGE).await?;
            let full = page.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
            for batch in page {
                if batch.sealed_at >= before {
                    return Ok(last);
                }
                after = batch.number;
                last = Some(batch);
            }
            if !full {
                return Ok(last);
            }
        }
    }

    /// The name of this log, and so of its keys.
    fn origin(&self) -> String {
        format!("{}/keyhaven-audit", self.context.settings.relying_party.id)
    }

    fn newest_usable(&self, stored: &[AuditKey]) -> Option<(SigningKey, UnixTime)> {
        let origin = self.origin();
        let usable = stored.iter().rev().find_map(|record| {
            let key = open(&self.context.keys, record)?;
            (key.verifier_key().name() == origin).then_some((key, record.created_at))
        });
        if usable.is_none() && !stored.is_empty() {
            tracing::warn!("the stored audit keys are another log's, or sealed under another secret key");
        }
        usable
    }

    fn new_key(&self, now: UnixTime, older: Option<&SigningKey>) -> Result<(SigningKey, AuditKey), Error> {
        let mut seed = Zeroizing::new([0; 32]);
        self.context.random.fill(&mut *seed)?;
        let key = SigningKey::from_seed(&self.origin(), &seed).ok_or(RandomUnavailable)?;
        let id = key.verifier_key().id();
        let mut record = AuditKey {
            verifier_key: key.verifier_key().to_string(),
            sealed_private_key: self.context.keys.seal(
                &sealing_context(&id),
                &*seed,
                &*self.context.random,
            )?,
            id,
            created_at: now,
            endorsement: None,
        };
        record.endorsement = older.map(|older| older.endorse(&record));
        Ok((key, record))
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// Binds a sealed private key to what it is for.
fn sealing_context(id: &str) -> String {
    format!("audit {id}")
}

fn open(keys: &Keys, record: &AuditKey) -> Option<SigningKey> {
    let stored: VerifierKey = record.verifier_key.parse().ok()?;
    let seed = Zeroizing::new(keys.open(&sealing_context(&record.id), &record.sealed_private_key)?);
    let seed: &[u8; 32] = seed.as_slice().try_into().ok()?;
    let key = SigningKey::from_seed(stored.name(), seed)?;
    (*key.verifier_key() == stored && stored.id() == record.id).then_some(key)
}

/// What whoever has the secret key can check without a running server: the MAC of each event, and which keys are the
/// deployment's own.
#[derive(Debug)]
pub struct AuditSecrets(Keys);

impl AuditSecrets {
    /// Derives them.
    ///
    /// # Errors
    /// [`RandomUnavailable`] only if the cryptographic library cannot derive keys.
    pub fn derive(secret: &SecretKey) -> Result<Self, RandomUnavailable> {
        Keys::derive(secret).map(Self).ok_or(RandomUnavailable)
    }

    /// The public key of a stored key that this secret made. `None`: it is somebody else's.
    #[must_use]
    pub fn own_key(&self, record: &AuditKey) -> Option<VerifierKey> {
        open(&self.0, record).map(|key| key.verifier_key().clone())
    }
}

impl EventCheck for AuditSecrets {
    fn is_authentic(&self, event: &AuditEvent) -> bool {
        self.0.event_is_authentic(event)
    }
}
