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
        "the database was made by a newer version of Keyhaven (schema {found}, for versions that know {oldest} or \
         later; this one knows {known}): run that version, or restore a backup"
    )]
    NewerSchema { found: i64, oldest: i64, known: i64 },
    /// The schema is not there yet, or not as far as this version needs it, and was not to be changed.
    #[error(
        "the database's schema is at {found} and this version needs {needed}: run `keyhaven migrate` first"
    )]
    OlderSchema { found: i64, needed: i64 },
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
        move |failure| {
            let reason = failure.reason();
            StorageError::new(operation, failure).because(reason)
        }
    }

    /// Why, in a word.
    fn reason(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Contradiction(_) => "contradiction",
            Self::Damaged(_) => "damaged",
            Self::Database(error) => database_reason(error),
            Self::Migration(_) => "migration",
            Self::NewerSchema { .. } | Self::OlderSchema { .. } => "schema",
            Self::NoConnection(_) => "no_connection",
            Self::NoAnswer(_) => "timeout",
        }
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

/// What the server says by SQLSTATE (PostgreSQL, appendix A); where it says nothing, it was not reached.
fn database_reason(error: &sqlx::Error) -> &'static str {
    let Some(code) = code(error) else {
        let unreached = matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_));
        return if unreached { "unreachable" } else { "failed" };
    };
    match code.as_str() {
        "25006" => "read_only",
        "53100" => "full",
        "57014" | "55P03" => "timeout",
        "57P03" => "starting",
        code if code.starts_with("28") || code == "3D000" || code == "42501" => "refused",
        code if code.starts_with("53") => "busy",
        code if code.starts_with("08") || code.starts_with("57P") => "unreachable",
        _ => "failed",
    }
}

/// The SQLSTATE, where the server spoke.
pub(crate) fn code(error: &sqlx::Error) -> Option<String> {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .map(std::borrow::Cow::into_owned)
}
