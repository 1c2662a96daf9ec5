//! What becomes of a passkey whose sign count goes back, as that of a copy does (WebAuthn L3 §6.1.1, §7.2 step 22).

use keyhaven_core::{AssertionError, SignCountCheck, SignCountRegression, VerifiedAssertion};
use keyhaven_mail::{CloneResponse, Content};
use keyhaven_storage::{
    AlarmEffect, CloneAlarm, CloneAlarmOutcome, Credential, InactiveReason, OwnedCredential, Reinstatement,
    ReinstatementOutcome,
};
use keyhaven_types::{CredentialId, SignCount, UnixTime};

use crate::audit::Subject;
use crate::client::Client;
use crate::context::Context;
use crate::error::Error;
use crate::mails::SECURITY;
use crate::moments::{DAY, ago};
use crate::passkeys::{Passkeys, of};
use crate::sessions::SignedIn;
use crate::step_up::Purpose;

const ALARM: &str = "credential.clone_alarm";
const REINSTATE: &str = "credential.reinstate";

/// What to do when a valid assertion has a sign count that did not rise, a fall from any count to zero included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClonePolicy {
    /// Refuse that assertion, and leave the passkey as it is.
    #[default]
    Refuse,
    /// Accept it; the event says so.
    Report,
    /// Refuse it, and take the passkey out of use for good: its owner registers a new one.
    Revoke,
    /// Refuse it, and take the passkey out of use until its owner has signed in another way and puts it back.
    Suspend,
}

impl ClonePolicy {
    /// What the verifier is told.
    pub(crate) const fn verdict(self) -> SignCountRegression {
        match self {
            Self::Report => SignCountRegression::Report,
            Self::Refuse | Self::Revoke | Self::Suspend => SignCountRegression::Refuse,
        }
    }

    const fn takes_out_of_use(self) -> Option<InactiveReason> {
        match self {
            Self::Refuse | Self::Report => None,
            Self::Revoke => Some(InactiveReason::CloneRevoked),
            Self::Suspend => Some(InactiveReason::CloneSuspended),
        }
    }

    /// What it is called in the event, and what the owner is told.
    const fn told(self) -> (&'static str, CloneResponse) {
        match self {
            Self::Refuse => ("clone_refused", CloneResponse::Refused),
            Self::Report => ("clone_reported", CloneResponse::Reported),
            Self::Revoke => (InactiveReason::CloneRevoked.as_str(), CloneResponse::Revoked),
            Self::Suspend => (InactiveReason::CloneSuspended.as_str(), CloneResponse::Suspended),
        }
    }
}

/// What an alarm came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Alarm {
    /// There is none, or it was sounded.
    Over,
    /// Another count is stored by now than the verdict was reached with: it is to be reached again.
    Stale,
}

impl Context {
    /// Sounds the alarm where the refusal is a sign count that went back and the passkey of an honest owner could not have
    /// come to it: see [`Self::alarm`].
    pub(crate) async fn sound_clone_alarm(
        &self,
        client: &Client,
        refusal: &Error,
        began: UnixTime,
        owned: &OwnedCredential,
    ) -> Result<Alarm, Error> {
        let Error::Assertion(AssertionError::CounterRegression { stored, received }) = *refusal else {
            return Ok(Alarm::Over);
        };
        if is_overtaken(owned, began, stored, received) {
            return Ok(Alarm::Over);
        }
        self.known.forget(&owned.credential.id);
        self.alarm(client, owned, owned.credential.sign_count).await
    }

    /// Tells the owner of an assertion that was accepted although its sign count went back; `before` is the credential as
    /// it was then, and `now` the count that is stored since. Where yet another was stored meanwhile, that sign-in counts.
    pub(crate) async fn report_clone(
        &self,
        client: &Client,
        verified: &VerifiedAssertion,
        began: UnixTime,
        before: &OwnedCredential,
        now: SignCount,
    ) -> Result<(), Error> {
        let SignCountCheck::Regressed {
            stored: SignCount(stored),
            received: SignCount(received),
        } = verified.sign_count()
        else {
            return Ok(());
        };
        if !is_overtaken(before, began, stored, received) {
            self.alarm(client, before, now).await?;
        }
        Ok(())
    }

    /// What policy says, in one commit with its event and the mail that tells the owner: the credential is taken out of use
    /// and the sessions it opened end; or the owner is told alone, of each passkey once a day, so that whoever has a copy
    /// cannot flood anybody.
    async fn alarm(
        &self,
        client: &Client,
        owned: &OwnedCredential,
        sign_count: SignCount,
    ) -> Result<Alarm, Error> {
        let (code, response) = self.settings.clones.told();
        let subject = Subject {
            credential: Some(owned.credential.id.clone()),
            ..Subject::account(&owned.account)
        };
        let told = Content::PasskeyCloned {
            passkey: owned.credential.device_name.clone(),
            response,
            review: self.link(SECURITY),
        };
        let alarm = CloneAlarm {
            credential: owned.credential.id.clone(),
            account: owned.account.id,
            expected_sign_count: sign_count,
            effect: match self.settings.clones.takes_out_of_use() {
                Some(reason) => AlarmEffect::OutOfUse(reason),
                None => AlarmEffect::ToldUnlessSince(ago(self.clock.now(), DAY)),
            },
            audit: self.announced(
                client,
                &owned.account,
                self.noted(client, ALARM, code, subject)?,
                told,
            )?,
        };
        Ok(match self.durable.commit_clone_alarm(alarm).await? {
            CloneAlarmOutcome::Committed => {
                tracing::warn!(
                    response = code,
                    request_id = client.request_id,
                    "the sign count of a passkey went back"
                );
                Alarm::Over
            }
            CloneAlarmOutcome::AlreadyInactive
            | CloneAlarmOutcome::CredentialMissing
            | CloneAlarmOutcome::ToldAlready => Alarm::Over,
            CloneAlarmOutcome::RecordChanged => Alarm::Stale,
        })
    }
}

/// Two assertions of one authenticator may arrive in another order than they were signed in. The later one to arrive then
/// has the smaller count, without any copy. It was signed for a ceremony that began before the credential was last used.
/// That both have the same count no authenticator does.
fn is_overtaken(owned: &OwnedCredential, began: UnixTime, stored: u32, received: u32) -> bool {
    received != 0
        && received < stored
        && owned
            .credential
            .last_used_at
            .is_some_and(|used_at| began <= used_at)
}

impl Passkeys {
    /// Puts a suspended passkey back in use: its owner has looked and knows of no copy. Needs what adding a passkey needs,
    /// a recent sign-in or a grant; by another passkey, since this one signs nobody in.
    ///
    /// # Errors
    /// [`Error::StepUpRequired`], [`Error::NotFound`] (none of the account's, or not suspended), [`Error::RateLimited`],
    /// [`Error::Storage`].
    pub async fn reinstate(
        &self,
        client: &Client,
        current: &SignedIn,
        id: &CredentialId,
    ) -> Result<Credential, Error> {
        self.0.limit_change(client, current).await?;
        match self.try_reinstate(client, current, id).await {
            Ok(()) => self.one(current, id).await,
            Err(error) => {
                let subject = of(current, Some(id));
                Err(self.0.refuse(client, REINSTATE, subject, error).await)
            }
        }
    }

    async fn try_reinstate(
        &self,
        client: &Client,
        current: &SignedIn,
        id: &CredentialId,
    ) -> Result<(), Error> {
        let now = self.0.clock.now();
        let purpose = Purpose::AddPasskey;
        let grant = self.0.grant_for(current, purpose).await?;
        let reinstatement = Reinstatement {
            account: current.account_id(),
            credential: id.clone(),
            uses_grant: grant.map(|purpose| (current.session().id, purpose, now)),
            audit: self.0.success(client, REINSTATE, of(current, Some(id)))?,
        };
        self.0.known.forget(id);
        match self.0.durable.reinstate_credential(reinstatement).await? {
            ReinstatementOutcome::GrantMissing => Err(Error::StepUpRequired { purpose }),
            ReinstatementOutcome::NotSuspended => Err(Error::NotFound),
            ReinstatementOutcome::Reinstated => Ok(()),
        }
    }
}
