//! A database of the version before, in which everything is readable: the first server that starts encrypts it.

use std::time::{SystemTime, UNIX_EPOCH};

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_testkit::client::Client;
use keyhaven_testkit::tamper::Intruder;
use serde_json::{Value, json};

use crate::site::{Person, Site, on_each, steps};

/// More than are encrypted in one step.
const PEOPLE: u8 = 3;
const SESSIONS: u32 = 1200;

fn text(n: u8, of: &str) -> String {
    format!("{of}-of-person-number-{n}")
}

fn address(n: u8) -> String {
    format!("Person.Number.{n}@mail.example")
}

/// What was stored then: people with passkeys that are still good, sessions, and a claim.
#[expect(clippy::disallowed_methods, reason = "sessions end by the server's clock")]
fn furnish(intruder: &Intruder) -> Vec<Person> {
    let yes = if intruder.is_sqlite() { "1" } else { "true" };
    let no = if intruder.is_sqlite() { "0" } else { "false" };
    let uuid = |n: u8, kind: u8| {
        let id = format!("00000000-0000-4000-8000-0000000000{kind:x}{n:x}");
        if intruder.is_sqlite() {
            format!("X'{}'", id.replace('-', ""))
        } else {
            format!("'{id}'")
        }
    };
    let mut statements = Vec::new();
    if intruder.is_sqlite() {
        // As every server of ours has set it.
        statements.push("PRAGMA secure_delete = ON".to_owned());
    }
    let mut people = Vec::new();
    for n in 1..=PEOPLE {
        let name = text(n, "name");
        let mut device = SoftwareAuthenticator::new(&name);
        let options = json!({
            "rp": {"id": "localhost"}, "challenge": "", "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
            "user": {"id": keyhaven_testkit::authenticator::base64url(&[n; 32])},
        });
        let draft = device.draft_registration(&options, "http://localhost").unwrap();
        let id = intruder.bytes(&draft.credential_id);
        statements.push(format!(
            "INSERT INTO accounts (id, user_handle, username, display_name, email, email_verified, active, created_at,
                updated_at)
            VALUES ({}, {}, '{name}', '{}', '{}', {yes}, {yes}, 1, 1)",
            uuid(n, 1),
            intruder.bytes(&[n; 32]),
            text(n, "display"),
            address(n),
        ));
        statements.push(format!(
            "INSERT INTO credentials (credential_id, account_id, rp_id, public_key, algorithm, sign_count, aaguid,
                transports, backup_eligible, backup_state, uv_initialized, attestation_format, attestation_type,
                attestation_trusted, device_name, user_agent, created_at, active)
            VALUES ({id}, {}, 'localhost', {}, -7, 1, {}, '[]', {yes}, {yes}, {yes}, 'none', 'none', {no}, '{}', '{}', 1,
                {yes})",
            uuid(n, 1),
            intruder.bytes(&draft.public_key.encode()),
            uuid(0, 0),
            text(n, "device"),
            text(n, "registered"),
        ));
        people.push(Person {
            name,
            device,
            session: String::new(),
            credential: keyhaven_testkit::authenticator::base64url(&draft.credential_id),
        });
    }
    statements.push(format!(
        "INSERT INTO address_claims VALUES ({}, 'claimed.address@mail.example', {hash}, {hash}, 4102444800000, 1, 1,
            4102444800000)",
        uuid(1, 1),
        hash = intruder.bytes(&[9; 32]),
    ));
    let (numbers, id, hash) = if intruder.is_sqlite() {
        (
            format!(
                "(WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {SESSIONS}) SELECT n FROM n)"
            ),
            "randomblob(16)",
            "randomblob(32)",
        )
    } else {
        (
            format!("(SELECT n FROM generate_series(1, {SESSIONS}) AS n) AS n"),
            "gen_random_uuid()",
            "sha256(gen_random_uuid()::text::bytea)",
        )
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    statements.push(format!(
        "INSERT INTO sessions (id, account_id, token_family_hash, token_hash, created_at, last_seen_at, expires_at,
            authenticated_at, aal, amr, user_agent, ip)
        SELECT {id}, {}, {hash}, {hash}, {now}, {now}, 4102444800000, {now}, 2, '[]', 'OldBrowser/' || n, '203.0.113.77'
        FROM {numbers}",
        uuid(2, 1),
    ));
    intruder.execute_with_triggers(&statements);
    people
}

fn is_encrypted(site: &Site) {
    let intruder = site.intruder();
    intruder.migrate(&steps(&intruder), 10);
    let mut people = furnish(&intruder);
    let mut texts: Vec<String> = (1..=PEOPLE)
        .flat_map(|n| {
            let of = ["name", "display", "device", "registered"].map(|of| text(n, of));
            of.into_iter().chain([address(n)])
        })
        .collect();
    texts.extend(["claimed.address@mail.example", "OldBrowser/", "203.0.113.77"].map(str::to_owned));
    let before = site.stored();
    for text in &texts {
        assert!(before.tells(text), "{text}");
    }

    let mut server = site.start();
    let client = Client::with_user_agent(server.origin(), "NewBrowser/1");
    let (code, said) = site.command(&["privacy", "rotate", "--check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("not encrypted"), "{said}");
    for (n, person) in (1..=PEOPLE).zip(&mut people) {
        let done = person.sign_in(&client);
        assert_eq!(done["user"]["username"], text(n, "name"));
        assert_eq!(done["user"]["displayName"], text(n, "display"));
        assert_eq!(done["user"]["email"], address(n));
        assert_eq!(done["user"]["emailVerified"], true);
        let credentials = person.get(&client, "/credentials");
        assert_eq!(credentials["credentials"][0]["deviceName"], text(n, "device"));
        assert_eq!(credentials["credentials"][0]["userAgent"], text(n, "registered"));
        for known in [text(n, "name"), address(n).to_lowercase()] {
            let (code, said) = site.command(&["admin", "users", &known, "--json"]);
            assert_eq!(code, Some(0), "{said}");
            let found: Value = serde_json::from_str(said.trim()).unwrap();
            assert_eq!(found["username"], text(n, "name"), "{known}");
        }
        // A name stays taken.
        let other = client.post("/register/start", &json!({"username": text(n, "name")}));
        let other = other.unwrap();
        assert!(!other.is_success() || { !registers(&client, &other.ok()) });
    }
    let sessions = people[1].get(&client, "/sessions");
    let sessions = sessions["sessions"].as_array().unwrap();
    let old = sessions.iter().filter(|session| {
        session["ip"] == "203.0.113.77" && session["userAgent"].as_str().unwrap().starts_with("OldBrowser/")
    });
    assert_eq!(old.count(), usize::try_from(SESSIONS).unwrap());

    // It was done once.
    assert!(server.stop().is_some());
    let rows = |intruder: &Intruder| intruder.texts("SELECT user_agent FROM sessions ORDER BY id");
    let encrypted = rows(&intruder);
    assert!(encrypted.iter().all(|text| text.starts_with('\u{1}')));
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    site.stored().tells_none_of(&texts);
    server.restart();
    assert_eq!(rows(&intruder), encrypted);
}

/// Whether somebody else gets the name.
fn registers(client: &Client, started: &Value) -> bool {
    let mut device = SoftwareAuthenticator::new("another");
    let credential = device.register(&started["publicKey"], &client.origin);
    let body = keyhaven_testkit::client::finish(started, &credential);
    client.post("/register/finish", &body).unwrap().is_success()
}

#[test]
fn a_database_of_the_version_before_is_encrypted_before_anybody_is_served() {
    on_each(|site| is_encrypted(&site));
}

/// Also where a process of the version before has written after that.
#[test]
fn what_a_version_before_leaves_behind_is_encrypted_on_demand() {
    on_each(|site| {
        let server = site.start();
        let client = Client::new(server.origin());
        let mut anna = Person::register(&client, &json!({"username": "anna", "displayName": "Anna"}));
        let plain = "UPDATE accounts SET display_name = 'Anna In The Clear'";
        site.intruder().execute_with_triggers(&[plain]);
        assert_eq!(anna.ask(&client, "/account").status, 503);
        let (code, said) = site.command(&["privacy", "rotate", "--check"]);
        assert!(
            code == Some(1) && said.contains("not encrypted: 1 values"),
            "{said}"
        );
        let (code, said) = site.command(&["privacy", "rotate"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(anna.sign_in(&client)["user"]["displayName"], "Anna In The Clear");
    });
}
