use keyhaven_storage::{AuditBatch, AuditEvent, AuditLeaf, MAX_BATCH_EVENTS};
use keyhaven_types::UnixTime;

use crate::checkpoint::Checkpoint;
use crate::{Hash, SigningKey, event, merkle, sha256};

/// The chained root: a hash of the header without its signature, and so of the chained root before, and so on.
#[must_use]
pub fn chain(batch: &AuditBatch) -> Hash {
    sha256(&[
        b"keyhaven audit batch 1\n",
        &batch.number.to_be_bytes(),
        &batch.sealed_at.as_millis().to_be_bytes(),
        &batch.events.to_be_bytes(),
        &batch.total.to_be_bytes(),
        &batch.root,
        &batch.previous,
    ])
}

/// Brings events into the order in which a batch holds them: by time, of one moment by id.
pub fn in_order(events: &mut [AuditEvent]) {
    events.sort_by_key(|event| (event.at, event.id));
}

/// Makes the batch that comes after `newest`, of at most [`MAX_BATCH_EVENTS`] events, and signs it. `None`: there are no
/// events, or too many.
#[must_use]
pub fn seal(
    newest: Option<&AuditBatch>,
    mut events: Vec<AuditEvent>,
    sealed_at: UnixTime,
    key: &SigningKey,
) -> Option<(AuditBatch, Vec<AuditLeaf>)> {
    let count = u32::try_from(events.len()).ok()?;
    if !(1..=MAX_BATCH_EVENTS).contains(&count) {
        return None;
    }
    in_order(&mut events);
    let leaves: Vec<_> = events
        .iter()
        .map(|event| AuditLeaf {
            event: event.id,
            hash: event::leaf(event),
        })
        .collect();
    let hashes: Vec<_> = leaves.iter().map(|leaf| leaf.hash).collect();
    let mut batch = AuditBatch {
        number: newest.map_or(0, |newest| newest.number).checked_add(1)?,
        sealed_at,
        events: count,
        total: newest
            .map_or(0, |newest| newest.total)
            .checked_add(u64::from(count))?,
        root: merkle::root(&hashes),
        previous: newest.map_or([0; 32], chain),
        key_id: key.verifier_key().id(),
        signature: [0; 64],
    };
    batch.signature = key.sign(&Checkpoint::of(&batch, key.verifier_key().name()).text());
    Some((batch, leaves))
}
