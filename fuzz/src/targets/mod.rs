//! What is done with an input: one function per parser and one per ceremony.
//!
//! None may panic, and each compares what was accepted with another reader of the same bytes (ciborium, serde_json,
//! base64, x509-cert, or a few lines here). Included by keyhaven-core's tests as well, beside their `support` module,
//! whose ceremonies also compare each verification with its traced twin.
#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is how a target fails"
)]
#![allow(
    unreachable_pub,
    reason = "public where it is the fuzzer's, private where it is a test's"
)]

pub mod ceremonies;
pub mod envelopes;
pub mod parsers;
mod readers;
pub mod revocation_lists;
pub mod statements;
pub mod trust_path;

/// What judges an input, and panics where the verifier is wrong.
type Target = fn(&[u8]);

/// Every target, by name.
pub const ALL: &[(&str, Target)] = &[
    ("assertion", ceremonies::assertion),
    ("assertion_json", envelopes::assertion_json),
    ("attestation_object", parsers::attestation_object),
    ("authenticator_data", parsers::authenticator_data),
    ("base64url", parsers::base64url),
    ("cbor", parsers::cbor),
    ("certificate", statements::certificate),
    ("client_data", parsers::client_data),
    ("cose_key", parsers::cose_key),
    ("registration", ceremonies::registration),
    ("registration_json", envelopes::registration_json),
    ("revocation_lists", revocation_lists::revocation_lists),
    ("statement", statements::statement),
    ("trust_path", trust_path::trust_path),
];
