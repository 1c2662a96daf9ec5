//! Keys out of certificates: a SubjectPublicKeyInfo, held to the algorithm that a statement or a chain names.

use keyhaven_types::CoseAlgorithm;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{self, Decode as _, Reader as _, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::{Curve, Hash, ImportError, KeyMaterialError, KeyParts, MlDsa, Scheme, Sha1, VerifyingKey};
use crate::der as write;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// Why a SubjectPublicKeyInfo gives no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SpkiError {
    /// The key's bytes are not what its type says.
    Malformed,
    /// The numbers make no key.
    Material(KeyMaterialError),
    /// Its key type, curve or parameters are not the algorithm's.
    Mismatch,
    /// This build does not verify the algorithm, or the policy does not.
    Unsupported,
}

/// The key of a certificate whose owner signs statements with `algorithm`: key type, curve and parameters included. Not
/// judged: the verification with it does that.
pub(crate) fn verifying_key(
    spki: &SubjectPublicKeyInfoOwned,
    algorithm: CoseAlgorithm,
    sha1: Sha1,
) -> Result<VerifyingKey, SpkiError> {
    let scheme = Scheme::of_statement(algorithm, sha1).ok_or(SpkiError::Unsupported)?;
    verifying_key_for(spki, scheme)
}

/// The same for a scheme, whether or not COSE has an identifier for it.
pub(crate) fn verifying_key_for(
    spki: &SubjectPublicKeyInfoOwned,
    scheme: Scheme,
) -> Result<VerifyingKey, SpkiError> {
    let key = spki.subject_public_key.as_bytes().ok_or(SpkiError::Malformed)?;
    let parameters = spki.algorithm.parameters.as_ref();
    let is = |oid| spki.algorithm.oid == oid;
    let parts = match scheme {
        Scheme::Ecdsa(curve, _) if is(EC_PUBLIC_KEY) => {
            let named = parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
            if named != Some(curve.oid()) {
                return Err(SpkiError::Mismatch);
            }
            let (x, y) = point(key, curve.coordinate_len())?;
            KeyParts::Ec { curve, x, y }
        }
        Scheme::Ed25519 if is(ED25519) && parameters.is_none() => KeyParts::Ed25519(key),
        Scheme::Ed448 if is(ED448) && parameters.is_none() => KeyParts::Ed448(key),
        Scheme::MlDsa(set) if is(set.oid()) && parameters.is_none() => KeyParts::MlDsa(set, key),
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_)
            if is(RSA_ENCRYPTION) && parameters.is_some_and(der::asn1::Any::is_null) =>
        {
            rsa(key)?
        }
        // RFC 4055 §3.1: without parameters the key is for any hash, with them for what they say.
        Scheme::RsaPss(hash) if is(RSASSA_PSS) => match parameters.map(der::Encode::to_der) {
            None => rsa(key)?,
            Some(Ok(parameters)) if pss_parameters(hash).contains(&parameters) => rsa(key)?,
            Some(_) => return Err(SpkiError::Mismatch),
        },
        Scheme::Ecdsa(..)
        | Scheme::Ed25519
        | Scheme::Ed448
        | Scheme::MlDsa(_)
        | Scheme::RsaPkcs1(_)
        | Scheme::RsaPss(_) => return Err(SpkiError::Mismatch),
    };
    VerifyingKey::new(scheme, parts).map_err(|error| match error {
        ImportError::Material(error) => SpkiError::Material(error),
        ImportError::Mismatch => SpkiError::Mismatch,
    })
}

impl Curve {
    /// Its object identifier (RFC 5480 §2.1.1.1, SEC2 §A.2.1).
    pub(crate) const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
            Self::Secp256k1 => "1.3.132.0.10",
        })
    }
}

impl MlDsa {
    /// Its object identifier (RFC 9881 §2).
    pub(crate) const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::MlDsa44 => "2.16.840.1.101.3.4.3.17",
            Self::MlDsa65 => "2.16.840.1.101.3.4.3.18",
            Self::MlDsa87 => "2.16.840.1.101.3.4.3.19",
        })
    }
}

/// Modulus and public exponent of an `RSAPublicKey` (RFC 8017 §A.1.1).
pub(super) fn rsa(der: &[u8]) -> Result<KeyParts<'_>, SpkiError> {
    let numbers = || {
        let mut reader = SliceReader::new(der)?;
        let numbers = reader.sequence(|inner| {
            let (n, e) = (UintRef::decode(inner)?, UintRef::decode(inner)?);
            Ok::<_, der::Error>((n.as_bytes(), e.as_bytes()))
        })?;
        reader.finish()?;
        Ok::<_, der::Error>(numbers)
    };
    match numbers() {
        Ok((n, e)) => Ok(KeyParts::Rsa { n, e }),
        Err(_) => Err(SpkiError::Malformed),
    }
}

/// The coordinates of an uncompressed SEC1 point.
pub(super) fn point(sec1: &[u8], size: usize) -> Result<(&[u8], &[u8]), SpkiError> {
    match sec1.split_first() {
        Some((4, coordinates)) => coordinates.split_at_checked(size).ok_or(SpkiError::Malformed),
        _ => Err(SpkiError::Malformed),
    }
}

/// `RSASSA-PSS-params` (RFC 4055 §3.1) of `hash`, MGF1 with it, and a salt as long: in its four encodings, because the
/// parameters of a hash may be NULL or absent.
fn pss_parameters(hash: Hash) -> [Vec<u8>; 4] {
    // 2.16.840.1.101.3.4.2.1 to .3 and 1.2.840.113549.1.1.8.
    let oid: &[u8] = match hash {
        // All its values are defaults, which DER leaves out; no scheme here asks.
        Hash::Sha1 => &[0x2b, 0x0e, 0x03, 0x02, 0x1a],
        Hash::Sha256 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
        Hash::Sha384 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
        Hash::Sha512 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
    };
    let mgf1 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
    let absent = || write::sequence(&[write::oid(oid)]);
    let null = || write::sequence(&[write::oid(oid), write::null()]);
    let [.., salt_len] = hash.len().to_be_bytes();
    let parameters = |hash: Vec<u8>, mgf_hash: Vec<u8>| {
        write::sequence(&[
            write::explicit(0, &hash),
            write::explicit(1, &write::sequence(&[write::oid(&mgf1), mgf_hash])),
            write::explicit(2, &write::positive_integer(&[salt_len])),
        ])
    };
    [
        parameters(null(), null()),
        parameters(absent(), absent()),
        parameters(null(), absent()),
        parameters(absent(), null()),
    ]
}
