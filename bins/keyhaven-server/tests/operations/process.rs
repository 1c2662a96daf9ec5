//! A server whose log lines are kept, and a client that keeps its cookies.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::process::{TempDir, free_port};
use serde_json::{Value, json};
use ureq::Agent;

/// The program, without what the tests were started with, in a directory of its own choice.
pub(crate) fn keyhaven(directory: &Path, environment: &[(&str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyhaven"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KEYHAVEN_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(directory)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    command
}

#[track_caller]
pub(crate) fn succeeds(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A server for RP ID `localhost`, ended when this is dropped.
pub(crate) struct Process {
    pub(crate) directory: PathBuf,
    pub(crate) origin: String,
    pub(crate) metrics: String,
    child: Child,
    /// Gone with it, where it is the process's own.
    own: Option<TempDir>,
}

impl Process {
    /// One with files of its own.
    pub(crate) fn start(environment: &[(&str, String)]) -> Self {
        let own = TempDir::new("operations");
        let path = own.path().to_owned();
        let mut process = Self::start_in(&path, free_port(), environment);
        process.own = Some(own);
        process
    }

    pub(crate) fn start_in(directory: &Path, port: u16, environment: &[(&str, String)]) -> Self {
        let metrics_port = free_port();
        let origin = format!("http://localhost:{port}");
        let log = File::create(directory.join(format!("log-{port}"))).unwrap();
        let child = keyhaven(directory, environment)
            .env("KEYHAVEN_LISTEN", format!("127.0.0.1:{port}"))
            .env("KEYHAVEN_METRICS_LISTEN", format!("127.0.0.1:{metrics_port}"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut process = Self {
            directory: directory.to_owned(),
            origin,
            metrics: format!("http://127.0.0.1:{metrics_port}/metrics"),
            child,
            own: None,
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            if let Some(status) = process.child.try_wait().unwrap() {
                panic!("the server ended at once: {status}\n{}", process.log());
            }
            assert!(Instant::now() < until, "the server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
        process
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        let port = self.origin.rsplit(':').next().unwrap();
        std::fs::read_to_string(self.directory.join(format!("log-{port}"))).unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Client {
            agent: agent.into(),
            origin: self.origin.clone(),
            cookies: BTreeMap::new(),
        }
    }

    /// SIGTERM, without waiting.
    pub(crate) fn ask_to_stop(&self) {
        let asked = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(asked.unwrap().success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.own.take());
    }
}

pub(crate) struct Client {
    pub(crate) agent: Agent,
    pub(crate) origin: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Client {
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> (u16, Value) {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin))
            .header("origin", &self.origin)
            .header("cookie", cookies.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_string()).unwrap())
            }
            None => self.agent.run(request.body(()).unwrap()),
        }
        .unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let text = answer.body_mut().read_to_string().unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (answer.status().as_u16(), body)
    }

    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, body: &Value, status: u16) -> Value {
        let (answered, body) = self.send("POST", path, &[], Some(body));
        assert_eq!(answered, status, "{path}: {body}");
        body
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str, status: u16) -> Value {
        let (answered, body) = self.send("GET", path, &[], None);
        assert_eq!(answered, status, "{path}: {body}");
        body
    }

    /// Asks until it is ready: on a busy machine a store may take longer than the second that it is given to answer.
    #[track_caller]
    pub(crate) fn until_ready(&mut self) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let (status, body) = self.send("GET", "/ready", &[], None);
            if status == 200 {
                return body;
            }
            assert!(Instant::now() < until, "{status}: {body}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn register(&mut self, device: &mut SoftwareAuthenticator, body: &Value) -> Value {
        let started = self.post("/register/start", body, 200);
        let credential = device.register(&started["publicKey"], &self.origin);
        self.post("/register/finish", &finish(&started, &credential), 201)
    }

    pub(crate) fn sign_in(&mut self, device: &mut SoftwareAuthenticator, body: &Value) -> Value {
        let started = self.post("/login/start", body, 200);
        let credential = device.authenticate(&started["publicKey"], &self.origin);
        self.post("/login/finish", &finish(&started, &credential), 200)
    }
}

pub(crate) fn finish(started: &Value, credential: &Value) -> Value {
    json!({"ceremonyId": started["ceremonyId"], "credential": credential})
}
