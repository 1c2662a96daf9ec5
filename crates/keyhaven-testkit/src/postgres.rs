//! A PostgreSQL server of one's own: on a free loopback port, in a directory that is gone afterwards.
//!
//! [`Database::fresh`] is what most tests want: an empty database on a server that is shared. `cargo xtask test` starts
//! one for the whole run and names it in [`SHARED_URL`]; without it each test process starts its own, once.
//! [`Postgres::start`] is for tests that stop their server.
//!
//! fsync is off: a power cut would lose data, the end of a process does not.
#![expect(clippy::disallowed_methods, clippy::expect_used, reason = "tests")]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::process::{TempDir, free_port};

/// Names the server that test processes share: the URL of its administrator, without a database.
pub const SHARED_URL: &str = "KEYHAVEN_TEST_POSTGRES_URL";

/// Names the directory of PostgreSQL's programs where they are in none of the usual places.
const PROGRAMS: &str = "KEYHAVEN_POSTGRES_BIN";

/// What to type where there is no PostgreSQL.
pub const INSTALL: &str =
    "apt-get update && apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends postgresql";

/// The server of the run, or of this process.
static SHARED: OnceLock<Shared> = OnceLock::new();

/// The server's administrator.
const USER: &str = "keyhaven";

/// Ends when its standard input does, however the process that held it came to its end: then the server is stopped and
/// its directory removed. Told to in so many words, it stops the server in order (`stop`) or at once (`kill`), and leaves
/// the directory.
const GUARD: &str = r#"
trap '' HUP INT TERM
"$1" -D data -p "$2" >>log 2>&1 &
server=$!
if read -r word; then
    case $word in stop) kill -INT $server;; kill) kill -QUIT $server;; esac
    wait $server
else
    kill -QUIT $server; wait $server
    cd / && rm -rf "$3"
fi
"#;

/// A server, stopped when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    owner: Owner,
    directory: TempDir,
    password: String,
    port: u16,
    guard: Option<Child>,
}

impl Postgres {
    /// Makes a new server and starts it.
    ///
    /// # Errors
    /// A sentence: there is no PostgreSQL (and how to get it), or it does not start.
    pub fn start() -> Result<Self, String> {
        let programs = programs()?;
        let owner = Owner::find()?;
        let directory = TempDir::new("postgres");
        let mut secret = [0; 16];
        File::open("/dev/urandom")
            .and_then(|mut random| random.read_exact(&mut secret))
            .map_err(|error| format!("/dev/urandom: {error}"))?;
        let password: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut server = Self {
            programs,
            owner,
            directory,
            password,
            port: free_port(),
            guard: None,
        };
        server.initialise()?;
        server.run()?;
        Ok(server)
    }

    /// Whether there is one to start.
    #[must_use]
    pub fn is_installed() -> bool {
        programs().is_ok()
    }

    /// Runs a file of SQL in one of its databases.
    ///
    /// # Errors
    /// What the server said.
    pub fn run_file(&self, database: &str, file: &Path) -> Result<(), String> {
        psql(&self.url(database), &["-f".as_ref(), file.as_ref()])
    }

    /// The URL of one of its databases, for its administrator.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.root_url())
    }

    /// The URL without a database.
    #[must_use]
    pub fn root_url(&self) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it as an operator would (fast shutdown: connections are ended); [`Self::run`] starts it again on the same files
    /// and port.
    pub fn stop(&mut self) {
        self.tell(b"stop\n");
    }

    /// Ends it at once (immediate shutdown): what it had in memory is gone, and [`Self::run`] recovers from its log.
    pub fn kill(&mut self) {
        self.tell(b"kill\n");
    }

    fn tell(&mut self, word: &[u8]) {
        if let Some(mut guard) = self.guard.take() {
            if let Some(mut input) = guard.stdin.take() {
                let _ = input.write_all(word);
            }
            let _ = guard.wait();
        }
    }

    /// Runs one statement in one of its databases.
    ///
    /// # Errors
    /// What the server said.
    pub fn run_sql(&self, database: &str, sql: &str) -> Result<(), String> {
        psql(&self.url(database), &["-c".as_ref(), sql.as_ref()])
    }

    /// Gives a file or directory to the user who runs the server.
    ///
    /// # Errors
    /// What the system said.
    pub fn own(&self, path: &Path) -> Result<(), String> {
        self.owner.own(path)
    }

    /// Starts it where it is stopped.
    ///
    /// # Errors
    /// What the server logged, where it does not come up.
    pub fn run(&mut self) -> Result<(), String> {
        if self.guard.is_some() {
            return Ok(());
        }
        let log = self.directory.path().join("log");
        let seen = std::fs::metadata(&log).map_or(0, |log| log.len());
        let server = self.programs.join("postgres");
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh"]).arg(&server);
        guard.arg(self.port.to_string()).arg(self.directory.path());
        guard
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Signals to the group of the tests are not for it: it is told by its input.
        std::os::unix::process::CommandExt::process_group(&mut guard, 0);
        self.owner.run(&mut guard, self.directory.path());
        self.guard = Some(guard.spawn().map_err(|error| format!("sh: {error}"))?);

        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let logged = std::fs::read(&log).unwrap_or_default();
            let new = logged
                .get(usize::try_from(seen).unwrap_or(0)..)
                .unwrap_or_default();
            let new = String::from_utf8_lossy(new);
            if new.contains("database system is ready to accept connections") {
                return Ok(());
            }
            if new.contains("database system is shut down") || Instant::now() > until {
                self.stop();
                return Err(format!("PostgreSQL does not start:\n{new}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn initialise(&self) -> Result<(), String> {
        let directory = self.directory.path();
        let password = directory.join("password");
        std::fs::write(&password, &self.password).map_err(|error| error.to_string())?;
        self.owner.own(directory)?;
        self.owner.own(&password)?;
        let mut initdb = Command::new(self.programs.join("initdb"));
        initdb.args([
            "-D",
            "data",
            "-U",
            USER,
            "--pwfile=password",
            "--auth=password",
            "--encoding=UTF8",
        ]);
        initdb.args(["--no-locale", "--no-sync", "--no-instructions"]);
        self.owner.run(&mut initdb, directory);
        let output = initdb.output().map_err(|error| format!("initdb: {error}"))?;
        if !output.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let configuration = File::options()
            .append(true)
            .open(directory.join("data/postgresql.conf"));
        configuration
            .and_then(|mut file| {
                file.write_all(
                    b"listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 400\n\
                      fsync = off\nfull_page_writes = off\nshared_buffers = 64MB\nmax_wal_size = 256MB\n\
                      autovacuum_naptime = 1h\n",
                )
            })
            .map_err(|error| format!("postgresql.conf: {error}"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            // The end of its input is the end of it.
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

/// A database of one's own, dropped with this.
#[derive(Debug)]
pub struct Database {
    url: String,
    name: String,
}

impl Database {
    /// An empty one.
    ///
    /// # Panics
    /// Where there is no PostgreSQL; the message tells how to get it.
    #[must_use]
    pub fn fresh() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let shared = Shared::get();
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{n}", std::process::id());
        shared.sql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        shared.sql(&format!("CREATE DATABASE {name}"));
        Self {
            url: format!("{}/{name}", shared.root_url),
            name,
        }
    }

    /// Another one, with all that is in this one now. Nobody may be connected to this one.
    ///
    /// # Panics
    /// Where it cannot be copied.
    #[must_use]
    pub fn copy(&self) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let shared = Shared::get();
        let name = format!("{}_copy_{}", self.name, COUNT.fetch_add(1, Ordering::Relaxed));
        shared.sql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        shared.sql(&format!("CREATE DATABASE {name} TEMPLATE {}", self.name));
        Self {
            url: format!("{}/{name}", shared.root_url),
            name,
        }
    }

    /// Its URL, for its owner.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        Shared::get().sql(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// A server that is shared.
struct Shared {
    root_url: String,
    /// This process's own; the operating system closes the guard's input at the end of the process.
    #[expect(dead_code, reason = "kept alive")]
    own: Option<Postgres>,
}

impl Shared {
    fn get() -> &'static Self {
        SHARED.get_or_init(|| match std::env::var(SHARED_URL) {
            Ok(root_url) => Self { root_url, own: None },
            Err(_) => {
                let own = Postgres::start().expect("a PostgreSQL server");
                Self {
                    root_url: own.root_url(),
                    own: Some(own),
                }
            }
        })
    }

    fn sql(&self, sql: &str) {
        psql(
            &format!("{}/postgres", self.root_url),
            &["-c".as_ref(), sql.as_ref()],
        )
        .expect(sql);
    }
}

fn psql(url: &str, arguments: &[&OsStr]) -> Result<(), String> {
    let mut command = Command::new(programs()?.join("psql"));
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]);
    command
        .args(arguments)
        .env("PGOPTIONS", "-c client_min_messages=error");
    let output = command.output().map_err(|error| format!("psql: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(())
}

/// One of PostgreSQL's programs, such as `pg_dump`, of the same version as the server.
///
/// # Errors
/// A sentence: there is no PostgreSQL, and how to get it.
pub fn program(name: &str) -> Result<PathBuf, String> {
    Ok(programs()?.join(name))
}

/// PostgreSQL's programs: by variable, on the PATH, or where Debian puts them, the newest first.
fn programs() -> Result<PathBuf, String> {
    let named = std::env::var_os(PROGRAMS).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let debian = versions.into_iter().rev().map(|(_, directory)| directory);
    // With the name of a directory there is no other choice.
    let candidates: Vec<PathBuf> = match named {
        Some(named) => vec![named],
        None => debian.chain(std::env::split_paths(&path)).collect(),
    };
    let whole = |directory: &PathBuf| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|program| directory.join(program).is_file())
    };
    candidates.into_iter().find(whole).ok_or_else(|| {
        format!(
            "PostgreSQL is missing. As root: {INSTALL}\n(or name the directory of its programs: {PROGRAMS})"
        )
    })
}

/// Who runs the server: it refuses to be root.
#[derive(Debug)]
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn find() -> Result<Self, String> {
        if id(&["-u"])? != 0 {
            return Ok(Self(None));
        }
        Ok(Self(Some((id(&["-u", "postgres"])?, id(&["-g", "postgres"])?))))
    }

    fn run(&self, command: &mut Command, directory: &Path) {
        use std::os::unix::process::CommandExt as _;
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("PG") || name.starts_with("LC_") || name.starts_with("KEYHAVEN_") {
                command.env_remove(&*name);
            }
        }
        command.current_dir(directory).env("LC_ALL", "C");
        if let Self(Some((user, group))) = *self {
            command.uid(user).gid(group);
        }
    }

    fn own(&self, path: &Path) -> Result<(), String> {
        match self.0 {
            Some((user, group)) => std::os::unix::fs::chown(path, Some(user), Some(group))
                .map_err(|error| format!("{}: {error}", path.display())),
            None => Ok(()),
        }
    }
}

fn id(arguments: &[&str]) -> Result<u32, String> {
    let output = Command::new("id").args(arguments).output();
    let output = output.map_err(|error| format!("id: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .map_err(|_| format!("there is no user {}: {INSTALL}", arguments.last().unwrap_or(&"")))
}
