//! Security events: one for each success and each refusal, with a keyed MAC, appended in the transaction it records.

use keyhaven_audit::canonical;
use keyhaven_core::{SignCountCheck, VerifiedAssertion};
use keyhaven_storage::{Account, AccountId, Actor, Aftermath, AuditEvent, AuditOutcome, EventId, SessionId};
use keyhaven_types::{CredentialId, UserHandle};
use ring::hmac;

use crate::client::Client;
use crate::context::Context;
use crate::error::Error;
use crate::personal::Personal;
use crate::secrets::Keys;
use crate::sessions::SignedIn;

/// What an event is about, as far as it is known when it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) account: Option<AccountId>,
    /// What goes with the account when that is deleted, and what the event holds of its owner with it.
    pub(crate) person: Option<UserHandle>,
    pub(crate) credential: Option<CredentialId>,
    pub(crate) session: Option<SessionId>,
    /// Who did it, where that was not the account's own owner.
    pub(crate) actor: Option<Actor>,
}

impl Subject {
    pub(crate) fn account(account: &Account) -> Self {
        let mut subject = Self::default();
        subject.is_about(account);
        subject
    }

    /// The account behind a session.
    pub(crate) fn session(current: &SignedIn) -> Self {
        Self {
            session: Some(current.session().id),
            ..Self::account(current.account())
        }
    }

    /// An account of which no more than its id is known: nothing of who asks is kept then.
    pub(crate) fn pseudonym(account: Option<AccountId>) -> Self {
        Self {
            account,
            ..Self::default()
        }
    }

    pub(crate) fn is_about(&mut self, account: &Account) {
        self.account = Some(account.id);
        self.person = Some(account.user_handle.clone());
    }
}

impl Context {
    /// An event that says `action` happened; mails may join it.
    pub(crate) fn success(
        &self,
        client: &Client,
        action: &str,
        subject: Subject,
    ) -> Result<Aftermath, Error> {
        let event = self.event(Some(client), action, AuditOutcome::Success, None, None, subject)?;
        Ok(event.into())
    }

    /// An event that no request is the reason for.
    pub(crate) fn own_event(
        &self,
        action: &str,
        outcome: AuditOutcome,
        code: Option<&str>,
        subject: Subject,
    ) -> Result<AuditEvent, Error> {
        self.event(None, action, outcome, code.map(str::to_owned), None, subject)
    }

    /// An event that says `action` happened, and of what kind it was.
    pub(crate) fn noted(
        &self,
        client: &Client,
        action: &str,
        code: &str,
        subject: Subject,
    ) -> Result<Aftermath, Error> {
        let code = Some(code.to_owned());
        let event = self.event(Some(client), action, AuditOutcome::Success, code, None, subject)?;
        Ok(event.into())
    }

    /// An event that says an assertion was accepted; with the code of what policy let pass.
    pub(crate) fn asserted(
        &self,
        client: &Client,
        action: &str,
        subject: Subject,
        verified: &VerifiedAssertion,
    ) -> Result<Aftermath, Error> {
        match verified.sign_count() {
            SignCountCheck::Regressed { .. } => {
                tracing::warn!(
                    action,
                    request_id = client.request_id,
                    "accepted although the sign count went back"
                );
                self.noted(client, action, "counter_regression", subject)
            }
            SignCountCheck::Advanced | SignCountCheck::NotSupported => self.success(client, action, subject),
        }
    }

    /// Counts what became of an action, where it is part of a ceremony.
    pub(crate) fn observe(&self, action: &'static str, outcome: &'static str) {
        if let Some((ceremony @ ("login" | "password" | "recovery" | "registration" | "step_up"), stage)) =
            action.split_once('.')
        {
            self.observer.ceremony(ceremony, stage, outcome);
        }
    }

    /// What became of `action`, counted, and recorded where it was refused.
    pub(crate) async fn concluded<T>(
        &self,
        client: &Client,
        action: &'static str,
        subject: Subject,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        match result {
            Ok(done) => {
                self.observe(action, "ok");
                Ok(done)
            }
            Err(error) => Err(self.refuse(client, action, subject, error).await),
        }
    }

    /// Records that `action` was refused, and gives the refusal back. Where the event cannot be written the answer is
    /// that failure: nothing happens unrecorded.
    pub(crate) async fn refuse(
        &self,
        client: &Client,
        action: &'static str,
        subject: Subject,
        error: Error,
    ) -> Error {
        self.observe(action, error.code());
        // A flood of attempts must not become a flood of rows, nor of lines: the metrics count them.
        if matches!(error, Error::Busy | Error::RateLimited { .. }) {
            tracing::debug!(
                action,
                code = error.code(),
                request_id = client.request_id,
                "not carried out"
            );
            return error;
        }
        // An outage is no verdict.
        if matches!(error, Error::Storage(_) | Error::Random(_)) {
            tracing::warn!(
                action,
                code = error.code(),
                request_id = client.request_id,
                "not carried out"
            );
            return error;
        }
        tracing::info!(
            action,
            code = error.code(),
            request_id = client.request_id,
            "refused"
        );
        let (code, step) = (Some(error.code().to_owned()), error.step());
        let event = match self.event(Some(client), action, AuditOutcome::Refused, code, step, subject) {
            Ok(event) => event,
            Err(unwritten) => return unwritten,
        };
        match self.durable.append_event(event).await {
            Ok(()) => error,
            Err(unwritten) => Error::Storage(unwritten),
        }
    }

    /// An event, whatever it says.
    pub(crate) fn event(
        &self,
        client: Option<&Client>,
        action: &str,
        outcome: AuditOutcome,
        code: Option<String>,
        step: Option<String>,
        subject: Subject,
    ) -> Result<AuditEvent, Error> {
        let at = self.clock.now();
        let id = EventId(self.time_ordered_uuid(at)?);
        // Of an account whose owner's key is not at hand: rather nothing than what outlives the account.
        let nobodys = subject.account.is_none() && subject.actor.is_none();
        let kept = client.filter(|_| nobodys || subject.person.is_some());
        let personal = kept.map(|client| {
            let person = subject.person.as_ref();
            Personal::of(client).sealed(&self.keys, person, id, &*self.random)
        });
        let mut event = AuditEvent {
            id,
            at,
            action: action.to_owned(),
            outcome,
            code,
            step,
            account: subject.account,
            credential: subject.credential,
            session: subject.session,
            ip: None,
            user_agent: None,
            request_id: None,
            personal: personal.transpose()?,
            actor: subject.actor,
            mac: [0; 32],
        };
        let mac = hmac::sign(&self.keys.audit, &canonical(&event));
        event.mac.copy_from_slice(mac.as_ref());
        Ok(event)
    }

    /// Whether an event's MAC is right: false when any of its fields was changed.
    #[must_use]
    pub(crate) fn event_is_authentic(&self, event: &AuditEvent) -> bool {
        self.keys.event_is_authentic(event)
    }
}

impl Keys {
    pub(crate) fn event_is_authentic(&self, event: &AuditEvent) -> bool {
        hmac::verify(&self.audit, &canonical(event), &event.mac).is_ok()
    }
}
