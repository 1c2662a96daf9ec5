//! Signs in, over and over, on a Keyhaven server of this machine: `cargo xtask load`.
//!
//! Credentials are pre-registered and their signatures real; what a signature costs the signer is paid before
//! ([`signer`]), so that the driver leaves the machine to those it measures. Every run is bounded, in time or in number.
//! Absent on purpose: any way to load a server elsewhere.

#![expect(
    clippy::indexing_slicing,
    reason = "a driver that stops at a surprise is right; and of JSON, an index that is not there is null"
)]

mod bench;
mod client;
mod cpu;
mod drive;
mod echo;
mod operations;
mod parts;
mod people;
mod raw;
mod report;
mod run;
mod scale;
mod seed;
mod signer;
mod site;
mod statements;
mod trips;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Drives logins against a server on this machine, and says what they cost.
#[derive(Parser)]
#[command(name = "cargo xtask load", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Compare logins with the sum of their parts, and store operations with the bare statement.
    Bench(bench::Options),
    /// One part of a login, as the bench starts it.
    #[command(hide = true)]
    Part {
        #[command(subcommand)]
        part: parts::Part,
    },
    /// Compare the latency at many stored credentials with that at ten thousand (PostgreSQL).
    Scale(scale::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut runtime = match &cli.command {
        // As a server has it that asks for nothing else.
        Some(Command::Part {
            part: parts::Part::Echo { .. },
        }) => tokio::runtime::Builder::new_multi_thread(),
        // One thread, so that the other processors are the servers'.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match &cli.command {
                None => run::run(&cli.run).await,
                Some(Command::Bench(options)) => bench::run(options).await,
                Some(Command::Part { part }) => part.run().await,
                Some(Command::Scale(options)) => scale::run(options).await,
            }
        })
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::from(2)
        }
    }
}
