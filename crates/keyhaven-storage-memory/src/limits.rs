use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use keyhaven_storage::{Allowance, Bucket, LimitStore, StorageError};

/// Bounds on attempts, in this process, in fixed memory: 458,752 buckets in 8 MiB, whatever is asked.
///
/// The table has sets of places. Part of a bucket's name picks a set, part tells the buckets of a set apart; the names
/// are keyed hashes, so nobody can aim at a place. A bucket that is full again is as good as none: its place goes to the
/// next name, so there is nothing to sweep, and each look is at one set only.
///
/// Where all places of a set are in use, a *new* name is counted in the one bucket that all newcomers of that set share.
/// So a flood of names never opens the limits (what is not counted alone is counted together), never displaces or
/// charges those who have a bucket, and meets a newcomer only where the hash puts both in the same of 65,536 sets.
pub struct MemoryLimitStore {
    sets: Box<[Mutex<Set>]>,
    elapsed: Box<dyn Fn() -> Duration + Send + Sync>,
}

impl MemoryLimitStore {
    /// Sets in the table: with seven places and the shared one to a set.
    const SETS: usize = 65_536;

    /// Every bucket full.
    #[must_use]
    pub fn new() -> Self {
        let epoch = Instant::now();
        Self::with_clock(move || epoch.elapsed())
    }

    /// As [`Self::new`], where `elapsed` tells the time since then: the places come back as it passes.
    #[must_use]
    pub fn with_clock(elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self::of(Self::SETS, elapsed)
    }

    fn of(sets: usize, elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            sets: std::iter::repeat_with(Mutex::default).take(sets).collect(),
            elapsed: Box::new(elapsed),
        }
    }

    fn take_all(&self, buckets: &[Bucket], now: Moment) -> Allowance {
        for (index, bucket) in buckets.iter().enumerate() {
            let taken = self.in_place_of(bucket, now, |full_at| take(full_at, bucket.per_minute, now));
            if let Err(retry_after) = taken {
                for taken in buckets.iter().take(index) {
                    self.in_place_of(taken, now, |full_at| give_back(full_at, taken.per_minute));
                }
                return Allowance::Refused { retry_after };
            }
        }
        Allowance::Granted
    }

    fn in_place_of<T>(&self, bucket: &Bucket, now: Moment, work: impl FnOnce(&mut Moment) -> T) -> T {
        let (place, name) = halves(bucket.name);
        let count = u64::try_from(self.sets.len()).unwrap_or(u64::MAX);
        let index = place
            .checked_rem(count)
            .and_then(|index| usize::try_from(index).ok());
        // There is a set at every index below their number; without any set nothing could be counted.
        let Some(set) = index.and_then(|index| self.sets.get(index)) else {
            let mut never_full = Moment::MAX;
            return work(&mut never_full);
        };
        // A panic cannot leave a set half written: the moments in it are right in any combination.
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        work(set.place(name, now))
    }
}

impl Default for MemoryLimitStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryLimitStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLimitStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl LimitStore for MemoryLimitStore {
    async fn take(&self, buckets: &[Bucket]) -> Result<Allowance, StorageError> {
        let now = Moment::try_from((self.elapsed)().as_nanos()).unwrap_or(Moment::MAX);
        Ok(self.take_all(buckets, now))
    }
}

/// Places in a set: with the shared one and the lock, two cache lines.
const PLACES_IN_SET: usize = 7;

#[derive(Clone, Copy, Default)]
struct Set {
    own: [Place; PLACES_IN_SET],
    shared: Moment,
}

#[derive(Clone, Copy, Default)]
struct Place {
    name: u64,
    full_at: Moment,
}

/// Nanoseconds since the store was made; enough for 584 years.
type Moment = u64;

/// All buckets take this long to fill, whatever their size: that is what lets names of different kinds share one.
const MINUTE: Moment = 60_000_000_000;

impl Set {
    /// The place of a name: its own, else a free one, else the shared one.
    fn place(&mut self, name: u64, now: Moment) -> &mut Moment {
        let own = self
            .own
            .iter()
            .position(|place| place.name == name)
            .or_else(|| self.own.iter().position(|place| place.full_at <= now));
        match own.and_then(|index| self.own.get_mut(index)) {
            Some(place) => {
                place.name = name;
                &mut place.full_at
            }
            None => &mut self.shared,
        }
    }
}

fn halves(name: [u8; 16]) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = name;
    (
        u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        u64::from_be_bytes([i, j, k, l, m, n, o, p]),
    )
}

/// How long a bucket of this size needs for one. Never 0: at most 2^32 in 6·10^10 nanoseconds.
fn one_of(per_minute: u32) -> Moment {
    MINUTE / u64::from(per_minute.max(1))
}

fn take(full_at: &mut Moment, per_minute: u32, now: Moment) -> Result<(), Duration> {
    let then = (*full_at).max(now).saturating_add(one_of(per_minute));
    let wait = then.saturating_sub(now).saturating_sub(MINUTE);
    if wait > 0 {
        return Err(Duration::from_nanos(wait));
    }
    *full_at = then;
    Ok(())
}

/// Undoes a [`take`], whatever others have taken since.
fn give_back(full_at: &mut Moment, per_minute: u32) {
    *full_at = full_at.saturating_sub(one_of(per_minute));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Moment = 1_000_000_000;

    /// A name as a hash would have it: another place and another tag for each.
    fn bucket(n: u64, per_minute: u32) -> Bucket {
        let mut name = [0; 16];
        name[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        name[8..].copy_from_slice(&(n + 1).to_be_bytes());
        Bucket {
            name,
            near: [0; 8],
            per_minute,
        }
    }

    fn granted(store: &MemoryLimitStore, bucket: Bucket, now: Moment) -> bool {
        store.take_all(&[bucket], now) == Allowance::Granted
    }

    #[test]
    fn a_bucket_refills_evenly_and_tells_how_long_to_wait() {
        let store = MemoryLimitStore::of(4, || Duration::ZERO);
        let bucket = bucket(1, 6);
        let refused = |seconds| Allowance::Refused {
            retry_after: Duration::from_secs(seconds),
        };
        for _ in 0..6 {
            assert!(granted(&store, bucket, 0));
        }
        assert_eq!(store.take_all(&[bucket], 0), refused(10));
        assert_eq!(store.take_all(&[bucket], 9 * SECOND), refused(1));
        assert!(granted(&store, bucket, 10 * SECOND));
        assert!(!granted(&store, bucket, 10 * SECOND));
        for _ in 0..6 {
            assert!(granted(&store, bucket, 70 * SECOND));
        }
    }

    #[test]
    fn in_a_full_table_newcomers_share_and_nobody_else_is_touched() {
        let store = MemoryLimitStore::of(1, || Duration::ZERO);
        let residents = 0..u64::try_from(PLACES_IN_SET).unwrap();
        for n in residents.clone() {
            assert!(granted(&store, bucket(n, 2), 0));
        }
        // A flood of new names, each of which would have two of its own, gets two together.
        let passed = (1_000..2_000)
            .filter(|&n| granted(&store, bucket(n, 2), 0))
            .count();
        assert_eq!(passed, 2);
        // Those who were there have what they had: one more each.
        for n in residents.clone() {
            assert!(granted(&store, bucket(n, 2), 0));
            assert!(!granted(&store, bucket(n, 2), 0));
        }
        // What has filled up again makes room, without a sweep.
        for n in residents {
            for _ in 0..2 {
                assert!(granted(&store, bucket(5_000 + n, 2), 2 * MINUTE));
            }
        }
    }

    #[test]
    fn a_flood_of_names_takes_no_more_memory_and_time() {
        let store = MemoryLimitStore::of(1_024, || Duration::ZERO);
        let (sets, size) = (store.sets.len(), size_of::<Mutex<Set>>());
        assert_eq!(size, 128);
        for n in 0..200_000_u64 {
            let _ = store.take_all(&[bucket(n, 5)], n);
        }
        assert_eq!(store.sets.len(), sets);
    }
}
