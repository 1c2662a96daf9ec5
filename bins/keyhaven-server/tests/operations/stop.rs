//! Drained in order: first `/ready` says so, while everything is still answered; then no new connections.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::Process;

#[test]
fn load_balancers_have_time_to_see_it() {
    let mut process = Process::start(&[
        ("KEYHAVEN_STOP__NOTICE_SECONDS", "2".to_owned()),
        ("KEYHAVEN_STOP__DRAIN_SECONDS", "5".to_owned()),
    ]);
    assert_eq!(process.client().get("/ready", 200)["status"], "ready");
    process.ask_to_stop();
    let until = Instant::now() + Duration::from_secs(20);
    // A new connection each time.
    while process.client().send("GET", "/ready", &[], None) != (503, json!({"status": "stopping"})) {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    process.client().post("/login/start", &json!({}), 200);
    assert!(process.wait().success());
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
