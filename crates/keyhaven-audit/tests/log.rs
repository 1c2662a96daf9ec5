//! A log, and everything that can be done to it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use keyhaven_audit::export::{BatchBody, Item, Line, ProofBody, Reader, VERSION, member, unsealed};
use keyhaven_audit::{
    Checkpoint, EventCheck, Place, Proof, Report, SigningKey, TrustedKeys, Verifier, Wrong, prune, seal,
};
use keyhaven_storage::{
    AccountId, AuditBatch, AuditEvent, AuditMember, AuditOutcome, AuditPrune, EventId, StoredEvent,
    UnsealedEvent,
};
use keyhaven_types::{CredentialId, UnixTime};
use proptest::prelude::*;
use uuid::Uuid;

const ORIGIN: &str = "example.org/keyhaven-audit";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap()
}

fn keys() -> TrustedKeys {
    let mut keys = TrustedKeys::default();
    keys.trust(key(1).verifier_key().clone());
    keys
}

fn event(n: u32) -> AuditEvent {
    let mut event = AuditEvent {
        id: EventId(Uuid::from_u128(0x1000 + u128::from(n))),
        // Some share a moment.
        at: UnixTime::from_millis(1_790_000_000_000 + i64::from(n / 2)),
        action: "login.finish".into(),
        outcome: AuditOutcome::Refused,
        code: Some("challenge_missing".into()),
        step: None,
        account: n
            .is_multiple_of(3)
            .then(|| AccountId(Uuid::from_u128(u128::from(n)))),
        credential: Some(CredentialId::try_from(&n.to_be_bytes()[..]).unwrap()),
        session: None,
        ip: Some("192.0.2.1".into()),
        user_agent: Some("a \"browser\" \u{1f511}".into()),
        request_id: Some(format!("request-{n}")),
        personal: n.is_multiple_of(2).then(|| n.to_be_bytes().to_vec()),
        actor: None,
        mac: [0; 32],
    };
    event.mac = mac(&event);
    event
}

/// A stand-in for the keyed MAC.
fn mac(event: &AuditEvent) -> [u8; 32] {
    let unkeyed = AuditEvent {
        mac: [0x5a; 32],
        ..event.clone()
    };
    keyhaven_audit::leaf(&unkeyed)
}

struct Macs;

impl EventCheck for Macs {
    fn is_authentic(&self, event: &AuditEvent) -> bool {
        event.mac == mac(event)
    }
}

#[derive(Clone, Debug)]
struct Log {
    batches: Vec<(AuditBatch, Vec<AuditMember>)>,
    unsealed: Vec<UnsealedEvent>,
    prunes: Vec<AuditPrune>,
}

impl Log {
    /// Batches of these sizes, and two events that wait.
    fn of(sizes: &[u32]) -> Self {
        let mut log = Self {
            batches: Vec::new(),
            unsealed: Vec::new(),
            prunes: Vec::new(),
        };
        let mut n = 0;
        for size in sizes {
            let events: Vec<_> = (n..n + size).rev().map(event).collect();
            n += size;
            log.seal(&events, &key(1));
        }
        for n in n..n + 2 {
            log.unsealed.push(UnsealedEvent {
                id: event(n).id,
                waits: true,
                event: StoredEvent::Whole(event(n)),
            });
        }
        log
    }

    fn seal(&mut self, events: &[AuditEvent], key: &SigningKey) {
        let newest = self.batches.last().map(|(batch, _)| batch);
        let at = UnixTime::from_millis(1_800_000_000_000 + i64::try_from(self.batches.len()).unwrap());
        let (batch, leaves) = seal(newest, events.to_vec(), at, key).unwrap();
        let members = (0..).zip(leaves).map(|(index, leaf)| AuditMember {
            index,
            event_id: leaf.event,
            hash: leaf.hash,
            event: StoredEvent::Whole(
                events
                    .iter()
                    .find(|event| event.id == leaf.event)
                    .unwrap()
                    .clone(),
            ),
        });
        let members = members.collect();
        self.batches.push((batch, members));
    }

    fn checkpoint(&self, batch: usize) -> Checkpoint {
        Checkpoint::of(&self.batches[batch].0, ORIGIN)
    }

    fn verify_with(&self, checkpoints: &[Checkpoint], macs: bool) -> Report {
        let macs: Option<&dyn EventCheck> = if macs { Some(&Macs) } else { None };
        let mut verifier = Verifier::new(keys(), macs);
        for checkpoint in checkpoints {
            verifier.checkpoint(checkpoint.clone());
        }
        for prune in &self.prunes {
            verifier.prune(prune.clone());
        }
        for (batch, members) in &self.batches {
            verifier.batch(batch, members);
        }
        for unsealed in &self.unsealed {
            verifier.unsealed(unsealed);
        }
        verifier.finish()
    }

    fn verify(&self) -> Report {
        self.verify_with(&[], false)
    }

    /// As lines of JSON and back.
    fn exported(&self) -> Self {
        let mut lines = vec![Line::Log {
            version: VERSION,
            newest_batch: 0,
        }];
        lines.extend(self.prunes.iter().map(Line::from));
        let mut events = 0;
        for (batch, members) in &self.batches {
            lines.push(Line::Batch(BatchBody::from(batch)));
            lines.extend(members.iter().map(|one| member(batch.number, one)));
            events += members
                .iter()
                .filter(|member| matches!(member.event, StoredEvent::Whole(_)))
                .count();
        }
        lines.extend(self.unsealed.iter().map(unsealed));
        lines.push(Line::End {
            batches: number(self.batches.len()),
            events: number(events),
            unsealed: number(self.unsealed.len()),
        });
        let mut read = Self::of(&[]);
        read.unsealed.clear();
        let mut reader = Reader::default();
        for line in lines {
            let text = serde_json::to_string(&line).unwrap();
            for item in reader.line(serde_json::from_str(&text).unwrap()).unwrap() {
                match item {
                    Item::Batch(batch, members) => read.batches.push((batch, members)),
                    Item::Prune(prune) => read.prunes.push(prune),
                    Item::Unsealed(unsealed) => read.unsealed.push(unsealed),
                    Item::Key(key) => panic!("{key:?}"),
                }
            }
        }
        assert!(reader.is_whole());
        read
    }
}

#[test]
fn a_log_verifies_and_reads_back_from_its_export() {
    let mut log = Log::of(&[3, 1, 8, 1000, 5]);
    let report = log.verify_with(&[log.checkpoint(0), log.checkpoint(4)], true);
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.batches, report.sealed, report.unsealed), (5, 1017, 2));
    let last = log.batches[1].0.clone();
    let at = UnixTime::from_millis(1);
    log.prunes.push(prune(&last, at, at, &key(1)));
    log.batches[0].1.clear();
    log.batches[1].1.clear();
    let read = log.exported();
    assert_eq!((&read.batches, &read.unsealed), (&log.batches, &log.unsealed));
    let report = read.verify();
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.pruned, Some((2, 4, at)));
}

#[test]
fn an_empty_log_verifies_unless_a_checkpoint_says_that_there_was_more() {
    let log = Log::of(&[]);
    assert!(log.verify().is_sound());
    let checkpoint = Log::of(&[2]).checkpoint(0);
    let report = log.verify_with(&[checkpoint], false);
    assert_eq!(report.findings[0].place, Place::Checkpoint(1));
    assert_eq!(report.findings[0].wrong, Wrong::Truncated(0));
}

#[test]
fn only_pruned_batches_may_be_empty_and_only_by_a_signed_record() {
    let log = Log::of(&[2, 2, 2]);
    let at = UnixTime::from_millis(1);
    let record = prune(&log.batches[0].0, at, at, &key(1));
    let mut emptied = log.clone();
    emptied.batches[0].1.clear();
    assert!(!emptied.verify().is_sound());
    emptied.prunes.push(record.clone());
    assert!(emptied.verify().is_sound());
    // A record that is written, and whose events are still there: they are verified.
    let mut full = log.clone();
    full.prunes.push(record.clone());
    assert!(full.verify().is_sound());
    full.batches[0].1.pop();
    assert!(!full.verify().is_sound());
    // Farther than it says, by another key, of another log.
    emptied.batches[1].1.clear();
    assert!(!emptied.verify().is_sound());
    for forged in [
        AuditPrune {
            through: 2,
            ..record.clone()
        },
        AuditPrune {
            before: UnixTime::from_millis(2),
            ..record.clone()
        },
        AuditPrune {
            chain: [0; 32],
            ..record
        },
        prune(&log.batches[1].0, at, at, &key(2)),
        prune(&Log::of(&[1, 1]).batches[1].0, at, at, &key(1)),
    ] {
        let mut other = emptied.clone();
        other.prunes = vec![forged.clone()];
        assert!(!other.verify().is_sound(), "{forged:?}");
    }
}

#[test]
fn whoever_has_no_key_cannot_continue_the_log() {
    let mut log = Log::of(&[2, 2]);
    log.seal(&[event(100)], &key(2));
    let report = log.verify();
    assert_eq!(report.problems, 1);
    assert_eq!(report.findings[0].place, Place::Batch(3));
    assert_eq!(
        report.findings[0].wrong,
        Wrong::UnknownKey(key(2).verifier_key().id())
    );
}

#[test]
fn two_histories_of_one_log_show_against_a_checkpoint_although_both_are_signed() {
    let (mut one, mut other) = (Log::of(&[2, 2]), Log::of(&[2, 2]));
    one.seal(&[event(100)], &key(1));
    other.seal(&[event(200)], &key(1));
    assert!(one.verify().is_sound() && other.verify().is_sound());
    assert!(one.verify_with(&[one.checkpoint(2)], false).is_sound());
    let report = one.verify_with(&[other.checkpoint(2)], false);
    assert_eq!(report.findings[0].wrong, Wrong::Rewritten);
    let report = one.verify_with(&[one.checkpoint(2), other.checkpoint(2)], false);
    assert_eq!(report.findings[0].wrong, Wrong::Rewritten);
}

/// Each batch is signed by the right key, and yet they are of two histories.
#[test]
fn batches_of_two_histories_are_no_chain() {
    let (mut one, mut other) = (Log::of(&[]), Log::of(&[]));
    for (log, first) in [(&mut one, 100), (&mut other, 200)] {
        log.seal(&[event(first)], &key(1));
        log.seal(&[event(first + 1)], &key(1));
        assert!(log.verify().is_sound());
    }
    one.batches[1] = other.batches[1].clone();
    let report = one.verify();
    assert_eq!(report.problems, 1);
    assert_eq!(report.findings[0].place, Place::Batch(2));
    assert_eq!(report.findings[0].wrong, Wrong::ChainBroken);
}

/// Whoever has the signing key alone can seal what the server did not write; whoever has the secret key sees it.
#[test]
fn a_sealed_event_with_a_wrong_mac_is_named() {
    let mut log = Log::of(&[]);
    let mut forged = event(1);
    forged.mac[0] ^= 1;
    log.seal(&[event(0), forged.clone()], &key(1));
    assert!(log.verify().is_sound());
    let report = log.verify_with(&[], true);
    assert_eq!(report.problems, 1);
    assert_eq!(report.findings[0].place, Place::Event(forged.id, Some((1, 1))));
    assert_eq!(report.findings[0].wrong, Wrong::Edited);
}

#[test]
fn one_event_too_many_is_named_as_such() {
    let mut log = Log::of(&[3]);
    let mut more = log.batches[0].1[2].clone();
    more.index = 3;
    more.event_id = event(500).id;
    log.batches[0].1.push(more);
    let report = log.verify();
    assert_eq!(
        report.findings[0].place,
        Place::Event(event(500).id, Some((1, 3)))
    );
    assert_eq!(report.findings[0].wrong, Wrong::Inserted);
}

#[test]
fn every_event_has_a_proof_and_a_spoiled_one_proves_nothing() {
    let log = Log::of(&[3, 7, 1]);
    for (at, (_, members)) in log.batches.iter().enumerate() {
        for last in at..log.batches.len() {
            let headers: Vec<_> = log.batches[at..=last]
                .iter()
                .map(|(batch, _)| batch.clone())
                .collect();
            for member in members {
                let proof = Proof::new(ORIGIN.into(), member.event_id, members, headers.clone()).unwrap();
                let text = serde_json::to_string(&ProofBody::from(&proof)).unwrap();
                let body: ProofBody = serde_json::from_str(&text).unwrap();
                let read = Proof::try_from(body).unwrap();
                assert_eq!(read, proof);
                assert_eq!(read.verify(&keys()), Ok(log.checkpoint(last)));
                assert!(read.verify(&TrustedKeys::default()).is_err());
                let mut spoiled = read.clone();
                spoiled.event.ip = None;
                assert!(spoiled.verify(&keys()).is_err());
                let mut spoiled = read.clone();
                spoiled.event.mac[0] ^= 1;
                assert!(spoiled.verify(&keys()).is_err());
                let mut spoiled = read.clone();
                spoiled.index += 1;
                assert!(spoiled.verify(&keys()).is_err());
                for n in 0..read.batches.len() {
                    let mut spoiled = read.clone();
                    spoiled.batches[n].total += 1;
                    assert!(spoiled.verify(&keys()).is_err());
                }
                if let [_, .., _] = read.batches[..] {
                    let mut spoiled = read.clone();
                    spoiled.batches.remove(1);
                    assert!(spoiled.verify(&keys()).is_err() || spoiled.batches.len() == 1);
                }
            }
        }
    }
}

/// One thing done to a log by somebody without the keys.
#[derive(Clone, Debug)]
enum Deed {
    DropBatch(prop::sample::Index),
    DropEvent(prop::sample::Index, prop::sample::Index),
    DropMember(prop::sample::Index, prop::sample::Index),
    EditEvent(prop::sample::Index, prop::sample::Index, u8),
    EditEventAndHash(prop::sample::Index, prop::sample::Index, u8),
    EditHash(prop::sample::Index, prop::sample::Index, u8),
    EditHeader(prop::sample::Index, u8, u8),
    Insert(prop::sample::Index, prop::sample::Index),
    SwapBatches(prop::sample::Index, prop::sample::Index),
    SwapEvents(prop::sample::Index, prop::sample::Index, prop::sample::Index),
}

fn deed() -> impl Strategy<Value = Deed> {
    use prop::sample::Index;
    prop_oneof![
        any::<Index>().prop_map(Deed::DropBatch),
        any::<(Index, Index)>().prop_map(|(a, b)| Deed::DropEvent(a, b)),
        any::<(Index, Index)>().prop_map(|(a, b)| Deed::DropMember(a, b)),
        any::<(Index, Index, u8)>().prop_map(|(a, b, c)| Deed::EditEvent(a, b, c)),
        any::<(Index, Index, u8)>().prop_map(|(a, b, c)| Deed::EditEventAndHash(a, b, c)),
        any::<(Index, Index, u8)>().prop_map(|(a, b, c)| Deed::EditHash(a, b, c)),
        any::<(Index, u8, u8)>().prop_map(|(a, b, c)| Deed::EditHeader(a, b, c)),
        any::<(Index, Index)>().prop_map(|(a, b)| Deed::Insert(a, b)),
        any::<(Index, Index)>().prop_map(|(a, b)| Deed::SwapBatches(a, b)),
        any::<(Index, Index, Index)>().prop_map(|(a, b, c)| Deed::SwapEvents(a, b, c)),
    ]
}

fn edit(event: &mut AuditEvent, how: u8) {
    match how % 13 {
        0 => event.at = UnixTime::from_millis(event.at.as_millis() + 1),
        1 => event.action.push('x'),
        2 => event.outcome = AuditOutcome::Success,
        3 => event.code = None,
        4 => event.step = Some(String::new()),
        5 => event.account = Some(AccountId(Uuid::from_u128(u128::MAX))),
        6 => event.credential = None,
        7 => event.session = Some(keyhaven_storage::SessionId(Uuid::from_u128(1))),
        8 => event.ip = Some("192.0.2.2".into()),
        9 => event.user_agent = None,
        10 => event.request_id = Some(String::new()),
        11 => event.personal = Some(vec![how]),
        _ => event.mac[usize::from(how) % 32] ^= 1,
    }
}

/// Does it, and tells in which batch the first trace of it must be found. `None`: nothing was changed.
fn commit(log: &mut Log, deed: &Deed) -> Option<u64> {
    let count = log.batches.len();
    let at = |batch: &prop::sample::Index| batch.index(count);
    match deed {
        Deed::DropBatch(batch) => {
            let n = at(batch);
            // The last one leaves a whole log: that is what checkpoints are for.
            (n + 1 < count).then(|| log.batches.remove(n).0.number)
        }
        Deed::DropEvent(batch, event) => {
            let (header, members) = &mut log.batches[at(batch)];
            let n = event.index(members.len());
            members[n].event = StoredEvent::Missing;
            Some(header.number)
        }
        Deed::DropMember(batch, event) => {
            let (header, members) = &mut log.batches[at(batch)];
            members.remove(event.index(members.len()));
            Some(header.number)
        }
        Deed::EditEvent(batch, event, how) | Deed::EditEventAndHash(batch, event, how) => {
            let (header, members) = &mut log.batches[at(batch)];
            let n = event.index(members.len());
            let StoredEvent::Whole(whole) = &mut members[n].event else {
                panic!()
            };
            edit(whole, *how);
            let leaf = keyhaven_audit::leaf(whole);
            if matches!(deed, Deed::EditEventAndHash(..)) {
                members[n].hash = leaf;
            }
            Some(header.number)
        }
        Deed::EditHash(batch, event, bit) => {
            let (header, members) = &mut log.batches[at(batch)];
            let n = event.index(members.len());
            members[n].hash[usize::from(*bit) / 8] ^= 1 << (bit % 8);
            Some(header.number)
        }
        Deed::EditHeader(batch, field, bit) => {
            let header = &mut log.batches[at(batch)].0;
            let number = header.number;
            let bit = usize::from(*bit);
            match field % 7 {
                0 => header.sealed_at = UnixTime::from_millis(header.sealed_at.as_millis() - 1),
                1 => header.events += 1,
                2 => header.total += 1,
                3 => header.root[bit / 8] ^= 1 << (bit % 8),
                4 => header.previous[bit / 8] ^= 1 << (bit % 8),
                5 => header.key_id = "00000000".into(),
                _ => header.signature[bit / 4] ^= 1 << (bit % 4),
            }
            Some(number)
        }
        Deed::Insert(batch, place) => {
            let (header, members) = &mut log.batches[at(batch)];
            let n = place.index(members.len() + 1);
            let event = event(9999);
            members.insert(
                n,
                AuditMember {
                    index: 0,
                    event_id: event.id,
                    hash: keyhaven_audit::leaf(&event),
                    event: StoredEvent::Whole(event),
                },
            );
            for (index, member) in (0..).zip(members) {
                member.index = index;
            }
            Some(header.number)
        }
        Deed::SwapBatches(one, other) => {
            let (one, other) = (at(one), at(other));
            if one == other {
                return None;
            }
            log.batches.swap(one, other);
            let first = one.min(other);
            let numbers: Vec<u64> = (1..).take(count).collect();
            for ((batch, _), number) in log.batches.iter_mut().zip(numbers) {
                batch.number = number;
            }
            Some(u64::try_from(first).unwrap() + 1)
        }
        Deed::SwapEvents(batch, one, other) => {
            let (header, members) = &mut log.batches[at(batch)];
            let (one, other) = (one.index(members.len()), other.index(members.len()));
            if one == other {
                return None;
            }
            members.swap(one, other);
            for (index, member) in (0..).zip(members) {
                member.index = index;
            }
            Some(header.number)
        }
    }
}

proptest! {
    #[test]
    fn no_deed_goes_unseen_and_the_first_finding_is_where_it_was_done(
        sizes in prop::collection::vec(1_u32..9, 1..6),
        deed in deed(),
        macs in any::<bool>(),
    ) {
        let mut log = Log::of(&sizes);
        prop_assert!(log.verify_with(&[], macs).is_sound());
        if let Some(number) = commit(&mut log, &deed) {
            for log in [log.exported(), log] {
                let report = log.verify_with(&[], macs);
                prop_assert!(!report.is_sound());
                let found = match report.findings[0].place {
                    Place::Batch(found) | Place::Position(found, _) => found,
                    Place::Event(_, at) => at.unwrap().0,
                    Place::Checkpoint(_) | Place::Prune(_) => 0,
                };
                prop_assert_eq!(found, number, "{:?}", report.findings);
            }
        }
    }

    #[test]
    fn a_log_cut_off_anywhere_shows_against_every_later_checkpoint(
        sizes in prop::collection::vec(1_u32..5, 1..6),
        left in any::<prop::sample::Index>(),
    ) {
        let whole = Log::of(&sizes);
        let mut cut = whole.clone();
        let left = left.index(sizes.len() + 1);
        cut.batches.truncate(left);
        prop_assert!(cut.verify().is_sound());
        for batch in 0..sizes.len() {
            let report = cut.verify_with(&[whole.checkpoint(batch)], false);
            prop_assert_eq!(report.is_sound(), batch < left, "{:?}", report.findings);
        }
    }

    #[test]
    fn an_edited_event_that_is_not_sealed_has_a_wrong_mac(how in any::<u8>()) {
        let mut log = Log::of(&[1]);
        let StoredEvent::Whole(event) = &mut log.unsealed[1].event else { panic!() };
        edit(event, how);
        let report = log.verify_with(&[], true);
        prop_assert_eq!(&report.findings[0].place, &Place::Event(log.unsealed[1].id, None));
        prop_assert_eq!(&report.findings[0].wrong, &Wrong::Edited);
    }
}
