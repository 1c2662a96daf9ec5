//! `cargo xtask load`: builds the server and the load generator as they are shipped, and runs the latter.

use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::tools;

/// Runs the load generator with these arguments, on the release server.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<bool> {
    let status = match arguments {
        ["scale", options @ ..] => generator(Some("scale"), options)?.status()?,
        options => generator(None, options)?.status()?,
    };
    Ok(status.success())
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
