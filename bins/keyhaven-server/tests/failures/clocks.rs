//! Processes whose clocks do not agree: libfaketime shows each its own time.

use std::path::PathBuf;
use std::time::Duration;

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::client::{Client, finish};
use serde_json::{Value, json};

use crate::cluster::{Cluster, ORIGIN};
use crate::load::Load;

/// How far the processes' clocks are ahead of the time, in seconds.
const AHEAD: [i64; 4] = [0, -90, 90, 180];

/// How long a session lasts, in seconds. No two clocks are that far apart, give or take half a minute.
const LIFE: i64 = 120;

fn library() -> String {
    let places = std::fs::read_dir("/usr/lib").unwrap().map_while(Result::ok);
    let found: Vec<PathBuf> = places
        .map(|place| place.path().join("faketime/libfaketimeMT.so.1"))
        .filter(|library| library.is_file())
        .collect();
    let [library, ..] = &found[..] else {
        panic!(
            "libfaketime is missing. As root: apt-get update && apt-get -o DPkg::Lock::Timeout=300 install -y \
             --no-install-recommends faketime"
        );
    };
    library.display().to_string()
}

/// A process for each clock.
fn cluster(life: &str) -> Cluster {
    let library = library();
    let clocks = AHEAD.map(|ahead| format!("{ahead:+}s"));
    let settings: Vec<_> = clocks
        .iter()
        .map(|clock| {
            [
                ("LD_PRELOAD", library.as_str()),
                ("FAKETIME", clock),
                // Time goes by as always: only what time it is differs.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
                ("KEYHAVEN_SESSIONS__ABSOLUTE_SECONDS", life),
                ("KEYHAVEN_SESSIONS__IDLE_SECONDS", life),
            ]
        })
        .collect();
    let settings: Vec<&[_]> = settings.iter().map(|settings| &settings[..]).collect();
    Cluster::with(&settings, "CREATE DATABASE keyhaven")
}

/// A session is over when the clock of the process that is asked has come to its stored end: so it is never accepted
/// past that by more than this clock is behind.
#[test]
fn the_stored_end_decides_by_the_clock_of_who_is_asked() {
    let cluster = cluster(&LIFE.to_string());
    let mut told = [0; 2];
    for (issuer, issued_at) in cluster.servers.iter().zip(AHEAD) {
        let client = Client::new(issuer.origin());
        let name = format!("made-at-{issued_at}").replace('-', "m");
        let session = register(&client, &name);
        for (asked, asked_at) in cluster.servers.iter().zip(AHEAD) {
            let answer = Client::new(asked.origin()).send("GET", "/session", Some(&session), None);
            let answer = answer.unwrap();
            let over = asked_at >= issued_at + LIFE;
            let expected = if over {
                (401, Some("session_expired"))
            } else {
                (200, None)
            };
            assert_eq!(
                (answer.status, answer.code()),
                expected,
                "made at {issued_at} s, asked at {asked_at} s: {}",
                answer.body
            );
            told[usize::from(over)] += 1;
        }
    }
    println!(
        "figures: clocks {AHEAD:?} s ahead, sessions of {LIFE} s: {} of {} looks accepted, none past the stored end",
        told[0],
        told[0] + told[1]
    );
    assert!(told[1] > 2, "too few were over");
}

fn register(client: &Client, name: &str) -> String {
    let started = client
        .post("/register/start", &json!({"username": name}))
        .unwrap()
        .ok();
    let credential: Value = SoftwareAuthenticator::new(name).register(&started["publicKey"], ORIGIN);
    let done = client
        .post("/register/finish", &finish(&started, &credential))
        .unwrap();
    done.cookie()
}

/// Nothing is lost or refused because clocks disagree.
#[test]
fn processes_with_clocks_apart_serve_the_same_accounts() {
    let cluster = cluster("86400");
    let load = Load::start(cluster.entrance(), &[]);
    load.until_done(15);
    cluster.says_ready(true);
    let name = format!("four processes with clocks {AHEAD:?} s ahead");
    cluster.finish(&name, load, Duration::ZERO);
}
