//! The stable codes: what the code can answer, what is documented, and what the types of `keyhaven.js` name are one list.

use std::collections::BTreeSet;
use std::path::Path;

const ERRORS: &str = include_str!("../../../../docs/errors.md");
const TYPES: &str = include_str!("../../assets/keyhaven.d.ts");

/// What a documented table row begins with.
fn rows(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        let (first, _) = row[1..].split_once(" | ").unwrap();
        first.split('`').skip(1).step_by(2).map(str::to_owned)
    })
    .collect()
}

/// The documented codes: the server's, and those that the browser makes.
fn documented() -> (BTreeSet<String>, BTreeSet<String>) {
    let (servers, browsers) = ERRORS.split_once("## What the browser says").unwrap();
    (rows(servers), rows(browsers))
}

/// The codes of the server, for tests that look at an answer.
pub(crate) fn stable() -> BTreeSet<String> {
    documented().0
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2).filter(|text| is_code(text))
}

fn source(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every code that the verifier, the use cases and the routes can answer.
fn answered() -> BTreeSet<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut codes = BTreeSet::new();
    for file in ["keyhaven-core/src/error.rs", "keyhaven-service/src/error.rs"] {
        let text = source(&crates.join(file));
        for function in text.split("fn code(&self)").skip(1) {
            let (body, _) = function.split_once("\n    }\n").unwrap();
            codes.extend(quoted(body).map(str::to_owned));
        }
    }
    let mut folders = vec![crates.join("keyhaven-api/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = source(&path);
            let own = path
                .ends_with("keyhaven-api/src/error.rs")
                .then_some("Self::new(");
            let makers = ["ApiError::new("].into_iter().chain(own);
            for made in makers.flat_map(|maker| text.split(maker).skip(1)) {
                if let Some(rest) = made.trim_start().strip_prefix('"') {
                    let (first, rest) = rest.split_once('"').unwrap();
                    if is_code(first) && rest.starts_with(',') {
                        codes.insert(first.to_owned());
                    }
                }
            }
        }
    }
    codes
}

fn named(kind: &str) -> BTreeSet<String> {
    let (_, rest) = TYPES.split_once(&format!("export type {kind} =")).unwrap();
    let (union, _) = rest.split_once(';').unwrap();
    quoted(union).map(str::to_owned).collect()
}

#[test]
fn what_is_answered_is_documented_and_what_is_documented_is_answered() {
    assert!(answered().len() > 40);
    assert_eq!(documented().0, answered());
}

#[test]
fn the_types_of_the_client_name_the_documented_codes() {
    let (servers, browsers) = documented();
    assert_eq!(named("ServerErrorCode"), servers);
    assert_eq!(named("ClientErrorCode"), browsers);
}
