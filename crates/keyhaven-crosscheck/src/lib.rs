//! A second, independent verdict on a WebAuthn ceremony, by `webauthn-rs-core`.
//!
//! [`registration`] and [`assertion`] hand the same response, with the same expectations, to the other implementation
//! and compare: both accept with the same facts, or both refuse ([`Verdict::Agree`]); they differ
//! ([`Verdict::Disagree`]); or the other one does not cover the input or the policy ([`Verdict::Abstain`]).
//!
//! ```
//! # use keyhaven_core::*;
//! # fn finish(json: &[u8], expected: &ExpectedRegistration<'_>, policy: &RegistrationPolicy<'_>) -> Result<(), RegistrationError> {
//! use keyhaven_crosscheck::{Verdict, registration};
//!
//! let ours = RegistrationResponse::from_json(json).and_then(|response| verify_registration(&response, expected, policy));
//! if let Verdict::Disagree { theirs, .. } = registration(json, expected, policy, ours.as_ref()) {
//!     eprintln!("accepted here, but: {theirs}");
//! }
//! # ours.map(drop)
//! # }
//! ```
//!
//! Never below `keyhaven-core`: the other implementation reads a clock and draws random numbers, and brings its own
//! cryptography. It is used through its public interface only. Where it panics, it has abstained: a second opinion must
//! not be able to stop the first.

mod assertion;
mod peer;
mod registration;
mod verdict;

pub use assertion::assertion;
pub use registration::registration;
pub use verdict::{Abstention, Facts, Opinion, Verdict};
