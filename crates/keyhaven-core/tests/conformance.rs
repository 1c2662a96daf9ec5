//! `docs/conformance.md` cannot go stale: every step has a row, and everything a row names exists.
#![expect(clippy::expect_used, reason = "tests")]

use std::path::{Path, PathBuf};

/// One row: its step, and the `file::name` references of its last two columns.
struct Row {
    step: String,
    code: Vec<String>,
    tests: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the tables whose first column is a step.
fn rows() -> Vec<Row> {
    let page = read(&root().join("docs/conformance.md"));
    let references = |cell: &str| {
        cell.split('`')
            .filter(|text| text.contains("::"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    page.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            match cells.as_slice() {
                ["", step, _, _, code, tests, ""] if step.starts_with(['7', '8']) => Some(Row {
                    step: (*step).to_owned(),
                    code: references(code),
                    tests: references(tests),
                }),
                _ => None,
            }
        })
        .collect()
}

/// The source file and the name of a reference.
fn resolve(reference: &str) -> (String, String) {
    let (file, name) = reference.split_once("::").expect("file::name");
    let (package, rest) = file.split_once('/').expect("package/path");
    let directory = match package {
        "api" | "core" | "service" | "storage" => format!("crates/keyhaven-{package}"),
        "server" => "bins/keyhaven-server".to_owned(),
        other => panic!("{reference}: no package {other}"),
    };
    (read(&root().join(directory).join(rest)), name.to_owned())
}

/// Where a function of that name is declared.
fn declaration<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    ["fn", "function"].iter().find_map(|keyword| {
        let needles = [format!("{keyword} {name}("), format!("{keyword} {name}<")];
        needles
            .iter()
            .find_map(|needle| source.find(needle))
            .and_then(|at| source.get(..at))
    })
}

/// The items of §8, by section: positions in the lists of the edition that the page names.
const STATEMENT_ITEMS: &[(&str, &[&str])] = &[
    (
        "8.2",
        &["1", "2.1", "2.2", "2.3", "2.4", "2.5", "3.1", "3.2", "3.3"],
    ),
    ("8.2.1", &["1", "2", "3", "4", "5"]),
    ("8.2.2", &["1"]),
    (
        "8.3",
        &[
            "1", "2", "3", "4.1", "4.2", "4.3", "4.4", "5.1", "5.2", "5.3", "5.4", "5.5",
        ],
    ),
    ("8.3.1", &["1", "2", "3", "4", "5"]),
    ("8.4", &["1", "2", "3", "4", "5.1", "5.2.1", "5.2.2", "6"]),
    ("8.5", &["1", "2", "3", "4", "5"]),
    ("8.6", &["1", "2", "3", "4.1", "4.2", "4.3", "5", "6", "7", "8"]),
    ("8.7", &["1"]),
    ("8.8", &["1", "2", "3", "4", "5", "6"]),
    ("8.9", &["1", "2"]),
];

#[test]
fn every_step_has_one_row_in_the_order_of_the_text() {
    let rows = rows();
    let steps: Vec<&str> = rows.iter().map(|row| row.step.as_str()).collect();
    let items = STATEMENT_ITEMS
        .iter()
        .flat_map(|(section, items)| items.iter().map(move |item| format!("{section}:{item}")));
    let expected: Vec<String> = (1..=29)
        .map(|number| format!("7.1.{number}"))
        .chain((1..=25).map(|number| format!("7.2.{number}")))
        .chain(items)
        .collect();
    assert_eq!(steps, expected);
}

#[test]
fn every_row_names_code_and_tests_that_exist() {
    for row in rows() {
        assert!(
            !row.code.is_empty() && !row.tests.is_empty(),
            "{}: no code, or no test",
            row.step
        );
        for reference in &row.code {
            let (source, name) = resolve(reference);
            assert!(
                declaration(&source, &name).is_some(),
                "{}: there is no {reference}",
                row.step
            );
        }
        for reference in &row.tests {
            let (source, name) = resolve(reference);
            let before = declaration(&source, &name);
            let before = before.unwrap_or_else(|| panic!("{}: there is no {reference}", row.step));
            // The attribute is right above; clauses of the storage contract are stamped out as tests elsewhere.
            let lines_above = before.rsplit_once('\n').map_or("", |(above, _)| above);
            let attribute = lines_above
                .lines()
                .rev()
                .find(|line| !line.trim_start().starts_with("//"));
            let is_test = attribute.is_some_and(|line| line.contains("test"));
            let is_clause = reference.starts_with("storage/src/contract/") && before.ends_with("pub async ");
            assert!(is_test || is_clause, "{}: {reference} is no test", row.step);
        }
    }
}

#[test]
fn every_step_of_the_verifier_is_a_comment_in_its_order() {
    for (file, last) in [("registration.rs", 29), ("assertion.rs", 25)] {
        let source = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file));
        let comments: Vec<Vec<u8>> = source
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("// Step"))
            .map(|text| {
                let end = text.find(['.', '\'']).unwrap_or(text.len());
                let numbers = text.get(..end).unwrap_or_default();
                numbers
                    .split(|c: char| !c.is_ascii_digit())
                    .filter_map(|number| number.parse().ok())
                    .collect::<Vec<u8>>()
            })
            .collect();
        assert_eq!(comments.concat(), (1..=last).collect::<Vec<u8>>(), "{file}");
    }
}
