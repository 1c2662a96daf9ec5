//! The FIDO Metadata Service, version 3: what the makers of authenticators and FIDO say of each model.
//!
//! [`Blob::verify`] takes a BLOB as it was downloaded and checks who signed it, at which moment, and that it is no older one
//! played back. A [`MetadataSource`] then judges models by their status ([`StatusPolicy`]) and hands the verifier their trust
//! anchors: it is a [`TrustAnchorSource`](keyhaven_core::TrustAnchorSource), with the operator's own anchors beside it.
//!
//! What this crate refuses to know: networks, files, clocks. Bytes, a root and a moment come in; one input always gives one
//! verdict. Certification paths and signatures are `keyhaven-core`'s.
//!
//! BLOBs hold thousands of statements by hundreds of authors. One entry that cannot be read is left out and counted, never
//! the BLOB; a model whose entry was left out is refused, as nobody can tell what was reported on it.
//!
//! Source: FIDO Metadata Service v3.0 and v3.1, FIDO Metadata Statement v3.0 and v3.1.

mod blob;
mod date;
mod entry;
mod source;
mod status;

pub use blob::{Blob, BlobError, Issue, Signer, UnverifiedBlob, Verification};
pub use date::Date;
pub use entry::{Dropped, Entry, EntryError, Statement};
pub use source::MetadataSource;
pub use status::{
    CertificationLevel, Fips140Level, Refusal, Status, StatusPolicy, StatusReport, UnknownStatus,
};
