//! A text that somebody has altered in the database is an error: never an empty field, and never somebody else's.

use keyhaven_testkit::client::Client;
use serde_json::{Value, json};

use crate::site::{Person, Site, on_each};

#[track_caller]
fn is_an_error(person: &Person, client: &Client, path: &str, altered: &str) {
    let answer = person.ask(client, path);
    assert_eq!(answer.status, 503, "{altered}: {}", answer.body);
    assert_eq!(
        answer.code(),
        Some("storage_unavailable"),
        "{altered}: {}",
        answer.body
    );
    let text = answer.body.to_string();
    assert!(
        !text.contains("Berta") && !text.contains("berta"),
        "{altered}: {text}"
    );
}

fn stays_an_error(site: &Site) {
    let server = site.start();
    let client = Client::with_user_agent(server.origin(), "Some browser/1");
    let anna = Person::register(&client, &json!({"username": "anna", "displayName": "Anna"}));
    let berta = Person::register(&client, &json!({"username": "berta", "displayName": "Berta"}));
    anna.name_device(&client, "Anna's key");
    berta.name_device(&client, "Berta's key");
    let intruder = site.intruder();
    let concat = |from: &str| format!("(SELECT {from} LIMIT 1)");
    let mark = if intruder.is_sqlite() { "char(1)" } else { "chr(1)" };
    let ids = |person: &Person, path: &str, pointer: &str| {
        let found: Value = person.get(&client, path);
        found.pointer(pointer).unwrap().as_str().unwrap().to_owned()
    };
    let id = |text: &str| intruder.bytes(&hex(text));
    let of_anna = if intruder.is_sqlite() {
        format!("id = {}", id(&ids(&anna, "/session", "/user/id")))
    } else {
        format!("id = '{}'", ids(&anna, "/session", "/user/id"))
    };
    let not_anna = of_anna.replace("id =", "id <>");
    let sessions = of_anna.replace("id =", "account_id =");
    let others = of_anna.replace("id =", "account_id <>");
    let columns = [
        ("accounts", "display_name", &of_anna, &not_anna, "/account"),
        ("credentials", "device_name", &sessions, &others, "/credentials"),
        ("credentials", "user_agent", &sessions, &others, "/credentials"),
        ("sessions", "user_agent", &sessions, &others, "/sessions"),
        ("sessions", "ip", &sessions, &others, "/sessions"),
    ];
    for (table, column, own, foreign, path) in columns {
        let stored = intruder.texts(&format!("SELECT {column} FROM {table} WHERE {own}"));
        let stored = stored[0].strip_prefix('\u{1}').unwrap();
        let flipped = if stored.starts_with('A') { "B" } else { "A" };
        for to in [
            "'in the clear'".to_owned(),
            format!("{mark} || 'AAAA'"),
            format!("{mark} || '{}'", &stored[..stored.len() - 2]),
            format!("{mark} || '{flipped}{}'", &stored[1..]),
            concat(&format!("{column} FROM {table} WHERE {foreign}")),
        ] {
            let altered = format!("UPDATE {table} SET {column} = {to} WHERE {own}");
            intruder.execute_with_triggers(&[altered.as_str()]);
            is_an_error(&anna, &client, path, &altered);
        }
        let back = format!("UPDATE {table} SET {column} = {mark} || '{stored}' WHERE {own}");
        intruder.execute_with_triggers(&[back.as_str()]);
        assert_eq!(anna.ask(&client, path).status, 200, "{back}");
    }
    assert_eq!(berta.get(&client, "/account")["displayName"], "Berta");
}

fn hex(uuid: &str) -> Vec<u8> {
    let digits = uuid.replace('-', "");
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

#[test]
fn an_altered_text_is_an_error_and_never_another_text() {
    on_each(|site| stays_an_error(&site));
}
