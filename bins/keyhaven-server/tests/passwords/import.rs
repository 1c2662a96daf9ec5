use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::site::{PASSWORD, Site};

/// "correct horse battery staple" by libxcrypt's bcrypt at cost 12.
const BCRYPT: &str = "$2b$12$CCCCCCCCCCCCCCCCCCCCC.aNFuLnJDpfCit2UcMXRRsawH6O4VbfG";
/// "password" by the reference implementation of Argon2, from its test suite.
const ARGON2: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

pub(crate) fn accounts_of_another_system_are_taken_over_line_by_line(site: &Site) {
    let lines = [
        json!({"username": "Berta", "passwordHash": BCRYPT, "displayName": "Berta B.", "email": "berta@example.org"})
            .to_string(),
        json!({"username": "anton", "passwordHash": ARGON2}).to_string(),
        String::new(),
        json!({"username": "berta", "passwordHash": BCRYPT}).to_string(),
        json!({"username": "cesar", "passwordHash": "$1$salt$hash"}).to_string(),
        json!({"username": "dora", "passwordhash": BCRYPT}).to_string(),
        "not json".to_owned(),
        json!({"username": "emil", "passwordHash": BCRYPT}).to_string(),
    ];
    let (code, said, wrong) = import(site, &lines.join("\n"));
    assert_eq!(
        (code, said.trim()),
        (Some(1), "3 accounts taken over, 4 lines refused")
    );
    let named: Vec<_> = wrong.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(named, ["line 4", "line 5", "line 6", "line 7"], "{wrong}");
    assert!(
        wrong.contains("username is taken") && wrong.contains("passwordHash"),
        "{wrong}"
    );

    // Signed in twice: by the old hash, and by the one that replaced it.
    for (username, password) in [("berta", PASSWORD), ("anton", "password"), ("emil", PASSWORD)] {
        for _ in 0..2 {
            let login = site.login(username, password).ok();
            assert_eq!(login["user"]["username"], username);
        }
    }
    assert_eq!(
        site.login("berta", PASSWORD).ok()["user"]["displayName"],
        "Berta B."
    );
    assert_eq!(
        site.login("cesar", PASSWORD).code(),
        Some("authentication_failed")
    );

    let (code, said, wrong) = import(
        site,
        &json!({"username": "fritz", "passwordHash": BCRYPT}).to_string(),
    );
    assert_eq!(
        (code, said.trim(), wrong.as_str()),
        (Some(0), "1 accounts taken over, 0 lines refused", "")
    );
}

fn import(site: &Site, lines: &str) -> (Option<i32>, String, String) {
    let mut command = site.server.command(&["admin", "import-passwords", "-"]);
    let mut running = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}
