//! Where an account is called by its e-mail address, the address is proven before there is an account: nobody can make
//! one in another's name and wait for that other.
//!
//! Whoever asks is told the same for every address. What is mailed differs: a code, good for the browser that asked, or,
//! where an account has the address, that there is one. The code, typed in that browser, is what starts the
//! registration.

use std::fmt;
use std::time::Duration;

use keyhaven_mail::{Address, Content, Mail, Secret};
use keyhaven_storage::{CeremonyId, Recovery, RecoveryStage};
use keyhaven_types::{UnixTime, base64url};
use subtle::ConstantTimeEq as _;

use crate::audit::Subject;
use crate::ceremony::Kind;
use crate::client::{Client, SecretToken};
use crate::codes::digits;
use crate::context::Context;
use crate::error::Error;
use crate::limits::Attempt;
use crate::mails::SECURITY;
use crate::moments::{DAY, ago};
use crate::registration::Registrations;
use crate::settings::Identifier;
use crate::username::{self, Username};

const ASK: &str = "registration.email";

/// How long a mailed code is good.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// So many codes can be typed for one mail.
const TRIES: u8 = 5;

/// An address gets no more mails than these in a day, whoever asks.
const MAILS_A_DAY: u32 = 5;

/// A code that was mailed, or not.
#[derive(Debug)]
pub struct AskedProof {
    /// Names it from now on.
    pub id: CeremonyId,
    /// From this moment on it proves nothing.
    pub expires_at: UnixTime,
    /// The ceremony cookie's value, for a client that sent an Origin.
    pub browser: Option<SecretToken>,
}

/// The code that was mailed, as its reader typed it.
pub struct AddressProof {
    /// As it was answered.
    pub id: Option<CeremonyId>,
    /// Six digits.
    pub code: String,
}

impl fmt::Debug for AddressProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressProof(..)")
    }
}

impl Registrations {
    /// Mails a code to an address that is to be a new account's name. The answer is the same if there is such an account.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] (no address), [`Error::RateLimited`], [`Error::Busy`], [`Error::Storage`].
    pub async fn ask(&self, client: &Client, email: &str) -> Result<AskedProof, Error> {
        let result = self.try_ask(client, email).await;
        self.0.concluded(client, ASK, Subject::default(), result).await
    }

    async fn try_ask(&self, client: &Client, email: &str) -> Result<AskedProof, Error> {
        let context = &self.0;
        let named = username::email(email).and_then(|address| {
            let name = Username::of_address(&context.keys, &address)?;
            Ok((address, name))
        });
        context
            .limit(|limits| {
                let mut buckets = limits.address(Attempt::RegistrationStart, client.ip);
                let name = named.as_ref().ok().map(|(_, name)| name.as_str().as_bytes());
                buckets.extend(name.map(|name| limits.pair(client.ip, &[b"address ", name].concat())));
                buckets
            })
            .await?;
        let (address, name) = named?;
        let account = context.durable.account_named(name.as_str()).await?;
        let code = digits(&*context.random)?;
        let mut id = [0; 32];
        context.random.fill(&mut id)?;
        let id = CeremonyId(id);
        let code_hash = context.keys.mailed_code_hash(&hash_of(id), &code);
        let now = context.clock.now();
        let content = match &account {
            None => Content::RegistrationCode {
                link: context.link(&format!("register={}.{code}", id.to_text())),
                code: Secret(code),
                until: now.saturating_add(LIFETIME),
            },
            Some(_) => Content::AlreadyRegistered {
                page: context.link(SECURITY),
            },
        };
        let proven = address.as_str().to_owned();
        let mail = Mail {
            to: address,
            language: context.language_of(client),
            username: None,
            occasion: Some(context.occasion(client)),
            content,
        };
        let nobodys = account.is_none();
        let subject = account.as_ref().map_or_else(Subject::default, Subject::account);
        let mut audit = context.success(client, ASK, subject)?;
        audit
            .mails
            .extend(context.queued(account.as_ref().map(|account| account.id), &mail)?);
        // Kept as a recovery that leads nowhere: so many of an address are stored in a day, with their mails.
        let counted = Recovery {
            id_hash: hash_of(id),
            account: None,
            address_hash: context.keys.address_hash(name.as_str()),
            browser: None,
            code_hash,
            tries: 0,
            created_at: now,
            code_expires_at: now,
            stage: RecoveryStage::Ended,
            expires_at: now.saturating_add(DAY),
        };
        let stored = context
            .durable
            .ask_recovery(counted, MAILS_A_DAY, ago(now, DAY), audit)
            .await?;
        if !stored {
            tracing::info!(
                request_id = client.request_id,
                "an address had its mails for today; no further one is sent"
            );
        }
        let provable = stored && nobodys;
        let kind = Kind::AddressProof {
            address: proven,
            // A code that nobody was mailed proves nothing: guesses are as few as mails. Nor can anybody prove what is
            // somebody's already, not even by chance.
            code_hash: provable.then(|| base64url::encode(&code_hash)),
            tries: 0,
        };
        let challenge = context.new_challenge()?;
        let started = context
            .begin_as(id, client, kind, challenge, (), LIFETIME)
            .await?;
        Ok(AskedProof {
            id: started.ceremony,
            expires_at: started.expires_at,
            browser: started.browser,
        })
    }
}

impl Context {
    /// What somebody typed as an account's name, as accounts are looked up by it.
    pub(crate) fn name(&self, typed: &str) -> Result<Username, Error> {
        match self.settings.identifier {
            Identifier::Email => Username::of_address(&self.keys, &username::email(typed)?),
            Identifier::Username => Username::parse(typed),
        }
    }

    /// The address that the code was mailed to. It is used up by that; after a few wrong ones as well.
    pub(crate) async fn proven_address(
        &self,
        client: &Client,
        proof: &AddressProof,
    ) -> Result<Address, Error> {
        let id = proof.id.ok_or(Error::ChallengeMissing)?;
        let now = self.clock.now();
        let found = self.take_bound(client, id, now).await?;
        let (mut pending, expires_at) = found.ok_or(Error::ChallengeMissing)?;
        let Kind::AddressProof {
            address,
            code_hash,
            tries,
        } = &mut pending.kind
        else {
            return Err(Error::ChallengeMissing);
        };
        let given = self.keys.mailed_code_hash(&hash_of(id), &proof.code);
        let expected = code_hash.as_deref().and_then(|text| base64url::decode(text).ok());
        if expected.is_some_and(|expected| expected.as_slice().ct_eq(&given).into()) {
            return address.parse().map_err(|_| Error::ChallengeMissing);
        }
        *tries = tries.saturating_add(1);
        if *tries < TRIES {
            self.put_back(id, &pending, expires_at, now).await?;
        }
        Err(Error::AuthenticationFailed)
    }
}

fn hash_of(id: CeremonyId) -> keyhaven_storage::TokenHash {
    SecretToken::from_bytes(id.0).hash()
}
