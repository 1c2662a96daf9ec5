//! Another RP ID over the same passkeys: nobody can use them there, and the server says so before anybody finds out.

use std::time::{Duration, Instant};

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::process::{TempDir, free_port};
use serde_json::json;

use crate::process::Process;

#[test]
fn another_rp_id_over_stored_passkeys_is_warned_of() {
    let directory = TempDir::new("rp-id");
    let database = ("KEYHAVEN_DATABASE_URL", "sqlite:keyhaven.db".to_owned());
    let start = |more: &[(&str, String)]| {
        let environment = [std::slice::from_ref(&database), more].concat();
        Process::start_in(directory.path(), free_port(), &environment)
    };
    let mut process = start(&[]);
    let mut device = SoftwareAuthenticator::new("device");
    process
        .client()
        .register(&mut device, &json!({"username": "anna"}));
    process.ask_to_stop();
    assert!(process.wait().success());

    let process = start(&[]);
    assert!(!process.log().contains("passkeys of"), "{}", process.log());
    drop(process);

    let process = start(&[
        ("KEYHAVEN_RP_ID", "example.org".to_owned()),
        ("KEYHAVEN_ORIGINS", "https://example.org".to_owned()),
    ]);
    let until = Instant::now() + Duration::from_secs(60);
    while !process.log().contains("passkeys of localhost") {
        assert!(Instant::now() < until, "{}", process.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}
