//! Bounds on attempts, in this process, in fixed memory.
//!
//! Nobody can lock one account's owner out from elsewhere: every bucket belongs to a network, or to a network together
//! with an account, or to somebody who is signed in. Starts are counted for the wider networks too (see
//! [`Limits::address`]): there, and only there, an attacker can use up what the neighbours in the same range share.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac;

use crate::error::Error;
use crate::network::Network;
use crate::settings::RateLimitSettings;

/// What is counted apart from each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attempt {
    /// A change that somebody signed in makes.
    Change,
    LoginFinish,
    LoginStart,
    RegistrationFinish,
    RegistrationStart,
    StepUp,
}

impl Attempt {
    /// Whether it leaves a pending ceremony behind.
    fn is_start(self) -> bool {
        matches!(self, Self::LoginStart | Self::RegistrationStart | Self::StepUp)
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::Change => b"change",
            Self::LoginFinish => b"login finish",
            Self::LoginStart => b"login start",
            Self::RegistrationFinish => b"registration finish",
            Self::RegistrationStart => b"registration start",
            Self::StepUp => b"step-up",
        }
    }
}

/// The buckets. A bucket holds a minute's worth and refills evenly (the generic cell rate algorithm).
pub(crate) struct Limits {
    settings: RateLimitSettings,
    buckets: Buckets,
    epoch: Instant,
}

impl Limits {
    /// Buckets of these sizes; a size of 0 counts as 1. `key` is for names of buckets and nothing else.
    pub(crate) fn new(settings: &RateLimitSettings, key: hmac::Key) -> Self {
        Self {
            settings: *settings,
            buckets: Buckets::new(key, SETS),
            epoch: Instant::now(),
        }
    }

    /// Counts one request of this kind from this address; a start also for the networks around it, all kinds together.
    ///
    /// Why also the networks around it: pending ceremonies are one pool for everybody (100,000 by default, five minutes
    /// each), and who fills it makes every start by anybody `busy`. A bucket of `n` a minute lets `n` through at once
    /// and `5 n` more while the first of them expire, so it can hold `6 n` ceremonies. With the default of 120:
    ///
    /// | network          | shares | a minute | ceremonies it can hold | of the pool | needed to fill it |
    /// | ---------------- | ------ | -------- | ---------------------- | ----------- | ----------------- |
    /// | IPv4, IPv6 /64   | 1      | 120      | 720 of each kind       | 0.7 %       | does not matter:  |
    /// | IPv6 /56         | 4      | 480      | 2,880                  | 2.9 %       | the wider ones    |
    /// | IPv4 /24, v6 /48 | 8      | 960      | 5,760                  | 5.8 %       | bound these       |
    /// | IPv4 /16, v6 /32 | 16     | 1,920    | 11,520                 | 11.5 %      | 9                 |
    ///
    /// A /29, the most that a provider gets without giving reasons, has eight /32: 92 %. Who has nine unrelated ranges
    /// has a botnet; against that helps only a larger pool.
    pub(crate) fn address(&self, attempt: Attempt, ip: IpAddr) -> Result<(), Error> {
        let network = Network::smallest(ip);
        self.check(
            &[b"address", attempt.name(), &network.to_bytes()],
            self.settings.per_address,
        )?;
        if attempt.is_start() {
            // From small to large: what one customer is refused does not use up the neighbours' share.
            for (network, shares) in Network::ladder(ip).into_iter().skip(1) {
                let size = self.settings.per_address.max(1).saturating_mul(shares);
                self.check(&[b"starts", &network.to_bytes()], size)?;
            }
        }
        Ok(())
    }

    /// Counts one attempt at this account (or the name, or the credential, that stands for it) from this address.
    pub(crate) fn pair(&self, ip: IpAddr, account: &[u8]) -> Result<(), Error> {
        self.check(
            &[b"pair", &Network::smallest(ip).to_bytes(), account],
            self.settings.per_address_and_account,
        )
    }

    /// Counts one look at whether a username is free from this address.
    pub(crate) fn username(&self, ip: IpAddr) -> Result<(), Error> {
        self.check(
            &[b"username", &Network::smallest(ip).to_bytes()],
            self.settings.username_taken,
        )
    }

    /// Counts one change by somebody signed in: `by` is the account, or the session.
    pub(crate) fn change(&self, ip: IpAddr, by: &[u8]) -> Result<(), Error> {
        self.check(&[b"change", by], self.settings.changes_per_account)?;
        self.address(Attempt::Change, ip)
    }

    fn check(&self, name: &[&[u8]], per_minute: u32) -> Result<(), Error> {
        let now = nanos(self.epoch.elapsed());
        self.buckets.check(name, per_minute, now).map_err(|wait| {
            // A client that waits as told should not have to ask again.
            let retry_after = wait.max(Duration::from_secs(1));
            Error::RateLimited { retry_after }
        })
    }
}

/// Sets of buckets in the table: with seven to a set, 458,752 buckets in 8 MiB, whatever is asked.
const SETS: usize = 65_536;

/// Buckets in a set: with the shared one and the lock, two cache lines.
const BUCKETS_IN_SET: usize = 7;

/// All buckets, in a table of fixed size.
///
/// The name of a bucket (an address, an account: what callers choose) is hashed under a secret key, so nobody can aim
/// at a place in the table; part of the hash picks a set, part tells the buckets of a set apart. A bucket that is full
/// again is as good as none: its place goes to the next name, so there is nothing to sweep, and each check looks at one
/// set only.
///
/// Where all buckets of a set are in use, a *new* name is counted in the one bucket that all newcomers of that set
/// share. So a flood of names never opens the limits (what is not counted alone is counted together), never displaces
/// or charges those who have a bucket, and meets a newcomer only where the hash puts both in the same of 65,536 sets.
struct Buckets {
    key: hmac::Key,
    sets: Box<[Mutex<Set>]>,
}

#[derive(Clone, Copy, Default)]
struct Set {
    own: [Bucket; BUCKETS_IN_SET],
    shared: Moment,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    name: u64,
    full_at: Moment,
}

/// Nanoseconds since the process began; enough for 584 years.
type Moment = u64;

/// All buckets take this long to fill, whatever their size: that is what lets names of different kinds share one.
const MINUTE: Moment = 60_000_000_000;

impl Buckets {
    fn new(key: hmac::Key, sets: usize) -> Self {
        let sets = std::iter::repeat_with(Mutex::default).take(sets).collect();
        Self { key, sets }
    }

    /// Takes one of `per_minute` from the bucket of this name, or tells how long to wait for one.
    fn check(&self, name: &[&[u8]], per_minute: u32, now: Moment) -> Result<(), Duration> {
        let (place, name) = self.hash(name);
        let count = u64::try_from(self.sets.len()).unwrap_or(u64::MAX);
        let index = place
            .checked_rem(count)
            .and_then(|index| usize::try_from(index).ok());
        // There is a set at every index below their number; without any set nothing could be counted.
        let Some(set) = index.and_then(|index| self.sets.get(index)) else {
            return Err(Duration::from_nanos(MINUTE));
        };
        // A panic cannot leave a set half written: the moments in it are right in any combination.
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        take(set.bucket(name, now), per_minute, now)
    }

    /// Where to look, and for what. The parts are told apart by their lengths.
    fn hash(&self, parts: &[&[u8]]) -> (u64, u64) {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let tag = context.sign();
        let mut words = tag.as_ref().chunks_exact(8).map(|word| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            u64::from_be_bytes(bytes)
        });
        (words.next().unwrap_or(0), words.next().unwrap_or(0))
    }
}

impl Set {
    /// The bucket of a name: its own, else a free one, else the shared one.
    fn bucket(&mut self, name: u64, now: Moment) -> &mut Moment {
        let own = self
            .own
            .iter()
            .position(|bucket| bucket.name == name)
            .or_else(|| self.own.iter().position(|bucket| bucket.full_at <= now));
        match own.and_then(|index| self.own.get_mut(index)) {
            Some(bucket) => {
                bucket.name = name;
                &mut bucket.full_at
            }
            None => &mut self.shared,
        }
    }
}

fn take(full_at: &mut Moment, per_minute: u32, now: Moment) -> Result<(), Duration> {
    // Never 0 for any size: at most 2^32 in 6·10^10 nanoseconds.
    let one = MINUTE / u64::from(per_minute.max(1));
    let then = (*full_at).max(now).saturating_add(one);
    let wait = then.saturating_sub(now).saturating_sub(MINUTE);
    if wait > 0 {
        return Err(Duration::from_nanos(wait));
    }
    *full_at = then;
    Ok(())
}

fn nanos(duration: Duration) -> Moment {
    Moment::try_from(duration.as_nanos()).unwrap_or(Moment::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Moment = 1_000_000_000;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[1; 32])
    }

    fn limits() -> Limits {
        Limits::new(
            &RateLimitSettings {
                per_address: 3,
                per_address_and_account: 2,
                username_taken: 1,
                changes_per_account: 2,
            },
            key(),
        )
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn attempts_elsewhere_do_not_use_up_a_victims_bucket() {
        let limits = limits();
        for _ in 0..2 {
            limits.pair(ip("192.0.2.1"), b"alice").unwrap();
        }
        let refused = limits.pair(ip("192.0.2.1"), b"alice").unwrap_err();
        assert!(
            matches!(refused, Error::RateLimited { retry_after } if retry_after >= Duration::from_secs(1))
        );
        limits.pair(ip("192.0.2.2"), b"alice").unwrap();
        limits.pair(ip("192.0.2.1"), b"bob").unwrap();
    }

    #[test]
    fn kinds_are_counted_apart_and_ipv6_by_network() {
        let limits = limits();
        for n in 1..=3 {
            limits
                .address(Attempt::LoginStart, ip(&format!("2001:db8::{n}")))
                .unwrap();
        }
        assert!(limits.address(Attempt::LoginStart, ip("2001:db8::9")).is_err());
        limits.address(Attempt::LoginFinish, ip("2001:db8::9")).unwrap();
        limits
            .address(Attempt::LoginStart, ip("2001:db8:0:1::9"))
            .unwrap();
        limits.username(ip("::ffff:192.0.2.1")).unwrap();
        assert!(limits.username(ip("192.0.2.1")).is_err());
    }

    /// How many starts get through from these addresses, one each.
    fn starts(limits: &Limits, attempt: Attempt, addresses: impl Iterator<Item = IpAddr>) -> usize {
        addresses
            .filter(|&address| limits.address(attempt, address).is_ok())
            .count()
    }

    #[test]
    fn no_range_starts_more_than_its_share_however_many_networks_it_has() {
        // One start from each /64 of a /56, of a /48, and from each /48 of a /32; one from each address of a /24.
        type Range = fn(u16) -> IpAddr;
        let ranges: [(Range, usize); 4] = [
            (|n| IpAddr::from([0x2001, 0xdb8, 0, n % 256, 0, 0, 0, 1]), 4 * 3),
            (|n| IpAddr::from([0x2001, 0xdb8, 0, n << 8, 0, 0, 0, 1]), 8 * 3),
            (|n| IpAddr::from([0x2001, 0xdb8, n, 0, 0, 0, 0, 1]), 16 * 3),
            (|n| IpAddr::from([192, 0, 2, n.to_be_bytes()[1]]), 8 * 3),
        ];
        for (range, share) in ranges {
            let limits = limits();
            assert_eq!(starts(&limits, Attempt::LoginStart, (0..256).map(range)), share);
            // Another kind of start adds to the same pool; a finish takes from it.
            assert_eq!(
                starts(&limits, Attempt::RegistrationStart, (0..256).map(range)),
                0
            );
            assert_eq!(starts(&limits, Attempt::LoginFinish, (0..3).map(range)), 3);
            // Elsewhere nobody notices.
            limits.address(Attempt::LoginStart, ip("2a00::1")).unwrap();
            limits.address(Attempt::LoginStart, ip("198.51.100.1")).unwrap();
        }
    }

    #[test]
    fn one_customers_refusals_do_not_use_up_the_neighbours_share() {
        let limits = limits();
        for _ in 0..1_000 {
            let _ = limits.address(Attempt::LoginStart, ip("192.0.2.1"));
        }
        limits.address(Attempt::LoginStart, ip("192.0.2.2")).unwrap();
    }

    #[test]
    fn default_limits_leave_the_pool_of_ceremonies_room() {
        let settings = RateLimitSettings::default();
        let widest = [ip("192.0.2.1"), ip("2001:db8::1")].map(|ip| Network::ladder(ip).pop().unwrap().1);
        for shares in widest {
            // A minute's worth at once, and what refills during the five minutes of the first ones.
            let held = settings.per_address * shares * (1 + 5);
            assert!(8 * held < 100_000, "{held}");
        }
    }

    #[test]
    fn a_bucket_refills_evenly_and_tells_how_long_to_wait() {
        let buckets = Buckets::new(key(), 4);
        for _ in 0..6 {
            buckets.check(&[b"a"], 6, 0).unwrap();
        }
        assert_eq!(buckets.check(&[b"a"], 6, 0), Err(Duration::from_secs(10)));
        assert_eq!(buckets.check(&[b"a"], 6, 9 * SECOND), Err(Duration::from_secs(1)));
        buckets.check(&[b"a"], 6, 10 * SECOND).unwrap();
        buckets.check(&[b"a"], 6, 10 * SECOND).unwrap_err();
        for _ in 0..6 {
            buckets.check(&[b"a"], 6, 70 * SECOND).unwrap();
        }
        // Parts of a name cannot be moved from one to the next.
        for _ in 0..2 {
            buckets.check(&[b"b", b"cd"], 2, 0).unwrap();
        }
        buckets.check(&[b"b", b"cd"], 2, 0).unwrap_err();
        buckets.check(&[b"bc", b"d"], 2, 0).unwrap();
    }

    #[test]
    fn in_a_full_table_newcomers_share_and_nobody_else_is_touched() {
        let buckets = Buckets::new(key(), 1);
        let names: Vec<_> = (0..BUCKETS_IN_SET).map(|n| format!("resident {n}")).collect();
        for name in &names {
            buckets.check(&[name.as_bytes()], 2, 0).unwrap();
        }
        // A flood of new names, each of which would have two of its own, gets two together.
        let passed = (0..1_000)
            .filter(|n: &u32| buckets.check(&[&n.to_be_bytes()], 2, 0).is_ok())
            .count();
        assert_eq!(passed, 2);
        // Those who were there have what they had: one more each.
        for name in &names {
            buckets.check(&[name.as_bytes()], 2, 0).unwrap();
            buckets.check(&[name.as_bytes()], 2, 0).unwrap_err();
        }
        // What has filled up again makes room, without a sweep.
        for n in 0..BUCKETS_IN_SET {
            let newcomer = format!("newcomer {n}");
            for _ in 0..2 {
                buckets.check(&[newcomer.as_bytes()], 2, 2 * MINUTE).unwrap();
            }
        }
    }

    #[test]
    fn a_flood_of_names_takes_no_more_memory_and_time() {
        let buckets = Buckets::new(key(), 1_024);
        let (sets, size) = (buckets.sets.len(), size_of::<Mutex<Set>>());
        assert_eq!(size, 128);
        for n in 0..200_000_u64 {
            let _ = buckets.check(&[&n.to_be_bytes()], 5, n);
        }
        assert_eq!(buckets.sets.len(), sets);
        // The key decides where a name goes.
        let other = Buckets::new(hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]), 1_024);
        assert_ne!(buckets.hash(&[b"a"]), other.hash(&[b"a"]));
    }
}
