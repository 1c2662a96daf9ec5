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
        "the database was made by a newer version of Keyhaven (schema {found}, for versions that know {oldest} or \
         later; this one knows {known}): run that version, or restore a backup"
    )]
    NewerSchema { found: i64, oldest: i64, known: i64 },
    /// The schema is not there yet, or not as far as this version needs it, and was not to be changed.
    #[error(
        "the database's schema is at {found} and this version needs {needed}: run `keyhaven migrate` first"
    )]
    OlderSchema { found: i64, needed: i64 },
}

impl Failure {
    /// Names the operation that failed.
    pub(crate) fn of(operation: &'static str) -> impl FnOnce(Self) -> StorageError {
        move |failure| {
            let reason = failure.reason();
            StorageError::new(operation, failure).because(reason)
        }
    }

    /// Whether somebody else has the file, who may let go of it.
    pub(crate) fn is_busy(&self) -> bool {
        self.reason() == "busy"
    }

    /// Why, in a word.
    fn reason(&self) -> &'static str {
        match self {
            Self::Contradiction(_) => "contradiction",
            Self::Damaged(_) => "damaged",
            Self::Database(error) => database_reason(error),
            Self::File(_) => "unreachable",
            Self::Migration(_) => "migration",
            Self::NewerSchema { .. } | Self::OlderSchema { .. } => "schema",
        }
    }
}

/// What SQLite says by its primary result code (the extended ones hold it in their lowest byte).
fn database_reason(error: &sqlx::Error) -> &'static str {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return "busy";
    }
    match primary_code(error) {
        Some(5 | 6) => "busy",
        Some(8) => "read_only",
        Some(10 | 14) => "unreachable",
        Some(11 | 26) => "damaged",
        Some(13) => "full",
        Some(3 | 23) => "refused",
        _ => "failed",
    }
}

/// The primary result code, where SQLite spoke.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(|error| error.code())?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}
