//! Accounts that another system hashed the passwords of.

use keyhaven_password::HashKind;
use keyhaven_storage::{AccountId, PasswordRegistration, PasswordRegistrationOutcome, PasswordVerifier};

use super::{MAX_KINDS, Passwords};
use crate::audit::Subject;
use crate::client::Client;
use crate::error::Error;
use crate::settings::Identifier;
use crate::username;

const IMPORT: &str = "password.import";

/// An account to take over.
#[derive(Clone, Debug)]
pub struct ImportedPassword {
    /// Its public handle.
    pub username: String,
    /// What a person reads; the username when absent.
    pub display_name: Option<String>,
    /// An e-mail address, unproven here.
    pub email: Option<String>,
    /// A bcrypt or Argon2 hash of the password.
    pub hash: String,
}

impl Passwords {
    /// Takes an account over: it, its password's hash and the event, or nothing. At its next sign-in the password is
    /// hashed as it is today.
    ///
    /// # Errors
    /// [`Error::NotFound`] (a password alone does not sign in here), [`Error::InvalidRequest`] (also a hash of a kind that is
    /// not known, or of one kind too many), [`Error::UsernameTaken`], [`Error::Storage`].
    pub async fn import(&self, client: &Client, import: ImportedPassword) -> Result<AccountId, Error> {
        self.require_fallback()?;
        let username = self.0.name(&import.username)?;
        let display_name = match &import.display_name {
            Some(text) => username::label("displayName", text)?,
            None => import.username.chars().take(64).collect(),
        };
        let by_address = self.0.settings.identifier == Identifier::Email;
        let email = match by_address {
            true => Some(import.username.as_str()),
            false => import.email.as_deref(),
        };
        let email = email.map(username::email).transpose()?.map(String::from);
        let kind = self.acceptable_kind(&import.hash).await?;
        let now = self.0.clock.now();
        let mut account = self.new_account(&username, display_name, email, now)?;
        // Whoever imports vouches for the names.
        account.email_verified = by_address;
        let id = account.id;
        let subject = Subject::account(&account);
        let registration = PasswordRegistration {
            password: PasswordVerifier {
                account: id,
                hash: import.hash,
                kind: kind.as_str().to_owned(),
                with_passkey: false,
                changed_at: now,
            },
            account,
            // Nobody here has asked for a mail: it is claimed when its owner does.
            claim: None,
            session: None,
            ends_session: None,
            audit: self.0.success(client, IMPORT, subject)?,
        };
        match self.0.durable.register_password(registration).await? {
            PasswordRegistrationOutcome::Committed => Ok(id),
            PasswordRegistrationOutcome::UsernameTaken => Err(Error::UsernameTaken),
        }
    }

    /// Every kind of hash that is stored costs every sign-in a comparison, so that none tells which it was.
    async fn acceptable_kind(&self, hash: &str) -> Result<HashKind, Error> {
        let kind =
            HashKind::of(hash).map_err(|unknown| Error::invalid(format!("passwordHash: {unknown}")))?;
        if hash.chars().count() > 256 {
            return Err(Error::invalid("passwordHash: more than 256 characters"));
        }
        let current = HashKind::current();
        if kind == current {
            return Ok(kind);
        }
        let stored = self.0.durable.password_kinds(u32::MAX).await?;
        let old = stored.iter().filter(|stored| stored.as_str() != current.as_str());
        let known = stored.iter().any(|stored| stored.as_str() == kind.as_str());
        if !known && u32::try_from(old.count()).unwrap_or(u32::MAX) >= MAX_KINDS {
            return Err(Error::invalid(format!(
                "passwordHash: {} would be one kind of hash more than the {MAX_KINDS} old ones that are taken over at a time",
                kind.as_str()
            )));
        }
        Ok(kind)
    }
}
