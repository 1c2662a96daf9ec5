//! A copy made while people sign in, restored elsewhere: who was registered signs in, and who was signed in still is.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::{TempDir, free_port};
use serde_json::json;

use crate::process::{Client, Process, keyhaven, succeeds};

/// Registers somebody, has others come and go while `back_up` is at work, then looks for him on what `restore` made.
fn backed_up_and_restored(
    environment: &[(&str, String)],
    back_up: impl FnOnce(&Process),
    restore: impl FnOnce(&Process, &Path) -> Vec<(&'static str, String)>,
) {
    let directory = TempDir::new("before");
    let port = free_port();
    let process = Process::start_in(directory.path(), port, environment);
    let mut device = SoftwareAuthenticator::new("anna");
    let mut anna = process.client();
    anna.register(&mut device, &json!({"username": "anna"}));
    let stop = AtomicBool::new(false);
    let served = std::thread::scope(|scope| {
        let others: Vec<_> = (0..2)
            .map(|n| {
                let (process, stop) = (&process, &stop);
                scope.spawn(move || {
                    let name = format!("other{n}");
                    let mut device = SoftwareAuthenticator::new(&name);
                    let mut client = process.client();
                    client.register(&mut device, &json!({"username": name}));
                    let mut served = 0;
                    while !stop.load(Ordering::SeqCst) || served == 0 {
                        client.sign_in(&mut device, &json!({}));
                        served += 1;
                    }
                    served
                })
            })
            .collect();
        back_up(&process);
        stop.store(true, Ordering::SeqCst);
        others.into_iter().map(|other| other.join().unwrap()).sum::<u32>()
    });
    assert!(served > 0);
    let elsewhere = TempDir::new("after");
    let environment = restore(&process, elsewhere.path());
    drop(process);

    // The page's address is the same one: it is another machine that it leads to.
    let process = Process::start_in(elsewhere.path(), port, &environment);
    let session = anna.get("/session", 200);
    assert_eq!(session["user"]["username"], "anna", "{session}");
    let mut again = Client {
        cookies: Default::default(),
        ..process.client()
    };
    let done = again.sign_in(&mut device, &json!({"username": "anna"}));
    assert_eq!(done["user"]["username"], "anna");
}

fn unlimited() -> (&'static str, String) {
    ("KEYHAVEN_RATE_LIMIT", "off".to_owned())
}

#[test]
fn the_embedded_database() {
    let copies = TempDir::new("copies");
    let copy = copies.path().join("keyhaven.db");
    backed_up_and_restored(
        &[unlimited()],
        |process| {
            let said = keyhaven(&process.directory, &[])
                .arg("backup")
                .arg(&copy)
                .output()
                .unwrap();
            let said = succeeds(&said);
            assert!(said.contains("keyhaven.key"), "it says what else to keep: {said}");
        },
        |process, elsewhere| {
            std::fs::copy(&copy, elsewhere.join("keyhaven.db")).unwrap();
            std::fs::copy(
                process.directory.join("keyhaven.key"),
                elsewhere.join("keyhaven.key"),
            )
            .unwrap();
            vec![unlimited()]
        },
    );
}

#[test]
fn postgresql_with_its_own_tools() {
    let (database, other) = (Database::fresh(), Database::fresh());
    let keys = TempDir::new("keys");
    let key = keys.secret_key();
    let environment = |url: &str| {
        vec![
            unlimited(),
            ("KEYHAVEN_DATABASE_URL", url.to_owned()),
            ("KEYHAVEN_SECRET_KEY_FILE", key.clone()),
        ]
    };
    let dump = keys.path().join("keyhaven.dump");
    backed_up_and_restored(
        &environment(database.url()),
        |process| {
            let refused = keyhaven(&process.directory, &environment(database.url()))
                .args(["backup", "x"])
                .output()
                .unwrap();
            assert!(String::from_utf8_lossy(&refused.stderr).contains("pg_dump"));
            let mut dumped = postgres_tool("pg_dump");
            dumped
                .args(["--format=custom", "--file"])
                .arg(&dump)
                .arg(database.url());
            done(&dumped.output().unwrap());
        },
        |_, _| {
            let mut restored = postgres_tool("pg_restore");
            restored
                .args(["--exit-on-error", "--no-owner", "--dbname", other.url()])
                .arg(&dump);
            done(&restored.output().unwrap());
            environment(other.url())
        },
    );
}

fn postgres_tool(name: &str) -> Command {
    let mut command = Command::new(keyhaven_testkit::postgres::program(name).unwrap());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
}

#[track_caller]
fn done(output: &Output) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
}
