//! The published hostile corpus, every line through the built `keyhaven verify`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Line<'a> {
    id: String,
    /// Members that the answer must have.
    expect: BTreeMap<String, Value>,
    /// As it stands: some cases are faults of JSON that reading and writing would repair.
    #[serde(borrow)]
    case: &'a RawValue,
}

fn answers(input: String) -> (Vec<Value>, Option<i32>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyhaven"))
        .arg("verify")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Written beside the reading, so that neither side waits for the other.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    (
        answers
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        output.status.code(),
    )
}

#[test]
fn every_case_of_the_corpus_is_judged_as_it_says() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/keyhaven-core/tests/corpus");
    let (mut judged, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<Line<'_>> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let input: String = lines.iter().map(|line| format!("{}\n", line.case)).collect();
        let (answers, status) = answers(input);
        // No line was anything but a case.
        assert_eq!((answers.len(), status), (lines.len(), Some(0)));
        for (line, answer) in lines.iter().zip(&answers) {
            judged += 1;
            let as_expected = line
                .expect
                .iter()
                .all(|(member, value)| answer.get(member) == Some(value));
            if !as_expected || answer.get("name") != Some(&Value::from(line.id.as_str())) {
                wrong.push(format!("{}: expected {:?}, got {answer}", line.id, line.expect));
            }
        }
    }
    assert!(judged > 1_000, "only {judged} cases");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
