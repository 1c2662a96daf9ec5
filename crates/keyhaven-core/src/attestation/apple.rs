//! `apple` (WebAuthn L3 §8.8): a certificate made for this one credential, with the ceremony's nonce inside.

use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use x509_cert::der::{self, Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

use super::certificate::Certificate;
use super::statement::Members;
use super::{AttestationFormat, AttestationType, AttestedPath, Evidence, KeyProtection, StatementFault};
use crate::cbor::Value;
use crate::crypto::{Hash, Sha1};

/// What is wrong with an `apple` statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AppleFault {
    /// The certificate is for another key than the credential's.
    #[error("the certificate's key is not the credential's")]
    KeyMismatch,
    /// The certificate has no nonce.
    #[error("the certificate has no nonce")]
    NonceMissing,
    /// The nonce is not a sequence of one octet string tagged 1.
    #[error("the certificate's nonce is malformed")]
    NonceMalformed,
    /// The nonce is not the hash of this ceremony.
    #[error("the certificate's nonce is not the hash of authData and the client data's hash")]
    NonceMismatch,
}

const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113635.100.8.2");

/// The verification procedure of §8.8.
pub(super) fn verify<'a>(
    statement: &Value<'a>,
    evidence: &Evidence<'_>,
) -> Result<AttestedPath<'a>, StatementFault> {
    // 1. The syntax: x5c; and alg, which real devices send beside it.
    let members = Members::only(statement, &["alg", "x5c"])?;
    let path = members.x5c()?;
    let leaf = Certificate::parse(path.leaf)?;
    // An alg says what the leaf's key is for: it must be true.
    if let Some(alg) = members.optional_alg()? {
        leaf.public_key(alg, Sha1::Refuse)?;
    }
    // 2 and 3. The nonce: SHA-256 of authData || hash.
    let nonce = Hash::Sha256.digest(&[evidence.signed]);
    // 4. It is the value of the leaf's extension.
    let extension = leaf.extension(NONCE).ok_or(AppleFault::NonceMissing)?;
    let received = attested_nonce(extension.extn_value.as_bytes()).map_err(|_| AppleFault::NonceMalformed)?;
    if received != nonce.as_ref() {
        return Err(AppleFault::NonceMismatch.into());
    }
    // 5. The leaf's key is the credential's.
    if !leaf.is_for(evidence.credential_public_key) {
        return Err(AppleFault::KeyMismatch.into());
    }
    // 6. Type and path.
    Ok(AttestedPath::new(
        AttestationFormat::Apple,
        AttestationType::AnonCa,
        path.certificates,
    )
    .with_protection(KeyProtection::Hardware))
}

/// `SEQUENCE { [1] EXPLICIT OCTET STRING }`.
fn attested_nonce(value: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(value)?;
    let tagged = reader.sequence(AnyRef::decode)?;
    reader.finish()?;
    tagged.tag().assert_eq(Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(1),
    })?;
    Ok(<&OctetStringRef>::from_der(tagged.value())?.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_nonce_is_one_tagged_octet_string() {
        let read = |bytes: &[u8]| attested_nonce(bytes).ok().map(<[u8]>::to_vec);
        assert_eq!(read(&[0x30, 5, 0xa1, 3, 4, 1, 7]), Some(vec![7]));
        for malformed in [
            &[][..],
            &[0x30, 0],
            &[0x31, 5, 0xa1, 3, 4, 1, 7],
            &[0x30, 5, 0xa0, 3, 4, 1, 7],
            &[0x30, 5, 0x81, 3, 4, 1, 7],
            &[0x30, 5, 0xa1, 3, 2, 1, 7],
            &[0x30, 6, 0xa1, 4, 4, 1, 7, 0],
            &[0x30, 7, 0xa1, 5, 4, 1, 7, 5, 0],
            &[0x30, 7, 0xa1, 3, 4, 1, 7, 5, 0],
            &[0x30, 5, 0xa1, 3, 4, 1, 7, 0],
            &[0x30, 0x80, 0xa1, 3, 4, 1, 7, 0, 0],
            &[0x30, 0x81, 5, 0xa1, 3, 4, 1, 7],
        ] {
            assert_eq!(read(malformed), None, "{malformed:02x?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = attested_nonce(&bytes);
        }
    }
}
