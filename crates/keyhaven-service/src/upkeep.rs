//! Housekeeping and health.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyhaven_storage::{
    AccountId, AuditOutcome, Deletion, DeletionGround, DeletionOutcome, SessionId, StorageError,
};
use keyhaven_types::{RpId, UnixTime};

use crate::audit::Subject;
use crate::context::Context;
use crate::error::Error;
use crate::moments::{DAY, ago};

const EXPIRE: &str = "account.expire";

/// As many rows of each kind are dropped in one go.
const BATCH: u32 = 1_000;

/// So many batches of each kind at a time: then others have their turn, and the next time comes soon.
const BATCHES: u32 = 100;

/// What expired less long ago is kept: a process whose clock is ahead by less drops nothing that others still honour.
/// Ceremonies are not: the stores of them have one clock.
const LEEWAY: Duration = Duration::from_secs(60 * 60);

/// The longest pause is 30 seconds more.
const SHORTEST_PAUSE: Duration = Duration::from_secs(45);

/// Tidies up, and asks the stores how they are.
#[derive(Clone)]
pub struct Upkeep(pub(crate) Arc<Context>, pub(crate) Arc<Mutex<Walks>>);

/// How far this process has looked through what no index orders by age: a page each time, and then from the beginning.
#[derive(Debug, Default)]
pub(crate) struct Walks {
    accounts: Option<AccountId>,
    sessions: Option<SessionId>,
}

/// Whether a store answers now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StoreState {
    /// It does not, and why, in a word: [`keyhaven_storage::StorageError::reason`].
    Down(&'static str),
    /// It does.
    Up,
}

impl From<Result<(), StorageError>> for StoreState {
    fn from(answer: Result<(), StorageError>) -> Self {
        answer.map_or_else(|error| Self::Down(error.reason), |()| Self::Up)
    }
}

impl Upkeep {
    /// Drops what has expired an hour ago, a batch at a time, and tells how much. Many processes may do it at once; nothing
    /// depends on it: expired things are never served. It stops where there is no more, and after a bounded number of
    /// batches.
    ///
    /// # Errors
    /// [`Error::Storage`]; what was dropped before stays dropped.
    pub async fn purge(&self) -> Result<u64, Error> {
        let now = self.0.clock.now();
        let expired = ago(now, LEEWAY);
        let (ceremonies, durable) = (&self.0.ceremonies, &self.0.durable);
        let dropped = [
            in_batches(|| ceremonies.purge_expired(now, BATCH)).await?,
            // Sessions and grants together: where one kind may have more, there is at least a batch.
            in_batches(|| durable.purge_expired_sessions(expired, BATCH)).await?,
            in_batches(|| durable.drop_expired_recoveries(expired, BATCH)).await?,
            in_batches(|| durable.drop_expired_claims(expired, BATCH)).await?,
            in_batches(|| durable.forget_claim_mails(ago(expired, DAY), BATCH)).await?,
            in_batches(|| durable.drop_expired_enrolments(expired, BATCH)).await?,
        ];
        self.forget_session_clients(now).await?;
        let unused = self.drop_unused_accounts(now).await?;
        Ok(dropped.into_iter().fold(unused, u64::saturating_add))
    }

    /// Forgets address and user agent of sessions of a page that were opened long enough ago.
    async fn forget_session_clients(&self, now: UnixTime) -> Result<(), Error> {
        let Some(kept) = self.0.settings.retention.session_clients else {
            return Ok(());
        };
        let after = self.walks(|walks| walks.sessions);
        let next = self
            .0
            .durable
            .forget_session_clients(after, ago(now, kept), BATCH)
            .await?;
        self.walks(|walks| walks.sessions = next);
        Ok(())
    }

    /// Deletes accounts of a page that have proven no address and were not used for long enough.
    async fn drop_unused_accounts(&self, now: UnixTime) -> Result<u64, Error> {
        let Some(kept) = self.0.settings.retention.unused_accounts else {
            return Ok(0);
        };
        let since = ago(now, kept);
        let after = self.walks(|walks| walks.accounts);
        let page = self.0.durable.unused_accounts(after, since, BATCH).await?;
        let mut dropped = 0_u64;
        for account in page.accounts {
            let subject = Subject::pseudonym(Some(account));
            let event = self.0.own_event(EXPIRE, AuditOutcome::Success, None, subject)?;
            let deletion = Deletion {
                account,
                ground: DeletionGround::Unused { since },
                audit: event.into(),
            };
            if self.0.durable.delete_account(deletion).await? == DeletionOutcome::Deleted {
                dropped = dropped.saturating_add(1);
            }
        }
        self.walks(|walks| walks.accounts = page.next);
        Ok(dropped)
    }

    fn walks<T>(&self, step: impl FnOnce(&mut Walks) -> T) -> T {
        step(&mut self.1.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The RP ID that stored passkeys belong to, where it is not the one that is configured: then they do not work.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn other_rp_id(&self) -> Result<Option<RpId>, Error> {
        let stored = self.0.durable.some_rp_id().await?;
        Ok(stored.filter(|stored| *stored != self.0.settings.relying_party.id))
    }

    /// How long to wait before the next time: around a minute, so that processes that were started together do not
    /// tidy up together.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let mut byte = [0];
        // Without a random source the pause is the shortest one.
        let _ = self.0.random.fill(&mut byte);
        let [byte] = byte;
        SHORTEST_PAUSE + Duration::from_millis(u64::from(byte).saturating_mul(118))
    }

    /// Whether the store of accounts, credentials, sessions and events answers now.
    pub async fn durable_store(&self) -> StoreState {
        self.0.durable.ping().await.into()
    }

    /// Whether the store of pending ceremonies answers now.
    pub async fn ceremony_store(&self) -> StoreState {
        self.0.ceremonies.ping().await.into()
    }
}

/// Drops one batch after the other until one is not full, at most [`BATCHES`], and tells how much.
async fn in_batches<F>(mut batch: impl FnMut() -> F) -> Result<u64, StorageError>
where
    F: Future<Output = Result<u64, StorageError>>,
{
    let mut dropped = 0_u64;
    for _ in 0..BATCHES {
        let some = batch().await?;
        dropped = dropped.saturating_add(some);
        if some < u64::from(BATCH) {
            break;
        }
    }
    Ok(dropped)
}
