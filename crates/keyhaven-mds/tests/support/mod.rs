//! BLOBs made and signed here: nothing of the FIDO Alliance's is in this repository.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use base64::Engine as _;
use keyhaven_core::{RevocationLists, TrustAnchor, UnixTime, base64url};
use keyhaven_mds::{Blob, BlobError, Issue, Signer, Verification};
use keyhaven_testkit::authenticator::{
    Attribute, BASIC_CONSTRAINTS, CertificateDraft, Extension, SigningKey, tlv,
};
use serde_json::{Value, json};

pub(crate) const NAME: &str = "mds.example.org";
/// Milliseconds: 2026-01-15T00:00:00Z.
pub(crate) const AT: UnixTime = UnixTime::from_millis(1_768_435_200_000);

pub(crate) fn key(seed: &str) -> SigningKey {
    SigningKey::new(-7, seed.as_bytes()).unwrap()
}

/// A certificate for the key of this seed, by the issuer of another.
pub(crate) fn certificate(subject: &str, issuer: &str, extensions: Vec<Extension>) -> CertificateDraft {
    let name = |text: &str| {
        vec![Attribute {
            kind: 3,
            tag: 0x0c,
            text: text.into(),
        }]
    };
    CertificateDraft {
        version: Some(2),
        serial_number: vec![1],
        issuer: name(issuer),
        subject: name(subject),
        validity: ("20260101000000Z".into(), "20261231000000Z".into()),
        subject_public_key_info: key(subject).subject_public_key_info(),
        extensions,
    }
}

pub(crate) fn ca() -> Vec<Extension> {
    vec![Extension {
        oid: BASIC_CONSTRAINTS.to_vec(),
        critical: true,
        value: tlv(0x30, &tlv(0x01, &[0xff])),
    }]
}

pub(crate) fn named(dns_name: &str) -> Vec<Extension> {
    vec![Extension {
        oid: vec![0x55, 0x1d, 0x11],
        critical: false,
        value: tlv(0x30, &tlv(0x82, dns_name.as_bytes())),
    }]
}

/// The DER of a certificate of a model's maker, in base64.
pub(crate) fn maker(subject: &str) -> String {
    standard(&certificate(subject, subject, ca()).sign(&key(subject)))
}

pub(crate) fn standard(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// An entry on a FIDO2 model.
pub(crate) fn entry(aaguid: &str, statuses: &[(&str, &str)]) -> Value {
    let reports: Vec<Value> = statuses
        .iter()
        .map(|(status, since)| json!({"status": status, "effectiveDate": since}))
        .collect();
    json!({
        "aaguid": aaguid,
        "statusReports": reports,
        "timeOfLastStatusChange": "2025-01-01",
        "metadataStatement": {
            "legalHeader": "x", "aaguid": aaguid, "description": "Example Key", "authenticatorVersion": 5,
            "protocolFamily": "fido2", "schema": 3, "keyProtection": ["hardware", "secure_element"],
            "attestationTypes": ["basic_full"], "attestationRootCertificates": [maker("maker")],
            "icon": "data:image/png;base64,AAAA",
        },
    })
}

/// A BLOB to be signed. As it is made, it is accepted.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) header: Value,
    pub(crate) payload: Value,
    pub(crate) leaf: CertificateDraft,
    pub(crate) upper: CertificateDraft,
    pub(crate) signer: SigningKey,
    pub(crate) expected: &'static str,
    pub(crate) at: UnixTime,
    pub(crate) previous: Option<Issue>,
    /// Revocation lists.
    pub(crate) lists: Vec<Vec<u8>>,
}

impl Draft {
    pub(crate) fn new(entries: impl Into<Value>) -> Self {
        let entries: Value = entries.into();
        Self {
            header: json!({"alg": "ES256", "typ": "JWT"}),
            payload: json!({"legalHeader": "terms", "no": 7, "nextUpdate": "2026-02-01", "entries": entries}),
            leaf: certificate("signer", "upper", named(NAME)),
            upper: certificate("upper", "root", ca()),
            signer: key("signer"),
            expected: NAME,
            at: AT,
            previous: None,
            lists: Vec::new(),
        }
    }

    pub(crate) fn root() -> TrustAnchor {
        TrustAnchor::from_der("root", &certificate("root", "root", ca()).sign(&key("root"))).unwrap()
    }

    /// The BLOB in compact form. A header that has no `x5c` gets it.
    pub(crate) fn sign(&self) -> Vec<u8> {
        let mut header = self.header.clone();
        if header.get("x5c").is_none() {
            let path = [self.leaf.sign(&key("upper")), self.upper.sign(&key("root"))];
            header["x5c"] = path.iter().map(|der| standard(der)).collect();
        }
        let part = |json: &Value| base64url::encode(json.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(&self.payload));
        let signature = self.signer.sign_jose(signed.as_bytes());
        format!("{signed}.{}", base64url::encode(&signature)).into_bytes()
    }

    pub(crate) fn judge(&self, bytes: &[u8]) -> Result<Blob, BlobError> {
        let signer = if self.expected.is_empty() {
            Signer::AnyUnderRoots
        } else {
            Signer::DnsName(self.expected)
        };
        let revoked = RevocationLists::from_der(self.lists.iter().map(Vec::as_slice)).unwrap();
        Blob::verify(
            bytes,
            &Verification {
                roots: &[Self::root()],
                signer,
                at: self.at,
                revoked: Some(&revoked),
                previous: self.previous,
            },
        )
    }

    pub(crate) fn blob(&self) -> Result<Blob, BlobError> {
        self.judge(&self.sign())
    }

    /// Its refusal after one change. Unchanged it is accepted, or the case proves nothing.
    pub(crate) fn spoiled(mut self, spoil: impl FnOnce(&mut Self)) -> BlobError {
        assert!(self.blob().is_ok());
        spoil(&mut self);
        self.blob().unwrap_err()
    }
}
