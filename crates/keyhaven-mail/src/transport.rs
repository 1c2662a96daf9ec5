//! How a mail leaves.

use async_trait::async_trait;

use crate::Rendered;

/// Hands mails over.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Hands one mail over. `Ok`: the other side has taken responsibility for it.
    ///
    /// # Errors
    /// [`DeliveryError`]
    async fn send(&self, mail: &Rendered) -> Result<(), DeliveryError>;
}

/// The mail was not taken. The text names no secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeliveryError {
    /// It will never be: this address, this mail.
    #[error("refused for good: {0}")]
    Permanent(String),
    /// It may be later.
    #[error("not now: {0}")]
    Transient(String),
}
