//! Bounds on attempts, in this process (`governor`).
//!
//! Nobody can lock somebody else out: every bucket belongs to an address, or to an address together with an account.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::error::Error;
use crate::settings::RateLimitSettings;

/// What is counted apart from each other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Attempt {
    LoginFinish,
    LoginStart,
    RegistrationFinish,
    RegistrationStart,
    StepUp,
}

/// The buckets.
pub(crate) struct Limits {
    addresses: DefaultKeyedRateLimiter<(Attempt, Address)>,
    pairs: DefaultKeyedRateLimiter<(Address, Box<[u8]>)>,
    usernames: DefaultKeyedRateLimiter<Address>,
}

/// One customer's network as far as an address tells: IPv4 whole, IPv6 by its /64.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Address {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

impl Limits {
    /// Buckets of these sizes; a size of 0 counts as 1.
    pub(crate) fn new(settings: &RateLimitSettings) -> Self {
        let quota = |n: u32| Quota::per_minute(NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
        Self {
            addresses: RateLimiter::keyed(quota(settings.per_address)),
            pairs: RateLimiter::keyed(quota(settings.per_address_and_account)),
            usernames: RateLimiter::keyed(quota(settings.username_taken)),
        }
    }

    /// Counts one request of this kind from this address.
    pub(crate) fn address(&self, attempt: Attempt, ip: IpAddr) -> Result<(), Error> {
        check(&self.addresses, &(attempt, ip.into()))
    }

    /// Counts one attempt at this account (or the name, or the credential, that stands for it) from this address.
    pub(crate) fn pair(&self, ip: IpAddr, account: &[u8]) -> Result<(), Error> {
        check(&self.pairs, &(ip.into(), account.into()))
    }

    /// Counts one look at whether a username is free from this address.
    pub(crate) fn username(&self, ip: IpAddr) -> Result<(), Error> {
        check(&self.usernames, &ip.into())
    }
}

/// As many buckets are kept before those that are full again are dropped.
const MANY_BUCKETS: usize = 50_000;

fn check<K: Clone + Eq + std::hash::Hash>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
) -> Result<(), Error> {
    if limiter.len() > MANY_BUCKETS {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|refused| Error::RateLimited {
        retry_after: refused
            .wait_time_from(DefaultClock::default().now())
            .max(Duration::from_secs(1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::new(&RateLimitSettings {
            per_address: 3,
            per_address_and_account: 2,
            username_taken: 1,
        })
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
}
