use std::fmt;

use pki_types::Der;

use super::certificate::CertificateView;
use crate::crypto::sha256;

/// A certificate that is trusted because the operator, or a metadata service the operator trusts, says so; never because a
/// client sent it.
///
/// What is below it is judged; the certificate itself is not: neither its dates nor its signature. But a certificate that
/// does not say it is a CA is an anchor for itself alone, as a leaf: who holds its key could otherwise certify others. (A
/// certificate of version 1 cannot say, and is taken for a CA.) Its path length and name constraints hold.
#[derive(Clone, Eq, PartialEq)]
pub struct TrustAnchor {
    label: Box<str>,
    der: Box<[u8]>,
    fingerprint: [u8; 32],
    authority: Option<Authority>,
}

/// The bytes are no certificate in DER that can be an anchor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an X.509 certificate in DER")]
pub struct InvalidTrustAnchor;

/// An anchor that may have issued others.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Authority {
    anchor: pki_types::TrustAnchor<'static>,
    pub(super) path_length: Option<u8>,
    pub(super) constrains_mail_addresses: bool,
}

impl TrustAnchor {
    /// Takes a certificate in DER. `label` says for a person where it comes from, for example a file's name.
    ///
    /// # Errors
    /// When it is no certificate.
    pub fn from_der(label: &str, der: &[u8]) -> Result<Self, InvalidTrustAnchor> {
        Self::read(label, der, |view| view.is_version_1)
    }

    /// Takes a certificate in DER that a metadata statement lists for its model. There a certificate that names itself as
    /// its issuer is a CA whatever it says: models in use have roots without the flag, RFC 5280 §6.1.1 (d) takes name and
    /// key of an anchor and nothing else, and who holds the key can attest the model anyway. To be found for that model
    /// alone ([`AnchorScope::Model`](crate::AnchorScope::Model)).
    ///
    /// # Errors
    /// When it is no certificate.
    pub fn from_statement(label: &str, der: &[u8]) -> Result<Self, InvalidTrustAnchor> {
        Self::read(label, der, |view| view.is_version_1 || view.is_self_issued())
    }

    /// `needs_no_flag` says which certificates are taken for CAs though they do not say so.
    fn read(
        label: &str,
        der: &[u8],
        needs_no_flag: fn(&CertificateView<'_>) -> bool,
    ) -> Result<Self, InvalidTrustAnchor> {
        let view = CertificateView::scan(der).ok_or(InvalidTrustAnchor)?;
        let constraints = match view.certificate_authority() {
            Err(()) if needs_no_flag(&view) => Ok(None),
            constraints => constraints,
        };
        let authority = match constraints {
            Ok(path_length) if view.may_sign_certificates() => Some(Authority {
                anchor: webpki::anchor_from_trusted_cert(&der.into())
                    .map_err(|_| InvalidTrustAnchor)?
                    .to_owned(),
                path_length,
                constrains_mail_addresses: view.constrains_mail_addresses(),
            }),
            Ok(_) | Err(()) => None,
        };
        Ok(Self {
            label: label.into(),
            der: der.into(),
            fingerprint: sha256(der),
            authority,
        })
    }

    /// Where it comes from, for a person.
    #[must_use]
    pub const fn label(&self) -> &str {
        &self.label
    }

    /// The certificate in DER.
    #[must_use]
    pub const fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Whether others can lead to it; otherwise it is an anchor for itself alone.
    #[must_use]
    pub const fn is_authority(&self) -> bool {
        self.authority.is_some()
    }

    pub(super) const fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }
}

/// Its label, not its bytes.
impl fmt::Debug for TrustAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustAnchor({:?})", self.label)
    }
}

impl Authority {
    /// As webpki takes it, without copying.
    pub(super) fn borrow(&self) -> pki_types::TrustAnchor<'_> {
        pki_types::TrustAnchor {
            subject: Der::from_slice(&self.anchor.subject),
            subject_public_key_info: Der::from_slice(&self.anchor.subject_public_key_info),
            name_constraints: self.anchor.name_constraints.as_deref().map(Der::from_slice),
        }
    }
}
