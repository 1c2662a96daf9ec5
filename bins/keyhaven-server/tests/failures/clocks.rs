//! Processes whose clocks do not agree: libfaketime shows each its own time.

use std::path::PathBuf;
use std::time::Duration;

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::client::{Client, finish};
use keyhaven_testkit::redis::Redis;
use serde_json::json;

use crate::cluster::{Cluster, ORIGIN, database};
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

/// A process for each clock; everything that ends lasts `life` seconds.
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
                ("KEYHAVEN_SESSIONS__AAL2__ABSOLUTE_SECONDS", life),
                ("KEYHAVEN_SESSIONS__AAL2__IDLE_SECONDS", life),
                ("KEYHAVEN_CEREMONY_TTL_SECONDS", life),
            ]
        })
        .collect();
    let settings: Vec<&[_]> = settings.iter().map(|settings| &settings[..]).collect();
    Cluster::on(database(), Some(Redis::start().unwrap()), &settings)
}

/// A session is over, and so is a ceremony, when the clock of the process that is asked has come to the stored end: so
/// nothing is accepted past that by more than this clock is behind.
#[test]
fn the_stored_end_decides_by_the_clock_of_who_is_asked() {
    let cluster = cluster(&LIFE.to_string());
    // Each process tidies up once it has begun, by its own clock: what is made before that could be gone for the others, too.
    std::thread::sleep(Duration::from_secs(3));
    let mut told = [0; 2];
    for (issuer, issued_at) in cluster.servers.iter().zip(AHEAD) {
        let issuer = Client::new(issuer.origin());
        let name = format!("made-at-{issued_at}").replace("--", "-minus-");
        let (mut device, session) = register(&issuer, &name);
        for (asked, asked_at) in cluster.servers.iter().zip(AHEAD) {
            let asked = Client::new(asked.origin());
            let over = asked_at >= issued_at + LIFE;
            let which = format!("made at {issued_at} s, asked at {asked_at} s");
            let look = asked.send("GET", "/session", Some(&session), None).unwrap();
            let expected = if over {
                (401, Some("session_expired"))
            } else {
                (200, None)
            };
            assert_eq!((look.status, look.code()), expected, "{which}: {}", look.body);

            let started = issuer.post("/login/start", &json!({})).unwrap().ok();
            let credential = device.authenticate(&started["publicKey"], ORIGIN);
            let done = asked
                .post("/login/finish", &finish(&started, &credential))
                .unwrap();
            let expected = if over {
                (400, Some("challenge_missing"))
            } else {
                (200, None)
            };
            assert_eq!((done.status, done.code()), expected, "{which}: {}", done.body);
            told[usize::from(over)] += 2;
        }
    }
    println!(
        "figures: clocks {AHEAD:?} s ahead, sessions and ceremonies of {LIFE} s: {} of {} accepted, none past the stored \
         end by the clock that was asked",
        told[0],
        told[0] + told[1]
    );
    assert!(told[1] > 4, "too few were over");
}

fn register(client: &Client, name: &str) -> (SoftwareAuthenticator, String) {
    let started = client
        .post("/register/start", &json!({"username": name}))
        .unwrap()
        .ok();
    let mut device = SoftwareAuthenticator::new(name);
    let credential = device.register(&started["publicKey"], ORIGIN);
    let done = client
        .post("/register/finish", &finish(&started, &credential))
        .unwrap();
    (device, done.cookie())
}

/// Nothing is lost or refused because clocks disagree.
#[test]
fn processes_with_clocks_apart_serve_the_same_accounts() {
    let cluster = cluster("3600");
    let load = Load::start(cluster.entrance(), &[]);
    load.until_done(15);
    cluster.says_ready(true);
    let name = format!("four processes with clocks {AHEAD:?} s ahead");
    cluster.finish(&name, load, Duration::ZERO);
}
