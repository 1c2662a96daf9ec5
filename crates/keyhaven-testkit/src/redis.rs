//! Redis servers of one's own: on free loopback ports, in directories that are gone afterwards.
//!
//! [`shared_url`] is what most tests want: a server that is shared. `cargo xtask test` starts one for the whole run and
//! names it in [`SHARED_URL`]; without it each test process starts its own, once. Whoever shares it keeps to names of
//! their own. [`Redis::start`] is for tests that stop their server; [`sentinels`] and [`cluster`] are several at work.
#![expect(clippy::disallowed_methods, clippy::expect_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::process::{TempDir, free_port};

/// Names the server that test processes share: its URL.
pub const SHARED_URL: &str = "KEYHAVEN_TEST_REDIS_URL";

/// Names the server's program where it is not on the PATH.
const PROGRAM: &str = "KEYHAVEN_REDIS_SERVER";

/// What to type where there is no Redis.
pub const INSTALL: &str =
    "apt-get update && apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends redis-server";

/// The server of the run, or of this process.
static SHARED: OnceLock<(String, Option<Redis>)> = OnceLock::new();

/// Ends when its standard input does, however the process that held it came to its end: then the server is killed and
/// its directory removed. Told to in so many words, it only stops the server, or kills it.
const GUARD: &str = r#"
trap '' HUP INT TERM
program="$1"; directory="$2"; shift 2
"$program" "$@" >>log 2>&1 &
server=$!
if read -r word; then
    kill "-$word" $server; wait $server
else
    kill -KILL $server; wait $server
    cd / && rm -rf "$directory"
fi
"#;

/// A server, stopped when this is dropped.
#[derive(Debug)]
pub struct Redis {
    program: PathBuf,
    directory: TempDir,
    arguments: Vec<String>,
    port: u16,
    guard: Option<Child>,
}

impl Redis {
    /// Starts one that keeps nothing on disk.
    ///
    /// # Errors
    /// A sentence: there is no Redis (and how to get it), or it does not start.
    pub fn start() -> Result<Self, String> {
        Self::start_with(&[])
    }

    /// Starts one with these settings, as on its command line: `["--maxmemory", "10mb"]`.
    ///
    /// # Errors
    /// A sentence: there is no Redis (and how to get it), or it does not start.
    pub fn start_with(settings: &[&str]) -> Result<Self, String> {
        let mut server = Self::prepare()?;
        server.arguments = ["--save", "", "--appendonly", "no"]
            .iter()
            .chain(settings)
            .map(|&text| text.to_owned())
            .collect();
        server.run()?;
        Ok(server)
    }

    fn prepare() -> Result<Self, String> {
        Ok(Self {
            program: program()?,
            directory: TempDir::new("redis"),
            arguments: Vec::new(),
            port: free_port(),
            guard: None,
        })
    }

    /// Whether there is one to start.
    #[must_use]
    pub fn is_installed() -> bool {
        program().is_ok()
    }

    /// Its URL, for its one user.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Stops it as an operator would; [`Self::run`] starts it again on the same files and port.
    pub fn stop(&mut self) {
        self.end("TERM");
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut guard) = self.guard.take() {
            if let Some(mut input) = guard.stdin.take() {
                let _ = writeln!(input, "{signal}");
            }
            let _ = guard.wait();
        }
    }

    /// Starts it where it is stopped.
    ///
    /// # Errors
    /// What the server logged, where it does not come up.
    pub fn run(&mut self) -> Result<(), String> {
        if self.guard.is_some() {
            return Ok(());
        }
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh"]).arg(&self.program);
        guard.arg(self.directory.path()).args(&self.arguments);
        // Where the port was given by the test, it has its reasons.
        if !self.arguments.iter().any(|argument| argument == "--port") {
            guard.args(["--port", &self.port.to_string()]);
        }
        guard.args([
            "--bind",
            "127.0.0.1",
            "--daemonize",
            "no",
            "--protected-mode",
            "no",
        ]);
        guard
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Signals to the group of the tests are not for it: it is told by its input.
        std::os::unix::process::CommandExt::process_group(&mut guard, 0);
        self.guard = Some(guard.spawn().map_err(|error| format!("sh: {error}"))?);

        let log = self.directory.path().join("log");
        let seen = std::fs::metadata(&log).map_or(0, |log| log.len());
        let until = Instant::now() + Duration::from_secs(30);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        loop {
            if TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok() {
                return Ok(());
            }
            let ended = self
                .guard
                .as_mut()
                .is_none_or(|guard| !matches!(guard.try_wait(), Ok(None)));
            let logged = std::fs::read(&log).unwrap_or_default();
            let new = logged
                .get(usize::try_from(seen).unwrap_or(0)..)
                .unwrap_or_default();
            if ended || Instant::now() > until || String::from_utf8_lossy(new).contains("FATAL CONFIG") {
                self.kill();
                return Err(format!("Redis does not start:\n{}", String::from_utf8_lossy(new)));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Makes it hang until what this returns is dropped: it takes connections, and answers nobody.
    ///
    /// # Panics
    /// Where it does not run.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        let frozen = Frozen(self.process_id());
        frozen.signal("-STOP");
        frozen
    }

    /// Its process, by number.
    ///
    /// # Panics
    /// Where it does not run.
    #[must_use]
    pub fn process_id(&self) -> String {
        let info = self.command(&["INFO", "server"]);
        let process = info
            .lines()
            .find_map(|line| line.strip_prefix("process_id:"))
            .expect("INFO names the process");
        process.trim().to_owned()
    }

    /// Sends one command and returns what the server answered, as it travels (RESP).
    ///
    /// # Panics
    /// Where the server does not answer.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        command(self.port, words)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            // The end of its input is the end of it.
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

/// A server that hangs.
#[derive(Debug)]
pub struct Frozen(String);

impl Frozen {
    fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.0]).status();
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

/// The URL of the server that is shared.
///
/// # Panics
/// Where there is no Redis; the message tells how to get it.
#[must_use]
pub fn shared_url() -> String {
    let (url, _) = SHARED.get_or_init(|| match std::env::var(SHARED_URL) {
        Ok(url) => (url, None),
        Err(_) => {
            let own = Redis::start().expect("a Redis server");
            (own.url(), Some(own))
        }
    });
    url.clone()
}

/// A master with one replica, and three Sentinels that watch over them under the name `main`.
#[derive(Debug)]
pub struct Sentinels {
    /// The master, then the replica.
    pub servers: Vec<Redis>,
    /// Who watches.
    pub sentinels: Vec<Redis>,
}

impl Sentinels {
    /// `redis+sentinel://…`
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/main", addresses(&self.sentinels))
    }
}

/// Starts a master, a replica and three Sentinels, and waits until they know each other.
///
/// # Errors
/// A sentence: there is no Redis (and how to get it), or it does not start.
pub fn sentinels() -> Result<Sentinels, String> {
    let master = Redis::start()?;
    let port = master.port().to_string();
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port])?;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        let mut sentinel = Redis::prepare()?;
        let own = sentinel.port();
        let configuration = format!(
            "port {own}\nsentinel monitor main 127.0.0.1 {port} 2\nsentinel down-after-milliseconds main 1000\n\
             sentinel failover-timeout main 1000\n"
        );
        let file = sentinel.directory().join("sentinel.conf");
        std::fs::write(&file, configuration).map_err(|error| error.to_string())?;
        sentinel.arguments = vec![
            file.display().to_string(),
            "--sentinel".to_owned(),
            "--port".to_owned(),
            own.to_string(),
        ];
        sentinel.run()?;
        sentinels.push(sentinel);
    }
    let all = Sentinels {
        servers: vec![master, replica],
        sentinels,
    };
    wait_until("the Sentinels know each other", || {
        all.sentinels.iter().all(|sentinel| {
            let known = sentinel.command(&["SENTINEL", "CKQUORUM", "main"]);
            let replicas = sentinel.command(&["SENTINEL", "REPLICAS", "main"]);
            known.starts_with("+OK 3") && replicas.contains("slave") && !replicas.contains("s_down")
        })
    })?;
    Ok(all)
}

/// A Cluster of three masters.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Redis>,
}

impl Cluster {
    /// `redis+cluster://…`
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+cluster://{}", addresses(&self.nodes))
    }

    /// Waits until each node says that all is well: after a start, of one or of all.
    ///
    /// # Errors
    /// After a minute.
    pub fn wait(&self) -> Result<(), String> {
        wait_until("the Cluster is up", || {
            self.nodes.iter().all(|node| {
                let info = node.command(&["CLUSTER", "INFO"]);
                let nodes = node.command(&["CLUSTER", "NODES"]);
                info.contains("cluster_state:ok")
                    && info.contains("cluster_known_nodes:3")
                    && !nodes.contains("fail")
            })
        })
    }
}

/// Starts three masters that share the slots.
///
/// # Errors
/// A sentence: there is no Redis (and how to get it), or it does not start.
pub fn cluster() -> Result<Cluster, String> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        // The port that nodes talk to each other on is by default 10,000 above: beyond the range that is free.
        let bus = free_port().to_string();
        nodes.push(Redis::start_with(&[
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            &bus,
            "--cluster-node-timeout",
            // Longer than a busy machine stands still.
            "15000",
        ])?);
    }
    let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
    for (node, (first, last)) in nodes.iter().zip(slots) {
        let _ = node.command(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
    }
    if let [first, others @ ..] = nodes.as_slice() {
        for node in others {
            let bus = node.bus_port().to_string();
            let _ = first.command(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), &bus]);
        }
    }
    let cluster = Cluster { nodes };
    cluster.wait()?;
    Ok(cluster)
}

impl Redis {
    fn bus_port(&self) -> u16 {
        let at = self.arguments.iter().position(|text| text == "--cluster-port");
        at.and_then(|at| self.arguments.get(at + 1))
            .and_then(|port| port.parse().ok())
            .unwrap_or(0)
    }
}

fn addresses(servers: &[Redis]) -> String {
    let addresses: Vec<String> = servers
        .iter()
        .map(|server| format!("127.0.0.1:{}", server.port()))
        .collect();
    addresses.join(",")
}

fn wait_until(what: &str, done: impl Fn() -> bool) -> Result<(), String> {
    let until = Instant::now() + Duration::from_secs(60);
    while !done() {
        if Instant::now() > until {
            return Err(format!("it took too long until {what}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn command(port: u16, words: &[&str]) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("Redis answers");
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(request.as_bytes()).expect("Redis reads");
    // Then the server answers, and closes the connection: what it says is whole.
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn program() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os(PROGRAM) {
        let named = PathBuf::from(named);
        return if named.is_file() {
            Ok(named)
        } else {
            Err(format!("{PROGRAM}: there is no {}", named.display()))
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join("redis-server"))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            format!("Redis is missing. As root: {INSTALL}\n(or name the program redis-server: {PROGRAM})")
        })
}
