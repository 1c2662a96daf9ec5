//! `android-safetynet` (WebAuthn L3 §8.5): Google's judgement of a device. Deprecated, and off unless a policy allows it.
//!
//! The time in the judgement is not compared: the nonce binds it to this ceremony's challenge, which is newer than any
//! judgement that could be replayed, and the certificate's dates are the trust path's to judge.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyhaven_types::{CoseAlgorithm, base64url};
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::certificate::Certificate;
use super::statement::{Members, check_signature};
use super::{AttestationFormat, AttestationType, AttestedPath, Evidence, KeyProtection, StatementFault};
use crate::cbor::Value;
use crate::crypto::{Hash, Sha1};
use crate::json::{Json, JsonError, Object};

/// What is wrong with an `android-safetynet` statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SafetyNetFault {
    /// The header's `alg` is not `RS256`, which the service signed with.
    #[error("the response is not signed with RS256")]
    Algorithm,
    /// The header's `x5c` is not 1 to 16 texts in base64.
    #[error("the response has no proper certificates")]
    Certificates,
    /// The header names extensions (`crit`) that must be understood, and none is.
    #[error("the response has critical header parameters")]
    Critical,
    /// The device does not match a profile that Google has certified.
    #[error("the device does not match a certified profile")]
    CtsProfileMatch,
    /// The certificate is not that of `attest.android.com`.
    #[error("the certificate is not for attest.android.com")]
    Hostname,
    /// The header or the payload is not the JSON that it should be.
    #[error("the response's JSON: {0}")]
    Json(#[from] JsonError),
    /// The judgement was not made for this ceremony.
    #[error("the nonce is not the hash of authData and the client data's hash")]
    Nonce,
    /// The response is not three parts in base64url with dots between them, or its parts are not UTF-8.
    #[error("the response is not a JWS in compact serialization")]
    Serialization,
    /// `ver` is empty.
    #[error("ver is empty")]
    Version,
}

const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// The verification procedure of §8.5.
pub(super) fn verify<'a>(
    statement: &Value<'a>,
    evidence: &Evidence<'_>,
) -> Result<AttestedPath<'a>, StatementFault> {
    // The syntax: ver and response, nothing else.
    let members = Members::only(statement, &["response", "ver"])?;
    let (ver, response) = (members.text("ver")?, members.bytes("response")?);
    if ver.is_empty() {
        return Err(SafetyNetFault::Version.into());
    }
    // response is a JWS (RFC 7515 §7.1), signed by the leaf of its header's x5c.
    let response = Jws::parse(response)?;
    let certificates = response.certificates()?;
    let leaf = Certificate::parse(certificates.first().ok_or(SafetyNetFault::Certificates)?)?;
    let key = leaf.public_key(CoseAlgorithm::RS256, Sha1::Refuse)?;
    check_signature(&key, response.signed.as_bytes(), &response.signature)?;
    // It came from the service: the leaf is that of its host, and its chain is the trust path's to judge.
    if !is_for_host(&leaf) {
        return Err(SafetyNetFault::Hostname.into());
    }
    // nonce is the base64 of SHA-256 of authData || hash.
    let mut payload = Object::parse(&response.payload).map_err(SafetyNetFault::Json)?;
    let nonce = STANDARD.encode(Hash::Sha256.digest(&[evidence.signed]));
    if payload.text("nonce").map_err(SafetyNetFault::Json)? != nonce {
        return Err(SafetyNetFault::Nonce.into());
    }
    // What the service says of the device.
    if payload
        .optional_bool("ctsProfileMatch")
        .map_err(SafetyNetFault::Json)?
        != Some(true)
    {
        return Err(SafetyNetFault::CtsProfileMatch.into());
    }
    Ok(AttestedPath::new(
        AttestationFormat::AndroidSafetyNet,
        AttestationType::Basic,
        certificates.into_iter().map(Cow::Owned).collect(),
    )
    .with_protection(KeyProtection::Software))
}

/// A JSON Web Signature, decoded.
struct Jws<'a> {
    header: String,
    payload: String,
    signature: Vec<u8>,
    /// Header and payload as they are signed.
    signed: &'a str,
}

impl<'a> Jws<'a> {
    fn parse(compact: &'a [u8]) -> Result<Self, SafetyNetFault> {
        let malformed = SafetyNetFault::Serialization;
        let compact = std::str::from_utf8(compact).map_err(|_| malformed)?;
        let (signed, signature) = compact.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        let text = |part: &str| {
            let bytes = base64url::decode(part).map_err(|_| malformed)?;
            String::from_utf8(bytes).map_err(|_| malformed)
        };
        Ok(Self {
            header: text(header)?,
            payload: text(payload)?,
            signature: base64url::decode(signature).map_err(|_| malformed)?,
            signed,
        })
    }

    /// The certificates of the header, leaf first, in DER.
    fn certificates(&self) -> Result<Vec<Vec<u8>>, SafetyNetFault> {
        let mut header = Object::parse(&self.header)?;
        if header.take("crit").is_some() {
            return Err(SafetyNetFault::Critical);
        }
        if header.text("alg")? != "RS256" {
            return Err(SafetyNetFault::Algorithm);
        }
        let x5c = header.optional_array("x5c")?.unwrap_or_default();
        if !(1..=16).contains(&x5c.len()) {
            return Err(SafetyNetFault::Certificates);
        }
        x5c.iter()
            .map(|certificate| {
                let Json::Text(text) = certificate else {
                    return Err(SafetyNetFault::Certificates);
                };
                STANDARD
                    .decode(text.as_bytes())
                    .map_err(|_| SafetyNetFault::Certificates)
            })
            .collect()
    }
}

/// Whether the certificate names the service's host, and in the place where host names stand (RFC 6125 §6.4.4).
fn is_for_host(leaf: &Certificate<'_>) -> bool {
    leaf.extension(SUBJECT_ALTERNATIVE_NAME)
        .and_then(|extension| SubjectAltName::from_der(extension.extn_value.as_bytes()).ok())
        .is_some_and(|names| {
            names.0.iter().any(
                |name| matches!(name, GeneralName::DnsName(host) if host.as_str() == "attest.android.com"),
            )
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_response_has_three_parts() {
        let refusal = |compact: &str| {
            Jws::parse(compact.as_bytes())
                .and_then(|jws| jws.certificates())
                .err()
        };
        let with = |header: &str| format!("{}.e30.AA", base64url::encode(header.as_bytes()));
        assert_eq!(refusal(&with(r#"{"alg":"RS256","x5c":["AA=="]}"#)), None);
        for malformed in [
            "",
            "e30.e30",
            "e30.e30.AA.AA",
            "e30=.e30.AA",
            "e30.e30.A",
            "/w.e30.AA",
            "_w.e30.AA",
        ] {
            assert_eq!(
                refusal(malformed),
                Some(SafetyNetFault::Serialization),
                "{malformed}"
            );
        }
        assert_eq!(
            refusal(&with(r#"{"alg":"RS256","crit":[],"x5c":["AA=="]}"#)),
            Some(SafetyNetFault::Critical)
        );
        for alg in ["none", "HS256", "rs256", "RS512"] {
            let header = format!(r#"{{"alg":"{alg}","x5c":["AA=="]}}"#);
            assert_eq!(refusal(&with(&header)), Some(SafetyNetFault::Algorithm));
        }
        for x5c in [
            "[]".into(),
            "[1]".into(),
            r#"["AA"]"#.into(),
            r#"["A-=="]"#.into(),
            format!("[{}\"\"]", "\"\",".repeat(16)),
        ] {
            let header = format!(r#"{{"alg":"RS256","x5c":{x5c}}}"#);
            assert_eq!(
                refusal(&with(&header)),
                Some(SafetyNetFault::Certificates),
                "{header}"
            );
        }
        for header in [
            "[]",
            "{",
            r#"{"x5c":["AA=="]}"#,
            r#"{"alg":"RS256","x5c":1}"#,
            r#"{"alg":"RS256","alg":"RS256","x5c":["AA=="]}"#,
        ] {
            assert!(
                matches!(refusal(&with(header)), Some(SafetyNetFault::Json(_))),
                "{header}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(compact in "[eyJhbGciOiJSUzI1NiJ9._-]{0,40}", header in ".{0,40}") {
            let _ = Jws::parse(compact.as_bytes()).map(|jws| jws.certificates());
            let wrapped = format!("{}.e30.AA", base64url::encode(header.as_bytes()));
            let _ = Jws::parse(wrapped.as_bytes()).map(|jws| jws.certificates());
        }
    }
}
