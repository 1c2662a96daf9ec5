//! What a sign-in with a passkey asks for beside it, by the deployment's and the account's choice.
//!
//! Asked only once the passkey has signed: who cannot sign learns nothing of what else there is.

use std::fmt;

use keyhaven_password::{Password, Rules, Verdict};
use keyhaven_storage::{Account, ClientKey, Factors, JudgedFactors, OwnedCredential, PasswordVerifier};
use zeroize::Zeroizing;

use crate::client_keys::{self, NewClientKey};
use crate::context::Context;
use crate::error::Error;
use crate::settings::Demand;

/// What came with a sign-in, beside the passkey's answer.
#[derive(Default)]
pub struct PresentedFactors {
    /// The password as typed.
    pub password: Option<Zeroizing<String>>,
    /// The client key as typed.
    pub client_key: Option<Zeroizing<String>>,
}

impl fmt::Debug for PresentedFactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedFactors(..)")
    }
}

/// What was asked for beside the passkey, and was right.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProvenFactors {
    pub(crate) password: bool,
    pub(crate) client_key: bool,
}

/// What a new account has beside its passkey.
#[derive(Default)]
pub(crate) struct FirstFactors {
    pub(crate) password: Option<PasswordVerifier>,
    /// What is stored of it, and what is shown once.
    pub(crate) client_key: Option<(ClientKey, NewClientKey)>,
}

impl Context {
    /// Whether any sign-in may be asked for more than the passkey.
    pub(crate) fn may_ask_for_more(&self) -> bool {
        self.settings.passwords.with_passkey != Demand::Off || self.settings.client_key != Demand::Off
    }

    /// Judges what came with a passkey that has signed. Guesses are counted by account: only who holds one of its passkeys
    /// can make them.
    pub(crate) async fn judge_factors(
        &self,
        owned: &OwnedCredential,
        stored: &Factors,
        presented: &PresentedFactors,
    ) -> Result<(JudgedFactors, ProvenFactors), Error> {
        let asks_password = asks(self.settings.passwords.with_passkey, || {
            stored
                .password
                .as_ref()
                .is_some_and(|password| password.with_passkey)
        });
        let asks_client_key = asks(self.settings.client_key, || stored.client_key.is_some());
        if asks_password || asks_client_key {
            let account = owned.account.id.0;
            self.limit(|limits| vec![limits.guess(account.as_bytes())])
                .await?;
        }
        if asks_password {
            self.judge_password(stored, presented).await?;
        }
        if asks_client_key {
            let key = stored.client_key.as_ref().ok_or(Error::ClientKeyMismatch)?;
            let given = presented.client_key.as_ref().ok_or(Error::ClientKeyMismatch)?;
            if !client_keys::matches(&self.keys.client_keys, key, given) {
                return Err(Error::ClientKeyMismatch);
            }
        }
        let judged = JudgedFactors {
            password: stored.password.as_ref().map(|password| password.hash.clone()),
            client_key: stored.client_key.as_ref().map(|key| key.mac),
            uses_client_key: asks_client_key,
        };
        let proven = ProvenFactors {
            password: asks_password,
            client_key: asks_client_key,
        };
        Ok((judged, proven))
    }

    /// Where everybody needs a password, who has none does not get in.
    async fn judge_password(&self, stored: &Factors, presented: &PresentedFactors) -> Result<(), Error> {
        let stored = stored.password.as_ref().ok_or(Error::PasswordRequired)?;
        let given = presented.password.as_ref().ok_or(Error::PasswordRequired)?;
        let given = Password::new(given).map_err(|_| Error::AuthenticationFailed)?;
        match self.compare_password(&given, Some(stored.hash.clone())).await? {
            Verdict::Right | Verdict::RightButOld => Ok(()),
            Verdict::Wrong => Err(Error::AuthenticationFailed),
        }
    }
}

impl Context {
    /// What a new account gets beside its passkey. Where everybody needs a password, none is made without.
    pub(crate) async fn first_factors(
        &self,
        account: &Account,
        password: Option<&str>,
    ) -> Result<FirstFactors, Error> {
        let password = match (self.settings.passwords.with_passkey, password) {
            (Demand::Required, None) => return Err(Error::PasswordRequired),
            (Demand::Off, Some(_)) => {
                return Err(Error::invalid("password: no sign-in here asks for both"));
            }
            (Demand::ByAccount | Demand::Off, None) => None,
            (Demand::ByAccount | Demand::Required, Some(typed)) => {
                let names = [
                    Some(account.name()),
                    Some(account.display_name.as_str()),
                    account.email.as_deref(),
                ];
                let password = self.acceptable_password(Rules::ONE_OF_TWO, typed, names)?;
                Some(self.hash_password(account.id, password, true).await?)
            }
        };
        let client_key = match self.settings.client_key {
            Demand::ByAccount | Demand::Off => None,
            Demand::Required => Some(self.new_client_key(account.id)?),
        };
        Ok(FirstFactors { password, client_key })
    }
}

fn asks(deployment: Demand, account: impl FnOnce() -> bool) -> bool {
    match deployment {
        Demand::ByAccount => account(),
        Demand::Off => false,
        Demand::Required => true,
    }
}
