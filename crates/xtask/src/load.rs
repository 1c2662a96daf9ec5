//! `cargo xtask load`: builds the server and the load generator as they are shipped, and runs the latter.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::bench::{PAGE, SCALE, circumstances};
use crate::gates::shown;
use crate::page::with_part;
use crate::tools;

/// Runs the load generator with these arguments, on the release server.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<bool> {
    match arguments {
        ["scale"] => scale(),
        ["scale", options @ ..] => Ok(generator(Some("scale"), options)?.status()?.success()),
        options => Ok(generator(None, options)?.status()?.success()),
    }
}

/// The whole comparison of few rows and many, which goes into the page.
fn scale() -> anyhow::Result<bool> {
    let (met, output) = shown(&mut generator(Some("scale"), &[])?)?;
    // Without what servers say.
    let figures = output
        .lines()
        .filter(|line| line.contains(" people") || line.starts_with("median"));
    let figures: String = figures.map(|line| format!("{line}\n")).collect();
    ensure!(
        figures.matches("median latency").count() == 2,
        "it was not measured"
    );
    let path = tools::root()?.join(PAGE);
    let page = std::fs::read_to_string(&path).context(PAGE)?;
    let content = format!("Measured {}:\n\n```text\n{figures}```\n", circumstances()?);
    std::fs::write(&path, with_part(&page, SCALE, &content)?).context(PAGE)?;
    Ok(met)
}

/// The section of `docs/performance.md` on logins, and whether its goals are met.
pub(crate) fn bench() -> anyhow::Result<(String, bool)> {
    let output = generator(Some("bench"), &[])?.stderr(Stdio::inherit()).output()?;
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
    let built = tools::command("cargo")?
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--all-features",
            "--locked",
            "--bins",
        ])
        .status()?;
    ensure!(built.success(), "the build of the binaries failed");
    let binaries = std::path::absolute(tools::target()?.join("debug"))?;
    let mut fine = true;
    for stores in ["memory", "redis+memory", "redis+postgres", "sqlite"] {
        fine &= tools::command(binaries.join("keyhaven-load"))?
            .arg("--binary")
            .arg(binaries.join("keyhaven"))
            .args([
                "--stores",
                stores,
                "--seconds",
                "1",
                "--connections",
                "4",
                "--rows",
                "3000",
            ])
            .status()?
            .success();
    }
    Ok(fine)
}

fn generator(command: Option<&str>, options: &[&str]) -> anyhow::Result<Command> {
    // One by one: together their dependencies would get features that the server as it is shipped does not have.
    for package in ["keyhaven-server", "keyhaven-load"] {
        let built = tools::command("cargo")?
            .args(["build", "--quiet", "--release", "--locked", "--package", package])
            .status()?;
        ensure!(built.success(), "the release build of {package} failed");
    }
    let binaries = std::path::absolute(tools::target()?.join("release"))?;
    let mut generator = tools::command(binaries.join("keyhaven-load"))?;
    generator
        .args(command)
        .arg("--binary")
        .arg(binaries.join("keyhaven"))
        .args(options);
    Ok(generator)
}
