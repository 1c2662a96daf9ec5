//! Mutation testing of keyhaven-core: one small change at a time, which some test must notice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::assurance::{self, Evidence, Mutated};
use crate::circumstances;
use crate::tools::{self, CARGO_MUTANTS, CARGO_NEXTEST};
use crate::tree::{ALL_FEATURES, DEFAULT_FEATURES, WITHOUT_RING};

/// Which files to test, of those that need it.
pub(crate) struct Selection<'a> {
    /// Only these, by any part of their path; all where empty.
    pub(crate) files: Vec<&'a str>,
    /// Only every n-th file, beginning at the i-th: `i/n`, counted from 0.
    pub(crate) shard: Option<(usize, usize)>,
    /// Leave out what was tested as it stands; what was missed is tried again.
    pub(crate) resume: bool,
}

/// What a run was about.
struct Run {
    date: String,
    commit: String,
    file: String,
    digest: String,
}

/// A mutant as cargo-mutants describes it.
#[derive(Deserialize)]
struct Mutant {
    name: String,
}

/// What became of a mutant.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Verdict {
    Caught,
    Missed,
    Unviable,
}

#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: String,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Mutant),
}

/// Tests the mutants of the files selected, one file after the other, and records each file whose mutants were all
/// tried: an interrupted run is taken up (`--resume`) at the file that it was at. `false`: some mutants were missed, or
/// not tried.
pub(crate) fn test(selection: &Selection<'_>) -> anyhow::Result<bool> {
    let evidence = Evidence::read()?;
    let mut files = Vec::new();
    for (index, file) in assurance::core_sources()?.into_iter().enumerate() {
        let named = selection.files.is_empty() || selection.files.iter().any(|part| file.contains(part));
        let of_shard = selection.shard.is_none_or(|(i, n)| index % n == i);
        let digest = assurance::digest_of(&[&file])?;
        let before = evidence
            .mutants
            .get(&file)
            .filter(|run| selection.resume && run.digest == digest)
            .cloned();
        let done = before.as_ref().is_some_and(|run| run.missed.is_empty());
        if named && of_shard && !done {
            files.push((file, digest, before));
        }
    }
    if files.is_empty() {
        println!("nothing to test");
    }
    let mut complete = true;
    // The tests pass before anything is changed: that is seen once.
    let mut baseline = true;
    for (file, digest, before) in files {
        complete &= test_file(file, digest, before, baseline)?;
        baseline = false;
    }
    Ok(complete)
}

/// Of what was tested `before` only what was missed is tried, as long as the mutants are the same.
fn test_file(file: String, digest: String, before: Option<Mutated>, baseline: bool) -> anyhow::Result<bool> {
    let directory = tools::target()?.join("mutants");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory)?;
    let (date, commit) = (circumstances::today()?, circumstances::commit_of(&[&file])?);
    let run = Run {
        date,
        commit,
        file,
        digest,
    };
    let mutants = mutants_of(&run.file)?;
    let before = before.and_then(|before| mutants.left_by(before));
    // What the pass before left undecided; `None`: nothing is decided.
    let mut missed: Option<Vec<String>> = before.as_ref().map(|before| before.missed.clone());
    for pass in PASSES {
        if missed.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
        let mut command = cargo_mutants(&run.file)?;
        for name in missed.iter().flatten() {
            command.args(["--re", &format!("^{}$", escaped(name))]);
        }
        command.args(pass.features);
        command.args(["--no-shuffle", "--cap-lints=true", "--test-tool", "nextest"]);
        // Another build's tests have to pass before anything is changed, too.
        if !baseline && pass.features == ALL_FEATURES {
            command.arg("--baseline=skip");
        }
        // Generous: on a busy machine a slow test is no caught mutant.
        command.args(["--timeout", "900", "--colors", "never", "--no-times", "--output"]);
        command.arg(directory.join(pass.name));
        command.args(pass.tests.iter().map(|test| format!("--cargo-arg={test}")));
        command.args(["--", "--profile", "mutants"]);
        command
            // A build directory that stays: the dependencies are built once.
            .env("CARGO_TARGET_DIR", tools::target()?.join("mutants-build"))
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            // Of the generated inputs a few are enough here: each is tried against every mutant.
            .env("PROPTEST_CASES", "32");
        let nextest = tools::cargo_tool(&CARGO_NEXTEST)?;
        if let Some(directory) = nextest.parent().filter(|directory| directory.is_absolute()) {
            command.env("PATH", tools::path_with(directory)?);
        }
        let _ = command.status()?;
        missed = Some(missed_by(pass, &directory)?);
    }
    record(&directory, run, mutants, before)
}

/// Tests that try mutants; the next pass tries what these missed.
struct Pass {
    name: &'static str,
    features: &'static [&'static str],
    tests: &'static [&'static str],
}

/// First the tests that catch most, then all of them, then all of the build without ring, which compiles what the others
/// do not, and of the one with default features, which refuses what the others verify.
const PASSES: &[Pass] = &[
    Pass {
        name: "quick",
        features: ALL_FEATURES,
        tests: &[
            "--lib",
            "--test=spoiled_assertion",
            "--test=spoiled_registration",
            "--test=spoiled_statements",
        ],
    },
    Pass {
        name: "full",
        features: ALL_FEATURES,
        tests: &[],
    },
    Pass {
        name: "without-ring",
        features: WITHOUT_RING,
        tests: &[],
    },
    Pass {
        name: "default-features",
        features: DEFAULT_FEATURES,
        tests: &[],
    },
];

/// Takes up the outcomes in `directory`. `false`: some mutants were missed, or not tried.
fn record(directory: &Path, run: Run, mutants: Mutants, before: Option<Mutated>) -> anyhow::Result<bool> {
    let mut verdicts = BTreeMap::new();
    for pass in PASSES {
        // What a pass missed is undecided until the next one has tried it.
        verdicts.retain(|_, verdict| *verdict != Verdict::Missed);
        verdicts.extend(outcomes(&directory.join(pass.name))?);
    }

    let (caught, unviable, tried) = match before {
        Some(before) => (before.caught, before.unviable, before.missed),
        None => (0, 0, mutants.planned),
    };
    let mut of_file = Mutated {
        date: run.date,
        commit: run.commit,
        digest: run.digest,
        caught,
        missed: Vec::new(),
        unviable,
        excluded: mutants.excluded,
    };
    let mut left = 0_u32;
    for name in tried {
        match verdicts.get(&name) {
            Some(Verdict::Caught) => of_file.caught = of_file.caught.saturating_add(1),
            Some(Verdict::Unviable) => of_file.unviable = of_file.unviable.saturating_add(1),
            Some(Verdict::Missed) => of_file.missed.push(name),
            None => left = left.saturating_add(1),
        }
    }
    for name in &of_file.missed {
        println!("missed: {name}");
    }
    if left > 0 {
        println!("{}: {left} mutants are left to try", run.file);
        return Ok(false);
    }
    let complete = of_file.missed.is_empty();
    let mut evidence = Evidence::read()?;
    evidence.mutants.insert(run.file, of_file);
    // Files that are gone.
    let sources = assurance::core_sources()?;
    evidence.mutants.retain(|file, _| sources.contains(file));
    evidence.write()?;
    Ok(complete)
}

/// What a pass left undecided.
fn missed_by(pass: &Pass, directory: &Path) -> anyhow::Result<Vec<String>> {
    let outcomes = outcomes(&directory.join(pass.name))?;
    Ok(outcomes
        .into_iter()
        .filter(|(_, verdict)| *verdict == Verdict::Missed)
        .map(|(name, _)| name)
        .collect())
}

/// What became of the mutants a pass has tried so far, by name.
fn outcomes(pass: &Path) -> anyhow::Result<BTreeMap<String, Verdict>> {
    let Ok(text) = std::fs::read_to_string(pass.join("mutants.out/outcomes.json")) else {
        return Ok(BTreeMap::new());
    };
    let Outcomes { outcomes } = serde_json::from_str(&text)?;
    let mut verdicts = BTreeMap::new();
    for Outcome { scenario, summary } in outcomes {
        let Scenario::Mutant(mutant) = scenario else {
            ensure!(
                summary == "Success",
                "the tests fail before anything is changed: {}",
                pass.display()
            );
            continue;
        };
        let verdict = match summary.as_str() {
            "CaughtMutant" | "Timeout" => Verdict::Caught,
            "MissedMutant" => Verdict::Missed,
            "Unviable" => Verdict::Unviable,
            // Interrupted, or broken: undecided.
            _ => continue,
        };
        verdicts.insert(mutant.name, verdict);
    }
    Ok(verdicts)
}

/// The mutants of a file.
struct Mutants {
    /// The names of those to be tried.
    planned: Vec<String>,
    /// How many the configuration leaves out.
    excluded: u64,
}

impl Mutants {
    /// What was tested before, its `missed` those that are still to be tried; `None` where that and these are not the same.
    fn left_by(&self, mut before: Mutated) -> Option<Mutated> {
        // Those that are left out by now.
        before.missed.retain(|name| self.planned.contains(name));
        let missed = u64::try_from(before.missed.len()).ok()?;
        let all = before
            .caught
            .saturating_add(before.unviable)
            .saturating_add(missed);
        (u64::try_from(self.planned.len()) == Ok(all)).then_some(before)
    }
}

fn mutants_of(file: &str) -> anyhow::Result<Mutants> {
    let planned = list(file, &[])?;
    let mut left_out = list(file, &["--no-config"])?;
    left_out.retain(|name| !planned.contains(name));
    let excluded = u64::try_from(left_out.len())?;
    Ok(Mutants { planned, excluded })
}

fn list(file: &str, options: &[&str]) -> anyhow::Result<Vec<String>> {
    let output = cargo_mutants(file)?
        .args(options)
        .args(["--list", "--json"])
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mutants: Vec<Mutant> = serde_json::from_slice(&output.stdout)?;
    Ok(mutants.into_iter().map(|mutant| mutant.name).collect())
}

fn cargo_mutants(file: &str) -> anyhow::Result<std::process::Command> {
    let tool: PathBuf = tools::cargo_tool(&CARGO_MUTANTS)?;
    let mut command = tools::command(tool)?;
    command.args(["mutants", "--package", "keyhaven-core", "--file", file]);
    Ok(command)
}

/// As a regular expression that matches it alone. Only what means something is escaped: `\<` and `\>` would mean
/// something of their own.
fn escaped(name: &str) -> String {
    let mut out = String::new();
    for character in name.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// `i/n`, counted from 0.
pub(crate) fn shard(text: &str) -> anyhow::Result<(usize, usize)> {
    let (i, n) = text.split_once('/').context("--shard i/n")?;
    let (i, n) = (i.parse()?, n.parse()?);
    ensure!(i < n, "--shard i/n: i is below n");
    Ok((i, n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_tried_again_where_the_mutants_are_the_same() {
        let mutants = |names: &[&str]| Mutants {
            planned: names.iter().map(|name| (*name).to_owned()).collect(),
            excluded: 0,
        };
        let before = Mutated {
            date: "2026-01-01".into(),
            commit: "c".into(),
            digest: "d".into(),
            caught: 2,
            missed: vec!["m".into(), "n".into()],
            unviable: 1,
            excluded: 0,
        };
        let left = |names: &[&str]| Some(mutants(names).left_by(before.clone())?.missed);
        assert_eq!(
            left(&["a", "b", "m", "n", "u"]),
            Some(vec!["m".into(), "n".into()])
        );
        // One of them is left out by now.
        assert_eq!(left(&["a", "b", "m", "u"]), Some(vec!["m".into()]));
        // Another tool, or other options, made others.
        assert_eq!(left(&["a", "b", "c", "m", "n", "u"]), None);
        assert_eq!(left(&["a", "b", "u"]), Some(Vec::new()));
        assert_eq!(left(&["a", "m"]), None);
    }
}
