use std::fmt::Write as _;
use std::time::Duration;

use async_trait::async_trait;
use keyhaven_storage::{Allowance, Bucket, LimitStore, StorageError};

use crate::link::Call;
use crate::scripts::LIMITS;
use crate::store::RedisStore;

impl RedisStore {
    fn bucket_key(&self, bucket: &Bucket) -> String {
        let mut key = format!("keyhaven:{{{}:", self.rp_id.as_str());
        hex(&mut key, &bucket.near);
        key.push_str("}:limit:");
        hex(&mut key, &bucket.name);
        key
    }

    async fn take_near(&self, buckets: &[Bucket]) -> Result<Allowance, StorageError> {
        let keys: Vec<String> = buckets.iter().map(|bucket| self.bucket_key(bucket)).collect();
        let sizes: Vec<String> = buckets
            .iter()
            .map(|bucket| bucket.per_minute.max(1).to_string())
            .collect();
        let call = Call {
            script: &LIMITS,
            keys: &keys,
            arguments: &sizes.iter().map(String::as_bytes).collect::<Vec<_>>(),
        };
        let wait: u64 = self.link.call("limits.take", &call).await?;
        Ok(match wait {
            0 => Allowance::Granted,
            micros => Allowance::Refused {
                retry_after: Duration::from_micros(micros),
            },
        })
    }
}

#[async_trait]
impl LimitStore for RedisStore {
    /// On a Cluster, buckets that are not near each other may be on different nodes: these are asked at the same time.
    async fn take(&self, buckets: &[Bucket]) -> Result<Allowance, StorageError> {
        let groups = if self.link.is_cluster() {
            near_each_other(buckets)
        } else {
            vec![buckets.to_vec()]
        };
        let asked = groups.into_iter().filter(|group| !group.is_empty()).map(|group| {
            let store = self.clone();
            async move { store.take_near(&group).await }
        });
        let mut allowance = Allowance::Granted;
        for answer in futures_util::future::join_all(asked).await {
            match answer? {
                Allowance::Granted => {}
                refused @ Allowance::Refused { .. } => {
                    if allowance == Allowance::Granted {
                        allowance = refused;
                    }
                }
            }
        }
        Ok(allowance)
    }
}

/// In their order, by who is near whom.
fn near_each_other(buckets: &[Bucket]) -> Vec<Vec<Bucket>> {
    let mut groups: Vec<Vec<Bucket>> = Vec::new();
    for bucket in buckets {
        let group = groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| first.near == bucket.near));
        match group {
            None => groups.push(vec![*bucket]),
            Some(group) => group.push(*bucket),
        }
    }
    groups
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
}
