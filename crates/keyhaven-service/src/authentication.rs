//! Signing in with a passkey, by name or without one (L3 §7.2).

use std::sync::Arc;

use keyhaven_core::{AuthenticationResponse, ExpectedUser};
use keyhaven_storage::{Account, CeremonyId, Credential, Session};
use keyhaven_types::Challenge;
use keyhaven_types::options::{CredentialDescriptor, CredentialType, RequestOptions};

use crate::assertion::{Asserted, Effects, Expected};
use crate::assurance::Proof;
use crate::audit::Subject;
use crate::ceremony::{AllowList, Kind, Started};
use crate::client::{Client, DeviceMarks, SessionToken};
use crate::context::Context;
use crate::decoy;
use crate::error::Error;
use crate::factors::PresentedFactors;
use crate::limits::Attempt;
use crate::sessions::SignedIn;
use crate::signals::Signals;
use crate::username::Username;

const START: &str = "login.start";
const FINISH: &str = "login.finish";

/// Signs people in.
#[derive(Clone)]
pub struct Authentications(pub(crate) Arc<Context>);

/// A sign-in that succeeded.
#[derive(Debug)]
pub struct Authenticated {
    /// The account.
    pub account: Account,
    /// The passkey that signed.
    pub credential: Credential,
    /// The new session.
    pub session: Session,
    /// Its token.
    pub token: SessionToken,
    /// What the page can tell the browser.
    pub signals: Signals,
    /// What the browser is to keep, where that changes.
    pub device: Option<DeviceMarks>,
}

impl Authentications {
    /// Starts a sign-in: for a name, or for whoever has a discoverable credential.
    ///
    /// Unless `disclose_existence` is set the answer has the same shape for every name, whether an account has it or
    /// not.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] (no account can have the name), [`Error::UserNotFound`] and [`Error::NoPasskeys`]
    /// (only with `disclose_existence`), [`Error::RateLimited`], [`Error::Busy`], [`Error::Storage`].
    pub async fn start(
        &self,
        client: &Client,
        username: Option<&str>,
    ) -> Result<Started<RequestOptions>, Error> {
        let result = self.try_start(client, username).await;
        self.0.concluded(client, START, Subject::default(), result).await
    }

    async fn try_start(
        &self,
        client: &Client,
        username: Option<&str>,
    ) -> Result<Started<RequestOptions>, Error> {
        let username = username.map(|typed| self.0.name(typed)).transpose();
        // A name that nobody can have is refused, and counted all the same.
        let name = username.as_ref().ok().and_then(Option::as_ref);
        self.0
            .limit(|limits| {
                let mut buckets = limits.address(Attempt::LoginStart, client.ip);
                buckets.extend(name.map(|name| limits.pair(client.ip, &start_bucket(name))));
                buckets
            })
            .await?;
        let Some(username) = username? else {
            let kind = |allowed| Kind::Login {
                username: None,
                allowed,
            };
            let challenge = self.0.new_challenge()?;
            return self.0.begin_assertion(client, challenge, Vec::new(), kind).await;
        };
        let found = self.0.durable.login_candidates(username.as_str()).await?;
        // Made whether they are needed or not, so that the work does not depend on the account.
        let decoys = decoy::credentials(&self.0.keys.decoy, username.as_str());
        let disclose = self.0.settings.disclose_existence;
        let handles = match found {
            None if disclose => return Err(Error::UserNotFound),
            Some(found) if found.is_empty() && disclose => return Err(Error::NoPasskeys),
            Some(found) if !found.is_empty() => found,
            None | Some(_) => decoys,
        };
        let descriptors = handles.into_iter().map(|handle| CredentialDescriptor {
            id: handle.id,
            kind: CredentialType::PublicKey,
            transports: handle.transports,
        });
        let username = Some(username.as_str().to_owned());
        let kind = |allowed| Kind::Login { username, allowed };
        let challenge = self.0.new_challenge()?;
        self.0
            .begin_assertion(client, challenge, descriptors.collect(), kind)
            .await
    }

    /// Finishes a sign-in: verifies the response, then stores sign count, session and event together.
    ///
    /// `current` is the session the request came with, which ends; `response` is an AuthenticationResponseJSON;
    /// `presented` is looked at only where the deployment or the account asks for it.
    ///
    /// # Errors
    /// [`Error::ChallengeMissing`], [`Error::Assertion`] (the step that refused), [`Error::AuthenticationFailed`],
    /// [`Error::CredentialNotFound`], [`Error::PasswordRequired`], [`Error::ClientKeyMismatch`], [`Error::RateLimited`], [`Error::Busy`], [`Error::Storage`]; with
    /// `disclose_existence` also [`Error::AccountLocked`] and [`Error::CredentialRevoked`]. The ceremony is used up in
    /// every case but [`Error::RateLimited`].
    pub async fn finish(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        ceremony: Option<CeremonyId>,
        response: &[u8],
        presented: &PresentedFactors,
    ) -> Result<Authenticated, Error> {
        let mut subject = Subject::default();
        let result = self
            .try_finish(client, current, ceremony, response, presented, &mut subject)
            .await;
        let result = self.0.concluded(client, FINISH, subject, result).await;
        result.map_err(|precise| {
            if self.0.settings.disclose_existence {
                precise
            } else {
                undisclosed(precise)
            }
        })
    }

    async fn try_finish(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        ceremony: Option<CeremonyId>,
        response: &[u8],
        presented: &PresentedFactors,
        subject: &mut Subject,
    ) -> Result<Authenticated, Error> {
        let json = response;
        let response =
            AuthenticationResponse::from_json(json).map(AuthenticationResponse::without_empty_user_handle);
        self.0
            .limit(|limits| {
                let mut buckets = limits.address(Attempt::LoginFinish, client.ip);
                // The credential stands for its account, known or not. (A name cannot: it is in the ceremony, and
                // taking that is what has to be limited. Finishes by name are as few as its starts.)
                let credential = response.as_ref().ok().map(AuthenticationResponse::credential_id);
                buckets.extend(credential.map(|id| limits.pair(client.ip, id)));
                buckets
            })
            .await?;
        let taken = self
            .0
            .take(client, ceremony.ok_or(Error::ChallengeMissing)?)
            .await?;
        let Kind::Login { username, allowed } = &taken.kind else {
            return Err(Error::ChallengeMissing);
        };
        let response = response?;
        let user = match username {
            None => ExpectedUser::Discoverable,
            Some(_) => ExpectedUser::Identified,
        };
        let expected = Expected {
            json,
            taken: &taken,
            allowed,
            user,
        };
        let Asserted {
            owned,
            result: (session, token),
            ..
        } = self
            .0
            .assert(
                client,
                &response,
                &expected,
                Some(presented),
                subject,
                |owned, verified, proven| {
                    let proof = Proof::assertion(verified, &owned.credential).beside(proven);
                    let (session, token) =
                        self.0
                            .open_session(client, owned.account.id, Some(&owned.credential.id), &proof)?;
                    let subject = Subject {
                        credential: Some(owned.credential.id.clone()),
                        session: Some(session.id),
                        ..Subject::account(&owned.account)
                    };
                    let effects = Effects {
                        session: Some(session.clone()),
                        grant: None,
                        rotation: None,
                        ends_session: current.map(|current| current.session().id),
                        audit: self.0.tell_of_new_device(
                            client,
                            owned,
                            self.0.asserted(client, FINISH, subject, verified)?,
                        )?,
                    };
                    Ok((effects, (session, token)))
                },
            )
            .await?;
        Ok(Authenticated {
            signals: self.0.signals_of(&owned.account),
            device: self.0.marked(client, owned.account.id),
            account: owned.account,
            credential: owned.credential,
            session,
            token,
        })
    }
}

impl Context {
    /// Stores a ceremony that asks for an assertion, and makes its options.
    pub(crate) async fn begin_assertion(
        &self,
        client: &Client,
        challenge: Challenge,
        allow_credentials: Vec<CredentialDescriptor>,
        kind: impl FnOnce(AllowList) -> Kind,
    ) -> Result<Started<RequestOptions>, Error> {
        let allowed = AllowList::of(allow_credentials.iter().map(|descriptor| &descriptor.id));
        let options = RequestOptions {
            challenge: challenge.clone(),
            timeout: self.timeout_millis(),
            rp_id: self.settings.relying_party.id.clone(),
            allow_credentials,
            user_verification: self.settings.user_verification,
            extensions: self.settings.extensions.request(),
        };
        self.begin(client, kind(allowed), challenge, options).await
    }
}

/// The one answer to an anonymous caller for every reason that a decoy could not be refused for.
fn undisclosed(error: Error) -> Error {
    match error.code() {
        "account_locked"
        | "counter_regression"
        | "credential_revoked"
        | "public_key_invalid"
        | "signature_invalid"
        | "unsupported_algorithm"
        | "user_handle_mismatch" => Error::AuthenticationFailed,
        _ => error,
    }
}

fn start_bucket(username: &Username) -> Vec<u8> {
    [b"start ", username.as_str().as_bytes()].concat()
}
