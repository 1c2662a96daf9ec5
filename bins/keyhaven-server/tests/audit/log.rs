//! A log that a real server wrote, and the command that verifies it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::{Server, TempDir, until};
use keyhaven_testkit::tamper::Intruder;

/// Where a log is.
pub(crate) enum Home {
    Postgres(Database),
    Sqlite,
}

/// A log that nobody writes to any more: four sealed batches at least, three events that are not sealed.
pub(crate) struct Log {
    home: Home,
    directory: TempDir,
}

/// What `keyhaven audit …` said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

/// Fails a sign-in, which is an event.
pub(crate) fn fail(server: &Server) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into();
    let body = format!(
        r#"{{"ceremonyId":"{}","credential":{{"id":"AQ","rawId":"AQ","type":"public-key","response":{{"clientDataJSON":"AQ","authenticatorData":"AQ","signature":"AQ"}},"clientExtensionResults":{{}}}}}}"#,
        "A".repeat(43)
    );
    let answer = agent
        .post(format!("{}/login/finish", server.origin()))
        .content_type("application/json")
        .header("user-agent", "a test")
        .send(body)
        .unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
}

impl Log {
    pub(crate) fn on_sqlite() -> Self {
        Self::write(Home::Sqlite)
    }

    pub(crate) fn on_postgres() -> Self {
        Self::write(Home::Postgres(Database::fresh()))
    }

    /// Has a server write it.
    fn write(home: Home) -> Self {
        let log = Self {
            home,
            directory: TempDir::new("audit"),
        };
        let key = log.directory.secret_key();
        let (url, checkpoints) = (log.url(), text(&log.checkpoints()));
        let mut server = Server::start(
            env!("CARGO_BIN_EXE_keyhaven"),
            &[
                ("KEYHAVEN_DATABASE_URL", url.as_str()),
                ("KEYHAVEN_SECRET_KEY_FILE", key.as_str()),
                ("KEYHAVEN_AUDIT__CHECKPOINT_FILE", checkpoints.as_str()),
                ("KEYHAVEN_AUDIT__CHECKPOINT_SECONDS", "1"),
                ("KEYHAVEN_RATE_LIMIT", "off"),
            ],
        );
        let database = log.intruder();
        // While this is there nothing can be sealed.
        let (never, again) = if database.is_sqlite() {
            (
                "CREATE TRIGGER never BEFORE INSERT ON audit_batches BEGIN SELECT RAISE(ABORT, 'never'); END",
                "DROP TRIGGER never",
            )
        } else {
            (
                "CREATE TRIGGER never BEFORE INSERT ON audit_batches FOR EACH ROW EXECUTE FUNCTION refuse_change('no')",
                "DROP TRIGGER never ON audit_batches",
            )
        };
        for batch in 1..=4 {
            // Three events in one batch, however slowly they come.
            database.execute_with_triggers(&[never]);
            for _ in 0..3 {
                fail(&server);
            }
            database.execute_with_triggers(&[again]);
            // Sealed while the server runs, by itself, and its checkpoint kept: batches are numbered from 1.
            until("nothing is sealed and kept", || {
                let count = database.texts("SELECT CAST(count(*) AS text) FROM audit_batches");
                let waiting = database.texts("SELECT CAST(count(*) AS text) FROM audit_unsealed");
                let kept = std::fs::read_to_string(&checkpoints).unwrap_or_default();
                count[0].parse::<u32>().unwrap() >= batch
                    && waiting == ["0"]
                    && kept.contains(&format!("\nbatch {}\n", count[0]))
            });
        }
        // From here on events stay as they are.
        database.execute_with_triggers(&[never]);
        for _ in 0..3 {
            fail(&server);
        }
        assert!(server.stop().unwrap().success());
        database.execute_with_triggers(&[again]);
        log
    }

    /// Starts a server on this database, and stops it as an operator would: it seals what it can.
    pub(crate) fn run_server_for_a_moment(&self) {
        let (url, key) = (self.url(), text(&self.secret()));
        let mut server = Server::start(
            env!("CARGO_BIN_EXE_keyhaven"),
            &[
                ("KEYHAVEN_DATABASE_URL", url.as_str()),
                ("KEYHAVEN_SECRET_KEY_FILE", key.as_str()),
            ],
        );
        let status = server.stop().unwrap();
        assert!(status.success(), "{status}");
    }

    /// A copy, to be tampered with.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self {
            home: match &self.home {
                Home::Postgres(database) => Home::Postgres(database.copy()),
                Home::Sqlite => Home::Sqlite,
            },
            directory: TempDir::new("audit"),
        };
        for file in std::fs::read_dir(self.directory.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.directory.path().join(file.file_name())).unwrap();
        }
        copy
    }

    pub(crate) fn url(&self) -> String {
        match &self.home {
            Home::Postgres(database) => database.url().to_owned(),
            Home::Sqlite => format!("sqlite:{}", text(&self.file("keyhaven.db"))),
        }
    }

    pub(crate) fn intruder(&self) -> Intruder {
        Intruder::new(&self.url())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn secret(&self) -> PathBuf {
        self.file("keyhaven.key")
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.file("checkpoints")
    }

    /// `keyhaven audit …` on this database, with its secret key.
    pub(crate) fn audit(&self, arguments: &[&str]) -> Said {
        let secret = text(&self.secret());
        let mut all = vec!["--database-url", "", "--secret-key-file", &secret];
        let url = self.url();
        all[1] = &url;
        all.extend(arguments);
        audit(&all)
    }

    /// Verifies by the secret key, and against the checkpoints.
    pub(crate) fn verify(&self) -> Said {
        self.audit(&["verify", "--checkpoint", &text(&self.checkpoints())])
    }

    /// Verifies as somebody who has the public key alone, and the checkpoints.
    pub(crate) fn verify_from_outside(&self, key: &str) -> Said {
        // A secret that is there would be used: elsewhere there is none.
        let elsewhere = text(&self.file("elsewhere.toml"));
        std::fs::write(&elsewhere, "").unwrap();
        let export = self.file("export.jsonl");
        let written = self.audit(&["export"]);
        if written.code != Some(0) {
            return written;
        }
        std::fs::write(&export, written.text).unwrap();
        let checkpoints = text(&self.checkpoints());
        audit(&[
            "verify",
            "--export",
            &text(&export),
            "--key",
            key,
            "--checkpoint",
            &checkpoints,
        ])
    }

    /// The public key.
    pub(crate) fn key(&self) -> String {
        let said = self.audit(&["keys"]);
        assert_eq!(said.code, Some(0), "{}", said.text);
        said.text.lines().next().unwrap().to_owned()
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// `keyhaven audit …` without any configuration.
pub(crate) fn audit(arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyhaven"));
    command
        .arg("audit")
        .args(arguments)
        .env_clear()
        .current_dir(std::env::temp_dir());
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Said {
        code: status.code(),
        text: format!(
            "{}{}",
            String::from_utf8(stdout).unwrap(),
            String::from_utf8(stderr).unwrap()
        ),
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn is_verified(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.text);
        assert!(self.text.lines().any(|line| line == "verified"), "{}", self.text);
        self
    }

    /// The first thing that is wrong says all of this.
    #[track_caller]
    pub(crate) fn is_bad(&self, what: &str, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{what}: {}", self.text);
        let first = self.text.lines().find(|line| line.starts_with("BAD ")).unwrap();
        for word in words {
            assert!(first.contains(word), "{what}: {word} is not in: {}", self.text);
        }
    }

    /// Something that is wrong says all of this.
    #[track_caller]
    pub(crate) fn names(&self, what: &str, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{what}: {}", self.text);
        let mut bad = self.text.lines().filter(|line| line.starts_with("BAD "));
        assert!(
            bad.any(|line| words.iter().all(|word| line.contains(word))),
            "{what}: {words:?} are not in: {}",
            self.text
        );
    }
}
