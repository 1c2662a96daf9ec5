//! What guards an account beside its passkeys, for its owner to see.

use std::sync::Arc;

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
        // A client key is asked for beside a passkey: without one there is nothing to ask it with.
        let client_key = match durable.credentials_of(account).await?.first() {
            Some(credential) => durable
                .credential_with_factors(&credential.id)
                .await?
                .is_some_and(|(_, factors)| factors.client_key.is_some()),
            None => false,
        };
        Ok(Protection {
            password: password.map(|password| match password.with_passkey {
                false => PasswordUse::Alone,
                true => PasswordUse::WithPasskey,
            }),
            client_key,
            recovery_codes_left: durable.recovery_codes_left(account).await?,
        })
    }
}
