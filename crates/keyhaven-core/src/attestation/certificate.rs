//! Attestation certificates, as far as a statement's own procedure looks at them.
//!
//! Read with the decoders of x509-cert's parts, in strict DER, to the last byte of the certificate; its own `Certificate`
//! would copy each name and number to somewhere of its own, which takes longer than all else here but signatures.

use keyhaven_types::CoseAlgorithm;
use x509_cert::Version;
use x509_cert::certificate::Rfc5280;
use x509_cert::der::asn1::{
    AnyRef, BitStringRef, IntRef, ObjectIdentifier, OctetStringRef, PrintableStringRef, UintRef,
    Utf8StringRef,
};
use x509_cert::der::{
    self, Decode as _, DecodeValue, FixedTag, Header, Length, Reader, SliceReader, Tag, TagMode, TagNumber,
};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};
use x509_cert::time::Validity;

use super::{Evidence, StatementFault};
use crate::crypto::spki::{self, SpkiError};
use crate::crypto::{KeyMaterialError, Sha1, VerifyingKey};
use crate::public_key::PublicKey;

/// Why a certificate cannot be an attestation certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CertificateError {
    /// Its key does not fit the statement's algorithm.
    #[error("its key does not fit algorithm {algorithm}")]
    AlgorithmMismatch {
        /// The statement's `alg`.
        algorithm: CoseAlgorithm,
    },
    /// This build does not verify the statement's algorithm.
    #[error("algorithm {algorithm} is not supported")]
    AlgorithmUnsupported {
        /// The statement's `alg`.
        algorithm: CoseAlgorithm,
    },
    /// Basic constraints are missing, malformed, or say CA.
    #[error("its basic constraints do not say that it is no CA")]
    BasicConstraints,
    /// An extension that its definition forbids to be critical is, or its value is malformed.
    #[error("its {name} extension is critical or malformed")]
    Extension {
        /// Which.
        name: &'static str,
    },
    /// An extension occurs twice.
    #[error("an extension occurs twice")]
    DuplicateExtension,
    /// Its key is unusable.
    #[error("its public key: {0}")]
    Key(#[from] KeyMaterialError),
    /// It is no X.509 certificate in DER.
    #[error("not an X.509 certificate in DER")]
    Malformed,
    /// A part of its subject does not meet the profile.
    #[error("its subject has no proper {attribute}")]
    Subject {
        /// Which part: C, O, OU or CN.
        attribute: &'static str,
    },
    /// It is not of version 3.
    #[error("not of version 3")]
    Version,
}

/// A certificate, read.
pub(super) struct Certificate<'a> {
    version: Version,
    has_empty_subject: bool,
    /// The attributes of its subject's relative names, in the order in which they stand.
    subject: Vec<Attribute<'a>>,
    key: SubjectPublicKeyInfoOwned,
    /// Sorted by identifier, which are distinct.
    extensions: Vec<Extension<'a>>,
}

/// One extension (RFC 5280 §4.2).
pub(super) struct Extension<'a> {
    extn_id: ObjectIdentifier,
    pub(super) critical: bool,
    pub(super) extn_value: &'a OctetStringRef,
}

/// An attribute of a name (RFC 5280 §4.1.2.4).
struct Attribute<'a> {
    oid: ObjectIdentifier,
    value: AnyRef<'a>,
}

/// The most content bytes of a serial number: 20 (RFC 5280 §4.1.2.2), which many read as not counting a leading zero.
const MAX_SERIAL_NUMBER: Length = Length::new(21);
const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
/// id-fido-gen-ce-sernum.
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.2");
/// id-fido-gen-ce-aaguid.
const AAGUID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.4");
/// id-fido-gen-ce-fw-version.
const FIRMWARE_VERSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.5");

impl<'a> Certificate<'a> {
    /// Reads one certificate, to its last byte. No extension may occur twice (RFC 5280 §4.2).
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, CertificateError> {
        let mut certificate = Self::decode(der).map_err(|_| CertificateError::Malformed)?;
        let extensions = &mut certificate.extensions;
        extensions.sort_unstable_by_key(|extension| extension.extn_id);
        if extensions
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.extn_id == b.extn_id))
        {
            return Err(CertificateError::DuplicateExtension);
        }
        Ok(certificate)
    }

    /// `Certificate` of RFC 5280 §4.1.
    fn decode(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let certificate = reader.sequence(|certificate| {
            let to_be_signed = certificate.sequence(Self::decode_to_be_signed)?;
            AlgorithmIdentifierRef::decode(certificate)?;
            BitStringRef::decode(certificate)?;
            Ok::<_, der::Error>(to_be_signed)
        })?;
        reader.finish()?;
        Ok(certificate)
    }

    /// The content of `TBSCertificate`. What nothing here asks for is read all the same, so that it is well-formed.
    fn decode_to_be_signed<R: Reader<'a>>(reader: &mut R) -> der::Result<Self> {
        let version = reader.context_specific(TagNumber(0), TagMode::Explicit)?;
        let serial_number = IntRef::decode(reader)?;
        if serial_number.len() > MAX_SERIAL_NUMBER {
            return Err(Tag::Integer.value_error().into());
        }
        AlgorithmIdentifierRef::decode(reader)?;
        name(reader, |_issuer| {})?;
        Validity::<Rfc5280>::decode(reader)?;
        let has_empty_subject = Header::peek(reader)?.length().is_zero();
        let mut subject = Vec::new();
        name(reader, |attribute| subject.push(attribute))?;
        let key = SubjectPublicKeyInfoOwned::decode(reader)?;
        for unique_identifier in [TagNumber(1), TagNumber(2)] {
            reader.context_specific::<BitStringRef<'_>>(unique_identifier, TagMode::Implicit)?;
        }
        let extensions = reader.context_specific::<Vec<Extension<'a>>>(TagNumber(3), TagMode::Explicit)?;
        Ok(Self {
            version: version.unwrap_or_default(),
            has_empty_subject,
            subject,
            key,
            extensions: extensions.unwrap_or_default(),
        })
    }

    /// The subject's key, which must be one for `algorithm`: key type and curve included. RS1 is `sha1`'s to allow.
    pub(super) fn public_key(
        &self,
        algorithm: CoseAlgorithm,
        sha1: Sha1,
    ) -> Result<VerifyingKey, CertificateError> {
        spki::verifying_key(&self.key, algorithm, sha1).map_err(|error| match error {
            SpkiError::Malformed => CertificateError::Malformed,
            SpkiError::Material(error) => CertificateError::Key(error),
            SpkiError::Mismatch => CertificateError::AlgorithmMismatch { algorithm },
            SpkiError::Unsupported => CertificateError::AlgorithmUnsupported { algorithm },
        })
    }

    /// Whether its subject's key is this credential's.
    pub(super) fn is_for(&self, credential: &PublicKey) -> bool {
        self.public_key(credential.algorithm(), Sha1::Refuse)
            .is_ok_and(|key| key.parts() == credential.parts())
    }

    /// It is of version 3.
    pub(super) fn check_version(&self) -> Result<(), CertificateError> {
        if self.version == Version::V3 {
            Ok(())
        } else {
            Err(CertificateError::Version)
        }
    }

    /// Basic constraints are there and say that it is no CA.
    pub(super) fn check_no_ca(&self) -> Result<(), CertificateError> {
        let constraints = self
            .extension(BASIC_CONSTRAINTS)
            .map(|extension| BasicConstraints::from_der(extension.extn_value.as_bytes()));
        match constraints {
            Some(Ok(BasicConstraints {
                ca: false,
                path_len_constraint: None,
            })) => Ok(()),
            _ => Err(CertificateError::BasicConstraints),
        }
    }

    /// Whether its subject is the empty name.
    pub(super) const fn has_empty_subject(&self) -> bool {
        self.has_empty_subject
    }

    /// The certificate profile of packed attestation (§8.2.1).
    pub(super) fn check_packed_profile(&self) -> Result<(), CertificateError> {
        // Version 3.
        self.check_version()?;
        // Subject: C is an ISO 3166 code, O a name, OU the literal string, CN a name; each once.
        let two_letters = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        self.check_subject("C", COUNTRY, two_letters)?;
        self.check_subject("O", ORGANIZATION, |text| !text.is_empty())?;
        self.check_subject("OU", ORGANIZATIONAL_UNIT, |text| {
            text == "Authenticator Attestation"
        })?;
        self.check_subject("CN", COMMON_NAME, |text| !text.is_empty())?;
        // Not a CA.
        self.check_no_ca()?;
        // A firmware version is a non-negative INTEGER in an extension that is not critical.
        if let Some(extension) = self.extension(FIRMWARE_VERSION)
            && (extension.critical || UintRef::from_der(extension.extn_value.as_bytes()).is_err())
        {
            return Err(CertificateError::Extension {
                name: "firmware version",
            });
        }
        Ok(())
    }

    /// The AAGUID extension, if there is one, names the model that authenticator data claim.
    pub(super) fn check_aaguid(&self, evidence: &Evidence<'_>) -> Result<(), StatementFault> {
        match self.wrapped_octets(AAGUID, "AAGUID")? {
            None => Ok(()),
            Some(octets) => match <[u8; 16]>::try_from(octets) {
                Ok(aaguid) if aaguid == *evidence.attested.aaguid().as_bytes() => Ok(()),
                Ok(_) => Err(StatementFault::AaguidMismatch),
                Err(_) => Err(CertificateError::Extension { name: "AAGUID" }.into()),
            },
        }
    }

    /// The enterprise serial number extension (§8.2.2): not critical, an octet string that is not empty.
    pub(super) fn serial_number(&self) -> Result<Option<Box<[u8]>>, CertificateError> {
        match self.wrapped_octets(SERIAL_NUMBER, "serial number")? {
            Some([]) => Err(CertificateError::Extension {
                name: "serial number",
            }),
            octets => Ok(octets.map(Into::into)),
        }
    }

    /// The value of an extension that is not critical and wraps its octets in two octet strings.
    fn wrapped_octets(
        &self,
        oid: ObjectIdentifier,
        name: &'static str,
    ) -> Result<Option<&[u8]>, CertificateError> {
        let Some(extension) = self.extension(oid) else {
            return Ok(None);
        };
        match <&OctetStringRef>::from_der(extension.extn_value.as_bytes()) {
            Ok(octets) if !extension.critical => Ok(Some(octets.as_bytes())),
            _ => Err(CertificateError::Extension { name }),
        }
    }

    pub(super) fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension<'a>> {
        self.extensions.iter().find(|extension| extension.extn_id == oid)
    }

    /// The subject names `oid` exactly once, as a PrintableString or UTF8String that is acceptable.
    fn check_subject(
        &self,
        attribute: &'static str,
        oid: ObjectIdentifier,
        acceptable: impl Fn(&str) -> bool,
    ) -> Result<(), CertificateError> {
        let mut found = self.subject.iter().filter(|entry| entry.oid == oid);
        match (found.next(), found.next()) {
            (Some(entry), None) if text(entry.value).is_some_and(acceptable) => Ok(()),
            _ => Err(CertificateError::Subject { attribute }),
        }
    }
}

/// Reads a `Name` (RFC 5280 §4.1.2.4), attribute by attribute. As x509-cert does, it takes them in any order.
fn name<'a, R: Reader<'a>>(reader: &mut R, mut each: impl FnMut(Attribute<'a>)) -> der::Result<()> {
    reader.sequence(|relative_names| {
        while !relative_names.is_finished() {
            let set = Header::decode(relative_names)?;
            set.tag().assert_eq(Tag::Set)?;
            relative_names.read_nested(set.length(), |set| {
                while !set.is_finished() {
                    each(set.sequence(|attribute| {
                        Ok::<_, der::Error>(Attribute {
                            oid: attribute.decode()?,
                            value: attribute.decode()?,
                        })
                    })?);
                }
                Ok::<_, der::Error>(())
            })?;
        }
        Ok(())
    })
}

impl<'a> DecodeValue<'a> for Extension<'a> {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, _header: Header) -> der::Result<Self> {
        Ok(Self {
            extn_id: reader.decode()?,
            critical: reader.decode::<Option<bool>>()?.unwrap_or_default(),
            extn_value: reader.decode()?,
        })
    }
}

impl FixedTag for Extension<'_> {
    const TAG: Tag = Tag::Sequence;
}

/// The text of a PrintableString or UTF8String.
fn text(value: AnyRef<'_>) -> Option<&str> {
    if let Ok(text) = value.decode_as::<Utf8StringRef<'_>>() {
        return Some(text.as_str());
    }
    value
        .decode_as::<PrintableStringRef<'_>>()
        .ok()
        .map(|text| text.as_str())
}

#[cfg(test)]
mod tests {
    use keyhaven_testkit::authenticator::{CertificateDraft, SigningKey, tlv};
    use proptest::prelude::*;
    use x509_cert::der::Encode as _;

    use super::*;

    fn certificate() -> Vec<u8> {
        let key = SigningKey::new(-7, b"certificate").unwrap();
        CertificateDraft::attestation(&key, [7; 16]).sign(&key)
    }

    /// Refuses what x509-cert refuses, and reads what it reads.
    fn agrees_with_x509_cert(der: &[u8]) {
        let ours = Certificate::decode(der);
        let Ok(theirs) = x509_cert::Certificate::from_der(der) else {
            assert!(ours.is_err());
            return;
        };
        let (ours, theirs) = (ours.unwrap(), theirs.tbs_certificate());
        assert_eq!(ours.version, theirs.version());
        assert_eq!(ours.has_empty_subject, theirs.subject().is_empty());
        let subject = |oid: &ObjectIdentifier, value: &[u8]| (*oid, value.to_vec());
        let mut our_subject: Vec<_> = ours
            .subject
            .iter()
            .map(|attribute| subject(&attribute.oid, &attribute.value.to_der().unwrap()))
            .collect();
        let mut their_subject: Vec<_> = theirs
            .subject()
            .iter()
            .map(|attribute| subject(&attribute.oid, &attribute.value.to_der().unwrap()))
            .collect();
        our_subject.sort_unstable();
        their_subject.sort_unstable();
        assert_eq!(our_subject, their_subject);
        assert_eq!(&ours.key, theirs.subject_public_key_info());
        let extension = |oid: &ObjectIdentifier, critical, value: &[u8]| (*oid, critical, value.to_vec());
        let our_extensions: Vec<_> = ours
            .extensions
            .iter()
            .map(|ours| extension(&ours.extn_id, ours.critical, ours.extn_value.as_bytes()))
            .collect();
        let their_extensions: Vec<_> = theirs
            .extensions()
            .into_iter()
            .flatten()
            .map(|theirs| extension(&theirs.extn_id, theirs.critical, theirs.extn_value.as_bytes()))
            .collect();
        assert_eq!(our_extensions, their_extensions);
    }

    #[test]
    fn each_changed_byte_means_what_it_means_to_x509_cert() {
        let certificate = certificate();
        for at in 0..certificate.len() {
            for change in [0x01, 0x02, 0x10, 0x80, 0x81, 0xff] {
                let mut changed = certificate.clone();
                changed[at] ^= change;
                agrees_with_x509_cert(&changed);
            }
            agrees_with_x509_cert(&certificate[..at]);
        }
        agrees_with_x509_cert(&[&certificate[..], &[0]].concat());
    }

    #[test]
    fn rare_certificates_mean_what_they_mean_to_x509_cert() {
        let key = SigningKey::new(-7, b"certificate").unwrap();
        let plain = CertificateDraft::attestation(&key, [7; 16]);
        let mut old = plain.clone();
        old.version = None;
        let mut nameless = plain.clone();
        nameless.subject.clear();
        let mut unsorted = plain.clone();
        unsorted.extensions.reverse();
        for draft in [&plain, &old, &nameless, &unsorted] {
            let der = draft.sign(&key);
            assert!(Certificate::decode(&der).is_ok());
            agrees_with_x509_cert(&der);
        }
        for (len, readable) in [(20, true), (21, true), (22, false)] {
            let mut draft = plain.clone();
            draft.serial_number = vec![1; len];
            let der = draft.sign(&key);
            assert_eq!(Certificate::decode(&der).is_ok(), readable, "{len}");
            agrees_with_x509_cert(&der);
        }
    }

    #[test]
    fn unique_identifiers_and_relative_names_of_several_attributes_are_read() {
        let attribute =
            |kind, text: &[u8]| tlv(0x30, &[tlv(0x06, &[0x55, 4, kind]), tlv(0x0c, text)].concat());
        let certificate = |subject: &[Vec<u8>], unique_identifiers: &[u8], unused: u8| {
            let algorithm = tlv(0x30, &tlv(0x06, &[0x2b, 0x65, 0x70]));
            let key = tlv(
                0x30,
                &[&algorithm[..], &tlv(0x03, &[&[0][..], &[9; 32]].concat())].concat(),
            );
            let dates = tlv(
                0x30,
                &[tlv(0x17, b"240101000000Z"), tlv(0x17, b"250101000000Z")].concat(),
            );
            let subject: Vec<u8> = subject.iter().flat_map(|set| tlv(0x31, set)).collect();
            let to_be_signed = [
                &tlv(0xa0, &tlv(0x02, &[2]))[..],
                &tlv(0x02, &[1]),
                &algorithm,
                &tlv(0x30, &[]),
                &dates,
                &tlv(0x30, &subject),
                &key,
                unique_identifiers,
            ];
            let signature = tlv(0x03, &[unused, 0xf0]);
            tlv(
                0x30,
                &[&tlv(0x30, &to_be_signed.concat())[..], &algorithm, &signature].concat(),
            )
        };
        let (a, b) = (attribute(3, b"a"), attribute(10, b"b"));
        let (both, reversed) = ([&a[..], &b].concat(), [&b[..], &a].concat());
        let unique = |number: u8, unused: u8| tlv(0x80 | number, &[unused, 0xf0]);
        for (readable, subject, unique_identifiers, unused) in [
            (true, vec![a.clone(), b.clone()], vec![], 0),
            (true, vec![both], vec![], 0),
            (true, vec![reversed, a.clone()], vec![], 4),
            (true, vec![vec![]], vec![], 0),
            (true, vec![], [unique(1, 0), unique(2, 4)].concat(), 0),
            (true, vec![], unique(2, 0), 0),
            (false, vec![], [unique(2, 0), unique(1, 0)].concat(), 0),
            (false, vec![], unique(1, 8), 0),
            (false, vec![], unique(2, 8), 0),
            (false, vec![], unique(4, 0), 0),
            (false, vec![], vec![], 8),
            (false, vec![tlv(0x31, &a)], vec![], 0),
            (false, vec![[&a[..], &[0]].concat()], vec![], 0),
        ] {
            let der = certificate(&subject, &unique_identifiers, unused);
            assert_eq!(
                Certificate::decode(&der).is_ok(),
                readable,
                "{subject:?} {unique_identifiers:?} {unused}"
            );
            agrees_with_x509_cert(&der);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn several_changed_bytes_too(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            (from, to) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let mut der = certificate();
            for (at, byte) in changes {
                let at = at.index(der.len());
                der[at] = byte;
            }
            // A part of it, put in once more.
            let (from, to) = (from.index(der.len()), to.index(der.len()));
            if from < to {
                let part = der[from..to].to_vec();
                agrees_with_x509_cert(&[&der[..to], &part, &der[to..]].concat());
            }
            agrees_with_x509_cert(&der);
        }
    }
}
