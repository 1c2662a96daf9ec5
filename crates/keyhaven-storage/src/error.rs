/// The store could not answer: it is away, full, or damaged. Never a verdict about a user or a credential.
#[derive(Debug, thiserror::Error)]
#[error("storage: {operation} failed")]
pub struct StorageError {
    /// The operation that failed, for example `session.find`.
    pub operation: &'static str,
    /// What the database driver said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl StorageError {
    /// Wraps a driver's error.
    pub fn new(operation: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            operation,
            source: source.into(),
        }
    }
}

/// A stored value that no version of Keyhaven writes: which.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the stored {0} is damaged")]
pub struct Damaged(pub &'static str);
