//! Passwords, for deployments that still allow them: alone, capped at AAL1, or together with a passkey.
//!
//! Whether an account exists and has a password shows neither in an answer nor in its time: see
//! [`keyhaven_password::verify_evenly`]. What a password opened can add the account's first passkey, and no other.

mod change;
mod import;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyhaven_password::{HashKind, Password, Refused, Rules, Verdict};
use keyhaven_storage::{
    Account, AccountId, PasswordLogin, PasswordLoginOutcome, PasswordRegistration,
    PasswordRegistrationOutcome, PasswordVerifier, Role, Session,
};
use keyhaven_types::{UnixTime, UserHandle};
use zeroize::Zeroizing;

pub use change::NewPassword;
pub use import::ImportedPassword;

use crate::address_proofs::AddressProof;
use crate::assurance::Proof;
use crate::audit::Subject;
use crate::client::{Client, SessionToken};
use crate::context::Context;
use crate::error::Error;
use crate::sessions::SignedIn;
use crate::settings::{Demand, Identifier};
use crate::username::{self, Username};

const REGISTER: &str = "password.register";
const LOGIN: &str = "password.login";

/// Which kinds of hashes are stored is asked for at most this often.
const KINDS_FOR: Duration = Duration::from_secs(60);

/// More kinds of old hashes than this are not taken over: each costs every sign-in one comparison.
const MAX_KINDS: u32 = 4;

/// Registers, signs in, changes and removes.
#[derive(Clone)]
pub struct Passwords(pub(crate) Arc<Context>);

/// Who wants an account with a password.
pub struct RegisterPassword {
    /// The new account's public handle; not looked at where accounts are called by their addresses.
    pub username: Option<String>,
    /// What a person reads; the username when absent.
    pub display_name: Option<String>,
    /// An e-mail address, unproven.
    pub email: Option<String>,
    /// The code that was mailed to the new account's address, where accounts are called by theirs.
    pub proof: Option<AddressProof>,
    /// The password as typed.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for RegisterPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegisterPassword(..)")
    }
}

/// A sign-in by password alone.
#[derive(Debug)]
pub struct PasswordSignIn {
    /// The account.
    pub account: Account,
    /// The new session.
    pub session: Session,
    /// Its token.
    pub token: SessionToken,
    /// Whether to offer making a passkey: the account has none.
    pub offer_passkey: bool,
}

/// The kinds of hashes that are stored, as found a moment ago.
#[derive(Default)]
pub(crate) struct KnownKinds(Mutex<Option<(UnixTime, Vec<HashKind>)>>);

impl Passwords {
    /// Makes an account with a password.
    ///
    /// # Errors
    /// [`Error::NotFound`] (a password alone does not sign in here), [`Error::InvalidRequest`] (also an unacceptable
    /// password), [`Error::UsernameTaken`], [`Error::RateLimited`], [`Error::Busy`], [`Error::Storage`].
    pub async fn register(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        request: RegisterPassword,
    ) -> Result<PasswordSignIn, Error> {
        self.require_fallback()?;
        let result = self.try_register(client, current, request).await;
        self.0
            .concluded(client, REGISTER, Subject::default(), result)
            .await
    }

    async fn try_register(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        request: RegisterPassword,
    ) -> Result<PasswordSignIn, Error> {
        self.0
            .limit(|limits| {
                let mut buckets = limits.password(client.ip, None);
                buckets.push(limits.username(client.ip));
                buckets
            })
            .await?;
        let display_name = request.display_name.as_deref();
        let display_name = display_name
            .map(|text| username::label("displayName", text))
            .transpose()?;
        // What is refused by itself is refused before a code is used up for it.
        let password =
            self.0
                .acceptable_password(Rules::ONLY_FACTOR, &request.password, [None, None, None])?;
        let (username, display_name, address) = match self.0.settings.identifier {
            Identifier::Email => {
                let proof = request.proof.as_ref().ok_or(Error::EmailRequired)?;
                let address = self.0.proven_address(client, proof).await?;
                let username = Username::of_address(&self.0.keys, &address)?;
                let shown = display_name.unwrap_or_else(|| username::display_name_of(&address));
                (username, shown, Some(address))
            }
            Identifier::Username => {
                let username = request.username.as_deref();
                let username = username.ok_or_else(|| Error::invalid("username: missing"))?;
                let username = Username::parse(username)?;
                let shown = display_name.unwrap_or_else(|| username.as_str().to_owned());
                (
                    username,
                    shown,
                    request.email.as_deref().map(username::email).transpose()?,
                )
            }
        };
        let email = address.clone().map(String::from);
        let names = [
            Some(username.as_str()),
            Some(display_name.as_str()),
            email.as_deref(),
        ];
        self.0
            .acceptable_password(Rules::ONLY_FACTOR, &request.password, names)?;
        if self.0.durable.username_exists(username.as_str()).await? {
            return Err(Error::UsernameTaken);
        }
        let now = self.0.clock.now();
        let mut account = self.new_account(&username, display_name, email, now)?;
        account.last_login_at = Some(now);
        account.email_verified = self.0.settings.identifier == Identifier::Email;
        let password = self.0.hash_password(account.id, password, false).await?;
        let (session, token) = self
            .0
            .open_session(client, account.id, None, &Proof::password())?;
        let subject = Subject {
            session: Some(session.id),
            ..Subject::account(&account)
        };
        let mut audit = self.0.success(client, REGISTER, subject)?;
        let mut claim = None;
        if let Some(address) = address.filter(|_| !account.email_verified) {
            let (first, mail) = self.0.first_claim(client, account.id, &address).await?;
            claim = Some(first);
            audit.mails.extend(mail);
        }
        let registration = PasswordRegistration {
            account: account.clone(),
            password,
            claim,
            session: Some(session.clone()),
            ends_session: current.map(|current| current.session().id),
            audit,
        };
        match self.0.durable.register_password(registration).await? {
            PasswordRegistrationOutcome::Committed => Ok(PasswordSignIn {
                account,
                session,
                token,
                offer_passkey: true,
            }),
            PasswordRegistrationOutcome::UsernameTaken => Err(Error::UsernameTaken),
        }
    }

    /// Signs in with a password. An unknown name, an account without a password, a locked one and a wrong password have
    /// one answer, after the same work.
    ///
    /// # Errors
    /// [`Error::NotFound`] (a password alone does not sign in here), [`Error::InvalidRequest`] (no account can have the
    /// name, or no account the password), [`Error::AuthenticationFailed`], [`Error::RateLimited`], [`Error::Busy`],
    /// [`Error::Storage`].
    pub async fn sign_in(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        username: &str,
        password: &str,
    ) -> Result<PasswordSignIn, Error> {
        self.require_fallback()?;
        let mut subject = Subject::default();
        let result = self
            .try_sign_in(client, current, username, password, &mut subject)
            .await;
        self.0
            .concluded(client, LOGIN, subject, result)
            .await
            .map_err(undisclosed)
    }

    async fn try_sign_in(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        username: &str,
        password: &str,
        subject: &mut Subject,
    ) -> Result<PasswordSignIn, Error> {
        // A name that nobody can have is refused, and counted all the same.
        let username = self.0.name(username);
        let name = username.as_ref().ok().map(|name| name.as_str().as_bytes());
        self.0.limit(|limits| limits.password(client.ip, name)).await?;
        let username = username?;
        let password = parsed("password", password)?;
        let candidate = self.0.durable.password_candidate(username.as_str()).await?;
        if let Some(candidate) = &candidate {
            subject.is_about(&candidate.account);
        }
        let stored = candidate.as_ref().and_then(|found| found.password.clone());
        let compared = stored.as_ref().map(|stored| stored.hash.clone());
        let verdict = self.0.compare_password(&password, compared).await?;
        let (Some(candidate), Some(stored)) = (candidate, stored) else {
            return Err(Error::UserNotFound);
        };
        if verdict == Verdict::Wrong {
            return Err(Error::AuthenticationFailed);
        }
        let asks_client_key = match self.0.settings.client_key {
            Demand::ByAccount => candidate.has_client_key,
            Demand::Off => false,
            Demand::Required => true,
        };
        if stored.with_passkey || asks_client_key {
            return Err(Error::forbidden(
                "this account signs in with more than a password",
            ));
        }
        let account = candidate.account;
        let rehashed = match verdict {
            Verdict::RightButOld => {
                let hashed = self.0.hash_password(account.id, password, false).await?;
                Some((hashed.hash, hashed.kind))
            }
            Verdict::Right | Verdict::Wrong => None,
        };
        let (session, token) = self
            .0
            .open_session(client, account.id, None, &Proof::password())?;
        subject.session = Some(session.id);
        let login = PasswordLogin {
            session: session.clone(),
            compared: stored.hash,
            rehashed,
            ends_session: current.map(|current| current.session().id),
            audit: self.0.success(client, LOGIN, subject.clone())?,
        };
        match self.0.durable.commit_password_login(login).await? {
            PasswordLoginOutcome::AccountLocked => Err(Error::AccountLocked),
            PasswordLoginOutcome::Committed => Ok(PasswordSignIn {
                account: Account {
                    last_login_at: Some(session.created_at),
                    ..account
                },
                session,
                token,
                offer_passkey: !candidate.has_passkey,
            }),
            PasswordLoginOutcome::PasswordChanged => Err(Error::AuthenticationFailed),
        }
    }

    fn require_fallback(&self) -> Result<(), Error> {
        match self.0.settings.passwords.fallback {
            true => Ok(()),
            false => Err(Error::NotFound),
        }
    }

    fn new_account(
        &self,
        username: &Username,
        display_name: String,
        email: Option<String>,
        now: UnixTime,
    ) -> Result<Account, Error> {
        let mut handle = [0; 32];
        self.0.random.fill(&mut handle)?;
        Ok(Account {
            id: AccountId(self.0.random_uuid()?),
            user_handle: UserHandle::try_from(&handle[..]).map_err(|_| Error::Busy)?,
            username: username.as_str().to_owned(),
            display_name,
            email,
            email_verified: false,
            active: true,
            role: Role::User,
            created_at: now,
            updated_at: now,
            last_login_at: None,
        })
    }
}

impl Context {
    /// A password that its owner may choose. An attacker tries the account's and the service's names first.
    pub(crate) fn acceptable_password(
        &self,
        rules: Rules,
        typed: &str,
        names: [Option<&str>; 3],
    ) -> Result<Password, Error> {
        let password = parsed("password", typed)?;
        let settings = &self.settings;
        let service = [settings.rp_name.as_str(), settings.relying_party.id.as_str()];
        let context: Vec<&str> = names.into_iter().flatten().chain(service).collect();
        rules
            .check(&password, &context)
            .map_err(|unacceptable| Error::invalid(format!("password: {unacceptable}")))?;
        Ok(password)
    }

    /// What is stored of a password: its hash, under a new salt.
    pub(crate) async fn hash_password(
        &self,
        account: AccountId,
        password: Password,
        with_passkey: bool,
    ) -> Result<PasswordVerifier, Error> {
        let mut salt = [0; 16];
        self.random.fill(&mut salt)?;
        let hash = self.hashing.hash(password, salt).await.map_err(refused)?;
        Ok(PasswordVerifier {
            account,
            kind: HashKind::current().as_str().to_owned(),
            hash,
            with_passkey,
            changed_at: self.clock.now(),
        })
    }

    /// Compares with what is stored, or with nothing, in the same time.
    pub(crate) async fn compare_password(
        &self,
        password: &Password,
        stored: Option<String>,
    ) -> Result<Verdict, Error> {
        let kinds = self.hash_kinds().await?;
        let verdict = self.hashing.verify_evenly(password.clone(), stored, kinds);
        verdict.await.map_err(refused)
    }

    /// The kinds of hashes that are stored.
    async fn hash_kinds(&self) -> Result<Vec<HashKind>, Error> {
        let now = self.clock.now();
        if let Some((at, kinds)) = &*self.hash_kinds.0.lock().unwrap_or_else(PoisonError::into_inner)
            && now.saturating_since(*at) < KINDS_FOR
        {
            return Ok(kinds.clone());
        }
        let stored = self.durable.password_kinds(MAX_KINDS.saturating_add(1)).await?;
        let kinds: Vec<_> = stored
            .iter()
            .filter_map(|kind| HashKind::parse(kind).ok())
            .collect();
        let mut known = self.hash_kinds.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((now, kinds.clone()));
        Ok(kinds)
    }
}

/// What somebody typed, where it can be a password.
fn parsed(field: &'static str, typed: &str) -> Result<Password, Error> {
    Password::new(typed).map_err(|invalid| Error::invalid(format!("{field}: {invalid}")))
}

/// The one answer for every reason that tells something about an account.
fn undisclosed(error: Error) -> Error {
    match error.code() {
        "account_locked" | "forbidden" | "user_not_found" => Error::AuthenticationFailed,
        _ => error,
    }
}

fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Busy => Error::Busy,
        Refused::Failed(_) => {
            tracing::error!("a password could not be hashed");
            Error::Busy
        }
        Refused::Unknown(unknown) => Error::Storage(
            keyhaven_storage::StorageError::new("password.compare", unknown).because("damaged"),
        ),
    }
}
