//! The certificate of an attestation identity key (§8.3.1).

use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use x509_cert::der::{self, Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::super::certificate::Certificate;
use super::super::{Profile, StatementFault};
use super::{TpmFault, vendors};

const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// tcg-kp-AIKCertificate.
const AIK_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.3");
/// tcg-at-tpmManufacturer.
const MANUFACTURER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.1");
/// tcg-at-tpmModel.
const MODEL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.2");
/// tcg-at-tpmVersion.
const VERSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.3");

/// The profile: version 3, an empty subject, the TPM in the alternative name, the key usage, not a CA.
pub(super) fn check_profile(leaf: &Certificate<'_>, profile: Profile) -> Result<(), StatementFault> {
    leaf.check_version()?;
    if !leaf.has_empty_subject() {
        return Err(TpmFault::Subject.into());
    }
    // Of the TCG's EK credential profile, §3.2.9. Critical, because nothing else names the subject (RFC 5280 §4.2.1.6).
    let manufacturer = leaf
        .extension(SUBJECT_ALTERNATIVE_NAME)
        .filter(|extension| extension.critical)
        .and_then(|extension| tpm_name(extension.extn_value.as_bytes()).ok())
        .and_then(TpmName::manufacturer)
        .ok_or(TpmFault::SubjectAlternativeName)?;
    let for_attestation = leaf
        .extension(EXTENDED_KEY_USAGE)
        .and_then(|extension| ExtendedKeyUsage::from_der(extension.extn_value.as_bytes()).ok())
        .is_some_and(|usage| usage.0.contains(&AIK_CERTIFICATE));
    if !for_attestation {
        return Err(TpmFault::ExtendedKeyUsage.into());
    }
    leaf.check_no_ca()?;
    // Of the FIDO profile: the manufacturer is a known one.
    if profile == Profile::Fido && !vendors::is_registered(manufacturer) {
        return Err(TpmFault::Vendor.into());
    }
    Ok(())
}

/// What the directory names in an alternative name say of a TPM. `Some` once an attribute was seen.
#[derive(Debug, Default, Eq, PartialEq)]
struct TpmName<'a> {
    manufacturer: Option<&'a str>,
    model: Option<&'a str>,
    version: Option<&'a str>,
}

impl TpmName<'_> {
    /// The manufacturer's number, where all three attributes are there.
    fn manufacturer(self) -> Option<[u8; 4]> {
        match (self.manufacturer, self.model, self.version) {
            (Some(manufacturer), Some(model), Some(version)) if !model.is_empty() && !version.is_empty() => {
                vendors::manufacturer(manufacturer)
            }
            _ => None,
        }
    }
}

/// Reads `GeneralNames`: the TPM attributes of its directory names, none of them twice. They stand in one relative name or
/// in three, in any order, because manufacturers do both; other names beside them do not matter.
fn tpm_name(value: &[u8]) -> der::Result<TpmName<'_>> {
    let mut name = TpmName::default();
    let mut reader = SliceReader::new(value)?;
    let names = AnyRef::decode(&mut reader)?;
    reader.finish()?;
    for general_name in elements(names, Tag::Sequence)? {
        let directory_name = Tag::ContextSpecific {
            constructed: true,
            number: TagNumber(4),
        };
        if general_name.tag() != directory_name {
            continue;
        }
        for relative_name in elements(AnyRef::from_der(general_name.value())?, Tag::Sequence)? {
            for attribute in elements(relative_name, Tag::Set)? {
                read_attribute(attribute, &mut name)?;
            }
        }
    }
    Ok(name)
}

fn read_attribute<'a>(attribute: AnyRef<'a>, name: &mut TpmName<'a>) -> der::Result<()> {
    let [kind, value] = elements(attribute, Tag::Sequence)?[..] else {
        return Err(Tag::Sequence.value_error().into());
    };
    let field = match kind.decode_as::<ObjectIdentifier>()? {
        MANUFACTURER => &mut name.manufacturer,
        MODEL => &mut name.model,
        VERSION => &mut name.version,
        _ => return Ok(()),
    };
    let text = match value.decode_as::<Utf8StringRef<'a>>() {
        Ok(text) => text.as_str(),
        Err(_) => value.decode_as::<PrintableStringRef<'a>>()?.as_str(),
    };
    match field.replace(text) {
        None => Ok(()),
        Some(_) => Err(Tag::Sequence.value_error().into()),
    }
}

/// The elements inside a constructed one of this tag.
fn elements(outer: AnyRef<'_>, tag: Tag) -> der::Result<Vec<AnyRef<'_>>> {
    outer.tag().assert_eq(tag)?;
    let mut reader = SliceReader::new(outer.value())?;
    let mut inner = Vec::new();
    while !reader.is_finished() {
        inner.push(AnyRef::decode(&mut reader)?);
    }
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attestation::tests::hex;

    /// Of the specification's vector `tpm-es256`.
    const NAME: &str = "3052a450304e314c3014060567810502010c0b69643a30303030303030303014060567810502030c0b69643a3030303030303030301e060567810502020c15576562417574686e207465737420766563746f7273";

    #[test]
    fn the_specification_s_alternative_name_is_read() {
        let bytes = hex(NAME);
        let name = tpm_name(&bytes).unwrap();
        assert_eq!(
            name,
            TpmName {
                manufacturer: Some("id:00000000"),
                model: Some("WebAuthn test vectors"),
                version: Some("id:00000000"),
            }
        );
        assert_eq!(name.manufacturer(), Some([0; 4]));
        for end in 0..bytes.len() {
            assert!(tpm_name(&bytes[..end]).is_err(), "{end}");
        }
        assert!(tpm_name(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn attributes_are_printable_or_utf_8() {
        let bytes = hex(NAME);
        let model = bytes.iter().rposition(|&byte| byte == 0x0c).unwrap();
        for (tag, accepted) in [(0x0c, true), (0x13, true), (0x16, false), (0x1e, false)] {
            let mut bytes = bytes.clone();
            bytes[model] = tag;
            assert_eq!(tpm_name(&bytes).is_ok(), accepted, "{tag:#x}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = tpm_name(&bytes);
        }

        #[test]
        fn no_changed_name_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = hex(NAME);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = tpm_name(&bytes).map(TpmName::manufacturer);
        }
    }
}
