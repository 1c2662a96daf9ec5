//! Fuzzing: the targets of `fuzz/`, which is a workspace of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::assurance::{self, Evidence, Fuzzed};
use crate::summary::Count;
use crate::tools::{self, CARGO_FUZZ};

/// Fuzzes `target`, or each in turn, for `minutes`; records each; keeps in `fuzz/corpus` what reaches something new.
pub(crate) fn run(target: Option<&str>, minutes: u64) -> anyhow::Result<bool> {
    ensure!(nightly()?, "{NO_NIGHTLY}");
    let mut succeeded = true;
    for name in targets()?
        .iter()
        .filter(|name| target.is_none_or(|target| target == *name))
    {
        // What is found on the way is not committed as it is: see below.
        let found = tools::target()?.join("fuzz-found").join(name);
        std::fs::create_dir_all(&found)?;
        let corpus = corpus(name)?;
        let digest = assurance::fuzzed_digest()?;
        let (date, commit) = assurance::now()?;
        let seconds = minutes.saturating_mul(60);
        let output = fuzzer(
            name,
            &[&found, &corpus],
            &[&format!("-max_total_time={seconds}"), "-print_final_stats=1"],
        )?
        .stderr(Stdio::piped())
        .output()?;
        let log = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            println!("{log}");
            println!("{name}: failed; the input is in fuzz/artifacts/{name}");
            succeeded = false;
            continue;
        }
        let executions = log
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
            .context("the number of executions")?
            .trim()
            .parse::<u64>()?;
        println!("{name}: {executions} executions in {minutes} minutes");
        let mut evidence = Evidence::read()?;
        let earlier = evidence
            .fuzz
            .remove(name)
            .filter(|earlier| earlier.digest == digest);
        let (before, time) = earlier.map_or((0, 0), |earlier| (earlier.executions, earlier.seconds));
        evidence.fuzz.insert(
            name.clone(),
            Fuzzed {
                date,
                commit,
                digest,
                executions: before.saturating_add(executions),
                seconds: time.saturating_add(seconds),
            },
        );
        evidence.write()?;
        minimise(name, &[&corpus, &found])?;
    }
    Ok(succeeded)
}

/// A few seconds for each target. Without a nightly toolchain nothing is run, and a line says so.
pub(crate) fn smoke() -> anyhow::Result<Count> {
    let mut count = Count::default();
    if !nightly()? {
        println!("{NO_NIGHTLY}: not fuzzed; the corpus was read by the tests all the same");
        return Ok(Count::PASSED);
    }
    for name in targets()? {
        let found = tools::target()?.join("fuzz-found").join(&name);
        std::fs::create_dir_all(&found)?;
        let output = fuzzer(&name, &[&found, &corpus(&name)?], SMOKE)?
            .stderr(Stdio::piped())
            .output()?;
        println!(
            "{name}: {}",
            if output.status.success() { "ok" } else { "FAILED" }
        );
        if !output.status.success() {
            println!("{}", String::from_utf8_lossy(&output.stderr));
        }
        count += Count::one(output.status.success());
    }
    Ok(count)
}

/// Writes the seeds: the specification's vectors, and what the software authenticator makes.
pub(crate) fn seeds() -> anyhow::Result<bool> {
    let written = tools::command("cargo")?
        .args([
            "test",
            "--quiet",
            "--locked",
            "--package",
            "keyhaven-core",
            "--all-features",
        ])
        .args(["--test", "fuzz_corpus", "--", "--ignored", "write_seeds"])
        .status()?
        .success();
    if !nightly()? {
        println!("{NO_NIGHTLY}: not minimised");
        return Ok(written);
    }
    for name in targets()? {
        minimise(&name, &[&corpus(&name)?])?;
    }
    Ok(written)
}

/// The same each time, so that what one run finds the next one finds, too.
const SMOKE: &[&str] = &["-seed=1", "-runs=10000", "-max_total_time=10"];

const NO_NIGHTLY: &str = "no nightly toolchain (rustup toolchain install nightly)";

fn nightly() -> anyhow::Result<bool> {
    Ok(Command::new("cargo")
        .args(["+nightly", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?
        .success())
}

fn directory() -> anyhow::Result<PathBuf> {
    Ok(tools::root()?.join("fuzz"))
}

fn corpus(target: &str) -> anyhow::Result<PathBuf> {
    Ok(directory()?.join("corpus").join(target))
}

/// The targets' names, sorted.
fn targets() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory()?.join("fuzz_targets"))? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .context("a target")?;
        names.push(name.to_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Keeps the smallest inputs of `from` that together reach everything they reach, in `fuzz/corpus`.
fn minimise(target: &str, from: &[&Path]) -> anyhow::Result<()> {
    let least = tools::target()?.join("fuzz-least").join(target);
    let _ = std::fs::remove_dir_all(&least);
    std::fs::create_dir_all(&least)?;
    let merged = fuzzer(target, &[&[&*least], from].concat(), &["-merge=1"])?
        .stderr(Stdio::null())
        .status()?;
    ensure!(merged.success(), "{target}: the corpus could not be minimised");
    let corpus = corpus(target)?;
    let _ = std::fs::remove_dir_all(&corpus);
    std::fs::create_dir_all(&corpus)?;
    for entry in std::fs::read_dir(&least)? {
        let entry = entry?;
        std::fs::copy(entry.path(), corpus.join(entry.file_name()))?;
    }
    Ok(())
}

fn fuzzer(target: &str, corpora: &[&Path], options: &[&str]) -> anyhow::Result<Command> {
    let mut command = tools::command(tools::cargo_tool(&CARGO_FUZZ)?)?;
    command
        .current_dir(directory()?)
        // The toolchain file of the repository names a stable one.
        .env("RUSTUP_TOOLCHAIN", "nightly")
        .env("CARGO_TARGET_DIR", tools::target()?.join("fuzz"))
        // Without a sanitizer: `unsafe` is forbidden in what is tested, and it runs several times faster.
        .args(["fuzz", "run", "--sanitizer", "none", target])
        .args(corpora)
        .args(["--", "-max_len=8192", "-timeout=20", "-rss_limit_mb=2048"])
        .args(options)
        .stdin(Stdio::null());
    Ok(command)
}
