use async_trait::async_trait;

use super::Observed;
use crate::{Allowance, Bucket, LimitStore, StorageError};

#[async_trait]
impl<S: LimitStore + ?Sized> LimitStore for Observed<S> {
    async fn take(&self, buckets: &[Bucket]) -> Result<Allowance, StorageError> {
        self.call("limits.take", self.store.take(buckets)).await
    }
}
