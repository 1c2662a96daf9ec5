//! Recovering an account whose passkeys are lost: a code by mail, and, where the account has passkeys, a day in which its
//! owner can object, or a recovery code as well.
//!
//! What comes of it is a recovery session: it can add a passkey, read itself and end, nothing else. Adding the passkey ends
//! all other sessions.
//!
//! For an address that nobody has everything is done alike: a recovery is stored that leads nowhere, and a mail is queued
//! that is never sent. To a caller every failure is one failure; the event has the reason.

use std::sync::Arc;
use std::time::Duration;

use keyhaven_mail::{Content, Mail, Secret};
use keyhaven_storage::{
    Account, AccountId, AuditOutcome, CodeAttempt, CodesOutcome, CodesReplacement, Recovery, RecoveryOutcome,
    RecoveryProof, RecoveryStage, RecoveryStep, Role, Session, StorageError, TokenHash,
};
use keyhaven_types::UnixTime;
use subtle::ConstantTimeEq as _;

use crate::audit::Subject;
use crate::client::{Client, SecretToken, SessionToken};
use crate::codes::{digits, normalised, recovery_code};
use crate::context::Context;
use crate::error::Error;
use crate::limits::Attempt;
use crate::mails::SECURITY;
use crate::moments::{DAY, ago};
use crate::ports::RandomUnavailable;
use crate::sessions::{self, SignedIn, instead};
use crate::step_up::Purpose;
use crate::username;

const CANCEL: &str = "recovery.cancel";
const CODE: &str = "recovery.code";
const CODES: &str = "recovery.codes";
const REQUEST: &str = "recovery.request";
const VERIFY: &str = "recovery.verify";

/// How long a mailed code is good.
const CODE_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// More tries than these one recovery does not have: of the mailed code, and of recovery codes.
const TRIES: u32 = 5;

/// More codes than these are not mailed to one address in a day.
const CODES_A_DAY: u32 = 3;

/// More tries than these all codes of one address do not have in a day.
const TRIES_A_DAY: u32 = 10;

/// How long a recovery can be carried out once its wait is over.
const GRACE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// How many recovery codes an account has.
const RECOVERY_CODES: usize = 10;

/// How accounts are recovered.
#[derive(Clone, Copy, Debug)]
pub struct RecoverySettings {
    /// How long an account that has passkeys waits.
    pub wait: Duration,
    /// What becomes of the passkeys that were there before.
    pub old_passkeys: OldPasskeys,
    /// As many wrong codes within an hour, of all accounts together, raise an alarm.
    pub alarm: u64,
}

/// What becomes of the passkeys that an account had before it was recovered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OldPasskeys {
    /// They stay, and their owner is asked to look at them.
    Review,
    /// They go.
    Revoke,
}

impl Default for RecoverySettings {
    fn default() -> Self {
        Self {
            wait: DAY,
            old_passkeys: OldPasskeys::Review,
            alarm: 100,
        }
    }
}

/// Recovers accounts.
#[derive(Clone)]
pub struct Recoveries(pub(crate) Arc<Context>);

/// A recovery that was asked for.
#[derive(Debug)]
pub struct AskedRecovery {
    /// Names it from now on.
    pub id: SecretToken,
    /// The ceremony cookie's value, for a client that sent an Origin.
    pub browser: Option<SecretToken>,
}

/// How far a recovery has come by what was shown.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made once and taken apart at once")]
pub enum RecoveryProgress {
    /// A recovery session is open.
    Opened {
        /// The account.
        account: Account,
        /// The session.
        session: Session,
        /// Its token.
        token: SessionToken,
    },
    /// The account has passkeys: its owner has until then to object.
    Waiting(UnixTime),
}

/// How a recovery stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecoveryState {
    /// It was carried out or cancelled, or came to nothing.
    Ended,
    /// The code from the mail is expected.
    Pending,
    /// It can be carried out.
    Ready,
    /// It can be carried out from then on.
    Waiting(UnixTime),
}

impl Recoveries {
    /// Mails a code to an address, if an account has proven it; the answer is the same if none has.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] (no address), [`Error::NotFound`] (this deployment sends no mails),
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn request(&self, client: &Client, email: &str) -> Result<AskedRecovery, Error> {
        let context = &self.0;
        let address = username::email(email);
        let address_hash = address
            .as_ref()
            .ok()
            .map(|address| context.keys.address_hash(address.as_str()));
        context
            .limit(|limits| {
                let mut buckets = limits.address(Attempt::RecoveryStart, client.ip);
                buckets.extend(address_hash.map(|hash| limits.pair(client.ip, &hash)));
                buckets
            })
            .await?;
        let _ = context.recovery_settings()?;
        let (address, address_hash) = (address?, address_hash.unwrap_or_default());
        let owner = context.durable.address_owner(address.as_str()).await?;
        let owner = owner.filter(|owner| owner.active && !is_barred(owner));
        let id = SecretToken::random(&*context.random)?;
        let browser = match (&client.origin, &client.browser) {
            (None, _) => None,
            (Some(_), Some(known)) => Some(known.clone()),
            (Some(_), None) => Some(SecretToken::random(&*context.random)?),
        };
        let code = digits(&*context.random)?;
        let now = context.clock.now();
        let until = now.saturating_add(CODE_LIFETIME);
        // As the owner has proven it: a mail host may tell spellings apart.
        let proven = owner
            .as_ref()
            .and_then(|owner| owner.email.as_deref()?.parse().ok());
        let mail = Mail {
            to: proven.unwrap_or(address),
            language: context.language_of(client),
            // As long as the name of who has the address, or as a name is.
            username: Some(
                owner
                    .as_ref()
                    .map_or_else(|| "somebody".to_owned(), |owner| owner.name().to_owned()),
            ),
            occasion: Some(context.occasion(client)),
            content: Content::RecoveryCode {
                code: Secret(code.clone()),
                until,
            },
        };
        let mail = match &owner {
            Some(owner) => context.queued(Some(owner.id), &mail)?,
            None => context.queued_for_nobody(&mail)?,
        };
        let subject = owner.as_ref().map_or_else(Subject::default, Subject::account);
        let account = owner.map(|owner| owner.id);
        let mut audit = context.success(client, REQUEST, subject)?;
        audit.mails.extend(mail);
        let recovery = Recovery {
            id_hash: id.hash(),
            account,
            address_hash,
            browser: browser.as_ref().map(SecretToken::hash),
            code_hash: context.keys.mailed_code_hash(&id.hash(), &code),
            tries: 0,
            created_at: now,
            code_expires_at: until,
            stage: RecoveryStage::Asked,
            // Until the tries of today are no longer counted, and a wait and its grace are over.
            expires_at: now
                .saturating_add(DAY)
                .saturating_add(context.recovery_settings()?.wait)
                .saturating_add(GRACE),
        };
        let stored = context
            .durable
            .ask_recovery(recovery, CODES_A_DAY, ago(now, DAY), audit)
            .await?;
        if !stored {
            tracing::info!(
                request_id = client.request_id,
                "an address had its recovery codes for today; no further one is mailed"
            );
        }
        Ok(AskedRecovery { id, browser })
    }

    /// Shows the code from the mail; or, without one, takes a recovery up whose wait is over. The session that was presented
    /// ends where another is opened.
    ///
    /// # Errors
    /// [`Error::AuthenticationFailed`] for every reason there is; [`Error::InvalidRequest`] (not six digits),
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn verify(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        id: &str,
        code: Option<&str>,
    ) -> Result<RecoveryProgress, Error> {
        let id = self.limited(client, id).await?;
        if code.is_some_and(|code| code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(Error::invalid("otp: six digits"));
        }
        let mut subject = Subject::default();
        let progress = match code {
            None => self.take_up(client, current, &id, &mut subject).await,
            Some(code) => self.try_verify(client, current, &id, code, &mut subject).await,
        };
        self.answer(client, VERIFY, subject, progress).await
    }

    async fn try_verify(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        id: &TokenHash,
        code: &str,
        subject: &mut Subject,
    ) -> Result<RecoveryProgress, Failed> {
        let context = &self.0;
        let recovery = self.bound(client, id).await?;
        let (id_looked_up, account) = self.look_up(&recovery, subject).await?;
        // An administrator's since the mail was sent: then no code is right.
        let barred = account.as_ref().is_some_and(is_barred);
        let passkeys = context.durable.credentials_of(id_looked_up).await?;
        let now = context.clock.now();
        let (session, token) = context.open_recovery_session(client, id_looked_up)?;
        let cancel = SecretToken::random(&*context.random)?;
        let ready_at = now.saturating_add(context.recovery_settings()?.wait);
        // Also one that is suspended: who has a copy of a passkey could have it suspended, and so spare the wait.
        let waits = !passkeys.is_empty() && ready_at > now;
        let mut right = context.success(
            client,
            VERIFY,
            Subject {
                session: (!waits).then_some(session.id),
                ..subject.clone()
            },
        )?;
        // Made for everybody, so that the time does not tell for whom it is stored.
        let waiting = Content::RecoveryWaiting {
            cancel: context.link(&format!("cancel-recovery={}", cancel.to_text())),
            until: ready_at,
        };
        let notice = match &account {
            Some(account) => context.notice(client, account, waiting)?,
            None => context.notice_to_nobody(client, waiting)?,
        };
        right.mails.extend(notice.filter(|_| waits));
        let attempt = CodeAttempt {
            id_hash: *id,
            code_hash: if barred {
                [0; 32]
            } else {
                context.keys.mailed_code_hash(id, code)
            },
            at: now,
            max_tries: TRIES,
            max_tries_of_address: TRIES_A_DAY,
            since: ago(now, DAY),
            step: if waits {
                RecoveryStep::Wait {
                    ready_at,
                    cancel: cancel.hash(),
                }
            } else {
                RecoveryStep::Open(instead(current, &session))
            },
            right,
            wrong: context.failure(client, VERIFY, "recovery_code_wrong", subject.clone())?,
        };
        match (context.durable.try_code(attempt).await?, account) {
            (RecoveryOutcome::Taken, Some(_)) if waits => Ok(RecoveryProgress::Waiting(ready_at)),
            (RecoveryOutcome::Taken, Some(account)) => Ok(RecoveryProgress::Opened {
                account,
                session,
                token,
            }),
            (RecoveryOutcome::Wrong, _) => Err(Failed::Recorded),
            (RecoveryOutcome::Refused | RecoveryOutcome::Taken, _) => Err(Error::AuthenticationFailed.into()),
        }
    }

    async fn take_up(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        id: &TokenHash,
        subject: &mut Subject,
    ) -> Result<RecoveryProgress, Failed> {
        self.carry_out((client, current), id, VERIFY, subject, |_, _| {
            Ok(RecoveryProof::Waited)
        })
        .await
    }

    /// Shows one of the account's recovery codes beside the code from the mail: then nothing waits.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn verify_code(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        id: &str,
        code: &str,
    ) -> Result<RecoveryProgress, Error> {
        let id = self.limited(client, id).await?;
        let code = normalised(code).ok_or(Error::invalid("code: not a recovery code"))?;
        let mut subject = Subject::default();
        let context = &self.0;
        let proof = |account: AccountId, subject: &Subject| {
            Ok(RecoveryProof::Code {
                hash: context.keys.recovery_code_hash(account, &code),
                max_tries: TRIES,
                wrong: context.failure(client, CODE, "recovery_code_wrong", subject.clone())?,
            })
        };
        let progress = self
            .carry_out((client, current), &id, CODE, &mut subject, proof)
            .await;
        self.answer(client, CODE, subject, progress).await
    }

    async fn carry_out(
        &self,
        (client, current): (&Client, Option<&SignedIn>),
        id: &TokenHash,
        action: &'static str,
        subject: &mut Subject,
        proof: impl FnOnce(AccountId, &Subject) -> Result<RecoveryProof, Error>,
    ) -> Result<RecoveryProgress, Failed> {
        let context = &self.0;
        let recovery = self.bound(client, id).await?;
        let (id_looked_up, account) = self.look_up(&recovery, subject).await?;
        if account.as_ref().is_some_and(is_barred) {
            return Err(Error::AuthenticationFailed.into());
        }
        let (session, token) = context.open_recovery_session(client, id_looked_up)?;
        let event = context.success(
            client,
            action,
            Subject {
                session: Some(session.id),
                ..subject.clone()
            },
        )?;
        let proof = proof(id_looked_up, subject)?;
        let now = context.clock.now();
        let outcome = context
            .durable
            .carry_out_recovery(id, proof, now, instead(current, &session), event)
            .await?;
        match (outcome, account) {
            (RecoveryOutcome::Taken, Some(account)) => Ok(RecoveryProgress::Opened {
                account,
                session,
                token,
            }),
            (RecoveryOutcome::Wrong, _) => Err(Failed::Recorded),
            (RecoveryOutcome::Refused | RecoveryOutcome::Taken, _) => Err(Error::AuthenticationFailed.into()),
        }
    }

    /// How a recovery stands, for the browser that asked for it.
    ///
    /// # Errors
    /// [`Error::NotFound`] (unknown, or another browser's), [`Error::RateLimited`], [`Error::Storage`].
    pub async fn state(&self, client: &Client, id: &str) -> Result<RecoveryState, Error> {
        let not_found = |error| {
            if matches!(error, Error::AuthenticationFailed) {
                Error::NotFound
            } else {
                error
            }
        };
        let id = self.limited(client, id).await.map_err(not_found)?;
        let recovery = self.of_browser(client, &id).await.map_err(not_found)?;
        let now = self.0.clock.now();
        Ok(match recovery.stage {
            RecoveryStage::Waiting { ready_at, .. } if ready_at > now => RecoveryState::Waiting(ready_at),
            RecoveryStage::Waiting { .. } if recovery.expires_at > now => RecoveryState::Ready,
            // What leads nowhere looks like what does.
            RecoveryStage::Asked if recovery.code_expires_at > now => RecoveryState::Pending,
            RecoveryStage::Asked | RecoveryStage::Ended | RecoveryStage::Waiting { .. } => {
                RecoveryState::Ended
            }
        })
    }

    /// Cancels the recoveries of an account that are under way, and ends the sessions that they have opened: of whoever holds a
    /// mailed token, or of the account that is signed in.
    ///
    /// # Errors
    /// [`Error::NotFound`] (nothing to cancel), [`Error::RateLimited`], [`Error::Storage`].
    pub async fn cancel(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        token: Option<&str>,
    ) -> Result<(), Error> {
        let context = &self.0;
        context
            .limit(|limits| limits.address(Attempt::RecoveryTry, client.ip))
            .await?;
        let account = match (token, current) {
            (Some(token), _) => {
                let token = SecretToken::parse(token).ok_or(Error::NotFound)?;
                let found = context.durable.recovery_to_cancel(&token.hash()).await?;
                found.and_then(|recovery| recovery.account)
            }
            (None, Some(current)) => Some(current.account_id()),
            (None, None) => return Err(Error::Unauthenticated),
        };
        let account = account.ok_or(Error::NotFound)?;
        let owner = match current.filter(|current| current.account_id() == account) {
            None => context.durable.account(account).await?.ok_or(Error::NotFound)?,
            Some(current) => current.account().clone(),
        };
        let event = context.success(client, CANCEL, Subject::account(&owner))?;
        let now = context.clock.now();
        let cancelled = context.durable.cancel_recoveries(account, now, event).await?;
        match cancelled.saturating_add(self.end_sessions(client, &owner).await?) {
            0 => Err(Error::NotFound),
            _ => Ok(()),
        }
    }

    /// Ends the recovery sessions of an account, and tells how many there were.
    async fn end_sessions(&self, client: &Client, owner: &Account) -> Result<u64, Error> {
        let context = &self.0;
        let now = context.clock.now();
        let sessions = context.durable.sessions_of(owner.id, now).await?;
        let ids: Vec<_> = sessions
            .iter()
            .filter(|session| sessions::is_recovery(session))
            .map(|session| session.id)
            .collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let event = context.success(client, CANCEL, Subject::account(owner))?;
        Ok(context.durable.end_sessions(owner.id, &ids, event).await?)
    }

    /// Makes new recovery codes; those before no longer work. They are shown this once. Needs a recent sign-in, or uses
    /// up a grant for adding a passkey.
    ///
    /// # Errors
    /// [`Error::StepUpRequired`], [`Error::RateLimited`], [`Error::Storage`].
    pub async fn make_codes(&self, client: &Client, current: &SignedIn) -> Result<Vec<String>, Error> {
        self.0.limit_change(client, current).await?;
        let subject = Subject::session(current);
        match self.try_make_codes(client, current, subject.clone()).await {
            Ok(codes) => Ok(codes),
            Err(error) => Err(self.0.refuse(client, CODES, subject, error).await),
        }
    }

    async fn try_make_codes(
        &self,
        client: &Client,
        current: &SignedIn,
        subject: Subject,
    ) -> Result<Vec<String>, Error> {
        let context = &self.0;
        let purpose = Purpose::AddPasskey;
        let uses_grant = context.grant_for(current, purpose).await?;
        let mut codes = Vec::with_capacity(RECOVERY_CODES);
        let mut hashes = Vec::with_capacity(RECOVERY_CODES);
        for _ in 0..RECOVERY_CODES {
            let code = recovery_code(&*context.random)?;
            let plain = normalised(&code).ok_or(Error::Busy)?;
            hashes.push(context.keys.recovery_code_hash(current.account_id(), &plain));
            codes.push(code);
        }
        let event = context.success(client, CODES, subject)?;
        let content = Content::RecoveryCodesMade {
            review: context.link(SECURITY),
        };
        let audit = context.announced(client, current.account(), event, content)?;
        let replacement = CodesReplacement {
            account: current.account_id(),
            session: current.session().id,
            uses_grant,
            hashes,
            at: context.clock.now(),
            audit,
        };
        match context.durable.replace_recovery_codes(replacement).await? {
            CodesOutcome::GrantMissing => Err(Error::StepUpRequired { purpose }),
            CodesOutcome::Replaced => Ok(codes),
            CodesOutcome::SessionEnded => Err(Error::SessionExpired),
        }
    }

    /// How many wrong codes there were in the last hour, of all accounts together, and whether that is alarming.
    ///
    /// # Errors
    /// [`Error::Storage`]
    pub async fn failures(&self) -> Result<(u64, bool), Error> {
        let since = ago(self.0.clock.now(), Duration::from_secs(60 * 60));
        let failures = self.0.durable.recovery_failures(since).await?;
        let alarm = self.0.settings.recovery.alarm;
        Ok((failures, failures >= alarm.max(1)))
    }

    /// Counts a try, and reads the id.
    async fn limited(&self, client: &Client, id: &str) -> Result<TokenHash, Error> {
        let id = SecretToken::parse(id).map(|id| id.hash());
        self.0
            .limit(|limits| {
                let mut buckets = limits.address(Attempt::RecoveryTry, client.ip);
                buckets.extend(id.map(|id| limits.pair(client.ip, &id.0)));
                buckets
            })
            .await?;
        id.ok_or(Error::AuthenticationFailed)
    }

    /// The account that is recovered. Where there is none, an id that nobody has is looked up: what follows is done all the
    /// same, and comes to nothing.
    async fn look_up(
        &self,
        recovery: &Recovery,
        subject: &mut Subject,
    ) -> Result<(AccountId, Option<Account>), Error> {
        // Drawn for everybody: it takes its time, too.
        let nobody = AccountId(self.0.random_uuid()?);
        let id = recovery.account.unwrap_or(nobody);
        let account = self.0.durable.account(id).await?;
        if let Some(account) = &account {
            subject.is_about(account);
        }
        Ok((id, account))
    }

    /// The recovery, where this client asked for it. Nobody else can use its tries up.
    async fn bound(&self, client: &Client, id: &TokenHash) -> Result<Recovery, Error> {
        let recovery = self.of_browser(client, id).await?;
        if recovery.browser.is_some() == client.origin.is_some() {
            Ok(recovery)
        } else {
            Err(Error::AuthenticationFailed)
        }
    }

    /// The recovery, where it was asked for in this browser. Enough for reading: then a browser names no page of its own.
    async fn of_browser(&self, client: &Client, id: &TokenHash) -> Result<Recovery, Error> {
        let recovery = self.0.durable.recovery(id).await?;
        let recovery = recovery.ok_or(Error::AuthenticationFailed)?;
        let same = match (&recovery.browser, &client.browser) {
            (None, _) => client.origin.is_none(),
            (Some(bound), Some(presented)) => bound.0.ct_eq(&presented.hash().0).into(),
            (Some(_), None) => false,
        };
        if same {
            Ok(recovery)
        } else {
            Err(Error::AuthenticationFailed)
        }
    }

    async fn answer(
        &self,
        client: &Client,
        action: &'static str,
        subject: Subject,
        progress: Result<RecoveryProgress, Failed>,
    ) -> Result<RecoveryProgress, Error> {
        match progress {
            Ok(progress) => {
                self.0.observe(action, "ok");
                Ok(progress)
            }
            Err(Failed::Recorded) => {
                self.0.observe(action, "recovery_code_wrong");
                Err(Error::AuthenticationFailed)
            }
            Err(Failed::Error(error)) => Err(self.0.refuse(client, action, subject, error).await),
        }
    }
}

/// Who administers others comes back by an administrator's link or by the command line: a mailbox is not enough.
fn is_barred(account: &Account) -> bool {
    account.role == Role::Admin
}

/// Why a try came to nothing.
enum Failed {
    /// Its event is not written yet.
    Error(Error),
    /// Its event was written with the try.
    Recorded,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<RandomUnavailable> for Failed {
    fn from(error: RandomUnavailable) -> Self {
        Self::Error(error.into())
    }
}

impl From<StorageError> for Failed {
    fn from(error: StorageError) -> Self {
        Self::Error(error.into())
    }
}

impl Context {
    fn recovery_settings(&self) -> Result<&RecoverySettings, Error> {
        // Without mails there is nothing to recover by.
        self.settings.mail.as_ref().ok_or(Error::NotFound)?;
        Ok(&self.settings.recovery)
    }

    fn failure(
        &self,
        client: &Client,
        action: &str,
        code: &str,
        subject: Subject,
    ) -> Result<keyhaven_storage::AuditEvent, Error> {
        self.event(
            Some(client),
            action,
            AuditOutcome::Refused,
            Some(code.to_owned()),
            None,
            subject,
        )
    }
}
