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
