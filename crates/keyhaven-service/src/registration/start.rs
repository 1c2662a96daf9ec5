//! Starting a registration: what is wished for, who may, and the options for the browser.

use keyhaven_storage::InactiveReason;
use keyhaven_types::options::{
    AuthenticatorSelection, CreationOptions, CredentialDescriptor, CredentialParameters, CredentialType,
    ResidentKey, RpEntity, UserEntity, UserVerification,
};
use keyhaven_types::{AuthenticatorAttachment, Hint, Mediation, UserHandle};

use super::{MAX_PASSKEYS, Registrations, too_many};
use crate::address_proofs::AddressProof;
use crate::audit::Subject;
use crate::ceremony::{Issued, Kind, Registrant, Started};
use crate::client::Client;
use crate::error::Error;
use crate::limits::Attempt;
use crate::sessions::SignedIn;
use crate::settings::Identifier;
use crate::step_up::Purpose;
use crate::username::{self, Username};

const START: &str = "registration.start";

/// What a client asks to register.
#[derive(Debug, Default)]
pub struct StartRegistration {
    /// The new account's public handle; not needed, and not looked at, with a session.
    pub username: Option<String>,
    /// What a person reads; the username when absent.
    pub display_name: Option<String>,
    /// An e-mail address, unproven.
    pub email: Option<String>,
    /// Built in or roaming, where it matters.
    pub authenticator_attachment: Option<AuthenticatorAttachment>,
    /// Which authenticators to suggest.
    pub hints: Vec<Hint>,
    /// How the browser is to show itself.
    pub mediation: Mediation,
    /// A security key whose PIN is asked for, now and at every sign-in.
    pub pin: bool,
    /// The code that was mailed to the new account's address, where accounts are called by theirs.
    pub proof: Option<AddressProof>,
}

/// What a registration is started for, once its words are read.
enum Wish<'session> {
    Account {
        username: Username,
        display_name: String,
        email: Option<String>,
    },
    Addition(&'session SignedIn),
    ProvenAccount {
        proof: &'session AddressProof,
        display_name: Option<String>,
    },
}

impl<'session> Wish<'session> {
    fn of(
        identifier: Identifier,
        session: Option<&'session SignedIn>,
        request: &'session StartRegistration,
    ) -> Result<Self, Error> {
        if request.mediation == Mediation::Conditional && !session.is_some_and(SignedIn::is_by_password_alone)
        {
            // Only a password sign-in may make a passkey in passing; that it is a recent one is asked in any case.
            return Err(Error::forbidden(
                "a conditional registration needs a recent password sign-in",
            ));
        }
        if request.pin {
            if request.mediation == Mediation::Conditional {
                return Err(Error::invalid("pin: not in passing"));
            }
            if request.authenticator_attachment == Some(AuthenticatorAttachment::Platform) {
                return Err(Error::invalid("pin: of a security key, which is cross-platform"));
            }
        }
        if let Some(session) = session {
            return Ok(Self::Addition(session));
        }
        if identifier == Identifier::Email {
            let display_name = request.display_name.as_deref();
            return Ok(Self::ProvenAccount {
                proof: request.proof.as_ref().ok_or(Error::EmailRequired)?,
                display_name: display_name
                    .map(|text| username::label("displayName", text))
                    .transpose()?,
            });
        }
        let username = request
            .username
            .as_deref()
            .ok_or_else(|| Error::invalid("username: missing"))?;
        let username = Username::parse(username)?;
        Ok(Self::Account {
            display_name: match &request.display_name {
                Some(text) => username::label("displayName", text)?,
                None => username.as_str().to_owned(),
            },
            email: request
                .email
                .as_deref()
                .map(username::email)
                .transpose()?
                .map(String::from),
            username,
        })
    }
}

impl Registrations {
    /// Starts a registration: for the signed-in account where there is a session, else for a new account.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`], [`Error::UsernameTaken`], [`Error::StepUpRequired`] (a session that is not fresh),
    /// [`Error::Forbidden`] (conditional mediation, too many passkeys), [`Error::RateLimited`], [`Error::Busy`],
    /// [`Error::Storage`].
    pub async fn start(
        &self,
        client: &Client,
        session: Option<&SignedIn>,
        request: StartRegistration,
    ) -> Result<Started<CreationOptions>, Error> {
        let subject = session.map_or_else(Subject::default, |current| Subject::account(current.account()));
        let result = self.try_start(client, session, request).await;
        self.0.concluded(client, START, subject, result).await
    }

    async fn try_start(
        &self,
        client: &Client,
        session: Option<&SignedIn>,
        request: StartRegistration,
    ) -> Result<Started<CreationOptions>, Error> {
        let wish = Wish::of(self.0.settings.identifier, session, &request);
        self.0
            .limit(|limits| {
                let mut buckets = limits.address(Attempt::RegistrationStart, client.ip);
                // Only who is told whether a name is taken has looked.
                if let Ok(Wish::Account { .. }) = wish {
                    buckets.push(limits.username(client.ip));
                }
                buckets
            })
            .await?;
        match wish? {
            Wish::Account {
                username,
                display_name,
                email,
            } => {
                if self.0.durable.username_exists(username.as_str()).await? {
                    return Err(Error::UsernameTaken);
                }
                let registrant = Registrant {
                    user_handle: self.new_user_handle()?,
                    username: username.as_str().to_owned(),
                    display_name,
                    email,
                    email_verified: false,
                };
                self.start_account(client, registrant, &request).await
            }
            Wish::ProvenAccount { proof, display_name } => {
                let address = self.0.proven_address(client, proof).await?;
                let username = Username::of_address(&self.0.keys, &address)?;
                let registrant = Registrant {
                    user_handle: self.new_user_handle()?,
                    username: username.as_str().to_owned(),
                    display_name: display_name.unwrap_or_else(|| username::display_name_of(&address)),
                    email: Some(address.into()),
                    email_verified: true,
                };
                self.start_account(client, registrant, &request).await
            }
            Wish::Addition(session) => self.start_addition(client, session, &request).await,
        }
    }

    fn new_user_handle(&self) -> Result<UserHandle, Error> {
        let mut handle = [0; 32];
        self.0.random.fill(&mut handle)?;
        UserHandle::try_from(&handle[..]).map_err(|_| Error::Busy)
    }

    async fn start_account(
        &self,
        client: &Client,
        registrant: Registrant,
        request: &StartRegistration,
    ) -> Result<Started<CreationOptions>, Error> {
        let user = UserEntity {
            id: registrant.user_handle.clone(),
            name: match (&registrant.email, registrant.email_verified) {
                (Some(email), true) => email.clone(),
                (_, _) => registrant.username.clone(),
            },
            display_name: registrant.display_name.clone(),
        };
        let kind = |issued| Kind::Registration { registrant, issued };
        self.begin(client, user, Vec::new(), request, kind).await
    }

    async fn start_addition(
        &self,
        client: &Client,
        session: &SignedIn,
        request: &StartRegistration,
    ) -> Result<Started<CreationOptions>, Error> {
        let account = session.account();
        let existing = self.0.durable.credentials_of(account.id).await?;
        // A recovery is there for this.
        if !session.is_recovery() {
            self.require_right_to_add(session, existing.is_empty()).await?;
        }
        if u32::try_from(existing.len()).is_ok_and(|held| held >= MAX_PASSKEYS) {
            return Err(too_many());
        }
        // One that was revoked does not keep its authenticator from making another.
        let exclude = existing
            .into_iter()
            .filter(|credential| credential.inactive_reason != Some(InactiveReason::CloneRevoked));
        let exclude = exclude.map(|credential| CredentialDescriptor {
            id: credential.id,
            kind: CredentialType::PublicKey,
            transports: credential.transports,
        });
        let user = UserEntity {
            id: account.user_handle.clone(),
            name: account.name().to_owned(),
            display_name: account.display_name.clone(),
        };
        let (account, session) = (account.id.0, session.session().id.0);
        let kind = |issued| Kind::AddPasskey {
            account,
            session,
            issued,
        };
        self.begin(client, user, exclude.collect(), request, kind).await
    }

    /// Whoever signed in by a password just now may add the account's first passkey. Where there is one, only a passkey
    /// lets another in: else a password that was found out would be worth as much.
    async fn require_right_to_add(&self, session: &SignedIn, first: bool) -> Result<(), Error> {
        let by_password = session.is_by_password_alone() && first;
        if by_password && self.0.is_recent(session, self.0.clock.now()) {
            return Ok(());
        }
        self.0.require_fresh(session, Purpose::AddPasskey).await
    }

    async fn begin(
        &self,
        client: &Client,
        user: UserEntity,
        exclude_credentials: Vec<CredentialDescriptor>,
        request: &StartRegistration,
        kind: impl FnOnce(Issued) -> Kind,
    ) -> Result<Started<CreationOptions>, Error> {
        let settings = &self.0.settings;
        let challenge = self.0.new_challenge()?;
        let algorithms = settings.algorithms.clone();
        let options = CreationOptions {
            rp: RpEntity {
                id: settings.relying_party.id.clone(),
                name: settings.rp_name.clone(),
            },
            user,
            challenge: challenge.clone(),
            pub_key_cred_params: algorithms
                .iter()
                .map(|&alg| CredentialParameters {
                    alg,
                    kind: CredentialType::PublicKey,
                })
                .collect(),
            timeout: self.0.timeout_millis(),
            exclude_credentials,
            authenticator_selection: AuthenticatorSelection {
                authenticator_attachment: match request.pin {
                    true => Some(AuthenticatorAttachment::CrossPlatform),
                    false => request.authenticator_attachment,
                },
                resident_key: ResidentKey::Required,
                require_resident_key: true,
                user_verification: match request.pin {
                    true => UserVerification::Required,
                    false => settings.user_verification,
                },
            },
            hints: match request.pin && request.hints.is_empty() {
                true => vec![Hint::SecurityKey],
                false => request.hints.clone(),
            },
            attestation: settings.attestation,
            attestation_formats: settings
                .attestation_formats
                .iter()
                .map(|format| format.as_str())
                .collect(),
            extensions: settings.extensions.creation(),
        };
        let issued = Issued {
            algorithms,
            mediation: request.mediation,
            pin: request.pin,
        };
        self.0.begin(client, kind(issued), challenge, options).await
    }
}
