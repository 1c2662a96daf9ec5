//! Administration by the real command beside the real server, on SQLite and PostgreSQL.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::client::{Client, finish};
use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::{Server, TempDir};
use serde_json::{Value, json};

/// A server that runs all the while, on a database of its own.
struct Site {
    server: Server,
    client: Client,
    directory: TempDir,
    _database: Option<Database>,
}

/// What a command said.
struct Said {
    code: Option<i32>,
    text: String,
    error: String,
}

impl Said {
    #[track_caller]
    fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.text, self.error);
        self.text
    }

    #[track_caller]
    fn refused(self, naming: &str) {
        assert_eq!(self.code, Some(1), "{}{}", self.text, self.error);
        assert!(self.error.contains(naming), "{}", self.error);
    }
}

impl Site {
    fn start(database: Option<Database>) -> Self {
        let directory = TempDir::new("administration");
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
                ("KEYHAVEN_RATE_LIMIT", "off"),
            ],
        );
        Self {
            client: Client::new(server.origin()),
            server,
            directory,
            _database: database,
        }
    }

    fn admin(&self, arguments: &[&str]) -> Said {
        self.command(&[&["admin"], arguments].concat())
    }

    fn command(&self, arguments: &[&str]) -> Said {
        let output = self.server.command(arguments).output().unwrap();
        Said {
            code: output.status.code(),
            text: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The session's cookie, and the credential's id.
    fn register(&self, username: &str, device: &mut SoftwareAuthenticator) -> (String, String) {
        let start = json!({"username": username});
        let started = self.client.post("/register/start", &start).unwrap().ok();
        let credential = device.register(&started["publicKey"], &self.server.origin());
        let registered = self
            .client
            .post("/register/finish", &finish(&started, &credential))
            .unwrap();
        let cookie = registered.cookie();
        let id = registered.ok()["credential"]["id"].as_str().unwrap().to_owned();
        (cookie, id)
    }

    fn login(&self, username: &str, device: &mut SoftwareAuthenticator) -> keyhaven_testkit::client::Answer {
        let start = json!({"username": username});
        let started = self.client.post("/login/start", &start).unwrap().ok();
        let credential = device.authenticate(&started["publicKey"], &self.server.origin());
        self.client
            .post("/login/finish", &finish(&started, &credential))
            .unwrap()
    }

    /// The session's cookie from then on.
    fn step_up(&self, cookie: &str, device: &mut SoftwareAuthenticator) -> String {
        let purpose = json!({"purpose": "admin"});
        let started = self
            .client
            .send("POST", "/step-up/start", Some(cookie), Some(&purpose))
            .unwrap();
        let cookies = format!("{cookie}; {}", started.cookie());
        let started = started.ok();
        let credential = device.authenticate(&started["publicKey"], &self.server.origin());
        let finished = self
            .client
            .send(
                "POST",
                "/step-up/finish",
                Some(&cookies),
                Some(&finish(&started, &credential)),
            )
            .unwrap();
        finished.cookie()
    }

    fn status(&self, path: &str, cookie: &str) -> u16 {
        self.client.send("GET", path, Some(cookie), None).unwrap().status
    }
}

fn the_first_administrator_is_made_by_command(site: &Site) {
    let mut device = SoftwareAuthenticator::new("root");
    let (cookie, _) = site.register("root", &mut device);
    let (other, _) = site.register("other", &mut SoftwareAuthenticator::new("other"));
    site.admin(&["create-first", "nobody"]).refused("no such account");
    let said = site.admin(&["create-first", "Root"]).done();
    assert_eq!(said.trim(), "root is an administrator");
    site.admin(&["create-first", "other"])
        .refused("there is an administrator already");
    // A new right by a new sign-in only.
    assert_eq!(site.status("/session", &cookie), 401);
    assert_eq!(site.status("/session", &other), 200);
    let login = site.login("root", &mut device);
    let cookie = login.cookie();
    assert_eq!(login.ok()["user"]["role"], "admin");
    assert_eq!(site.status("/admin/users", &cookie), 403);
    let cookie = site.step_up(&cookie, &mut device);
    assert_eq!(site.status("/admin/users", &cookie), 200);
    assert_eq!(site.status("/admin/users", &other), 404);

    site.admin(&["grant", "other"]).done();
    assert_eq!(site.status("/session", &other), 401);
    site.admin(&["revoke", "other"]).done();
    site.admin(&["lock", "root", "--reason", "a test"])
        .refused("no administrator");
    let said = site.admin(&["users", "--username", "other", "--json"]).done();
    let listed: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(
        (&listed["username"], &listed["role"], &listed["state"]),
        (&json!("other"), &json!("user"), &json!("active"))
    );
    assert_eq!(site.admin(&["users"]).done().lines().count(), 2);
    assert_eq!(site.admin(&["users", "--limit", "1"]).done().lines().count(), 1);
    let by_id = site.admin(&["users", listed["id"].as_str().unwrap()]).done();
    assert!(by_id.trim().ends_with(" other"), "{by_id}");
    site.admin(&["users", "nobody"]).refused("no such account");
}

fn an_account_is_locked_signed_out_and_let_in_again_by_command(site: &Site) {
    let mut device = SoftwareAuthenticator::new("anna");
    let (cookie, credential) = site.register("anna", &mut device);
    site.admin(&["sign-out", "anna"]).done();
    assert_eq!(site.status("/session", &cookie), 401);
    let cookie = site.login("anna", &mut device).cookie();
    site.admin(&["lock", "anna", "--reason", "stolen phone"]).done();
    assert_eq!(site.status("/session", &cookie), 401);
    let refused = site.login("anna", &mut device);
    assert_eq!(refused.code(), Some("authentication_failed"));
    site.admin(&["enrolment-link", "anna"]).refused("locked");
    site.admin(&["unlock", "anna"]).done();
    let cookie = site.login("anna", &mut device).cookie();

    site.admin(&["revoke-passkey", "anna", "AAAA"])
        .refused("no such passkey");
    site.admin(&["revoke-passkey", "anna", &credential])
        .refused("last passkey");
    site.admin(&["revoke-passkey", "anna", &credential, "--even-last"])
        .done();
    assert_eq!(site.status("/session", &cookie), 401);
    let listed = site.admin(&["users", "anna", "--json"]).done();
    let listed: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(listed["hasPasskey"], false);

    site.admin(&["enrolment-link", "anna", "--mail"])
        .refused("no proven address");
    let link = site.admin(&["enrolment-link", "anna"]).done();
    let (page, token) = link.trim().split_once("#enrolment=").unwrap();
    assert_eq!(page, format!("{}/", site.server.origin()));
    let body = json!({"token": token});
    let redeemed = site.client.post("/enrolment/redeem", &body).unwrap();
    let cookie = redeemed.cookie();
    let again = site.client.post("/enrolment/redeem", &body).unwrap();
    assert_eq!(again.code(), Some("authentication_failed"));
    let started = site
        .client
        .send("POST", "/register/start", Some(&cookie), Some(&json!({})))
        .unwrap();
    let cookies = format!("{cookie}; {}", started.cookie());
    let started = started.ok();
    let mut phone = SoftwareAuthenticator::new("phone");
    let credential = phone.register(&started["publicKey"], &site.server.origin());
    let added = site.client.send(
        "POST",
        "/register/finish",
        Some(&cookies),
        Some(&finish(&started, &credential)),
    );
    let _ = added.unwrap().ok();
    let _ = site.login("anna", &mut phone).ok();
}

fn what_is_done_by_command_is_recorded_and_exported(site: &Site) {
    let mut device = SoftwareAuthenticator::new("root");
    site.register("root", &mut device);
    site.admin(&["create-first", "root"]).done();
    let cookie = site.login("root", &mut device).cookie();
    let cookie = site.step_up(&cookie, &mut device);
    let agent = ureq::Agent::new_with_defaults();
    let mut answer = agent
        .get(format!("{}/admin/audit/export", site.server.origin()))
        .header("cookie", &cookie)
        .call()
        .unwrap();
    let export = answer.body_mut().read_to_string().unwrap();
    let by_command = export
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .any(|line| {
            let event = &line["event"];
            event["action"] == "admin.grant_role" && event["actor"] == "command_line"
        });
    assert!(by_command, "{export}");
    let file = site.directory.path().join("export.jsonl");
    let keys = site.command(&["audit", "keys"]).done();
    let key = keys.lines().next().unwrap();
    let verify = |export: &str| {
        std::fs::write(&file, export).unwrap();
        site.command(&[
            "audit",
            "verify",
            "--export",
            file.to_str().unwrap(),
            "--key",
            key,
        ])
    };
    assert!(verify(&export).done().contains("verified"));
    // What is not as it was written shows: also who did it.
    let forged = export.replace(
        "\"actor\":\"command_line\"",
        "\"actor\":\"00000000-0000-4000-8000-000000000000\"",
    );
    assert_ne!(forged, export);
    let verified = verify(&forged);
    assert_eq!(verified.code, Some(1), "{}", verified.text);
    let verified = verify(&export[..export.len() / 2]);
    assert_eq!(verified.code, Some(2), "{}", verified.text);
}

/// Stamps each check out for each database.
macro_rules! on_each_database {
    ($($check:ident)*) => {$(
        mod $check {
            #[test]
            fn on_sqlite() {
                super::$check(&super::Site::start(None));
            }

            #[test]
            fn on_postgres() {
                super::$check(&super::Site::start(Some(super::Database::fresh())));
            }
        }
    )*};
}

on_each_database! {
    an_account_is_locked_signed_out_and_let_in_again_by_command
    the_first_administrator_is_made_by_command
    what_is_done_by_command_is_recorded_and_exported
}

#[test]
fn without_a_database_that_lasts_there_is_nothing_to_administer() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_keyhaven"))
        .args(["admin", "users"])
        // What the tests are started with is none of its configuration.
        .env_clear()
        .env("KEYHAVEN_DATABASE_URL", "memory:")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("there is nothing in it"), "{error}");
}
