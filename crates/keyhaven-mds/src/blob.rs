//! The BLOB: a JSON Web Signature (RFC 7515) with its certificate chain in the header, over a list of entries.

use std::time::Duration;

use base64::Engine as _;
use keyhaven_core::{
    CoseAlgorithm, PathError, PathPolicy, RevocationLists, Sha1, TrustAnchor, UnixTime, base64url,
    validate_path,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Date, Dropped, Entry};

/// The most bytes that are read: BLOBs have 5 to 10 MB.
const MAX_LEN: usize = 64 << 20;

/// The most certificates of the signer's that are looked at: FIDO's service sends 2.
const MAX_CERTIFICATES: usize = 16;

/// What a BLOB is verified against.
#[derive(Clone, Copy, Debug)]
pub struct Verification<'a> {
    /// Who may have issued the signer's certificate: for FIDO's service, GlobalSign's Root R3.
    pub roots: &'a [TrustAnchor],
    /// Who may have signed.
    pub signer: Signer<'a>,
    /// The moment at which the certificates must be valid, usually now.
    pub at: UnixTime,
    /// What issuers of the signer's certificates have revoked, where that is known.
    pub revoked: Option<&'a RevocationLists>,
    /// The BLOB that is in use, where one is: an older one is not taken for it.
    pub previous: Option<Issue>,
}

/// Whose signature counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signer<'a> {
    /// Everybody certified under the roots: for roots that certify nobody else.
    AnyUnderRoots,
    /// The one whose certificate has this DNS name. FIDO's root is a public one, under which anybody gets certificates.
    DnsName(&'a str),
}

/// Which BLOB of a series.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Issue {
    /// `no`: rises with each.
    pub number: u64,
    /// `nextUpdate`: when the next one comes, at the latest.
    pub next_update: Date,
}

impl Issue {
    /// Whether the next one should be there at `at`: the day on which it comes at the latest is over.
    #[must_use]
    pub fn is_overdue(self, at: UnixTime) -> bool {
        let day = Duration::from_secs(86_400);
        self.next_update.midnight().saturating_add(day) <= at
    }
}

/// A verified BLOB.
#[derive(Clone, Debug)]
pub struct Blob {
    issue: Issue,
    legal_header: Option<Box<str>>,
    entries: Vec<Entry>,
    dropped: Vec<Dropped>,
}

/// A BLOB that nobody has verified: for looking at, as nothing can be made of it that anchors trust.
#[derive(Clone, Debug)]
pub struct UnverifiedBlob(Blob);

/// Why bytes are no BLOB to go by.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The signature's algorithm is neither RS256 nor ES256.
    #[error("the signature algorithm is neither RS256 nor ES256")]
    Algorithm,
    /// The header is not that of a BLOB: JSON with `alg` and `x5c`, and nothing critical.
    #[error("the header: {0}")]
    Header(Box<str>),
    /// Not three parts of base64url with dots between.
    #[error("not a JSON Web Signature in compact form")]
    NotCompact,
    /// The signer's certificates lead to none of the roots.
    #[error("the signer's certificates: {0}")]
    Path(#[from] PathError),
    /// The payload is not that of a BLOB.
    #[error("the payload: {0}")]
    Payload(Box<str>),
    /// Older than the one in use.
    #[error(
        "number {received}, next update {received_next_update}: older than number {in_use}, next update {in_use_next_update}"
    )]
    Rollback {
        /// Its number.
        received: u64,
        /// Its next update.
        received_next_update: Date,
        /// The number of the one in use.
        in_use: u64,
        /// The next update of the one in use.
        in_use_next_update: Date,
    },
    /// The signature is not the signer's.
    #[error("the signature is not valid")]
    Signature,
    /// The signer's certificate has another name.
    #[error("the signer is not {expected}")]
    Signer {
        /// Who was expected.
        expected: Box<str>,
    },
    /// More bytes than are read.
    #[error("more than {MAX_LEN} bytes")]
    TooLong,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    x5c: Vec<String>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    legal_header: Option<Box<str>>,
    no: u64,
    next_update: Date,
    #[serde(borrow)]
    entries: Vec<&'a RawValue>,
}

impl Blob {
    /// Verifies a BLOB as it was downloaded: signer, signature, and that it is not older than the one in use. White space
    /// around it is not looked at.
    ///
    /// Whether its `nextUpdate` has passed is not judged here but by [`is_overdue`](Self::is_overdue) and
    /// [`StatusPolicy::max_overdue_days`](crate::StatusPolicy::max_overdue_days): an overdue BLOB is better than none.
    ///
    /// # Errors
    /// The first thing that is wrong. Unreadable entries are none: see [`dropped`](Self::dropped).
    pub fn verify(bytes: &[u8], against: &Verification<'_>) -> Result<Self, BlobError> {
        if bytes.len() > MAX_LEN {
            return Err(BlobError::TooLong);
        }
        let text = std::str::from_utf8(bytes.trim_ascii()).map_err(|_| BlobError::NotCompact)?;
        let (signed, signature) = text.rsplit_once('.').ok_or(BlobError::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(BlobError::NotCompact)?;
        if payload.contains('.') {
            return Err(BlobError::NotCompact);
        }
        let decode = |part: &str| base64url::decode(part).map_err(|_| BlobError::NotCompact);
        let signature = decode(signature)?;

        let header = header_of(&decode(header)?)?;
        let path = header
            .x5c
            .iter()
            .map(|text| base64::engine::general_purpose::STANDARD.decode(text))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| BlobError::Header("x5c: not base64".into()))?;
        let path: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
        let roots: Vec<&TrustAnchor> = against.roots.iter().collect();
        let policy = PathPolicy {
            at: against.at,
            sha1: Sha1::Refuse,
            revoked: against.revoked,
        };
        let leaf = validate_path(&path, &roots, &policy)?;
        match against.signer {
            Signer::DnsName(name) if !leaf.is_named(name) => {
                return Err(BlobError::Signer {
                    expected: name.into(),
                });
            }
            Signer::DnsName(_) | Signer::AnyUnderRoots => {}
        }
        let is_signed = match header.alg.as_str() {
            "RS256" => leaf.has_signed(CoseAlgorithm::RS256, signed.as_bytes(), &signature),
            "ES256" => der_signature(&signature)
                .is_some_and(|der| leaf.has_signed(CoseAlgorithm::ES256, signed.as_bytes(), &der)),
            _ => return Err(BlobError::Algorithm),
        };
        if !is_signed {
            return Err(BlobError::Signature);
        }

        let blob = Self::from_payload(&decode(payload)?)?;
        if let Some(in_use) = against.previous
            && (blob.issue.number < in_use.number || blob.issue.next_update < in_use.next_update)
        {
            return Err(BlobError::Rollback {
                received: blob.issue.number,
                received_next_update: blob.issue.next_update,
                in_use: in_use.number,
                in_use_next_update: in_use.next_update,
            });
        }
        Ok(blob)
    }

    /// Reads a payload whose signature is proven.
    fn from_payload(json: &[u8]) -> Result<Self, BlobError> {
        let payload: Payload<'_> =
            serde_json::from_slice(json).map_err(|error| BlobError::Payload(error.to_string().into()))?;
        let (mut entries, mut dropped) = (Vec::with_capacity(payload.entries.len()), Vec::new());
        for (index, raw) in payload.entries.into_iter().enumerate() {
            match Entry::read(raw) {
                Ok(entry) => entries.push(entry),
                Err(error) => dropped.push(Dropped::new(index, raw, error)),
            }
        }
        Ok(Self {
            issue: Issue {
                number: payload.no,
                next_update: payload.next_update,
            },
            legal_header: payload.legal_header,
            entries,
            dropped,
        })
    }

    /// Its number and when the next one comes.
    #[must_use]
    pub const fn issue(&self) -> Issue {
        self.issue
    }

    /// Whether the next one should be there at `at`.
    #[must_use]
    pub fn is_overdue(&self, at: UnixTime) -> bool {
        self.issue.is_overdue(at)
    }

    /// The terms of use, as they came.
    #[must_use]
    pub fn legal_header(&self) -> Option<&str> {
        self.legal_header.as_deref()
    }

    /// The entries that could be read.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries that could not.
    #[must_use]
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }
}

impl UnverifiedBlob {
    /// Reads a signed BLOB without looking at its signature, or a bare payload in JSON.
    ///
    /// # Errors
    /// When it is neither, or has more than 64 MiB.
    pub fn read(bytes: &[u8]) -> Result<Self, BlobError> {
        if bytes.len() > MAX_LEN {
            return Err(BlobError::TooLong);
        }
        let bytes = bytes.trim_ascii();
        if bytes.starts_with(b"{") {
            return Blob::from_payload(bytes).map(Self);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BlobError::NotCompact)?;
        let payload = text.split('.').nth(1).ok_or(BlobError::NotCompact)?;
        let payload = base64url::decode(payload).map_err(|_| BlobError::NotCompact)?;
        Blob::from_payload(&payload).map(Self)
    }

    /// The number and next update that it claims.
    #[must_use]
    pub const fn issue(&self) -> Issue {
        self.0.issue()
    }

    /// The entries that could be read.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        self.0.entries()
    }

    /// The entries that could not.
    #[must_use]
    pub fn dropped(&self) -> &[Dropped] {
        self.0.dropped()
    }
}

fn header_of(json: &[u8]) -> Result<Header, BlobError> {
    let header: Header =
        serde_json::from_slice(json).map_err(|error| BlobError::Header(error.to_string().into()))?;
    // RFC 7515 §4.1.11: what is critical must be understood, and nothing is.
    if header.crit.is_some() {
        return Err(BlobError::Header("crit: not understood".into()));
    }
    if header.x5c.is_empty() {
        return Err(BlobError::Header("x5c: no certificate".into()));
    }
    // Nobody has signed them yet, and each costs time.
    if header.x5c.len() > MAX_CERTIFICATES {
        return Err(BlobError::Header("x5c: too many certificates".into()));
    }
    Ok(header)
}

/// An ES256 signature of RFC 7518 §3.4, r and s of 32 bytes each, in the DER of certificates.
fn der_signature(raw: &[u8]) -> Option<Vec<u8>> {
    let raw: &[u8; 64] = raw.try_into().ok()?;
    let (r, s) = raw.split_at(32);
    let numbers = [integer(r), integer(s)].concat();
    let len = u8::try_from(numbers.len()).ok()?;
    Some([&[0x30, len], numbers.as_slice()].concat())
}

/// A positive INTEGER of at most 33 bytes from big-endian ones.
fn integer(big_endian: &[u8]) -> Vec<u8> {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let significant = big_endian.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if significant.first().is_none_or(|first| first & 0x80 != 0) {
        &[0]
    } else {
        &[]
    };
    let len = u8::try_from(sign.len().saturating_add(significant.len())).unwrap_or(u8::MAX);
    [&[0x02, len], sign, significant].concat()
}
