/// The store could not answer: it is away, full, or damaged. Never a verdict about a user or a credential.
#[derive(Debug, thiserror::Error)]
#[error("storage: {operation} failed")]
pub struct StorageError {
    /// The operation that failed, for example `session.find`.
    pub operation: &'static str,
    /// Why, in a word that tells nothing about where the store is: for operators, `/ready` and metrics.
    pub reason: &'static str,
    /// What the database driver said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl StorageError {
    /// Wraps a driver's error. The reason is `failed` until [`Self::because`] knows better.
    pub fn new(operation: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            operation,
            reason: "failed",
            source: source.into(),
        }
    }

    /// Says why, in a word from a fixed set: `unreachable`, `timeout`, `refused`, `read_only`, `full`, `busy`, …
    #[must_use]
    pub fn because(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }
}

/// A stored value that no version of Keyhaven writes: which.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the stored {0} is damaged")]
pub struct Damaged(pub &'static str);
