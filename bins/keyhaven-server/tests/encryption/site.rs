//! Servers on one database, with key files that can be exchanged, and what can be found in that database.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyhaven_testkit::authenticator::{SoftwareAuthenticator, base64url};
use keyhaven_testkit::client::{Client, finish};
use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::{Server, TempDir};
use keyhaven_testkit::tamper::Intruder;
use serde_json::{Value, json};

pub(crate) const KEYHAVEN: &str = env!("CARGO_BIN_EXE_keyhaven");

/// A deployment: a database, a secret key, key files, and a configuration that names some of them.
pub(crate) struct Site {
    directory: TempDir,
    url: String,
    database: Option<Database>,
}

/// Runs a test on both databases.
pub(crate) fn on_each(test: impl Fn(Site)) {
    test(Site::new(None));
    test(Site::new(Some(Database::fresh())));
}

impl Site {
    fn new(database: Option<Database>) -> Self {
        let directory = TempDir::new("encryption");
        let file = format!("sqlite:{}/keyhaven.db", directory.path().display());
        let url = database
            .as_ref()
            .map_or(file, |database| database.url().to_owned());
        let _ = directory.secret_key();
        let site = Self {
            directory,
            url,
            database,
        };
        site.configure(&[]);
        site
    }

    /// From now on these are the key files, the first of which encrypts.
    pub(crate) fn configure(&self, keys: &[u8]) {
        let files: Vec<_> = keys.iter().map(|n| self.key_file(*n)).collect();
        let text = format!("[encryption]\nkey_files = {files:?}\n");
        std::fs::write(self.directory.path().join("keyhaven.toml"), text).unwrap();
    }

    pub(crate) fn key_file(&self, n: u8) -> String {
        self.write_key(&format!("key-{n}"), [n; 32])
    }

    /// Another secret key in the place of the one that is there.
    pub(crate) fn exchange_secret_key(&self) {
        self.write_key("keyhaven.key", [99; 32]);
    }

    fn write_key(&self, name: &str, key: [u8; 32]) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.directory.path().join(name);
        std::fs::write(&path, key).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    pub(crate) fn start(&self) -> Server {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&self, more: &[(&str, &str)]) -> Server {
        let (config, key) = (self.path("keyhaven.toml"), self.path("keyhaven.key"));
        let mut environment = vec![
            ("KEYHAVEN_CONFIG", config.as_str()),
            ("KEYHAVEN_DATABASE_URL", self.url.as_str()),
            ("KEYHAVEN_SECRET_KEY_FILE", key.as_str()),
            ("KEYHAVEN_RATE_LIMIT", "off"),
        ];
        environment.extend(more);
        Server::start(KEYHAVEN, &environment)
    }

    /// What the command says, and its exit status.
    pub(crate) fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.prepared(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    /// What a server that does not start says.
    pub(crate) fn refusal(&self) -> String {
        let mut command = self.prepared(&["serve"]);
        command.env("KEYHAVEN_LISTEN", "127.0.0.1:0");
        ended(command)
    }

    fn prepared(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(KEYHAVEN);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KEYHAVEN_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.directory.path())
            .env("KEYHAVEN_CONFIG", self.path("keyhaven.toml"))
            .env("KEYHAVEN_DATABASE_URL", &self.url)
            .env("KEYHAVEN_SECRET_KEY_FILE", self.path("keyhaven.key"))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn intruder(&self) -> Intruder {
        Intruder::new(&self.url)
    }

    /// Everything that is stored: the files of SQLite with what is beside them, or a dump of PostgreSQL.
    pub(crate) fn stored(&self) -> Stored {
        let Some(database) = &self.database else {
            let mut bytes = Vec::new();
            for name in ["keyhaven.db", "keyhaven.db-wal", "keyhaven.db-shm"] {
                bytes.extend(std::fs::read(self.directory.path().join(name)).unwrap_or_default());
            }
            assert!(bytes.len() > 4096);
            return Stored(bytes);
        };
        let mut dump = Command::new(keyhaven_testkit::postgres::program("pg_dump").unwrap());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                dump.env_remove(name);
            }
        }
        let dumped = dump.arg(database.url()).output().unwrap();
        assert!(dumped.status.success());
        Stored(dumped.stdout)
    }
}

/// What a server says that does not start.
pub(crate) fn ended(mut command: Command) -> String {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while server.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            let _ = server.kill();
            let _ = server.wait();
            panic!("it serves");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let refused = server.wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    String::from_utf8(refused.stderr).unwrap()
}

/// Bytes to look for texts in.
pub(crate) struct Stored(Vec<u8>);

impl Stored {
    /// Whether the text is there: in whatever case, in base64 of any alignment, or in hexadecimal.
    pub(crate) fn tells(&self, text: &str) -> bool {
        assert!(text.len() >= 8, "{text}: found by accident");
        let lower = self.0.to_ascii_lowercase();
        let plain = text.to_ascii_lowercase().into_bytes();
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let texts = [
            text.to_owned(),
            text.to_ascii_lowercase(),
            text.to_ascii_uppercase(),
        ];
        let encoded = texts
            .iter()
            .flat_map(|text| (0..3).map(|before| middle(text, before)));
        let url_safe: Vec<u8> = self
            .0
            .iter()
            .map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                other => *other,
            })
            .collect();
        contains(&lower, &plain)
            || contains(&lower, hex.as_bytes())
            || encoded
                .into_iter()
                .any(|encoded| contains(&url_safe, encoded.as_bytes()))
    }

    #[track_caller]
    pub(crate) fn tells_none_of(&self, texts: &[&str]) {
        for text in texts {
            assert!(!self.tells(text), "{text} is there");
        }
    }
}

/// What base64 makes of a text that so many bytes stand before, without the digits that its neighbours have a part in.
fn middle(text: &str, before: usize) -> String {
    let bytes = [&vec![0; before][..], text.as_bytes()].concat();
    let digits = base64url(&bytes);
    digits[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Somebody with a passkey.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) device: SoftwareAuthenticator,
    /// The cookie of the newest session.
    pub(crate) session: String,
    pub(crate) credential: String,
}

impl Person {
    pub(crate) fn register(client: &Client, body: &Value) -> Self {
        let name = body["username"].as_str().unwrap().to_owned();
        let mut device = SoftwareAuthenticator::new(&name);
        let started = client.post("/register/start", body).unwrap().ok();
        let credential = device.register(&started["publicKey"], &client.origin);
        let finished = client.post("/register/finish", &finish(&started, &credential));
        let finished = finished.unwrap();
        let session = finished.cookie();
        let credential = finished.ok()["credential"]["id"].as_str().unwrap().to_owned();
        Self {
            name,
            device,
            session,
            credential,
        }
    }

    pub(crate) fn sign_in(&mut self, client: &Client) -> Value {
        let start = json!({"username": self.name});
        let started = client.post("/login/start", &start).unwrap().ok();
        let credential = self.device.authenticate(&started["publicKey"], &client.origin);
        let finished = client.post("/login/finish", &finish(&started, &credential));
        let finished = finished.unwrap();
        self.session = finished.cookie();
        finished.ok()
    }

    pub(crate) fn get(&self, client: &Client, path: &str) -> Value {
        self.ask(client, path).ok()
    }

    pub(crate) fn ask(&self, client: &Client, path: &str) -> keyhaven_testkit::client::Answer {
        client.send("GET", path, Some(&self.session), None).unwrap()
    }

    pub(crate) fn name_device(&self, client: &Client, name: &str) {
        let path = format!("/credentials/{}", self.credential);
        let renamed = client.send(
            "PATCH",
            &path,
            Some(&self.session),
            Some(&json!({"deviceName": name})),
        );
        assert_eq!(renamed.unwrap().ok()["deviceName"], name);
    }
}

/// Where the steps of a schema are.
pub(crate) fn steps(intruder: &Intruder) -> std::path::PathBuf {
    let kind = if intruder.is_sqlite() {
        "sqlite"
    } else {
        "postgres"
    };
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../migrations")
        .join(kind)
}

#[test]
fn what_is_looked_for_is_found() {
    let text = "Needle-In-A-Haystack";
    let alike = [
        text.to_owned(),
        text.to_uppercase(),
        text.to_lowercase(),
        text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        base64url(format!("x{text}y").as_bytes()),
        base64url(format!("xy{text}").as_bytes()),
        base64url(text.to_lowercase().as_bytes()),
    ];
    for alike in alike {
        assert!(
            Stored(format!("before{alike}after").into_bytes()).tells(text),
            "{alike}"
        );
    }
    assert!(!Stored(b"Needle-In-A-Haystac".to_vec()).tells(text));
}
