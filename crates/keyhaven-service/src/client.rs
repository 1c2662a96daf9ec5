//! Who is asking, as far as the transport knows.

use std::fmt;
use std::net::IpAddr;

use keyhaven_storage::TokenHash;
use keyhaven_types::{Origin, base64url};
use zeroize::Zeroize as _;

use crate::ports::{Random, RandomUnavailable};

/// One request's client.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address, proxies seen through.
    pub ip: IpAddr,
    /// The User-Agent header, cut to 256 characters.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// The Origin header; already known to be an allowed one.
    pub origin: Option<Origin>,
    /// The ceremony cookie.
    pub browser: Option<SecretToken>,
}

/// 32 random bytes that only their holder knows: a session's or a browser's. base64url in transit, 43 characters.
#[derive(Clone, Eq, PartialEq)]
pub struct SecretToken([u8; 32]);

impl SecretToken {
    /// Draws a new one.
    ///
    /// # Errors
    /// When the random source is not available.
    pub fn random(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut bytes = [0; 32];
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads the text form; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The text form.
    #[must_use]
    pub fn to_text(&self) -> String {
        base64url::encode(&self.0)
    }

    /// SHA-256 of the bytes: what the store keeps.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.0);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        TokenHash(hash)
    }
}

impl Drop for SecretToken {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(..)")
    }
}
