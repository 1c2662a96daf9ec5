//! A server that cannot read what is stored does not start, says which key it lacks, and changes nothing.

use std::os::unix::fs::PermissionsExt as _;

use keyhaven_testkit::client::Client;
use keyhaven_testkit::process::Server;
use serde_json::json;

use crate::site::{KEYHAVEN, Person, Site, ended, on_each};

fn rows(site: &Site) -> Vec<String> {
    let intruder = site.intruder();
    let id = intruder.id_text("id");
    let key = if intruder.is_sqlite() {
        "hex(id) || hex(wrapped_lookups)"
    } else {
        "encode(id, 'hex') || encode(wrapped_lookups, 'hex')"
    };
    let mut rows = intruder.texts(&format!(
        "SELECT {id} || username || display_name FROM accounts ORDER BY id"
    ));
    rows.extend(intruder.texts(&format!("SELECT {key} FROM encryption_keys ORDER BY id")));
    rows.extend(intruder.texts(&format!(
        "SELECT {id} || user_agent || ip FROM sessions ORDER BY id"
    )));
    rows
}

/// The id of the key that encrypts.
fn first(site: &Site) -> String {
    let (code, said) = site.command(&["privacy", "rotate", "--check"]);
    assert_eq!(code, Some(0), "{said}");
    said.strip_prefix("key ").unwrap()[..8].to_owned()
}

#[test]
fn without_its_key_a_server_does_not_start_names_it_and_changes_nothing() {
    on_each(|site| {
        site.configure(&[1]);
        let mut server = site.start();
        let client = Client::new(server.origin());
        let mut anna = Person::register(&client, &json!({"username": "anna"}));
        assert!(server.stop().is_some());
        let (id, before) = (first(&site), rows(&site));
        assert!(before.len() >= 3);
        for keys in [&[][..], &[9], &[9, 8]] {
            site.configure(keys);
            let said = site.refusal();
            assert!(
                said.contains(&format!("under the key {id}, which is not in the key ring")),
                "{said}"
            );
            assert!(said.contains("encryption.key_files"), "{said}");
            let (code, said) = site.command(&["privacy", "rotate"]);
            assert!(code == Some(2) && said.contains(&id), "{code:?} {said}");
            let (code, said) = site.command(&["admin", "users"]);
            assert!(code == Some(2) && said.contains(&id), "{code:?} {said}");
            let (code, said) = site.command(&["privacy", "rotate", "--check"]);
            assert!(code == Some(1) && said.contains(&format!("key {id}: ")), "{said}");
            assert!(said.contains("not in the key ring"), "{said}");
            assert_eq!(rows(&site), before);
        }
        site.configure(&[1]);
        server.restart();
        anna.sign_in(&client);
    });
}

#[test]
fn with_another_secret_key_a_server_does_not_start_and_names_what_it_lacks() {
    on_each(|site| {
        let mut server = site.start();
        Person::register(&Client::new(server.origin()), &json!({"username": "anna"}));
        assert!(server.stop().is_some());
        let (id, before) = (first(&site), rows(&site));
        site.exchange_secret_key();
        let said = site.refusal();
        assert!(said.contains(&id) && said.contains("secret_key_file"), "{said}");
        assert_eq!(rows(&site), before);
    });
}

#[test]
fn a_secret_key_that_is_gone_is_not_made_anew_for_a_database_that_needs_it() {
    let mut server = Server::start(KEYHAVEN, &[]);
    let client = Client::new(server.origin());
    let mut anna = Person::register(&client, &json!({"username": "anna"}));
    assert!(server.stop().is_some());
    let path = server.directory().join("keyhaven.key");
    let key = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let refused = ended(server.command(&["serve"]));
    assert!(refused.contains("keyhaven.key is gone"), "{refused}");
    assert!(!path.exists());
    std::fs::write(&path, key).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    server.restart();
    anna.sign_in(&client);
}

#[test]
fn a_key_file_that_is_none_is_refused() {
    on_each(|site| {
        site.configure(&[1, 1]);
        let said = site.refusal();
        assert!(
            said.contains("encryption.key_files") && said.contains("is there twice"),
            "{said}"
        );
        site.configure(&[1]);
        let path = site.key_file(1);
        std::fs::write(&path, [1; 31]).unwrap();
        let said = site.refusal();
        assert!(said.contains("32 random bytes") && said.contains(&path), "{said}");
        std::fs::remove_file(&path).unwrap();
        let said = site.refusal();
        assert!(
            said.contains("encryption.key_files") && said.contains(&path),
            "{said}"
        );
    });
}
