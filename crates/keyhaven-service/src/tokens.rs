//! Signed access tokens and the keys that sign them.

use std::sync::{Arc, PoisonError, RwLock};

use keyhaven_storage::{Account, AccountId, Session, SessionId};
use keyhaven_token::{Claims, KeySet, SigningKey};
use keyhaven_types::{UnixTime, base64url};
use zeroize::Zeroizing;

use crate::assurance::authentication_context;
use crate::context::Context;
use crate::error::Error;
use crate::moments::ago;
use crate::sessions::{Sessions, SignedIn};

/// Issues and checks access tokens; publishes their keys.
#[derive(Clone)]
pub struct AccessTokens {
    context: Arc<Context>,
    keys: Arc<RwLock<Vec<PublishedKey>>>,
}

/// A key is published this long before it signs, so that whoever checks tokens has fetched it: the key set may be kept
/// for five minutes, and other processes learn of it within one.
const PUBLISHED_AHEAD: std::time::Duration = std::time::Duration::from_secs(10 * 60);

struct PublishedKey {
    signing: SigningKey,
    created_at: UnixTime,
    expires_at: UnixTime,
}

impl AccessTokens {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            keys: Arc::default(),
        }
    }

    /// Makes a first key, or the next one when the newest has signed long enough, and learns of keys that other
    /// processes made. To be called at start and then every minute or so. Does nothing where tokens are off.
    ///
    /// # Errors
    /// [`Error::Storage`]; keys sealed under another secret are left alone and not used.
    pub async fn maintain(&self) -> Result<(), Error> {
        let Some(settings) = self.context.settings.access_tokens else {
            return Ok(());
        };
        let now = self.context.clock.now();
        let fresh_since = ago(now, settings.rotation);
        let stored = self.context.durable.signing_keys(now).await?;
        let usable = self.open(&stored);
        let has_fresh = stored
            .iter()
            .zip(&usable)
            .any(|(key, open)| open.is_some() && key.created_at > fresh_since);
        let mut keys: Vec<_> = usable.into_iter().flatten().collect();
        if !has_fresh {
            let (key, record) = self.new_key(now, settings.rotation.saturating_mul(2))?;
            let newest_unusable = stored
                .first()
                .is_some_and(|newest| newest.created_at > fresh_since);
            let unless = if newest_unusable { now } else { fresh_since };
            if self.context.durable.add_signing_key(record, unless).await? {
                keys.insert(0, key);
            } else {
                let stored = self.context.durable.signing_keys(now).await?;
                keys = self.open(&stored).into_iter().flatten().collect();
            }
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn open(&self, stored: &[keyhaven_storage::SigningKey]) -> Vec<Option<PublishedKey>> {
        let open = |record: &keyhaven_storage::SigningKey| {
            let seed = Zeroizing::new(self.context.keys.open(&record.id, &record.sealed_private_key)?);
            let seed: &[u8; 32] = seed.as_slice().try_into().ok()?;
            let signing = SigningKey::from_seed(record.id.clone(), seed)?;
            Some(PublishedKey {
                signing,
                created_at: record.created_at,
                expires_at: record.expires_at,
            })
        };
        let opened: Vec<_> = stored.iter().map(open).collect();
        if opened.iter().any(Option::is_none) {
            tracing::warn!("a stored signing key is sealed under another secret key and is not used");
        }
        opened
    }

    fn new_key(
        &self,
        now: UnixTime,
        published_for: std::time::Duration,
    ) -> Result<(PublishedKey, keyhaven_storage::SigningKey), Error> {
        let mut seed = Zeroizing::new([0; 32]);
        self.context.random.fill(&mut *seed)?;
        let mut id = [0; 12];
        self.context.random.fill(&mut id)?;
        let id = base64url::encode(&id);
        let signing = SigningKey::from_seed(id.clone(), &seed).ok_or(Error::Busy)?;
        let expires_at = now.saturating_add(published_for);
        let record = keyhaven_storage::SigningKey {
            algorithm: "EdDSA".to_owned(),
            public_jwk: signing.public_jwk(),
            sealed_private_key: self.context.keys.seal(&id, &*seed, &*self.context.random)?,
            id,
            created_at: now,
            expires_at,
        };
        let key = PublishedKey {
            signing,
            created_at: now,
            expires_at,
        };
        Ok((key, record))
    }

    /// A token for this session, where tokens are on.
    #[must_use]
    pub fn issue(&self, account: &Account, session: &Session) -> Option<String> {
        let settings = self.context.settings.access_tokens?;
        let now = self.context.clock.now();
        let ends = now.saturating_add(settings.lifetime).min(session.expires_at);
        let claims = Claims {
            iss: self.context.settings.public_url.clone(),
            aud: self.context.settings.relying_party.id.as_str().to_owned(),
            sub: account.id.to_string(),
            sid: session.id.to_string(),
            aal: session.aal,
            amr: session.amr.clone(),
            acr: authentication_context(session).map(str::to_owned),
            auth_time: session.authenticated_at.as_seconds(),
            iat: now.as_seconds(),
            exp: ends.as_seconds(),
        };
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        // The newest that has been published long enough; the very first has nobody before it.
        let known = |key: &&PublishedKey| now.saturating_since(key.created_at) >= PUBLISHED_AHEAD;
        let key = keys.iter().find(known).or_else(|| keys.last())?;
        keyhaven_token::sign(&claims, &key.signing).ok()
    }

    /// The key set as JSON; without keys where tokens are off.
    #[must_use]
    pub fn key_set(&self) -> String {
        let now = self.context.clock.now();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let live: Vec<_> = keys
            .iter()
            .filter(|key| now < key.expires_at)
            .map(|key| key.signing.public_jwk())
            .collect();
        format!(r#"{{"keys":[{}]}}"#, live.join(","))
    }

    /// The session behind a token. The token only names it: whether it is in force is looked up.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::SessionExpired`], [`Error::AccountLocked`], [`Error::Storage`].
    pub async fn authenticate(&self, token: &str) -> Result<SignedIn, Error> {
        let settings = &self.context.settings;
        let keys = KeySet::from_json(&self.key_set()).map_err(|_| Error::Unauthenticated)?;
        let now = self.context.clock.now();
        let audience = settings.relying_party.id.as_str();
        let claims = keyhaven_token::verify(token, &keys, &settings.public_url, audience, now)
            .map_err(|_| Error::Unauthenticated)?;
        let account: AccountId = claims.sub.parse().map_err(|_| Error::Unauthenticated)?;
        let session: SessionId = claims.sid.parse().map_err(|_| Error::Unauthenticated)?;
        Sessions(self.context.clone()).by_id(account, session).await
    }
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessTokens(..)")
    }
}
