//! Passwords, for deployments that still allow them.
//!
//! [`Password`] is what somebody typed, prepared for comparison (RFC 8265 OpaqueString). [`Rules`] says which new ones
//! are acceptable (NIST SP 800-63B-4 §3.1.1.2: length and a blocklist, no composition rules). [`hash`] and [`verify`]
//! keep and compare them: Argon2id (RFC 9106) for what is stored anew; bcrypt and other Argon2 parameters are taken
//! over and reported as old, so that the caller can hash again at the next right password.
//!
//! Hashing is slow and needs 19 MiB on purpose: callers bound how many run at once, and run them off their executor's
//! threads. Salts are arguments.
//!
//! Absent on purpose: stores, attempts and their limits, and what an answer may tell an attacker.

mod hashing;
mod password;
mod rules;

pub use hashing::{DUMMY, HashingFailed, UnknownHash, Verdict, check_hash, hash, verify};
pub use password::{InvalidPassword, Password};
pub use rules::{Rules, Unacceptable};
