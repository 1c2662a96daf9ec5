//! Answers whose time must not tell what the answer itself keeps to itself: whether somebody has an account.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

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

async fn wait(began: Instant) {
    let steps = began.elapsed().as_nanos() / STEP.as_nanos();
    let next = u32::try_from(steps).unwrap_or(u32::MAX).saturating_add(1);
    sleep_until(began + STEP.saturating_mul(next)).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    async fn taken<T>(work: impl Future<Output = T>) -> u128 {
        let began = Instant::now();
        work.await;
        began.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_comes_out_after_whole_steps() {
        for (work, out) in [(0, 10), (1, 10), (9, 10), (10, 20), (11, 20), (25, 30)] {
            let working = || sleep(Duration::from_millis(work));
            assert_eq!(taken(evenly(working())).await, out, "{work}");
            let refused = async || {
                working().await;
                Err::<(), ()>(())
            };
            assert_eq!(taken(refusing_evenly(refused())).await, out, "{work}");
            let done = async || {
                working().await;
                Ok::<(), ()>(())
            };
            assert_eq!(taken(refusing_evenly(done())).await, work.into(), "{work}");
        }
    }
}
