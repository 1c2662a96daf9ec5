//! `cargo xtask load`: builds the server and the load generator as they are shipped, and runs the latter.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::gates::shown;
use crate::page::{PERFORMANCE, SCALE, with_part};
use crate::{circumstances, tools};

/// Runs the load generator with these arguments, on the release server.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<bool> {
    match arguments {
        ["scale"] => scale(),
        options => Ok(shipped(options)?.status()?.success()),
    }
}

/// The whole comparison of few rows and many, which goes into the page.
fn scale() -> anyhow::Result<bool> {
    let (met, output) = shown(&mut shipped(&["scale"])?)?;
    // Without what servers say.
    let figures = output
        .lines()
        .filter(|line| line.contains(" people") || line.starts_with("median"));
    let figures: String = figures.map(|line| format!("{line}\n")).collect();
    ensure!(
        figures.matches("median latency").count() == 2,
        "it was not measured"
    );
    let path = tools::root()?.join(PERFORMANCE);
    let page = std::fs::read_to_string(&path).context(PERFORMANCE)?;
    let content = format!(
        "Measured {}:\n\n```text\n{figures}```\n",
        circumstances::described()?
    );
    std::fs::write(&path, with_part(&page, SCALE, &content)?).context(PERFORMANCE)?;
    Ok(met)
}

/// The section of `docs/performance.md` on logins, and whether its goals are met.
pub(crate) fn bench() -> anyhow::Result<(String, bool)> {
    let output = shipped(&["bench"])?.stderr(Stdio::inherit()).output()?;
    let section = String::from_utf8(output.stdout)?;
    // 0: the goals are met. 1: they are not. Anything else: it was not measured.
    ensure!(
        matches!(output.status.code(), Some(0 | 1)),
        "the bench of logins failed"
    );
    Ok((section, output.status.success()))
}

/// A second of logins by both ways in, on every kind of store, of the programs that the tests have built. `false`: some
/// failed.
pub(crate) fn smoke() -> anyhow::Result<bool> {
    build(&["--workspace", "--all-features", "--bins"])?;
    let mut fine = true;
    for stores in ["memory", "redis+memory", "redis+postgres", "sqlite"] {
        let options = [
            "--stores",
            stores,
            "--seconds",
            "1",
            "--connections",
            "4",
            "--rows",
            "3000",
        ];
        fine &= generator("debug", &options)?.status()?.success();
    }
    Ok(fine)
}

/// The load generator on the server, both as they are shipped.
fn shipped(arguments: &[&str]) -> anyhow::Result<Command> {
    // One by one: together their dependencies would get features that the server as it is shipped does not have.
    for package in ["keyhaven-server", "keyhaven-load"] {
        build(&["--release", "--package", package])?;
    }
    generator("release", arguments)
}

fn build(what: &[&str]) -> anyhow::Result<()> {
    let built = tools::command("cargo")?
        .args(["build", "--quiet", "--locked"])
        .args(what)
        .status()?;
    ensure!(built.success(), "cargo build {} failed", what.join(" "));
    Ok(())
}

/// The load generator on the server beside it, both as built before.
fn generator(profile: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let binaries = std::path::absolute(tools::target()?.join(profile))?;
    let mut generator = tools::command(binaries.join("keyhaven-load"))?;
    generator
        .args(arguments)
        .arg("--binary")
        .arg(binaries.join("keyhaven"));
    Ok(generator)
}
