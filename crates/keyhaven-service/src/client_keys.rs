//! Client keys: 128 random bits that an account's owner keeps, asked for beside the passkey.
//!
//! Shown once, when one is made. Stored is a keyed hash alone; the key is in no user handle, name, event or log line.

use std::fmt;
use std::sync::Arc;

use keyhaven_storage::{AccountId, ClientKey, ClientKeyChange, ClientKeyChangeOutcome};
use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::audit::Subject;
use crate::client::Client;
use crate::context::Context;
use crate::error::Error;
use crate::sessions::SignedIn;
use crate::settings::Demand;
use crate::step_up::Purpose;

const CHANGE: &str = "client_key.change";
const REMOVE: &str = "client_key.remove";

/// Makes, replaces and removes client keys.
#[derive(Clone)]
pub struct ClientKeys(pub(crate) Arc<Context>);

/// A client key to be shown once: 32 hexadecimal digits. Wiped when dropped.
pub struct NewClientKey(Zeroizing<String>);

impl NewClientKey {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NewClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewClientKey(..)")
    }
}

impl ClientKeys {
    /// Gives the account a client key, in place of the one it had. Needs a grant to change the password: that, too, is
    /// what a passkey is asked for together with.
    ///
    /// # Errors
    /// [`Error::NotFound`] (there are no client keys here), [`Error::StepUpRequired`], [`Error::SessionExpired`],
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn rotate(&self, client: &Client, current: &SignedIn) -> Result<NewClientKey, Error> {
        self.require_any()?;
        self.0.limit_change(client, current).await?;
        let (stored, shown) = self.0.new_client_key(current.account_id())?;
        self.commit(client, current, CHANGE, Some(stored)).await?;
        Ok(shown)
    }

    /// Removes the account's client key: its passkeys are enough again. Needs the same grant.
    ///
    /// # Errors
    /// As [`Self::rotate`], [`Error::NotFound`] also where the account has none; [`Error::Forbidden`] where the deployment
    /// asks everybody for one.
    pub async fn remove(&self, client: &Client, current: &SignedIn) -> Result<(), Error> {
        self.require_any()?;
        self.0.limit_change(client, current).await?;
        if self.0.settings.client_key == Demand::Required {
            let error = Error::forbidden("here everybody has a client key");
            return Err(self.0.refuse(client, REMOVE, of(current), error).await);
        }
        self.commit(client, current, REMOVE, None).await
    }

    async fn commit(
        &self,
        client: &Client,
        current: &SignedIn,
        action: &'static str,
        to: Option<ClientKey>,
    ) -> Result<(), Error> {
        let purpose = Purpose::ChangePassword;
        if let Err(error) = self.0.require_grant(current, purpose).await {
            return Err(self.0.refuse(client, action, of(current), error).await);
        }
        let change = ClientKeyChange {
            account: current.account_id(),
            session: current.session().id,
            uses_grant: purpose.as_str().to_owned(),
            to,
            at: self.0.clock.now(),
            audit: self.0.success(client, action, of(current))?,
        };
        let refusal = match self.0.durable.change_client_key(change).await? {
            ClientKeyChangeOutcome::AccountUnavailable => Error::AccountLocked,
            ClientKeyChangeOutcome::Changed => return Ok(()),
            ClientKeyChangeOutcome::GrantMissing => Error::StepUpRequired { purpose },
            ClientKeyChangeOutcome::NotFound => Error::NotFound,
            ClientKeyChangeOutcome::SessionEnded => Error::SessionExpired,
        };
        Err(self.0.refuse(client, action, of(current), refusal).await)
    }

    fn require_any(&self) -> Result<(), Error> {
        match self.0.settings.client_key {
            Demand::ByAccount | Demand::Required => Ok(()),
            Demand::Off => Err(Error::NotFound),
        }
    }
}

impl Context {
    /// Draws a client key: what is stored of it, and what is shown once.
    pub(crate) fn new_client_key(&self, account: AccountId) -> Result<(ClientKey, NewClientKey), Error> {
        let mut bytes = Zeroizing::new([0; 16]);
        self.random.fill(&mut *bytes)?;
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&self.keys.client_keys, &message(account, &bytes)).as_ref());
        let stored = ClientKey {
            account,
            mac,
            created_at: self.clock.now(),
            last_used_at: None,
        };
        Ok((stored, NewClientKey(Zeroizing::new(hexadecimal(&bytes)))))
    }
}

/// Whether these are the digits of this key, in constant time. Case, spaces and hyphens do not matter.
pub(crate) fn matches(key: &hmac::Key, stored: &ClientKey, given: &str) -> bool {
    parse(given).is_some_and(|bytes| hmac::verify(key, &message(stored.account, &bytes), &stored.mac).is_ok())
}

/// What tells one client key from another, and nothing else of it: 16 hexadecimal digits of a hash of what is stored.
pub(crate) fn fingerprint(stored: &ClientKey) -> String {
    let hash = digest::digest(
        &digest::SHA256,
        &[&b"keyhaven client key fingerprint"[..], &stored.mac].concat(),
    );
    hash.as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A key is worth something for its own account only.
fn message(account: AccountId, bytes: &[u8; 16]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([&account.0.as_bytes()[..], &bytes[..]].concat())
}

fn hexadecimal(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &str) -> Option<Zeroizing<[u8; 16]>> {
    if text.len() > 128 {
        return None;
    }
    let mut number = Zeroizing::new(0_u128);
    let mut digits = 0;
    for character in text.chars().filter(|c| !matches!(c, ' ' | '-')) {
        digits += 1;
        if digits > 32 {
            return None;
        }
        *number = (*number << 4) | u128::from(character.to_digit(16)?);
    }
    (digits == 32).then(|| Zeroizing::new(number.to_be_bytes()))
}

fn of(current: &SignedIn) -> Subject {
    Subject::session(current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_digits_however_they_are_written() {
        let bytes: [u8; 16] = std::array::from_fn(|n| u8::try_from(n).unwrap() * 17);
        let text = hexadecimal(&bytes);
        assert_eq!(text, "00112233445566778899aabbccddeeff");
        for same in [
            &text,
            &text.to_uppercase(),
            "0011-2233-4455-6677-8899-aabb-ccdd-eeff",
            " 00112233 44556677 8899aabb ccddeeff ",
        ] {
            assert_eq!(parse(same).as_deref(), Some(&bytes), "{same}");
        }
        for other in [
            "",
            "0",
            &text[1..],
            &format!("{text}0"),
            "0x112233445566778899aabbccddeeff",
            &"-".repeat(200),
        ] {
            assert!(parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_key_is_worth_something_for_its_account_only() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let own = AccountId(uuid::Uuid::from_u128(1));
        let stored = |account| ClientKey {
            account,
            mac: hmac::sign(&key, &message(own, &[7; 16]))
                .as_ref()
                .try_into()
                .unwrap(),
            created_at: keyhaven_types::UnixTime::from_millis(0),
            last_used_at: None,
        };
        let digits = "07".repeat(16);
        assert!(matches(&key, &stored(own), &digits));
        assert!(!matches(
            &key,
            &stored(AccountId(uuid::Uuid::from_u128(2))),
            &digits
        ));
        assert!(!matches(&key, &stored(own), &"08".repeat(16)));
        assert!(!matches(
            &hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]),
            &stored(own),
            &digits
        ));
    }
}
