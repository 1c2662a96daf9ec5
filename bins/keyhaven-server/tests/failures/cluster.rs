//! Server processes on one PostgreSQL, which they reach through a proxy.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use keyhaven_storage_postgres::PostgresStore;
use keyhaven_testkit::client::Client;
use keyhaven_testkit::postgres::Postgres;
use keyhaven_testkit::process::{Server, TempDir};
use keyhaven_testkit::tcp_proxy::TcpProxy;

use crate::load::Load;
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
    pub(crate) to_postgres: TcpProxy,
    pub(crate) postgres: Postgres,
    _files: TempDir,
}

impl Cluster {
    /// `processes` servers that start together.
    pub(crate) fn start(processes: usize) -> Self {
        Self::with(&vec![&[][..]; processes], "CREATE DATABASE keyhaven")
    }

    /// A server for each set of variables, on a database that is made by this statement.
    pub(crate) fn with(processes: &[&[(&str, &str)]], create_database: &str) -> Self {
        let postgres = Postgres::start().unwrap();
        postgres.run_sql("postgres", create_database).unwrap();
        Self::on(postgres, processes)
    }

    /// A server for each set of variables, on a database that is there.
    pub(crate) fn on(postgres: Postgres, processes: &[&[(&str, &str)]]) -> Self {
        let to_postgres = TcpProxy::before(postgres.port());
        let files = TempDir::new("cluster");
        let key = files.path().join("key");
        std::fs::write(&key, [7; 32]).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        let direct = postgres.url(DATABASE);
        let own_port = format!(":{}/", postgres.port());
        let url = direct.replace(&own_port, &format!(":{}/", to_postgres.port()));
        let shared = [
            ("KEYHAVEN_DATABASE_URL", url.as_str()),
            ("KEYHAVEN_SECRET_KEY_FILE", key.to_str().unwrap()),
        ];
        let start = |own: &[(&str, &str)]| {
            let settings = [&SETTINGS[..], &shared, own].concat();
            Server::start(env!("CARGO_BIN_EXE_keyhaven"), &settings)
        };
        // Together: the schema is made once all the same.
        let servers = std::thread::scope(|scope| {
            let starting: Vec<_> = processes
                .iter()
                .map(|own| scope.spawn(move || start(own)))
                .collect();
            starting
                .into_iter()
                .map(|server| server.join().unwrap())
                .collect()
        });
        Self {
            servers,
            to_postgres,
            postgres,
            _files: files,
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

impl Cluster {
    /// Which origin a client sends its requests to: clients keep to one process each.
    pub(crate) fn entrance(&self) -> impl Fn(usize) -> String + use<> {
        let origins: Vec<String> = self.servers.iter().map(Server::origin).collect();
        move |client| origins[client % origins.len()].clone()
    }

    /// Ends the load, compares, and prints the figures of the scenario.
    #[track_caller]
    pub(crate) fn finish(&self, scenario: &str, load: Load, recovery: Duration) {
        let options = self.postgres.url(DATABASE).parse().unwrap();
        conclude(scenario, load, recovery, async || {
            PostgresStore::open(&options).await.unwrap()
        });
    }
}
