//! What guards an account beside its passkeys, and what is under way to get around them, for its owner to see.

use std::sync::Arc;

use keyhaven_types::UnixTime;

use crate::context::Context;
use crate::error::Error;
use crate::sessions::SignedIn;

/// Tells what guards an account beside its passkeys.
#[derive(Clone)]
pub struct Protections(pub(crate) Arc<Context>);

/// What guards an account beside its passkeys. None of it is a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Protection {
    /// Its password; `None`: it has none.
    pub password: Option<PasswordUse>,
    /// Whether its passkeys are asked for a client key too.
    pub client_key: bool,
    /// From when on a recovery that waits can be carried out, unless its owner objects.
    pub recovery_ready_at: Option<UnixTime>,
    /// How many recovery codes are left.
    pub recovery_codes_left: u64,
}

/// What an account's password is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PasswordUse {
    /// It signs in alone.
    Alone,
    /// It counts only together with a passkey, and every passkey only together with it.
    WithPasskey,
}

impl Protections {
    /// What guards the account that is signed in.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn of(&self, current: &SignedIn) -> Result<Protection, Error> {
        let (durable, account) = (&self.0.durable, current.account_id());
        let password = durable.password_of(account).await?;
        let standing = durable.account_standing(account, self.0.clock.now()).await?;
        Ok(Protection {
            password: password.map(|password| match password.with_passkey {
                false => PasswordUse::Alone,
                true => PasswordUse::WithPasskey,
            }),
            client_key: standing.client_key.is_some(),
            recovery_ready_at: standing.recovery_ready_at,
            recovery_codes_left: durable.recovery_codes_left(account).await?,
        })
    }
}
