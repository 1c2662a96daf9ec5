//! Attestation certificates, as far as a statement's own procedure looks at them. Parsed by x509-cert, in strict DER.

use keyhaven_types::CoseAlgorithm;
use x509_cert::Version;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{
    Any, ObjectIdentifier, OctetStringRef, PrintableStringRef, UintRef, Utf8StringRef,
};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::BasicConstraints;

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

pub(super) struct Certificate(x509_cert::Certificate);

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

impl Certificate {
    /// Reads one certificate, to its last byte. No extension may occur twice (RFC 5280 §4.2).
    pub(super) fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let certificate = x509_cert::Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        let certificate = Self(certificate);
        let mut oids: Vec<ObjectIdentifier> = certificate
            .extensions()
            .iter()
            .map(|extension| extension.extn_id)
            .collect();
        oids.sort_unstable();
        if oids.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(CertificateError::DuplicateExtension);
        }
        Ok(certificate)
    }

    /// The subject's key, which must be one for `algorithm`: key type and curve included. RS1 is `sha1`'s to allow.
    pub(super) fn public_key(
        &self,
        algorithm: CoseAlgorithm,
        sha1: Sha1,
    ) -> Result<VerifyingKey, CertificateError> {
        let spki = self.0.tbs_certificate().subject_public_key_info();
        spki::verifying_key(spki, algorithm, sha1).map_err(|error| match error {
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
        if self.0.tbs_certificate().version() == Version::V3 {
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
    pub(super) fn has_empty_subject(&self) -> bool {
        self.0.tbs_certificate().subject().is_empty()
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

    fn extensions(&self) -> &[Extension] {
        self.0
            .tbs_certificate()
            .extensions()
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    pub(super) fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.extensions()
            .iter()
            .find(|extension| extension.extn_id == oid)
    }

    /// The subject names `oid` exactly once, as a PrintableString or UTF8String that is acceptable.
    fn check_subject(
        &self,
        attribute: &'static str,
        oid: ObjectIdentifier,
        acceptable: impl Fn(&str) -> bool,
    ) -> Result<(), CertificateError> {
        let mut found = self
            .0
            .tbs_certificate()
            .subject()
            .iter()
            .filter(|entry| entry.oid == oid);
        match (found.next(), found.next()) {
            (Some(entry), None) if text(&entry.value).is_some_and(acceptable) => Ok(()),
            _ => Err(CertificateError::Subject { attribute }),
        }
    }
}

/// The text of a PrintableString or UTF8String.
fn text(value: &Any) -> Option<&str> {
    if let Ok(text) = value.decode_as::<Utf8StringRef<'_>>() {
        return Some(text.as_str());
    }
    value
        .decode_as::<PrintableStringRef<'_>>()
        .ok()
        .map(|text| text.as_str())
}
