//! Another password, or none.

use std::fmt;

use keyhaven_mail::Content;
use keyhaven_password::{Rules, Verdict};
use keyhaven_storage::{PasswordChange, PasswordChangeOutcome, PasswordVerifier};
use zeroize::Zeroizing;

use super::{Passwords, parsed};
use crate::audit::Subject;
use crate::client::Client;
use crate::error::Error;
use crate::mails::SECURITY;
use crate::sessions::SignedIn;
use crate::settings::Demand;
use crate::step_up::Purpose;

const CHANGE: &str = "password.change";
const REMOVE: &str = "password.remove";

/// A password that somebody signed in chooses.
pub struct NewPassword {
    /// As typed.
    pub password: Zeroizing<String>,
    /// The password so far, where it is asked for.
    pub current: Option<Zeroizing<String>>,
    /// Whether it counts only together with a passkey; as before, or as the deployment has it, where not said.
    pub with_passkey: Option<bool>,
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(..)")
    }
}

/// What the account has now.
struct Found {
    password: Option<PasswordVerifier>,
    has_passkey: bool,
}

impl Passwords {
    /// Sets the account's password, and ends its other sessions. Where the account has a passkey that needs a grant; where
    /// it has none, or the password is asked for with it, it needs the password so far.
    ///
    /// # Errors
    /// [`Error::NotFound`] (there are no passwords here), [`Error::InvalidRequest`], [`Error::StepUpRequired`],
    /// [`Error::PasswordRequired`], [`Error::AuthenticationFailed`] (the password so far is another one),
    /// [`Error::SessionExpired`], [`Error::RateLimited`], [`Error::Busy`] (also when it was changed meanwhile),
    /// [`Error::Storage`].
    pub async fn change(&self, client: &Client, current: &SignedIn, new: NewPassword) -> Result<(), Error> {
        self.require_any()?;
        self.0.limit_change(client, current).await?;
        let changed = self.try_change(client, current, new).await;
        self.answer(client, current, CHANGE, changed).await
    }

    /// Removes the account's password, and ends its other sessions. A passkey has to stay.
    ///
    /// # Errors
    /// As [`Self::change`]; [`Error::LastFactor`]; [`Error::Forbidden`] where the deployment asks everybody for one.
    pub async fn remove(
        &self,
        client: &Client,
        current: &SignedIn,
        so_far: Option<Zeroizing<String>>,
    ) -> Result<(), Error> {
        self.require_any()?;
        self.0.limit_ending(client, current).await?;
        let removed = self.try_remove(client, current, so_far).await;
        self.answer(client, current, REMOVE, removed).await
    }

    async fn try_change(&self, client: &Client, current: &SignedIn, new: NewPassword) -> Result<(), Error> {
        let account = current.account();
        let found = self.found(current).await?;
        let with_passkey = self.with_passkey(&new, &found)?;
        let rules = match with_passkey {
            true => Rules::ONE_OF_TWO,
            false => Rules::ONLY_FACTOR,
        };
        let names = [
            Some(account.name()),
            Some(account.display_name.as_str()),
            account.email.as_deref(),
        ];
        let password = self.0.acceptable_password(rules, &new.password, names)?;
        let uses_grant = self.require_proof(current, &found, new.current).await?;
        let to = self.0.hash_password(account.id, password, with_passkey).await?;
        self.commit(client, current, CHANGE, &found, uses_grant, Some(to))
            .await
    }

    async fn try_remove(
        &self,
        client: &Client,
        current: &SignedIn,
        so_far: Option<Zeroizing<String>>,
    ) -> Result<(), Error> {
        let found = self.found(current).await?;
        if found.password.is_none() {
            return Err(Error::NotFound);
        }
        if self.0.settings.passwords.with_passkey == Demand::Required {
            return Err(Error::forbidden("here everybody has a password"));
        }
        if !found.has_passkey {
            return Err(Error::LastFactor);
        }
        let uses_grant = self.require_proof(current, &found, so_far).await?;
        self.commit(client, current, REMOVE, &found, uses_grant, None)
            .await
    }

    async fn found(&self, current: &SignedIn) -> Result<Found, Error> {
        let account = current.account_id();
        let credentials = self.0.durable.credentials_of(account).await?;
        Ok(Found {
            password: self.0.durable.password_of(account).await?,
            has_passkey: credentials.iter().any(|credential| credential.active),
        })
    }

    /// Whether the new password is to count only together with a passkey.
    fn with_passkey(&self, new: &NewPassword, found: &Found) -> Result<bool, Error> {
        let settings = &self.0.settings.passwords;
        let before = found.password.as_ref().map(|password| password.with_passkey);
        let wanted = new.with_passkey.or(before).unwrap_or(!settings.fallback);
        if wanted && settings.with_passkey == Demand::Off {
            return Err(Error::invalid("withPasskey: no sign-in here asks for both"));
        }
        if wanted && !found.has_passkey {
            return Err(Error::invalid("withPasskey: the account has no passkey"));
        }
        if !wanted && !settings.fallback {
            return Err(Error::invalid(
                "withPasskey: here a password alone does not sign in",
            ));
        }
        Ok(wanted)
    }

    /// What a change needs; answers the purpose of the grant that it uses.
    async fn require_proof(
        &self,
        current: &SignedIn,
        found: &Found,
        so_far: Option<Zeroizing<String>>,
    ) -> Result<Option<String>, Error> {
        let purpose = Purpose::ChangePassword;
        let needs_grant = found.has_passkey || found.password.is_none();
        if needs_grant {
            self.0.require_grant(current, purpose).await?;
        }
        if let Some(password) = &found.password
            && (!found.has_passkey || password.with_passkey)
        {
            let so_far = so_far.ok_or(Error::PasswordRequired)?;
            let so_far = parsed("currentPassword", &so_far)?;
            self.0
                .limit(|limits| vec![limits.guess(current.session().id.0.as_bytes())])
                .await?;
            let verdict = self.0.compare_password(&so_far, Some(password.hash.clone()));
            if verdict.await? == Verdict::Wrong {
                return Err(Error::AuthenticationFailed);
            }
        }
        Ok(needs_grant.then(|| purpose.as_str().to_owned()))
    }

    async fn commit(
        &self,
        client: &Client,
        current: &SignedIn,
        action: &'static str,
        found: &Found,
        uses_grant: Option<String>,
        to: Option<PasswordVerifier>,
    ) -> Result<(), Error> {
        let event = self.0.success(client, action, of(current))?;
        let content = Content::PasswordChanged {
            review: self.0.link(SECURITY),
        };
        let audit = self.0.announced(client, current.account(), event, content)?;
        let change = PasswordChange {
            account: current.account_id(),
            session: current.session().id,
            uses_grant,
            from: found.password.as_ref().map(|password| password.hash.clone()),
            to,
            at: self.0.clock.now(),
            audit,
        };
        match self.0.durable.change_password(change).await? {
            PasswordChangeOutcome::AccountUnavailable => Err(Error::AccountLocked),
            PasswordChangeOutcome::Changed { .. } => Ok(()),
            PasswordChangeOutcome::GrantMissing => Err(Error::StepUpRequired {
                purpose: Purpose::ChangePassword,
            }),
            PasswordChangeOutcome::NoPasskey => Err(Error::LastFactor),
            PasswordChangeOutcome::PasswordChanged => Err(Error::Busy),
            PasswordChangeOutcome::SessionEnded => Err(Error::SessionExpired),
        }
    }

    async fn answer(
        &self,
        client: &Client,
        current: &SignedIn,
        action: &'static str,
        done: Result<(), Error>,
    ) -> Result<(), Error> {
        match done {
            Ok(()) => Ok(()),
            Err(error) => Err(self.0.refuse(client, action, of(current), error).await),
        }
    }

    fn require_any(&self) -> Result<(), Error> {
        match self.0.settings.passwords.any() {
            true => Ok(()),
            false => Err(Error::NotFound),
        }
    }
}

fn of(current: &SignedIn) -> Subject {
    Subject::session(current)
}
