use async_trait::async_trait;
use keyhaven_storage::{CeremonyId, CeremonyStore, PendingCeremony, Put, StorageError};
use keyhaven_types::UnixTime;

use crate::error::Failure;
use crate::link::Call;
use crate::scripts::{PURGE, PUT, TAKE};
use crate::store::RedisStore;

/// How much longer than a ceremony lives Redis keeps it: the stored end decides, this only tidies up. A minute, so that
/// processes whose clocks disagree a little do not lose each other's.
const SLACK: i64 = 60_000;

/// The longest that Redis keeps anything, in milliseconds: ten years.
const MAX_KEPT: i64 = 10 * 365 * 24 * 3_600_000;

impl RedisStore {
    /// Where a ceremony is, and where it is listed: always on one node of a Cluster.
    fn keys(&self, id: CeremonyId) -> [String; 2] {
        // Ids are random: any two bytes spread them evenly.
        let [.., high, low] = id.0;
        let shard = u16::from_be_bytes([high, low]) % self.shards;
        let index = self.index(shard);
        [format!("{index}:{}", id.to_text()), index]
    }

    fn index(&self, shard: u16) -> String {
        format!("keyhaven:{{{}:{shard}}}:ceremonies", self.rp_id.as_str())
    }
}

#[async_trait]
impl CeremonyStore for RedisStore {
    async fn put(
        &self,
        id: CeremonyId,
        ceremony: PendingCeremony,
        now: UnixTime,
    ) -> Result<Put, StorageError> {
        const OPERATION: &str = "ceremony.put";
        let len = ceremony.payload.len();
        if len > Self::MAX_PAYLOAD {
            let max = Self::MAX_PAYLOAD;
            return Err(Failure::of(OPERATION)(Failure::PayloadTooLarge { len, max }));
        }
        let (now, end) = (now.as_millis(), ceremony.expires_at.as_millis());
        let kept = end.saturating_sub(now).saturating_add(SLACK).clamp(1, MAX_KEPT);
        let bound = (self.max_pending / u64::from(self.shards)).max(1);
        let stored = [&end.to_be_bytes()[..], &ceremony.payload].concat();
        let id_text = id.to_text();
        let [now, end, kept] = [now, end, kept].map(|number| number.to_string());
        let bound = bound.to_string();
        let call = Call {
            script: &PUT,
            keys: &self.keys(id),
            arguments: &[
                id_text.as_bytes(),
                now.as_bytes(),
                end.as_bytes(),
                kept.as_bytes(),
                bound.as_bytes(),
                &stored,
            ],
        };
        match self.link.call(OPERATION, &call).await? {
            1 => Ok(Put::Stored),
            0 => Ok(Put::Full),
            -1 => Err(Failure::of(OPERATION)(Failure::IdInUse)),
            i64::MIN..=-2 | 2.. => Err(Failure::of(OPERATION)(Failure::Damaged)),
        }
    }

    async fn take(&self, id: CeremonyId, now: UnixTime) -> Result<Option<PendingCeremony>, StorageError> {
        const OPERATION: &str = "ceremony.take";
        let id_text = id.to_text();
        let call = Call {
            script: &TAKE,
            keys: &self.keys(id),
            arguments: &[id_text.as_bytes()],
        };
        let Some(stored) = self.link.call::<Option<Vec<u8>>>(OPERATION, &call).await? else {
            return Ok(None);
        };
        let (end, payload) = stored
            .split_first_chunk()
            .ok_or_else(|| Failure::of(OPERATION)(Failure::Damaged))?;
        let expires_at = UnixTime::from_millis(i64::from_be_bytes(*end));
        if expires_at <= now {
            return Ok(None);
        }
        Ok(Some(PendingCeremony {
            payload: payload.to_vec(),
            expires_at,
        }))
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.link.ping("store.ping").await
    }

    async fn purge_expired(&self, now: UnixTime, limit: u32) -> Result<u64, StorageError> {
        let now = now.as_millis().to_string();
        let mut dropped = 0;
        for shard in 0..self.shards {
            let left = u64::from(limit).saturating_sub(dropped);
            if left == 0 {
                break;
            }
            let left = left.to_string();
            let call = Call {
                script: &PURGE,
                keys: &[self.index(shard)],
                arguments: &[now.as_bytes(), left.as_bytes()],
            };
            let more: u64 = self.link.call("ceremony.purge", &call).await?;
            dropped = dropped.saturating_add(more);
        }
        Ok(dropped)
    }
}
