//! What an operator does by hand.

mod accounts;
mod import_passwords;

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use clap::Subcommand;
use keyhaven_service::{Client, DeviceMarks, Error, Keyhaven};
use keyhaven_types::base64url;

use crate::config::Flags;

/// `USER` is a username, an e-mail address that the account has proven, or the account's id.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an account the first administrator; refused where there is one.
    ///
    /// The account registers as everybody does, with a passkey; then this gives it the role, and ends its sessions.
    CreateFirst {
        /// Whose account: a username, a proven e-mail address, or an id.
        user: String,
    },
    /// Make one more account an administrator; its sessions end.
    Grant {
        /// Whose account: a username, a proven e-mail address, or an id.
        user: String,
    },
    /// Make an administrator a user again; the sessions end.
    Revoke {
        /// Whose account: a username, a proven e-mail address, or an id.
        user: String,
    },
    /// List accounts, newest first, or look for some. Exit status 1 where there is none.
    Users(accounts::Users),
    /// Lock an account: nobody signs in to it, and all its sessions end. Not the last administrator's.
    Lock {
        /// Whose account: a username, a proven e-mail address, or an id.
        user: String,
        /// Why, 1 to 256 characters; administrators see it.
        #[arg(long)]
        reason: String,
    },
    /// Let an account sign in again.
    Unlock {
        /// Whose account: a username, a proven e-mail address, or an id.
        user: String,
    },
    /// End all sessions of an account.
    SignOut {
        /// Whose account: a username, a proven e-mail address, or an id.
        user: String,
    },
    /// Remove a passkey of an account; the sessions that it opened end.
    RevokePasskey {
        /// Whose account: a username, a proven e-mail address, or an id.
        user: String,
        /// The credential id, base64url.
        credential: String,
        /// Also where no passkey would be left.
        #[arg(long)]
        even_last: bool,
    },
    /// Print a link by which the owner of an account can add a passkey, once; the one before is good for nothing then.
    EnrolmentLink {
        /// Whose account: a username, a proven e-mail address, or an id.
        user: String,
        /// Mail it to the account's own address, and do not print it. It is sent when a server runs.
        #[arg(long)]
        mail: bool,
    },
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
    /// When it could not be done at all; that it was refused is an exit status.
    pub(crate) fn run(&self, flags: &Flags) -> anyhow::Result<ExitCode> {
        match self {
            Self::ImportPasswords(import) => import.run(flags),
            Self::Users(users) => users.run(flags),
            Self::CreateFirst { .. }
            | Self::EnrolmentLink { .. }
            | Self::Grant { .. }
            | Self::Lock { .. }
            | Self::Revoke { .. }
            | Self::RevokePasskey { .. }
            | Self::SignOut { .. }
            | Self::Unlock { .. } => accounts::change(self, flags),
        }
    }
}

/// Who asks, as events tell it: a command of this name.
fn client(keyhaven: &Keyhaven, command: &str) -> Result<Client, Error> {
    let [request, _] = keyhaven.random_identifiers()?;
    Ok(Client {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: Some(format!("keyhaven admin {command}")),
        request_id: base64url::encode(&request),
        origin: None,
        browser: None,
        devices: DeviceMarks::default(),
        language: None,
    })
}
