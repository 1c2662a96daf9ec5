//! The real `keyhaven` binary on a free loopback port, in a directory of its own.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "tests")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A directory that is gone when this is dropped.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes a new one. `name` tells what it is for.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let n = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("keyhaven-{name}-{}-{n}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // Left behind by a process of the same number that was killed.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("a temporary directory {}: {error}", path.display()),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Puts a deployment's secret key into it, readable by its owner alone as servers demand, and tells its path. The same
    /// each time.
    #[must_use]
    pub fn secret_key(&self) -> String {
        let path = self.0.join("keyhaven.key");
        std::fs::write(&path, [7; 32]).expect("a secret key");
        let owner_alone = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, owner_alone).expect("a secret key");
        path.display().to_string()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // The helpers of a process that has just ended may still be writing their last files: half a minute.
        for _ in 0..1500 {
            match std::fs::remove_dir_all(&self.0) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => return,
            }
        }
    }
}

/// A server that is stopped when this is dropped.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    directory: TempDir,
    environment: Vec<(String, String)>,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts `binary` for RP ID `localhost` with these variables beside the usual ones, and waits until it answers.
    #[must_use]
    pub fn start(binary: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_on(free_port(), binary, environment)
    }

    /// As [`Self::start`], on a port that was chosen before.
    #[must_use]
    pub fn start_on(port: u16, binary: &str, environment: &[(&str, &str)]) -> Self {
        let directory = TempDir::new("server");
        let mut all = vec![
            ("KEYHAVEN_LISTEN".to_owned(), format!("127.0.0.1:{port}")),
            ("KEYHAVEN_RP_ID".to_owned(), "localhost".to_owned()),
            ("KEYHAVEN_ORIGINS".to_owned(), format!("http://localhost:{port}")),
        ];
        all.extend(
            environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let mut server = Self {
            binary: binary.into(),
            directory,
            environment: all,
            port,
            child: None,
        };
        server.restart();
        server
    }

    /// Asks the process to end, as an operator would (SIGTERM), and waits until it has. `None`: it did not run, or did
    /// not end within 30 seconds.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        let asked = Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status();
        let until = Instant::now() + Duration::from_secs(30);
        while asked.as_ref().is_ok_and(ExitStatus::success) && Instant::now() < until {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }

    /// Kills the process, as a power cut would, where it still runs.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Kills the process and starts it again on the same files and port.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = self.command(&[]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(command.spawn().expect("the server starts"));
        self.wait_until_healthy();
    }

    /// The same binary with these arguments, and the server's variables and directory.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        // What the tests are started with must not reach what they test.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KEYHAVEN_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(arguments).current_dir(self.directory.path());
        command
    }

    fn wait_until_healthy(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            // Else somebody else's server on this port could be taken for ours.
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                panic!("the server ended at once: {status}");
            }
            if self.is_healthy() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the server does not answer");
    }

    fn is_healthy(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) else {
            return false;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        let request = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    /// `http://localhost:PORT`, without a final slash: the page's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Where its files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How long is waited for what must come, before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something holds; how long that took.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    began.elapsed()
}

/// A port nobody listens on just now, and that stays free while its server is restarted: it lies below the range that
/// systems take the ports of outgoing connections from.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "only the runner of tests knows which run together"
)]
pub fn free_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Tests that run at the same time begin at different places: nextest numbers them.
    let slot = std::env::var("NEXTEST_TEST_GLOBAL_SLOT")
        .ok()
        .and_then(|slot| slot.parse::<u32>().ok());
    let process = std::process::id();
    let begin = slot.map_or_else(
        || process.wrapping_mul(37),
        |slot| slot.wrapping_mul(500).wrapping_add(process % 400),
    );
    for _ in 0..10_000 {
        let n = begin.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(20_000 + n % 10_000).expect("less than 30,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from 20000 to 29999");
}
