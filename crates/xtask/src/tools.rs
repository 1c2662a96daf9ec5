//! What the tests need beside Rust: found, or installed where that is allowed.
#![expect(
    clippy::disallowed_methods,
    reason = "a build tool: the environment is its configuration"
)]

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use keyhaven_testkit::postgres::Postgres;
use keyhaven_testkit::redis::Redis;
use keyhaven_testkit::smtp::MailServer;

/// A command of cargo's that is pinned, and built into `target/tools` where it is missing.
pub(crate) struct CargoTool {
    /// The crate, and the binary.
    pub(crate) name: &'static str,
    /// The version; a later one of the same series will do when it is on the PATH already.
    pub(crate) version: (u32, u32, u32),
}

pub(crate) const CARGO_DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: (0, 20, 2),
};
pub(crate) const CARGO_FUZZ: CargoTool = CargoTool {
    name: "cargo-fuzz",
    version: (0, 13, 2),
};
pub(crate) const CARGO_MUTANTS: CargoTool = CargoTool {
    name: "cargo-mutants",
    version: (27, 1, 0),
};
pub(crate) const CARGO_NEXTEST: CargoTool = CargoTool {
    name: "cargo-nextest",
    version: (0, 9, 143),
};
pub(crate) const SQLX_CLI: CargoTool = CargoTool {
    name: "sqlx-cli",
    version: (0, 9, 0),
};

/// Whether the system's packages may be touched without being asked: on CI.
pub(crate) fn may_install() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// The repository's root.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest
        .ancestors()
        .nth(2)
        .context("crates/xtask lies in the repository")?
        .to_owned())
}

/// Where builds go.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    Ok(match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => root()?.join("target"),
    })
}

/// Starts one of cargo's commands in the repository's root, as a person would type it.
///
/// `cargo run` describes the package it runs in the environment. Build scripts watch these variables: handed on, they
/// would have dependencies built anew at each change between this command and plain cargo.
pub(crate) fn command(program: impl AsRef<OsStr>) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(root()?);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_this_package) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

fn describes_this_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || [
            "CARGO",
            "CARGO_BIN_NAME",
            "CARGO_CRATE_NAME",
            "CARGO_MANIFEST_DIR",
            "CARGO_MANIFEST_LINKS",
            "CARGO_MANIFEST_PATH",
            "CARGO_PRIMARY_PACKAGE",
        ]
        .contains(&name)
}

/// A command that runs a pinned tool of cargo's, built first where it is missing.
pub(crate) fn cargo_tool(tool: &CargoTool) -> anyhow::Result<PathBuf> {
    let binary = if tool.name == "sqlx-cli" {
        "cargo-sqlx"
    } else {
        tool.name
    };
    let built = target()?.join("tools/bin").join(binary);
    for candidate in [built.clone(), PathBuf::from(binary)] {
        if version_of(&candidate, binary).is_some_and(|version| fits(version, tool.version)) {
            return Ok(candidate);
        }
    }
    let (major, minor, patch) = tool.version;
    let version = format!("{major}.{minor}.{patch}");
    println!("building {} {version} into target/tools", tool.name);
    let mut install = command("cargo")?;
    install
        .args(["install", "--locked", "--version", &version, tool.name, "--root"])
        .arg(target()?.join("tools"))
        .arg("--target-dir")
        .arg(target()?.join("tools/build"))
        // Built once, run for seconds: quick to build matters more than quick to run.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    if tool.name == "sqlx-cli" {
        install.args(["--no-default-features", "--features", "sqlite,sqlx-toml"]);
    }
    ensure!(
        install.status()?.success(),
        "{} {version} could not be built",
        tool.name
    );
    Ok(built)
}

fn version_of(path: &Path, binary: &str) -> Option<(u32, u32, u32)> {
    let subcommand = binary.strip_prefix("cargo-")?;
    let output = Command::new(path)
        .args([subcommand, "--version"])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text
        .split_whitespace()
        .nth(1)?
        .split('.')
        .map(|number| number.parse::<u32>().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

/// The same series, at least as new.
fn fits(found: (u32, u32, u32), wanted: (u32, u32, u32)) -> bool {
    found.0 == wanted.0 && found.1 == wanted.1 && found.2 >= wanted.2
}

/// Chromium, for the browser tests: by `KEYHAVEN_CHROMIUM`, on the PATH, or installed.
pub(crate) fn chromium(install: bool) -> anyhow::Result<PathBuf> {
    let find = || {
        let named = std::env::var_os("KEYHAVEN_CHROMIUM").map(PathBuf::from);
        named
            .filter(|path| path.is_file())
            .into_iter()
            .chain(
                ["chromium", "chromium-browser", "google-chrome"]
                    .into_iter()
                    .filter_map(on_path),
            )
            .next()
    };
    if let Some(found) = find() {
        return Ok(found);
    }
    apt(&["chromium"], install)?;
    find().context("chromium was installed but is not on the PATH")
}

/// The PATH with `directory` in front.
pub(crate) fn path_with(directory: &Path) -> anyhow::Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(
        [directory.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&path)),
    )?)
}

/// A PostgreSQL server for the run, its programs installed where they are missing and that is allowed.
pub(crate) fn postgres(install: bool) -> anyhow::Result<Postgres> {
    if !Postgres::is_installed() {
        apt(&["postgresql"], install)?;
    }
    Postgres::start().map_err(anyhow::Error::msg)
}

/// A Redis server for the run, its program installed where it is missing and that is allowed.
pub(crate) fn redis(install: bool) -> anyhow::Result<Redis> {
    if !Redis::is_installed() {
        apt(&["redis-server"], install)?;
    }
    Redis::start().map_err(anyhow::Error::msg)
}

/// The library that shows a process another time, installed where it is missing and that is allowed.
pub(crate) fn faketime(install: bool) -> anyhow::Result<()> {
    if on_path("faketime").is_none() {
        apt(&["faketime"], install)?;
    }
    Ok(())
}

/// The mail server that mails are sent to, installed where it is missing and that is allowed.
pub(crate) fn smtp(install: bool) -> anyhow::Result<()> {
    if !MailServer::is_installed() {
        apt(&["python3-aiosmtpd"], install)?;
    }
    Ok(())
}

/// A C++ compiler, which libFuzzer is built with, installed where it is missing and that is allowed.
pub(crate) fn cxx(install: bool) -> anyhow::Result<()> {
    if std::env::var_os("CXX").is_none() && on_path("c++").is_none() {
        apt(&["g++"], install)?;
    }
    Ok(())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// Installs packages where that is allowed; else says how.
fn apt(packages: &[&str], install: bool) -> anyhow::Result<()> {
    let get = [
        "-o",
        "DPkg::Lock::Timeout=300",
        "install",
        "-y",
        "--no-install-recommends",
    ];
    let line = format!("apt-get {} {}", get.join(" "), packages.join(" "));
    if !install {
        bail!(
            "missing: {}. As root: apt-get update && {line}\n(or let this command do it: --install)",
            packages.join(", ")
        );
    }
    for arguments in [
        &["-o", "DPkg::Lock::Timeout=300", "update"][..],
        &[&get[..], packages].concat(),
    ] {
        let status = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status();
        ensure!(status.context("apt-get")?.success(), "this failed: {line}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_cargo_are_handed_on_and_the_package_is_not() {
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_VERSION_MAJOR", "CARGO"] {
            assert!(describes_this_package(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "RUSTFLAGS"] {
            assert!(!describes_this_package(name), "{name}");
        }
    }

    #[test]
    fn a_later_version_of_the_series_will_do() {
        assert!(fits((0, 9, 150), (0, 9, 143)));
        assert!(!fits((0, 9, 142), (0, 9, 143)));
        assert!(!fits((0, 10, 0), (0, 9, 143)));
        assert!(!fits((1, 9, 143), (0, 9, 143)));
    }
}
