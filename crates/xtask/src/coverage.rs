//! Coverage of keyhaven-core by its own tests, with what rustc brings: `instrument-coverage` and the component llvm-tools.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::assurance::{self, Coverage, Covered, Evidence};
use crate::{circumstances, tools};

/// Measures, records, and prints what no test runs. Without llvm-tools nothing is measured, and a line says so.
pub(crate) fn measure() -> anyhow::Result<bool> {
    let Some(tools) = LlvmTools::find()? else {
        println!("no llvm-tools (rustup component add llvm-tools): not measured");
        return Ok(true);
    };
    let directory = tools::target()?.join("coverage");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory)?;
    let digest = assurance::digest_of(&assurance::core_sources()?)?;
    let (date, commit) = (
        circumstances::today()?,
        circumstances::commit_of(&assurance::core_sources()?)?,
    );

    let wrapper = directory.join("instrumented");
    std::fs::write(&wrapper, WRAPPER)?;
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;
    let cargo_test = |arguments: &[&str]| -> anyhow::Result<_> {
        let mut command = tools::command("cargo")?;
        command
            .args(["test", "--locked", "--package", "keyhaven-core", "--all-features"])
            .args(["--lib", "--tests"])
            .args(arguments)
            .env("RUSTC_WORKSPACE_WRAPPER", &wrapper)
            .env("LLVM_PROFILE_FILE", directory.join("%p-%m.profraw"))
            .stdin(Stdio::null());
        Ok(command)
    };
    let built = cargo_test(&["--no-run", "--message-format", "json"])?
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(built.status.success(), "the instrumented tests do not build");
    let binaries = executables(&String::from_utf8(built.stdout)?);
    let passed = cargo_test(&["--quiet"])?.status()?.success();
    ensure!(passed, "the tests fail: nothing is recorded");

    let profile = tools.merge(&directory)?;
    let mut files = BTreeMap::new();
    let mut not_run = Vec::new();
    let read = Read::of(&tools.export(&profile, &binaries)?)?;
    for file in assurance::core_sources()? {
        let source = std::fs::read_to_string(tools::root()?.join(&file))?;
        let counts = read.files.get(&file).cloned().unwrap_or_default();
        let (covered, lines) = counts.before(first_test_line(&source));
        if covered.lines.1 > 0 {
            files.insert(file.clone(), covered);
        }
        not_run.extend(lines.into_iter().map(|line| {
            let text = source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            format!("{file}:{line}: {}", text.trim())
        }));
    }
    for line in not_run {
        println!("{line}");
    }
    let mut evidence = Evidence::read()?;
    evidence.coverage = Some(Coverage {
        date,
        commit,
        digest,
        files,
    });
    evidence.write()?;
    Ok(true)
}

/// In place of rustc, for the workspace's own crates: dependencies stay as they are, and are not built anew. Branches are
/// counted by an option that stable compilers keep behind a variable; what is built here is only counted.
const WRAPPER: &str =
    "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec \"$@\" -C instrument-coverage -Z coverage-options=branch\n";

struct LlvmTools {
    profdata: PathBuf,
    cov: PathBuf,
}

impl LlvmTools {
    /// The component of the repository's toolchain.
    fn find() -> anyhow::Result<Option<Self>> {
        let output = tools::command("rustc")?
            .args(["--print", "target-libdir"])
            .output()?;
        let libraries = PathBuf::from(String::from_utf8(output.stdout)?.trim());
        let directory = libraries.parent().context("the toolchain")?.join("bin");
        let tools = Self {
            profdata: directory.join("llvm-profdata"),
            cov: directory.join("llvm-cov"),
        };
        Ok((tools.profdata.is_file() && tools.cov.is_file()).then_some(tools))
    }

    /// All that the processes wrote, in one.
    fn merge(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        let merged = directory.join("merged.profdata");
        let mut command = tools::command(&self.profdata)?;
        command.args(["merge", "--sparse", "-o"]).arg(&merged);
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "profraw") {
                command.arg(path);
            }
        }
        ensure!(command.status()?.success(), "llvm-profdata failed");
        Ok(merged)
    }

    fn export(&self, profile: &Path, binaries: &[PathBuf]) -> anyhow::Result<String> {
        let mut command = tools::command(&self.cov)?;
        let (first, others) = binaries.split_first().context("no test binary")?;
        command
            .args(["export", "--instr-profile"])
            .arg(profile)
            .arg(first);
        for binary in others {
            command.arg("--object").arg(binary);
        }
        command
            .arg("--sources")
            .arg(tools::root()?.join("crates/keyhaven-core/src"));
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "llvm-cov failed");
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The test binaries in what cargo says of a build.
fn executables(messages: &str) -> Vec<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
    }
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable)
        .collect()
}

/// llvm-cov's export, as far as it is read.
#[derive(Deserialize)]
struct Export {
    data: Vec<ExportedData>,
}

#[derive(Deserialize)]
struct ExportedData {
    functions: Vec<ExportedFunction>,
}

#[derive(Deserialize)]
struct ExportedFunction {
    filenames: Vec<String>,
    /// First line and column, last line and column, count, file, expanded file, kind.
    regions: Vec<[u64; 8]>,
    /// The same with a count for each outcome: first line and column, last line and column, true, false, file, expanded
    /// file, kind.
    #[serde(default)]
    branches: Vec<[u64; 9]>,
}

/// A stretch of source: first line and column, last line and column.
type Span = [u64; 4];

/// How often each part of a file was run, by all functions that were made of it together.
#[derive(Clone, Default)]
struct Counts {
    regions: BTreeMap<Span, u64>,
    branches: BTreeMap<Span, (u64, u64)>,
}

struct Read {
    /// By path from the repository's root.
    files: BTreeMap<String, Counts>,
}

impl Read {
    fn of(json: &str) -> anyhow::Result<Self> {
        /// Neither a gap nor what was expanded or skipped.
        const CODE: u64 = 0;
        let export: Export = serde_json::from_str(json).context("llvm-cov's export")?;
        let root = tools::root()?;
        let mut files: BTreeMap<String, Counts> = BTreeMap::new();
        for function in export.data.iter().flat_map(|data| &data.functions) {
            let named = |file: u64| {
                let path = function.filenames.get(usize::try_from(file).ok()?)?;
                let path = Path::new(path).strip_prefix(&root).ok()?;
                Some(path.to_str()?.to_owned())
            };
            for &[a, b, c, d, count, file, _, kind] in &function.regions {
                if kind == CODE
                    && let Some(name) = named(file)
                {
                    let of_region = files
                        .entry(name)
                        .or_default()
                        .regions
                        .entry([a, b, c, d])
                        .or_default();
                    *of_region = of_region.saturating_add(count);
                }
            }
            for &[a, b, c, d, yes, no, file, _, _] in &function.branches {
                if let Some(name) = named(file) {
                    let of_branch = files
                        .entry(name)
                        .or_default()
                        .branches
                        .entry([a, b, c, d])
                        .or_default();
                    *of_branch = (of_branch.0.saturating_add(yes), of_branch.1.saturating_add(no));
                }
            }
        }
        Ok(Self { files })
    }
}

impl Counts {
    /// What there is in lines before `end`, and the lines in which something was not run.
    fn before(&self, end: u64) -> (Covered, BTreeSet<usize>) {
        let mut covered = Covered::default();
        // Of the regions that a line lies in the innermost tells, which is the one that begins last.
        let mut lines: BTreeMap<u64, (Span, u64)> = BTreeMap::new();
        for (&span, &count) in self.regions.iter().filter(|(span, _)| span[0] < end) {
            add(&mut covered.regions, count > 0);
            for line in span[0]..=span[2] {
                lines.insert(line, (span, count));
            }
        }
        for (&_, &(yes, no)) in self.branches.iter().filter(|(span, _)| span[0] < end) {
            add(&mut covered.branches, yes > 0);
            add(&mut covered.branches, no > 0);
        }
        let mut not_run = BTreeSet::new();
        for (line, (_, count)) in lines {
            add(&mut covered.lines, count > 0);
            if count == 0 {
                not_run.extend(usize::try_from(line));
            }
        }
        (covered, not_run)
    }
}

fn add((run, all): &mut (u64, u64), is_run: bool) {
    *run = run.saturating_add(u64::from(is_run));
    *all = all.saturating_add(1);
}

/// Where the tests of a file begin: at its end, behind this attribute.
fn first_test_line(source: &str) -> u64 {
    source
        .lines()
        .zip(1_u64..)
        .zip(source.lines().skip(1))
        .find(|((line, _), next)| *line == "#[cfg(test)]" && next.starts_with("mod tests"))
        .map_or(u64::MAX, |((_, number), _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nested_regions_the_innermost_tells_of_a_line() {
        let counts = Counts {
            regions: BTreeMap::from([
                ([1, 1, 5, 2], 7),
                ([2, 9, 4, 6], 0),
                ([3, 1, 3, 9], 1),
                ([9, 1, 9, 9], 0),
            ]),
            branches: BTreeMap::from([([2, 4, 2, 8], (7, 0))]),
        };
        let (covered, not_run) = counts.before(9);
        assert_eq!(covered.regions, (2, 3));
        assert_eq!(covered.branches, (1, 2));
        assert_eq!(covered.lines, (3, 5));
        assert_eq!(not_run, BTreeSet::from([2, 4]));
    }

    #[test]
    fn tests_stand_at_the_end() {
        assert_eq!(
            first_test_line("a\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod tests {\n}\n"),
            4
        );
        assert_eq!(first_test_line("a\n#[cfg(test)]\n"), u64::MAX);
    }
}
