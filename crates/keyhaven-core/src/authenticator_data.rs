use keyhaven_types::{Aaguid, Flags, SignCount};

use crate::cbor::{CanonicalCbor, CborError, Key, Map, Value};
use crate::cose_key::{CoseKey, CoseKeyError};

/// What the authenticator signs: at least 37 bytes, split exactly (WebAuthn L3 §6.1).
#[derive(Clone, Copy, Debug)]
pub struct AuthenticatorData<'a> {
    rp_id_hash: &'a [u8; 32],
    flags: Flags,
    sign_count: SignCount,
    attested_credential_data: Option<AttestedCredentialData<'a>>,
    extensions: Option<Map<'a>>,
    extension_bytes: &'a [u8],
}

/// A new credential as its authenticator describes it (WebAuthn L3 §6.5.1).
#[derive(Clone, Copy, Debug)]
pub struct AttestedCredentialData<'a> {
    aaguid: Aaguid,
    credential_id: &'a [u8],
    public_key: CoseKey<'a>,
}

/// Why bytes are not authenticator data.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AuthenticatorDataError {
    /// AT is clear where a new credential must be described.
    #[error("AT is clear: no attested credential data")]
    AttestedCredentialDataMissing,
    /// AT is set where no credential is made.
    #[error("AT is set in an assertion")]
    AttestedCredentialDataUnexpected,
    /// The credential public key is malformed.
    #[error("credential public key: {0}")]
    CoseKey(#[from] CoseKeyError),
    /// The extensions are not canonical CBOR.
    #[error("extensions: {0}")]
    Extensions(CborError),
    /// ED is set, and what follows is no map with text keys.
    #[error("extensions are not a map from names")]
    ExtensionsNotAMap,
    /// Fewer bytes than the flags announce.
    #[error("{len} bytes are too few")]
    TooShort {
        /// The number of bytes received.
        len: usize,
    },
    /// Bytes are left after the last item that the flags announce.
    #[error("{count} trailing bytes")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
}

impl<'a> AuthenticatorData<'a> {
    /// Splits authenticator data as its flags say, to the last byte.
    ///
    /// The reserved flag bits 1 and 5 are not judged: a later specification may use them. The length of the credential
    /// id is judged later, where the specification asks for it.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(bytes: &'a [u8], canonical: CanonicalCbor) -> Result<Self, AuthenticatorDataError> {
        let too_short = AuthenticatorDataError::TooShort { len: bytes.len() };
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>().ok_or(too_short)?;
        let (&[flags], rest) = rest.split_first_chunk::<1>().ok_or(too_short)?;
        let (sign_count, mut rest) = rest.split_first_chunk::<4>().ok_or(too_short)?;
        let flags = Flags(flags);

        let mut attested_credential_data = None;
        if flags.attested_credential_data() {
            let (aaguid, after) = rest.split_first_chunk::<16>().ok_or(too_short)?;
            let (len, after) = after.split_first_chunk::<2>().ok_or(too_short)?;
            let len = usize::from(u16::from_be_bytes(*len));
            let (credential_id, after) = after.split_at_checked(len).ok_or(too_short)?;
            let (public_key, after) = CoseKey::parse_prefix(after, canonical)?;
            let aaguid = Aaguid::new(*aaguid);
            attested_credential_data = Some(AttestedCredentialData {
                aaguid,
                credential_id,
                public_key,
            });
            rest = after;
        }

        let mut extensions = None;
        let mut extension_bytes: &[u8] = &[];
        if flags.extension_data() {
            let (value, after) =
                Value::parse_prefix(rest, canonical).map_err(AuthenticatorDataError::Extensions)?;
            let Value::Map(map) = value else {
                return Err(AuthenticatorDataError::ExtensionsNotAMap);
            };
            if map.entries().any(|(key, _)| matches!(key, Key::Integer(_))) {
                return Err(AuthenticatorDataError::ExtensionsNotAMap);
            }
            extensions = Some(map);
            extension_bytes = rest
                .get(..rest.len().saturating_sub(after.len()))
                .unwrap_or_default();
            rest = after;
        }

        if !rest.is_empty() {
            return Err(AuthenticatorDataError::TrailingBytes { count: rest.len() });
        }
        let sign_count = SignCount(u32::from_be_bytes(*sign_count));
        Ok(Self {
            rp_id_hash,
            flags,
            sign_count,
            attested_credential_data,
            extensions,
            extension_bytes,
        })
    }

    /// SHA-256 of the RP ID the credential is scoped to.
    #[must_use]
    pub const fn rp_id_hash(&self) -> &'a [u8; 32] {
        self.rp_id_hash
    }

    /// The flags byte.
    #[must_use]
    pub const fn flags(&self) -> Flags {
        self.flags
    }

    /// The signature counter.
    #[must_use]
    pub const fn sign_count(&self) -> SignCount {
        self.sign_count
    }

    /// The new credential; present exactly when AT is set.
    #[must_use]
    pub const fn attested_credential_data(&self) -> Option<&AttestedCredentialData<'a>> {
        self.attested_credential_data.as_ref()
    }

    /// Authenticator extension outputs; present exactly when ED is set.
    #[must_use]
    pub const fn extensions(&self) -> Option<&Map<'a>> {
        self.extensions.as_ref()
    }

    /// The same, as encoded; empty where ED is clear.
    #[must_use]
    pub const fn extension_bytes(&self) -> &'a [u8] {
        self.extension_bytes
    }

    /// The identifiers of the extension outputs, in the order received.
    pub fn extension_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let entries = self.extensions.into_iter().flat_map(|map| map.entries());
        entries.filter_map(|(key, _)| match key {
            Key::Integer(_) => None,
            Key::Text(name) => Some(name),
        })
    }
}

impl<'a> AttestedCredentialData<'a> {
    /// The authenticator's model as it claims it.
    #[must_use]
    pub const fn aaguid(&self) -> Aaguid {
        self.aaguid
    }

    /// The credential id: any length that 16 bits can say.
    #[must_use]
    pub const fn credential_id(&self) -> &'a [u8] {
        self.credential_id
    }

    /// The credential public key.
    #[must_use]
    pub const fn public_key(&self) -> &CoseKey<'a> {
        &self.public_key
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(flags: u8, rest: &[u8]) -> Vec<u8> {
        [&[7; 32][..], &[flags, 0, 0, 1, 2], rest].concat()
    }

    fn refusal(bytes: &[u8]) -> Option<AuthenticatorDataError> {
        AuthenticatorData::parse(bytes, CanonicalCbor::AnyKeyOrder).err()
    }

    #[test]
    fn the_fixed_part_is_read_big_endian() {
        let bytes = with(0x05, &[]);
        let data = AuthenticatorData::parse(&bytes, CanonicalCbor::Strict).unwrap();
        assert_eq!(data.rp_id_hash(), &[7; 32]);
        assert_eq!(data.flags(), Flags(5));
        assert_eq!(data.sign_count(), SignCount(258));
        assert!(data.attested_credential_data().is_none() && data.extensions().is_none());
    }

    #[test]
    fn every_length_is_exact() {
        for len in 0..37 {
            assert_eq!(
                refusal(&vec![0; len]),
                Some(AuthenticatorDataError::TooShort { len })
            );
        }
        assert_eq!(
            refusal(&with(1, &[0])),
            Some(AuthenticatorDataError::TrailingBytes { count: 1 })
        );
        // AT set: 16 bytes of AAGUID, two of length, the id, then a key.
        assert_eq!(
            refusal(&with(0x40, &[0; 17])),
            Some(AuthenticatorDataError::TooShort { len: 54 })
        );
        let short_id = [&[0; 16][..], &[0, 2, 9]].concat();
        assert_eq!(
            refusal(&with(0x40, &short_id)),
            Some(AuthenticatorDataError::TooShort { len: 56 })
        );
        let no_key = [&[0; 16][..], &[0, 1, 9]].concat();
        assert_eq!(
            refusal(&with(0x40, &no_key)),
            Some(AuthenticatorDataError::CoseKey(CoseKeyError::Cbor(
                CborError::EndOfInput
            )))
        );
    }

    #[test]
    fn extensions_are_there_exactly_when_ed_says_so() {
        assert_eq!(refusal(&with(0x80, &[0xa0])), None);
        assert_eq!(
            refusal(&with(0x80, &[])),
            Some(AuthenticatorDataError::Extensions(CborError::EndOfInput))
        );
        assert_eq!(
            refusal(&with(0x80, &[0x80])),
            Some(AuthenticatorDataError::ExtensionsNotAMap)
        );
        assert_eq!(
            refusal(&with(0x80, &[0xa1, 1, 1])),
            Some(AuthenticatorDataError::ExtensionsNotAMap)
        );
        assert_eq!(
            refusal(&with(0x00, &[0xa0])),
            Some(AuthenticatorDataError::TrailingBytes { count: 1 })
        );
        assert_eq!(
            refusal(&with(0x80, &[0xa0, 0])),
            Some(AuthenticatorDataError::TrailingBytes { count: 1 })
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = AuthenticatorData::parse(&bytes, CanonicalCbor::AnyKeyOrder);
        }

        #[test]
        fn no_attested_data_panics(flags in any::<u8>(), rest in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = AuthenticatorData::parse(&with(flags, &rest), CanonicalCbor::Strict);
        }
    }
}
