//! Reckoning with moments.

use std::time::Duration;

use keyhaven_types::UnixTime;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// So long before `now`.
pub(crate) fn ago(now: UnixTime, time: Duration) -> UnixTime {
    let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    UnixTime::from_millis(now.as_millis().saturating_sub(time))
}
