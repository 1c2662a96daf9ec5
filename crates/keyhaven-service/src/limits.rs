//! Bounds on attempts: which buckets an attempt is counted in. The store counts.
//!
//! Nobody can lock one account's owner out from elsewhere: every bucket belongs to a network, or to a network together
//! with an account, or to somebody who is signed in. Starts are counted for the wider networks too (see
//! [`Limits::address`]): there, and only there, an attacker can use up what the neighbours in the same range share.
//!
//! A use case gathers its buckets and asks once, so that limits cost one round trip at most.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keyhaven_storage::{Allowance, Bucket, LimitStore};
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
    /// A password is hashed.
    Password,
    RecoveryStart,
    RecoveryTry,
    RegistrationFinish,
    RegistrationStart,
    StepUp,
}

impl Attempt {
    /// What it leaves behind more of, where that is bounded for the wider networks too: a pending ceremony, or a recovery
    /// and its mail.
    const fn pool(self) -> Option<&'static [u8]> {
        match self {
            Self::LoginStart | Self::RegistrationStart | Self::StepUp => Some(b"starts"),
            Self::RecoveryStart => Some(b"recoveries"),
            Self::Change
            | Self::LoginFinish
            | Self::Password
            | Self::RecoveryTry
            | Self::RegistrationFinish => None,
        }
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::Change => b"change",
            Self::LoginFinish => b"login finish",
            Self::LoginStart => b"login start",
            Self::Password => b"password",
            Self::RecoveryStart => b"recovery start",
            Self::RecoveryTry => b"recovery try",
            Self::RegistrationFinish => b"registration finish",
            Self::RegistrationStart => b"registration start",
            Self::StepUp => b"step-up",
        }
    }
}

/// Where attempts are counted, and how large the buckets are.
pub(crate) struct Limits {
    settings: RateLimitSettings,
    key: hmac::Key,
    store: Arc<dyn LimitStore>,
}

impl Limits {
    /// Buckets of these sizes; a size of 0 counts as 1. `key` is for names of buckets and nothing else.
    pub(crate) fn new(settings: &RateLimitSettings, key: hmac::Key, store: Arc<dyn LimitStore>) -> Self {
        Self {
            settings: *settings,
            key,
            store,
        }
    }

    /// Counts one attempt in all of these, or refuses it.
    pub(crate) async fn check(&self, mut buckets: Vec<Bucket>) -> Result<(), Error> {
        // From small to large: the wait that is told is the one of the closest bucket.
        buckets.sort_by_key(|bucket| bucket.per_minute);
        match self.store.take(&buckets).await? {
            Allowance::Granted => Ok(()),
            Allowance::Refused { retry_after } => Err(Error::RateLimited {
                // A client that waits as told should not have to ask again.
                retry_after: retry_after.max(Duration::from_secs(1)),
            }),
        }
    }

    /// One request of this kind from this address; a start also for the networks around it, all kinds of ceremonies
    /// together, and recoveries apart from them: each is a row, and a mail that somebody gets or nobody does.
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
    pub(crate) fn address(&self, attempt: Attempt, ip: IpAddr) -> Vec<Bucket> {
        let near = self.near(ip);
        let mut buckets = vec![Bucket {
            name: self.hash(&[b"address", attempt.name(), &Network::smallest(ip).to_bytes()]),
            near,
            per_minute: self.settings.per_address,
        }];
        if let Some(pool) = attempt.pool() {
            buckets.extend(
                Network::ladder(ip)
                    .into_iter()
                    .skip(1)
                    .map(|(network, shares)| Bucket {
                        name: self.hash(&[pool, &network.to_bytes()]),
                        near,
                        per_minute: self.settings.per_address.max(1).saturating_mul(shares),
                    }),
            );
        }
        buckets
    }

    /// One attempt at this account (or the name, or the credential, that stands for it) from this address.
    pub(crate) fn pair(&self, ip: IpAddr, account: &[u8]) -> Bucket {
        Bucket {
            name: self.hash(&[b"pair", &Network::smallest(ip).to_bytes(), account]),
            near: self.near(ip),
            per_minute: self.settings.per_address_and_account,
        }
    }

    /// One password tried, or chosen, from this address: also for the networks around it, apart from ceremonies. With an
    /// account's name, known or not, also for that name from each of these networks: who tries from many addresses of a
    /// range gets not much farther than from one, and nobody elsewhere notices.
    pub(crate) fn password(&self, ip: IpAddr, account: Option<&[u8]>) -> Vec<Bucket> {
        let near = self.near(ip);
        let mut buckets = Vec::new();
        for (step, (network, shares)) in (0_u32..).zip(Network::ladder(ip)) {
            let network = network.to_bytes();
            buckets.push(Bucket {
                name: self.hash(&[b"passwords", Attempt::Password.name(), &network]),
                near,
                per_minute: self.settings.passwords_per_address.max(1).saturating_mul(shares),
            });
            buckets.extend(account.map(|account| {
                Bucket {
                    name: self.hash(&[b"passwords of", &network, account]),
                    near,
                    per_minute: self
                        .settings
                        .passwords_per_address_and_account
                        .max(1)
                        .saturating_mul(1_u32.checked_shl(step).unwrap_or(u32::MAX)),
                }
            }));
        }
        buckets
    }

    /// One guess by somebody who has come far enough to make one: has the session, or the passkey. By that rather than
    /// the account: nobody else can use it up.
    pub(crate) fn guess(&self, by: &[u8]) -> Bucket {
        let by = [b"guess", by];
        Bucket {
            name: self.hash(&by),
            near: self.hash(&by),
            per_minute: self.settings.passwords_per_address_and_account,
        }
    }

    /// One look at whether a username is free from this address.
    pub(crate) fn username(&self, ip: IpAddr) -> Bucket {
        Bucket {
            name: self.hash(&[b"username", &Network::smallest(ip).to_bytes()]),
            near: self.near(ip),
            per_minute: self.settings.username_taken,
        }
    }

    /// One change by somebody signed in: `by` is the account, or the session.
    pub(crate) fn change(&self, ip: IpAddr, by: &[u8]) -> Vec<Bucket> {
        let by = [b"change", by];
        let mut buckets = self.address(Attempt::Change, ip);
        buckets.push(Bucket {
            name: self.hash(&by),
            near: self.hash(&by),
            per_minute: self.settings.changes_per_account,
        });
        buckets
    }

    /// What the buckets of an address are near: the widest network around it.
    fn near(&self, ip: IpAddr) -> [u8; 8] {
        let widest = Network::ladder(ip).pop().map(|(network, _)| network.to_bytes());
        self.hash(&[b"near", &widest.unwrap_or_default()])
    }

    /// The parts are told apart by their lengths.
    fn hash<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; N];
        for (to, from) in hash.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use keyhaven_storage_memory::MemoryLimitStore;

    use super::*;

    fn limits() -> Limits {
        limits_under([1; 32])
    }

    fn limits_under(key: [u8; 32]) -> Limits {
        Limits::new(
            &RateLimitSettings {
                per_address: 3,
                per_address_and_account: 2,
                username_taken: 1,
                passwords_per_address: 4,
                passwords_per_address_and_account: 2,
                changes_per_account: 2,
            },
            hmac::Key::new(hmac::HMAC_SHA256, &key),
            Arc::new(MemoryLimitStore::new()),
        )
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    impl Limits {
        async fn attempt(&self, attempt: Attempt, from: IpAddr) -> Result<(), Error> {
            self.check(self.address(attempt, from)).await
        }

        async fn attempt_at(&self, from: &str, account: &[u8]) -> Result<(), Error> {
            self.check(vec![self.pair(ip(from), account)]).await
        }
    }

    #[tokio::test]
    async fn attempts_elsewhere_do_not_use_up_a_victims_bucket() {
        let limits = limits();
        for _ in 0..2 {
            limits.attempt_at("192.0.2.1", b"alice").await.unwrap();
        }
        let refused = limits.attempt_at("192.0.2.1", b"alice").await.unwrap_err();
        assert!(
            matches!(refused, Error::RateLimited { retry_after } if retry_after >= Duration::from_secs(1))
        );
        limits.attempt_at("192.0.2.2", b"alice").await.unwrap();
        limits.attempt_at("192.0.2.1", b"bob").await.unwrap();
    }

    #[tokio::test]
    async fn a_password_is_guessed_slowly_from_one_range_and_its_owner_is_elsewhere() {
        let limits = limits();
        let mut tried = 0;
        for n in 0..=255 {
            let from = IpAddr::from([192, 0, 2, n]);
            tried += usize::from(limits.check(limits.password(from, Some(b"alice"))).await.is_ok());
        }
        // Twice what one address may, for the /24 around all of them.
        assert_eq!(tried, 4);
        let elsewhere = ip("198.51.100.1");
        limits
            .check(limits.password(elsewhere, Some(b"alice")))
            .await
            .unwrap();
        limits
            .check(limits.password(ip("192.0.2.1"), Some(b"bob")))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn kinds_are_counted_apart_and_ipv6_by_network() {
        let limits = limits();
        for n in 1..=3 {
            limits
                .attempt(Attempt::LoginStart, ip(&format!("2001:db8::{n}")))
                .await
                .unwrap();
        }
        let last = ip("2001:db8::9");
        assert!(limits.attempt(Attempt::LoginStart, last).await.is_err());
        limits.attempt(Attempt::LoginFinish, last).await.unwrap();
        limits
            .attempt(Attempt::LoginStart, ip("2001:db8:0:1::9"))
            .await
            .unwrap();
        let username = |from| limits.check(vec![limits.username(ip(from))]);
        username("::ffff:192.0.2.1").await.unwrap();
        assert!(username("192.0.2.1").await.is_err());
    }

    /// How many starts get through from these addresses, one each.
    async fn starts(limits: &Limits, attempt: Attempt, addresses: impl Iterator<Item = IpAddr>) -> usize {
        let mut started = 0;
        for address in addresses {
            started += usize::from(limits.attempt(attempt, address).await.is_ok());
        }
        started
    }

    #[tokio::test]
    async fn no_range_starts_more_than_its_share_however_many_networks_it_has() {
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
            assert_eq!(
                starts(&limits, Attempt::LoginStart, (0..256).map(range)).await,
                share
            );
            // Another kind of start adds to the same pool; a finish takes from it.
            assert_eq!(
                starts(&limits, Attempt::RegistrationStart, (0..256).map(range)).await,
                0
            );
            assert_eq!(starts(&limits, Attempt::LoginFinish, (0..3).map(range)).await, 3);
            // Recoveries are counted by the range as well, and apart.
            assert_eq!(
                starts(&limits, Attempt::RecoveryStart, (0..256).map(range)).await,
                share
            );
            assert_eq!(starts(&limits, Attempt::RecoveryTry, (0..3).map(range)).await, 3);
            // Elsewhere nobody notices.
            limits.attempt(Attempt::LoginStart, ip("2a00::1")).await.unwrap();
            limits
                .attempt(Attempt::LoginStart, ip("198.51.100.1"))
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn one_customers_refusals_do_not_use_up_the_neighbours_share() {
        let limits = limits();
        for _ in 0..1_000 {
            let _ = limits.attempt(Attempt::LoginStart, ip("192.0.2.1")).await;
        }
        limits
            .attempt(Attempt::LoginStart, ip("192.0.2.2"))
            .await
            .unwrap();
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
    fn names_of_buckets_are_hashes_under_the_key() {
        let limits = limits();
        // Parts of a name cannot be moved from one to the next.
        assert_ne!(limits.hash::<16>(&[b"b", b"cd"]), limits.hash(&[b"bc", b"d"]));
        assert_ne!(limits.hash::<16>(&[b"a"]), limits_under([2; 32]).hash(&[b"a"]));
    }

    #[test]
    fn the_buckets_of_one_request_are_near_each_other() {
        let limits = limits();
        let near = |text: &str| limits.pair(ip(text), b"x").near;
        for (address, neighbour) in [("192.0.2.1", "192.0.99.7"), ("2001:db8::1", "2001:db8:9::1")] {
            let buckets = limits.address(Attempt::LoginStart, ip(address));
            assert!(buckets.len() > 2);
            assert!(buckets.iter().all(|bucket| bucket.near == near(neighbour)));
            assert_eq!(limits.username(ip(address)).near, near(neighbour));
        }
        assert_ne!(near("192.0.2.1"), near("192.1.2.1"));
        // An account's changes are counted from anywhere, so near no network.
        let change = |text: &str| limits.change(ip(text), b"alice").pop().unwrap();
        assert!(change("192.0.2.1") == change("198.51.100.1"));
    }
}
