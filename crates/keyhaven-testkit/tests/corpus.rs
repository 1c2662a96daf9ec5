//! The published corpus is the generator's, whole, and leaves no line of the checklist out.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use keyhaven_testkit::corpus::{Case, Expect, confirmations, files};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../keyhaven-core/tests/corpus")
}

#[test]
fn what_is_published_is_what_the_generator_makes() {
    let made = files();
    let mut size = 0;
    for (name, cases) in &made {
        let lines: String = cases.iter().map(|case| case.to_json() + "\n").collect();
        size += lines.len();
        let published = std::fs::read_to_string(directory().join(format!("{name}.jsonl"))).unwrap();
        let differing = published.lines().zip(lines.lines()).find(|(old, new)| old != new);
        // Not assert_eq!: nobody wants to see both.
        assert!(
            published == lines,
            "{name}.jsonl is stale; write it anew with the example `corpus`. First difference: {differing:.400?}"
        );
    }
    assert!(size < 3_500_000, "{size} bytes");
    let published: BTreeSet<String> = std::fs::read_dir(directory())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned))
        .collect();
    let names: BTreeSet<String> = made.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(published, names);

    coverage(&made.into_iter().flat_map(|(_, cases)| cases).collect::<Vec<_>>());
}

/// In one test with the above, because making the corpus is what takes its time.
fn coverage(cases: &[Case]) {
    // Every case has a name and a reason of its own, and every spoiled one an accepted twin that differs from it.
    let mut accepted = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut spoiled = 0;
    for case in cases {
        assert!(names.insert(&case.id), "{} twice", case.id);
        assert!(case.why.len() >= 5, "{}", case.id);
        // The name apart, the input is another than the twin's.
        let input = case.input.replace(&format!("{:?}", case.id), "");
        match (&case.expect, &case.twin) {
            (Expect::Ok(_), _) => {
                accepted.insert(&case.id, input);
            }
            (Expect::Reject { .. }, twin) => {
                spoiled += 1;
                let twin = accepted.get(twin.as_ref().unwrap());
                assert!(
                    twin.is_some_and(|twin| *twin != input),
                    "{}: an accepted twin that differs",
                    case.id
                );
            }
        }
    }
    assert!(spoiled >= 300, "{spoiled} spoiled cases");
    // What was confirmed is what is published: of a case that was changed since, nothing is.
    for (id, peers, _) in confirmations() {
        let Some(case) = cases.iter().find(|case| case.id == id) else {
            panic!("{id} is confirmed, and no case")
        };
        assert_eq!(
            case.confirmed_by(),
            Some(peers),
            "{id} is confirmed as it was before"
        );
    }

    // Every line of the checklist, and no other.
    let checklist = std::fs::read_to_string(directory().join("checklist.tsv")).unwrap();
    let lines: BTreeMap<&str, bool> = checklist
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            (fields.next().unwrap(), fields.next().unwrap() == "refuse")
        })
        .collect();
    let covered = |refusals_only: bool| {
        let cases = cases
            .iter()
            .filter(move |case| !refusals_only || !matches!(case.expect, Expect::Ok(_)));
        cases.map(|case| case.line).collect::<BTreeSet<_>>()
    };
    let all: BTreeSet<&str> = lines.keys().copied().collect();
    assert_eq!(covered(false), all);
    let refusing: BTreeSet<&str> = lines
        .iter()
        .filter(|(_, refuse)| **refuse)
        .map(|(line, _)| *line)
        .collect();
    assert_eq!(covered(true), refusing);

    // Every step at which the verifier can refuse.
    let steps: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| match &case.expect {
            Expect::Ok(_) => None,
            Expect::Reject { step, .. } => Some(step.as_str()),
        })
        .collect();
    let expected = [
        (
            "7.1",
            &[
                3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 24, 25, 28,
            ][..],
        ),
        (
            "7.2",
            &[
                3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23,
            ],
        ),
        ("8", &[2, 3, 4, 5, 6, 7, 8, 9]),
    ];
    let expected: BTreeSet<String> = expected
        .iter()
        .flat_map(|(section, steps)| steps.iter().map(move |step| format!("{section}.{step}")))
        .collect();
    assert_eq!(steps, expected.iter().map(String::as_str).collect());

    // Every format by every algorithm that it can have: one accepted, one spoiled at least.
    let algorithms = "es256 eddsa esp256 ed25519 es384 es512 ps256 ps384 ps512 es256k ml-dsa-44 ml-dsa-65 ml-dsa-87 esp384 \
        esp512 ed448 rs256 rs384 rs512";
    let tpm = "es256 esp256 es384 esp384 es512 esp512 rs256 rs384 rs512 ps256 ps384 ps512";
    let android = "es256 es384 es512 rs256 rs384 rs512 ps256 eddsa";
    let apple =
        "eddsa esp256 ed25519 es384 es512 ps256 ps384 ps512 es256k esp384 esp512 ed448 rs256 rs384 rs512";
    for (prefix, algorithms) in [
        ("reg-none-", algorithms),
        ("auth-", algorithms),
        ("packed-self-", algorithms),
        ("packed-x5c-", algorithms),
        ("tpm-credential-", tpm),
        ("tpm-aik-", tpm),
        ("android-", android),
        ("apple-", apple),
    ] {
        for algorithm in algorithms.split_whitespace() {
            let twin = format!("{prefix}{algorithm}");
            assert!(accepted.contains_key(&twin), "{twin}");
            let spoils = cases.iter().filter(|case| case.twin.as_ref() == Some(&twin));
            assert!(spoils.count() >= 1, "{twin} is not spoiled");
        }
    }
}
