//! The API as a client sees it: the router, called without a socket, on real use cases and the software authenticator.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod attestation;
mod audit_log;
mod ceremonies;
mod crosscheck;
mod disclosure;
mod hostile;
mod limits;
mod openapi;
mod operations;
mod passkeys;
mod protocol;
mod sessions;
mod support;
mod tokens;
