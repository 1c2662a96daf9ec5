use keyhaven_storage::{AuditBatch, AuditEvent, AuditMember, EventId, StoredEvent};

use crate::checkpoint::Checkpoint;
use crate::{Hash, TrustedKeys, batch, event, merkle};

/// Shows that one event is sealed, without the log: the event, its way up to the root of its batch, and the headers from
/// that batch to the one whose checkpoint is trusted (often the same).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    /// The log: the name of its keys.
    pub origin: String,
    /// The event.
    pub event: AuditEvent,
    /// Its place in its batch.
    pub index: u32,
    /// The hash of each sibling, lowest first.
    pub path: Vec<Hash>,
    /// The header of its batch, and those that follow, each naming the chained root of the one before.
    pub batches: Vec<AuditBatch>,
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidProof {
    /// A header does not follow the one before it.
    #[error("the headers are no chain")]
    ChainBroken,
    /// It holds no header.
    #[error("the proof holds no batch")]
    NoBatch,
    /// The event was edited, or is of another batch.
    #[error("the event and its path do not lead to the root of the batch")]
    NotIncluded,
    /// No trusted key signed the last header.
    #[error("the last batch is not signed by a trusted key")]
    NotSigned,
}

impl Proof {
    /// The proof of an event from its batch's members and headers. `None`: it is not among them, or they do not make up
    /// the batch.
    #[must_use]
    pub fn new(
        origin: String,
        id: EventId,
        members: &[AuditMember],
        batches: Vec<AuditBatch>,
    ) -> Option<Self> {
        let at = members.iter().position(|member| member.event_id == id)?;
        let member = members.get(at)?;
        let StoredEvent::Whole(event) = &member.event else {
            return None;
        };
        let hashes: Vec<_> = members.iter().map(|member| member.hash).collect();
        let sound = event::leaf(event) == member.hash
            && merkle::root(&hashes) == batches.first()?.root
            && usize::try_from(member.index) == Ok(at);
        sound.then_some(Self {
            origin,
            event: event.clone(),
            index: member.index,
            path: merkle::path(&hashes, at)?,
            batches,
        })
    }

    /// Whether the event is in the log of these keys. Answers the checkpoint that it rests on.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, keys: &TrustedKeys) -> Result<Checkpoint, InvalidProof> {
        let first = self.batches.first().ok_or(InvalidProof::NoBatch)?;
        let last = self.batches.last().ok_or(InvalidProof::NoBatch)?;
        let (index, size) = (u64::from(self.index), u64::from(first.events));
        let led_to = merkle::root_from_path(event::leaf(&self.event), index, size, &self.path);
        if led_to != Some(first.root) {
            return Err(InvalidProof::NotIncluded);
        }
        let follows = |(before, after): (&AuditBatch, &AuditBatch)| {
            after.previous == batch::chain(before) && before.number.checked_add(1) == Some(after.number)
        };
        if !self.batches.iter().zip(self.batches.iter().skip(1)).all(follows) {
            return Err(InvalidProof::ChainBroken);
        }
        let checkpoint = Checkpoint::of(last, &self.origin);
        if checkpoint.is_signed(keys) {
            Ok(checkpoint)
        } else {
            Err(InvalidProof::NotSigned)
        }
    }
}
