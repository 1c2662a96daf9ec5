//! The events of all.

use keyhaven_storage::{AccountId, AuditEvent, AuditOutcome, DurableStore, EventId};
use keyhaven_types::UnixTime;
use uuid::Uuid;

use super::{Administration, Operator, Page, page_limit, parse_place, place};
use crate::client::Client;
use crate::error::Error;

const EXPORT: &str = "admin.audit_export";

/// As many events are read at a time.
const READ: u32 = 500;

/// After so many reads a page ends, however few of the events it is about: the next one goes on from there. So a rare kind
/// of event costs many requests and never a long one.
const READS: u32 = 10;

/// The id of an event is of the time it happened, or later where a clock was set back: by no more than this.
const SLACK_MILLIS: i64 = 10 * 60 * 1000;

/// Which events are looked for; what is not said does not matter.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of this action.
    pub action: Option<String>,
    /// That ended so.
    pub outcome: Option<AuditOutcome>,
    /// From this moment on.
    pub from: Option<UnixTime>,
    /// Before this moment.
    pub to: Option<UnixTime>,
}

impl EventFilter {
    fn matches(&self, event: &AuditEvent) -> bool {
        self.account.is_none_or(|account| event.account == Some(account))
            && self.action.as_ref().is_none_or(|action| event.action == *action)
            && self.outcome.is_none_or(|outcome| event.outcome == outcome)
            && self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at < to)
    }

    /// Whether nothing that follows this event can match.
    fn ends_at(&self, event: &AuditEvent) -> bool {
        let Some(from) = self.from else { return false };
        if self.account.is_some() {
            return event.at < from;
        }
        // All that follows has a lower id, and so happened before its time.
        id_millis(event.id) < from.as_millis()
    }
}

impl Administration {
    /// Events, newest first. A page can hold fewer than `limit`, or none, and yet not be the last.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`], [`Error::Storage`].
    pub async fn events(
        &self,
        _operator: &Operator,
        filter: &EventFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditEvent>, Error> {
        let limit = usize::try_from(page_limit(limit)?).unwrap_or(usize::MAX);
        let durable = &*self.0.durable;
        let mut after = match cursor {
            Some(cursor) => Some(parse_place(cursor)?),
            None => filter.to.map(|to| first_place(filter, to)),
        };
        let mut items = Vec::new();
        for _ in 0..READS {
            let read = read(durable, filter.account, after).await?;
            let last = read.len() < usize::try_from(READ).unwrap_or(usize::MAX);
            for event in read {
                if filter.ends_at(&event) {
                    return self.page(items, None).await;
                }
                after = Some((event.at, event.id.0));
                if filter.matches(&event) {
                    items.push(event);
                }
                if items.len() == limit {
                    return self.page(items, after).await;
                }
            }
            if last {
                return self.page(items, None).await;
            }
        }
        self.page(items, after).await
    }

    async fn page(
        &self,
        items: Vec<AuditEvent>,
        after: Option<(UnixTime, Uuid)>,
    ) -> Result<Page<AuditEvent>, Error> {
        Ok(Page {
            items: self.0.opened(items).await?,
            next: after.map(|(at, id)| place(at, id)),
        })
    }

    /// Records that the log is exported. To be called before it is.
    ///
    /// # Errors
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn begin_export(
        &self,
        client: &Client,
        operator: &Operator,
    ) -> Result<std::sync::Arc<dyn DurableStore>, Error> {
        if let Some(current) = operator.session() {
            self.0.limit_ending(client, current).await?;
        }
        let event = self.0.success(client, EXPORT, operator.subject(None))?;
        self.0.durable.append(event).await?;
        Ok(self.0.durable.clone())
    }
}

async fn read(
    durable: &dyn DurableStore,
    account: Option<AccountId>,
    after: Option<(UnixTime, Uuid)>,
) -> Result<Vec<AuditEvent>, Error> {
    Ok(match account {
        Some(account) => {
            let after = after.map(|(at, id)| (at, EventId(id)));
            durable.events_of(account, after, READ).await?
        }
        None => durable.events(after.map(|(_, id)| EventId(id)), READ).await?,
    })
}

/// Before everything that happened before `to`.
fn first_place(filter: &EventFilter, to: UnixTime) -> (UnixTime, Uuid) {
    if filter.account.is_some() {
        return (to, Uuid::nil());
    }
    let millis = u128::try_from(to.as_millis().saturating_add(SLACK_MILLIS)).unwrap_or_default();
    // RFC 9562 §5.7: an id begins with 48 bits of milliseconds.
    (to, Uuid::from_u128(millis.min(0xffff_ffff_ffff) << 80))
}

fn id_millis(id: EventId) -> i64 {
    i64::try_from(id.0.as_u128() >> 80).unwrap_or(i64::MAX)
}
