//! Who is asking, as far as the transport knows.

use std::fmt;
use std::net::IpAddr;

use keyhaven_mail::Language;
use keyhaven_storage::TokenHash;
use keyhaven_types::{Origin, base64url};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::ports::{Random, RandomUnavailable};

/// One request's client.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address, proxies seen through.
    pub ip: IpAddr,
    /// The User-Agent header, cut to 256 characters.
    pub user_agent: Option<String>,
    /// The language that the client asks for, where mails are written in it.
    pub language: Option<Language>,
    /// The request's id.
    pub request_id: String,
    /// The Origin header; already known to be an allowed one.
    pub origin: Option<Origin>,
    /// The ceremony cookie.
    pub browser: Option<SecretToken>,
    /// The device cookie.
    pub devices: DeviceMarks,
}

/// Which accounts a browser has signed in before, as it keeps that: marks that nobody else can make and that say nothing
/// to anybody else. Newest first. They grant nothing: where one is missing the owner is told of a new device.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeviceMarks(Vec<[u8; 16]>);

impl DeviceMarks {
    /// More accounts than these one browser does not remember.
    const MOST: usize = 8;

    /// Reads the text form; what is not of that form is no mark.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let bytes = base64url::decode(text).unwrap_or_default();
        let (marks, _) = bytes.as_chunks::<16>();
        Self(marks.iter().take(Self::MOST).copied().collect())
    }

    /// The text form, base64url.
    #[must_use]
    pub fn to_text(&self) -> String {
        base64url::encode(self.0.as_flattened())
    }

    pub(crate) fn contains(&self, mark: &[u8; 16]) -> bool {
        self.0.iter().any(|known| known.ct_eq(mark).into())
    }

    pub(crate) fn with(&self, mark: [u8; 16]) -> Self {
        let others = self.0.iter().copied().filter(|known| *known != mark);
        Self(std::iter::once(mark).chain(others).take(Self::MOST).collect())
    }
}

/// 32 random bytes that only a browser knows, to tie ceremonies to it. base64url in transit, 43 characters.
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

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
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
        sha256(&self.0)
    }
}

/// A session's token: a part that stays through all rotations, so that an old one is recognised, and a part that each
/// rotation draws anew. base64url in transit, 64 characters.
#[derive(Clone, Eq, PartialEq)]
pub struct SessionToken {
    family: [u8; 16],
    secret: [u8; 32],
}

impl SessionToken {
    /// Draws the first of a new session.
    ///
    /// # Errors
    /// When the random source is not available.
    pub fn random(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let (mut family, mut secret) = ([0; 16], [0; 32]);
        random.fill(&mut family)?;
        random.fill(&mut secret)?;
        Ok(Self { family, secret })
    }

    /// Draws the next of the same session.
    ///
    /// # Errors
    /// When the random source is not available.
    pub fn next(&self, random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut secret = [0; 32];
        random.fill(&mut secret)?;
        Ok(Self {
            family: self.family,
            secret,
        })
    }

    /// Reads the text form; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 48] = base64url::decode(text).ok()?.try_into().ok()?;
        let (family, secret) = (bytes.first_chunk()?, bytes.last_chunk()?);
        Some(Self {
            family: *family,
            secret: *secret,
        })
    }

    /// The text form.
    #[must_use]
    pub fn to_text(&self) -> String {
        base64url::encode(&[&self.family[..], &self.secret].concat())
    }

    /// SHA-256 of the part that stays: what the session is found by.
    #[must_use]
    pub fn family_hash(&self) -> TokenHash {
        sha256(&self.family)
    }

    /// SHA-256 of both parts.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        sha256(&[&self.family[..], &self.secret].concat())
    }
}

impl Drop for SessionToken {
    fn drop(&mut self) {
        self.family.zeroize();
        self.secret.zeroize();
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

fn sha256(bytes: &[u8]) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    TokenHash(hash)
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
