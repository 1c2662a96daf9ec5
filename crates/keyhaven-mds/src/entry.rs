//! One entry of a BLOB: whom it is about, what is reported, and the metadata statement.

use base64::Engine as _;
use keyhaven_core::{Aaguid, TrustAnchor};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{Date, StatusReport};

/// `MetadataBLOBPayloadEntry` (MDS §3.1.1), as far as relying parties use it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// A FIDO2 model.
    pub aaguid: Option<Aaguid>,
    /// A UAF model.
    pub aaid: Option<Box<str>>,
    /// A U2F model: the key identifiers of its attestation certificates, SHA-1 of their public keys.
    pub key_identifiers: Vec<[u8; 20]>,
    /// Everything that is reported on it.
    pub status_reports: Vec<StatusReport>,
    /// When that last changed.
    pub time_of_last_status_change: Option<Date>,
    /// What its maker says of it; absent where the maker keeps it private.
    pub statement: Option<Statement>,
}

/// A metadata statement, without its icons.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The model's name.
    pub description: Box<str>,
    /// `fido2`, `u2f` or `uaf`.
    pub protocol_family: Box<str>,
    /// The lowest version it is about.
    pub authenticator_version: u64,
    /// How keys are protected: `hardware`, `tee`, `secure_element`, `software`, `remote_handle`, in the order given.
    pub key_protection: Vec<Box<str>>,
    /// How it attests: `basic_full`, `basic_surrogate` (self), `attca`, `anonca`, `ecdaa`, `none`.
    pub attestation_types: Vec<Box<str>>,
    /// The certificates that its attestations lead to: roots, intermediates or the attestation certificates themselves.
    pub anchors: Vec<TrustAnchor>,
    /// How many certificates could not be read, and are no anchors.
    pub dropped_anchors: usize,
}

/// An entry that was left out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dropped {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Why.
    pub error: EntryError,
    /// The FIDO2 model it is about, where that can be read.
    pub aaguid: Option<Aaguid>,
    /// The key identifiers of the U2F model it is about, those that can be read.
    pub key_identifiers: Vec<[u8; 20]>,
}

impl Dropped {
    pub(crate) fn new(index: usize, raw: &RawValue, error: EntryError) -> Self {
        let members: Value = serde_json::from_str(raw.get()).unwrap_or_default();
        // Whatever way it is written: what cannot be read for certain is to refuse its model, not to pass it over.
        let aaguid = members.get("aaguid").and_then(Value::as_str).and_then(digits);
        let key_identifiers = members
            .get("attestationCertificateKeyIdentifiers")
            .and_then(Value::as_array);
        Self {
            index,
            error,
            aaguid: aaguid.map(Aaguid::new),
            key_identifiers: key_identifiers
                .into_iter()
                .flatten()
                .filter_map(|text| digits(text.as_str()?))
                .collect(),
        }
    }
}

/// Why an entry cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// It is not the JSON that the specification describes.
    #[error("{0}")]
    Json(Box<str>),
    /// A key identifier is not 40 lower-case hexadecimal digits.
    #[error("a key identifier that is not 40 hexadecimal digits")]
    KeyIdentifier,
    /// It is about no model, or about a UAF model and another.
    #[error("no aaguid, aaid or attestationCertificateKeyIdentifiers, or an aaid and another of them")]
    Identity,
    /// It has no status report.
    #[error("no status report")]
    NoStatus,
    /// Its statement is about another model.
    #[error("the metadata statement is about another AAGUID")]
    StatementMismatch,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntry {
    aaguid: Option<Aaguid>,
    aaid: Option<Box<str>>,
    attestation_certificate_key_identifiers: Option<Vec<String>>,
    status_reports: Vec<StatusReport>,
    #[serde(default, deserialize_with = "if_readable")]
    time_of_last_status_change: Option<Date>,
    metadata_statement: Option<RawStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStatement {
    aaguid: Option<Aaguid>,
    description: Box<str>,
    protocol_family: Box<str>,
    authenticator_version: u64,
    key_protection: Vec<Box<str>>,
    attestation_types: Vec<Box<str>>,
    attestation_root_certificates: Vec<String>,
}

impl Entry {
    /// Reads one entry. Members that are not listed in [`Entry`] and [`Statement`] are not looked at.
    pub(crate) fn read(raw: &RawValue) -> Result<Self, EntryError> {
        let raw: RawEntry =
            serde_json::from_str(raw.get()).map_err(|error| EntryError::Json(error.to_string().into()))?;
        let key_identifiers = raw
            .attestation_certificate_key_identifiers
            .iter()
            .flatten()
            .map(|text| key_identifier(text).ok_or(EntryError::KeyIdentifier))
            .collect::<Result<Vec<_>, _>>()?;
        let fido2_or_u2f = raw.aaguid.is_some() || !key_identifiers.is_empty();
        if fido2_or_u2f == raw.aaid.is_some() {
            return Err(EntryError::Identity);
        }
        if raw.status_reports.is_empty() {
            return Err(EntryError::NoStatus);
        }
        let statement = match raw.metadata_statement {
            Some(statement)
                if raw.aaguid.is_some() && statement.aaguid.is_some() && statement.aaguid != raw.aaguid =>
            {
                return Err(EntryError::StatementMismatch);
            }
            statement => statement.map(Statement::from),
        };
        Ok(Self {
            aaguid: raw.aaguid,
            aaid: raw.aaid,
            key_identifiers,
            status_reports: raw.status_reports,
            time_of_last_status_change: raw.time_of_last_status_change,
            statement,
        })
    }
}

impl From<RawStatement> for Statement {
    fn from(raw: RawStatement) -> Self {
        let label = format!("MDS: {}", raw.description);
        let anchors: Vec<TrustAnchor> = raw
            .attestation_root_certificates
            .iter()
            .filter_map(|text| TrustAnchor::from_statement(&label, &certificate(text)?).ok())
            .collect();
        Self {
            dropped_anchors: raw
                .attestation_root_certificates
                .len()
                .saturating_sub(anchors.len()),
            description: raw.description,
            protocol_family: raw.protocol_family,
            authenticator_version: raw.authenticator_version,
            key_protection: raw.key_protection,
            attestation_types: raw.attestation_types,
            anchors,
        }
    }
}

/// A member that decides nothing: one that cannot be read is as good as absent.
pub(crate) fn if_readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).ok())
}

/// Base64 with padding; some authors break it into lines.
fn certificate(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// 20 bytes from 40 lower-case hexadecimal digits.
fn key_identifier(text: &str) -> Option<[u8; 20]> {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        .then(|| digits(text))?
}

/// Bytes from hexadecimal digits in either case; whatever stands between them is not looked at.
fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16)?.try_into().ok())
        .collect();
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok()
}
