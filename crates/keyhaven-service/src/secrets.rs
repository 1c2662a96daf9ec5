//! One secret key, and from it one key per purpose (HKDF-SHA-256, RFC 5869), so that no two uses share a key.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroize as _;

use crate::ports::{Random, RandomUnavailable};

/// The deployment's secret: 32 random bytes, the same in every process.
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Takes the 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The keys derived from the secret, one for each purpose.
pub(crate) struct Keys {
    pub(crate) audit: hmac::Key,
    pub(crate) client_keys: hmac::Key,
    pub(crate) decoy: hmac::Key,
    pub(crate) limits: hmac::Key,
    sealing: LessSafeKey,
}

impl Keys {
    /// Derives all keys. `None` only if the cryptographic library refuses its own key sizes.
    pub(crate) fn derive(secret: &SecretKey) -> Option<Self> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"keyhaven 1").extract(&secret.0);
        Some(Self {
            audit: root.expand(&[b"audit event mac"], hmac::HMAC_SHA256).ok()?.into(),
            client_keys: root.expand(&[b"client keys"], hmac::HMAC_SHA256).ok()?.into(),
            decoy: root.expand(&[b"login decoys"], hmac::HMAC_SHA256).ok()?.into(),
            limits: root
                .expand(&[b"rate limit buckets"], hmac::HMAC_SHA256)
                .ok()?
                .into(),
            sealing: LessSafeKey::new(UnboundKey::from(
                root.expand(&[b"signing key sealing"], &CHACHA20_POLY1305).ok()?,
            )),
        })
    }

    /// Encrypts a private key for storage: 12 bytes of nonce, then ciphertext and tag (RFC 8439). `context` is bound.
    pub(crate) fn seal(
        &self,
        context: &str,
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, RandomUnavailable> {
        let mut nonce = [0; 12];
        random.fill(&mut nonce)?;
        let mut sealed = plain.to_vec();
        self.sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| RandomUnavailable)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Decrypts what [`Self::seal`] made under the same secret and context.
    pub(crate) fn open(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_first_chunk::<12>()?;
        let mut body = body.to_vec();
        let plain = self
            .sealing
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(context.as_bytes()),
                &mut body,
            )
            .ok()?
            .to_vec();
        body.zeroize();
        Some(plain)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
            bytes.fill(7);
            Ok(())
        }
    }

    #[test]
    fn a_sealed_key_opens_only_whole_and_in_its_context() {
        let keys = Keys::derive(&SecretKey::new([1; 32])).unwrap();
        let sealed = keys.seal("kid-1", b"seed", &Fixed).unwrap();
        assert_eq!(keys.open("kid-1", &sealed).as_deref(), Some(&b"seed"[..]));
        assert_eq!(keys.open("kid-2", &sealed), None);
        assert_eq!(keys.open("kid-1", &sealed[..sealed.len() - 1]), None);
        assert_eq!(keys.open("kid-1", b"short"), None);
        let other = Keys::derive(&SecretKey::new([2; 32])).unwrap();
        assert_eq!(other.open("kid-1", &sealed), None);
    }
}
