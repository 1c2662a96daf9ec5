//! Keyhaven's use cases: registering and using passkeys, sessions, step-up, and the events that record them.
//!
//! [`Keyhaven`] is what a transport holds: one struct per group of use cases. Verification is `keyhaven-core`'s; this
//! crate issues challenges, remembers what each ceremony was started with, decides what an anonymous caller may learn,
//! and hands whole commits to `keyhaven-storage`.
//!
//! The clock, the random source and the stores are given ([`Clock`], [`Random`]). Absent on purpose: HTTP, SQL, and
//! every kind of I/O of its own.

mod address_proofs;
mod addresses;
mod administration;
mod assertion;
mod assurance;
mod audit;
mod audit_log;
mod authentication;
mod authenticator_names;
mod ceremony;
mod client;
mod client_keys;
mod clones;
mod codes;
mod confirmation;
mod context;
mod decoy;
mod device;
mod enrolment;
mod error;
mod extensions;
mod factors;
mod known;
mod limits;
mod mails;
mod moments;
mod network;
mod outbox;
mod passkeys;
mod passwords;
mod personal;
mod ports;
mod privacy;
mod protections;
mod recovery;
mod registration;
mod secrets;
mod sessions;
mod settings;
mod signals;
mod step_up;
mod tokens;
mod upkeep;
mod username;

use std::sync::Arc;

use keyhaven_storage::{CeremonyStore, DurableStore, LimitStore};

pub use address_proofs::{AddressProof, AskedProof};
pub use addresses::Addresses;
pub use administration::{
    Administration, AdministrationSettings, ClientKeyCheck, EnrolmentOffer, EventFilter, Operator, Page,
    UserDetails, UserQuery,
};
pub use assurance::authentication_context;
pub use audit_log::{
    AuditLog, AuditSecrets, ExportError, LogSink, LogWriter, Pruned, Sealed, export_log, newest_batch,
    walk_log,
};
pub use authentication::{Authenticated, Authentications};
pub use authenticator_names::authenticator_name;
pub use ceremony::Started;
pub use client::{Client, DeviceMarks, SecretToken, SessionToken};
pub use client_keys::{ClientKeys, NewClientKey};
pub use clones::ClonePolicy;
pub use confirmation::Confirmation;
pub use enrolment::{Enrolled, Enrolments};
pub use error::Error;
pub use extensions::ExtensionSettings;
pub use factors::PresentedFactors;
pub use mails::MailSettings;
pub use network::Network;
pub use outbox::{Deliveries, Outbox};
pub use passkeys::Passkeys;
pub use passwords::{ImportedPassword, NewPassword, PasswordSignIn, Passwords, RegisterPassword};
pub use ports::{Anchors, Clock, Crosscheck, Observer, Random, RandomUnavailable, SecondVerdict};
pub use privacy::{AccountExport, Privacy};
pub use protections::{PasswordUse, Protection, Protections};
pub use recovery::{
    AskedRecovery, OldPasskeys, Recoveries, RecoveryProgress, RecoverySettings, RecoveryState,
};
pub use registration::{FinishRegistration, Registered, Registrations, StartRegistration};
pub use secrets::SecretKey;
pub use sessions::{Sessions, SignedIn};
pub use settings::{
    AccessTokenSettings, Demand, Identifier, PasswordSettings, RateLimitSettings, RetentionSettings,
    SessionLimits, SessionSettings, Settings,
};
pub use signals::Signals;
pub use step_up::{Granted, Purpose, StepUps};
pub use tokens::AccessTokens;
pub use upkeep::{StoreState, Upkeep};

/// All use cases, ready to be called. Cheap to clone.
#[derive(Clone)]
pub struct Keyhaven {
    /// Signed access tokens.
    pub access_tokens: AccessTokens,
    /// E-mail addresses.
    pub addresses: Addresses,
    /// The accounts of others.
    pub administration: Administration,
    /// The sealed audit log.
    pub audit_log: AuditLog,
    /// Signing in.
    pub authentications: Authentications,
    /// Client keys.
    pub client_keys: ClientKeys,
    /// Links by which administrators let people in.
    pub enrolments: Enrolments,
    /// Sending mails.
    pub outbox: Outbox,
    /// The passkeys of an account.
    pub passkeys: Passkeys,
    /// Passwords, where they are allowed.
    pub passwords: Passwords,
    /// An account in its owner's hands.
    pub privacy: Privacy,
    /// What guards an account beside its passkeys.
    pub protections: Protections,
    /// Recovering accounts.
    pub recoveries: Recoveries,
    /// Registering passkeys.
    pub registrations: Registrations,
    /// Sessions.
    pub sessions: Sessions,
    /// Proving presence again.
    pub step_ups: StepUps,
    /// Housekeeping and health.
    pub upkeep: Upkeep,
    context: Arc<context::Context>,
}

/// What the use cases work on.
pub struct Surroundings {
    /// Accounts, credentials, sessions, audit.
    pub durable: Arc<dyn DurableStore>,
    /// Pending ceremonies.
    pub ceremonies: Arc<dyn CeremonyStore>,
    /// Attempts of late; asked only where the settings have rate limits.
    pub limits: Arc<dyn LimitStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Where every new passkey's attestation must lead; `None`: trust is not judged.
    pub anchors: Option<Arc<dyn Anchors>>,
    /// Who else judges what the verifier accepted; `None`: nobody.
    pub crosscheck: Option<Crosscheck>,
    /// The deployment's secret.
    pub secret: SecretKey,
}

impl Keyhaven {
    /// Puts the use cases together.
    ///
    /// # Errors
    /// [`RandomUnavailable`] only if the cryptographic library cannot derive keys.
    pub fn new(settings: Settings, surroundings: Surroundings) -> Result<Self, RandomUnavailable> {
        let keys = secrets::Keys::derive(&surroundings.secret).ok_or(RandomUnavailable)?;
        let limits = settings.rate_limits.as_ref();
        let limits =
            limits.map(|settings| limits::Limits::new(settings, keys.limits.clone(), surroundings.limits));
        let context = Arc::new(context::Context {
            known: known::Known::new(settings.known_credentials),
            limits,
            hashing: keyhaven_password::HashingPool::new(settings.passwords.hashes_at_once),
            hash_kinds: passwords::KnownKinds::default(),
            settings,
            durable: surroundings.durable,
            ceremonies: surroundings.ceremonies,
            clock: surroundings.clock,
            observer: surroundings.observer,
            random: surroundings.random,
            anchors: surroundings.anchors,
            crosscheck: surroundings.crosscheck,
            keys,
            newest_uuid: std::sync::atomic::AtomicU64::default(),
        });
        Ok(Self {
            access_tokens: AccessTokens::new(context.clone()),
            addresses: Addresses(context.clone()),
            administration: Administration(context.clone()),
            audit_log: AuditLog::new(context.clone()),
            authentications: Authentications(context.clone()),
            client_keys: ClientKeys(context.clone()),
            enrolments: Enrolments(context.clone()),
            outbox: Outbox(context.clone()),
            passkeys: Passkeys(context.clone()),
            passwords: Passwords(context.clone()),
            privacy: Privacy(context.clone()),
            protections: Protections(context.clone()),
            recoveries: Recoveries(context.clone()),
            registrations: Registrations(context.clone()),
            sessions: Sessions(context.clone()),
            step_ups: StepUps(context.clone()),
            upkeep: Upkeep(context.clone(), Arc::default()),
            context,
        })
    }

    /// The decisions in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.context.settings
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> keyhaven_types::UnixTime {
        self.context.clock.now()
    }

    /// Draws two identifiers, for example of a request and of its trace. They are no secrets.
    ///
    /// # Errors
    /// When the random source is not available.
    pub fn random_identifiers(&self) -> Result<[[u8; 16]; 2], RandomUnavailable> {
        let mut bytes = [[0; 16]; 2];
        self.context.random.fill(bytes.as_flattened_mut())?;
        Ok(bytes)
    }

    /// Whether an audit event is as this deployment wrote it.
    #[must_use]
    pub fn event_is_authentic(&self, event: &keyhaven_storage::AuditEvent) -> bool {
        self.context.event_is_authentic(event)
    }
}

macro_rules! opaque_debug {
    ($($type:ident),*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(..)"))
            }
        }
    )*};
}
opaque_debug!(
    Addresses,
    Administration,
    AuditLog,
    Authentications,
    ClientKeys,
    Enrolments,
    Keyhaven,
    Outbox,
    Passkeys,
    Passwords,
    Privacy,
    Protections,
    Recoveries,
    Registrations,
    Sessions,
    StepUps,
    Surroundings,
    Upkeep
);
