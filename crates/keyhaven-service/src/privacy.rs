//! What the owner of an account can ask for: everything that is held of it, another name to read, an end to it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use keyhaven_mail::Content;
use keyhaven_storage::{
    Account, Actor, AddressClaim, AuditEvent, ClientKey, Credential, Deletion, DeletionGround,
    DeletionOutcome, EventId, PasswordVerifier, Session,
};
use keyhaven_types::UnixTime;
use keyhaven_types::signal::AllAcceptedCredentials;

use crate::audit::Subject;
use crate::client::Client;
use crate::context::Context;
use crate::error::Error;
use crate::personal;
use crate::sessions::SignedIn;
use crate::signals::Signals;
use crate::step_up::Purpose;
use crate::username;

const DELETE: &str = "account.delete";
const EXPORT: &str = "account.export";
const RENAME: &str = "account.rename";

/// Events are read so many at a time.
const PAGE: u32 = 500;

/// More events than these one export does not hold: the newest count.
const MAX_EVENTS: usize = 20_000;

/// An account in its owner's hands.
#[derive(Clone)]
pub struct Privacy(pub(crate) Arc<Context>);

/// Everything that is held of an account. No secret is in it, and nothing that a secret could be found by.
#[derive(Debug)]
pub struct AccountExport {
    /// When it was made.
    pub at: UnixTime,
    /// The account.
    pub account: Account,
    /// The address that it claims and has not proven.
    pub claim: Option<AddressClaim>,
    /// Its passkeys, oldest first.
    pub credentials: Vec<Credential>,
    /// Its sessions, newest first.
    pub sessions: Vec<Session>,
    /// Its password: of that, only what is not a hash is for others to see.
    pub password: Option<PasswordVerifier>,
    /// Its client key: as the password.
    pub client_key: Option<ClientKey>,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
    /// What happened, newest first, with address and user agent.
    pub events: Vec<AuditEvent>,
    /// Whether there are more, older events.
    pub events_omitted: bool,
}

impl Privacy {
    /// Everything that is held of the account. Needs a grant.
    ///
    /// # Errors
    /// [`Error::StepUpRequired`], [`Error::Forbidden`] (a recovery), [`Error::RateLimited`], [`Error::Storage`].
    pub async fn export(&self, client: &Client, current: &SignedIn) -> Result<AccountExport, Error> {
        self.0.limit_change(client, current).await?;
        match self.try_export(client, current).await {
            Ok(export) => Ok(export),
            Err(error) => Err(self
                .0
                .refuse(client, EXPORT, Subject::session(current), error)
                .await),
        }
    }

    async fn try_export(&self, client: &Client, current: &SignedIn) -> Result<AccountExport, Error> {
        not_in_recovery(current)?;
        let (durable, now) = (&self.0.durable, self.0.clock.now());
        self.0.require_grant(current, Purpose::Export).await?;
        let id = current.account_id();
        // Who took the data along is part of what happened.
        let event = self.0.success(client, EXPORT, Subject::session(current))?;
        durable.append(event).await?;
        let account = durable.account(id).await?.ok_or(Error::SessionExpired)?;
        let credentials = durable.credentials_of(id).await?;
        let client_key = match credentials.first() {
            None => None,
            Some(first) => durable
                .credential_with_factors(&first.id)
                .await?
                .and_then(|(_, factors)| factors.client_key),
        };
        let (mut events, mut after) = (Vec::new(), None);
        let events_omitted = loop {
            let page = self.events(current, after, PAGE).await?;
            let full = u32::try_from(page.len()).is_ok_and(|found| found == PAGE);
            after = page.last().map(|event| (event.at, event.id));
            events.extend(page);
            if !full || events.len() >= MAX_EVENTS {
                break full;
            }
        };
        Ok(AccountExport {
            at: now,
            claim: durable.address_claim(id).await?,
            sessions: durable.sessions_of(id, now).await?,
            password: durable.password_of(id).await?,
            recovery_codes: durable.recovery_codes_left(id).await?,
            account,
            credentials,
            client_key,
            events,
            events_omitted,
        })
    }

    /// What happened to the account, newest first, with address and user agent; from after the event that a list before
    /// ended with.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn events(
        &self,
        current: &SignedIn,
        after: Option<(UnixTime, EventId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, Error> {
        let person = &current.account().user_handle;
        let events = self
            .0
            .durable
            .events_of(current.account_id(), after, limit)
            .await?;
        let opened = |event| personal::opened(&self.0.keys, event, Some(person));
        Ok(events.into_iter().map(opened).collect())
    }

    /// An event with the address, user agent and request id that it holds encrypted, as far as its account is there.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn opened(&self, event: AuditEvent) -> Result<AuditEvent, Error> {
        let mut opened = self.0.opened(vec![event]).await?;
        opened.pop().ok_or(Error::NotFound)
    }

    /// Gives the account another display name, 1 to 64 characters.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`], [`Error::SessionExpired`] (the account is gone), [`Error::RateLimited`],
    /// [`Error::Storage`].
    pub async fn rename(
        &self,
        client: &Client,
        current: &SignedIn,
        display_name: &str,
    ) -> Result<(Account, Signals), Error> {
        self.0.limit_change(client, current).await?;
        not_in_recovery(current)?;
        let display_name = username::label("displayName", display_name)?;
        let event = self.0.success(client, RENAME, Subject::session(current))?;
        let (id, now) = (current.account_id(), self.0.clock.now());
        let renamed = self
            .0
            .durable
            .change_display_name(id, &display_name, now, event)
            .await?;
        let account = renamed.ok_or(Error::SessionExpired)?;
        let signals = self.0.signals_of(&account);
        Ok((account, signals))
    }

    /// Deletes the account and everything of it. Needs a grant, which it uses up. Its name is free afterwards, for
    /// anybody; what was recorded of it stays, and names nobody any more.
    ///
    /// # Errors
    /// [`Error::StepUpRequired`], [`Error::Forbidden`] (a recovery), [`Error::SessionExpired`] (it is gone already),
    /// [`Error::AccountLocked`], [`Error::RateLimited`], [`Error::Storage`].
    pub async fn delete(&self, client: &Client, current: &SignedIn) -> Result<Signals, Error> {
        self.0.limit_ending(client, current).await?;
        match self.try_delete(client, current).await {
            Ok(signals) => Ok(signals),
            Err(error) => Err(self
                .0
                .refuse(client, DELETE, Subject::session(current), error)
                .await),
        }
    }

    async fn try_delete(&self, client: &Client, current: &SignedIn) -> Result<Signals, Error> {
        not_in_recovery(current)?;
        let purpose = Purpose::DeleteAccount;
        self.0.require_grant(current, purpose).await?;
        let account = current.account();
        let event = self.0.success(client, DELETE, Subject::session(current))?;
        let mut audit = self
            .0
            .announced(client, account, event, Content::AccountDeleted)?;
        for mail in &mut audit.mails {
            // It outlives the account, and leads nobody to it.
            mail.account = None;
        }
        let credentials = self.0.durable.credentials_of(account.id).await?;
        let deletion = Deletion {
            account: account.id,
            ground: DeletionGround::Asked {
                session: current.session().id,
                uses_grant: purpose.as_str().to_owned(),
                at: self.0.clock.now(),
            },
            audit,
        };
        match self.0.durable.delete_account(deletion).await? {
            DeletionOutcome::AccountUnavailable | DeletionOutcome::InUse | DeletionOutcome::SessionEnded => {
                Err(Error::SessionExpired)
            }
            DeletionOutcome::GrantMissing => Err(Error::StepUpRequired { purpose }),
            DeletionOutcome::Deleted => {
                for credential in &credentials {
                    // Nothing would be decided by it; but what is deleted is to be gone.
                    self.0.known.forget(&credential.id);
                }
                Ok(Signals {
                    all_accepted_credentials: Some(AllAcceptedCredentials {
                        rp_id: self.0.relying_party().id.clone(),
                        user_id: account.user_handle.clone(),
                        all_accepted_credential_ids: Vec::new(),
                    }),
                    ..Signals::default()
                })
            }
        }
    }
}

impl Context {
    /// Events with what they hold encrypted, as far as the account of whoever asked is there: an administrator's where one
    /// did it, else the account that the event is about.
    pub(crate) async fn opened(&self, events: Vec<AuditEvent>) -> Result<Vec<AuditEvent>, Error> {
        let mut people = HashMap::new();
        let mut opened = Vec::with_capacity(events.len());
        for event in events {
            let whose = match event.actor {
                Some(Actor::Account(id)) => Some(id),
                Some(Actor::CommandLine) | None => event.account,
            };
            if let Some(id) = whose
                && let Entry::Vacant(unknown) = people.entry(id)
            {
                let account = self.durable.account(id).await?;
                unknown.insert(account.map(|account| account.user_handle));
            }
            let person = whose.and_then(|id| people.get(&id)).and_then(Option::as_ref);
            opened.push(personal::opened(&self.keys, event, person));
        }
        Ok(opened)
    }
}

/// What a recovery opened may add a passkey, and decides nothing else.
fn not_in_recovery(current: &SignedIn) -> Result<(), Error> {
    if current.is_recovery() {
        return Err(Error::forbidden("not in a recovery"));
    }
    Ok(())
}
