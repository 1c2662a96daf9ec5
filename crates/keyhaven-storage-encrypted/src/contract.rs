//! For the contract that every store is tested against: a subject whose personal data is encrypted (feature `contract`).
#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use async_trait::async_trait;
use keyhaven_storage::DurableStore;
use keyhaven_storage::contract::DurableSubject;
use zeroize::Zeroizing;

use crate::{Encrypted, KeyRing};

/// A subject before whose store personal data is encrypted.
#[derive(Debug)]
pub struct Subject<S> {
    subject: S,
    ring: Arc<KeyRing>,
}

/// A ring of two keys, as it is while one takes the place of another.
#[must_use]
pub fn ring() -> Arc<KeyRing> {
    let keys = [Zeroizing::new([2; 32]), Zeroizing::new([1; 32])];
    Arc::new(KeyRing::new(&[9; 32], &keys).unwrap())
}

impl<S: DurableSubject> Subject<S> {
    /// Before this one.
    pub fn new(subject: S) -> Self {
        Self {
            subject,
            ring: ring(),
        }
    }
}

#[async_trait]
impl<S: DurableSubject> DurableSubject for Subject<S> {
    fn store(&self) -> Arc<dyn DurableStore> {
        Arc::new(Encrypted::new(self.subject.store(), Arc::clone(&self.ring)))
    }

    async fn reopen(&mut self) -> bool {
        self.subject.reopen().await
    }

    async fn break_table(&self, table: &str) -> bool {
        self.subject.break_table(table).await
    }

    async fn mend_table(&self, table: &str) {
        self.subject.mend_table(table).await;
    }
}
