use keyhaven_types::{CredentialId, UnixTime};
use uuid::Uuid;

use super::DurableSubject;
use super::samples::{account, at, event, session};
use crate::{Actor, AuditEvent, AuditOutcome, EventId};

/// An event that is there is never replaced: its id is refused as an error.
pub async fn an_event_id_is_used_once(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    store.append_event(event(1, id)).await.unwrap();
    assert!(
        store
            .append_event(AuditEvent {
                action: "forged".into(),
                ..event(1, id)
            })
            .await
            .is_err()
    );
    assert_eq!(store.events_of(id, None, 10).await.unwrap(), [event(1, id)]);
}

/// Events of one moment are all on one of the pages, whatever their number and the length of a page.
pub async fn events_of_one_moment_are_not_lost_between_pages(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    for n in [4, 1, 3, 5, 2] {
        store.append_event(event(n, id)).await.unwrap();
    }
    let all: Vec<_> = [5, 4, 3, 2, 1].map(|n| event(n, id)).into();
    for length in 1..=6 {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store.events_of(id, after, length).await.unwrap();
            after = page.last().map(|last| (last.at, last.id));
            if page.is_empty() {
                break;
            }
            listed.extend(page);
        }
        assert_eq!(listed, all, "pages of {length}");
    }
}

/// Newest first, at most so many, only after what is named; only those of the account.
pub async fn events_are_listed_newest_first(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, others) = (account(1).id, account(2).id);
    for n in [3, 1, 5, 2, 4] {
        let moment = at(i64::try_from(n).unwrap());
        store
            .append_event(AuditEvent {
                at: moment,
                ..event(n, id)
            })
            .await
            .unwrap();
        store
            .append_event(AuditEvent {
                at: moment,
                ..event(10 + n, others)
            })
            .await
            .unwrap();
        store
            .append_event(AuditEvent {
                at: moment,
                account: None,
                ..event(20 + n, id)
            })
            .await
            .unwrap();
    }
    let list = async |before, limit| {
        let events = store.events_of(id, before, limit).await.unwrap();
        events
            .into_iter()
            .map(|event| event.at.as_millis() - at(0).as_millis())
            .collect::<Vec<_>>()
    };
    assert_eq!(list(None, 10).await, [5, 4, 3, 2, 1]);
    assert_eq!(list(None, 2).await, [5, 4]);
    assert_eq!(list(Some((at(4), event(4, id).id)), 2).await, [3, 2]);
    assert_eq!(list(Some((at(1), event(1, id).id)), 2).await, [0_i64; 0]);
    let beginning = (UnixTime::from_millis(i64::MIN), EventId(Uuid::nil()));
    assert_eq!(list(Some(beginning), 2).await, [0_i64; 0]);
    assert_eq!(list(None, 0).await, [0_i64; 0]);
    assert_eq!(list(None, u32::MAX).await.len(), 5);
}

/// Every field comes back as it went, or the event's MAC would no longer fit.
pub async fn events_read_back(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    let full = AuditEvent {
        id: EventId(Uuid::max()),
        at: UnixTime::from_millis(253_402_300_799_999),
        action: "a".repeat(64),
        outcome: AuditOutcome::Refused,
        code: Some("counter_regression".into()),
        step: Some("L3 7.2.22".into()),
        account: Some(id),
        credential: Some(CredentialId::try_from(&[0xfe; 1023][..]).unwrap()),
        session: Some(session(id, 1).id),
        ip: Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".into()),
        user_agent: Some("ü\u{1f511}\"'\\".chars().cycle().take(256).collect()),
        request_id: Some("0123456789abcdef".repeat(8)),
        personal: Some(vec![0xff; 4096]),
        actor: Some(Actor::Account(id)),
        mac: std::array::from_fn(|i| u8::try_from(i).unwrap() ^ 0xff),
    };
    let bare = AuditEvent {
        id: EventId(Uuid::nil()),
        at: UnixTime::from_millis(-1),
        action: "b".into(),
        outcome: AuditOutcome::Success,
        code: None,
        step: None,
        credential: None,
        session: None,
        ip: None,
        user_agent: None,
        request_id: None,
        personal: None,
        actor: None,
        mac: [0; 32],
        ..full.clone()
    };
    let empty = AuditEvent {
        id: event(1, id).id,
        at: at(0),
        code: Some(String::new()),
        step: Some(String::new()),
        ip: Some(String::new()),
        user_agent: Some(String::new()),
        request_id: Some(String::new()),
        personal: Some(vec![0]),
        ..bare.clone()
    };
    for event in [&bare, &full, &empty] {
        store.append_event(event.clone()).await.unwrap();
    }
    store
        .append_event(AuditEvent {
            account: None,
            ..event(2, id)
        })
        .await
        .unwrap();
    assert_eq!(store.events_of(id, None, 10).await.unwrap(), [full, empty, bare]);
}
