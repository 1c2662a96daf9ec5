//! One secret key, and from it one key per purpose (HKDF-SHA-256, RFC 5869), so that no two uses share a key.

use std::fmt;

use keyhaven_storage::{AccountId, EventId, MailId, TokenHash};
use keyhaven_types::UserHandle;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::{Zeroize as _, Zeroizing};

use crate::ports::{Random, RandomUnavailable};

/// The deployment's secret: 32 random bytes, the same in every process.
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Takes the 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key for a purpose outside of this crate, whose name nothing else has. `None` only if the cryptographic library
    /// refuses its own key sizes.
    #[must_use]
    pub fn derive(&self, purpose: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"keyhaven 1")
            .extract(&self.0)
            .expand(&[b"outside: ", purpose], hkdf::HKDF_SHA256)
            .ok()?
            .fill(&mut *key)
            .ok()?;
        Some(key)
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
    addresses: hmac::Key,
    pub(crate) audit: hmac::Key,
    pub(crate) client_keys: hmac::Key,
    pub(crate) decoy: hmac::Key,
    devices: hmac::Key,
    pub(crate) limits: hmac::Key,
    mails: LessSafeKey,
    names: hmac::Key,
    personal: hmac::Key,
    recovery: hmac::Key,
    sealing: LessSafeKey,
}

impl Keys {
    /// Derives all keys. `None` only if the cryptographic library refuses its own key sizes.
    pub(crate) fn derive(secret: &SecretKey) -> Option<Self> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"keyhaven 1").extract(&secret.0);
        Some(Self {
            addresses: root
                .expand(&[b"e-mail address hashes"], hmac::HMAC_SHA256)
                .ok()?
                .into(),
            audit: root.expand(&[b"audit event mac"], hmac::HMAC_SHA256).ok()?.into(),
            client_keys: root.expand(&[b"client keys"], hmac::HMAC_SHA256).ok()?.into(),
            decoy: root.expand(&[b"login decoys"], hmac::HMAC_SHA256).ok()?.into(),
            devices: root.expand(&[b"known devices"], hmac::HMAC_SHA256).ok()?.into(),
            limits: root
                .expand(&[b"rate limit buckets"], hmac::HMAC_SHA256)
                .ok()?
                .into(),
            mails: LessSafeKey::new(UnboundKey::from(
                root.expand(&[b"outbox mail sealing"], &CHACHA20_POLY1305).ok()?,
            )),
            names: root
                .expand(&[b"e-mail address names"], hmac::HMAC_SHA256)
                .ok()?
                .into(),
            personal: root
                .expand(&[b"personal data of events"], hmac::HMAC_SHA256)
                .ok()?
                .into(),
            recovery: root
                .expand(&[b"recovery code hashes"], hmac::HMAC_SHA256)
                .ok()?
                .into(),
            sealing: LessSafeKey::new(UnboundKey::from(
                root.expand(&[b"signing key sealing"], &CHACHA20_POLY1305).ok()?,
            )),
        })
    }

    /// A keyed hash of an address, upper and lower case alike, and every spelling of its domain (UTS #46): who reads the store
    /// cannot tell which addresses they are.
    pub(crate) fn address_hash(&self, address: &str) -> [u8; 32] {
        let mut hash = [0; 32];
        let in_one_form = address.rsplit_once('@').and_then(|(local, domain)| {
            let domain = idna::domain_to_ascii(domain).ok()?;
            Some(format!("{}@{domain}", local.to_ascii_lowercase()))
        });
        let address = in_one_form.unwrap_or_else(|| address.to_ascii_lowercase());
        let tag = hmac::sign(&self.addresses, address.as_bytes());
        hash.copy_from_slice(tag.as_ref());
        hash
    }

    /// A keyed hash of an address in its one form: what an account is looked up by that is called by it.
    pub(crate) fn address_name(&self, address: &str) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(&self.names, address.as_bytes()).as_ref());
        hash
    }

    /// A keyed hash of a mailed code: six digits alone would be found by trying them all.
    pub(crate) fn mailed_code_hash(&self, recovery: &TokenHash, code: &str) -> [u8; 32] {
        self.recovery_hash(&[b"mailed ", &recovery.0[..], code.as_bytes()].concat())
    }

    /// A keyed hash of a recovery code.
    pub(crate) fn recovery_code_hash(&self, account: AccountId, code: &str) -> [u8; 32] {
        self.recovery_hash(&[b"kept ", &account.0.as_bytes()[..], code.as_bytes()].concat())
    }

    fn recovery_hash(&self, bytes: &[u8]) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(&self.recovery, bytes).as_ref());
        hash
    }

    /// What a browser keeps that this account was signed in on. It grants nothing.
    pub(crate) fn device_mark(&self, account: AccountId) -> [u8; 16] {
        let tag = hmac::sign(&self.devices, account.0.as_bytes());
        let mut mark = [0; 16];
        for (byte, value) in mark.iter_mut().zip(tag.as_ref()) {
            *byte = *value;
        }
        mark
    }

    /// Encrypts a private key for storage: 12 bytes of nonce, then ciphertext and tag (RFC 8439). `context` is bound.
    pub(crate) fn seal(
        &self,
        context: &str,
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, RandomUnavailable> {
        seal(&self.sealing, context.as_bytes(), plain, random)
    }

    /// Decrypts what [`Self::seal`] made under the same secret and context.
    pub(crate) fn open(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        open(&self.sealing, context.as_bytes(), sealed)
    }

    /// Encrypts a mail for the outbox, as [`Self::seal`] does under a key of its own. It opens as that mail alone.
    pub(crate) fn seal_mail(
        &self,
        id: MailId,
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, RandomUnavailable> {
        seal(&self.mails, id.0.as_bytes(), plain, random)
    }

    /// Decrypts what [`Self::seal_mail`] made under the same secret and id.
    pub(crate) fn open_mail(&self, id: MailId, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.mails, id.0.as_bytes(), sealed).map(Zeroizing::new)
    }

    /// Encrypts what an event holds of a person, as [`Self::seal`] does, under a key that is made from the user handle of
    /// that person's account. It opens in that event alone.
    pub(crate) fn seal_personal(
        &self,
        person: Option<&UserHandle>,
        event: EventId,
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, RandomUnavailable> {
        let key = self.personal_key(person).ok_or(RandomUnavailable)?;
        seal(&key, event.0.as_bytes(), plain, random)
    }

    /// Decrypts what [`Self::seal_personal`] made under the same secret, person and event.
    pub(crate) fn open_personal(
        &self,
        person: Option<&UserHandle>,
        event: EventId,
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        open(&self.personal_key(person)?, event.0.as_bytes(), sealed)
    }

    /// `None` only if the cryptographic library refuses its own key size.
    fn personal_key(&self, person: Option<&UserHandle>) -> Option<LessSafeKey> {
        let key = match person {
            None => hmac::sign(&self.personal, b"nobody"),
            Some(handle) => hmac::sign(&self.personal, &[b"person ", handle.as_bytes()].concat()),
        };
        UnboundKey::new(&CHACHA20_POLY1305, key.as_ref())
            .ok()
            .map(LessSafeKey::new)
    }
}

fn seal(
    key: &LessSafeKey,
    context: &[u8],
    plain: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, RandomUnavailable> {
    let mut nonce = [0; 12];
    random.fill(&mut nonce)?;
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(context),
        &mut sealed,
    )
    .map_err(|_| RandomUnavailable)?;
    Ok([&nonce[..], &sealed].concat())
}

fn open(key: &LessSafeKey, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_first_chunk::<12>()?;
    let mut body = body.to_vec();
    let plain = key
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(context),
            &mut body,
        )
        .ok()?
        .to_vec();
    body.zeroize();
    Some(plain)
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

    #[test]
    fn a_sealed_mail_opens_under_its_id_alone() {
        let keys = Keys::derive(&SecretKey::new([1; 32])).unwrap();
        let id = |n| MailId(uuid::Uuid::from_u128(n));
        let sealed = keys.seal_mail(id(1), b"mail", &Fixed).unwrap();
        assert!(!sealed.windows(4).any(|bytes| bytes == b"mail"));
        let opened = keys.open_mail(id(1), &sealed);
        assert_eq!(opened.as_ref().map(|plain| &plain[..]), Some(&b"mail"[..]));
        assert!(keys.open_mail(id(2), &sealed).is_none());
        let other = Keys::derive(&SecretKey::new([2; 32])).unwrap();
        assert!(other.open_mail(id(1), &sealed).is_none());
        // No two uses share a key.
        let context = std::str::from_utf8(&[0; 15]).unwrap().to_owned() + "\u{1}";
        assert!(keys.open(&context, &sealed).is_none());
    }
}
