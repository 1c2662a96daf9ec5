//! The `keyhaven` command as a newcomer meets it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output, Stdio};

use keyhaven_testkit::postgres::Database;
use keyhaven_testkit::process::TempDir;

fn keyhaven(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyhaven"));
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(std::env::temp_dir());
    command.output().unwrap()
}

#[track_caller]
fn refused(output: &Output, naming: &str) {
    let error = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(naming), "{error}");
}

#[test]
fn help_names_the_commands() {
    let output = keyhaven(&["--help"], &[]);
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "serve",
        "migrate",
        "config",
        "verify",
        "inspect",
        "mds",
        "--rp-id",
        "http://localhost:8080",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn config_check_prints_what_is_in_force_and_flags_win() {
    let environment = [
        ("KEYHAVEN_RP_ID", "example.org"),
        ("KEYHAVEN_ORIGINS", "https://example.org, https://a.example.org"),
    ];
    let output = keyhaven(&["config", "check", "--listen", "127.0.0.1:9999"], &environment);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("127.0.0.1:9999") && text.contains("https://example.org, https://a.example.org"),
        "{text}"
    );
}

#[test]
fn with_postgresql_the_secret_key_file_must_be_named() {
    // Nobody listens there: it is refused before it would matter.
    let url = ("KEYHAVEN_DATABASE_URL", "postgres://u:hidden@127.0.0.1:1/x");
    let output = keyhaven(&["serve"], &[url]);
    refused(&output, "secret_key_file");
    refused(&keyhaven(&["config", "check"], &[url]), "secret_key_file");
    let directory = TempDir::new("key");
    let path = key_in(&directory, "keyhaven.key", 32);
    let key = ("KEYHAVEN_SECRET_KEY_FILE", path.as_str());
    let shown = String::from_utf8(keyhaven(&["config", "check"], &[url, key]).stdout).unwrap();
    assert!(
        shown.contains("postgres://127.0.0.1:1/x") && !shown.contains("hidden"),
        "{shown}"
    );
    let output = keyhaven(&["migrate"], &[url]);
    refused(&output, "the database postgres://127.0.0.1:1/x");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hidden"));
}

/// A file of so many bytes that nobody else can read.
fn key_in(directory: &TempDir, name: &str, length: usize) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, vec![7; length]).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_serving_would_refuse_a_check_refuses_and_makes_nothing() {
    let directory = TempDir::new("check");
    let database = format!("sqlite:{}", directory.path().join("made.db").display());
    let database = ("KEYHAVEN_DATABASE_URL", database.as_str());
    let short = key_in(&directory, "short.key", 31);
    let nowhere = directory.path().join("nowhere.key");
    let nowhere = nowhere.to_str().unwrap();
    for (more, naming) in [
        (("KEYHAVEN_SECRET_KEY_FILE", nowhere), "nowhere.key"),
        (("KEYHAVEN_SECRET_KEY_FILE", &short), "32 random bytes"),
        (("KEYHAVEN_ENCRYPTION__KEY_FILES", nowhere), "nowhere.key"),
        (("KEYHAVEN_ENCRYPTION__KEY_FILES", &short), "32 random bytes"),
        (("KEYHAVEN_METRICS_LISTEN", "127.0.0.1:8080"), "metrics_listen"),
    ] {
        refused(&keyhaven(&["config", "check"], &[database, more]), naming);
    }
    // A database that is not there yet gets its key when it is served; one that has its key must be able to read it.
    let output = keyhaven(&["config", "check"], &[database]);
    assert!(output.status.success(), "{output:?}");
    let made = std::fs::read_dir(directory.path()).unwrap();
    let made: Vec<_> = made.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(made, ["short.key"]);
    key_in(&directory, "made.key", 33);
    refused(&keyhaven(&["config", "check"], &[database]), "made.key");
}

#[test]
fn lists_and_texts_of_the_environment_may_look_like_numbers() {
    let name = "KEYHAVEN_CEREMONIES__ALGORITHMS";
    for algorithms in ["-7,-257", " -7 , -257 ", "-7", "[-7, -257]", "[-7]"] {
        let output = keyhaven(&["config", "check"], &[(name, algorithms)]);
        assert!(output.status.success(), "{algorithms}: {output:?}");
    }
    for (algorithms, naming) in [("", "at least one"), ("ES256", "es256"), ("-7,1", "verifies")] {
        refused(&keyhaven(&["config", "check"], &[(name, algorithms)]), naming);
    }
    for text in ["2024", "007", "1.10", "true", "[a]", "Example"] {
        let output = keyhaven(&["config", "check"], &[("KEYHAVEN_RP_NAME", text)]);
        assert!(output.status.success(), "{text}: {output:?}");
    }
    // As it is written: nothing is made of it and back.
    let output = keyhaven(&["config", "check"], &[("KEYHAVEN_SECRET_KEY_FILE", "007.0")]);
    refused(&output, "file 007.0:");
}

#[test]
fn processes_that_migrate_together_all_succeed() {
    let database = Database::fresh();
    let migrating: Vec<_> = (0..8)
        .map(|_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_keyhaven"));
            command
                .arg("migrate")
                .env_clear()
                .env("KEYHAVEN_DATABASE_URL", database.url());
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for process in migrating {
        let output = process.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    refused(
        &keyhaven(&["config", "check"], &[("KEYHAVEN_RPID", "example.org")]),
        "rpid",
    );
    refused(
        &keyhaven(&["config", "check"], &[("KEYHAVEN_TOKENS__ACCESS_TOKEN", "on")]),
        "access_token",
    );
    let file = std::env::temp_dir().join(format!("keyhaven-config-{}.toml", std::process::id()));
    std::fs::write(&file, "rp_id = \"localhost\"\n[sessions]\nidle = 3\n").unwrap();
    refused(
        &keyhaven(&["config", "check", "--config", file.to_str().unwrap()], &[]),
        "idle",
    );
    std::fs::remove_file(&file).unwrap();
    refused(
        &keyhaven(&["config", "check", "--config", "/nowhere.toml"], &[]),
        "/nowhere.toml",
    );
}

#[test]
fn a_site_without_https_is_refused_at_start() {
    let environment = [
        ("KEYHAVEN_RP_ID", "example.org"),
        ("KEYHAVEN_ORIGINS", "http://example.org"),
    ];
    refused(&keyhaven(&[], &environment), "https");
    refused(
        &keyhaven(&["serve"], &[("KEYHAVEN_RP_ID", "example.org")]),
        "origins",
    );
}

#[test]
fn switches_are_on_or_off() {
    assert!(
        keyhaven(&["config", "check"], &[("KEYHAVEN_RATE_LIMIT", "off")])
            .status
            .success()
    );
    refused(
        &keyhaven(&["config", "check"], &[("KEYHAVEN_RATE_LIMIT", "maybe")]),
        "rate_limit",
    );
}

#[test]
fn mds_inspect_reads_what_it_cannot_verify_and_says_so() {
    let directory = std::env::temp_dir();
    let file = |name: &str, content: &str| {
        let path = directory.join(format!("keyhaven-mds-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let payload = file(
        "payload.json",
        r#"{"no": 7, "nextUpdate": "2026-02-01", "entries": [
            {"aaguid": "00000000-0000-0000-0000-000000000001", "statusReports":
                [{"status": "REVOKED", "effectiveDate": "2025-05-06"}, {"status": "FIDO_CERTIFIED_L1"}]},
            {"aaguid": "no"}]}"#,
    );
    let output = keyhaven(&["mds", "inspect", "--at", "2026-01-15T00:00:00Z", &payload], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for part in [
        "number 7, NOT verified",
        "next update: 2026-02-01\n",
        "entries: 1, with 0 trust anchors; dropped: 1",
        "entry 1 dropped",
        "00000000-0000-0000-0000-000000000001  L1  (private)",
        "refused by default: status REVOKED since 2025-05-06",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let output = keyhaven(
        &[
            "mds",
            "inspect",
            "--json",
            "--at",
            "2026-02-02T00:00:00Z",
            &payload,
        ],
        &[],
    );
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["verified"], false);
    assert_eq!(json["overdue"], true);
    assert_eq!(json["entries"][0]["certification"], "L1");
    assert_eq!(json["dropped"][0]["index"], 1);
    // A month later nobody can tell what was revoked meanwhile.
    let output = keyhaven(&["mds", "inspect", "--at", "2026-03-04T00:00:00Z", &payload], &[]);
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("every model is refused by default")
    );
    // Before the revocation it was no reason.
    let output = keyhaven(&["mds", "inspect", "--at", "2025-01-01T00:00:00Z", &payload], &[]);
    assert!(!String::from_utf8(output.stdout).unwrap().contains("refused"));

    let no_pem = file("no.pem", "nothing");
    let arguments = ["mds", "inspect", "--root", &no_pem, &payload];
    refused(&keyhaven(&arguments, &[]), "no certificate in pem");
    refused(
        &keyhaven(&["mds", "inspect", "--at", "today", &payload], &[]),
        "rfc 3339",
    );
    refused(
        &keyhaven(&["mds", "inspect", "/nowhere.jwt"], &[]),
        "/nowhere.jwt",
    );
    refused(&keyhaven(&["mds", "inspect", &no_pem], &[]), "not a blob");
    for path in [payload, no_pem] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn one_header_of_proxies_is_believed_and_it_has_a_name() {
    for name in ["x-forwarded-for", "forwarded"] {
        let output = keyhaven(&["config", "check"], &[("KEYHAVEN_TRUSTED_PROXY_HEADER", name)]);
        assert!(output.status.success(), "{output:?}");
    }
    let output = keyhaven(
        &["config", "check"],
        &[("KEYHAVEN_TRUSTED_PROXY_HEADER", "x-real-ip")],
    );
    refused(&output, "x-forwarded-for");
}

/// "correct horse battery staple" by libxcrypt's bcrypt at cost 12.
const BCRYPT: &str = "$2b$12$CCCCCCCCCCCCCCCCCCCCC.aNFuLnJDpfCit2UcMXRRsawH6O4VbfG";

/// How a command ends that nobody listens to any more, neither to what it says nor to what it complains of: both
/// readers are gone before it starts, so that it cannot be heard however fast it is.
fn unheard(directory: &TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Option<i32> {
    let nobody = || std::io::pipe().unwrap().1;
    Command::new(env!("CARGO_BIN_EXE_keyhaven"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(nobody())
        .stderr(nobody())
        .status()
        .unwrap()
        .code()
}

#[test]
fn every_command_ends_alike_when_nobody_listens_any_more() {
    let directory = TempDir::new("unheard");
    let fallback = ("KEYHAVEN_PASSWORDS__FALLBACK", "on");
    let line = format!(r#"{{"username": "anna", "passwordHash": "{BCRYPT}"}}"#);
    std::fs::write(directory.path().join("accounts"), line + "\n").unwrap();
    for arguments in [
        &["migrate"][..],
        &["admin", "import-passwords", "accounts"],
        &["admin", "users"],
        &["admin", "users", "--json"],
        &["admin", "users", "nobody"],
        &["admin", "lock", "anna", "--reason", "test"],
        &["admin", "enrolment-link", "anna"],
        &["privacy", "rotate"],
        &["audit", "verify"],
        &["audit", "prune", "--before", "2026-01-01T00:00:00Z"],
        &["audit", "export"],
        &["backup", "copy.db"],
        &["config", "check"],
        &["openapi"],
    ] {
        assert_eq!(
            unheard(&directory, arguments, &[fallback]),
            Some(141),
            "{arguments:?}"
        );
    }
    // What is wrong with the configuration, said to nobody.
    for arguments in [&["serve"][..], &["config", "check"], &["admin", "users"]] {
        let wrong = ("KEYHAVEN_RPID", "example.org");
        assert_eq!(
            unheard(&directory, arguments, &[wrong]),
            Some(141),
            "{arguments:?}"
        );
    }
}
