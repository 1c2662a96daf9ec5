//! The repository's own commands.
//!
//! `cargo xtask test` is the one a newcomer needs: it runs every gate and every test, and ends with one line,
//! `N passed, N failed`.

mod assurance;
mod bench;
mod circumstances;
mod coverage;
mod failures;
mod figures;
mod fuzz;
mod gates;
mod load;
mod mutants;
mod page;
mod summary;
mod timing;
mod tools;
mod tree;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  test [--install]   run every gate and every test; ends with `N passed, N failed`.
                     --install (or CI=true) lets it install what is missing with apt-get; without it the exact line
                     is printed instead. Found by PATH or by variable: KEYHAVEN_CHROMIUM, KEYHAVEN_POSTGRES_BIN,
                     KEYHAVEN_REDIS_SERVER.
  bench [--no-instructions]
                     time verification beside ring and webauthn-rs-core, count allocations, and instructions where there
                     is valgrind; writes docs/performance.md
  advisories         check the dependencies against the RustSec database (needs a network)
  assurance          write the tables of docs/assurance.md anew, and say what has changed since it was measured
  coverage           measure which lines, regions and branches of keyhaven-core its own tests run, record it, and print
                     the lines that none runs; needs the component llvm-tools
  failures [--times N]
                     run the failure tests N times in a row (once), and say what was counted (docs/reliability.md)
  figures            measure the binary: size, time to start, memory when idle
  fuzz [--target T] [--minutes M] [--resume]
                     fuzz each target for M processor minutes (10; with --resume less what is recorded already), one
                     after the other with the least priority, and record it every five minutes: it may be interrupted
                     at any time, and run in the background
  fuzz --smoke       a few seconds for each target; nothing is recorded
  fuzz --seeds       write the seed corpus anew
  load [--stores S] [--url U] [--by name|passkey] [--connections N] [--rate R] [--seconds T] [--rows N]
                     sign in, over and over, on a release server that is started for it (or runs on this machine);
                     load --help tells more
  load scale [--rows N]
                     compare latency at ten million stored credentials with that at ten thousand: 10 GB, 15 minutes
  mutants [--file F]… [--shard i/n] [--resume]
                     test the mutants of keyhaven-core (of the files whose path contains F; of every n-th file from
                     the i-th, counted from 0; only of what has changed or was missed), and record them by file
  openapi            write docs/openapi.json anew
  sqlx-prepare       write the committed query metadata of the SQL adapters anew
  timing [CASE]      compare the time of answers about somebody and about nobody: 500 pairs, three times, for each case
                     (those with this in their name)
  tree               count the crates keyhaven-core is made of
  help               this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["test"] => gates::test(tools::may_install()),
        ["test", "--install"] => gates::test(true),
        ["bench"] => bench::run(true),
        ["bench", "--no-instructions"] => bench::run(false),
        ["advisories"] => gates::advisories(),
        ["assurance"] => assurance::refresh(),
        ["coverage"] => coverage::measure(),
        ["failures"] => failures::run(1),
        ["failures", "--times", times] => times.parse().map_err(anyhow::Error::from).and_then(failures::run),
        ["fuzz", options @ ..] => fuzz_options(options),
        ["load", options @ ..] => load::run(options),
        ["mutants", options @ ..] => mutants_options(options),
        ["timing"] => timing::compare(None),
        ["timing", case] => timing::compare(Some(case)),
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
    let mut selection = fuzz::Selection {
        target: None,
        minutes: 10,
        resume: false,
    };
    loop {
        options = match options {
            ["--smoke"] => return fuzz::smoke().map(|count| count.failed == 0),
            ["--seeds"] => return fuzz::seeds(),
            ["--target", name, rest @ ..] => {
                selection.target = Some(*name);
                rest
            }
            ["--minutes", number, rest @ ..] => {
                selection.minutes = number.parse()?;
                rest
            }
            ["--resume", rest @ ..] => {
                selection.resume = true;
                rest
            }
            [] => return fuzz::run(&selection),
            [other, ..] => anyhow::bail!("fuzz: what is {other}?"),
        };
    }
}
