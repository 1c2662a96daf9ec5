//! The parts of a certificate that path validation looks at and webpki does not tell. A scanner, no judge: whatever is
//! on a path is also parsed, strictly and to its last byte, by webpki.

use std::ops::Range;

use pki_types::SignatureVerificationAlgorithm;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::{BasicConstraints, CertificatePolicies, KeyUsage};

/// id-ce-keyUsage.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// id-ce-basicConstraints.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// id-ce-nameConstraints.
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
/// id-ce-certificatePolicies.
const CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 0x20];
/// id-fido-gen-ce-aaguid.
const FIDO_AAGUID: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xe5, 0x1c, 0x01, 0x01, 0x04];

const SEQUENCE: u8 = 0x30;

/// One certificate, split.
pub(super) struct CertificateView<'a> {
    der: &'a [u8],
    /// Where the signed part stands in `der`.
    pub(super) to_be_signed: Range<usize>,
    /// Whether it is of version 1, which has no extensions.
    pub(super) is_version_1: bool,
    /// The content of the issuer's name.
    issuer: &'a [u8],
    /// The content of the subject's name.
    pub(super) subject: &'a [u8],
    /// The content of the algorithm of the subject's key.
    key_algorithm: &'a [u8],
    /// The content of the subject's key: the bits of `subjectPublicKey`.
    pub(super) key: &'a [u8],
    extensions: Vec<Extension<'a>>,
    /// The content of the signature's algorithm, and the signature's bits.
    signature: Option<(&'a [u8], &'a [u8])>,
}

/// Who signs certificates: a name, and the algorithm and bits of a key.
#[derive(Clone, Copy)]
pub(super) struct Issuer<'a> {
    subject: &'a [u8],
    key_algorithm: &'a [u8],
    key: &'a [u8],
}

impl<'a> Issuer<'a> {
    /// An anchor.
    pub(super) fn of_anchor(anchor: &'a pki_types::TrustAnchor<'_>) -> Option<Self> {
        let mut key_info = Scanner {
            rest: &anchor.subject_public_key_info,
            at: 0,
        };
        let (key_algorithm, key) = key_info.key()?;
        Some(Self {
            subject: &anchor.subject,
            key_algorithm,
            key,
        })
    }
}

struct Extension<'a> {
    oid: &'a [u8],
    /// Where the byte of a `critical` that is TRUE stands in the certificate.
    critical_at: Option<usize>,
    value: &'a [u8],
}

/// A DER element: its tag, its content, and where that starts.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    at: usize,
}

/// What is left to read, and where it stands in the certificate.
#[derive(Clone, Copy)]
struct Scanner<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.rest.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let len = bytes
                    .iter()
                    .fold(0_usize, |len, &byte| len.wrapping_shl(8) | usize::from(byte));
                (len, rest)
            }
            _ => return None,
        };
        let header = self.rest.len().checked_sub(rest.len())?;
        let (content, rest) = rest.split_at_checked(len)?;
        let at = self.at.checked_add(header)?;
        *self = Self {
            rest,
            at: at.checked_add(len)?,
        };
        Some(Element { tag, content, at })
    }

    fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// The bits of a BIT STRING.
    fn bits(&mut self) -> Option<&'a [u8]> {
        let (_unused_bits, bits) = self.expect(0x03)?.content.split_first()?;
        Some(bits)
    }

    /// The content of a SubjectPublicKeyInfo: the content of the algorithm, and the key's bits.
    fn key(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        Some((self.expect(SEQUENCE)?.content, self.bits()?))
    }
}

impl<'a> Element<'a> {
    const fn inside(self) -> Scanner<'a> {
        Scanner {
            rest: self.content,
            at: self.at,
        }
    }
}

impl<'a> CertificateView<'a> {
    /// Splits a certificate; `None` when it has not the shape of one.
    pub(super) fn scan(der: &'a [u8]) -> Option<Self> {
        let mut all = Scanner { rest: der, at: 0 };
        let mut certificate = all.expect(SEQUENCE)?.inside();
        let starts = certificate.at;
        let mut tbs = certificate.expect(SEQUENCE)?.inside();
        let to_be_signed = starts..certificate.at;
        let mut version_or_serial = tbs.next()?;
        let is_version_1 = version_or_serial.tag != 0xa0;
        if !is_version_1 {
            version_or_serial = tbs.next()?;
        }
        // Serial number, signature algorithm, issuer, validity, subject, key.
        (version_or_serial.tag == 0x02).then_some(())?;
        let [_, issuer, _, subject] = [
            tbs.expect(SEQUENCE)?,
            tbs.expect(SEQUENCE)?,
            tbs.expect(SEQUENCE)?,
            tbs.expect(SEQUENCE)?,
        ];
        let (key_algorithm, key) = tbs.expect(SEQUENCE)?.inside().key()?;
        let mut extensions = Vec::new();
        while let Some(element) = tbs.next() {
            if element.tag == 0xa3 {
                let mut list = element.inside().expect(SEQUENCE)?.inside();
                while !list.rest.is_empty() {
                    extensions.push(Extension::scan(list.expect(SEQUENCE)?)?);
                }
            }
        }
        Some(Self {
            der,
            to_be_signed,
            is_version_1,
            issuer: issuer.content,
            subject: subject.content,
            key_algorithm,
            key,
            extensions,
            // After the signed part, there is what a SubjectPublicKeyInfo has, too: an algorithm, and bits.
            signature: certificate.key(),
        })
    }

    /// Whether it names itself as its issuer, byte for byte.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Its subject, as one who signs others.
    pub(super) const fn as_issuer(&self) -> Issuer<'a> {
        Issuer {
            subject: self.subject,
            key_algorithm: self.key_algorithm,
            key: self.key,
        }
    }

    /// Whether `issuer` has signed it, in one of these ways.
    pub(super) fn is_signed_by(
        &self,
        issuer: Issuer<'_>,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> bool {
        let (Some((algorithm, signature)), Some(signed)) =
            (self.signature, self.der.get(self.to_be_signed.clone()))
        else {
            return false;
        };
        self.issuer == issuer.subject
            && algorithms
                .iter()
                .filter(|known| {
                    *known.signature_alg_id() == *algorithm
                        && *known.public_key_alg_id() == *issuer.key_algorithm
                })
                .any(|known| known.verify_signature(issuer.key, signed, signature).is_ok())
    }

    /// The whole certificate.
    pub(super) const fn der(&self) -> &'a [u8] {
        self.der
    }

    fn extension(&self, oid: &[u8]) -> Option<&Extension<'a>> {
        self.extensions.iter().find(|extension| extension.oid == oid)
    }

    /// Whether it has an extension with this identifier, the content of its DER.
    pub(super) fn has_extension(&self, oid: &[u8]) -> bool {
        self.extension(oid).is_some()
    }

    /// The basic constraints' path length, where they say CA; `Err` where they do not, or there are none.
    pub(super) fn certificate_authority(&self) -> Result<Option<u8>, ()> {
        let extension = self.extension(BASIC_CONSTRAINTS).ok_or(())?;
        match BasicConstraints::from_der(extension.value) {
            Ok(constraints) if constraints.ca => Ok(constraints.path_len_constraint),
            _ => Err(()),
        }
    }

    /// Whether its key may sign certificates: `keyCertSign`, or no key usage at all (RFC 5280 §4.2.1.3).
    pub(super) fn may_sign_certificates(&self) -> bool {
        self.extension(KEY_USAGE).is_none_or(|extension| {
            KeyUsage::from_der(extension.value).is_ok_and(|usage| usage.key_cert_sign())
        })
    }

    /// Whether its name constraints, if any, name mail addresses.
    pub(super) fn constrains_mail_addresses(&self) -> bool {
        const RFC822_NAME: u8 = 0x81;
        let Some(extension) = self.extension(NAME_CONSTRAINTS) else {
            return false;
        };
        let mut value = Scanner {
            rest: extension.value,
            at: 0,
        };
        let Some(mut lists) = value.expect(SEQUENCE).map(Element::inside) else {
            return true;
        };
        while let Some(list) = lists.next() {
            let mut subtrees = list.inside();
            while let Some(subtree) = subtrees.next() {
                if subtree.inside().next().is_none_or(|base| base.tag == RFC822_NAME) {
                    return true;
                }
            }
        }
        false
    }

    /// The AAGUID extension's 16 bytes, in two octet strings.
    pub(super) fn aaguid(&self) -> Option<&'a [u8]> {
        match self.extension(FIDO_AAGUID)?.value {
            [0x04, 0x10, aaguid @ ..] => Some(aaguid),
            _ => None,
        }
    }

    /// The certificate with its certificate policies no longer critical; `None` where there is nothing to change.
    ///
    /// Every attestation identity key certificate of Windows has critical policies, and webpki takes them for an extension
    /// it does not know. They are known here: with any policy acceptable and none required, as in attestation, RFC 5280 §6.1
    /// finds nothing to refuse in well-formed ones. So webpki reads a copy in which one byte, the `critical` of that
    /// extension, is FALSE; signatures are verified over the original.
    pub(super) fn with_policies_not_critical(&self) -> Option<Vec<u8>> {
        let extension = self.extension(CERTIFICATE_POLICIES)?;
        let at = extension.critical_at?;
        CertificatePolicies::from_der(extension.value).ok()?;
        let mut copy = self.der.to_vec();
        *copy.get_mut(at)? = 0;
        Some(copy)
    }
}

impl<'a> Extension<'a> {
    fn scan(element: Element<'a>) -> Option<Self> {
        let mut parts = element.inside();
        let oid = parts.expect(0x06)?.content;
        let mut value = parts.next()?;
        let mut critical_at = None;
        if value.tag == 0x01 {
            critical_at = (value.content == [0xff]).then_some(value.at);
            value = parts.next()?;
        }
        (value.tag == 0x04).then_some(Self {
            oid,
            critical_at,
            value: value.content,
        })
    }
}
