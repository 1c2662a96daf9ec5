use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::request::Parts;
use axum::response::IntoResponse;
use keyhaven_token::{Claims, InvalidKeySet, KeySet};
use keyhaven_types::UnixTime;

use crate::extract::bearer_token;
use crate::rejection::Rejection;

/// Tells whose session a request belongs to.
pub trait Authority: Clone + Send + Sync + 'static {
    /// What handlers get to know.
    type Session: Assurance + Clone + Send + Sync + 'static;
    /// What is answered instead when nobody is signed in.
    type Rejection: From<Rejection> + IntoResponse + Send;

    /// The session of this request.
    ///
    /// # Errors
    /// When there is none in force, or it cannot be looked up.
    fn authenticate(
        &self,
        parts: &Parts,
    ) -> impl Future<Output = Result<Self::Session, Self::Rejection>> + Send;

    /// Now.
    fn now(&self) -> UnixTime;
}

/// How well a session was proven, and when.
pub trait Assurance {
    /// Authenticator assurance level, 1 to 3 (NIST SP 800-63B).
    fn aal(&self) -> u8;
    /// When the user last proved who they are.
    fn authenticated_at(&self) -> UnixTime;
}

/// What a route asks of a session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    aal: u8,
    max_age: Option<Duration>,
}

impl Demand {
    /// At least this assurance level, 1 to 3.
    #[must_use]
    pub const fn level(aal: u8) -> Self {
        Self { aal, max_age: None }
    }

    /// And a sign-in not longer ago than this.
    #[must_use]
    pub const fn within(self, max_age: Duration) -> Self {
        Self {
            max_age: Some(max_age),
            ..self
        }
    }

    /// Whether a session meets it at `now`.
    #[must_use]
    pub fn is_met_by(&self, session: &impl Assurance, now: UnixTime) -> bool {
        session.aal() >= self.aal
            && self
                .max_age
                .is_none_or(|limit| now.saturating_since(session.authenticated_at()) <= limit)
    }
}

/// Checks Keyhaven's access tokens offline, against its key set.
///
/// A token cannot be revoked before its end, some minutes away: ask Keyhaven itself before anything that matters more.
#[derive(Clone, Debug)]
pub struct TokenAuthority {
    issuer: Arc<str>,
    audience: Arc<str>,
    keys: Arc<RwLock<KeySet>>,
    now: fn() -> UnixTime,
}

impl TokenAuthority {
    /// Takes the issuer (Keyhaven's public URL), the audience (its RP ID), the text of its
    /// `/.well-known/jwks.json`, and a clock.
    ///
    /// # Errors
    /// [`InvalidKeySet`] when the text is no JWK Set.
    pub fn new(
        issuer: &str,
        audience: &str,
        key_set: &str,
        now: fn() -> UnixTime,
    ) -> Result<Self, InvalidKeySet> {
        let keys = Arc::new(RwLock::new(KeySet::from_json(key_set)?));
        Ok(Self {
            issuer: issuer.into(),
            audience: audience.into(),
            keys,
            now,
        })
    }

    /// Takes a newer key set, as keys are rotated. To be called every few minutes.
    ///
    /// # Errors
    /// [`InvalidKeySet`] when the text is no JWK Set; the old one then stays.
    pub fn replace_keys(&self, key_set: &str) -> Result<(), InvalidKeySet> {
        let keys = KeySet::from_json(key_set)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }
}

impl Authority for TokenAuthority {
    type Session = Claims;
    type Rejection = Rejection;

    async fn authenticate(&self, parts: &Parts) -> Result<Claims, Rejection> {
        let token = bearer_token(&parts.headers).ok_or(Rejection::Unauthenticated)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keyhaven_token::verify(token, &keys, &self.issuer, &self.audience, (self.now)())
            .map_err(|_| Rejection::Unauthenticated)
    }

    fn now(&self) -> UnixTime {
        (self.now)()
    }
}

impl Assurance for Claims {
    fn aal(&self) -> u8 {
        self.aal
    }

    fn authenticated_at(&self) -> UnixTime {
        UnixTime::from_millis(self.auth_time.saturating_mul(1000))
    }
}
