//! Fuzzing: the targets of `fuzz/`, which is a workspace of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::assurance::{self, Evidence, Fuzzed};
use crate::circumstances;
use crate::summary::Count;
use crate::tools::{self, CARGO_FUZZ};

/// What to fuzz, and how long.
pub(crate) struct Selection<'a> {
    /// Only this target; each in turn where there is none.
    pub(crate) target: Option<&'a str>,
    /// Processor minutes for each.
    pub(crate) minutes: u64,
    /// The minutes are those in all: what was recorded of the same content counts.
    pub(crate) resume: bool,
}

/// Fuzzes target by target, with the least priority and on one core at a time, and keeps in `fuzz/corpus` what reaches
/// something new. Each slice is recorded as it ends, so that an interrupted run loses no more than that.
pub(crate) fn run(selection: &Selection<'_>) -> anyhow::Result<bool> {
    let mut succeeded = true;
    for name in assurance::fuzz_targets()?
        .iter()
        .filter(|name| selection.target.is_none_or(|target| target == *name))
    {
        // What is found on the way is not committed as it is: see below.
        let found = tools::target()?.join("fuzz-found").join(name);
        std::fs::create_dir_all(&found)?;
        let corpus = corpus(name)?;
        let before = recorded_seconds(name)?;
        let wanted = selection.minutes.saturating_mul(60);
        let goal = if selection.resume {
            wanted
        } else {
            before.saturating_add(wanted)
        };
        let mut done = before;
        while done < goal {
            match slice(name, &[&found, &corpus], (goal - done).min(SLICE_SECONDS))? {
                Some(now) => done = now,
                None => {
                    succeeded = false;
                    break;
                }
            }
        }
        if done > before {
            minimise(name, &[&corpus, &found])?;
        }
    }
    Ok(succeeded)
}

/// How long a target runs until that is recorded.
const SLICE_SECONDS: u64 = 300;

/// The processor seconds recorded for a target as it is now.
fn recorded_seconds(name: &str) -> anyhow::Result<u64> {
    let digest = assurance::fuzzed_digest(name)?;
    Ok(Evidence::read()?
        .fuzz
        .get(name)
        .filter(|recorded| recorded.digest == digest)
        .map_or(0, |recorded| recorded.seconds))
}

/// Fuzzes one target for so many seconds, and records them; `None` where it failed. Returns all that is recorded of it.
///
/// The seconds are those the fuzzer had a processor, which on a busy machine are fewer than went by.
fn slice(name: &str, corpora: &[&Path], seconds: u64) -> anyhow::Result<Option<u64>> {
    let digest = assurance::fuzzed_digest(name)?;
    let commit = circumstances::commit_of(&assurance::fuzzed_sources(name)?)?;
    let date = circumstances::today()?;
    // Built beforehand, so that building does not count.
    ensure!(
        cargo_fuzz("build", name)?.status()?.success(),
        "{name} does not build"
    );
    let processor = children_seconds();
    let output = fuzzer(
        name,
        corpora,
        &[&format!("-max_total_time={seconds}"), "-print_final_stats=1"],
    )?
    .stderr(Stdio::piped())
    .output()?;
    let processor = children_seconds()
        .zip(processor)
        .map_or(seconds, |(after, before)| after.saturating_sub(before).max(1));
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        println!("{log}");
        println!("{name}: failed; the input is in fuzz/artifacts/{name}");
        return Ok(None);
    }
    let executions = log
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .context("the number of executions")?
        .trim()
        .parse::<u64>()?;
    println!("{name}: {executions} executions in {processor} processor seconds");
    let mut evidence = Evidence::read()?;
    let recorded = evidence
        .fuzz
        .remove(name)
        .filter(|recorded| recorded.digest == digest);
    let (before, time) = recorded.map_or((0, 0), |recorded| (recorded.executions, recorded.seconds));
    let seconds = time.saturating_add(processor);
    evidence.fuzz.insert(
        name.to_owned(),
        Fuzzed {
            date,
            commit,
            digest,
            executions: before.saturating_add(executions),
            seconds,
        },
    );
    evidence.write()?;
    Ok(Some(seconds))
}

/// The processor time of everything this process has started and waited for, where the system tells it.
fn children_seconds() -> Option<u64> {
    processor_seconds(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// `cutime` and `cstime` of proc(5), which Linux gives in hundredths of a second.
fn processor_seconds(stat: &str) -> Option<u64> {
    // The second field is a name in brackets, and may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split_whitespace().skip(13);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(ticks()?.saturating_add(ticks()?) / 100)
}

/// A few seconds for each target.
pub(crate) fn smoke() -> anyhow::Result<Count> {
    let mut count = Count::default();
    for name in assurance::fuzz_targets()? {
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
    let mut written = true;
    for package in [&["keyhaven-core", "--all-features"][..], &["keyhaven-mds"]] {
        written &= tools::command("cargo")?
            .args(["test", "--quiet", "--locked", "--package"])
            .args(package)
            .args(["--test", "fuzz_corpus", "--", "--ignored", "write_seeds"])
            .status()?
            .success();
    }
    for name in assurance::fuzz_targets()? {
        minimise(&name, &[&corpus(&name)?])?;
    }
    Ok(written)
}

/// The same each time, so that what one run finds the next one finds, too.
const SMOKE: &[&str] = &["-seed=1", "-runs=10000", "-max_total_time=10"];

fn directory() -> anyhow::Result<PathBuf> {
    Ok(tools::root()?.join("fuzz"))
}

fn corpus(target: &str) -> anyhow::Result<PathBuf> {
    Ok(directory()?.join("corpus").join(target))
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
    let mut command = cargo_fuzz("run", target)?;
    command
        .args(corpora)
        .args(["--", "-max_len=8192", "-timeout=20", "-rss_limit_mb=2048"])
        .args(options)
        .stdin(Stdio::null());
    Ok(command)
}

/// `cargo fuzz build` or `run`, with the least priority: others may want the machine.
fn cargo_fuzz(action: &str, target: &str) -> anyhow::Result<Command> {
    let mut command = tools::command("nice")?;
    command
        .args(["-n", "19"])
        .arg(tools::cargo_tool(&CARGO_FUZZ)?)
        .current_dir(directory()?)
        .env("CARGO_TARGET_DIR", tools::target()?.join("fuzz"))
        // Without a sanitizer: `unsafe` is forbidden in what is tested, it runs several times faster, and needs no nightly
        // toolchain.
        .args(["fuzz", action, "--sanitizer", "none", target]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_of_children_is_read_whatever_the_process_is_called() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 99 98 0 0 11 12 1300 155 20 0 1 0 5 6 7";
        assert_eq!(processor_seconds(stat), Some(14));
        assert_eq!(processor_seconds("7 (a) S 1"), None);
    }
}
