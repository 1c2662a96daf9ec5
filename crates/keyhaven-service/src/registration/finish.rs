//! Finishing a registration: the verdict on the response, then one commit of account, passkey, session and event.

use std::fmt;

use keyhaven_core::{
    AttestationPolicy, AttestationTrust, AttestedAaguid, EnterpriseAttestation, ExpectedRegistration,
    RegistrationPolicy, RegistrationResponse, VerifiedRegistration,
};
use keyhaven_mail::Content;
use keyhaven_storage::{
    Account, AccountId, Addition, AfterRecovery, CeremonyId, Credential, Ending, NewRegistration,
    RegistrationAccount, RegistrationOutcome, Role, Session,
};
use keyhaven_types::options::{AttestationConveyance, UserVerification};
use keyhaven_types::{AuthenticatorAttachment, Mediation};

use super::{MAX_PASSKEYS, Registrations, too_many};
use crate::assurance::Proof;
use crate::audit::Subject;
use crate::authenticator_names::authenticator_name;
use crate::ceremony::{Issued, Kind, Taken, account_id, session_id};
use crate::client::{Client, DeviceMarks, SessionToken};
use crate::client_keys::NewClientKey;
use crate::decoy;
use crate::error::Error;
use crate::extensions;
use crate::factors::FirstFactors;
use crate::limits::Attempt;
use crate::mails::SECURITY;
use crate::recovery::OldPasskeys;
use crate::sessions::SignedIn;
use crate::signals::Signals;
use crate::step_up::Purpose;
use crate::username;

const FINISH: &str = "registration.finish";

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
        let result = self.try_finish(client, session, request, &mut subject).await;
        self.0.concluded(client, FINISH, subject, result).await
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
        let verified = self.verify(json, &response, &taken, issued)?;
        let beside = match &whose {
            RegistrationAccount::Existing(_) if request.password.is_some() => {
                return Err(Error::invalid("password: it is changed by PUT /password"));
            }
            RegistrationAccount::Existing(_) => FirstFactors::default(),
            RegistrationAccount::New(account) => self.0.first_factors(account, request.password).await?,
        };
        subject.credential = Some(verified.credential_id().clone());
        // An account that exists is the session's, which the subject tells already.
        if let RegistrationAccount::New(account) = &whose {
            subject.is_about(account);
        }
        let account = whose.id();
        let credential = self.credential(client, account, &response, &verified, device_name, issued.pin);
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
        pin: bool,
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
            pin,
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
        let about = match &whose {
            RegistrationAccount::Existing(_) => {
                Subject::account(current.ok_or(Error::ChallengeMissing)?.account())
            }
            RegistrationAccount::New(account) => Subject::account(account),
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
        let mut audit = match &whose {
            RegistrationAccount::Existing(_) => {
                let current = current.ok_or(Error::ChallengeMissing)?;
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
            RegistrationAccount::New(_) => event,
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
