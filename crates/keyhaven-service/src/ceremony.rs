//! A ceremony between start and finish: what has to be remembered, and that it is finished at most once.

use std::time::Duration;

use keyhaven_core::RelyingParty;
use keyhaven_storage::{AccountId, CeremonyId, PendingCeremony, Put, SessionId};
use keyhaven_types::{
    Challenge, CoseAlgorithm, CredentialId, Mediation, Origin, UnixTime, UserHandle, base64url,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::client::{Client, SecretToken};
use crate::context::Context;
use crate::error::Error;
use crate::step_up::Purpose;

/// Everything that the finish compares with (L3 §7.1 and §7.2 "options"), as it is stored.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) kind: Kind,
    rp_id: String,
    /// The one origin this ceremony may come from; none for a client that sent no Origin.
    origin: Option<String>,
    pub(crate) challenge: Challenge,
    /// SHA-256 of the browser's ceremony cookie; none for a client that sent no Origin.
    #[serde(with = "optional_bytes32")]
    browser: Option<[u8; 32]>,
    /// When it was started: milliseconds since 1970; long ago where an older version stored it.
    #[serde(default)]
    began_at: i64,
}

/// Which ceremony, and what is particular to it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// No ceremony yet: an address that is to be proven before one begins.
    AddressProof {
        address: String,
        /// Keyed hash of the mailed code, base64url; none where no code proves it.
        code_hash: Option<String>,
        tries: u8,
    },
    AddPasskey {
        account: uuid::Uuid,
        session: uuid::Uuid,
        issued: Issued,
    },
    Login {
        username: Option<String>,
        allowed: AllowList,
    },
    Registration {
        registrant: Registrant,
        issued: Issued,
    },
    StepUp {
        account: uuid::Uuid,
        session: uuid::Uuid,
        purpose: Purpose,
        allowed: AllowList,
        #[serde(default)]
        action: Option<BoundAction>,
    },
}

/// An action that the challenge was made from.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct BoundAction {
    /// SHA-256 of the action.
    #[serde(with = "bytes32")]
    pub(crate) hash: [u8; 32],
    /// What makes the challenge unguessable.
    #[serde(with = "bytes32")]
    pub(crate) nonce: [u8; 32],
}

impl BoundAction {
    pub(crate) fn challenge(&self) -> Challenge {
        keyhaven_core::action_challenge(&self.nonce, &self.hash)
    }
}

/// The credentials that may answer, as hashes: an id may have 1023 bytes and an account 64 passkeys, and a pending ceremony
/// must stay small. Empty: any.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct AllowList(Vec<String>);

impl AllowList {
    pub(crate) fn of<'a>(ids: impl Iterator<Item = &'a CredentialId>) -> Self {
        Self(ids.map(hash).collect())
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list as one id sees it: itself where it was asked for, else one that it is not.
    pub(crate) fn as_far_as_concerns(&self, id: &CredentialId) -> Vec<CredentialId> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let own = hash(id);
        let asked_for = self.0.contains(&own).then(|| id.clone());
        // A hash as long as this is never the id that it is the hash of.
        asked_for
            .or_else(|| CredentialId::try_from(own.as_bytes()).ok())
            .into_iter()
            .collect()
    }
}

fn hash(id: &CredentialId) -> String {
    base64url::encode(ring::digest::digest(&ring::digest::SHA256, id.as_bytes()).as_ref())
}

/// What a registration's options asked for.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Issued {
    pub(crate) algorithms: Vec<CoseAlgorithm>,
    pub(crate) mediation: Mediation,
    /// A security key whose PIN is always asked for.
    #[serde(default)]
    pub(crate) pin: bool,
}

/// The account that a registration will create.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Registrant {
    pub(crate) user_handle: UserHandle,
    pub(crate) username: String,
    pub(crate) display_name: String,
    pub(crate) email: Option<String>,
    #[serde(default)]
    pub(crate) email_verified: bool,
}

/// A ceremony that was started.
#[derive(Debug)]
pub struct Started<Options> {
    /// Finishes it, once.
    pub ceremony: CeremonyId,
    /// What to hand to the browser.
    pub options: Options,
    /// From this moment on it cannot be finished.
    pub expires_at: UnixTime,
    /// The ceremony cookie's value, for a client that sent an Origin.
    pub browser: Option<SecretToken>,
}

/// A ceremony that was taken from the store: it is gone there, whatever happens next.
pub(crate) struct Taken {
    pub(crate) kind: Kind,
    pub(crate) challenge: Challenge,
    pub(crate) origin: Option<Origin>,
    /// When it was started.
    pub(crate) began_at: UnixTime,
}

impl Context {
    /// Draws a challenge of the configured length.
    pub(crate) fn new_challenge(&self) -> Result<Challenge, Error> {
        let mut bytes = vec![0; self.settings.challenge_len.max(16)];
        self.random.fill(&mut bytes)?;
        Challenge::new(bytes).map_err(|_| Error::Busy)
    }

    /// Stores a ceremony, bound to the client that starts it.
    pub(crate) async fn begin<Options>(
        &self,
        client: &Client,
        kind: Kind,
        challenge: Challenge,
        options: Options,
    ) -> Result<Started<Options>, Error> {
        let mut id = [0; 32];
        self.random.fill(&mut id)?;
        let ttl = self.settings.ceremony_ttl;
        self.begin_as(CeremonyId(id), client, kind, challenge, options, ttl)
            .await
    }

    /// Stores it under an id that was drawn already, for another time than that of ceremonies.
    pub(crate) async fn begin_as<Options>(
        &self,
        ceremony: CeremonyId,
        client: &Client,
        kind: Kind,
        challenge: Challenge,
        options: Options,
        ttl: Duration,
    ) -> Result<Started<Options>, Error> {
        let browser = match (&client.origin, &client.browser) {
            (None, _) => None,
            (Some(_), Some(known)) => Some(known.clone()),
            (Some(_), None) => Some(SecretToken::random(&*self.random)?),
        };
        let now = self.clock.now();
        let pending = Pending {
            kind,
            rp_id: self.settings.relying_party.id.as_str().to_owned(),
            origin: client.origin.as_ref().map(|origin| origin.as_str().to_owned()),
            challenge,
            browser: browser.as_ref().map(|token| token.hash().0),
            began_at: now.as_millis(),
        };
        let payload = serde_json::to_vec(&pending).map_err(|_| Error::Busy)?;
        let expires_at = now.saturating_add(ttl);
        match self
            .ceremonies
            .put(ceremony, PendingCeremony { payload, expires_at }, now)
            .await?
        {
            Put::Full => Err(Error::Busy),
            Put::Stored => Ok(Started {
                ceremony,
                options,
                expires_at,
                browser,
            }),
        }
    }

    /// Takes a ceremony for its one finish. A ceremony that this client did not start is gone afterwards all the same.
    pub(crate) async fn take(&self, client: &Client, id: CeremonyId) -> Result<Taken, Error> {
        let pending = self
            .ceremonies
            .take(id, self.clock.now())
            .await?
            .ok_or(Error::ChallengeMissing)?;
        let pending: Pending =
            serde_json::from_slice(&pending.payload).map_err(|_| Error::ChallengeMissing)?;
        if !self.is_bound_to(&pending, client) {
            return Err(Error::ChallengeMissing);
        }
        let origin = pending.origin.as_deref().map(Origin::new).transpose();
        let origin = origin.map_err(|_| Error::ChallengeMissing)?;
        Ok(Taken {
            kind: pending.kind,
            challenge: pending.challenge,
            origin,
            began_at: UnixTime::from_millis(pending.began_at),
        })
    }

    /// Takes what this client began, and when it ends. What another did stays where it is.
    pub(crate) async fn take_bound(
        &self,
        client: &Client,
        id: CeremonyId,
        now: UnixTime,
    ) -> Result<Option<(Pending, UnixTime)>, Error> {
        let Some(found) = self.ceremonies.take(id, now).await? else {
            return Ok(None);
        };
        let Ok(pending) = serde_json::from_slice::<Pending>(&found.payload) else {
            return Ok(None);
        };
        if self.is_bound_to(&pending, client) {
            return Ok(Some((pending, found.expires_at)));
        }
        self.put_back(id, &pending, found.expires_at, now).await?;
        Ok(None)
    }

    /// Puts back what was taken: it can be taken once more.
    pub(crate) async fn put_back(
        &self,
        id: CeremonyId,
        pending: &Pending,
        expires_at: UnixTime,
        now: UnixTime,
    ) -> Result<(), Error> {
        let payload = serde_json::to_vec(pending).map_err(|_| Error::Busy)?;
        match self
            .ceremonies
            .put(id, PendingCeremony { payload, expires_at }, now)
            .await?
        {
            Put::Full => Err(Error::Busy),
            Put::Stored => Ok(()),
        }
    }

    /// Whether it was begun by this client, here.
    fn is_bound_to(&self, pending: &Pending, client: &Client) -> bool {
        let same_browser = match (&pending.browser, &client.origin, &client.browser) {
            (None, None, _) => true,
            (Some(bound), Some(_), Some(presented)) => bound.ct_eq(&presented.hash().0).into(),
            _ => false,
        };
        same_browser && pending.rp_id == self.settings.relying_party.id.as_str()
    }

    /// The ceremony's life in milliseconds, as `publicKey.timeout` says it.
    pub(crate) fn timeout_millis(&self) -> u64 {
        let ttl: Duration = self.settings.ceremony_ttl;
        u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn relying_party(&self) -> &RelyingParty {
        &self.settings.relying_party
    }
}

/// Ids as they stand in a stored ceremony.
pub(crate) fn account_id(id: uuid::Uuid) -> AccountId {
    AccountId(id)
}

pub(crate) fn session_id(id: uuid::Uuid) -> SessionId {
    SessionId(id)
}

mod bytes32 {
    use super::base64url;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = base64url::decode(&text).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|_| D::Error::custom("32 bytes"))
    }
}

mod optional_bytes32 {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize, Serialize)]
    struct Bytes(#[serde(with = "super::bytes32")] [u8; 32]);

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<[u8; 32]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.map(Bytes).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        Ok(Option::<Bytes>::deserialize(deserializer)?.map(|Bytes(bytes)| bytes))
    }
}
