//! What Keyhaven asks of a store.
//!
//! The service speaks to storage in whole commits, not in rows: a registration, a login, a removal is one call that
//! happens entirely or not at all, together with its audit event. Every method is atomic on its own; no transaction
//! handle crosses a trait. Time and identifiers come in as arguments. Absence and conflict are values, never errors:
//! a [`StorageError`] means that the store could not answer, or that the caller's records contradict each other or what
//! is stored in a way that no outcome names (an event id or a token in use, two accounts in one commit); then nothing
//! was written.
//!
//! * [`DurableStore`]: accounts, credentials, sessions, step-up grants, signing keys, audit events.
//! * [`AdminStore`]: what administrators see and do.
//! * [`AddressStore`]: e-mail addresses on their way to being proven.
//! * [`OutboxStore`]: mails that wait to be sent.
//! * [`RecoveryStore`]: recovering accounts.
//! * [`AuditLogStore`]: the sealed log: batches of events, their keys, what was pruned.
//! * [`PasswordStore`]: passwords, where they are allowed; [`FactorStore`]: what is asked for beside a passkey.
//! * [`PrivacyStore`]: deleting accounts, and what is forgotten by itself.
//! * [`PersonalStore`]: personal texts as they are stored, for who encrypts them.
//! * [`CeremonyStore`]: pending ceremonies, short-lived and single-use.
//! * [`LimitStore`]: how many attempts there were of late.
//!
//! [`observed::Observed`] stands before any of them and tells how long it takes.
//!
//! # Adding a store
//! Implement the traits, then stamp the promises out as tests with the macros of `contract` (feature `contract`):
//! a behaviour that is not in the contract does not exist, and a bug found in one adapter becomes a clause there first.
//!
//! Absent on purpose: SQL (what columns mean as records, `columns`, is as near as it comes), clocks, random sources, and every judgement about a ceremony.

mod addresses;
mod admin;
mod ceremony;
mod clones;
#[cfg(feature = "columns")]
pub mod columns;
#[cfg(feature = "contract")]
pub mod contract;
mod durable;
mod ending;
mod error;
mod factors;
mod ids;
mod limits;
pub mod observed;
mod outbox;
mod passwords;
mod personal;
mod privacy;
mod records;
mod recovery;
mod sealed;

pub use addresses::{AddressClaim, AddressStore, ClaimOutcome, NewClaim, ProofOutcome};
pub use admin::{
    AccountLock, AccountStanding, AdminAct, AdminChange, AdminOutcome, AdminSession, AdminStore, Enrolment,
    ListedAccount,
};
pub use ceremony::{CeremonyStore, PendingCeremony, Put};
pub use clones::{
    AlarmEffect, CloneAlarm, CloneAlarmOutcome, CloneStore, Reinstatement, ReinstatementOutcome,
};
pub use durable::{
    AccountStore, Addition, AfterRecovery, AssertionCommit, AssertionOutcome, AuditStore, CredentialStore,
    DurableStore, NewRegistration, OwnedCredential, RegistrationAccount, RegistrationOutcome, Remembered,
    Removal, RemovalOutcome, Rotation, SessionStore, SignInSession, SigningKeyStore,
};
pub use ending::Ending;
pub use error::{Damaged, StorageError};
pub use factors::{ClientKey, ClientKeyChange, ClientKeyChangeOutcome, FactorStore, Factors, JudgedFactors};
pub use ids::{AccountId, CeremonyId, EventId, MailId, SessionId, TokenHash};
pub use limits::{Allowance, Bucket, LimitStore};
pub use outbox::{Aftermath, MAX_MAIL_BYTES, OutboxFigures, OutboxStore, QueuedMail, TakenMail};
pub use passwords::{
    PasswordCandidate, PasswordChange, PasswordChangeOutcome, PasswordLogin, PasswordLoginOutcome,
    PasswordRegistration, PasswordRegistrationOutcome, PasswordStore, PasswordVerifier,
};
pub use personal::{
    ENCRYPTED_MARK, EncryptionKey, EncryptionState, LOOKUP_KEY_LENGTH, PersonalRewrite, PersonalRow,
    PersonalStore, PersonalTable, lookup_key,
};
pub use privacy::{Deletion, DeletionGround, DeletionOutcome, PrivacyStore, UnusedPage};
pub use records::{
    Account, Actor, AuditEvent, AuditOutcome, Credential, CredentialHandle, CredentialTraits, InactiveReason,
    Role, Session, SigningKey, StepUpGrant,
};
pub use recovery::{
    CodeAttempt, CodesOutcome, CodesReplacement, OpenedSession, Recovery, RecoveryOutcome, RecoveryProof,
    RecoveryStage, RecoveryStep, RecoveryStore,
};
pub use sealed::{
    AuditBatch, AuditKey, AuditLeaf, AuditLogStore, AuditMember, AuditPrune, MAX_BATCH_EVENTS, StoredEvent,
    UnsealedEvent, UnsealedPage,
};
