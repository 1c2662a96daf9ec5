//! Certification paths (RFC 5280 §6): built and validated by webpki, with the rules it leaves out added.
//!
//! | rule | by |
//! |---|---|
//! | names chain, signatures, version 3, validity at the given time, CA flag, path length, unknown critical extensions | webpki |
//! | name constraints: DNS names, IP addresses; other forms, directory names always, are refused where they apply | webpki |
//! | name constraints on mail addresses: refused, as webpki does not look for them in the subject | here |
//! | `keyCertSign` of every CA, which webpki does not read | here |
//! | CA flag, `keyCertSign` and path length of the anchor itself | here ([`TrustAnchor`]) |
//! | a leaf that is itself an anchor | here |
//! | revocation, by lists that are there | webpki |
//! | critical certificate policies, which webpki refuses as unknown | here (`with_policies_not_critical`) |
//! | at most 4 certificates of one name, and where there are several only what anchors vouch for: so there are few paths | here |

use std::cell::Cell;
use std::time::Duration;

use keyhaven_types::{CoseAlgorithm, UnixTime};
use pki_types::{AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, RevocationOptionsBuilder,
    UnknownStatusPolicy, VerifiedPath,
};

use super::anchor::{Authority, TrustAnchor};
use super::certificate::{CertificateView, Issuer};
use super::revocation::RevocationLists;
use crate::crypto::{Sha1, certificate_signatures};

/// Why a chain leads to no anchor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A certificate that may only certify others is used as the leaf.
    #[error("the leaf certificate is that of a CA")]
    CaAsLeaf,
    /// An unknown critical extension.
    #[error("a certificate has a critical extension that is unknown")]
    CriticalExtension,
    /// A CA whose key usage lacks `keyCertSign`.
    #[error("a certificate is signed by a key that may not sign certificates")]
    KeyUsage,
    /// A certificate is not one, or not in DER.
    #[error("a certificate is malformed")]
    Malformed,
    /// A name is outside an issuer's constraints, or the constraints are of a kind that is not supported.
    #[error("a name constraint is violated or not supported")]
    NameConstraint,
    /// No path to any anchor.
    #[error("the chain leads to none of the trust anchors")]
    NoPath,
    /// A certificate is used as a CA and is none.
    #[error("a certificate is signed by one that is no CA")]
    NotACa,
    /// More CAs below one than its path length allows.
    #[error("the chain is longer than a path length constraint allows")]
    PathLength,
    /// A revocation list for a certificate is not signed by its issuer, or in a way that is not accepted.
    #[error("a revocation list for a certificate is not its issuer's")]
    RevocationList,
    /// A certificate's issuer has revoked it.
    #[error("a certificate is revoked")]
    Revoked,
    /// A signature of a kind that this build, or the policy, does not accept.
    #[error("a certificate is signed with an algorithm that is not accepted")]
    SignatureAlgorithm,
    /// A certificate's signature is not its issuer's.
    #[error("the signature of a certificate is not valid")]
    SignatureInvalid,
    /// There are more than six intermediates on the way, or too many ways.
    #[error("the chain is too long, or has too many possible paths")]
    TooComplex,
    /// A certificate is not of version 3.
    #[error("a certificate is not of version 3")]
    Version,
    /// A certificate is not valid yet, or no longer, at the time given.
    #[error("a certificate is not valid at the given time")]
    Validity,
}

/// A leaf certificate whose path to a trust anchor was validated. Only [`validate_path`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct AnchoredCertificate<'a> {
    leaf: &'a [u8],
    anchor: &'a TrustAnchor,
}

/// What certification paths are judged by, beside their anchors.
#[derive(Clone, Copy, Debug)]
pub struct PathPolicy<'a> {
    /// The moment at which certificates must be valid, usually now. To the second.
    pub at: UnixTime,
    /// Whether a certificate's signature may rest on SHA-1.
    pub sha1: Sha1,
    /// What issuers have revoked, where that is known.
    pub revoked: Option<&'a RevocationLists>,
}

/// Validates that `certificates` lead to one of `anchors`.
///
/// The first certificate is the leaf; the others are intermediates in any order, where superfluous and unreadable ones do
/// no harm. None of them is trusted for being there: anchors are the caller's. Every certificate below the anchor must be
/// valid at that moment, and not be revoked.
///
/// # Errors
/// The reason that comes nearest to an explanation, where there are several paths.
pub fn validate_path<'a>(
    certificates: &[&'a [u8]],
    anchors: &[&'a TrustAnchor],
    policy: &PathPolicy<'_>,
) -> Result<AnchoredCertificate<'a>, PathError> {
    let (&leaf, intermediates) = certificates.split_first().ok_or(PathError::Malformed)?;
    // A leaf that was chosen as an anchor needs no path.
    if let Some(anchor) = anchors.iter().find(|anchor| anchor.as_der() == leaf) {
        return Ok(AnchoredCertificate { leaf, anchor });
    }
    let at = u64::try_from(policy.at.as_seconds()).map_err(|_| PathError::Validity)?;
    let at = pki_types::UnixTime::since_unix_epoch(Duration::from_secs(at));

    let leaf_view = CertificateView::scan(leaf).ok_or(PathError::Malformed)?;
    let mut views: Vec<CertificateView<'_>> = Vec::with_capacity(intermediates.len());
    for view in intermediates.iter().filter_map(|der| CertificateView::scan(der)) {
        if views.iter().filter(|other| other.subject == view.subject).count() < MAX_OF_ONE_NAME {
            views.push(view);
        }
    }
    let mut algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
        certificate_signatures::WITHOUT_SHA1.to_vec();
    if policy.sha1 == Sha1::Allow {
        algorithms.extend(certificate_signatures::SHA1);
    }
    let authorities: Vec<(&'a TrustAnchor, &Authority)> = anchors
        .iter()
        .filter_map(|anchor| Some((*anchor, anchor.authority()?)))
        .collect();
    let roots: Vec<pki_types::TrustAnchor<'_>> = authorities
        .iter()
        .map(|(_, authority)| authority.borrow())
        .collect();
    if has_rivals(&views) {
        views = vouched_for(views, &roots, &algorithms);
    }

    let leaf_copy = leaf_view.with_policies_not_critical();
    let copies: Vec<Option<Vec<u8>>> = views
        .iter()
        .map(CertificateView::with_policies_not_critical)
        .collect();
    let originals: Vec<Original<'_>> = std::iter::once((&leaf_view, &leaf_copy))
        .chain(views.iter().zip(&copies))
        .filter_map(|(view, copy)| Original::new(view, copy.as_deref()?))
        .collect();
    let leaf_der = CertificateDer::from(leaf_copy.as_deref().unwrap_or(leaf));
    let intermediates: Vec<CertificateDer<'_>> = views
        .iter()
        .zip(&copies)
        .map(|(view, copy)| CertificateDer::from(copy.as_deref().unwrap_or(view.der())))
        .collect();

    let wrapped: Vec<OverOriginal<'_>>;
    if !originals.is_empty() {
        wrapped = algorithms
            .iter()
            .map(|&algorithm| OverOriginal {
                algorithm,
                originals: &originals,
            })
            .collect();
        algorithms = wrapped
            .iter()
            .map(|algorithm| -> &dyn SignatureVerificationAlgorithm { algorithm })
            .collect();
    }

    let lists: Vec<_> = policy
        .revoked
        .into_iter()
        .flat_map(RevocationLists::iter)
        .collect();
    // Without any there is nothing to look into.
    let revocation = RevocationOptionsBuilder::new(&lists)
        .ok()
        .map(|options| options.with_status_policy(UnknownStatusPolicy::Allow).build());

    // What our own rules have against a path that webpki has none against.
    let objection = Cell::new(None);
    let chosen = Cell::new(None);
    let judge = |path: &VerifiedPath<'_>| {
        let found = roots
            .iter()
            .position(|root| std::ptr::eq(root, path.anchor()))
            .and_then(|index| authorities.get(index));
        let verdict = match found {
            Some((anchor, authority)) => check_authorities(authority, path).map(|()| *anchor),
            None => Err(PathError::NoPath),
        };
        match verdict {
            Ok(anchor) => {
                chosen.set(Some(anchor));
                Ok(())
            }
            Err(error) => {
                objection.set(Some(error));
                Err(webpki::Error::UnknownIssuer)
            }
        }
    };
    EndEntityCert::try_from(&leaf_der)
        .and_then(|end_entity| {
            end_entity
                .verify_for_usage(
                    &algorithms,
                    &roots,
                    &intermediates,
                    at,
                    AnyPurpose,
                    revocation,
                    Some(&judge),
                )
                .map(|_| ())
        })
        .map_err(|error| objection.get().unwrap_or_else(|| PathError::from(error)))?;
    let anchor = chosen.get().ok_or(PathError::NoPath)?;
    Ok(AnchoredCertificate { leaf, anchor })
}

/// Of so many certificates with one subject the first are considered; cross-signed CAs have two or three.
const MAX_OF_ONE_NAME: usize = 4;

/// Whether two certificates have one subject, so that there is more than one path.
fn has_rivals(views: &[CertificateView<'_>]) -> bool {
    let mut subjects: Vec<&[u8]> = views.iter().map(|view| view.subject).collect();
    subjects.sort_unstable();
    subjects
        .windows(2)
        .any(|pair| matches!(pair, [one, other] if one == other))
}

/// The certificates that an anchor has signed, or one of these themselves. webpki tries names first, and reads every
/// certificate again at every step: fifteen that anybody can make up, each of four names issued by the next, would cost it
/// two thousand signatures' time.
fn vouched_for<'a>(
    views: Vec<CertificateView<'a>>,
    roots: &[pki_types::TrustAnchor<'_>],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Vec<CertificateView<'a>> {
    let issuers: Vec<Issuer<'_>> = roots.iter().filter_map(Issuer::of_anchor).collect();
    let (mut vouched, mut left): (Vec<_>, Vec<_>) = views.into_iter().partition(|view| {
        issuers
            .iter()
            .any(|issuer| view.is_signed_by(*issuer, algorithms))
    });
    let mut at = 0_usize;
    while let Some(issuer) = vouched.get(at).map(CertificateView::as_issuer) {
        let (signed, others): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|view| view.is_signed_by(issuer, algorithms));
        vouched.extend(signed);
        left = others;
        at = at.saturating_add(1);
    }
    vouched
}

/// The rules for those who sign that webpki leaves to us.
fn check_authorities(anchor: &Authority, path: &VerifiedPath<'_>) -> Result<(), PathError> {
    if anchor.constrains_mail_addresses {
        return Err(PathError::NameConstraint);
    }
    let mut below = 0_usize;
    for intermediate in path.intermediate_certificates() {
        let der = intermediate.der();
        let view = CertificateView::scan(&der).ok_or(PathError::Malformed)?;
        if !view.may_sign_certificates() {
            return Err(PathError::KeyUsage);
        }
        if view.constrains_mail_addresses() {
            return Err(PathError::NameConstraint);
        }
        below = below.saturating_add(1);
    }
    if anchor.path_length.is_some_and(|most| below > usize::from(most)) {
        return Err(PathError::PathLength);
    }
    Ok(())
}

impl<'a> AnchoredCertificate<'a> {
    /// The anchor that the path ends at.
    #[must_use]
    pub const fn anchor(&self) -> &'a TrustAnchor {
        self.anchor
    }

    /// Whether the leaf's key made `signature` over `message`, in DER for ECDSA. ES256 and RS256 only, which is what
    /// signed documents with a certificate chain use.
    #[must_use]
    pub fn has_signed(&self, algorithm: CoseAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let by = match algorithm {
            CoseAlgorithm::ES256 => certificate_signatures::ES256,
            CoseAlgorithm::RS256 => certificate_signatures::RS256,
            _ => return false,
        };
        let Some(copy) = CertificateView::scan(self.leaf).map(|view| view.with_policies_not_critical())
        else {
            return false;
        };
        let der = CertificateDer::from(copy.as_deref().unwrap_or(self.leaf));
        EndEntityCert::try_from(&der).is_ok_and(|leaf| leaf.verify_signature(by, message, signature).is_ok())
    }

    /// Whether the leaf's subject alternative names have this DNS name.
    #[must_use]
    pub fn is_named(&self, dns_name: &str) -> bool {
        let Some(copy) = CertificateView::scan(self.leaf).map(|view| view.with_policies_not_critical())
        else {
            return false;
        };
        let der = CertificateDer::from(copy.as_deref().unwrap_or(self.leaf));
        pki_types::ServerName::try_from(dns_name).is_ok_and(|name| {
            EndEntityCert::try_from(&der)
                .is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(&name).is_ok())
        })
    }
}

/// Attestation certificates have no purpose in common; where a format demands one of its leaf, its procedure looks.
struct AnyPurpose;

impl ExtendedKeyUsageValidator for AnyPurpose {
    fn validate(&self, mut purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        purposes.try_for_each(|purpose| purpose.map(|_| ()))
    }
}

/// A certificate of which webpki reads a changed copy.
#[derive(Debug)]
struct Original<'a> {
    /// What webpki takes for the signed part.
    read: &'a [u8],
    /// What was signed.
    signed: &'a [u8],
}

impl<'a> Original<'a> {
    fn new(view: &CertificateView<'a>, copy: &'a [u8]) -> Option<Self> {
        Some(Self {
            read: copy.get(view.to_be_signed.clone())?,
            signed: view.der().get(view.to_be_signed.clone())?,
        })
    }
}

/// Verifies signatures over what was signed, where webpki has read a copy.
#[derive(Debug)]
struct OverOriginal<'a> {
    algorithm: &'a dyn SignatureVerificationAlgorithm,
    originals: &'a [Original<'a>],
}

impl SignatureVerificationAlgorithm for OverOriginal<'_> {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let original = self.originals.iter().find(|original| original.read == message);
        let message = original.map_or(message, |original| original.signed);
        self.algorithm.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}

impl From<webpki::Error> for PathError {
    fn from(error: webpki::Error) -> Self {
        use webpki::Error;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the rest, future ones included, is malformed in one way or another"
        )]
        match error {
            Error::CaUsedAsEndEntity => Self::CaAsLeaf,
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } | Error::InvalidCertValidity => {
                Self::Validity
            }
            Error::CertRevoked => Self::Revoked,
            Error::EndEntityUsedAsCa => Self::NotACa,
            Error::InvalidCrlSignatureForPublicKey
            | Error::IssuerNotCrlSigner
            | Error::UnsupportedCrlSignatureAlgorithmContext(_)
            | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Self::RevocationList,
            Error::InvalidSignatureForPublicKey => Self::SignatureInvalid,
            Error::MaximumNameConstraintComparisonsExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumSignatureChecksExceeded => Self::TooComplex,
            Error::InvalidNetworkMaskConstraint
            | Error::MalformedNameConstraint
            | Error::NameConstraintViolation => Self::NameConstraint,
            Error::PathLenConstraintViolated => Self::PathLength,
            Error::UnknownIssuer => Self::NoPath,
            Error::UnsupportedCertVersion => Self::Version,
            Error::UnsupportedCriticalExtension => Self::CriticalExtension,
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::SignatureAlgorithm,
            _ => Self::Malformed,
        }
    }
}
