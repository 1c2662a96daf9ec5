//! Whether an attestation is trusted (WebAuthn L3 §7.1 steps 23 and 24): who may vouch, and whether they do.

mod anchor;
mod certificate;
mod path;
mod revocation;

use std::fmt;
use std::sync::Arc;

use keyhaven_types::{Aaguid, UnixTime};

use crate::aaguid::{AttestedAaguid, ClaimedAaguid};
use crate::attestation::{AttestationFormat, AttestationType, Attested, AttestedPath, KeyProtection};
use crate::crypto::Sha1;
use crate::crypto::certificate_signatures::key_identifier;
use crate::trace::Tracer;
use crate::{Received, Step};
use certificate::CertificateView;

pub use anchor::{InvalidTrustAnchor, TrustAnchor};
pub use path::{AnchoredCertificate, PathError, PathPolicy, validate_path};
pub use revocation::{InvalidRevocationList, RevocationLists};

/// Whether an attestation must be trusted (§7.1 steps 23 and 24). Its statement is verified in either case.
#[derive(Clone, Copy, Debug, Default)]
pub enum AttestationTrust<'a> {
    /// Not judged: synced passkeys do not attest, so asking for trust would refuse them all.
    #[default]
    Ignore,
    /// Required: a path to an anchor from `anchors`, valid at `at`. `none` and `self` are refused, and every member of a
    /// compound attestation must be trusted.
    Required {
        /// Who may vouch.
        anchors: &'a dyn TrustAnchorSource,
        /// The moment at which certificates must be valid, usually now. To the second.
        at: UnixTime,
    },
}

/// Where trust anchors come from: a list, a metadata service, or several of them. Never from the attestation itself.
pub trait TrustAnchorSource: fmt::Debug + Send + Sync {
    /// The anchors acceptable for an attestation that says this of itself; none when it is not known here.
    ///
    /// # Errors
    /// When the authenticator is known and refused, whoever vouches for it.
    fn anchors_for<'a>(
        &'a self,
        query: &TrustQuery,
    ) -> Result<Vec<AcceptableAnchor<'a>>, AuthenticatorRefused>;

    /// What issuers below the anchors have revoked, where that is known.
    fn revocation_lists(&self) -> Option<&RevocationLists> {
        None
    }
}

/// What an attestation says of itself when its anchors are looked up. Nothing of it is proven yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TrustQuery {
    /// The statement's format; of a compound attestation, the member's.
    pub format: AttestationFormat,
    /// What kind of key signed.
    pub attestation_type: AttestationType,
    /// The authenticator model it claims to be.
    pub aaguid: ClaimedAaguid,
    /// Whether the leaf names that model (id-fido-gen-ce-aaguid, §8.2.1): its issuer then says which of its models it is.
    pub aaguid_certified: bool,
    /// The leaf's key identifier: SHA-1 of its public key (RFC 5280 §4.2.1.2 method 1), by which metadata find U2F models.
    pub key_identifier: [u8; 20],
    /// The moment at which trust is judged.
    pub at: UnixTime,
}

/// One anchor that an attestation may lead to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AcceptableAnchor<'a> {
    /// The certificate.
    pub anchor: &'a TrustAnchor,
    /// What was asked to find it.
    pub scope: AnchorScope,
    /// Where the authenticators it vouches for keep their keys, as its source says.
    pub protection: KeyProtection,
}

/// What an anchor vouches for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AnchorScope {
    /// Authenticators of any model.
    AnyModel,
    /// The claimed model: its source lists the anchor for that AAGUID.
    Model,
}

/// A source knows the authenticator and refuses it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct AuthenticatorRefused {
    /// Why, for a person: for example the status that metadata report.
    pub reason: Box<str>,
}

/// Why an attestation is not trusted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The source of anchors refuses the authenticator.
    #[error("{} attestation: the authenticator is refused: {reason}", .format.as_str())]
    AuthenticatorRefused {
        /// The member's format.
        format: AttestationFormat,
        /// Why.
        reason: Received,
    },
    /// The certificates lead to no anchor.
    #[error("{} attestation: {error}", .format.as_str())]
    Path {
        /// The member's format.
        format: AttestationFormat,
        /// Why.
        error: PathError,
    },
    /// Nobody vouches: the attestation is `none` or `self`.
    #[error("nobody vouches for an attestation of type {:?}", .attestation_type.as_str())]
    Unattested {
        /// `none` or `self`.
        attestation_type: AttestationType,
    },
    /// There is no anchor for this authenticator.
    #[error("{} attestation: there are no trust anchors for this authenticator", .format.as_str())]
    NoAnchors {
        /// The member's format.
        format: AttestationFormat,
    },
}

/// How trust in an attestation was decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TrustDecision {
    /// The policy ignores trust: nothing is known.
    Ignored,
    /// Every path ends at an anchor: one, or one for each member of a compound attestation.
    Trusted(Vec<TrustedPath>),
}

/// One path, and where it ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustedPath {
    /// The statement's format.
    pub format: AttestationFormat,
    /// What kind of key signed.
    pub attestation_type: AttestationType,
    /// The anchor's label: where it comes from.
    pub anchor: Box<str>,
    /// SHA-256 of the anchor's certificate.
    pub anchor_fingerprint: [u8; 32],
    /// What the anchor vouches for.
    pub scope: AnchorScope,
    /// Where the key is kept, as the statement and the anchor's source say together.
    pub protection: KeyProtection,
}

/// Trust anchors that the operator has chosen: for every authenticator, or for one model.
#[derive(Clone, Debug, Default)]
pub struct TrustAnchors {
    for_any: Vec<TrustAnchor>,
    for_model: Vec<(Aaguid, TrustAnchor)>,
    protection: KeyProtection,
    revoked: Option<Arc<RevocationLists>>,
}

impl TrustAnchors {
    /// No anchors.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            for_any: Vec::new(),
            for_model: Vec::new(),
            protection: KeyProtection::Unknown,
            revoked: None,
        }
    }

    /// The same, these certificates being revoked.
    #[must_use]
    pub fn with_revocation_lists(self, lists: Arc<RevocationLists>) -> Self {
        Self {
            revoked: Some(lists),
            ..self
        }
    }

    /// The same, the operator knowing that all of them certify only authenticators that keep keys so.
    #[must_use]
    pub fn with_protection(self, protection: KeyProtection) -> Self {
        Self { protection, ..self }
    }

    /// Adds an anchor for authenticators of any model.
    pub fn add(&mut self, anchor: TrustAnchor) {
        self.for_any.push(anchor);
    }

    /// Adds an anchor for authenticators that claim this model.
    pub fn add_for_model(&mut self, aaguid: Aaguid, anchor: TrustAnchor) {
        self.for_model.push((aaguid, anchor));
    }
}

impl FromIterator<TrustAnchor> for TrustAnchors {
    fn from_iter<T: IntoIterator<Item = TrustAnchor>>(anchors: T) -> Self {
        Self {
            for_any: anchors.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl TrustAnchorSource for TrustAnchors {
    /// Those of the model first. Never refuses.
    fn anchors_for<'a>(
        &'a self,
        query: &TrustQuery,
    ) -> Result<Vec<AcceptableAnchor<'a>>, AuthenticatorRefused> {
        let claimed = query.aaguid.unproven();
        let of_model = self.for_model.iter().filter(|(aaguid, _)| *aaguid == claimed);
        Ok(of_model
            .map(|(_, anchor)| AcceptableAnchor {
                anchor,
                scope: AnchorScope::Model,
                protection: self.protection,
            })
            .chain(self.for_any.iter().map(|anchor| AcceptableAnchor {
                anchor,
                scope: AnchorScope::AnyModel,
                protection: self.protection,
            }))
            .collect())
    }

    fn revocation_lists(&self) -> Option<&RevocationLists> {
        self.revoked.as_deref()
    }
}

impl TrustDecision {
    /// Whether the attestation is trusted.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        matches!(self, Self::Trusted(_))
    }

    /// Whether it is trusted, and says that the key is kept by hardware: every path of it.
    #[must_use]
    pub fn is_hardware(&self) -> bool {
        match self {
            Self::Ignored => false,
            Self::Trusted(paths) => {
                !paths.is_empty()
                    && paths
                        .iter()
                        .all(|path| path.protection == KeyProtection::Hardware)
            }
        }
    }
}

/// Steps 23 and 24 for an attestation whose statement is verified: where every member's path ends, and the AAGUID where
/// that proves it.
pub(crate) fn judge(
    attested: &Attested<'_>,
    claimed: ClaimedAaguid,
    (anchors, at): (&dyn TrustAnchorSource, UnixTime),
    sha1: Sha1,
    trace: &mut impl Tracer,
) -> Result<(Vec<TrustedPath>, Option<AttestedAaguid>), TrustError> {
    let collected = collect(attested, claimed, anchors, at);
    trace.check(Step::Registration(23), || match &collected {
        Ok(members) => describe(members),
        Err(error) => error.to_string(),
    });
    let members = collected?;
    trace.check(Step::Registration(24), || {
        format!(
            "attestation type {:?}, valid at {} s after the epoch",
            attested.attestation_type.as_str(),
            at.as_seconds()
        )
    });
    let policy = PathPolicy {
        at,
        sha1,
        revoked: anchors.revocation_lists(),
    };
    let mut paths = Vec::with_capacity(members.len());
    let mut proven = None;
    for (member, acceptable) in members {
        let format = member.format;
        if acceptable.is_empty() {
            return Err(TrustError::NoAnchors { format });
        }
        let candidates: Vec<&TrustAnchor> = acceptable.iter().map(|acceptable| acceptable.anchor).collect();
        let certificates: Vec<&[u8]> = member.certificates.iter().map(AsRef::as_ref).collect();
        let anchored = validate_path(&certificates, &candidates, &policy)
            .map_err(|error| TrustError::Path { format, error })?;
        let found = acceptable
            .iter()
            .find(|acceptable| std::ptr::eq(acceptable.anchor, anchored.anchor()));
        let (scope, vouched) = found.map_or((AnchorScope::AnyModel, KeyProtection::Unknown), |found| {
            (found.scope, found.protection)
        });
        if proves_aaguid(member, scope, claimed) {
            proven = claimed.attest();
        }
        paths.push(TrustedPath {
            format,
            attestation_type: member.attestation_type,
            anchor: anchored.anchor().label().into(),
            anchor_fingerprint: anchored.anchor().fingerprint(),
            scope,
            protection: together(member.protection, vouched),
        });
    }
    Ok((paths, proven))
}

/// One word for software outweighs the other for hardware.
const fn together(statement: KeyProtection, source: KeyProtection) -> KeyProtection {
    match (statement, source) {
        (KeyProtection::Software, _) | (_, KeyProtection::Software) => KeyProtection::Software,
        (KeyProtection::Hardware, _) | (_, KeyProtection::Hardware) => KeyProtection::Hardware,
        (KeyProtection::Unknown, KeyProtection::Unknown) => KeyProtection::Unknown,
    }
}

type Collected<'m, 'a> = Vec<(&'m AttestedPath<'m>, Vec<AcceptableAnchor<'a>>)>;

/// Step 23: for each path, the anchors it may lead to.
fn collect<'m, 'a>(
    attested: &'m Attested<'m>,
    aaguid: ClaimedAaguid,
    anchors: &'a dyn TrustAnchorSource,
    at: UnixTime,
) -> Result<Collected<'m, 'a>, TrustError> {
    let unattested = |attestation_type| Err(TrustError::Unattested { attestation_type });
    if attested.members.is_empty() {
        return unattested(attested.attestation_type);
    }
    let mut collected = Vec::with_capacity(attested.members.len());
    for member in &attested.members {
        let (format, attestation_type) = (member.format, member.attestation_type);
        if matches!(
            attestation_type,
            AttestationType::None | AttestationType::SelfAttestation
        ) {
            return unattested(attestation_type);
        }
        let malformed = TrustError::Path {
            format,
            error: PathError::Malformed,
        };
        let Some(leaf) = member
            .certificates
            .first()
            .and_then(|leaf| CertificateView::scan(leaf))
        else {
            return Err(malformed);
        };
        let query = TrustQuery {
            format,
            attestation_type,
            aaguid,
            aaguid_certified: leaf
                .aaguid()
                .is_some_and(|named| named == aaguid.unproven().as_bytes()),
            key_identifier: key_identifier(leaf.key),
            at,
        };
        let acceptable = anchors
            .anchors_for(&query)
            .map_err(|refused| TrustError::AuthenticatorRefused {
                format,
                reason: Received::new(&refused.reason),
            })?;
        collected.push((member, acceptable));
    }
    Ok(collected)
}

fn describe(members: &Collected<'_, '_>) -> String {
    let one = |(member, acceptable): &(&AttestedPath<'_>, Vec<AcceptableAnchor<'_>>)| {
        let labels: Vec<&str> = acceptable
            .iter()
            .take(8)
            .map(|acceptable| acceptable.anchor.label())
            .collect();
        format!(
            "{}: {} anchors {labels:?}",
            member.format.as_str(),
            acceptable.len()
        )
    };
    members.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Whether a certificate has an extension with this identifier, the content of its DER. One that is no certificate has
/// none, and is on no path either.
pub(crate) fn has_extension(certificate: &[u8], oid: &[u8]) -> bool {
    CertificateView::scan(certificate).is_some_and(|view| view.has_extension(oid))
}

/// Whether a path that ends at an anchor also proves the AAGUID in authenticator data.
fn proves_aaguid(member: &AttestedPath<'_>, scope: AnchorScope, claimed: ClaimedAaguid) -> bool {
    // A U2F signature covers the RP ID's hash, the client data, the credential id and the key: no AAGUID.
    if member.format == AttestationFormat::FidoU2f {
        return false;
    }
    let named = member
        .certificates
        .first()
        .and_then(|leaf| CertificateView::scan(leaf)?.aaguid());
    match named {
        Some(aaguid) => aaguid == claimed.unproven().as_bytes(),
        None => scope == AnchorScope::Model,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_is_what_somebody_says_and_nobody_denies() {
        use KeyProtection::{Hardware, Software, Unknown};
        for (statement, source, both) in [
            (Hardware, Hardware, Hardware),
            (Hardware, Unknown, Hardware),
            (Unknown, Hardware, Hardware),
            (Unknown, Unknown, Unknown),
            (Hardware, Software, Software),
            (Software, Hardware, Software),
            (Unknown, Software, Software),
        ] {
            assert_eq!(together(statement, source), both, "{statement:?} {source:?}");
        }
        let path = |protection| TrustedPath {
            format: AttestationFormat::Packed,
            attestation_type: AttestationType::Basic,
            anchor: "test".into(),
            anchor_fingerprint: [0; 32],
            scope: AnchorScope::Model,
            protection,
        };
        let decision =
            |kinds: &[KeyProtection]| TrustDecision::Trusted(kinds.iter().copied().map(path).collect());
        assert!(decision(&[Hardware, Hardware]).is_hardware());
        assert!(!decision(&[Hardware, Unknown]).is_hardware());
        assert!(!decision(&[]).is_hardware());
        assert!(!TrustDecision::Ignored.is_hardware());
    }
}
