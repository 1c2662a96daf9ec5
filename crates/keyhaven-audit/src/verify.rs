use std::collections::BTreeMap;
use std::fmt;

use keyhaven_storage::{
    AuditBatch, AuditEvent, AuditMember, AuditPrune, EventId, MAX_BATCH_EVENTS, StoredEvent, UnsealedEvent,
};
use keyhaven_types::UnixTime;

use crate::checkpoint::Checkpoint;
use crate::{Hash, TrustedKeys, batch, event, merkle, prune};

/// As many findings are kept; all are counted.
const MAX_FINDINGS: usize = 100;

/// Checks the MAC of an event: whoever has the secret key can.
pub trait EventCheck {
    /// Whether the event is as the server wrote it.
    fn is_authentic(&self, event: &AuditEvent) -> bool;
}

/// Where something is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// A batch's header, or the batch as a whole.
    Batch(u64),
    /// A checkpoint that was kept elsewhere, by its batch.
    Checkpoint(u64),
    /// An event, and where it is sealed.
    Event(EventId, Option<(u64, u32)>),
    /// A place in a batch, of which no event is known.
    Position(u64, u32),
    /// A prune record, by the last batch that it names.
    Prune(u64),
}

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Wrong {
    /// It does not name the chained root of the batch before it.
    ChainBroken,
    /// A stored value is none that Keyhaven writes.
    Damaged(&'static str),
    /// It is not what was sealed, or its MAC is wrong.
    Edited,
    /// Its events are not those that were sealed; which of them cannot be told.
    EventsReplaced,
    /// It is where nothing was sealed.
    Inserted,
    /// The row that says where it is sealed was edited.
    MembershipEdited,
    /// It is gone.
    Missing,
    /// The signature is not valid: it was edited.
    NotSigned,
    /// It was sealed at another place.
    Reordered,
    /// Another log: this is not the one that a checkpoint was taken of.
    Rewritten,
    /// The log ends before, at this batch.
    Truncated(u64),
    /// It is signed by a key that is not trusted.
    UnknownKey(String),
    /// No batch holds it, and it does not wait to be sealed: it was inserted, or kept from being sealed.
    Withheld,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What.
    pub wrong: Wrong,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(number) => write!(f, "batch {number}"),
            Self::Checkpoint(number) => write!(f, "checkpoint of batch {number}"),
            Self::Event(id, None) => write!(f, "event {id} (not sealed)"),
            Self::Event(id, Some((number, index))) => {
                write!(f, "event {id} (batch {number}, position {index})")
            }
            Self::Position(number, index) => write!(f, "batch {number}, position {index}"),
            Self::Prune(through) => write!(f, "prune record through batch {through}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match (&self.wrong, place) {
            (Wrong::ChainBroken, _) => write!(f, "{place}: does not follow the batch before it"),
            (Wrong::Damaged(what), _) => write!(f, "{place}: edited: the stored {what} is damaged"),
            (Wrong::Edited, _) => write!(f, "{place}: edited"),
            (Wrong::EventsReplaced, _) => {
                write!(
                    f,
                    "{place}: edited: its events and their hashes are not those that were sealed"
                )
            }
            (Wrong::Inserted, _) => write!(f, "{place}: inserted"),
            (Wrong::MembershipEdited, _) => {
                write!(f, "{place}: the row that says where it is sealed was edited")
            }
            (Wrong::Missing, _) => write!(f, "{place}: missing"),
            (Wrong::NotSigned, _) => write!(f, "{place}: edited: its signature is not valid"),
            (Wrong::Reordered, _) => write!(f, "{place}: reordered: it was sealed at another position"),
            (Wrong::Rewritten, Place::Checkpoint(number)) => {
                write!(
                    f,
                    "{place}: rewritten: batch {number} is not the one it was taken of"
                )
            }
            (Wrong::Rewritten, _) => write!(f, "{place}: rewritten"),
            (Wrong::Truncated(0), _) => write!(f, "{place}: truncated: the log has no batches"),
            (Wrong::Truncated(end), _) => write!(f, "{place}: truncated: the log ends at batch {end}"),
            (Wrong::UnknownKey(id), _) => write!(f, "{place}: signed by key {id}, which is not trusted"),
            (Wrong::Withheld, _) => write!(
                f,
                "{place}: inserted, or kept from being sealed: it does not wait to be sealed"
            ),
        }
    }
}

/// What a verification found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Batches whose headers were checked.
    pub batches: u64,
    /// Events that were checked against their batches.
    pub sealed: u64,
    /// Events that no batch holds yet.
    pub unsealed: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// Whether every event's MAC was checked, too.
    pub macs_checked: bool,
    /// What was pruned: through which batch, how many events, and that everything sealed before this moment was to go.
    pub pruned: Option<(u64, u64, UnixTime)>,
    /// The newest batch: number, chained root, when it was sealed.
    pub newest: Option<(u64, Hash, UnixTime)>,
    /// What is wrong, first things first; the first `MAX_FINDINGS`.
    pub findings: Vec<Finding>,
    /// How many things are wrong.
    pub problems: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.problems == 0
    }

    fn add(&mut self, place: Place, wrong: Wrong) {
        self.problems = self.problems.saturating_add(1);
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { place, wrong });
        }
    }
}

/// Verifies a log that is pushed to it: checkpoints and prune records first, then batches in their order, then what no batch
/// holds. Keeps one header and the checkpoints, however long the log is.
pub struct Verifier<'a> {
    keys: TrustedKeys,
    macs: Option<&'a dyn EventCheck>,
    checkpoints: BTreeMap<u64, Checkpoint>,
    prunes: BTreeMap<u64, AuditPrune>,
    newest: Option<AuditBatch>,
    report: Report,
}

impl<'a> Verifier<'a> {
    /// A verification by these keys; with `macs` each event's MAC is checked as well.
    #[must_use]
    pub fn new(keys: TrustedKeys, macs: Option<&'a dyn EventCheck>) -> Self {
        Self {
            keys,
            macs,
            checkpoints: BTreeMap::new(),
            prunes: BTreeMap::new(),
            newest: None,
            report: Report {
                macs_checked: macs.is_some(),
                ..Report::default()
            },
        }
    }

    /// Takes a checkpoint that was kept elsewhere.
    pub fn checkpoint(&mut self, checkpoint: Checkpoint) {
        let place = Place::Checkpoint(checkpoint.batch);
        self.report.checkpoints = self.report.checkpoints.saturating_add(1);
        if self.keys.get(&checkpoint.key_id).is_none() {
            self.report
                .add(place, Wrong::UnknownKey(checkpoint.key_id.clone()));
        } else if !checkpoint.is_signed(&self.keys) {
            self.report.add(place, Wrong::NotSigned);
        } else {
            let known = self.checkpoints.get(&checkpoint.batch);
            if known.is_some_and(|known| known.chain != checkpoint.chain) {
                // Two histories of one log, both signed.
                self.report.add(place, Wrong::Rewritten);
            }
            self.checkpoints.insert(checkpoint.batch, checkpoint);
        }
    }

    /// Takes a prune record.
    pub fn prune(&mut self, prune: AuditPrune) {
        let place = Place::Prune(prune.through);
        if self.keys.get(&prune.key_id).is_none() {
            self.report.add(place, Wrong::UnknownKey(prune.key_id));
        } else if prune::prune_is_signed(&prune, &self.keys) {
            self.prunes.insert(prune.through, prune);
        } else {
            self.report.add(place, Wrong::NotSigned);
        }
    }

    /// Takes the next batch, and what is stored about its places, in their order. One place more than the header counts
    /// is enough to find an insertion.
    pub fn batch(&mut self, batch: &AuditBatch, members: &[AuditMember]) {
        self.header(batch);
        let last_prune = self.prunes.last_key_value();
        let pruned = last_prune.filter(|(through, _)| batch.number <= **through);
        match pruned {
            Some((through, prune)) if members.is_empty() => {
                let events = self.report.pruned.map_or(0, |(_, events, _)| events);
                let events = events.saturating_add(u64::from(batch.events));
                self.report.pruned = Some((*through, events, prune.before));
            }
            Some(_) | None => self.members(batch, members),
        }
        self.report.batches = self.report.batches.saturating_add(1);
        self.newest = Some(batch.clone());
    }

    /// Takes a header that could not be read at all.
    pub fn damaged_batch(&mut self, number: u64, what: &'static str) {
        self.report.add(Place::Batch(number), Wrong::Damaged(what));
    }

    /// Takes an event that no batch holds.
    pub fn unsealed(&mut self, unsealed: &UnsealedEvent) {
        self.report.unsealed = self.report.unsealed.saturating_add(1);
        let place = Place::Event(unsealed.id, None);
        match &unsealed.event {
            StoredEvent::Damaged(damaged) => self.report.add(place, Wrong::Damaged(damaged.0)),
            StoredEvent::Missing => self.report.add(place, Wrong::Missing),
            StoredEvent::Whole(event) if self.is_forged(event) => self.report.add(place, Wrong::Edited),
            StoredEvent::Whole(_) if !unsealed.waits => self.report.add(place, Wrong::Withheld),
            StoredEvent::Whole(_) => {}
        }
    }

    /// All has been taken.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let end = self.newest.as_ref().map_or(0, |newest| newest.number);
        for number in self.checkpoints.keys().filter(|number| **number > end) {
            self.report.add(Place::Checkpoint(*number), Wrong::Truncated(end));
        }
        for through in self.prunes.keys().filter(|through| **through > end) {
            self.report.add(Place::Prune(*through), Wrong::Truncated(end));
        }
        self.report.newest = self
            .newest
            .map(|newest| (newest.number, batch::chain(&newest), newest.sealed_at));
        self.report
    }

    fn is_forged(&self, event: &AuditEvent) -> bool {
        self.macs.is_some_and(|macs| !macs.is_authentic(event))
    }

    fn header(&mut self, batch: &AuditBatch) {
        let number = batch.number;
        let place = || Place::Batch(number);
        let next = self
            .newest
            .as_ref()
            .map_or(1, |newest| newest.number.saturating_add(1));
        let total = self.newest.as_ref().map_or(0, |newest| newest.total);
        let chained = self.newest.as_ref().map_or([0; 32], batch::chain);
        if number > next {
            self.report.add(Place::Batch(next), Wrong::Missing);
        }
        match self.keys.get(&batch.key_id) {
            None => self.report.add(place(), Wrong::UnknownKey(batch.key_id.clone())),
            Some(key) => {
                let checkpoint = Checkpoint::of(batch, key.name());
                if !checkpoint.is_signed(&self.keys) {
                    self.report.add(place(), Wrong::NotSigned);
                }
            }
        }
        let counts = batch.total == total.saturating_add(u64::from(batch.events))
            && (1..=MAX_BATCH_EVENTS).contains(&batch.events);
        if number == next && (batch.previous != chained || !counts) || number < next {
            self.report.add(place(), Wrong::ChainBroken);
        }
        let chain = batch::chain(batch);
        if self
            .checkpoints
            .get(&number)
            .is_some_and(|kept| kept.chain != chain)
        {
            self.report.add(Place::Checkpoint(number), Wrong::Rewritten);
        }
        if self.prunes.get(&number).is_some_and(|prune| prune.chain != chain) {
            self.report.add(Place::Prune(number), Wrong::Rewritten);
        }
    }

    fn members(&mut self, batch: &AuditBatch, members: &[AuditMember]) {
        let before = self.report.problems;
        // What was sealed where, as far as rows tell: hash of the event, hash that was stored.
        let mut leaves = Vec::with_capacity(members.len());
        let mut expected = 0_u32;
        for member in members {
            let place = Place::Event(member.event_id, Some((batch.number, member.index)));
            if member.index >= batch.events || member.index < expected {
                self.report.add(place, Wrong::Inserted);
                continue;
            }
            while expected < member.index {
                self.report
                    .add(Place::Position(batch.number, expected), Wrong::Missing);
                expected = expected.saturating_add(1);
            }
            expected = expected.saturating_add(1);
            let found = match &member.event {
                StoredEvent::Whole(event) => Some(event::leaf(event)),
                StoredEvent::Damaged(damaged) => {
                    self.report.add(place, Wrong::Damaged(damaged.0));
                    None
                }
                StoredEvent::Missing => {
                    self.report.add(place, Wrong::Missing);
                    None
                }
            };
            leaves.push((member, found));
        }
        while expected < batch.events.min(MAX_BATCH_EVENTS) {
            self.report
                .add(Place::Position(batch.number, expected), Wrong::Missing);
            expected = expected.saturating_add(1);
        }
        let whole = u64::try_from(leaves.iter().filter(|(_, found)| found.is_some()).count());
        self.report.sealed = self.report.sealed.saturating_add(whole.unwrap_or(u64::MAX));
        self.leaves(batch, &leaves, before);
    }

    /// Holds the events of a batch against its root, and names those that differ.
    fn leaves(&mut self, batch: &AuditBatch, leaves: &[(&AuditMember, Option<Hash>)], before: u64) {
        let stored: Vec<_> = leaves.iter().map(|(member, _)| member.hash).collect();
        let found: Vec<_> = leaves
            .iter()
            .map(|(member, found)| found.unwrap_or(member.hash))
            .collect();
        let (stored_is_right, found_is_right) = (
            merkle::root(&stored) == batch.root,
            merkle::root(&found) == batch.root,
        );
        for (member, found) in leaves {
            let Some(found) = found else { continue };
            let StoredEvent::Whole(event) = &member.event else {
                continue;
            };
            let place = Place::Event(member.event_id, Some((batch.number, member.index)));
            let differs = *found != member.hash;
            if differs && found_is_right {
                self.report.add(place, Wrong::MembershipEdited);
            } else if differs && stored.contains(found) {
                self.report.add(place, Wrong::Reordered);
            } else if differs || self.is_forged(event) {
                self.report.add(place, Wrong::Edited);
            }
        }
        if stored_is_right || found_is_right || self.report.problems > before {
            return;
        }
        // Every row agrees with itself, and yet these are not the events that were sealed.
        let events = leaves.iter().filter_map(|(member, _)| match &member.event {
            StoredEvent::Whole(event) => Some((*member, event)),
            StoredEvent::Damaged(_) | StoredEvent::Missing => None,
        });
        let mut ordered: Vec<_> = events.collect();
        ordered.sort_by_key(|(_, event)| (event.at, event.id));
        let hashes: Vec<_> = ordered.iter().map(|(member, _)| member.hash).collect();
        let moved = ordered
            .iter()
            .zip(leaves)
            .find(|((ordered, _), (member, _))| ordered.event_id != member.event_id);
        match moved {
            Some((_, (member, _))) if merkle::root(&hashes) == batch.root => self.report.add(
                Place::Event(member.event_id, Some((batch.number, member.index))),
                Wrong::Reordered,
            ),
            Some(_) | None => self.report.add(Place::Batch(batch.number), Wrong::EventsReplaced),
        }
    }
}

impl fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}
