//! Keyhaven's use cases: registering and using passkeys, sessions, step-up, and the events that record them.
//!
//! [`Keyhaven`] is what a transport holds: one struct per group of use cases. Verification is `keyhaven-core`'s; this
//! crate issues challenges, remembers what each ceremony was started with, decides what an anonymous caller may learn,
//! and hands whole commits to `keyhaven-storage`.
//!
//! The clock, the random source and the stores are given ([`Clock`], [`Random`]). Absent on purpose: HTTP, SQL, and
//! every kind of I/O of its own.

mod assertion;
mod audit;
mod audit_log;
mod authentication;
mod authenticator_names;
mod ceremony;
mod client;
mod confirmation;
mod context;
mod decoy;
mod error;
mod limits;
mod network;
mod passkeys;
mod ports;
mod registration;
mod secrets;
mod sessions;
mod settings;
mod step_up;
mod tokens;
mod upkeep;
mod username;

use std::sync::Arc;

use keyhaven_storage::{CeremonyStore, DurableStore, LimitStore};

pub use audit_log::{AuditLog, AuditSecrets, Pruned, Sealed};
pub use authentication::{Authenticated, Authentications};
pub use authenticator_names::authenticator_name;
pub use ceremony::Started;
pub use client::{Client, SecretToken, SessionToken};
pub use confirmation::Confirmation;
pub use error::Error;
pub use network::Network;
pub use passkeys::Passkeys;
pub use ports::{Anchors, Clock, Crosscheck, Observer, Random, RandomUnavailable, SecondVerdict};
pub use registration::{Registered, Registrations, StartRegistration};
pub use secrets::SecretKey;
pub use sessions::{Sessions, SignedIn};
pub use settings::{AccessTokenSettings, RateLimitSettings, SessionSettings, Settings};
pub use step_up::{Granted, Purpose, StepUps};
pub use tokens::AccessTokens;
pub use upkeep::{StoreState, Upkeep};

/// All use cases, ready to be called. Cheap to clone.
#[derive(Clone)]
pub struct Keyhaven {
    /// Signed access tokens.
    pub access_tokens: AccessTokens,
    /// The sealed audit log.
    pub audit_log: AuditLog,
    /// Signing in.
    pub authentications: Authentications,
    /// The passkeys of an account.
    pub passkeys: Passkeys,
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
            limits,
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
            audit_log: AuditLog::new(context.clone()),
            authentications: Authentications(context.clone()),
            passkeys: Passkeys(context.clone()),
            registrations: Registrations(context.clone()),
            sessions: Sessions(context.clone()),
            step_ups: StepUps(context.clone()),
            upkeep: Upkeep(context.clone()),
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
    AuditLog,
    Authentications,
    Keyhaven,
    Passkeys,
    Registrations,
    Sessions,
    StepUps,
    Surroundings,
    Upkeep
);
