//! What the real binary counts, on PostgreSQL: round trips, and how the pool is used.

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::TempDir;
use serde_json::json;

use crate::process::Process;

fn numbers(process: &Process) -> String {
    let mut answer = process.client().agent.get(&process.metrics).call().unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    answer.body_mut().read_to_string().unwrap()
}

fn number(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

/// But for those that a server makes by itself, at any moment: sealing, sending mails, tidying up.
fn round_trips(text: &str) -> f64 {
    let by_itself = |line: &str| {
        let operations = [
            "\"audit.",
            "\"outbox.",
            ".purge\"",
            ".forget_mails\"",
            "\"recovery.failures\"",
        ];
        operations.iter().any(|operation| line.contains(operation))
    };
    text.lines()
        .filter(|line| line.starts_with("keyhaven_store_round_trips_total") && !by_itself(line))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum()
}

#[test]
fn a_sign_in_takes_two_round_trips_to_postgresql_and_shows_in_the_numbers() {
    let database = Database::fresh();
    let keys = TempDir::new("keys");
    let key = keys.secret_key();
    let process = Process::start(&[
        ("KEYHAVEN_DATABASE_URL", database.url().to_owned()),
        ("KEYHAVEN_SECRET_KEY_FILE", key.clone()),
        ("KEYHAVEN_RATE_LIMIT", "off".to_owned()),
    ]);
    let mut device = SoftwareAuthenticator::new("device");
    process
        .client()
        .register(&mut device, &json!({"username": "anna"}));
    let before = numbers(&process);
    process.client().sign_in(&mut device, &json!({}));
    let after = numbers(&process);
    let grown = |name: &str| number(&after, name) - number(&before, name);
    let trips = round_trips(&after) - round_trips(&before);
    assert!((trips - 2.0).abs() < 0.1, "{trips}: {after}");
    let finished = r#"keyhaven_ceremonies_total{ceremony="login",stage="finish",outcome="ok"}"#;
    assert!((grown(finished) - 1.0).abs() < 0.1);
    assert!(grown(r#"keyhaven_pool_waits_total{pool="primary"}"#) >= 2.0);
    assert!(number(&after, r#"keyhaven_pool_idle_connections{pool="primary"}"#) >= 1.0);
    assert!(number(&after, "process_resident_memory_bytes") > 1e6, "{after}");
    assert!(number(&after, "process_start_time_seconds") > 1.6e9, "{after}");
}
