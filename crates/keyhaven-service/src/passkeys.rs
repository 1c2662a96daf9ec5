//! The passkeys of a signed-in account.

use std::sync::Arc;

use keyhaven_mail::Content;
use keyhaven_storage::{Credential, Removal, RemovalOutcome, Role};
use keyhaven_types::CredentialId;

use crate::audit::Subject;
use crate::client::Client;
use crate::context::Context;
use crate::error::Error;
use crate::mails::SECURITY;
use crate::sessions::SignedIn;
use crate::settings::Demand;
use crate::step_up::Purpose;
use crate::username;

const REMOVE: &str = "credential.remove";
const RENAME: &str = "credential.rename";

/// Lists, renames and removes passkeys.
#[derive(Clone)]
pub struct Passkeys(pub(crate) Arc<Context>);

impl Passkeys {
    /// All of the account's passkeys, oldest first.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn list(&self, current: &SignedIn) -> Result<Vec<Credential>, Error> {
        Ok(self.0.durable.credentials_of(current.account_id()).await?)
    }

    /// One of the account's passkeys.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Storage`].
    pub async fn one(&self, current: &SignedIn, id: &CredentialId) -> Result<Credential, Error> {
        let own = self.0.durable.credentials_of(current.account_id()).await?;
        own.into_iter()
            .find(|credential| credential.id == *id)
            .ok_or(Error::NotFound)
    }

    /// Gives a passkey another name, 1 to 64 characters.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`], [`Error::NotFound`], [`Error::RateLimited`], [`Error::Storage`].
    pub async fn rename(
        &self,
        client: &Client,
        current: &SignedIn,
        id: &CredentialId,
        device_name: &str,
    ) -> Result<Credential, Error> {
        self.0.limit_change(client, current).await?;
        let device_name = username::label("deviceName", device_name)?;
        let event = self.0.success(client, RENAME, of(current, Some(id)))?;
        let renamed = self
            .0
            .durable
            .rename_credential(current.account_id(), id, &device_name, event)
            .await?;
        match renamed {
            None => {
                let subject = of(current, Some(id));
                Err(self.0.refuse(client, RENAME, subject, Error::NotFound).await)
            }
            Some(credential) => Ok(credential),
        }
    }

    /// Removes one passkey and ends the other sessions it opened. Needs a recent sign-in or a grant.
    ///
    /// # Errors
    /// [`Error::StepUpRequired`], [`Error::NotFound`], [`Error::LastCredential`], [`Error::RateLimited`],
    /// [`Error::Storage`].
    pub async fn remove(&self, client: &Client, current: &SignedIn, id: &CredentialId) -> Result<(), Error> {
        self.0.limit_ending(client, current).await?;
        let removed = self.try_remove(client, current, vec![id.clone()], Some(id)).await;
        self.answer(client, current, Some(id), removed).await
    }

    /// Removes all passkeys, save one where `except` names it. Without a password that signs in alone all cannot be
    /// removed.
    ///
    /// # Errors
    /// As [`Self::remove`].
    pub async fn remove_all(
        &self,
        client: &Client,
        current: &SignedIn,
        except: Option<&CredentialId>,
    ) -> Result<(), Error> {
        self.0.limit_ending(client, current).await?;
        let own = self.0.durable.credentials_of(current.account_id()).await?;
        if except.is_some_and(|kept| !own.iter().any(|credential| credential.id == *kept)) {
            return self.answer(client, current, except, Err(Error::NotFound)).await;
        }
        let ids: Vec<_> = own
            .into_iter()
            .map(|credential| credential.id)
            .filter(|id| Some(id) != except)
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let removed = self.try_remove(client, current, ids, None).await;
        self.answer(client, current, None, removed).await
    }

    async fn try_remove(
        &self,
        client: &Client,
        current: &SignedIn,
        credentials: Vec<CredentialId>,
        named: Option<&CredentialId>,
    ) -> Result<(), Error> {
        let names = self.names(current, &credentials).await?;
        let now = self.0.clock.now();
        let session = current.session().id;
        let purpose = Purpose::DeletePasskey;
        let grant = self.0.grant_for(current, purpose).await?;
        for id in &credentials {
            // Nothing would be decided by it; but what is removed is to be gone.
            self.0.known.forget(id);
        }
        let event = self.0.success(client, REMOVE, of(current, named))?;
        let content = Content::PasskeyRemoved {
            passkey: names,
            review: self.0.link(SECURITY),
        };
        let audit = self.0.announced(client, current.account(), event, content)?;
        let removal = Removal {
            account: current.account_id(),
            credentials,
            password_suffices: self.password_suffices(current),
            keeps_session: Some(session),
            uses_grant: grant.map(|purpose| (session, purpose, now)),
            audit,
        };
        match self.0.durable.remove_credentials(removal).await? {
            RemovalOutcome::GrantMissing => Err(Error::StepUpRequired { purpose }),
            RemovalOutcome::LastCredential => Err(Error::LastCredential),
            RemovalOutcome::NotFound => Err(Error::NotFound),
            RemovalOutcome::Removed => Ok(()),
        }
    }

    /// Whether a password alone is a way in. For an administrator it is none to administration.
    fn password_suffices(&self, current: &SignedIn) -> bool {
        self.0.settings.passwords.fallback
            && self.0.settings.client_key != Demand::Required
            && current.account().role != Role::Admin
    }

    /// What the owner calls these passkeys, for the notice; asked for only where there will be one.
    async fn names(&self, current: &SignedIn, credentials: &[CredentialId]) -> Result<String, Error> {
        if self.0.settings.mail.is_none() || !current.account().email_verified {
            return Ok(String::new());
        }
        let own = self.0.durable.credentials_of(current.account_id()).await?;
        let names: Vec<_> = own
            .into_iter()
            .filter(|credential| credentials.contains(&credential.id))
            .map(|credential| credential.device_name)
            .collect();
        Ok(names.join(", "))
    }

    async fn answer(
        &self,
        client: &Client,
        current: &SignedIn,
        named: Option<&CredentialId>,
        removed: Result<(), Error>,
    ) -> Result<(), Error> {
        match removed {
            Ok(()) => Ok(()),
            Err(error) => Err(self.0.refuse(client, REMOVE, of(current, named), error).await),
        }
    }
}

pub(crate) fn of(current: &SignedIn, credential: Option<&CredentialId>) -> Subject {
    Subject {
        credential: credential.cloned(),
        ..Subject::session(current)
    }
}
