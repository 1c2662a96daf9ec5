//! Chromium with a virtual authenticator, driven over the Chrome DevTools Protocol by a bare web socket.
//!
//! One [`Browser`] is one process with one page. Everything blocks; a failure panics with what the browser said.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "tests"
)]

mod authenticator;
mod page;
mod protocol;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::TempDir;
use protocol::Connection;

pub use authenticator::AuthenticatorOptions;

/// Chromium and its page.
#[derive(Debug)]
pub struct Browser {
    connection: Connection,
    authenticators: Vec<String>,
    child: Child,
    profile: TempDir,
}

impl Browser {
    /// Starts Chromium: by `KEYHAVEN_CHROMIUM`, or what is on the PATH.
    #[must_use]
    pub fn start() -> Self {
        let profile = TempDir::new("chromium");
        let child = Command::new(chromium())
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--window-size=1280,900",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium starts; cargo xtask test says how to install it");
        let connection = connect(&profile);
        let mut browser = Self {
            connection,
            authenticators: Vec::new(),
            child,
            profile,
        };
        let target = browser
            .connection
            .call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.connection.call("Target.attachToTarget", attach);
        browser.connection.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}));
        }
        browser
    }

    /// One protocol call in the page's session.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.connection.call(method, parameters)
    }

    /// Where it keeps its profile, which goes with it.
    #[must_use]
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }

    /// What the page complained about since it was last asked: uncaught exceptions, `console.error`, policy violations.
    /// Requests that were refused are no complaints.
    pub fn complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.connection.complaints)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its helpers when it is asked to; killed, it leaves them to notice.
        self.connection.close_browser();
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn chromium() -> PathBuf {
    let named = std::env::var_os("KEYHAVEN_CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|directory| {
            ["chromium", "chromium-browser", "google-chrome"].map(|name| directory.join(name))
        })
        .find(|candidate| candidate.is_file());
    named
        .or(found)
        .expect("no Chromium on the PATH; cargo xtask test says how to install it")
}

/// Connects to the port that Chromium writes down when it is (almost) ready.
fn connect(profile: &TempDir) -> Connection {
    let file = profile.path().join("DevToolsActivePort");
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if let Some((port, path)) = text.split_once('\n')
            && let Ok(stream) = TcpStream::connect(format!("127.0.0.1:{port}"))
        {
            return Connection::open(stream, &format!("ws://127.0.0.1:{port}{}", path.trim()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("chromium does not come up");
}
