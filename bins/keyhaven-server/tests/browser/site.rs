//! The product as the browser finds it: one origin, whatever is behind it.
#![expect(
    clippy::disallowed_methods,
    reason = "which stores to test with is not the configuration of what is tested"
)]

use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::{Server, TempDir, free_port};
use keyhaven_testkit::redis::Redis;
use keyhaven_testkit::tcp_proxy::TcpProxy;

/// Names the stores that the servers use: nothing for one process on SQLite, or [`SHARED`].
const STORES: &str = "KEYHAVEN_TEST_STORES";

/// Two processes on PostgreSQL and Redis, behind a proxy that gives each request to the other one: a ceremony that was
/// begun at one is finished at the other.
const SHARED: &str = "postgres,redis";

/// Servers, and the origin that browsers reach them at.
pub(crate) struct Site {
    pub(crate) origin: String,
    servers: Vec<Server>,
    shared: Option<Shared>,
}

/// What several processes share.
struct Shared {
    proxy: TcpProxy,
    _database: Database,
    _redis: Redis,
    _files: TempDir,
}

impl Site {
    pub(crate) fn start(environment: &[(&str, &str)]) -> Self {
        let binary = env!("CARGO_BIN_EXE_keyhaven");
        match std::env::var(STORES).as_deref() {
            Err(_) => {
                let server = Server::start(binary, environment);
                Self {
                    origin: server.origin(),
                    servers: vec![server],
                    shared: None,
                }
            }
            Ok(SHARED) => Self::start_two(binary, environment),
            Ok(other) => panic!("{STORES} is {other}: there is only {SHARED}"),
        }
    }

    fn start_two(binary: &str, environment: &[(&str, &str)]) -> Self {
        let database = Database::fresh();
        let redis = Redis::start().unwrap();
        let files = TempDir::new("site");
        let key = files.secret_key();
        let ports = [free_port(), free_port()];
        let proxy = TcpProxy::per_request(&ports);
        let origin = format!("http://localhost:{}", proxy.port());
        let redis_url = redis.url();
        let shared = [
            ("KEYHAVEN_DATABASE_URL", database.url()),
            ("KEYHAVEN_CHALLENGES_URL", &redis_url),
            ("KEYHAVEN_SECRET_KEY_FILE", &key),
            ("KEYHAVEN_ORIGINS", &origin),
        ];
        let environment = [&shared[..], environment].concat();
        let servers = ports.map(|port| Server::start_on(port, binary, &environment));
        Self {
            origin,
            servers: servers.into(),
            shared: Some(Shared {
                proxy,
                _database: database,
                _redis: redis,
                _files: files,
            }),
        }
    }

    /// Whether every process had a part in it.
    pub(crate) fn all_were_asked(&self) -> bool {
        let asked = self.shared.as_ref().map(|shared| shared.proxy.counts().given);
        asked.is_none_or(|given| given.iter().all(|requests| *requests > 1))
    }

    /// Runs the binary's own command line on the same stores.
    pub(crate) fn operate(&self, arguments: &[&str]) {
        let output = self.servers.first().unwrap().command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    /// Kills every process and starts it again.
    pub(crate) fn restart(&mut self) {
        for server in &mut self.servers {
            server.restart();
        }
    }
}
