//! Registering a passkey: the first of a new account, or one more of a signed-in one (L3 §7.1).

mod finish;
mod start;

use std::sync::Arc;

pub use finish::{FinishRegistration, Registered};
pub use start::StartRegistration;

use crate::context::Context;
use crate::error::Error;

/// More passkeys than this per account are refused: options must stay sendable and lists readable.
const MAX_PASSKEYS: u32 = 64;

/// Registers passkeys.
#[derive(Clone)]
pub struct Registrations(pub(crate) Arc<Context>);

fn too_many() -> Error {
    Error::forbidden(format!("an account can have {MAX_PASSKEYS} passkeys"))
}
