//! Server processes on one PostgreSQL and, where wanted, one Redis, which they reach through proxies.

use std::time::Duration;

use keyhaven_storage_postgres::PostgresStore;
use keyhaven_testkit::client::Client;
use keyhaven_testkit::postgres::Postgres;
use keyhaven_testkit::process::{Server, TempDir};
use keyhaven_testkit::redis::Redis;
use keyhaven_testkit::tcp_proxy::TcpProxy;

use crate::load::{CLIENTS, Load};
use crate::{conclude, until};

/// The page that all ceremonies are for.
pub(crate) const ORIGIN: &str = "http://localhost:8080";

/// Where PostgreSQL keeps what the servers store.
pub(crate) const DATABASE: &str = "keyhaven";

/// What every server process is started with: limits are counted, and out of reach.
const SETTINGS: [(&str, &str); 6] = [
    ("KEYHAVEN_ORIGINS", ORIGIN),
    ("KEYHAVEN_RATE_LIMITS__PER_ADDRESS_PER_MINUTE", "1000000"),
    (
        "KEYHAVEN_RATE_LIMITS__PER_ADDRESS_AND_ACCOUNT_PER_MINUTE",
        "1000000",
    ),
    ("KEYHAVEN_RATE_LIMITS__USERNAME_TAKEN_PER_MINUTE", "1000000"),
    ("KEYHAVEN_RATE_LIMITS__CHANGES_PER_ACCOUNT_PER_MINUTE", "1000000"),
    // Outages are what is made here: they would fill the output.
    ("KEYHAVEN_LOG__FILTER", "off"),
];

pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
    /// With Redis: for each client one that gives its requests to the servers in turn.
    pub(crate) fronts: Vec<TcpProxy>,
    pub(crate) to_postgres: TcpProxy,
    pub(crate) to_redis: Option<TcpProxy>,
    pub(crate) postgres: Postgres,
    pub(crate) redis: Option<Redis>,
    files: TempDir,
}

impl Cluster {
    /// Two servers that start together and remember their ceremonies themselves.
    pub(crate) fn start() -> Self {
        Self::on(database(), None, &[&[], &[]])
    }

    /// Two servers that have Redis remember their ceremonies.
    pub(crate) fn start_with(redis: Redis) -> Self {
        Self::on(database(), Some(redis), &[&[], &[]])
    }

    /// A server for each set of variables, on these stores.
    pub(crate) fn on(postgres: Postgres, redis: Option<Redis>, processes: &[&[(&str, &str)]]) -> Self {
        let to_postgres = TcpProxy::before(postgres.port());
        let to_redis = redis.as_ref().map(|redis| TcpProxy::before(redis.port()));
        let challenges = to_redis.as_ref().map_or_else(
            || "memory:".to_owned(),
            |proxy| format!("redis://127.0.0.1:{}", proxy.port()),
        );
        let files = TempDir::new("cluster");
        let key = files.secret_key();
        let direct = postgres.url(DATABASE);
        let own_port = format!(":{}/", postgres.port());
        let url = direct.replace(&own_port, &format!(":{}/", to_postgres.port()));
        let shared = [
            ("KEYHAVEN_DATABASE_URL", url.as_str()),
            ("KEYHAVEN_CHALLENGES_URL", &challenges),
            ("KEYHAVEN_SECRET_KEY_FILE", &key),
        ];
        let start = |own: &[(&str, &str)]| {
            let settings = [&SETTINGS[..], &shared, own].concat();
            Server::start(env!("CARGO_BIN_EXE_keyhaven"), &settings)
        };
        // Together: the schema is made once all the same.
        let servers: Vec<Server> = std::thread::scope(|scope| {
            let starting: Vec<_> = processes
                .iter()
                .map(|own| scope.spawn(move || start(own)))
                .collect();
            starting
                .into_iter()
                .map(|server| server.join().unwrap())
                .collect()
        });
        let ports: Vec<u16> = servers.iter().map(Server::port).collect();
        let fronts = if redis.is_some() { CLIENTS } else { 0 };
        Self {
            servers,
            fronts: (0..fronts).map(|_| TcpProxy::per_request(&ports)).collect(),
            to_postgres,
            to_redis,
            postgres,
            redis,
            files,
        }
    }

    /// Waits until every process says whether it is ready.
    pub(crate) fn says_ready(&self, ready: bool) -> Duration {
        let clients: Vec<_> = self
            .servers
            .iter()
            .map(|server| Client::new(server.origin()))
            .collect();
        until(
            if ready {
                "200 from /ready"
            } else {
                "503 from /ready"
            },
            || {
                clients.iter().all(|client| {
                    let status = client.send("GET", "/ready", None, None).unwrap().status;
                    assert!(matches!(status, 200 | 503), "/ready answers {status}");
                    (status == 200) == ready
                })
            },
        )
    }
}

/// A server with an empty database.
pub(crate) fn database() -> Postgres {
    let postgres = Postgres::start().unwrap();
    postgres
        .run_sql("postgres", &format!("CREATE DATABASE {DATABASE}"))
        .unwrap();
    postgres
}

impl Cluster {
    /// Which origin a client sends its requests to. Where ceremonies are remembered by the servers themselves clients keep to
    /// one server each; else every start goes to one and the finish to another.
    pub(crate) fn entrance(&self) -> impl Fn(usize) -> String + use<> {
        let origins: Vec<String> = if self.fronts.is_empty() {
            self.servers.iter().map(Server::origin).collect()
        } else {
            let origin = |front: &TcpProxy| format!("http://localhost:{}", front.port());
            self.fronts.iter().map(origin).collect()
        };
        move |client| origins[client % origins.len()].clone()
    }

    /// Ends the load, compares, and prints the figures of the scenario.
    #[track_caller]
    pub(crate) fn finish(&self, scenario: &str, load: Load, recovery: Duration) {
        let options = self.postgres.url(DATABASE).parse().unwrap();
        let proxies = [Some(&self.to_postgres), self.to_redis.as_ref()];
        let cut: u64 = proxies
            .into_iter()
            .flatten()
            .map(|proxy| proxy.counts().cut)
            .sum();
        let cut = (cut > 0).then(|| format!("{cut} connections to it cut; "));
        conclude(
            scenario,
            &cut.unwrap_or_default(),
            &self.servers[0],
            load,
            recovery,
            &self.files.path().join("keyhaven.key"),
            async || PostgresStore::open(&options).await.unwrap(),
        );
    }
}
