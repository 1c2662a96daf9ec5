//! When, of what and on what something was measured.

use anyhow::{Context as _, ensure};

use crate::tools;

/// Today, in UTC: `2026-01-31`.
pub(crate) fn today() -> anyhow::Result<String> {
    line("date", &["-u", "+%F"])
}

/// The last commit that changed any of these files, shortened: it holds what was measured wherever that was checked out.
pub(crate) fn commit_of(files: &[impl AsRef<str>]) -> anyhow::Result<String> {
    let arguments = ["log", "-1", "--format=%h", "--abbrev=9", "--"].into_iter();
    let arguments: Vec<&str> = arguments.chain(files.iter().map(AsRef::as_ref)).collect();
    line("git", &arguments)
}

/// Date, commit, whether what was measured is more than the commit, and machine, for a sentence.
pub(crate) fn described() -> anyhow::Result<String> {
    let changed = !output("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let changes = if changed { " with changes" } else { "" };
    Ok(format!(
        "on {}, commit {}{changes}, {}",
        today()?,
        line("git", &["rev-parse", "--short=12", "HEAD"])?,
        processor()
    ))
}

/// The compiler and its version.
pub(crate) fn compiler() -> anyhow::Result<String> {
    line("rustc", &["--version"])
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}")
}

fn line(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = output(program, arguments)?;
    let line = output.lines().next();
    Ok(line
        .with_context(|| format!("{program} said nothing"))?
        .to_owned())
}

fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = tools::command(program)?.args(arguments).output()?;
    ensure!(output.status.success(), "{program} {arguments:?} failed");
    Ok(String::from_utf8(output.stdout)?)
}
