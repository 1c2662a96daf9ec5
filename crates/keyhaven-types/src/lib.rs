//! The W3C WebAuthn Level 3 vocabulary as Rust types.
//!
//! Everything above this crate speaks in these words: a [`Challenge`] is never a bare byte vector, a [`RpId`] is never
//! a bare string. Each type has private fields and one fallible constructor, so a value that exists is well formed.
//!
//! Absent on purpose: input and output, async, cryptography, clocks and random sources.

mod algorithm;
pub mod base64url;
mod challenge;
mod constant_time;
mod credential;
mod flags;
pub mod options;
mod relying_party;
pub mod signal;
mod time;
mod user;

pub use algorithm::CoseAlgorithm;
pub use challenge::{Challenge, InvalidChallenge};
pub use credential::{
    Aaguid, AuthenticatorAttachment, AuthenticatorTransport, CredentialId, InvalidAaguid,
    InvalidCredentialId, SignCount,
};
pub use flags::{Backup, Flags};
pub use options::{Hint, Mediation, UserVerification};
pub use relying_party::{InvalidOrigin, InvalidRpId, Origin, RpId};
pub use time::UnixTime;
pub use user::{InvalidUserHandle, UserHandle};
