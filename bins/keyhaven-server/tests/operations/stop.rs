//! Drained in order: first `/ready` says so, while everything is still answered; then no new connections.

use std::time::{Duration, Instant};

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::process::{TempDir, free_port};
use serde_json::json;

use crate::process::{Process, keyhaven, succeeds};

#[test]
fn load_balancers_have_time_to_see_it() {
    let mut process = Process::start(&[
        ("KEYHAVEN_STOP__NOTICE_SECONDS", "600".to_owned()),
        ("KEYHAVEN_STOP__DRAIN_SECONDS", "5".to_owned()),
    ]);
    assert_eq!(process.client().until_ready()["status"], "ready");
    process.ask_to_stop();
    let until = Instant::now() + Duration::from_secs(60);
    // A new connection each time.
    while process.client().send("GET", "/ready", &[], None) != (503, json!({"status": "stopping"})) {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    process.client().post("/login/start", &json!({}), 200);
    process.ask_to_stop();
    assert!(process.wait().success());
}

#[test]
fn the_notice_ends_by_itself() {
    let mut process = Process::start(&[("KEYHAVEN_STOP__NOTICE_SECONDS", "2".to_owned())]);
    let asked = Instant::now();
    process.ask_to_stop();
    assert!(process.wait().success());
    assert!(asked.elapsed() >= Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[test]
fn who_asks_twice_does_not_wait() {
    let mut process = Process::start(&[("KEYHAVEN_STOP__NOTICE_SECONDS", "600".to_owned())]);
    process.ask_to_stop();
    while process.client().send("GET", "/ready", &[], None).0 != 503 {
        std::thread::sleep(Duration::from_millis(5));
    }
    process.ask_to_stop();
    assert!(process.wait().success());
}

/// What is there then is what has to be kept: one file of data, and the key.
#[test]
fn an_embedded_database_is_one_file_when_the_server_has_stopped() {
    let directory = TempDir::new("whole");
    let port = free_port();
    let files = || {
        let files = std::fs::read_dir(directory.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut data: Vec<_> = names.filter(|name| name.starts_with("keyhaven.")).collect();
        data.sort();
        data
    };
    for n in 0..8 {
        let mut process = Process::start_in(directory.path(), port, &[]);
        let name = format!("user{n}");
        let mut client = process.client();
        client.register(&mut SoftwareAuthenticator::new(&name), &json!({"username": name}));
        assert!(files().contains(&"keyhaven.db-wal".to_owned()), "{:?}", files());
        // Readers at work until the end.
        let others: Vec<_> = (0..4)
            .map(|_| {
                let mut other = process.client();
                other.cookies.clone_from(&client.cookies);
                std::thread::spawn(move || {
                    for _ in 0..5 {
                        other.send("GET", "/sessions", &[], None);
                    }
                })
            })
            .collect();
        for other in others {
            other.join().unwrap();
        }
        process.ask_to_stop();
        assert!(process.wait().success());
        assert_eq!(files(), ["keyhaven.db", "keyhaven.key"], "stop {n}");
    }
    // Nor do commands that write leave anything beside it.
    let mut lock = keyhaven(directory.path(), &[]);
    lock.args(["admin", "lock", "user0", "--reason", "test"]);
    succeeds(&lock.output().unwrap());
    assert_eq!(files(), ["keyhaven.db", "keyhaven.key"]);
}
