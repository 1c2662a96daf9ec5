use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::{CertificateList, TbsCertList};
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::Uint;
use x509_cert::der::oid::AssociatedOid as _;
use x509_cert::ext::pkix::CrlNumber;

/// Certificates that their issuers have taken back: revocation lists (RFC 5280 §5) that the caller has obtained.
///
/// A list counts for the certificates of its issuer, on any path, and only with that issuer's signature; with a signature
/// that is not the issuer's, no path leads through that issuer. Of several lists by one issuer the newest counts: by
/// `thisUpdate`, then by CRL number. (Issuers are told apart by name alone: of two CAs of one name, only one can have a list
/// here.) One whose `nextUpdate` has passed still counts, and certificates of issuers that have no list here are taken for good: whether
/// lists are there and new is for whoever obtains them to see to.
#[derive(Debug)]
pub struct RevocationLists(Vec<CertRevocationList<'static>>);

/// The bytes are no revocation list that can be used: of version 2, complete, with `nextUpdate` and extensions.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a complete X.509 certificate revocation list of version 2 in DER")]
pub struct InvalidRevocationList;

impl RevocationLists {
    /// Takes lists in DER. Their signatures are verified where they are used, when their issuers' keys are known.
    ///
    /// # Errors
    /// When one of them is no list.
    pub fn from_der<'d>(lists: impl IntoIterator<Item = &'d [u8]>) -> Result<Self, InvalidRevocationList> {
        let mut read = Vec::new();
        for der in lists {
            let list = OwnedCertRevocationList::from_der(der).map_err(|_| InvalidRevocationList)?;
            let content = CertificateList::<Rfc5280>::from_der(der)
                .map_err(|_| InvalidRevocationList)?
                .tbs_cert_list;
            let age = (content.this_update.to_unix_duration(), number(&content)?);
            read.push((age, CertRevocationList::from(list)));
        }
        // webpki goes by the first that fits.
        read.sort_by(|(one, _), (other, _)| other.cmp(one));
        Ok(Self(read.into_iter().map(|(_, list)| list).collect()))
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &CertRevocationList<'static>> {
        self.0.iter()
    }
}

/// The CRL number (RFC 5280 §5.2.3), which rises from list to list; none is the least.
fn number(list: &TbsCertList<Rfc5280>) -> Result<Option<Uint>, InvalidRevocationList> {
    list.crl_extensions
        .iter()
        .flatten()
        .find(|extension| extension.extn_id == CrlNumber::OID)
        .map(|extension| {
            CrlNumber::from_der(extension.extn_value.as_bytes())
                .map(|number| number.0)
                .map_err(|_| InvalidRevocationList)
        })
        .transpose()
}
