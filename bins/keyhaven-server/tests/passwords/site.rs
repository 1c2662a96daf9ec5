//! A server on a database of its own.

use keyhaven_testkit::client::{Answer, Client};
use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::{Server, TempDir};
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const ANOTHER: &str = "seven purple otters juggle";

pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) client: Client,
    _database: Option<Database>,
    _directory: TempDir,
}

impl Site {
    pub(crate) fn on_sqlite() -> Self {
        Self::start(None)
    }

    pub(crate) fn on_postgres() -> Self {
        Self::start(Some(Database::fresh()))
    }

    fn start(database: Option<Database>) -> Self {
        let directory = TempDir::new("passwords");
        let key = directory.secret_key();
        let sqlite = format!("sqlite:{}/keyhaven.db", directory.path().display());
        let url = database
            .as_ref()
            .map_or(sqlite, |database| database.url().to_owned());
        let server = Server::start(
            env!("CARGO_BIN_EXE_keyhaven"),
            &[
                ("KEYHAVEN_DATABASE_URL", url.as_str()),
                ("KEYHAVEN_SECRET_KEY_FILE", key.as_str()),
                ("KEYHAVEN_PASSWORDS__FALLBACK", "on"),
                ("KEYHAVEN_PASSWORDS__WITH_PASSKEY", "by-account"),
                ("KEYHAVEN_RATE_LIMIT", "off"),
            ],
        );
        Self {
            client: Client::new(server.origin()),
            server,
            _database: database,
            _directory: directory,
        }
    }

    /// A sign-in as the page does it; the cookie is in the answer.
    pub(crate) fn login(&self, username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password});
        self.client.post("/password/login", &body).unwrap()
    }

    pub(crate) fn register(&self, username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password});
        self.client.post("/password/register", &body).unwrap()
    }

    pub(crate) fn signed_in(&self, method: &str, path: &str, session: &str, body: Option<&Value>) -> Answer {
        self.client.send(method, path, Some(session), body).unwrap()
    }
}
