//! Proving presence again, for one purpose, without a new session.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use keyhaven_core::{AssertionError, AuthenticationResponse, ExpectedUser};
use keyhaven_storage::{CeremonyId, StepUpGrant};
use keyhaven_types::options::{CredentialDescriptor, CredentialType, RequestOptions};
use keyhaven_types::{UnixTime, base64url};

use crate::assertion::{Effects, Expected};
use crate::audit::Subject;
use crate::ceremony::{BoundAction, Kind, Started, account_id, session_id};
use crate::client::{Client, SessionToken};
use crate::confirmation::Confirmation;
use crate::context::Context;
use crate::error::Error;
use crate::limits::Attempt;
use crate::sessions::SignedIn;

const START: &str = "step_up.start";
const FINISH: &str = "step_up.finish";

/// How long a grant lives.
const GRANT_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Gives grants.
#[derive(Clone)]
pub struct StepUps(pub(crate) Arc<Context>);

/// What a grant is for. A grant for one purpose serves no other.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// An action of the application's own.
    Action,
    /// Adding a passkey.
    AddPasskey,
    /// Administration.
    Admin,
    /// Another e-mail address.
    ChangeEmail,
    /// Another password.
    ChangePassword,
    /// Deleting the account.
    DeleteAccount,
    /// Deleting passkeys.
    DeletePasskey,
    /// Exporting the account's data.
    Export,
}

impl Purpose {
    const ALL: [Self; 8] = [
        Self::Action,
        Self::AddPasskey,
        Self::Admin,
        Self::ChangeEmail,
        Self::ChangePassword,
        Self::DeleteAccount,
        Self::DeletePasskey,
        Self::Export,
    ];

    /// The purpose as it stands in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::AddPasskey => "add_passkey",
            Self::Admin => "admin",
            Self::ChangeEmail => "change_email",
            Self::ChangePassword => "change_password",
            Self::DeleteAccount => "delete_account",
            Self::DeletePasskey => "delete_passkey",
            Self::Export => "export",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Purpose {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
            .ok_or_else(|| Error::invalid("purpose: not one of those documented"))
    }
}

/// A grant that was given.
#[derive(Debug)]
pub struct Granted {
    /// What for.
    pub purpose: Purpose,
    /// Until when.
    pub expires_at: UnixTime,
    /// What shows that an action was confirmed, where the ceremony bound one.
    pub confirmation: Option<Confirmation>,
    /// The session's new token, the only one that lasts.
    pub token: SessionToken,
}

/// What a session's grant for this purpose, and this action, is stored as: at most 50 characters.
fn grant_name(purpose: Purpose, action: Option<&[u8; 32]>) -> String {
    match action {
        None => purpose.as_str().to_owned(),
        Some(hash) => format!("{purpose}:{}", base64url::encode(hash)),
    }
}

impl StepUps {
    /// Starts a step-up: asks for an assertion by one of the account's own passkeys. With the SHA-256 of an action the
    /// challenge is made from it, so that the signature confirms that action and no other.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] (an action for another purpose than [`Purpose::Action`]), [`Error::NoPasskeys`] (none is in
    /// use), [`Error::NoPasskeyYet`] (there is none), [`Error::RateLimited`], [`Error::Busy`], [`Error::Storage`].
    pub async fn start(
        &self,
        client: &Client,
        current: &SignedIn,
        purpose: Purpose,
        action: Option<[u8; 32]>,
    ) -> Result<Started<RequestOptions>, Error> {
        let result = self.try_start(client, current, purpose, action).await;
        self.0.concluded(client, START, of(current), result).await
    }

    async fn try_start(
        &self,
        client: &Client,
        current: &SignedIn,
        purpose: Purpose,
        action: Option<[u8; 32]>,
    ) -> Result<Started<RequestOptions>, Error> {
        if action.is_some() && purpose != Purpose::Action {
            return Err(Error::invalid("actionHash: only for the purpose action"));
        }
        self.0
            .limit(|limits| limits.address(Attempt::StepUp, client.ip))
            .await?;
        if current.is_recovery() {
            return Err(Error::forbidden("a recovery can only add a passkey"));
        }
        let credentials = self.0.durable.credentials_of(current.account_id()).await?;
        if credentials.is_empty() {
            // Signed in by a password, then: it adds the first passkey, and that confirms.
            return Err(Error::NoPasskeyYet);
        }
        let own: Vec<_> = credentials
            .into_iter()
            .filter(|credential| credential.active)
            .map(|credential| CredentialDescriptor {
                id: credential.id,
                kind: CredentialType::PublicKey,
                transports: credential.transports,
            })
            .collect();
        if own.is_empty() {
            return Err(Error::NoPasskeys);
        }
        let (account, session) = (current.account_id().0, current.session().id.0);
        let action = action.map(|hash| self.bind(hash)).transpose()?;
        let challenge = match &action {
            None => self.0.new_challenge()?,
            Some(action) => action.challenge(),
        };
        let kind = |allowed| Kind::StepUp {
            account,
            session,
            purpose,
            allowed,
            action,
        };
        self.0.begin_assertion(client, challenge, own, kind).await
    }

    fn bind(&self, hash: [u8; 32]) -> Result<BoundAction, Error> {
        let mut nonce = [0; 32];
        self.0.random.fill(&mut nonce)?;
        Ok(BoundAction { hash, nonce })
    }

    /// Finishes a step-up: verifies the response, then stores sign count, grant, the session's new token and the event
    /// together. `token` is the one that the request came with, the session's or one just replaced: whoever has replaced
    /// it meanwhile has not proven the passkey, and is left with a token that is replaced.
    ///
    /// # Errors
    /// [`Error::ChallengeMissing`] (also another session's ceremony), [`Error::Assertion`],
    /// [`Error::CredentialNotFound`], [`Error::CredentialRevoked`], [`Error::AccountLocked`],
    /// [`Error::SessionExpired`], [`Error::RateLimited`], [`Error::Storage`]. The ceremony is used up in every case but
    /// [`Error::RateLimited`].
    pub async fn finish(
        &self,
        client: &Client,
        current: &SignedIn,
        token: &SessionToken,
        ceremony: Option<CeremonyId>,
        response: &[u8],
    ) -> Result<Granted, Error> {
        let mut subject = of(current);
        let result = self
            .try_finish(client, current, token, ceremony, response, &mut subject)
            .await;
        self.0.concluded(client, FINISH, subject, result).await
    }

    async fn try_finish(
        &self,
        client: &Client,
        current: &SignedIn,
        token: &SessionToken,
        ceremony: Option<CeremonyId>,
        response: &[u8],
        subject: &mut Subject,
    ) -> Result<Granted, Error> {
        let account = [b"step-up ", &current.account_id().0.as_bytes()[..]].concat();
        self.0
            .limit(|limits| vec![limits.pair(client.ip, &account)])
            .await?;
        let taken = self
            .0
            .take(client, ceremony.ok_or(Error::ChallengeMissing)?)
            .await?;
        let Kind::StepUp {
            account,
            session,
            purpose,
            allowed,
            action,
        } = &taken.kind
        else {
            return Err(Error::ChallengeMissing);
        };
        if account_id(*account) != current.account_id() || session_id(*session) != current.session().id {
            return Err(Error::ChallengeMissing);
        }
        let json = response;
        let response = AuthenticationResponse::from_json(json)?.without_empty_user_handle();
        let expected = Expected {
            json,
            taken: &taken,
            allowed,
            user: ExpectedUser::Identified,
        };
        let expires_at = self.0.clock.now().saturating_add(GRANT_LIFETIME);
        // Who may do more from now on is known by another token than who might do less.
        let token = token.next(&*self.0.random)?;
        let asserted = self
            .0
            .assert(
                client,
                &response,
                &expected,
                None,
                subject,
                |owned, verified, _| {
                    // The allow-list holds the account's own credentials only; this is the belt to those braces.
                    if owned.account.id != current.account_id() {
                        return Err(Error::ChallengeMissing);
                    }
                    // Whatever the deployment asks of everybody else.
                    if *purpose == Purpose::Admin && !verified.user_verified() {
                        return Err(AssertionError::UserVerificationMissing.into());
                    }
                    let grant = StepUpGrant {
                        session: current.session().id,
                        purpose: grant_name(*purpose, action.as_ref().map(|action| &action.hash)),
                        expires_at,
                    };
                    let confirmation = action
                        .map(|action| Confirmation::new(&self.0.settings, &taken, &action, owned, json))
                        .transpose()?;
                    let subject = Subject {
                        credential: Some(owned.credential.id.clone()),
                        ..of(current)
                    };
                    let effects = Effects {
                        session: None,
                        grant: Some(grant),
                        rotation: Some(token.hash()),
                        ends_session: None,
                        audit: self.0.asserted(client, FINISH, subject, verified)?,
                    };
                    Ok((effects, confirmation))
                },
            )
            .await?;
        Ok(Granted {
            purpose: *purpose,
            expires_at,
            confirmation: asserted.result,
            token,
        })
    }
}

fn of(current: &SignedIn) -> Subject {
    Subject::session(current)
}
