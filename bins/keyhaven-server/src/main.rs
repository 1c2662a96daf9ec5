//! The `keyhaven` command: reads the configuration, puts the adapters together, serves.
//!
//! The only place that names every concrete adapter, asks the clock and the random source, and reads the environment.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod admin;
mod anchors;
mod audit;
mod checkpoints;
mod config;
#[cfg(feature = "crosscheck")]
mod crosscheck;
mod encryption;
mod inspect;
mod listen;
mod mailer;
mod mds;
mod pem;
mod ports;
mod say;
mod sealer;
mod secret;
mod serve;
mod signals;
mod stores;
mod telemetry;
mod verify;

use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};

use config::{Config, Flags};
use keyhaven_service::Clock as _;
use ports::SystemClock;
use say::note;

/// Answers are made of many small allocations: an allocator that is quick at those.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Passkey (WebAuthn/FIDO2) sign-in for your users.
///
/// Without a subcommand it serves. Without any configuration it serves http://localhost:8080 on an SQLite file in the
/// working directory, with a page to try it at /.
#[derive(Parser)]
#[command(name = "keyhaven", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API and the page (the default).
    Serve,
    /// Bring the database's schema up to date, then exit.
    Migrate,
    /// Copy the SQLite database into a new file, while servers are at work on it.
    Backup {
        /// The file to make. The secret key and keys of personal data are not in it: keep those too, elsewhere.
        file: PathBuf,
    },
    /// Look at the configuration without serving.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// What an operator does by hand.
    Admin {
        #[command(subcommand)]
        command: admin::Command,
    },
    /// Look after personal data.
    Privacy {
        #[command(subcommand)]
        command: encryption::Command,
    },
    /// Verify, export and prune the audit log.
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
    /// Judge WebAuthn responses offline: one JSON object per line in, one per line out.
    ///
    /// Needs no server, no store and no clock. Exit status 0 when every line was judged, 2 when one was no case at all.
    Verify {
        /// Print the steps that were performed, with the values compared.
        #[arg(long)]
        trace: bool,
    },
    /// Print every field of one response, attestation object or authenticator data (JSON, base64url or hex), decoded.
    Inspect {
        /// Print JSON rather than text.
        #[arg(long)]
        json: bool,
    },
    /// Look into FIDO metadata.
    Mds {
        #[command(subcommand)]
        command: MdsCommand,
    },
    /// Print the OpenAPI description.
    #[command(name = "openapi")]
    OpenApi,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check the configuration and the keys that it names, and print what is in force. Makes and changes nothing.
    Check,
}

#[derive(Subcommand)]
enum MdsCommand {
    /// Print a BLOB: its issue, its entries with their status, and what could not be read.
    ///
    /// With --root it is verified first; without, nothing of it is proven. Exit status 1 when it does not verify.
    Inspect(mds::Inspect),
}

impl Command {
    /// Whether it looks at its arguments and its input alone.
    const fn needs_no_server(&self) -> bool {
        matches!(
            self,
            Self::Verify { .. } | Self::Inspect { .. } | Self::Mds { .. } | Self::OpenApi
        )
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Who reads has enough, as `head` does: no more is said, as by a command that the signal ends.
    let unheard = ExitCode::from(128 + 13);
    match run(cli) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => unheard,
        Err(error) => match note!("keyhaven: {error:#}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => unheard,
            Ok(()) | Err(_) => ExitCode::from(2),
        },
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let kind = cause
            .downcast_ref::<io::Error>()
            .map(io::Error::kind)
            .or_else(|| cause.downcast_ref::<serde_json::Error>()?.io_error_kind());
        kind == Some(io::ErrorKind::BrokenPipe)
    })
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let command = cli.command.unwrap_or(Command::Serve);
    if command.needs_no_server() && cli.flags != Flags::default() {
        bail!("the flags of a server mean nothing to this command");
    }
    match command {
        Command::Serve => serve::run(&Config::load(&cli.flags)?).map(|()| ExitCode::SUCCESS),
        Command::Migrate => serve::migrate(&Config::load(&cli.flags)?).map(|()| ExitCode::SUCCESS),
        Command::Backup { file } => {
            serve::back_up(&Config::load(&cli.flags)?, &file).map(|()| ExitCode::SUCCESS)
        }
        Command::Config {
            command: ConfigCommand::Check,
        } => {
            let config = Config::load(&cli.flags)?;
            stores::check_keys(&config)?;
            write!(io::stdout().lock(), "{}", config.describe())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Admin { command } => command.run(&cli.flags),
        Command::Privacy { command } => command.run(&cli.flags),
        Command::Audit { command } => command.run(&cli.flags),
        Command::Verify { trace } => {
            // Standard output is flushed line by line: who writes a line may wait for its answer.
            verify::run(trace, BufReader::new(io::stdin().lock()), io::stdout().lock())
        }
        Command::Inspect { json } => {
            let mut output = BufWriter::new(io::stdout().lock());
            let code = inspect::run(json, io::stdin().lock(), &mut output)?;
            output.flush()?;
            Ok(code)
        }
        Command::Mds {
            command: MdsCommand::Inspect(inspect),
        } => {
            let mut output = BufWriter::new(io::stdout().lock());
            let code = inspect.run(SystemClock.now(), &mut output)?;
            output.flush()?;
            Ok(code)
        }
        Command::OpenApi => {
            writeln!(io::stdout().lock(), "{}", keyhaven_api::openapi_json())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
