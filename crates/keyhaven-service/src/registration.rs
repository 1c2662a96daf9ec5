//! Registering a passkey: the first of a new account, or one more of a signed-in one (L3 §7.1).

use std::fmt;
use std::sync::Arc;

use keyhaven_core::{
    AttestationPolicy, AttestationTrust, AttestedAaguid, EnterpriseAttestation, ExpectedRegistration,
    RegistrationPolicy, RegistrationResponse, VerifiedRegistration,
};
use keyhaven_mail::Content;
use keyhaven_storage::{
    Account, AccountId, Addition, AfterRecovery, CeremonyId, Credential, Ending, InactiveReason,
    NewRegistration, RegistrationAccount, RegistrationOutcome, Role, Session,
};
use keyhaven_types::options::{
    AttestationConveyance, AuthenticatorSelection, CreationOptions, CredentialDescriptor,
    CredentialParameters, CredentialType, ResidentKey, RpEntity, UserEntity, UserVerification,
};
use keyhaven_types::{AuthenticatorAttachment, Hint, Mediation, UserHandle};

use crate::address_proofs::AddressProof;
use crate::assurance::Proof;
use crate::audit::Subject;
use crate::authenticator_names::authenticator_name;
use crate::ceremony::{Issued, Kind, Registrant, Started, Taken, account_id, session_id};
use crate::client::{Client, DeviceMarks, SessionToken};
use crate::client_keys::NewClientKey;
use crate::context::Context;
use crate::decoy;
use crate::error::Error;
use crate::extensions;
use crate::factors::FirstFactors;
use crate::limits::Attempt;
use crate::mails::SECURITY;
use crate::recovery::OldPasskeys;
use crate::sessions::SignedIn;
use crate::settings::Identifier;
use crate::signals::Signals;
use crate::step_up::Purpose;
use crate::username::{self, Username};

const START: &str = "registration.start";
const FINISH: &str = "registration.finish";

/// More passkeys than this per account are refused: options must stay sendable and lists readable.
const MAX_PASSKEYS: u32 = 64;

/// Registers passkeys.
#[derive(Clone)]
pub struct Registrations(pub(crate) Arc<Context>);

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

/// A registered passkey, and the session of its account.
#[derive(Debug)]
pub struct Registered {
    /// The account.
    pub account: Account,
    /// The passkey.
    pub credential: Credential,
    /// The session.
    pub session: Session,
    /// The session's token, where the session is a new one.
    pub token: Option<SessionToken>,
    /// What the page can tell the browser.
    pub signals: Signals,
    /// Whether the account was recovered by this.
    pub recovered: bool,
    /// What the browser is to keep, where that changes.
    pub device: Option<DeviceMarks>,
    /// The account's client key, where it was made: to be shown now, and never again.
    pub client_key: Option<NewClientKey>,
}

/// What came to finish a registration with.
#[derive(Clone, Copy)]
pub struct FinishRegistration<'a> {
    /// Which one.
    pub ceremony: Option<CeremonyId>,
    /// A RegistrationResponseJSON.
    pub response: &'a [u8],
    /// What to call the passkey, 1 to 64 characters.
    pub device_name: Option<&'a str>,
    /// The password that a new account is to have beside the passkey.
    pub password: Option<&'a str>,
}

impl fmt::Debug for FinishRegistration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FinishRegistration(..)")
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
        match self.try_start(client, session, request).await {
            Ok(started) => {
                self.0.observe(START, "ok");
                Ok(started)
            }
            Err(error) => Err(self.0.refuse(client, START, subject, error).await),
        }
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

    /// Finishes a registration: verifies the response, then stores account, passkey, session and event together.
    ///
    /// `session` is the session the request came with.
    ///
    /// # Errors
    /// [`Error::ChallengeMissing`], [`Error::Registration`] (the step that refused), [`Error::CredentialExists`],
    /// [`Error::UsernameTaken`], [`Error::InvalidRequest`] (the device name), [`Error::RateLimited`],
    /// [`Error::Storage`]. The ceremony is used up in every case but [`Error::RateLimited`].
    pub async fn finish(
        &self,
        client: &Client,
        session: Option<&SignedIn>,
        request: FinishRegistration<'_>,
    ) -> Result<Registered, Error> {
        let mut subject =
            session.map_or_else(Subject::default, |current| Subject::account(current.account()));
        match self.try_finish(client, session, request, &mut subject).await {
            Ok(registered) => {
                self.0.observe(FINISH, "ok");
                Ok(registered)
            }
            Err(error) => Err(self.0.refuse(client, FINISH, subject, error).await),
        }
    }

    async fn try_finish(
        &self,
        client: &Client,
        session: Option<&SignedIn>,
        request: FinishRegistration<'_>,
        subject: &mut Subject,
    ) -> Result<Registered, Error> {
        self.0
            .limit(|limits| limits.address(Attempt::RegistrationFinish, client.ip))
            .await?;
        let ceremony = request.ceremony.ok_or(Error::ChallengeMissing)?;
        let taken = self.0.take(client, ceremony).await?;
        let device_name = request
            .device_name
            .map(|text| username::label("deviceName", text))
            .transpose()?;
        let (whose, issued) = self.whose(&taken, session).await?;
        let json = request.response;
        let response = RegistrationResponse::from_json(json)?;
        let platform = response.authenticator_attachment() == Some(AuthenticatorAttachment::Platform);
        if issued.pin && platform {
            return Err(Error::invalid(
                "authenticatorAttachment: a security key was asked for",
            ));
        }
        let pin = issued.pin;
        let verified = self.verify(json, &response, &taken, issued)?;
        let beside = match &whose {
            RegistrationAccount::Existing(_) if request.password.is_some() => {
                return Err(Error::invalid("password: it is changed by PUT /password"));
            }
            RegistrationAccount::Existing(_) => FirstFactors::default(),
            RegistrationAccount::New(account) => self.0.first_factors(account, request.password).await?,
        };
        subject.credential = Some(verified.credential_id().clone());
        let account = whose.id();
        match (&whose, session) {
            (RegistrationAccount::Existing(_), Some(current)) => subject.is_about(current.account()),
            (RegistrationAccount::Existing(_), None) => {}
            (RegistrationAccount::New(account), _) => subject.is_about(account),
        }
        let mut credential = self.credential(client, account, &response, &verified, device_name);
        credential.pin = pin;
        self.commit(client, whose, session, credential, &verified, beside)
            .await
    }

    /// The account the ceremony was started for: the session that started an addition must be the one that finishes it.
    async fn whose<'taken>(
        &self,
        taken: &'taken Taken,
        session: Option<&SignedIn>,
    ) -> Result<(RegistrationAccount, &'taken Issued), Error> {
        match &taken.kind {
            Kind::AddPasskey {
                account,
                session: started_by,
                issued,
            } => match session {
                Some(current)
                    if current.session().id == session_id(*started_by)
                        && current.account_id() == account_id(*account) =>
                {
                    let now = self.0.clock.now();
                    let first = current.is_by_password_alone()
                        && self
                            .0
                            .durable
                            .credentials_of(current.account_id())
                            .await?
                            .is_empty();
                    let granted = first || current.is_recovery() || self.0.is_fresh(current, now);
                    if !granted {
                        self.0.require_grant(current, Purpose::AddPasskey).await?;
                    }
                    let addition = Addition {
                        account: current.account_id(),
                        session: Some(current.session().id),
                        uses_grant: (!granted).then(|| Purpose::AddPasskey.as_str().to_owned()),
                        // The first is still the first when it is written.
                        max_credentials: if first { 1 } else { MAX_PASSKEYS },
                        at: now,
                    };
                    Ok((RegistrationAccount::Existing(addition), issued))
                }
                _ => Err(Error::ChallengeMissing),
            },
            Kind::Registration { registrant, issued } => {
                let now = self.0.clock.now();
                let account = Account {
                    id: AccountId(self.0.random_uuid()?),
                    user_handle: registrant.user_handle.clone(),
                    username: registrant.username.clone(),
                    display_name: registrant.display_name.clone(),
                    email: registrant.email.clone(),
                    email_verified: registrant.email_verified,
                    active: true,
                    role: Role::User,
                    created_at: now,
                    updated_at: now,
                    last_login_at: Some(now),
                };
                Ok((RegistrationAccount::New(account), issued))
            }
            Kind::AddressProof { .. } | Kind::Login { .. } | Kind::StepUp { .. } => {
                Err(Error::ChallengeMissing)
            }
        }
    }

    fn verify(
        &self,
        json: &[u8],
        response: &RegistrationResponse,
        taken: &Taken,
        issued: &Issued,
    ) -> Result<VerifiedRegistration, Error> {
        let expected = ExpectedRegistration {
            relying_party: self.0.relying_party(),
            challenge: &taken.challenge,
            origin: taken.origin.as_ref(),
            mediation: issued.mediation,
        };
        let anchors = self.0.anchors.as_ref().map(|anchors| anchors.current());
        let policy = RegistrationPolicy {
            // A conditional registration happens in passing: the browser asks for no verification there.
            user_verification: match issued.mediation {
                Mediation::Conditional => UserVerification::Preferred,
                Mediation::Modal if issued.pin => UserVerification::Required,
                Mediation::Modal => self.0.settings.user_verification,
            },
            algorithms: issued.algorithms.clone(),
            attestation: AttestationPolicy {
                enterprise: enterprise(self.0.settings.attestation),
                ..self.0.settings.attestation_policy
            },
            attestation_trust: match &anchors {
                None => AttestationTrust::Ignore,
                Some(anchors) => AttestationTrust::Required {
                    anchors: &**anchors,
                    at: self.0.clock.now(),
                },
            },
            backup: self.0.settings.backup,
            extensions: self.0.settings.registration_extensions(),
            canonical_cbor: self.0.settings.canonical_cbor,
        };
        let verified = keyhaven_core::verify_registration(response, &expected, &policy)?;
        let allowed = &self.0.settings.allowed_models;
        let proven = verified.attested_aaguid().map(AttestedAaguid::get);
        if !allowed.is_empty() && !proven.is_some_and(|model| allowed.contains(&model)) {
            return Err(Error::ModelNotAllowed);
        }
        self.0.crosscheck(Error::RegistrationDisputed, |judge| {
            judge.against_registration(json, &expected, &policy, &verified)
        })?;
        Ok(verified)
    }

    fn credential(
        &self,
        client: &Client,
        account: AccountId,
        response: &RegistrationResponse,
        verified: &VerifiedRegistration,
        device_name: Option<String>,
    ) -> Credential {
        let device_name = device_name.unwrap_or_else(|| {
            authenticator_name(verified.claimed_aaguid().unproven())
                .unwrap_or("Passkey")
                .to_owned()
        });
        Credential {
            id: verified.credential_id().clone(),
            account,
            rp_id: self.0.relying_party().id.clone(),
            public_key: verified.public_key().to_vec(),
            algorithm: verified.algorithm(),
            sign_count: verified.sign_count(),
            aaguid: verified.claimed_aaguid().unproven(),
            transports: response.transports().to_vec(),
            backup_eligible: verified.backup().is_eligible(),
            backup_state: verified.backup().is_backed_up(),
            uv_initialized: verified.user_verified(),
            pin: false,
            attestation_format: verified.attestation_format().to_owned(),
            attestation_type: verified.attestation_type().as_str().to_owned(),
            attestation_trusted: verified.attestation_trusted(),
            attestation_hardware: verified.attestation_hardware(),
            device_name,
            user_agent: client.user_agent.clone(),
            created_at: self.0.clock.now(),
            last_used_at: None,
            active: true,
            inactive_reason: None,
            traits: extensions::traits(&self.0.settings, response, verified),
        }
    }

    async fn commit(
        &self,
        client: &Client,
        whose: RegistrationAccount,
        current: Option<&SignedIn>,
        credential: Credential,
        verified: &VerifiedRegistration,
        beside: FirstFactors,
    ) -> Result<Registered, Error> {
        let about = match (&whose, current) {
            (RegistrationAccount::Existing(_), current) => {
                Subject::account(current.ok_or(Error::ChallengeMissing)?.account())
            }
            (RegistrationAccount::New(account), _) => Subject::account(account),
        };
        let mut subject = Subject {
            credential: Some(credential.id.clone()),
            ..about
        };
        let recovered =
            current.is_some_and(SignedIn::is_recovery) && matches!(whose, RegistrationAccount::Existing(_));
        let recovery = recovered.then_some(AfterRecovery {
            drops_passkeys: self.0.settings.recovery.old_passkeys == OldPasskeys::Revoke,
        });
        let (opened, ends) = match &whose {
            // Who can do more is not known by what could do less.
            RegistrationAccount::Existing(addition) if recovered => {
                let proof = Proof::registration(verified);
                let opened = self
                    .0
                    .open_session(client, addition.account, Some(&credential.id), &proof)?;
                (Some(opened), Ending::Nothing)
            }
            RegistrationAccount::Existing(_) => (None, Ending::Nothing),
            RegistrationAccount::New(account) => {
                let proof = Proof::registration(verified);
                let opened = self
                    .0
                    .open_session(client, account.id, Some(&credential.id), &proof)?;
                (
                    Some(opened),
                    Ending::of(current.map(|session| session.session().id)),
                )
            }
        };
        let (session, token) = opened.unzip();
        let (client_key, shown) = beside.client_key.unzip();
        subject.session = session.as_ref().map(|session| session.id);
        let event = self.0.success(client, FINISH, subject)?;
        let mut claim = None;
        let mut audit = match (&whose, current) {
            (RegistrationAccount::Existing(_), Some(current)) => {
                let content = if recovered {
                    Content::RecoveryDone
                } else {
                    Content::PasskeyAdded {
                        passkey: credential.device_name.clone(),
                        review: self.0.link(SECURITY),
                    }
                };
                self.0.announced(client, current.account(), event, content)?
            }
            (RegistrationAccount::Existing(_) | RegistrationAccount::New(_), _) => event,
        };
        // An address is the account's once it is proven, and until then nobody's.
        if let RegistrationAccount::New(Account {
            id,
            email: Some(email),
            email_verified: false,
            ..
        }) = &whose
        {
            let address = email.parse().map_err(|_| Error::ChallengeMissing)?;
            let (first, mail) = self.0.first_claim(client, *id, &address).await?;
            claim = Some(first);
            audit.mails.extend(mail);
        }
        let registration = NewRegistration {
            account: whose.clone(),
            credential: credential.clone(),
            claim,
            recovery,
            session: session.clone(),
            ends,
            password: beside.password,
            client_key,
            reserved_id: decoy::recognises(&self.0.keys.decoy, credential.id.as_bytes()),
            audit,
        };
        match self.0.durable.commit_registration(registration).await? {
            RegistrationOutcome::AccountUnavailable => Err(Error::ChallengeMissing),
            RegistrationOutcome::Committed => {
                let (account, signals) = match whose {
                    RegistrationAccount::Existing(_) => {
                        let account = current.ok_or(Error::ChallengeMissing)?.account().clone();
                        let signals = self.0.signals_now(&account).await;
                        (account, signals)
                    }
                    RegistrationAccount::New(account) => {
                        let signals = self.0.signals_with(&account, std::slice::from_ref(&credential));
                        (account, signals)
                    }
                };
                let session = match session {
                    None => current.ok_or(Error::ChallengeMissing)?.session().clone(),
                    Some(session) => session,
                };
                Ok(Registered {
                    recovered,
                    device: self.0.marked(client, account.id),
                    account,
                    credential,
                    session,
                    token,
                    signals,
                    client_key: shown,
                })
            }
            RegistrationOutcome::CredentialExists => Err(Error::CredentialExists),
            RegistrationOutcome::GrantMissing => Err(Error::StepUpRequired {
                purpose: Purpose::AddPasskey,
            }),
            RegistrationOutcome::SessionEnded => Err(Error::SessionExpired),
            RegistrationOutcome::TooManyCredentials => Err(too_many()),
            RegistrationOutcome::UsernameTaken => Err(Error::UsernameTaken),
        }
    }
}

fn too_many() -> Error {
    Error::forbidden(format!("an account can have {MAX_PASSKEYS} passkeys"))
}

/// Whether a statement may tell the device's serial number: where that was asked for.
const fn enterprise(asked: AttestationConveyance) -> EnterpriseAttestation {
    match asked {
        AttestationConveyance::Enterprise => EnterpriseAttestation::Requested,
        AttestationConveyance::Direct | AttestationConveyance::Indirect | AttestationConveyance::None => {
            EnterpriseAttestation::NotRequested
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_acceptable_only_where_it_was_asked_for() {
        assert_eq!(
            enterprise(AttestationConveyance::Enterprise),
            EnterpriseAttestation::Requested
        );
        for asked in [
            AttestationConveyance::Direct,
            AttestationConveyance::Indirect,
            AttestationConveyance::None,
        ] {
            assert_eq!(enterprise(asked), EnterpriseAttestation::NotRequested);
        }
    }
}
