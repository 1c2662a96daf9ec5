//! What every use case shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyhaven_storage::{Bucket, CeremonyStore, DurableStore};
use keyhaven_types::UnixTime;
use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::limits::Limits;
use crate::ports::{Anchors, Clock, Crosscheck, Observer, Random, RandomUnavailable, SecondVerdict};
use crate::secrets::Keys;
use crate::sessions::SignedIn;
use crate::settings::Settings;

/// Settings, stores and ports; one per process.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) durable: Arc<dyn DurableStore>,
    pub(crate) ceremonies: Arc<dyn CeremonyStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) anchors: Option<Arc<dyn Anchors>>,
    pub(crate) crosscheck: Option<Crosscheck>,
    pub(crate) keys: Keys,
    pub(crate) limits: Option<Limits>,
    /// Time and count of the newest time-ordered UUID.
    pub(crate) newest_uuid: AtomicU64,
}

impl Context {
    /// Counts an attempt, where there are limits.
    pub(crate) async fn limit(&self, buckets: impl FnOnce(&Limits) -> Vec<Bucket>) -> Result<(), Error> {
        match &self.limits {
            None => Ok(()),
            Some(limits) => limits.check(buckets(limits)).await,
        }
    }

    /// Counts a change that writes for the account: so many a minute by the account, and from the address.
    pub(crate) async fn limit_change(&self, client: &Client, current: &SignedIn) -> Result<(), Error> {
        let account = current.account_id().0;
        self.limit(|limits| limits.change(client.ip, &[b"account ", &account.as_bytes()[..]].concat()))
            .await
    }

    /// Counts a change that takes access away. By the session rather than the account: somebody who has stolen a
    /// session must not be able to use up what its owner needs to end it.
    pub(crate) async fn limit_ending(&self, client: &Client, current: &SignedIn) -> Result<(), Error> {
        let session = current.session().id.0;
        self.limit(|limits| limits.change(client.ip, &[b"session ", &session.as_bytes()[..]].concat()))
            .await
    }

    /// Asks the second implementation, where there is one, about what the verifier accepted.
    pub(crate) fn crosscheck(
        &self,
        refusal: Error,
        objection: impl FnOnce(&dyn SecondVerdict) -> Option<String>,
    ) -> Result<(), Error> {
        let Some(crosscheck) = &self.crosscheck else {
            return Ok(());
        };
        match objection(&*crosscheck.judge) {
            None => Ok(()),
            Some(objection) => {
                tracing::error!(
                    objection,
                    enforced = crosscheck.enforce,
                    "the second implementation disagrees with an accepted ceremony"
                );
                if crosscheck.enforce { Err(refusal) } else { Ok(()) }
            }
        }
    }

    /// A version 4 UUID.
    pub(crate) fn random_uuid(&self) -> Result<Uuid, RandomUnavailable> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// A version 7 UUID of this moment, above all that this process has made before (RFC 9562 §6.2, method 1: twelve bits
    /// that count): so what happens within one millisecond keeps its order.
    pub(crate) fn time_ordered_uuid(&self, at: UnixTime) -> Result<Uuid, RandomUnavailable> {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes)?;
        let now = u64::try_from(at.as_millis()).unwrap_or(0) << 12;
        let next = |last: u64| now.max(last.saturating_add(1));
        let last = self
            .newest_uuid
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        let tick = next(last.unwrap_or_default());
        let [.., high, low] = tick.to_be_bytes();
        (bytes[0], bytes[1]) = (high & 0x0f, low);
        Ok(uuid::Builder::from_unix_timestamp_millis(tick >> 12, &bytes).into_uuid())
    }
}
