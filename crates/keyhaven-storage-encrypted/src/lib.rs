//! Personal data encrypted at rest.
//!
//! [`Encrypted`] stands before a durable store. Of what goes in it encrypts usernames, display names, e-mail addresses,
//! names of passkeys, and addresses and user agents of clients; of what comes out it decrypts them. The store behind it
//! keeps texts that it cannot read, and looks names and addresses up by a keyed hash that each begins with. A text that
//! does not open is a [`StorageError`](keyhaven_storage::StorageError), never an empty field.
//!
//! [`KeyRing`] is all of the cryptography; [`open()`] makes one of the keys that there are; [`Walk`] encrypts what is stored
//! already, after an upgrade or under another key.

#[cfg(feature = "contract")]
pub mod contract;
mod open;
mod ring;
mod store;
mod walk;

pub use open::{NotOpened, open};
pub use ring::{BadRing, Column, KeyId, KeyRing, Place, TextKeys, Unreadable};
pub use store::Encrypted;
pub use walk::{KeyUse, Walk, Walked, key_use};
