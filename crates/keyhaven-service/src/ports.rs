//! What the service asks of its surroundings.

use std::sync::Arc;

use keyhaven_core::TrustAnchorSource;
use keyhaven_types::UnixTime;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixTime;
}

/// Makes random bytes fit for secrets.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    ///
    /// # Errors
    /// When the source is not available; the buffer is then not to be used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable>;
}

/// Knows the trust anchors of attestations. They may be replaced while the server runs.
pub trait Anchors: Send + Sync {
    /// Those in force now.
    fn current(&self) -> Arc<dyn TrustAnchorSource>;
}

/// The random source did not answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no random bytes are available")]
pub struct RandomUnavailable;
