//! Whether the process is to take new work, and whether it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyhaven_service::{StoreState, Upkeep};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// A store that takes longer is away, as far as load balancers are concerned.
const PATIENCE: Duration = Duration::from_secs(1);

/// So long an answer is good for: whoever asks more often asks no store.
const KEPT: Duration = Duration::from_secs(1);

/// Shared by who stops the process and who answers `/ready`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    stopping: AtomicBool,
    /// Locked while the stores are asked: of many who ask at once one does it.
    last: Mutex<Option<(Instant, Stores)>>,
}

/// How the stores are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stores {
    pub(crate) durable: StoreState,
    pub(crate) ceremonies: StoreState,
}

impl Lifecycle {
    /// From now on `/ready` says that the process is stopping, so that load balancers send it nothing new.
    pub fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }

    /// How the stores are, or were a moment ago.
    pub(crate) async fn stores(&self, upkeep: &Upkeep) -> Stores {
        let mut last = self.0.last.lock().await;
        if let Some((at, stores)) = *last
            && at.elapsed() < KEPT
        {
            return stores;
        }
        let (durable, ceremonies) = tokio::join!(
            timeout(PATIENCE, upkeep.durable_store()),
            timeout(PATIENCE, upkeep.ceremony_store())
        );
        let stores = Stores {
            durable: durable.unwrap_or(StoreState::Down("timeout")),
            ceremonies: ceremonies.unwrap_or(StoreState::Down("timeout")),
        };
        *last = Some((Instant::now(), stores));
        stores
    }
}
