use std::sync::Arc;
use std::time::Duration;

use keyhaven_storage::StorageError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::health::Unfit;

/// Why Redis could not answer. Holds no secret: what servers and the driver say names hosts, users and commands.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What came back was not written by this crate.
    #[error("the stored value is damaged")]
    Damaged,
    #[error("a ceremony with this id is pending")]
    IdInUse,
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    #[error("a ceremony has at most {max} bytes, not {len}")]
    PayloadTooLarge { len: usize, max: usize },
    #[error(transparent)]
    Redis(Arc<RedisError>),
    /// It answers, but is not set up as it must be.
    #[error(transparent)]
    Unfit(#[from] Unfit),
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
            Self::Damaged => "damaged",
            Self::IdInUse | Self::PayloadTooLarge { .. } => "contradiction",
            Self::NoAnswer(_) => "timeout",
            Self::Redis(error) => reason_of(error),
            Self::Unfit(unfit) => unfit.reason(),
        }
    }
}

fn reason_of(error: &RedisError) -> &'static str {
    if error.is_timeout() {
        return "timeout";
    }
    if error.is_io_error() {
        return "unreachable";
    }
    match (error.kind(), error.code()) {
        (_, Some("OOM")) => "full",
        (_, Some("NOAUTH" | "NOPERM" | "WRONGPASS")) | (ErrorKind::AuthenticationFailed, _) => "refused",
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => "read_only",
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => "busy",
        (ErrorKind::Server(ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown), _)
        | (ErrorKind::ClusterConnectionNotFound | ErrorKind::MasterNameNotFoundBySentinel, _) => {
            "unreachable"
        }
        _ => "failed",
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Redis(Arc::new(error))
    }
}

/// What a server said it did not do: the only failures after which the same call may be made again.
pub(crate) fn was_not_done(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::Ask
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::Moved
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::TryAgain
        )
    )
}

/// Whether another connection might do better: this one is broken, or leads to a server that is no longer the master.
pub(crate) fn needs_new_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly)
        )
}

/// The server does not have the script (any more): nothing was done.
pub(crate) fn lacks_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
