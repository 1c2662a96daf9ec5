//! Attestation statements: one file per format of WebAuthn L3 §8.

mod android_key;
mod apple;
mod certificate;
mod compound;
mod fido_u2f;
mod none;
mod packed;
mod policy;
mod safetynet;
mod statement;
mod tpm;

use std::borrow::Cow;

use crate::Step;
use crate::authenticator_data::{AttestedCredentialData, AuthenticatorData, AuthenticatorDataError};
use crate::cbor::{CanonicalCbor, CborError, Key, Value};
use crate::public_key::PublicKey;

pub use android_key::AndroidKeyFault;
pub use apple::AppleFault;
pub use certificate::CertificateError;
pub use compound::CompoundFault;
pub use fido_u2f::FidoU2fFault;
pub use policy::{
    AndroidKeyPolicy, AttestationPolicy, CompoundPolicy, EnterpriseAttestation, Profile, SafetyNetPolicy,
};
pub use safetynet::SafetyNetFault;
pub use statement::StatementFault;
pub use tpm::{TpmFault, TpmStructureError};

/// An attestation object, read to its last byte (WebAuthn L3 §6.5.4): a format, its statement, authenticator data.
#[derive(Clone, Copy, Debug)]
pub struct AttestationObject<'a> {
    format: &'a str,
    statement: Value<'a>,
    authenticator_data_bytes: &'a [u8],
    authenticator_data: AuthenticatorData<'a>,
}

/// Why bytes are not an attestation object.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AttestationObjectError {
    /// `authData` is malformed.
    #[error("authenticator data: {0}")]
    AuthenticatorData(#[from] AuthenticatorDataError),
    /// Not canonical CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Not a map of exactly `fmt`, `attStmt` and `authData`, each of its type.
    #[error("not a map of exactly fmt, attStmt and authData")]
    Members,
}

/// The attestation statement formats this build verifies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttestationFormat {
    /// `android-key`, §8.4.
    AndroidKey,
    /// `android-safetynet`, §8.5. Supported only where [`SafetyNetPolicy::Allow`] says so.
    AndroidSafetyNet,
    /// `apple`, §8.8.
    Apple,
    /// `compound`, §8.9.
    Compound,
    /// `fido-u2f`, §8.6.
    FidoU2f,
    /// `none`, §8.7.
    None,
    /// `packed`, §8.2.
    Packed,
    /// `tpm`, §8.3.
    Tpm,
}

/// What kind of key signed the attestation (WebAuthn L3 §6.5.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttestationType {
    /// A key certified by an anonymisation CA for this credential alone.
    AnonCa,
    /// A key certified by an attestation CA.
    AttCa,
    /// A key shared by a batch of devices.
    Basic,
    /// Nobody signed.
    None,
    /// The credential key itself.
    SelfAttestation,
    /// Basic or AttCA: the statement does not tell which.
    Uncertain,
}

/// Where a credential's private key is kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeyProtection {
    /// Where no software can read it out: a security key, a secure element, a trusted execution environment.
    Hardware,
    /// Software keeps it, or hardware that lets it be copied.
    Software,
    /// Nobody says.
    #[default]
    Unknown,
}

/// Why an attestation statement was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{} attestation: {fault}", .format.as_str())]
pub struct AttestationError {
    /// Whose procedure refused.
    pub format: AttestationFormat,
    /// What it found.
    pub fault: StatementFault,
}

/// What a verified statement proves, and what trust in it is judged by (§7.1 steps 23 and 24).
#[derive(Clone, Debug)]
pub(crate) struct Attested<'a> {
    /// The kind of the whole. In a compound whose statements differ: the weakest where one is `none` or `self`, else
    /// [`AttestationType::Uncertain`].
    pub(crate) attestation_type: AttestationType,
    /// One for each statement: one in most formats, one per verified statement of a compound, none for `none` alone.
    pub(crate) members: Vec<AttestedPath<'a>>,
}

/// One statement and its certificates.
#[derive(Clone, Debug)]
pub(crate) struct AttestedPath<'a> {
    pub(crate) format: AttestationFormat,
    pub(crate) attestation_type: AttestationType,
    /// In DER, leaf first, as received; none for self attestation, and for a `none` inside a compound. Borrowed from
    /// the statement, except where it wraps them in another encoding.
    pub(crate) certificates: Vec<Cow<'a, [u8]>>,
    /// The device's serial number, where enterprise attestation was asked for and tells it.
    pub(crate) serial_number: Option<Box<[u8]>>,
    /// What the statement itself says of where the key is kept. Worth as much as whoever signed it.
    pub(crate) protection: KeyProtection,
}

/// What every statement is verified against.
#[derive(Clone, Copy)]
struct Evidence<'e> {
    authenticator_data: &'e AuthenticatorData<'e>,
    attested: &'e AttestedCredentialData<'e>,
    client_data_hash: &'e [u8; 32],
    /// What most statements sign: `authData` followed by the hash of the client data.
    signed: &'e [u8],
    credential_public_key: &'e PublicKey,
    policy: &'e AttestationPolicy,
}

impl<'a> AttestationObject<'a> {
    /// Reads an attestation object.
    ///
    /// # Errors
    /// The first fault; unknown members are one.
    pub fn parse(bytes: &'a [u8], canonical: CanonicalCbor) -> Result<Self, AttestationObjectError> {
        let Value::Map(map) = Value::parse(bytes, canonical)? else {
            return Err(AttestationObjectError::Members);
        };
        let (mut format, mut statement, mut authenticator_data_bytes) = (None, None, None);
        for entry in map.entries() {
            match entry {
                (Key::Text("fmt"), Value::Text(text)) => format = Some(text),
                // An array for compound attestation.
                (Key::Text("attStmt"), value @ (Value::Map(_) | Value::Array(_))) => statement = Some(value),
                (Key::Text("authData"), Value::Bytes(bytes)) => authenticator_data_bytes = Some(bytes),
                _ => return Err(AttestationObjectError::Members),
            }
        }
        let (Some(format), Some(statement), Some(authenticator_data_bytes)) =
            (format, statement, authenticator_data_bytes)
        else {
            return Err(AttestationObjectError::Members);
        };
        let authenticator_data = AuthenticatorData::parse(authenticator_data_bytes, canonical)?;
        Ok(Self {
            format,
            statement,
            authenticator_data_bytes,
            authenticator_data,
        })
    }

    /// `fmt`, as received.
    #[must_use]
    pub const fn format(&self) -> &'a str {
        self.format
    }

    /// `attStmt`: a map or an array.
    #[must_use]
    pub const fn statement(&self) -> &Value<'a> {
        &self.statement
    }

    /// `authData`, the bytes that statements sign.
    #[must_use]
    pub const fn authenticator_data_bytes(&self) -> &'a [u8] {
        self.authenticator_data_bytes
    }

    /// `authData`, split.
    #[must_use]
    pub const fn authenticator_data(&self) -> &AuthenticatorData<'a> {
        &self.authenticator_data
    }

    /// Runs the procedure of `format` over the statement (§7.1 step 22).
    pub(crate) fn verify_statement(
        &self,
        format: AttestationFormat,
        attested: &AttestedCredentialData<'_>,
        credential_public_key: &PublicKey,
        client_data_hash: &[u8; 32],
        policy: &AttestationPolicy,
    ) -> Result<Attested<'a>, AttestationError> {
        if format == AttestationFormat::None {
            // Nothing is signed, so nothing is copied.
            none::verify(&self.statement).map_err(|fault| AttestationError { format, fault })?;
            return Ok(Attested {
                attestation_type: AttestationType::None,
                members: Vec::new(),
            });
        }
        let signed = [self.authenticator_data_bytes, client_data_hash].concat();
        let evidence = Evidence {
            authenticator_data: &self.authenticator_data,
            attested,
            client_data_hash,
            signed: &signed,
            credential_public_key,
            policy,
        };
        if format == AttestationFormat::Compound {
            return compound::verify(&self.statement, &evidence);
        }
        let member = verify_plain(format, &self.statement, &evidence)?;
        Ok(Attested {
            attestation_type: member.attestation_type,
            members: vec![member],
        })
    }
}

/// Runs the procedure of a format that is not compound.
fn verify_plain<'a>(
    format: AttestationFormat,
    statement: &Value<'a>,
    evidence: &Evidence<'_>,
) -> Result<AttestedPath<'a>, AttestationError> {
    match format {
        AttestationFormat::AndroidKey => android_key::verify(statement, evidence),
        AttestationFormat::AndroidSafetyNet => safetynet::verify(statement, evidence),
        AttestationFormat::Apple => apple::verify(statement, evidence),
        AttestationFormat::Compound => Err(CompoundFault::Nested.into()),
        AttestationFormat::FidoU2f => fido_u2f::verify(statement, evidence),
        AttestationFormat::None => none::verify(statement),
        AttestationFormat::Packed => packed::verify(statement, evidence),
        AttestationFormat::Tpm => tpm::verify(statement, evidence),
    }
    .map_err(|fault| AttestationError { format, fault })
}

impl<'a> AttestedPath<'a> {
    fn new(
        format: AttestationFormat,
        attestation_type: AttestationType,
        certificates: Vec<Cow<'a, [u8]>>,
    ) -> Self {
        Self {
            format,
            attestation_type,
            certificates,
            serial_number: None,
            protection: KeyProtection::Unknown,
        }
    }

    fn with_protection(self, protection: KeyProtection) -> Self {
        Self { protection, ..self }
    }
}

impl AttestationFormat {
    /// The format with this identifier, compared byte for byte (§8.1); `None` for one this build does not verify.
    #[must_use]
    pub fn from_identifier(identifier: &str) -> Option<Self> {
        match identifier {
            "android-key" => Some(Self::AndroidKey),
            "android-safetynet" => Some(Self::AndroidSafetyNet),
            "apple" => Some(Self::Apple),
            "compound" => Some(Self::Compound),
            "fido-u2f" => Some(Self::FidoU2f),
            "none" => Some(Self::None),
            "packed" => Some(Self::Packed),
            "tpm" => Some(Self::Tpm),
            _ => None,
        }
    }

    /// The registered identifier.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AndroidKey => "android-key",
            Self::AndroidSafetyNet => "android-safetynet",
            Self::Apple => "apple",
            Self::Compound => "compound",
            Self::FidoU2f => "fido-u2f",
            Self::None => "none",
            Self::Packed => "packed",
            Self::Tpm => "tpm",
        }
    }

    /// The section of §8 that defines it.
    #[must_use]
    pub const fn step(self) -> Step {
        Step::Statement(match self {
            Self::Packed => 2,
            Self::Tpm => 3,
            Self::AndroidKey => 4,
            Self::AndroidSafetyNet => 5,
            Self::FidoU2f => 6,
            Self::None => 7,
            Self::Apple => 8,
            Self::Compound => 9,
        })
    }
}

impl AttestationType {
    /// `none`, `self`, `basic`, `attca`, `anonca` or `uncertain`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnonCa => "anonca",
            Self::AttCa => "attca",
            Self::Basic => "basic",
            Self::None => "none",
            Self::SelfAttestation => "self",
            Self::Uncertain => "uncertain",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn every_identifier_names_its_format_and_section() {
        for (identifier, section) in [
            ("packed", 2),
            ("tpm", 3),
            ("android-key", 4),
            ("android-safetynet", 5),
            ("fido-u2f", 6),
            ("none", 7),
            ("apple", 8),
            ("compound", 9),
        ] {
            let format = AttestationFormat::from_identifier(identifier).unwrap();
            assert_eq!(format.as_str(), identifier);
            assert_eq!(format.step(), Step::Statement(section));
        }
    }

    #[test]
    fn an_attestation_object_has_exactly_three_members() {
        let refusal = |bytes: &[u8]| AttestationObject::parse(bytes, CanonicalCbor::AnyKeyOrder).err();
        let auth_data = [&[0x58, 37][..], &[0; 37]].concat();
        let object = |members: &[&[u8]]| {
            [
                &[0xa0 + u8::try_from(members.len()).unwrap()][..],
                &members.concat(),
            ]
            .concat()
        };
        let (fmt, stmt) = (&b"\x63fmt\x64none"[..], &b"\x67attStmt\xa0"[..]);
        let data = &[&b"\x68authData"[..], &auth_data].concat()[..];
        assert_eq!(refusal(&object(&[fmt, stmt, data])), None);
        let members = Some(AttestationObjectError::Members);
        assert_eq!(refusal(&object(&[fmt, stmt])), members);
        assert_eq!(refusal(&object(&[fmt, data])), members);
        assert_eq!(refusal(&object(&[stmt, data])), members);
        assert_eq!(refusal(&object(&[fmt, stmt, data, b"\x61x\x00"])), members);
        assert_eq!(refusal(&object(&[b"\x63fmt\x00", stmt, data])), members);
        assert_eq!(refusal(&object(&[fmt, b"\x67attStmt\x40", data])), members);
        assert_eq!(refusal(&object(&[fmt, stmt, b"\x68authData\xa0"])), members);
        assert_eq!(refusal(&[0x80]), members);
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = AttestationObject::parse(&bytes, CanonicalCbor::AnyKeyOrder);
        }
    }
}
