//! What an operator does by hand.

mod import_passwords;

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Flags;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take accounts over whose passwords another system hashed (bcrypt, Argon2): JSON, one account a line.
    ///
    /// Each line is {"username", "passwordHash", "displayName"?, "email"?}; it is taken over whole or not at all, and what
    /// is wrong with it is said. Exit status 0 when all were taken over, 1 when some were not.
    ImportPasswords(import_passwords::ImportPasswords),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// When it could not be done at all.
    pub(crate) fn run(&self, flags: &Flags) -> anyhow::Result<ExitCode> {
        match self {
            Self::ImportPasswords(import) => import.run(flags),
        }
    }
}
