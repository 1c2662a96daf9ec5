//! The repository's own commands.
//!
//! `cargo xtask test` is the one a newcomer needs: it runs every gate and every test, and ends with one line,
//! `N passed, N failed`.

mod bench;
mod figures;
mod gates;
mod summary;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  test [--install]   run every gate and every test; ends with `N passed, N failed`.
                     --install (or CI=true) lets it install what is missing with apt-get; without it the exact line
                     is printed instead. Found by PATH or by variable: KEYHAVEN_CHROMIUM.
  bench [--instructions]
                     time verification beside ring and webauthn-rs-core, count allocations, and with --instructions
                     what valgrind counts; writes docs/performance.md
  advisories         check the dependencies against the RustSec database (needs a network)
  figures            measure the binary: size, time to start, memory when idle
  openapi            write docs/openapi.json anew
  sqlx-prepare       write the committed query metadata of the SQL adapters anew
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
