//! How much other people's code the verifier brings along.

use std::collections::BTreeSet;

use anyhow::ensure;

use crate::tools;

/// What cargo is told for everything.
pub(crate) const ALL_FEATURES: &[&str] = &["--all-features"];

/// What cargo is told for what those get who say nothing.
pub(crate) const DEFAULT_FEATURES: &[&str] = &[];

/// What cargo is told for every algorithm, without ring.
pub(crate) const WITHOUT_RING: &[&str] = &["--no-default-features", "--features", "all-algorithms"];

/// A build of keyhaven-core, and how many crates it may be made of, itself included.
struct Build {
    name: &'static str,
    features: &'static [&'static str],
    limit: usize,
    /// Whether anything in it may compile C.
    c: bool,
}

const BUILDS: &[Build] = &[
    Build {
        name: "default features",
        features: DEFAULT_FEATURES,
        limit: 70,
        c: true,
    },
    Build {
        name: "all features",
        features: ALL_FEATURES,
        limit: 95,
        c: true,
    },
    Build {
        name: "every algorithm, without ring",
        features: WITHOUT_RING,
        limit: 95,
        c: false,
    },
];

/// Prints the number of crates of each build. `false`: one is over its limit, compiles C where none may be, or holds a
/// pre-release.
pub(crate) fn check() -> anyhow::Result<bool> {
    let mut fits = true;
    for build in BUILDS {
        let crates = crates(build.features)?;
        let compilers: Vec<&String> = crates
            .iter()
            .filter(|name| {
                ["bindgen ", "cc ", "cmake "]
                    .iter()
                    .any(|tool| name.starts_with(tool))
            })
            .collect();
        // `name v1.2.3-rc.1`; what follows a plus sign is no part of precedence.
        let unfinished: Vec<&String> = crates
            .iter()
            .filter(|name| {
                let version = name.split_whitespace().nth(1).unwrap_or_default();
                version.split('+').next().unwrap_or_default().contains('-')
            })
            .collect();
        println!(
            "{}: {} crates (at most {}){}",
            build.name,
            crates.len(),
            build.limit,
            if compilers.is_empty() { ", no C" } else { "" }
        );
        fits &= crates.len() <= build.limit && unfinished.is_empty() && (build.c || compilers.is_empty());
        for name in unfinished {
            println!("  a pre-release: {name}");
        }
        if !build.c {
            for name in compilers {
                println!("  compiles C: {name}");
            }
        }
    }
    Ok(fits)
}

/// Name and version of every crate that is built, build scripts and macros included.
fn crates(features: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let output = tools::command("cargo")?
        .args(["tree", "--locked", "--package", "keyhaven-core"])
        .args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(features)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some(format!("{} {}", words.next()?, words.next()?))
        })
        .collect())
}
