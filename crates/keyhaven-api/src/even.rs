//! Answers whose time must not tell what the answer itself keeps to itself: whether somebody has an account.

use std::time::{Duration, Instant};

use futures_timer::Delay;

/// Longer than a store takes on a quiet day, and too short for a person to notice.
const STEP: Duration = Duration::from_millis(10);

/// Lets the outcome out a whole number of steps after it was asked for: what took a little longer for somebody than for
/// nobody comes out at the same moment. It is a wait, not work: it costs the server nothing.
pub(crate) async fn evenly<T>(work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let outcome = work.await;
    wait(began).await;
    outcome
}

/// As [`evenly`], for refusals alone: a success tells who asked nothing that they did not know.
pub(crate) async fn refusing_evenly<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let began = Instant::now();
    let outcome = work.await;
    if outcome.is_err() {
        wait(began).await;
    }
    outcome
}

/// Not by tokio's timer: it waits for whole milliseconds from the moment it is asked, and so hands on what it was to hide.
async fn wait(began: Instant) {
    let until = end_of_step(began.elapsed());
    Delay::new(until.saturating_sub(began.elapsed())).await;
}

/// The first whole number of steps after so long.
fn end_of_step(worked: Duration) -> Duration {
    let steps = worked.as_nanos() / STEP.as_nanos();
    STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_ends_after_the_work_does() {
        let micros = Duration::from_micros;
        for (worked, end) in [
            (0, 10),
            (1, 10),
            (9_999, 10),
            (10_000, 20),
            (10_001, 20),
            (25_000, 30),
        ] {
            assert_eq!(end_of_step(micros(worked)), micros(end * 1000), "{worked}");
        }
        assert!(end_of_step(Duration::MAX) > Duration::from_secs(3600));
    }

    #[tokio::test]
    async fn refusals_wait_and_so_does_what_is_told_evenly() {
        async fn time<T>(work: impl Future<Output = T>) -> Duration {
            let began = Instant::now();
            work.await;
            began.elapsed()
        }
        assert!(time(evenly(async {})).await >= STEP);
        assert!(time(refusing_evenly(async { Err::<(), ()>(()) })).await >= STEP);
        // The fastest of many: one of them is not disturbed.
        let mut fastest = Duration::MAX;
        for _ in 0..100 {
            fastest = fastest.min(time(refusing_evenly(async { Ok::<(), ()>(()) })).await);
        }
        assert!(fastest < STEP, "{fastest:?}");
    }
}
