//! Evidence that takes hours to gather: kept in `docs/assurance.json`, told in `docs/assurance.md`.
//!
//! Each entry says what it was about: the date, the commit, and a digest of the content that was measured. What has
//! changed since is measured anew by the next run, and named by `cargo xtask assurance`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::page::with_part;
use crate::tools;

const DATA: &str = "docs/assurance.json";
const PAGE: &str = "docs/assurance.md";
const EXCLUSIONS: &str = ".cargo/mutants.toml";

/// Processor seconds that each fuzz target is to have since its last change.
const FUZZED_ENOUGH: u64 = 30 * 60;

/// Everything that is kept.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Evidence {
    /// Of keyhaven-core by its own tests; `None` where it was never measured.
    pub(crate) coverage: Option<Coverage>,
    /// By fuzz target.
    pub(crate) fuzz: BTreeMap<String, Fuzzed>,
    /// By source file.
    pub(crate) mutants: BTreeMap<String, Mutated>,
}

/// What of keyhaven-core its own tests run.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coverage {
    pub(crate) date: String,
    pub(crate) commit: String,
    /// Of keyhaven-core's sources.
    pub(crate) digest: String,
    /// By source file.
    pub(crate) files: BTreeMap<String, Covered>,
}

/// How many were run, and how many there are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Covered {
    pub(crate) lines: (u64, u64),
    pub(crate) regions: (u64, u64),
    /// Each outcome of each condition.
    pub(crate) branches: (u64, u64),
}

/// What fuzzing one target came to, added up over the runs of one content.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fuzzed {
    pub(crate) date: String,
    pub(crate) commit: String,
    /// Of everything the target runs.
    pub(crate) digest: String,
    pub(crate) executions: u64,
    pub(crate) seconds: u64,
}

/// What became of the mutants of one file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutated {
    pub(crate) date: String,
    pub(crate) commit: String,
    /// Of the file.
    pub(crate) digest: String,
    /// A test failed, or never ended.
    pub(crate) caught: u64,
    /// Every test passed: a test is missing.
    pub(crate) missed: Vec<String>,
    /// Did not compile.
    pub(crate) unviable: u64,
    /// Left out, for a reason in `.cargo/mutants.toml`.
    pub(crate) excluded: u64,
}

impl Evidence {
    pub(crate) fn read() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(tools::root()?.join(DATA)).context(DATA)?;
        serde_json::from_str(&text).context(DATA)
    }

    /// Writes the data, and the page's tables anew.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let root = tools::root()?;
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        std::fs::write(root.join(DATA), json)?;
        let page = std::fs::read_to_string(root.join(PAGE)).context(PAGE)?;
        std::fs::write(root.join(PAGE), self.filled_in(&page, &exclusions()?)?)?;
        Ok(())
    }

    /// `page` with each generated part replaced.
    fn filled_in(&self, page: &str, exclusions: &[Exclusion]) -> anyhow::Result<String> {
        let mut page = page.to_owned();
        for (name, content) in [
            ("mutants", self.mutants_table()?),
            ("exclusions", exclusions_table(exclusions)),
            ("fuzz", self.fuzz_table()),
            ("coverage", self.coverage_table()),
        ] {
            page = with_part(&page, name, &content).context(PAGE)?;
        }
        Ok(page)
    }

    fn mutants_table(&self) -> anyhow::Result<String> {
        let mut out = "| file | date | commit | content | caught | missed | unviable | excluded |\n\
            |---|---|---|---|---|---|---|---|\n"
            .to_owned();
        let mut sums = [0_u64; 4];
        for (file, run) in &self.mutants {
            let missed = count(run.missed.len());
            let _ = writeln!(
                out,
                "| `{file}` | {} | `{}` | `{}` | {} | {missed} | {} | {} |",
                run.date, run.commit, run.digest, run.caught, run.unviable, run.excluded
            );
            for (sum, n) in sums
                .iter_mut()
                .zip([run.caught, missed, run.unviable, run.excluded])
            {
                *sum = sum.saturating_add(n);
            }
        }
        let [caught, missed, unviable, excluded] = sums;
        let _ = writeln!(
            out,
            "| {} of {} | | | | {caught} | {missed} | {unviable} | {excluded} |",
            self.mutants.len(),
            core_sources()?.len()
        );
        Ok(out)
    }

    fn coverage_table(&self) -> String {
        let Some(coverage) = &self.coverage else {
            return "Never measured.\n".to_owned();
        };
        let mut out = format!(
            "Measured on {}, commit `{}`, content `{}`.\n\n| file | lines | regions | branches |\n|---|---|---|---|\n",
            coverage.date, coverage.commit, coverage.digest
        );
        let mut all = Covered::default();
        for (file, covered) in &coverage.files {
            all = all.and(*covered);
            let _ = writeln!(out, "| `{file}` | {covered} |");
        }
        let _ = writeln!(out, "| all {} | {all} |", coverage.files.len());
        out
    }

    fn fuzz_table(&self) -> String {
        let mut out =
            "| target | date | commit | content | executions | minutes |\n|---|---|---|---|---|---|\n"
                .to_owned();
        for (target, run) in &self.fuzz {
            let _ = writeln!(
                out,
                "| `{target}` | {} | `{}` | `{}` | {} | {} |",
                run.date,
                run.commit,
                run.digest,
                run.executions,
                run.seconds / 60
            );
        }
        out
    }
}

impl Covered {
    fn and(self, other: Self) -> Self {
        let sum = |a: (u64, u64), b: (u64, u64)| (a.0.saturating_add(b.0), a.1.saturating_add(b.1));
        Self {
            lines: sum(self.lines, other.lines),
            regions: sum(self.regions, other.regions),
            branches: sum(self.branches, other.branches),
        }
    }
}

/// Three cells of a table: per cent, and of how many.
impl std::fmt::Display for Covered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cell = |(run, all): (u64, u64)| match run.saturating_mul(1000).checked_div(all) {
            Some(tenths) => format!("{}.{} % of {all}", tenths / 10, tenths % 10),
            None => "–".to_owned(),
        };
        write!(
            f,
            "{} | {} | {}",
            cell(self.lines),
            cell(self.regions),
            cell(self.branches)
        )
    }
}

/// An expression that leaves mutants out, and why.
struct Exclusion {
    reason: String,
    expression: String,
}

/// The exclusions of `.cargo/mutants.toml`: a comment, and below it the expression.
fn exclusions() -> anyhow::Result<Vec<Exclusion>> {
    let text = std::fs::read_to_string(tools::root()?.join(EXCLUSIONS)).context(EXCLUSIONS)?;
    let (_, list) = text.split_once("exclude_re = [").context("exclude_re")?;
    let mut found = Vec::new();
    let mut reason = String::new();
    for line in list.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("# ") {
            comment.clone_into(&mut reason);
        } else if let Some(expression) = line.strip_prefix('\'') {
            ensure!(!reason.is_empty(), "{EXCLUSIONS}: no reason for {line}");
            found.push(Exclusion {
                reason: std::mem::take(&mut reason),
                expression: expression.trim_end_matches(['\'', ',']).to_owned(),
            });
        }
    }
    Ok(found)
}

fn exclusions_table(exclusions: &[Exclusion]) -> String {
    if exclusions.is_empty() {
        return "None.\n".to_owned();
    }
    let mut out = "| mutants left out | because |\n|---|---|\n".to_owned();
    for Exclusion { reason, expression } in exclusions {
        let _ = writeln!(out, "| `{}` | {reason} |", expression.replace('|', "\\|"));
    }
    out
}

/// Prints what is out of date or incomplete, and writes the page's tables anew.
pub(crate) fn refresh() -> anyhow::Result<bool> {
    let evidence = Evidence::read()?;
    evidence.write()?;
    for line in evidence.outdated()? {
        println!("{line}");
    }
    Ok(true)
}

/// Whether the page's tables are those of the data, and few enough mutants are left out.
pub(crate) fn check() -> anyhow::Result<bool> {
    let evidence = Evidence::read()?;
    let page = std::fs::read_to_string(tools::root()?.join(PAGE)).context(PAGE)?;
    let same = page == evidence.filled_in(&page, &exclusions()?)?;
    if !same {
        println!("{PAGE} is not what {DATA} says: cargo xtask assurance");
    }
    let all: u64 = evidence
        .mutants
        .values()
        .map(|run| {
            run.caught
                .saturating_add(run.excluded)
                .saturating_add(count(run.missed.len()))
        })
        .sum();
    let excluded: u64 = evidence.mutants.values().map(|run| run.excluded).sum();
    let few = excluded.saturating_mul(50) <= all;
    if !few {
        println!("{excluded} of {all} mutants are left out: more than 2 %");
    }
    for line in evidence.outdated()? {
        println!("{line}");
    }
    Ok(same && few)
}

impl Evidence {
    fn outdated(&self) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        for file in core_sources()? {
            match self.mutants.get(&file) {
                Some(run) if run.digest == digest_of(&[&file])? => {
                    for mutant in &run.missed {
                        lines.push(format!("no test notices: {mutant}"));
                    }
                }
                Some(run) => lines.push(format!(
                    "changed since its mutants of {} were tested: {file}",
                    run.date
                )),
                None => lines.push(format!("its mutants were never tested: {file}")),
            }
        }
        if let Some(coverage) = &self.coverage
            && coverage.digest != digest_of(&core_sources()?)?
        {
            lines.push(format!(
                "something changed since coverage was measured on {}",
                coverage.date
            ));
        }
        for target in fuzz_targets()? {
            match self.fuzz.get(&target) {
                Some(run) if run.digest != fuzzed_digest(&target)? => lines.push(format!(
                    "something changed since it was fuzzed on {}: {target}",
                    run.date
                )),
                Some(run) if run.seconds >= FUZZED_ENOUGH => {}
                run => lines.push(format!(
                    "fuzzed for {} of {} minutes: {target}",
                    run.map_or(0, |run| run.seconds / 60),
                    FUZZED_ENOUGH / 60
                )),
            }
        }
        Ok(lines)
    }
}

/// The source files of keyhaven-core that are not tests, from the repository's root.
pub(crate) fn core_sources() -> anyhow::Result<Vec<String>> {
    sources_in("crates/keyhaven-core/src")
}

fn sources_in(directory: &str) -> anyhow::Result<Vec<String>> {
    let root = tools::root()?;
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(directory)];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(root.join(&directory))? {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                if !path.ends_with("tests") {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                found.push(path.to_str().context("a path in UTF-8")?.to_owned());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The names of the fuzz targets, sorted.
pub(crate) fn fuzz_targets() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(tools::root()?.join("fuzz/fuzz_targets"))? {
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

/// Everything that a fuzz target runs: the verifier with its types, and what judges it.
pub(crate) fn fuzzed_sources(target: &str) -> anyhow::Result<Vec<String>> {
    const TYPES: &str = "crates/keyhaven-types/src";
    let mut files = match target {
        "base64url" => vec![format!("{TYPES}/base64url.rs")],
        _ => [core_sources()?, sources_in(TYPES)?].concat(),
    };
    if target == "mds_blob" {
        files.extend(sources_in("crates/keyhaven-mds/src")?);
    }
    files.extend(
        judges(target)
            .iter()
            .map(|module| format!("fuzz/src/{module}.rs")),
    );
    Ok(files)
}

/// The modules of `fuzz/src` that a target is made of.
fn judges(target: &str) -> &'static [&'static str] {
    match target {
        "assertion" | "registration" => &["targets/ceremonies", "targets/readers"],
        "assertion_json" | "registration_json" => &["targets/ceremonies", "targets/envelopes"],
        "certificate" | "statement" => &["targets/ceremonies", "targets/readers", "targets/statements"],
        "mds_blob" => &["mds"],
        "revocation_lists" => &["targets/revocation_lists"],
        "trust_path" => &["targets/trust_path"],
        _ => &["targets/parsers", "targets/readers"],
    }
}

pub(crate) fn fuzzed_digest(target: &str) -> anyhow::Result<String> {
    digest_of(&fuzzed_sources(target)?)
}

/// FNV-1a of the files' code, in hexadecimal: enough to notice a change.
pub(crate) fn digest_of(files: &[impl AsRef<Path>]) -> anyhow::Result<String> {
    let root = tools::root()?;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        let text =
            std::fs::read_to_string(root.join(file)).with_context(|| file.as_ref().display().to_string())?;
        for byte in code(&text).flat_map(str::bytes) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Ok(format!("{hash:016x}").chars().take(10).collect())
}

/// The lines that are more than a comment: what was tried is not changed by being explained better.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
        .filter(|line| !line.trim_start().starts_with("//"))
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_code() {
        let text = "//! a\nfn b() {\n    // c\n    d(); // e\n}\n";
        assert_eq!(code(text).collect::<String>(), "fn b() {\n    d(); // e\n}\n");
    }

    #[test]
    fn parts_are_replaced_where_they_are_marked() {
        let evidence = Evidence {
            fuzz: BTreeMap::from([(
                "cbor".to_owned(),
                Fuzzed {
                    date: "2026-01-01".to_owned(),
                    commit: "abc".to_owned(),
                    digest: "def".to_owned(),
                    executions: 12,
                    seconds: 125,
                },
            )]),
            coverage: Some(Coverage {
                date: "2026-01-01".to_owned(),
                commit: "abc".to_owned(),
                digest: "def".to_owned(),
                files: BTreeMap::from([
                    (
                        "a.rs".to_owned(),
                        Covered {
                            lines: (2, 3),
                            regions: (1, 1),
                            branches: (0, 0),
                        },
                    ),
                    (
                        "b.rs".to_owned(),
                        Covered {
                            lines: (1, 1),
                            regions: (0, 1),
                            branches: (1, 2),
                        },
                    ),
                ]),
            }),
            ..Evidence::default()
        };
        let part = |name: &str| format!("{name}\n<!-- {name} -->\nold\n<!-- /{name} -->\n");
        let page = ["mutants", "exclusions", "fuzz", "coverage"].map(part).concat();
        let filled = evidence.filled_in(&page, &[]).unwrap();
        assert!(!filled.contains("old"), "{filled}");
        assert!(filled.contains("| `cbor` | 2026-01-01 | `abc` | `def` | 12 | 2 |\n<!-- /fuzz -->\n"));
        assert!(
            filled.contains("| `a.rs` | 66.6 % of 3 | 100.0 % of 1 | – |\n"),
            "{filled}"
        );
        assert!(filled.contains("| all 2 | 75.0 % of 4 | 50.0 % of 2 | 50.0 % of 2 |\n<!-- /coverage -->\n"));
        assert!(filled.contains("None."));
        assert!(evidence.filled_in("nothing is marked", &[]).is_err());
    }
}
