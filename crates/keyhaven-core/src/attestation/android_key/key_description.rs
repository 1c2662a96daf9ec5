//! The key description of Android's keystore, in all its versions (1 to 4 of Keymaster, 100 to 400 of KeyMint): they
//! differ in what an authorization list may hold, not in the frame, and nothing that is looked at here has changed.
//!
//! Source: <https://source.android.com/docs/security/features/keystore/attestation>, section "Schema".

use x509_cert::der::asn1::{AnyRef, OctetStringRef};
use x509_cert::der::{self, Decode as _, Reader, SliceReader, Tag, Tagged as _};

/// `KeyDescription`: what is looked at of it.
pub(super) struct KeyDescription<'a> {
    pub(super) attestation_security_level: SecurityLevel,
    /// Of the Keymaster or KeyMint that keeps the key.
    pub(super) key_security_level: SecurityLevel,
    pub(super) attestation_challenge: &'a [u8],
    pub(super) software_enforced: AuthorizationList,
    pub(super) tee_enforced: AuthorizationList,
}

/// `SecurityLevel`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SecurityLevel {
    Software,
    TrustedEnvironment,
    StrongBox,
}

/// `AuthorizationList`: what is looked at of it. `None` for what the list does not say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct AuthorizationList {
    /// `allApplications` is there.
    pub(super) all_applications: bool,
    /// `purpose` is the set of `KM_PURPOSE_SIGN` alone.
    pub(super) for_signing_only: Option<bool>,
    /// `origin` is `KM_ORIGIN_GENERATED`.
    pub(super) generated: Option<bool>,
}

const PURPOSE: u32 = 1;
const ALL_APPLICATIONS: u32 = 600;
const ORIGIN: u32 = 702;

const KM_ORIGIN_GENERATED: i64 = 0;
const KM_PURPOSE_SIGN: i64 = 2;

impl<'a> KeyDescription<'a> {
    /// Reads the extension's value, to its last byte.
    pub(super) fn parse(value: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(value)?;
        let description = reader.sequence(|fields| {
            let _attestation_version = i64::decode(fields)?;
            let attestation_security_level = SecurityLevel::decode(fields)?;
            let _keymint_version = i64::decode(fields)?;
            let key_security_level = SecurityLevel::decode(fields)?;
            let attestation_challenge = <&OctetStringRef>::decode(fields)?.as_bytes();
            let _unique_id = <&OctetStringRef>::decode(fields)?;
            Ok::<_, der::Error>(Self {
                attestation_security_level,
                key_security_level,
                attestation_challenge,
                software_enforced: AuthorizationList::decode(fields)?,
                tee_enforced: AuthorizationList::decode(fields)?,
            })
        })?;
        reader.finish()?;
        Ok(description)
    }
}

impl SecurityLevel {
    fn decode<'a>(reader: &mut impl Reader<'a>) -> der::Result<Self> {
        let any = AnyRef::decode(reader)?;
        any.tag().assert_eq(Tag::Enumerated)?;
        match any.value() {
            [0] => Ok(Self::Software),
            [1] => Ok(Self::TrustedEnvironment),
            [2] => Ok(Self::StrongBox),
            _ => Err(Tag::Enumerated.value_error().into()),
        }
    }
}

impl AuthorizationList {
    /// A sequence of explicitly tagged elements, no tag twice. Every version of the schema orders them by tag; devices in
    /// use do not.
    fn decode<'a>(reader: &mut impl Reader<'a>) -> der::Result<Self> {
        let mut list = Self::default();
        reader.sequence(|elements| {
            let mut tags = Vec::new();
            while !elements.is_finished() {
                let element = AnyRef::decode(elements)?;
                let Tag::ContextSpecific {
                    constructed: true,
                    number,
                } = element.tag()
                else {
                    return Err(element.tag().unexpected_error(None).into());
                };
                tags.push(number.value());
                // Explicit: one element inside, whatever it is.
                let inner = AnyRef::from_der(element.value())?;
                match number.value() {
                    PURPOSE => list.for_signing_only = Some(is_sign_alone(inner)?),
                    ALL_APPLICATIONS => list.all_applications = true,
                    ORIGIN => list.generated = Some(inner.decode_as::<i64>()? == KM_ORIGIN_GENERATED),
                    _ => {}
                }
            }
            tags.sort_unstable();
            if tags
                .windows(2)
                .any(|pair| matches!(pair, [one, other] if one == other))
            {
                return Err(Tag::Sequence.value_error().into());
            }
            Ok::<_, der::Error>(list)
        })
    }
}

/// Whether a `SET OF INTEGER` holds `KM_PURPOSE_SIGN` and nothing else.
fn is_sign_alone(set: AnyRef<'_>) -> der::Result<bool> {
    set.tag().assert_eq(Tag::Set)?;
    let mut reader = SliceReader::new(set.value())?;
    let mut purposes = 0;
    let mut all_sign = true;
    while !reader.is_finished() {
        purposes += 1;
        all_sign &= i64::decode(&mut reader)? == KM_PURPOSE_SIGN;
    }
    Ok(all_sign && purposes == 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attestation::tests::hex;

    /// Of the specification's vector `android-key-es256`.
    const DESCRIPTION: &str = "30350202012c0a01000201000a01000420b435028d7b6a8f83bb461d41c19b053a9d3cdb30351a4f374cd4cde8dbefb606040030003000";

    #[test]
    fn the_specification_s_description_is_read() {
        let bytes = hex(DESCRIPTION);
        let description = KeyDescription::parse(&bytes).unwrap();
        assert_eq!(description.attestation_security_level, SecurityLevel::Software);
        assert_eq!(description.key_security_level, SecurityLevel::Software);
        assert_eq!(description.attestation_challenge.len(), 32);
        assert_eq!(description.software_enforced, AuthorizationList::default());
        assert_eq!(description.tee_enforced, AuthorizationList::default());
        for end in 0..bytes.len() {
            assert!(KeyDescription::parse(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn levels_are_told_apart() {
        let bytes = hex(DESCRIPTION);
        let levels = |attestation, key| {
            let mut bytes = bytes.clone();
            (bytes[8], bytes[14]) = (attestation, key);
            let description = KeyDescription::parse(&bytes).ok()?;
            Some((
                description.attestation_security_level,
                description.key_security_level,
            ))
        };
        assert_eq!(
            levels(1, 2),
            Some((SecurityLevel::TrustedEnvironment, SecurityLevel::StrongBox))
        );
        assert_eq!(levels(3, 0), None);
        assert_eq!(levels(0, 0xff), None);
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = KeyDescription::parse(&bytes);
            // As the environment's list.
            if let Ok(len) = u8::try_from(bytes.len()) {
                let mut whole = hex(DESCRIPTION);
                whole.truncate(whole.len() - 1);
                whole.push(len);
                whole[1] += len;
                whole.extend(&bytes);
                let _ = KeyDescription::parse(&whole);
            }
        }

        #[test]
        fn no_changed_description_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = hex(DESCRIPTION);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = KeyDescription::parse(&bytes);
        }
    }
}
