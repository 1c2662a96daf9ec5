//! What leaves the database: checkpoints, exports, proofs; and what is dropped from it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use keyhaven_testkit::process::Server;

use crate::log::{Log, audit, text};

pub(crate) fn the_log_is_sealed_and_verifies(log: &Log) {
    let said = log.verify();
    said.is_verified();
    assert!(
        said.text.contains("12 sealed events, 3 not sealed yet"),
        "{}",
        said.text
    );
    assert!(said.text.contains(" checkpoints"), "{}", said.text);
    // The newest checkpoint is in the file: the server kept it while it ran.
    let newest = log
        .intruder()
        .texts("SELECT CAST(max(number) AS text) FROM audit_batches");
    let kept = std::fs::read_to_string(log.checkpoints()).unwrap();
    assert!(kept.contains(&format!("\nbatch {}\n", newest[0])), "{kept}");
    // Verifying changes nothing, and needs nothing but to read.
    log.verify().is_verified();
    // Where nothing is trusted, nothing is verified.
    let database = log.url();
    let elsewhere = text(&log.file("nowhere.key"));
    let said = audit(&[
        "verify",
        "--database-url",
        &database,
        "--secret-key-file",
        &elsewhere,
    ]);
    assert_eq!(said.code, Some(2), "{}", said.text);
    // Another secret key's log is not this one: its keys are strangers.
    let other = log.copy();
    std::fs::write(other.secret(), [8; 32]).unwrap();
    other
        .audit(&["verify"])
        .is_bad("another secret", &["batch 1", "not trusted"]);
}

pub(crate) fn an_export_is_verified_without_a_database(log: &Log) {
    let key = log.key();
    log.verify_from_outside(&key).is_verified();
    let whole = std::fs::read_to_string(log.file("export.jsonl")).unwrap();
    assert!(!whole.contains("sealedPrivateKey"), "{whole}");
    let path = log.file("spoiled.jsonl");
    let verify = |content: &str, arguments: &[&str]| {
        std::fs::write(&path, content).unwrap();
        let mut all = vec!["verify", "--export"];
        let path = text(&path);
        all.push(&path);
        all.extend(arguments);
        audit(&all)
    };
    // With the secret key, MACs as well.
    let secret = text(&log.secret());
    let said = verify(&whole, &["--secret-key-file", &secret, "--key", &key]);
    said.is_verified();
    assert!(!said.text.contains("MACs were not checked"), "{}", said.text);
    // Without a key it proves nothing; cut short it is no export.
    assert_eq!(verify(&whole, &[]).code, Some(2));
    let lines: Vec<_> = whole.lines().collect();
    let shorter = lines[..lines.len() - 1].join("\n");
    assert_eq!(verify(&shorter, &["--key", &key]).code, Some(2));
    // A value changed in it is named.
    let spoiled = whole.replacen("\"action\":\"login.finish\"", "\"action\":\"login.start\"", 1);
    assert_ne!(spoiled, whole);
    verify(&spoiled, &["--key", &key]).is_bad("export", &["batch 1, position 0", "edited"]);
}

pub(crate) fn a_proof_is_checked_without_a_database(log: &Log) {
    let key = log.key();
    let column = log.intruder().id_text("event_id");
    let id = log.intruder().texts(&format!(
        "SELECT {column} FROM audit_members WHERE batch = 2 AND leaf_index = 1"
    ));
    let proof = log.audit(&["prove", "--event", &id[0]]);
    assert_eq!(proof.code, Some(0), "{}", proof.text);
    let path = log.file("proof.json");
    let checkpoints = text(&log.checkpoints());
    let check = |content: &str, arguments: &[&str]| {
        std::fs::write(&path, content).unwrap();
        let mut all = vec!["verify", "--proof"];
        let path = text(&path);
        all.push(&path);
        all.extend(arguments);
        audit(&all)
    };
    check(&proof.text, &["--key", &key]).is_verified();
    assert_eq!(check(&proof.text, &[]).code, Some(2));
    for (from, to) in [
        ("\"action\": \"login.finish\"", "\"action\": \"login.start\""),
        ("\"actor\": null", "\"actor\": \"command_line\""),
        ("\"index\": 1", "\"index\": 0"),
        ("\"number\": 2", "\"number\": 3"),
        ("\"outcome\": \"refused\"", "\"outcome\": \"success\""),
    ] {
        let spoiled = proof.text.replacen(from, to, 1);
        assert_ne!(spoiled, proof.text, "{from}");
        let said = check(&spoiled, &["--key", &key]);
        assert_eq!(said.code, Some(1), "{from}: {}", said.text);
    }
    // On to a batch whose checkpoint was kept elsewhere.
    let newest = log
        .intruder()
        .texts("SELECT CAST(max(number) AS text) FROM audit_batches");
    let led_on = log.audit(&["prove", "--event", &id[0], "--through-batch", &newest[0]]);
    check(&led_on.text, &["--key", &key, "--checkpoint", &checkpoints]).is_verified();
    let other = text(&log.file("other"));
    let kept = std::fs::read_to_string(log.checkpoints()).unwrap();
    let last = kept.rfind(&format!("\nbatch {}\n", newest[0])).unwrap();
    let forged = format!(
        "{}\nbatch 2\n{}",
        &kept[..last],
        &kept[last + 2 + "batch ".len() + newest[0].len()..]
    );
    std::fs::write(&other, forged).unwrap();
    let said = check(&led_on.text, &["--key", &key, "--checkpoint", &other]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    // What is not sealed cannot be proven to be.
    let waiting = log
        .intruder()
        .texts(&format!("SELECT {column} FROM audit_unsealed"));
    assert_eq!(log.audit(&["prove", "--event", &waiting[0]]).code, Some(2));
    assert_eq!(log.audit(&["prove", "--event", "x"]).code, Some(2));
}

pub(crate) fn pruning_leaves_a_log_that_verifies(log: &Log) {
    let (key, copy) = (log.key(), log.copy());
    let database = copy.intruder();
    let sealed_at = database.texts("SELECT CAST(sealed_at AS text) FROM audit_batches WHERE number = 3");
    let seconds: i64 = sealed_at[0].parse::<i64>().unwrap();
    let at = format!("{}", Rfc3339(seconds));
    let said = copy.audit(&["prune", "--before", &at]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("batches 1 to 2 are empty"), "{}", said.text);
    for said in [copy.verify(), copy.verify_from_outside(&key)] {
        said.is_verified();
        assert!(
            said.text.contains("events of batches 1 to 2, sealed before"),
            "{}",
            said.text
        );
    }
    // Again it finds nothing more to do.
    let said = copy.audit(&["prune", "--before", &at]);
    assert!(said.text.contains("dropped 0 events"), "{}", said.text);
    // What was not pruned is as well guarded as before.
    let batch = "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_members WHERE batch = 3)";
    database.execute(&[batch]);
    copy.verify()
        .is_bad("deleted", &["batch 3, position 0", "missing"]);
    // And a moment to come is refused.
    assert_eq!(
        copy.audit(&["prune", "--before", "2999-01-01T00:00:00Z"]).code,
        Some(2)
    );
}

/// A time in milliseconds.
struct Rfc3339(i64);

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).unwrap();
        f.write_str(&at.format(&time::format_description::well_known::Rfc3339).unwrap())
    }
}

/// Somebody's server takes checkpoints: refused at first, they come again; sealing goes on meanwhile.
#[test]
fn a_checkpoint_that_could_not_be_kept_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://127.0.0.1:{}/checkpoints",
        listener.local_addr().unwrap().port()
    );
    let receiver = std::thread::spawn(move || {
        let mut received = Vec::new();
        for answer in ["503 Service Unavailable", "204 No Content"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut some = [0; 4096];
            while !String::from_utf8_lossy(&request).contains("\u{2014} localhost/keyhaven-audit ")
                || !request.ends_with(b"\n")
            {
                let n = stream.read(&mut some).unwrap();
                assert!(n > 0, "the request was cut short");
                request.extend_from_slice(&some[..n]);
            }
            write!(
                stream,
                "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
            .unwrap();
            received.push(String::from_utf8(request).unwrap());
        }
        received
    });
    let server = Server::start(
        env!("CARGO_BIN_EXE_keyhaven"),
        &[
            ("KEYHAVEN_AUDIT__CHECKPOINT_URL", &url),
            ("KEYHAVEN_AUDIT__CHECKPOINT_SECONDS", "1"),
        ],
    );
    crate::log::fail(&server);
    let received = receiver.join().unwrap();
    for request in received {
        assert!(request.starts_with("POST /checkpoints HTTP/1.1\r\n"), "{request}");
        assert!(
            request.contains("\r\n\r\nlocalhost/keyhaven-audit\n1\n"),
            "{request}"
        );
        assert!(request.contains("\nbatch 1\nsealed "), "{request}");
    }
}
