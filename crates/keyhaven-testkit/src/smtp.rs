//! A mail server of one's own: aiosmtpd, another implementation of SMTP, on a loopback port, with STARTTLS where wanted.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "tests")]

use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{TempDir, free_port};

/// Debian's own Python has Debian's packages.
const PYTHON: &str = "/usr/bin/python3";

/// What to type where there is none.
pub const INSTALL: &str = "apt-get update && apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends python3-aiosmtpd";

/// Ends when its standard input does, however the process that held it came to its end.
const GUARDED: &str = "
import os, sys, threading
def watch():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
from aiosmtpd.main import main
main(sys.argv[1:])
";

/// Reads a Maildir with Python's own parser, the oldest mail first.
const READ: &str = "
import email, email.policy, json, os, sys
found = []
new = os.path.join(sys.argv[1], 'new')
for name in os.listdir(new):
    path = os.path.join(new, name)
    with open(path, 'rb') as file:
        mail = email.message_from_binary_file(file, policy=email.policy.default)
    part = lambda kind: mail.get_body(preferencelist=(kind,)).get_content()
    found.append((os.stat(path).st_mtime_ns, {
        'to': mail['To'], 'from': mail['From'], 'subject': mail['Subject'], 'id': mail['Message-ID'],
        'recipient': mail['X-RcptTo'], 'text': part('plain'), 'html': part('html'), 'headers': list(mail.keys()),
    }))
json.dump([mail for _, mail in sorted(found, key=lambda pair: pair[0])], sys.stdout)
";

/// A mail server, stopped when this is dropped.
#[derive(Debug)]
pub struct MailServer {
    directory: TempDir,
    port: u16,
    starttls: bool,
    child: Option<Child>,
}

impl MailServer {
    /// One that speaks plain SMTP.
    #[must_use]
    pub fn start() -> Self {
        let mut server = Self::prepare(false);
        server.run();
        server
    }

    /// One that takes mails after STARTTLS alone, with the certificate at [`Self::certificate`].
    #[must_use]
    pub fn start_with_tls() -> Self {
        let server = Self::prepare(true);
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args([
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=localhost",
                "-keyout",
                "key.pem",
            ])
            .args(["-out", "cert.pem", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .current_dir(server.directory.path())
            .stderr(Stdio::null())
            .status();
        assert!(
            made.is_ok_and(|status| status.success()),
            "openssl makes a certificate"
        );
        let mut server = server;
        server.run();
        server
    }

    /// Whether there is one to start.
    #[must_use]
    pub fn is_installed() -> bool {
        let asked = Command::new(PYTHON)
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// Its URL, as `mail.url` has it.
    #[must_use]
    pub fn url(&self) -> String {
        if self.starttls {
            format!("smtp://localhost:{}", self.port)
        } else {
            format!("smtp://127.0.0.1:{}?tls=off", self.port)
        }
    }

    /// Its certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    /// Stops it; mails that came are kept.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again, on the same port.
    pub fn run(&mut self) {
        let directory = self.directory.path();
        let mut command = Command::new(PYTHON);
        command
            .args(["-c", GUARDED, "-n", "-l", &format!("127.0.0.1:{}", self.port)])
            .args(["-c", "aiosmtpd.handlers.Mailbox"]);
        if self.starttls {
            command.args(["--tlscert", "cert.pem", "--tlskey", "key.pem"]);
        }
        command.arg("mails").current_dir(directory).stdin(Stdio::piped());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("Python starts"));
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(Instant::now() < until, "the mail server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The mails that came, the oldest first: `to`, `from`, `subject`, `id`, `recipient` (of the envelope), `text`,
    /// `html`, `headers` (their names).
    #[must_use]
    pub fn mails(&self) -> Vec<Value> {
        let read = Command::new(PYTHON)
            .args(["-c", READ, "mails"])
            .current_dir(self.directory.path())
            .output()
            .expect("Python starts");
        let error = String::from_utf8_lossy(&read.stderr).into_owned();
        serde_json::from_slice(&read.stdout).unwrap_or_else(|_| panic!("{error}"))
    }

    /// Waits until so many came, for a minute at most.
    #[must_use]
    pub fn wait_for(&self, mails: usize) -> Vec<Value> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let found = self.mails();
            if found.len() >= mails {
                return found;
            }
            assert!(Instant::now() < until, "{} of {mails} mails came", found.len());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn prepare(starttls: bool) -> Self {
        assert!(
            Self::is_installed(),
            "the mail server of the tests is missing. As root: {INSTALL}"
        );
        Self {
            directory: TempDir::new("smtp"),
            port: free_port(),
            starttls,
            child: None,
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}
