//! The API as a client sees it: the router, called without a socket, on real use cases and the software authenticator.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod admin;
mod attestation;
mod audit_log;
mod audited;
mod bounds;
mod ceremonies;
mod clones;
mod codes;
mod crosscheck;
mod disclosure;
mod everywhere;
mod extensions;
mod factors;
mod hostile;
mod identifier;
mod limits;
mod mails;
mod openapi;
mod operations;
mod passkeys;
mod passwords;
mod privacy;
mod protocol;
mod recovery;
mod sessions;
mod stores;
mod support;
mod tokens;
mod ways_in;
