//! The accounts of others, from the command line. What a running server on the same database has in hand goes on: each
//! change is one commit of its own, and stands from then on.

use std::process::ExitCode;

use anyhow::ensure;
use keyhaven_api::Metrics;
use keyhaven_service::{Client, Error, Keyhaven, Operator, UserQuery};
use keyhaven_storage::{Account, ListedAccount, Role};
use keyhaven_types::{CredentialId, base64url};
use serde_json::json;

use super::Command;
use crate::audit::time_text;
use crate::config::{Config, DatabaseUrl, Flags};
use crate::say::{note, say};
use crate::serve::{self, Opened};

/// As many accounts are read at a time.
const PAGE: u32 = 100;

/// Which accounts to list, and how.
#[derive(clap::Args)]
pub(crate) struct Users {
    /// One account: a username, a proven e-mail address, or an id.
    #[arg(conflicts_with = "username")]
    user: Option<String>,
    /// The account with this username, even where it looks like an address or an id.
    #[arg(long)]
    username: Option<String>,
    /// No more than these.
    #[arg(long)]
    limit: Option<u32>,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

impl Users {
    pub(super) fn run(&self, flags: &Flags) -> anyhow::Result<ExitCode> {
        let config = Config::load(flags)?;
        let query = match (&self.user, &self.username) {
            (Some(user), _) => meant(user),
            (None, Some(username)) => UserQuery::Username(username.clone()),
            (None, None) => UserQuery::All,
        };
        serve::runtime()?.block_on(async {
            let opened = open(&config).await?;
            let listed = self.list(&opened.keyhaven, &query).await;
            opened.database.close().await;
            answer(listed)
        })
    }

    async fn list(&self, keyhaven: &Keyhaven, query: &UserQuery) -> anyhow::Result<()> {
        let operator = Operator::command_line();
        let (mut left, mut cursor) = (self.limit.unwrap_or(u32::MAX), None);
        let mut any = false;
        while left > 0 {
            let limit = left.min(PAGE);
            let page = keyhaven
                .administration
                .users(&operator, query, cursor.as_deref(), limit)
                .await?;
            for listed in &page.items {
                any = true;
                let listed = if self.json {
                    json_line(listed)
                } else {
                    line(listed)
                };
                say!("{listed}")?;
            }
            left = left.saturating_sub(limit);
            match page.next {
                None => break,
                next => cursor = next,
            }
        }
        ensure!(any, Error::UserNotFound);
        Ok(())
    }
}

/// Changes what the command says.
pub(super) fn change(command: &Command, flags: &Flags) -> anyhow::Result<ExitCode> {
    let config = Config::load(flags)?;
    serve::runtime()?.block_on(async {
        let opened = open(&config).await?;
        let done = carry_out(&opened.keyhaven, command).await;
        opened.database.close().await;
        answer(done)
    })
}

async fn carry_out(keyhaven: &Keyhaven, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::CreateFirst { user } => {
            set_role(keyhaven, "create-first", user, Role::Admin, true).await?;
        }
        Command::Grant { user } => set_role(keyhaven, "grant", user, Role::Admin, false).await?,
        Command::Revoke { user } => set_role(keyhaven, "revoke", user, Role::User, false).await?,
        Command::Lock { user, reason } => {
            let (client, operator, account) = about(keyhaven, "lock", user).await?;
            let administration = &keyhaven.administration;
            administration
                .lock(&client, &operator, account.id, reason)
                .await?;
            say!("{} is locked", account.username)?;
        }
        Command::Unlock { user } => {
            let (client, operator, account) = about(keyhaven, "unlock", user).await?;
            let administration = &keyhaven.administration;
            administration.unlock(&client, &operator, account.id).await?;
            say!("{} can sign in", account.username)?;
        }
        Command::SignOut { user } => {
            let (client, operator, account) = about(keyhaven, "sign-out", user).await?;
            let administration = &keyhaven.administration;
            administration.sign_out(&client, &operator, account.id).await?;
            say!("{} is signed out everywhere", account.username)?;
        }
        Command::RevokePasskey {
            user,
            credential,
            even_last,
        } => {
            let (client, operator, account) = about(keyhaven, "revoke-passkey", user).await?;
            let id = base64url::decode(credential).unwrap_or_default();
            let id = CredentialId::try_from(id.as_slice()).map_err(|_| Error::NotFound)?;
            let administration = &keyhaven.administration;
            administration
                .remove_passkey(&client, &operator, account.id, &id, *even_last)
                .await?;
            say!("the passkey of {} is removed", account.username)?;
        }
        Command::EnrolmentLink { user, mail } => {
            let (client, operator, account) = about(keyhaven, "enrolment-link", user).await?;
            let administration = &keyhaven.administration;
            let offer = administration
                .enrolment_link(&client, &operator, account.id, *mail)
                .await?;
            match &offer.link {
                Some(link) => say!("{}", link.0)?,
                None => say!("the link is mailed to {}", account.username)?,
            }
            note!("good once, until {}", time_text(offer.expires_at))?;
        }
        // These have ways of their own.
        Command::ImportPasswords(_) | Command::Users(_) => {}
    }
    Ok(())
}

async fn set_role(
    keyhaven: &Keyhaven,
    command: &str,
    user: &str,
    role: Role,
    first: bool,
) -> anyhow::Result<()> {
    let (client, operator, account) = about(keyhaven, command, user).await?;
    keyhaven
        .administration
        .set_role(&client, &operator, account.id, role, first)
        .await?;
    match role {
        Role::Admin => say!("{} is an administrator", account.username)?,
        Role::User => say!("{} is no administrator", account.username)?,
    }
    Ok(())
}

async fn about(keyhaven: &Keyhaven, command: &str, user: &str) -> Result<(Client, Operator, Account), Error> {
    let found = keyhaven.administration.find(&meant(user)).await?;
    let account = found.ok_or(Error::UserNotFound)?;
    Ok((
        super::client(keyhaven, command)?,
        Operator::command_line(),
        account,
    ))
}

/// A handle has no `@`.
fn meant(user: &str) -> UserQuery {
    if user.contains('@') {
        UserQuery::Email(user.to_owned())
    } else if user.parse::<keyhaven_storage::AccountId>().is_ok() {
        UserQuery::Id(user.to_owned())
    } else {
        UserQuery::Username(user.to_owned())
    }
}

async fn open(config: &Config) -> anyhow::Result<Opened> {
    ensure!(
        !matches!(config.database, DatabaseUrl::Memory),
        "the database {}: there is nothing in it",
        config.database
    );
    serve::open(config, None, &Metrics::new()).await
}

/// What was refused is said, and is the exit status 1; what could not be done is an error.
fn answer(done: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    let Err(error) = done else {
        return Ok(ExitCode::SUCCESS);
    };
    match error.downcast::<Error>() {
        Ok(error @ (Error::Storage(_) | Error::Random(_))) => return Err(error.into()),
        Ok(Error::UserNotFound) => note!("keyhaven: there is no such account")?,
        Ok(Error::NotFound) => note!("keyhaven: the account has no such passkey")?,
        Ok(error) => note!("keyhaven: {error}")?,
        Err(error) => return Err(error),
    }
    Ok(ExitCode::FAILURE)
}

const fn state(account: &Account) -> &'static str {
    if account.active { "active" } else { "locked" }
}

fn line(listed: &ListedAccount) -> String {
    let account = &listed.account;
    format!(
        "{} {} {} {} {} {}",
        account.id,
        account.role.as_str(),
        state(account),
        if listed.has_passkey {
            "passkey"
        } else {
            "no-passkey"
        },
        time_text(account.created_at),
        account.username,
    )
}

fn json_line(listed: &ListedAccount) -> String {
    let account = &listed.account;
    json!({
        "id": account.id.to_string(),
        "username": account.username,
        "email": account.email,
        "emailVerified": account.email_verified,
        "role": account.role.as_str(),
        "state": state(account),
        "hasPasskey": listed.has_passkey,
        "createdAt": time_text(account.created_at),
        "lastLoginAt": account.last_login_at.map(time_text),
    })
    .to_string()
}
