//! Schemas: several processes at once, and those that are not to migrate.

use std::process::Stdio;
use std::time::{Duration, Instant};

use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::TempDir;

use crate::process::{keyhaven, succeeds};

fn eight_at_once(url: &str) {
    let directory = TempDir::new("migrate");
    let environment = [("KEYHAVEN_DATABASE_URL", url.to_owned())];
    let started: Vec<_> = (0..8)
        .map(|_| {
            keyhaven(directory.path(), &environment)
                .arg("migrate")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for process in started {
        let said = succeeds(&process.wait_with_output().unwrap());
        assert!(said.contains("is up to date"), "{said}");
    }
}

#[test]
fn eight_processes_migrate_one_postgresql_database() {
    let database = Database::fresh();
    eight_at_once(database.url());
}

#[test]
fn eight_processes_migrate_one_file() {
    let directory = TempDir::new("migrated");
    eight_at_once(&format!("sqlite:{}/keyhaven.db", directory.path().display()));
}

#[test]
fn a_server_that_is_not_to_migrate_leaves_the_database_alone() {
    let directory = TempDir::new("unmigrated");
    let key = directory.secret_key();
    let database = Database::fresh();
    let file = format!("sqlite:{}/keyhaven.db", directory.path().display());
    for url in [database.url(), &file] {
        let environment = [
            ("KEYHAVEN_DATABASE_URL", url.to_owned()),
            ("KEYHAVEN_SECRET_KEY_FILE", key.clone()),
            ("KEYHAVEN_LISTEN", "127.0.0.1:0".to_owned()),
        ];
        let mut server = keyhaven(directory.path(), &environment)
            .args(["serve", "--no-migrate"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while server.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                let _ = server.kill();
                let _ = server.wait();
                panic!("it serves {url}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let refused = server.wait_with_output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            said.contains("run `keyhaven migrate` first") || said.contains("No such file"),
            "{said}"
        );
    }
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}
