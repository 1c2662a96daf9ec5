//! What every use case shares.

use std::sync::Arc;

use keyhaven_storage::{CeremonyStore, DurableStore};
use keyhaven_types::UnixTime;
use uuid::Uuid;

use crate::error::Error;
use crate::limits::Limits;
use crate::ports::{Anchors, Clock, Random, RandomUnavailable};
use crate::secrets::Keys;
use crate::settings::Settings;

/// Settings, stores and ports; one per process.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) durable: Arc<dyn DurableStore>,
    pub(crate) ceremonies: Arc<dyn CeremonyStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) anchors: Option<Arc<dyn Anchors>>,
    pub(crate) keys: Keys,
    pub(crate) limits: Option<Limits>,
}

impl Context {
    /// Applies a rate limit, where there are any.
    pub(crate) fn limit(&self, check: impl FnOnce(&Limits) -> Result<(), Error>) -> Result<(), Error> {
        self.limits.as_ref().map_or(Ok(()), check)
    }

    /// A version 4 UUID.
    pub(crate) fn random_uuid(&self) -> Result<Uuid, RandomUnavailable> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// A version 7 UUID of this moment.
    pub(crate) fn time_ordered_uuid(&self, at: UnixTime) -> Result<Uuid, RandomUnavailable> {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes)?;
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }
}
