//! What the page says, in each of its languages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use keyhaven_testkit::smtp::MailServer;
use serde_json::{Value, json};

use crate::Visit;
use crate::mailed::wait_for;

/// Texts whose key is put together; what follows may be any of the rest.
const PUT_TOGETHER: [&str; 8] = [
    "aal.",
    "capability.",
    "done.",
    "error.",
    "event.",
    "method.",
    "passkey.",
    "password.",
];

/// What looks like one in the service, and is none.
const NO_EVENTS: [&str; 1] = ["password.compare"];

#[test]
fn every_text_is_there_in_every_language_with_the_same_places() {
    let words = words();
    assert!(words.len() > 200);
    for (key, texts) in &words {
        let texts = texts.as_array().unwrap();
        assert_eq!(texts.len(), 2, "{key}");
        for text in texts {
            assert!(!text.as_str().unwrap().trim().is_empty(), "{key}");
        }
        assert_eq!(places(&texts[0]), places(&texts[1]), "{key}");
    }
}

#[test]
fn every_text_that_is_asked_for_is_there_and_every_one_there_is_asked_for() {
    let words = words();
    let sources = sources();
    let asked = literals(&sources);
    let missing: Vec<_> = asked
        .iter()
        .filter(|literal| is_key(literal) && !words.contains_key(**literal))
        // Names of audit events look alike.
        .filter(|literal| {
            words
                .keys()
                .any(|key| key.split('.').next() == literal.split('.').next())
        })
        .collect();
    assert_eq!(missing, Vec::<&&str>::new(), "asked for, and not there");
    let codes = codes();
    let client = include_str!("../../../../crates/keyhaven-api/assets/keyhaven.js");
    let made_there = |code: &str| client.contains(&format!("\n  {code}: \""));
    let unused: Vec<_> = words
        .keys()
        .filter(|key| {
            let rest = PUT_TOGETHER.iter().find_map(|prefix| key.strip_prefix(prefix));
            let used = |text: &str| asked.contains(text) || codes.contains(text) || made_there(text);
            !asked.contains(key.as_str()) && !rest.is_some_and(|rest| used(rest) || is_told(key, &asked))
        })
        .collect();
    assert_eq!(unused, Vec::<&String>::new(), "there, and not asked for");
}

#[test]
fn every_documented_code_has_a_text() {
    let words = words();
    let missing: Vec<_> = codes()
        .into_iter()
        .filter(|code| !words.contains_key(&format!("error.{code}")))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_kind_of_event_has_a_text() {
    let words = words();
    let service = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/keyhaven-service/src");
    let sources = rust_sources(&service);
    let kinds: BTreeSet<_> = literals(&sources)
        .into_iter()
        .filter(|kind| is_key(kind) && kind.bytes().all(|byte| !b"-0123456789".contains(&byte)))
        .filter(|kind| !NO_EVENTS.contains(kind) && !kind.starts_with("example."))
        .collect();
    assert!(kinds.len() > 20, "{kinds:?}");
    let missing: Vec<_> = kinds
        .into_iter()
        .filter(|kind| !words.contains_key(&format!("event.{}", kind.replace('.', "_"))))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn the_page_and_its_mails_speak_the_browsers_language_until_another_is_chosen() {
    let mails = MailServer::start();
    let mut visit = Visit::mailing(&mails, &[]);
    assert_eq!(visit.browser.text("#signin-title"), "Sign in");
    let german = json!({"userAgent": "Chrome/1", "acceptLanguage": "de-AT,de,en"});
    visit.browser.call("Emulation.setUserAgentOverride", german);
    visit.open();
    assert_eq!(visit.browser.evaluate("document.documentElement.lang"), "de");
    assert_eq!(visit.browser.text("#signin-title"), "Anmelden");
    visit.browser.click("#language");
    assert_eq!(visit.browser.text("#signin-title"), "Sign in");
    visit.open();
    assert_eq!(visit.browser.text("#signin-title"), "Sign in");
    visit.browser.click("#language");
    visit.register_with("anna", &[("#register-email", "anna@example.com")]);
    assert_eq!(visit.browser.text("#passkeys-title"), "Passkeys");
    assert_eq!(visit.browser.text("#sessions-title"), "Wo Sie angemeldet sind");
    let mail = wait_for(&mails, "anna@example.com", "verify-email=");
    assert!(mail.contains("vermutlich Sie"), "{mail}");
    // What is on the page follows at once, times and labels, too.
    visit.browser.click("#language");
    assert_eq!(visit.browser.text("#sessions-title"), "Where you are signed in");
    let label = "document.querySelector('[data-testid=rename]').ariaLabel";
    assert!(
        visit
            .browser
            .evaluate(label)
            .as_str()
            .unwrap()
            .starts_with("Rename ")
    );
}

fn words() -> serde_json::Map<String, Value> {
    let mut visit = Visit::new();
    let words = visit
        .browser
        .evaluate("import('/assets/messages.js').then(({WORDS}) => WORDS)");
    words.as_object().unwrap().clone()
}

/// The page's markup and scripts, without the texts and the client module.
fn sources() -> String {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/keyhaven-api/assets");
    let files = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "js" || ending == "html")
        })
    };
    files(assets.clone())
        .chain(files(assets.join("pages")))
        .filter(|path| !path.ends_with("messages.js") && !path.ends_with("keyhaven.js"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

fn rust_sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.is_dir() {
            true => rust_sources(&path),
            false => std::fs::read_to_string(path).unwrap(),
        })
        .collect()
}

/// What stands between quotation marks.
fn literals(sources: &str) -> BTreeSet<&str> {
    let lines = sources.lines().filter(|line| !line.trim_start().starts_with('*'));
    lines
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .collect()
}

/// Whether a literal names a text: two parts, and no file.
fn is_key(literal: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
            && part.bytes().any(|byte| byte.is_ascii_lowercase())
    };
    literal
        .split_once('.')
        .is_some_and(|(area, name)| plain(area) && plain(name) && !["js", "txt", "json"].contains(&name))
}

/// Levels, methods and states come from the server, and a word's explanation from the word.
fn is_told(key: &str, asked: &BTreeSet<&str>) -> bool {
    let told = [
        "aal.",
        "event.",
        "method.",
        "password.alone",
        "password.with_passkey",
        "password.none",
    ];
    let why = key
        .strip_suffix("_why")
        .and_then(|word| word.strip_prefix("passkey."));
    told.iter().any(|told| key.starts_with(told)) || why.is_some_and(|word| asked.contains(word))
}

/// The codes in the first column of `docs/errors.md`.
fn codes() -> BTreeSet<String> {
    let document = include_str!("../../../../docs/errors.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('|').next())
        .flat_map(|column| {
            let names = format!("`{column}");
            names
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn places(text: &Value) -> BTreeSet<&str> {
    let pieces = text.as_str().unwrap().split('{').skip(1);
    pieces.filter_map(|piece| piece.split('}').next()).collect()
}
