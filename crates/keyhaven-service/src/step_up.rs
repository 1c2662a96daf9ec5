//! Proving presence again, for one purpose, without a new session.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use keyhaven_core::{AuthenticationResponse, ExpectedUser};
use keyhaven_storage::{CeremonyId, StepUpGrant};
use keyhaven_types::UnixTime;
use keyhaven_types::options::{CredentialDescriptor, CredentialType, RequestOptions};

use crate::assertion::{Effects, Expected};
use crate::audit::Subject;
use crate::ceremony::{Kind, Started, account_id, session_id};
use crate::client::Client;
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
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// What for.
    pub purpose: Purpose,
    /// Until when.
    pub expires_at: UnixTime,
}

impl StepUps {
    /// Starts a step-up: asks for an assertion by one of the account's own passkeys.
    ///
    /// # Errors
    /// [`Error::NoPasskeys`], [`Error::RateLimited`], [`Error::Busy`], [`Error::Storage`].
    pub async fn start(
        &self,
        client: &Client,
        current: &SignedIn,
        purpose: Purpose,
    ) -> Result<Started<RequestOptions>, Error> {
        match self.try_start(client, current, purpose).await {
            Ok(started) => {
                self.0.observe(START, "ok");
                Ok(started)
            }
            Err(error) => Err(self.0.refuse(client, START, of(current), error).await),
        }
    }

    async fn try_start(
        &self,
        client: &Client,
        current: &SignedIn,
        purpose: Purpose,
    ) -> Result<Started<RequestOptions>, Error> {
        self.0
            .limit(|limits| limits.address(Attempt::StepUp, client.ip))
            .await?;
        let credentials = self.0.durable.credentials_of(current.account_id()).await?;
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
        let kind = |allowed| Kind::StepUp {
            account,
            session,
            purpose,
            allowed,
        };
        self.0.begin_assertion(client, own, kind).await
    }

    /// Finishes a step-up: verifies the response, then stores sign count, grant and event together.
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
        ceremony: Option<CeremonyId>,
        response: &[u8],
    ) -> Result<Granted, Error> {
        let mut subject = of(current);
        match self
            .try_finish(client, current, ceremony, response, &mut subject)
            .await
        {
            Ok(granted) => {
                self.0.observe(FINISH, "ok");
                Ok(granted)
            }
            Err(error) => Err(self.0.refuse(client, FINISH, subject, error).await),
        }
    }

    async fn try_finish(
        &self,
        client: &Client,
        current: &SignedIn,
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
        } = &taken.kind
        else {
            return Err(Error::ChallengeMissing);
        };
        if account_id(*account) != current.account_id() || session_id(*session) != current.session().id {
            return Err(Error::ChallengeMissing);
        }
        let json = response;
        let response = AuthenticationResponse::from_json(json)?;
        let expected = Expected {
            json,
            taken: &taken,
            allowed,
            user: ExpectedUser::Identified,
        };
        let expires_at = self.0.clock.now().saturating_add(GRANT_LIFETIME);
        self.0
            .assert(&response, &expected, subject, |owned, _| {
                // The allow-list holds the account's own credentials only; this is the belt to those braces.
                if owned.account.id != current.account_id() {
                    return Err(Error::ChallengeMissing);
                }
                let grant = StepUpGrant {
                    session: current.session().id,
                    purpose: purpose.as_str().to_owned(),
                    expires_at,
                };
                let subject = Subject {
                    credential: Some(owned.credential.id.clone()),
                    ..of(current)
                };
                let effects = Effects {
                    session: None,
                    grant: Some(grant),
                    ends_session: None,
                    audit: self.0.success(client, FINISH, subject)?,
                };
                Ok((effects, ()))
            })
            .await?;
        Ok(Granted {
            purpose: *purpose,
            expires_at,
        })
    }
}

fn of(current: &SignedIn) -> Subject {
    Subject {
        session: Some(current.session().id),
        ..Subject::account(current.account_id())
    }
}
