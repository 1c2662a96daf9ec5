use std::ops::Bound;

use async_trait::async_trait;
use keyhaven_storage::{
    AuditBatch, AuditKey, AuditLeaf, AuditLogStore, AuditMember, AuditPrune, EventId, MAX_BATCH_EVENTS,
    StorageError, StoredEvent, UnsealedEvent, UnsealedPage,
};
use keyhaven_types::UnixTime;

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl AuditLogStore for MemoryStore {
    async fn waiting_events(
        &self,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<(EventId, StoredEvent)>, StorageError> {
        self.with("audit.waiting", |state| {
            let waiting = state.unsealed.range(from(after)).take(count(limit));
            Ok(waiting.map(|id| (*id, state.found(*id))).collect())
        })
    }

    async fn newest_batch(&self) -> Result<Option<AuditBatch>, StorageError> {
        self.with("audit.newest", |state| {
            Ok(state.batches.last().map(|(batch, _)| batch.clone()))
        })
    }

    async fn seal(&self, batch: &AuditBatch, leaves: &[AuditLeaf]) -> Result<bool, StorageError> {
        self.with("audit.seal", |state| {
            let newest = state.batches.last().map_or(0, |(newest, _)| newest.number);
            let waiting = leaves.iter().all(|leaf| state.unsealed.contains(&leaf.event));
            let mut ids: Vec<_> = leaves.iter().map(|leaf| leaf.event).collect();
            ids.sort_unstable();
            ids.dedup();
            let counted = ids.len() == leaves.len() && usize::try_from(batch.events) == Ok(leaves.len());
            if newest.checked_add(1) != Some(batch.number) || !waiting || !counted {
                return Ok(false);
            }
            for id in ids {
                state.unsealed.remove(&id);
                state.batch_of.insert(id, batch.number);
            }
            state.batches.push((batch.clone(), leaves.to_vec()));
            Ok(true)
        })
    }

    async fn batches(&self, after: u64, limit: u32) -> Result<Vec<AuditBatch>, StorageError> {
        self.with("audit.batches", |state| {
            let batches = state.batches.iter().map(|(batch, _)| batch);
            let newer = batches.filter(|batch| batch.number > after);
            Ok(newer.take(count(limit)).cloned().collect())
        })
    }

    async fn batch_members(&self, batch: u64, limit: u32) -> Result<Vec<AuditMember>, StorageError> {
        self.with("audit.members", |state| {
            let found = state.batches.iter().find(|(known, _)| known.number == batch);
            let leaves = found.map(|(_, leaves)| leaves.as_slice()).unwrap_or_default();
            let members = (0..limit).zip(leaves).map(|(index, leaf)| AuditMember {
                index,
                event_id: leaf.event,
                hash: leaf.hash,
                event: state.found(leaf.event),
            });
            Ok(members.collect())
        })
    }

    async fn unsealed_events(&self, after: Option<EventId>, span: u32) -> Result<UnsealedPage, StorageError> {
        self.with("audit.unsealed", |state| {
            let page: Vec<_> = state
                .events
                .range(from(after))
                .take(count(span))
                .map(|(id, _)| *id)
                .collect();
            let unsealed = page.iter().filter(|id| !state.batch_of.contains_key(id));
            let events = unsealed.map(|id| UnsealedEvent {
                id: *id,
                waits: state.unsealed.contains(id),
                event: state.found(*id),
            });
            Ok(UnsealedPage {
                events: events.collect(),
                next: page.last().copied().filter(|_| page.len() == count(span)),
            })
        })
    }

    async fn batch_of(&self, event: EventId) -> Result<Option<u64>, StorageError> {
        self.with("audit.batch_of", |state| Ok(state.batch_of.get(&event).copied()))
    }

    async fn audit_keys(&self) -> Result<Vec<AuditKey>, StorageError> {
        self.with("audit.keys", |state| {
            let mut keys = state.audit_keys.clone();
            keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
            Ok(keys)
        })
    }

    async fn add_audit_key(&self, key: &AuditKey, unless_newer_than: UnixTime) -> Result<bool, StorageError> {
        self.with("audit.add_key", |state| {
            if state
                .audit_keys
                .iter()
                .any(|known| known.created_at >= unless_newer_than)
            {
                return Ok(false);
            }
            if state.audit_keys.iter().any(|known| known.id == key.id) {
                return Err(Conflict("a key with this id exists"));
            }
            state.audit_keys.push(key.clone());
            Ok(true)
        })
    }

    async fn audit_prunes(&self) -> Result<Vec<AuditPrune>, StorageError> {
        self.with("audit.prunes", |state| Ok(state.audit_prunes.clone()))
    }

    async fn add_audit_prune(&self, prune: &AuditPrune) -> Result<bool, StorageError> {
        self.with("audit.add_prune", |state| {
            let farther = state.pruned_through() < prune.through;
            if farther {
                state.audit_prunes.push(prune.clone());
            }
            Ok(farther)
        })
    }

    async fn drop_pruned_events(&self, limit: u32) -> Result<u64, StorageError> {
        self.with("audit.drop_pruned", |state| {
            let through = state.pruned_through();
            let full = state
                .batches
                .iter_mut()
                .filter(|(batch, leaves)| batch.number <= through && !leaves.is_empty());
            let batches = full.take(count((limit / MAX_BATCH_EVENTS).max(1)));
            let leaves: Vec<_> = batches.flat_map(|(_, leaves)| std::mem::take(leaves)).collect();
            for leaf in &leaves {
                state.batch_of.remove(&leaf.event);
                state.drop_event(leaf.event);
            }
            Ok(u64::try_from(leaves.len()).unwrap_or(u64::MAX))
        })
    }
}

impl State {
    fn found(&self, id: EventId) -> StoredEvent {
        self.events
            .get(&id)
            .cloned()
            .map_or(StoredEvent::Missing, StoredEvent::Whole)
    }

    fn pruned_through(&self) -> u64 {
        self.audit_prunes.last().map_or(0, |prune| prune.through)
    }
}

fn from(after: Option<EventId>) -> (Bound<EventId>, Bound<EventId>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
