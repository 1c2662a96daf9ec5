//! Personal data at rest, by the real binary: nothing of it is readable in what is stored, keys take each other's place
//! while people sign in, a database of a version before is encrypted, and a wrong key or an altered text is refused.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod altered;
mod keys;
mod rest;
mod rotation;
mod site;
mod upgrade;
