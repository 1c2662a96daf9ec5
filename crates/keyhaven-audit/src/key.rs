use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyhaven_storage::AuditKey;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::note;

/// A public key, in its text form a C2SP verifier key: `NAME+HASH+KEY`. The name is the log's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

/// The text is no verifier key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a verifier key is NAME+HASH+KEY, as keyhaven audit keys prints it")]
pub struct InvalidVerifierKey;

impl VerifierKey {
    /// The log that it signs for: the first line of its checkpoints.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id: 8 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        note::key_id(note::key_hash(&self.name, &self.public))
    }

    pub(crate) fn signed(&self, text: &str, signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(text.as_bytes(), signature)
            .is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[1], &self.public[..]].concat());
        write!(f, "{}+{}+{key}", self.name, self.id())
    }
}

impl FromStr for VerifierKey {
    type Err = InvalidVerifierKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest) = text.split_once('+').ok_or(InvalidVerifierKey)?;
        let (id, key) = rest.split_once('+').ok_or(InvalidVerifierKey)?;
        let bytes = STANDARD.decode(key).map_err(|_| InvalidVerifierKey)?;
        let [1, public @ ..] = bytes.as_slice() else {
            return Err(InvalidVerifierKey);
        };
        let key = Self {
            name: name.to_owned(),
            public: public.try_into().map_err(|_| InvalidVerifierKey)?,
        };
        let plain = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
        if plain && key.id() == id {
            Ok(key)
        } else {
            Err(InvalidVerifierKey)
        }
    }
}

/// The private key that signs batches.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifierKey,
}

impl SigningKey {
    /// The key of this 32-byte seed (RFC 8032 §5.1.5), for the log of this name. `None` only if the cryptographic library
    /// refuses the seed.
    #[must_use]
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = VerifierKey {
            name: name.to_owned(),
            public: pair.public_key().as_ref().try_into().ok()?,
        };
        Some(Self { pair, public })
    }

    /// The public half.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.public
    }

    /// Vouches for the key that comes after this one.
    #[must_use]
    pub fn endorse(&self, next: &AuditKey) -> (String, [u8; 64]) {
        (self.public.id(), self.sign(&note::endorsement_text(next)))
    }

    pub(crate) fn sign(&self, text: &str) -> [u8; 64] {
        let mut signature = [0; 64];
        // An Ed25519 signature is 64 bytes.
        signature.copy_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// The public keys whose signatures count.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys(BTreeMap<String, VerifierKey>);

impl TrustedKeys {
    /// Trusts this key.
    pub fn trust(&mut self, key: VerifierKey) {
        self.0.insert(key.id(), key);
    }

    /// Trusts a stored key that a trusted one vouches for; tells whether it is trusted now.
    pub fn consider(&mut self, key: &AuditKey) -> bool {
        let Ok(public) = key.verifier_key.parse::<VerifierKey>() else {
            return false;
        };
        if self.0.contains_key(&public.id()) {
            return true;
        }
        let vouched_for = key.endorsement.as_ref().is_some_and(|(by, signature)| {
            let by = self.0.get(by).filter(|by| by.name == public.name);
            by.is_some_and(|by| by.signed(&note::endorsement_text(key), signature))
        });
        if vouched_for {
            self.trust(public);
        }
        vouched_for
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &VerifierKey> {
        self.0.values()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&VerifierKey> {
        self.0.get(id)
    }
}

#[cfg(test)]
mod tests {
    use keyhaven_types::UnixTime;

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed("example.org/audit", &[seed; 32]).unwrap()
    }

    fn stored(key: &SigningKey, by: Option<&SigningKey>) -> AuditKey {
        let mut stored = AuditKey {
            id: key.verifier_key().id(),
            verifier_key: key.verifier_key().to_string(),
            sealed_private_key: Vec::new(),
            created_at: UnixTime::from_millis(0),
            endorsement: None,
        };
        stored.endorsement = by.map(|by| by.endorse(&stored));
        stored
    }

    #[test]
    fn a_verifier_key_reads_back_and_a_spoiled_one_does_not() {
        let text = key(1).verifier_key().to_string();
        assert_eq!(text.parse().as_ref(), Ok(key(1).verifier_key()));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(other.parse::<VerifierKey>().is_err(), "{other}");
        }
        for text in ["", "a", "a+b", "a+b+c", "+00000000+AQ=="] {
            assert!(text.parse::<VerifierKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_trusted_where_a_trusted_one_vouches_for_it() {
        let mut trusted = TrustedKeys::default();
        trusted.trust(key(1).verifier_key().clone());
        assert!(trusted.consider(&stored(&key(1), None)));
        assert!(!trusted.consider(&stored(&key(2), None)));
        assert!(!trusted.consider(&stored(&key(2), Some(&key(3)))));
        let mut forged = stored(&key(2), Some(&key(1)));
        forged.verifier_key = key(3).verifier_key().to_string();
        assert!(!trusted.consider(&forged));
        assert!(trusted.consider(&stored(&key(2), Some(&key(1)))));
        assert!(trusted.consider(&stored(&key(3), Some(&key(2)))));
        assert_eq!(trusted.iter().count(), 3);
    }
}
