use keyhaven_storage::StorageError;
use keyhaven_storage::columns::Damaged;

/// Why the database could not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Records that contradict each other: a mistake of the caller, refused before it is written.
    #[error("{0}")]
    Contradiction(&'static str),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Migration(sqlx::migrate::MigrateError),
    /// Another version of Keyhaven was here and brought the schema further than this one knows.
    #[error(
        "the database was made by a newer version of Keyhaven (schema {found}, this version knows {known}): \
         run that version, or restore a backup"
    )]
    NewerSchema { found: i64, known: i64 },
    /// Every connection is in use, or no new one comes about.
    #[error("no connection within {0:?}")]
    NoConnection(std::time::Duration),
    /// The server, or the way to it, is stuck: whether a commit happened is not known.
    #[error("no answer within {0:?}")]
    NoAnswer(std::time::Duration),
}

impl Failure {
    /// Names the operation that failed.
    pub(crate) fn of(operation: &'static str) -> impl FnOnce(Self) -> StorageError {
        move |failure| StorageError::new(operation, failure)
    }

    /// Whether the server rolled the transaction back for the sake of another one: the only failures after which the
    /// same commit may be tried again, because it is known not to have happened.
    pub(crate) fn is_rolled_back(&self) -> bool {
        // serialization_failure, deadlock_detected.
        matches!(self, Self::Database(error) if matches!(code(error).as_deref(), Some("40001" | "40P01")))
    }
}

/// The unique constraint that refused a row, by name.
pub(crate) fn unique_violation(error: &sqlx::Error) -> Option<&str> {
    let error = error.as_database_error()?;
    error.constraint().filter(|_| error.is_unique_violation())
}

/// The SQLSTATE, where the server spoke.
pub(crate) fn code(error: &sqlx::Error) -> Option<String> {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .map(std::borrow::Cow::into_owned)
}
