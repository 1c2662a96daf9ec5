use std::fmt;

use keyhaven_storage::StorageError;
use keyhaven_types::RpId;

use crate::link::Link;
use crate::options::RedisOptions;

/// Pending ceremonies and rate limits of one relying party, in Redis. Cheap to clone.
///
/// Every key begins with `keyhaven:{RP-ID:`, so that relying parties, and other applications, can share a Redis.
#[derive(Clone)]
pub struct RedisStore {
    pub(crate) link: Link,
    pub(crate) rp_id: RpId,
    pub(crate) max_pending: u64,
    pub(crate) shards: u16,
    /// For people.
    name: String,
}

impl RedisStore {
    /// The most bytes a ceremony's payload may have.
    pub const MAX_PAYLOAD: usize = 16 * 1024;

    /// A store that holds at most `max_pending` ceremonies. Connects when it is first asked.
    ///
    /// # Errors
    /// When the options cannot be used at all; those that were read from a URL can.
    pub fn new(options: &RedisOptions, rp_id: RpId, max_pending: usize) -> Result<Self, StorageError> {
        let link = Link::new(options).map_err(|error| StorageError::new("redis.open", error))?;
        Ok(Self {
            link,
            rp_id,
            max_pending: u64::try_from(max_pending).unwrap_or(u64::MAX),
            shards: options.shards.max(1),
            name: options.to_string(),
        })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStore({}, {})", self.name, self.rp_id.as_str())
    }
}
