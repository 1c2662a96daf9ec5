mod accounts;
mod addresses;
mod admin;
mod audit;
mod clones;
mod credentials;
mod factors;
mod outbox;
mod passwords;
mod personal;
mod privacy;
mod recovery;
mod sealed;
mod sessions;
mod signing_keys;
mod standing;
mod state;

use std::fmt;
use std::sync::Mutex;

use keyhaven_storage::StorageError;
use state::State;

use crate::ceremonies::Poisoned;

/// Accounts, credentials, sessions, grants, signing keys and events in memory.
///
/// One lock around everything: each method happens at one moment. What a method refuses it refuses before it writes.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, Conflict>,
    ) -> Result<T, StorageError> {
        let mut state = self
            .state
            .lock()
            .map_err(|_| StorageError::new(operation, Poisoned))?;
        act(&mut state).map_err(|conflict| StorageError::new(operation, conflict))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

/// What a database would refuse by a constraint: records that contradict each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
struct Conflict(&'static str);
