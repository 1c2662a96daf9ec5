//! What the sealed audit log is kept in: batches, which event is in which, keys and prune records.

use async_trait::async_trait;
use keyhaven_types::UnixTime;

use crate::{AuditEvent, Damaged, EventId, StorageError};

/// More events than this one batch does not hold.
pub const MAX_BATCH_EVENTS: u32 = 1_000;

/// The header of a batch: events that were sealed together, and what ties them to all batches before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditBatch {
    /// 1, 2, 3 and so on, without a gap.
    pub number: u64,
    /// When it was sealed.
    pub sealed_at: UnixTime,
    /// How many events it holds, 1 to [`MAX_BATCH_EVENTS`].
    pub events: u32,
    /// How many events this batch and all before it hold.
    pub total: u64,
    /// Root of the Merkle tree over its events.
    pub root: [u8; 32],
    /// Chained root of the batch before; zeros for the first.
    pub previous: [u8; 32],
    /// The key that signed it.
    pub key_id: String,
    /// Ed25519 signature of its checkpoint.
    pub signature: [u8; 64],
}

/// One event of a batch that is to be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditLeaf {
    /// The event.
    pub event: EventId,
    /// Hash of the event, a leaf of the batch's tree.
    pub hash: [u8; 32],
}

/// An event as it was found, whatever has become of it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are whole")]
pub enum StoredEvent {
    /// There is a row, with a value in it that no version of Keyhaven writes.
    Damaged(Damaged),
    /// There is no row.
    Missing,
    /// There is a row.
    Whole(AuditEvent),
}

/// What is stored about one place in a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditMember {
    /// Its place in the batch, from 0.
    pub index: u32,
    /// The event that is said to be there.
    pub event_id: EventId,
    /// The leaf's hash.
    pub hash: [u8; 32],
    /// The event.
    pub event: StoredEvent,
}

/// An event that no batch holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnsealedEvent {
    /// Its id.
    pub id: EventId,
    /// Whether it waits to be sealed. Every event does from its commit on, until it is sealed.
    pub waits: bool,
    /// The event; never [`StoredEvent::Missing`].
    pub event: StoredEvent,
}

/// What a look at some events found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnsealedPage {
    /// Those that no batch holds, in order of their ids.
    pub events: Vec<UnsealedEvent>,
    /// Where to look on; `None`: that was the end.
    pub next: Option<EventId>,
}

/// A key that signs batches. Kept for ever: what it signed must stay verifiable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditKey {
    /// Key id: 8 hexadecimal digits.
    pub id: String,
    /// The public key in text form (C2SP signed-note verifier key).
    pub verifier_key: String,
    /// The private key, encrypted by the service.
    pub sealed_private_key: Vec<u8>,
    /// When it was made; the newest signs.
    pub created_at: UnixTime,
    /// The key before that vouches for it, and its signature over the verifier key.
    pub endorsement: Option<(String, [u8; 64])>,
}

/// A signed statement that old batches were emptied: their events are gone on purpose, their headers stay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditPrune {
    /// This batch and all before it.
    pub through: u64,
    /// Chained root of that batch.
    pub chain: [u8; 32],
    /// Everything sealed before this moment was to go.
    pub before: UnixTime,
    /// When it was decided.
    pub at: UnixTime,
    /// The key that signed it.
    pub key_id: String,
    /// Ed25519 signature of the statement.
    pub signature: [u8; 64],
}

/// The sealed log. Events are appended by other traits and wait until a batch holds them; they are never updated.
#[async_trait]
pub trait AuditLogStore: Send + Sync {
    /// Events that wait to be sealed, in order of their ids, after `after` when given, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn waiting_events(
        &self,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<(EventId, StoredEvent)>, StorageError>;

    /// The batch with the highest number.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn newest_batch(&self) -> Result<Option<AuditBatch>, StorageError>;

    /// Writes a batch and which events it holds (in this order); they wait no longer. All of it or nothing: of racing
    /// processes that write one number, or hold one event, one does; the others are told `false`. Its number must be
    /// the next one, and its events must be waiting.
    ///
    /// # Errors
    /// When the store cannot answer; then nothing was written, or (the connection lost during commit) all of it.
    async fn seal(&self, batch: &AuditBatch, leaves: &[AuditLeaf]) -> Result<bool, StorageError>;

    /// Batches with a number above `after`, in their order, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot answer; [`Damaged`] where a header holds what no version of Keyhaven writes.
    async fn batches(&self, after: u64, limit: u32) -> Result<Vec<AuditBatch>, StorageError>;

    /// What is stored about a batch's places, in their order, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot answer; [`Damaged`] as for headers.
    async fn batch_members(&self, batch: u64, limit: u32) -> Result<Vec<AuditMember>, StorageError>;

    /// Looks at the next `span` events after `after`, in order of their ids, and answers those that no batch holds.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn unsealed_events(&self, after: Option<EventId>, span: u32) -> Result<UnsealedPage, StorageError>;

    /// The batch that holds an event.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn batch_of(&self, event: EventId) -> Result<Option<u64>, StorageError>;

    /// All keys that ever signed, oldest first.
    ///
    /// # Errors
    /// When the store cannot answer; [`Damaged`] as for headers.
    async fn audit_keys(&self) -> Result<Vec<AuditKey>, StorageError>;

    /// Adds a key unless one that was made at `unless_newer_than` or later is there. Tells whether it was added: of
    /// racing processes one adds.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn add_audit_key(&self, key: &AuditKey, unless_newer_than: UnixTime) -> Result<bool, StorageError>;

    /// All prune records, in their order.
    ///
    /// # Errors
    /// When the store cannot answer; [`Damaged`] as for headers.
    async fn audit_prunes(&self) -> Result<Vec<AuditPrune>, StorageError>;

    /// Records that batches are to be emptied, unless a record reaches as far already. Tells whether it was written.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn add_audit_prune(&self, prune: &AuditPrune) -> Result<bool, StorageError>;

    /// Drops events of batches that a prune record names, whole batches, at most about `limit` events, and tells how
    /// many. Several processes may do it at once. Nothing else ever deletes an event.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn drop_pruned_events(&self, limit: u32) -> Result<u64, StorageError>;
}
