//! The repository's own commands.
//!
//! `cargo xtask test` is the one a newcomer needs: it runs every gate and every test, and ends with one line,
//! `N passed, N failed`.

mod assurance;
mod bench;
mod failures;
mod figures;
mod fuzz;
mod gates;
mod mutants;
mod summary;
mod tools;
mod tree;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  test [--install]   run every gate and every test; ends with `N passed, N failed`.
                     --install (or CI=true) lets it install what is missing with apt-get; without it the exact line
                     is printed instead. Found by PATH or by variable: KEYHAVEN_CHROMIUM, KEYHAVEN_POSTGRES_BIN.
  bench [--instructions]
                     time verification beside ring and webauthn-rs-core, count allocations, and with --instructions
                     what valgrind counts; writes docs/performance.md
  advisories         check the dependencies against the RustSec database (needs a network)
  assurance          write the tables of docs/assurance.md anew, and say what has changed since it was measured
  failures [--times N]
                     run the failure tests N times in a row (once), and say what was counted (docs/reliability.md)
  figures            measure the binary: size, time to start, memory when idle
  fuzz [--target T] [--minutes M]
                     fuzz each target for M minutes (10), and record it; needs a nightly toolchain
  fuzz --smoke       a few seconds for each target; nothing is recorded
  fuzz --seeds       write the seed corpus anew
  mutants [--file F]… [--shard i/n] [--resume]
                     test the mutants of keyhaven-core (of the files whose path contains F; of every n-th file from
                     the i-th, counted from 0; only of what has changed or was missed), and record them by file
  openapi            write docs/openapi.json anew
  sqlx-prepare       write the committed query metadata of the SQL adapters anew
  tree               count the crates keyhaven-core is made of
  help               this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["test"] => gates::test(tools::may_install()),
        ["test", "--install"] => gates::test(true),
        ["bench"] => bench::run(false),
        ["bench", "--instructions"] => bench::run(true),
        ["advisories"] => gates::advisories(),
        ["assurance"] => assurance::refresh(),
        ["failures"] => failures::run(1),
        ["failures", "--times", times] => times.parse().map_err(anyhow::Error::from).and_then(failures::run),
        ["fuzz", options @ ..] => fuzz_options(options),
        ["mutants", options @ ..] => mutants_options(options),
        ["tree"] => tree::check(),
        ["figures"] => figures::measure(),
        ["openapi"] => gates::openapi(),
        ["sqlx-prepare"] => gates::sqlx_prepare(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn mutants_options(mut options: &[&str]) -> anyhow::Result<bool> {
    let mut selection = mutants::Selection {
        files: Vec::new(),
        shard: None,
        resume: false,
    };
    loop {
        options = match options {
            ["--file", file, rest @ ..] => {
                selection.files.push(file);
                rest
            }
            ["--shard", shard, rest @ ..] => {
                selection.shard = Some(mutants::shard(shard)?);
                rest
            }
            ["--resume", rest @ ..] => {
                selection.resume = true;
                rest
            }
            [] => return mutants::test(&selection),
            [other, ..] => anyhow::bail!("mutants: what is {other}?"),
        };
    }
}

fn fuzz_options(mut options: &[&str]) -> anyhow::Result<bool> {
    let (mut target, mut minutes) = (None, 10);
    loop {
        options = match options {
            ["--smoke"] => return fuzz::smoke().map(|count| count.failed == 0),
            ["--seeds"] => return fuzz::seeds(),
            ["--target", name, rest @ ..] => {
                target = Some(*name);
                rest
            }
            ["--minutes", number, rest @ ..] => {
                minutes = number.parse()?;
                rest
            }
            [] => return fuzz::run(target, minutes),
            [other, ..] => anyhow::bail!("fuzz: what is {other}?"),
        };
    }
}
