use std::fmt;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{HashKind, HashingFailed, Password, UnknownHash, Verdict, hash, verify_evenly};

/// For each hash that may be computed at once, so many more may wait.
const WAITING_FOR_EACH: u32 = 8;

/// Hashes off the executor's threads, in bounded memory: so many of today's hashes at once, or fewer where old ones need
/// more memory. A bounded number waits; who comes then is refused at once, so that a flood of attempts costs those that
/// attempt, not the machine. Cheap to clone.
///
/// What was begun is finished even where nobody waits for it any more, and holds its place until then.
#[derive(Clone)]
pub struct HashingPool {
    /// One permit for each KiB.
    memory: Arc<Semaphore>,
    memory_kib: u32,
    /// One permit for each job, under way or waiting.
    places: Arc<Semaphore>,
}

/// Why nothing was computed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// As many wait as may.
    #[error("too many passwords are being hashed")]
    Busy,
    /// The computation itself failed.
    #[error(transparent)]
    Failed(#[from] HashingFailed),
    /// The stored hash is none.
    #[error(transparent)]
    Unknown(#[from] UnknownHash),
}

impl HashingPool {
    /// A pool for so many of today's hashes at once; 0 counts as 1.
    #[must_use]
    pub fn new(at_once: u32) -> Self {
        let at_once = at_once.clamp(1, 1024);
        let memory_kib = at_once.saturating_mul(HashKind::current().memory_kib());
        let places = at_once.saturating_mul(1 + WAITING_FOR_EACH);
        Self {
            memory: semaphore(memory_kib),
            memory_kib,
            places: semaphore(places),
        }
    }

    /// [`hash()`]
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<String, Refused> {
        self.run(HashKind::current().memory_kib(), move || {
            Ok(hash(&password, &salt)?)
        })
        .await
    }

    /// [`verify_evenly`]
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn verify_evenly(
        &self,
        password: Password,
        stored: Option<String>,
        kinds: Vec<HashKind>,
    ) -> Result<Verdict, Refused> {
        // By what everybody's comparison needs, not by what this one's does.
        let listed = kinds.iter().map(HashKind::memory_kib).max().unwrap_or(0);
        let most = listed.max(HashKind::current().memory_kib());
        self.run(most, move || {
            Ok(verify_evenly(&password, stored.as_deref(), &kinds)?)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        memory_kib: u32,
        work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Refused::Busy)?;
        // What needs more than all of it has it alone.
        let memory = Arc::clone(&self.memory).acquire_many_owned(memory_kib.min(self.memory_kib));
        let memory = memory.await.map_err(|_| Refused::Busy)?;
        let job = tokio::task::spawn_blocking(move || {
            let _held: [OwnedSemaphorePermit; 2] = [place, memory];
            work()
        });
        job.await.unwrap_or(Err(Refused::Failed(HashingFailed)))
    }
}

fn semaphore(permits: u32) -> Arc<Semaphore> {
    let permits = usize::try_from(permits).unwrap_or(Semaphore::MAX_PERMITS);
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

impl fmt::Debug for HashingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashingPool")
            .field("memory_kib", &self.memory_kib)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A job that runs until it is told to end.
    fn held() -> (
        mpsc::Sender<()>,
        impl FnOnce() -> Result<(), Refused> + Send + 'static,
    ) {
        let (end, until) = mpsc::channel::<()>();
        (end, move || {
            let _ = until.recv();
            Ok(())
        })
    }

    #[tokio::test]
    async fn a_pool_computes_what_the_functions_compute() {
        let pool = HashingPool::new(2);
        let password = || Password::new("correct horse").unwrap();
        let stored = pool.hash(password(), [7; 16]).await.unwrap();
        assert_eq!(stored, hash(&password(), &[7; 16]).unwrap());
        assert_eq!(
            pool.verify_evenly(password(), Some(stored), Vec::new()).await,
            Ok(Verdict::Right)
        );
        let refused = pool.verify_evenly(password(), Some("x".into()), Vec::new());
        assert_eq!(refused.await, Err(Refused::Unknown(UnknownHash)));
    }

    #[tokio::test]
    async fn whoever_comes_when_all_places_are_taken_is_refused_at_once() {
        let pool = HashingPool::new(1);
        let (end, job) = held();
        let one = HashKind::current().memory_kib();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(one, job).await }
        });
        let waiting: Vec<_> = (0..WAITING_FOR_EACH)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.run(one, || Ok(())).await })
            })
            .collect();
        while pool.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(one, || Ok(())).await, Err(Refused::Busy));
        end.send(()).unwrap();
        first.await.unwrap().unwrap();
        for job in waiting {
            job.await.unwrap().unwrap();
        }
        assert_eq!(pool.run(one, || Ok(())).await, Ok(()));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_holds_its_memory_until_it_is_done() {
        let pool = HashingPool::new(1);
        let (end, job) = held();
        let one = HashKind::current().memory_kib();
        let abandoned = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(one, job).await }
        });
        while pool.memory.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        abandoned.abort();
        assert!(abandoned.await.is_err());
        assert_eq!(pool.memory.available_permits(), 0);
        end.send(()).unwrap();
        assert_eq!(pool.run(u32::MAX, || Ok(())).await, Ok(()), "all of the memory");
    }
}
