//! What is measured: a server, and the stores behind it, started for the purpose.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use keyhaven_storage_encrypted::{KeyRing, TextKeys};
use keyhaven_storage_postgres::PostgresStore;
use keyhaven_testkit::postgres::Postgres;
use keyhaven_testkit::process::{Server, TempDir};
use keyhaven_testkit::redis::Redis;
use zeroize::Zeroizing;

use crate::cpu;
use crate::trips::Counter;

/// As an operator would have it, in small: what was confirmed survives a power cut, checkpoints are rare, rows that
/// are dead are cleaned up.
const POSTGRES: &str = "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\nshared_buffers = 1GB\n\
    max_wal_size = 8GB\nautovacuum_naptime = 1min\n";

/// The key of personal data.
const TEXTS: [u8; 32] = [8; 32];

/// What a server that was started here encrypts personal data in this database with.
pub(crate) async fn ring(url: &str) -> anyhow::Result<KeyRing> {
    let store = PostgresStore::open_as_it_is(&url.parse()?).await?;
    let keys = TextKeys::new(&[Zeroizing::new(TEXTS)])?;
    let ring = keyhaven_storage_encrypted::open(&store, keys, &Zeroizing::new([0; 32])).await;
    store.close().await;
    Ok(ring?)
}

/// Which stores are behind the server: `durable`, or `ceremonies+durable`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub(crate) enum Stores {
    /// Everything in the server's memory.
    Memory,
    /// PostgreSQL, and ceremonies in the server's memory.
    Postgres,
    /// Ceremonies in Redis, everything else in the server's memory.
    #[value(name = "redis+memory")]
    RedisMemory,
    /// Ceremonies in Redis, everything else in PostgreSQL.
    #[value(name = "redis+postgres")]
    RedisPostgres,
    /// An SQLite file, and ceremonies in the server's memory.
    Sqlite,
}

impl Stores {
    /// Those that the bench of logins has.
    pub(crate) const BENCHED: [Self; 4] = [
        Self::Memory,
        Self::RedisMemory,
        Self::Postgres,
        Self::RedisPostgres,
    ];

    /// Ceremonies, and everything else.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory + memory",
            Self::Postgres => "memory + PostgreSQL",
            Self::RedisMemory => "Redis + memory",
            Self::RedisPostgres => "Redis + PostgreSQL",
            Self::Sqlite => "memory + SQLite",
        }
    }

    pub(crate) const fn has_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::RedisPostgres)
    }

    pub(crate) const fn has_redis(self) -> bool {
        matches!(self, Self::RedisMemory | Self::RedisPostgres)
    }
}

/// The stores that run as processes of their own.
#[derive(Debug)]
pub(crate) struct Backing {
    pub(crate) stores: Stores,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) redis: Option<Redis>,
    secret: TempDir,
}

impl Backing {
    /// Starts them, empty.
    pub(crate) fn start(stores: Stores) -> anyhow::Result<Self> {
        let postgres = if stores.has_postgres() {
            Some(Postgres::start_with(POSTGRES).map_err(|error| anyhow!(error))?)
        } else {
            None
        };
        let redis = if stores.has_redis() {
            // It keeps nothing on disk: a ceremony that is lost is begun again.
            Some(Redis::start().map_err(|error| anyhow!(error))?)
        } else {
            None
        };
        let secret = TempDir::new("load");
        for (name, key) in [("key", [7; 32]), ("texts", TEXTS)] {
            let path = secret.path().join(name);
            std::fs::write(&path, key)?;
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        }
        Ok(Self {
            stores,
            postgres,
            redis,
            secret,
        })
    }

    /// The URL of a database, for its administrator.
    pub(crate) fn postgres_url(&self, database: &str) -> Option<String> {
        self.postgres.as_ref().map(|postgres| postgres.url(database))
    }

    /// Starts a server on them; `database` names the one in PostgreSQL, which is there. With counters, its connections
    /// to the stores go through those.
    pub(crate) fn serve(
        &self,
        binary: &Path,
        database: &str,
        counters: Option<&Counters>,
    ) -> anyhow::Result<Site> {
        self.serve_with(binary, database, counters, None)
    }

    /// The same, with a setting more.
    pub(crate) fn serve_with(
        &self,
        binary: &Path,
        database: &str,
        counters: Option<&Counters>,
        setting: Option<(&str, &str)>,
    ) -> anyhow::Result<Site> {
        let database_url = match (self.stores, &self.postgres) {
            (Stores::Memory | Stores::RedisMemory, _) => "memory:".to_owned(),
            (Stores::Sqlite, _) => "sqlite:keyhaven.db".to_owned(),
            (Stores::Postgres | Stores::RedisPostgres, postgres) => {
                let postgres = postgres.as_ref().context("PostgreSQL")?;
                let url = postgres.url(database);
                match counters.and_then(|counters| counters.postgres.as_ref()) {
                    None => url,
                    Some(counter) => {
                        url.replace(
                            &format!(":{}/", postgres.port()),
                            &format!(":{}/", counter.address.port()),
                        ) + "?sslmode=disable"
                    }
                }
            }
        };
        let challenges_url = match &self.redis {
            None => "memory:".to_owned(),
            Some(redis) => {
                let counter = counters.and_then(|counters| counters.redis.as_ref());
                let port = counter.map_or(redis.port(), |counter| counter.address.port());
                format!("redis://127.0.0.1:{port}")
            }
        };
        let key = self.secret.path().join("key");
        let key = key.to_str().context("a path")?;
        let texts = self.secret.path().join("texts");
        let texts = texts.to_str().context("a path")?;
        let mut environment = vec![
            ("KEYHAVEN_RATE_LIMIT", "off"),
            ("KEYHAVEN_DATABASE_URL", database_url.as_str()),
            ("KEYHAVEN_CHALLENGES_URL", challenges_url.as_str()),
            ("KEYHAVEN_SECRET_KEY_FILE", key),
            ("KEYHAVEN_ENCRYPTION__KEY_FILES", texts),
        ];
        environment.extend(setting);
        let binary = binary.to_str().context("a path")?;
        ensure!(Path::new(binary).is_file(), "{binary} is not there");
        let server = Server::start(binary, &environment);
        let origin = server.origin();
        let address = loopback(&origin)?;
        Ok(Site {
            address,
            origin,
            server: Some(server),
        })
    }

    /// The processor time each of the processes has used so far.
    pub(crate) fn used(&self, site: &Site) -> Used {
        Used {
            driver: cpu::used(std::process::id(), false),
            postgres: self
                .postgres
                .as_ref()
                .and_then(Postgres::process_id)
                .map(|process| cpu::used(process, true)),
            redis: self.redis_process().map(|process| cpu::used(process, false)),
            server: site.process_id().map(|process| cpu::used(process, false)),
        }
    }

    pub(crate) fn redis_process(&self) -> Option<u32> {
        self.redis.as_ref()?.process_id().parse().ok()
    }

    /// Puts counters before the stores.
    pub(crate) fn counters(&self) -> anyhow::Result<Counters> {
        let mut counters = Counters {
            postgres: None,
            redis: None,
        };
        if let Some(postgres) = &self.postgres {
            counters.postgres = Some(Counter::before(postgres.port())?);
        }
        if let Some(redis) = &self.redis {
            counters.redis = Some(Counter::before(redis.port())?);
        }
        Ok(counters)
    }
}

/// Counters of round trips before the stores.
pub(crate) struct Counters {
    pub(crate) postgres: Option<Counter>,
    pub(crate) redis: Option<Counter>,
}

impl Counters {
    pub(crate) fn is_empty(&self) -> bool {
        self.postgres.is_none() && self.redis.is_none()
    }

    /// How many round trips each store has seen.
    pub(crate) fn trips(&self) -> Vec<(&'static str, u64)> {
        let trips = |name, counter: &Option<Counter>| Some((name, counter.as_ref()?.trips()));
        [trips("SQL", &self.postgres), trips("Redis", &self.redis)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// A server that can be signed in to.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) origin: String,
    server: Option<Server>,
}

impl Site {
    /// A server that somebody else has started on this machine.
    pub(crate) fn running(url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            address: loopback(url)?,
            origin: url.trim_end_matches('/').to_owned(),
            server: None,
        })
    }

    pub(crate) fn process_id(&self) -> Option<u32> {
        self.server.as_ref().and_then(Server::process_id)
    }
}

/// `http://localhost:PORT` or `http://127.0.0.1:PORT`.
fn loopback(url: &str) -> anyhow::Result<SocketAddr> {
    let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let (host, port) = authority
        .and_then(|authority| authority.split_once(':'))
        .context("a URL such as http://localhost:8080")?;
    ensure!(
        matches!(host, "localhost" | "127.0.0.1"),
        "load is for servers on this machine only: http://localhost:PORT"
    );
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?)))
}

/// Processor time by process; `None`: not there, or not ours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) driver: Duration,
    pub(crate) postgres: Option<Duration>,
    pub(crate) redis: Option<Duration>,
    pub(crate) server: Option<Duration>,
}

impl Used {
    pub(crate) fn since(self, before: Self) -> Self {
        let part = |now: Option<Duration>, then: Option<Duration>| Some(now?.saturating_sub(then?));
        Self {
            driver: self.driver.saturating_sub(before.driver),
            postgres: part(self.postgres, before.postgres),
            redis: part(self.redis, before.redis),
            server: part(self.server, before.server),
        }
    }

    /// Server and stores together, without the driver.
    pub(crate) fn total(self) -> Duration {
        let parts = [self.server, self.postgres, self.redis];
        parts.into_iter().flatten().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loaded() {
        assert!(loopback("http://localhost:8080/").is_ok());
        for elsewhere in [
            "http://example.org:80",
            "https://localhost:8080",
            "http://192.0.2.1:80",
            "x",
        ] {
            assert!(loopback(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
