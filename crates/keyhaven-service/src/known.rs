//! Credentials as they were when they last signed in, so that a login need not read them first.
//!
//! What never changes (the public key, whose it is) is simply right here. Everything else may have changed meanwhile, in
//! this process or another: the commit names what it was judged by and is refused where that is stored otherwise, and
//! nobody is refused on the word of memory alone. A credential that is removed, a lock, a revocation count at once.
//!
//! Only who has signed in is remembered, so that nobody can fill this without credentials of his own.

use std::sync::Arc;

use keyhaven_storage::OwnedCredential;
use keyhaven_types::CredentialId;
use quick_cache::sync::Cache;

/// At most so many, the least useful forgotten first.
pub(crate) struct Known(Option<Cache<CredentialId, Arc<OwnedCredential>>>);

impl Known {
    /// `0`: remembers nothing.
    pub(crate) fn new(capacity: usize) -> Self {
        Self((capacity > 0).then(|| Cache::new(capacity)))
    }

    pub(crate) fn get(&self, id: &CredentialId) -> Option<Arc<OwnedCredential>> {
        self.0.as_ref()?.get(id)
    }

    pub(crate) fn keep(&self, owned: OwnedCredential) {
        if let Some(cache) = &self.0 {
            cache.insert(owned.credential.id.clone(), Arc::new(owned));
        }
    }

    pub(crate) fn forget(&self, id: &CredentialId) {
        if let Some(cache) = &self.0 {
            cache.remove(id);
        }
    }
}
