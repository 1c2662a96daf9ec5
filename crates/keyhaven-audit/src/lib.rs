//! Keyhaven's sealed audit log: what makes it evidence, without I/O, clock or random source.
//!
//! Security events are sealed in batches. Each batch is a Merkle tree over its events ([`merkle`], hashed as in RFC 9162);
//! its header names the root, and the chained root of the batch before, so that the chained root of one batch stands for
//! everything up to it. What is signed (Ed25519) for each batch is its [`Checkpoint`]: a C2SP signed note that can be kept
//! elsewhere.
//!
//! * [`seal`] makes a batch; [`SigningKey`] signs it.
//! * [`Verifier`] is pushed a log, batch by batch and in bounded memory, and names what is wrong with it and where.
//! * [`Proof`] shows that one event is in a batch, to somebody who has neither the log nor a database.
//! * [`export`] is the log as lines of JSON.
//!
//! `docs/audit.md` describes the formats to the byte. Absent on purpose: stores, files, HTTP, and the secret key: the
//! MAC of single events is checked by whoever has that key ([`EventCheck`]).

mod batch;
mod checkpoint;
mod event;
pub mod export;
mod key;
pub mod merkle;
mod note;
mod proof;
mod prune;
mod verify;

pub use batch::{chain, in_order, seal};
pub use checkpoint::{Checkpoint, CheckpointReader, InvalidCheckpoint};
pub use event::{canonical, leaf};
pub use key::{InvalidVerifierKey, SigningKey, TrustedKeys, VerifierKey};
pub use proof::{InvalidProof, Proof};
pub use prune::{prune, prune_is_signed};
pub use verify::{EventCheck, Finding, Place, Report, Verifier, Wrong};

/// SHA-256.
pub type Hash = [u8; 32];

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
