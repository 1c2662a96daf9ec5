//! The accounts of others, for administrators and for whoever runs commands where the server runs.
//!
//! Everything here takes an [`Operator`], which only [`Administration::admit`] makes of a session: for who is no
//! administrator all of it is as though it were not there. What is read can be read as often as wanted while the step-up
//! grant lives; what cannot be taken back (a passkey removed, an enrolment link made) uses it up. Each change stands on the
//! administrator's role, session and grant as they are at the moment it is written.

mod changes;
mod events;

use std::sync::Arc;
use std::time::Duration;

use keyhaven_storage::{
    Account, AccountId, AccountStanding, Actor, Credential, ListedAccount, Session, SessionId,
};
use keyhaven_types::UnixTime;
use uuid::Uuid;

pub use changes::{ClientKeyCheck, EnrolmentOffer};
pub use events::EventFilter;

use crate::audit::Subject;
use crate::client::Client;
use crate::context::Context;
use crate::error::Error;
use crate::sessions::SignedIn;
use crate::step_up::Purpose;
use crate::username;

const VIEW: &str = "admin.view";

/// The longest page.
const MOST: u32 = 100;

/// What administrators can do.
#[derive(Clone, Copy, Debug)]
pub struct AdministrationSettings {
    /// Whether they can check whether a client key is an account's.
    pub client_key_check: bool,
    /// How long an enrolment link is good.
    pub enrolment_lifetime: Duration,
}

impl Default for AdministrationSettings {
    fn default() -> Self {
        Self {
            client_key_check: false,
            enrolment_lifetime: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// Looks at and changes the accounts of others.
#[derive(Clone)]
pub struct Administration(pub(crate) Arc<Context>);

/// Who administers: shown to be allowed to.
#[derive(Clone, Debug)]
pub struct Operator(Who);

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one per request")]
enum Who {
    CommandLine,
    Session(SignedIn),
}

impl Operator {
    /// Whoever runs a command where the server runs, with its secrets and its database: nothing could stop them.
    #[must_use]
    pub const fn command_line() -> Self {
        Self(Who::CommandLine)
    }

    fn session(&self) -> Option<&SignedIn> {
        match &self.0 {
            Who::CommandLine => None,
            Who::Session(signed_in) => Some(signed_in),
        }
    }

    fn actor(&self) -> Actor {
        self.session().map_or(Actor::CommandLine, |signed_in| {
            Actor::Account(signed_in.account_id())
        })
    }

    fn session_id(&self) -> Option<SessionId> {
        self.session().map(|signed_in| signed_in.session().id)
    }

    /// What an event is about: the account, and who did it.
    fn subject(&self, account: Option<AccountId>) -> Subject {
        Subject {
            session: self.session_id(),
            actor: Some(self.actor()),
            // Where from it was done is the administrator's, and goes with that account.
            person: self
                .session()
                .map(|current| current.account().user_handle.clone()),
            ..Subject::pseudonym(account)
        }
    }
}

/// Which accounts are looked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UserQuery {
    /// All of them.
    All,
    /// The one that has proven this e-mail address.
    Email(String),
    /// The one with this id.
    Id(String),
    /// The one with this username.
    Username(String),
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What it holds.
    pub items: Vec<T>,
    /// Where the next part begins; `None`: this is the last.
    pub next: Option<String>,
}

/// An account and what belongs to it.
#[derive(Clone, Debug)]
pub struct UserDetails {
    /// The account.
    pub account: Account,
    /// All its passkeys, oldest first.
    pub credentials: Vec<Credential>,
    /// Its sessions in force, newest first.
    pub sessions: Vec<Session>,
    /// How it stands beside that.
    pub standing: AccountStanding,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
}

impl Administration {
    /// Whether whoever is signed in may administer, now: an administrator, by a passkey that verified its user, with a
    /// grant for it.
    ///
    /// # Errors
    /// [`Error::NotFound`] (no administrator: there is nothing here for him), [`Error::Forbidden`] (not signed in well
    /// enough), [`Error::StepUpRequired`], [`Error::Storage`].
    pub async fn admit(&self, current: &SignedIn) -> Result<Operator, Error> {
        if !current.administers() {
            tracing::info!(account = %current.account_id(), "no administrator; refused");
            return Err(Error::NotFound);
        }
        if current.session().aal < 2 || current.is_by_password_alone() {
            return Err(Error::forbidden("sign in with a passkey that verifies you"));
        }
        self.0.require_grant(current, Purpose::Admin).await?;
        Ok(Operator(Who::Session(current.clone())))
    }

    /// Accounts, a page at a time: all of them, newest first, or the one that is meant exactly. Names and addresses are
    /// encrypted where they are stored: there is no looking for a part of one.
    /// What comes meanwhile makes none appear twice, and none be left out that was there.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] (a cursor of another list, a limit above 100), [`Error::Storage`].
    pub async fn users(
        &self,
        _operator: &Operator,
        query: &UserQuery,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<ListedAccount>, Error> {
        let limit = page_limit(limit)?;
        let durable = &self.0.durable;
        // One more than is shown tells whether there are more.
        let more = limit.saturating_add(1);
        match query {
            UserQuery::All => {
                let after = cursor.map(parse_place).transpose()?;
                let after = after.map(|(at, id)| (at, AccountId(id)));
                let found = durable.accounts(after, more).await?;
                Ok(page(found, limit, |last| {
                    place(last.account.created_at, last.account.id.0)
                }))
            }
            UserQuery::Email(_) | UserQuery::Id(_) | UserQuery::Username(_) => {
                let found = self.find(query).await?;
                let items = match found {
                    None => Vec::new(),
                    Some(account) => vec![self.listed(account).await?],
                };
                Ok(Page { items, next: None })
            }
        }
    }

    /// The one account that is meant exactly.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn find(&self, query: &UserQuery) -> Result<Option<Account>, Error> {
        let durable = &self.0.durable;
        Ok(match query {
            UserQuery::Email(text) => match username::email(text) {
                Err(_) => None,
                Ok(address) => durable.address_owner(address.as_str()).await?,
            },
            UserQuery::Id(text) => match text.parse() {
                Err(_) => None,
                Ok(id) => durable.account(id).await?,
            },
            UserQuery::Username(text) => match self.0.name(text) {
                Err(_) => None,
                Ok(name) => durable.account_named(name.as_str()).await?,
            },
            UserQuery::All => None,
        })
    }

    async fn listed(&self, account: Account) -> Result<ListedAccount, Error> {
        let credentials = self.0.durable.credentials_of(account.id).await?;
        Ok(ListedAccount {
            has_passkey: credentials.iter().any(|credential| credential.active),
            account,
        })
    }

    /// One account with what belongs to it. That somebody looked is recorded.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Storage`].
    pub async fn user(
        &self,
        client: &Client,
        operator: &Operator,
        id: AccountId,
    ) -> Result<UserDetails, Error> {
        let durable = &self.0.durable;
        let account = durable.account(id).await?.ok_or(Error::NotFound)?;
        let event = self.0.success(client, VIEW, operator.subject(Some(id)))?;
        durable.append(event).await?;
        let now = self.0.clock.now();
        let mut sessions = durable.sessions_of(id, now).await?;
        sessions.retain(|session| self.0.in_force(session, now));
        Ok(UserDetails {
            account,
            credentials: durable.credentials_of(id).await?,
            sessions,
            standing: durable.account_standing(id, now).await?,
            recovery_codes: durable.recovery_codes_left(id).await?,
        })
    }

    /// Whether administrators can check client keys here.
    #[must_use]
    pub fn checks_client_keys(&self) -> bool {
        self.0.settings.administration.client_key_check
    }
}

fn page_limit(limit: u32) -> Result<u32, Error> {
    if (1..=MOST).contains(&limit) {
        Ok(limit)
    } else {
        Err(Error::invalid("limit: 1 to 100"))
    }
}

fn page<T>(mut items: Vec<T>, limit: u32, next: impl FnOnce(&T) -> String) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    Page {
        next: items.last().filter(|_| more).map(next),
        items,
    }
}

/// Where a list that is ordered by time ended.
fn place(at: UnixTime, id: Uuid) -> String {
    format!("{}.{}", at.as_millis(), id.hyphenated())
}

fn parse_place(text: &str) -> Result<(UnixTime, Uuid), Error> {
    let parsed = text.split_once('.').and_then(|(at, id)| {
        let at = at.parse().ok()?;
        Some((UnixTime::from_millis(at), Uuid::try_parse(id).ok()?))
    });
    parsed.ok_or_else(|| Error::invalid("cursor: as a page before this one has answered it"))
}
