use keyhaven_storage::StorageError;
use keyhaven_storage::columns::Damaged;

/// Why the file could not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Records that contradict each other: a mistake of the caller, refused before it is written.
    #[error("{0}")]
    Contradiction(&'static str),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Migration(sqlx::migrate::MigrateError),
    /// Another version of Keyhaven was here and brought the schema further than this one knows.
    #[error(
        "the database was made by a newer version of Keyhaven (schema {found}, this version knows {known}): \
         run that version, or restore a backup"
    )]
    NewerSchema { found: i64, known: i64 },
}

impl Failure {
    /// Names the operation that failed.
    pub(crate) fn of(operation: &'static str) -> impl FnOnce(Self) -> StorageError {
        move |failure| StorageError::new(operation, failure)
    }
}
