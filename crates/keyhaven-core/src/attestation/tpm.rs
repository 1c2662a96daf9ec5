//! `tpm` (WebAuthn L3 §8.3): a TPM 2.0 certifies a key that it keeps.

mod aik;
mod structures;
mod vendors;

use keyhaven_types::CoseAlgorithm;

use self::structures::{Attest, CertifyInfo, Public, PublicId};
use super::certificate::Certificate;
use super::statement::{Members, check_signature};
use super::{AttestationFormat, AttestationType, AttestedPath, Evidence, KeyProtection, StatementFault};
use crate::cbor::Value;
use crate::crypto::{Hash, KeyParts, Scheme, Sha1};

pub use structures::TpmStructureError;

/// What is wrong with a `tpm` statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TpmFault {
    /// `alg` signs without a hash of its own, so there is none for `extraData`.
    #[error("alg has no hash function")]
    AlgorithmWithoutHash,
    /// `certInfo` certifies another object than `pubArea`.
    #[error("certInfo does not certify the name of pubArea")]
    AttestedName,
    /// `certInfo` is no `TPMS_ATTEST` structure.
    #[error("certInfo: {0}")]
    CertInfo(TpmStructureError),
    /// The certificate is not for an attestation identity key: its extended key usage does not say so.
    #[error("the certificate's extended key usage is not that of an attestation identity key")]
    ExtendedKeyUsage,
    /// `certInfo` was not made for this ceremony.
    #[error("extraData is not the hash of authData and the client data's hash")]
    ExtraData,
    /// `certInfo` was not made inside a TPM.
    #[error("magic is not TPM_GENERATED_VALUE")]
    Magic,
    /// The name algorithm of `pubArea` is no hash function known here, or SHA-1 and refused by policy.
    #[error("name algorithm {identifier:#06x} is not accepted")]
    NameAlgorithm {
        /// `TPM_ALG_ID`.
        identifier: u16,
    },
    /// `pubArea` is no `TPMT_PUBLIC` structure of an RSA or elliptic curve key.
    #[error("pubArea: {0}")]
    PubArea(TpmStructureError),
    /// `pubArea` describes another key than the credential's.
    #[error("pubArea is not the credential's key")]
    PublicKeyMismatch,
    /// The certificate's subject is not the empty name.
    #[error("the certificate's subject is not empty")]
    Subject,
    /// The subject alternative name is not one directory name with manufacturer, model and version of the TPM, each once;
    /// or it is not critical though the subject is empty.
    #[error("the certificate's subject alternative name does not name manufacturer, model and version")]
    SubjectAlternativeName,
    /// `certInfo` attests something else than a certified object.
    #[error("type is not TPM_ST_ATTEST_CERTIFY")]
    Type,
    /// The manufacturer is not in the TCG's registry, and [`Profile::Fido`](crate::Profile::Fido) asks for that.
    #[error("the TPM's manufacturer is not in the TCG vendor ID registry")]
    Vendor,
    /// `ver` is not `2.0`.
    #[error("ver is not \"2.0\"")]
    Version,
}

const TPM_GENERATED_VALUE: u32 = 0xff54_4347;
const TPM_ST_ATTEST_CERTIFY: u16 = 0x8017;
const TPM_ALG_SHA1: u16 = 0x0004;
const TPM_ALG_SHA256: u16 = 0x000b;
const TPM_ALG_SHA384: u16 = 0x000c;
const TPM_ALG_SHA512: u16 = 0x000d;

/// The verification procedure of §8.3.
pub(super) fn verify<'a>(
    statement: &Value<'a>,
    evidence: &Evidence<'_>,
) -> Result<AttestedPath<'a>, StatementFault> {
    // The syntax: all six members, nothing else; ver is "2.0".
    let members = Members::only(statement, &["alg", "certInfo", "pubArea", "sig", "ver", "x5c"])?;
    if members.text("ver")? != "2.0" {
        return Err(TpmFault::Version.into());
    }
    let (alg, path, sig) = (members.alg()?, members.x5c()?, members.bytes("sig")?);
    let (cert_info, pub_area) = (members.bytes("certInfo")?, members.bytes("pubArea")?);
    // parameters and unique of pubArea are the credential's key.
    let public = Public::parse(pub_area).map_err(TpmFault::PubArea)?;
    if !describes(&public.id, evidence.credential_public_key.parts()) {
        return Err(TpmFault::PublicKeyMismatch.into());
    }
    // The leaf meets the profile of §8.3.1; its AAGUID extension, if there is one, names the authenticator's model.
    let leaf = Certificate::parse(path.leaf)?;
    aik::check_profile(&leaf, evidence.policy.profile)?;
    leaf.check_aaguid(evidence)?;
    // sig verifies over certInfo with the leaf's key under alg.
    let key = leaf.public_key(alg, evidence.policy.sha1)?;
    check_signature(&key, cert_info, sig)?;
    check_cert_info(cert_info, pub_area, &public, alg, evidence)?;
    // The procedure accepts every certified key. One that was, or can be, elsewhere is kept no better than by software.
    let protection = if public.stays_in_the_tpm() {
        KeyProtection::Hardware
    } else {
        KeyProtection::Software
    };
    Ok(
        AttestedPath::new(AttestationFormat::Tpm, AttestationType::AttCa, path.certificates)
            .with_protection(protection),
    )
}

fn check_cert_info(
    cert_info: &[u8],
    pub_area: &[u8],
    public: &Public<'_>,
    alg: CoseAlgorithm,
    evidence: &Evidence<'_>,
) -> Result<(), TpmFault> {
    let attest = Attest::parse(cert_info).map_err(TpmFault::CertInfo)?;
    // magic is TPM_GENERATED_VALUE: a TPM made the structure, and did not merely sign it.
    if attest.magic != TPM_GENERATED_VALUE {
        return Err(TpmFault::Magic);
    }
    // type is TPM_ST_ATTEST_CERTIFY.
    if attest.kind != TPM_ST_ATTEST_CERTIFY {
        return Err(TpmFault::Type);
    }
    // extraData is the hash, by alg's hash function, of authData || hash.
    let hash = Scheme::of_statement(alg, evidence.policy.sha1)
        .and_then(hash_of)
        .ok_or(TpmFault::AlgorithmWithoutHash)?;
    if attest.extra_data != hash.digest(&[evidence.signed]).as_ref() {
        return Err(TpmFault::ExtraData);
    }
    // attested is a TPMS_CERTIFY_INFO structure with the name of pubArea: its nameAlg, and its hash by that.
    let certified = CertifyInfo::parse(attest.attested).map_err(TpmFault::CertInfo)?;
    let name_hash = name_hash(public.name_algorithm, evidence.policy.sha1)?;
    let digest = name_hash.digest(&[pub_area]);
    let name = certified.name.split_first_chunk::<2>();
    if name != Some((&public.name_algorithm.to_be_bytes(), digest.as_ref())) {
        return Err(TpmFault::AttestedName);
    }
    // qualifiedSigner, clockInfo and firmwareVersion are ignored.
    Ok(())
}

/// Whether a public area is that of a key with these numbers.
fn describes(id: &PublicId<'_>, key: KeyParts<'_>) -> bool {
    match (id, key) {
        (
            PublicId::Ecc { curve, x, y },
            KeyParts::Ec {
                curve: of_key,
                x: x_of_key,
                y: y_of_key,
            },
        ) => {
            // A coordinate is a number: some TPMs write it without its leading zeros.
            *curve == of_key
                && without_leading_zeros(x) == without_leading_zeros(x_of_key)
                && without_leading_zeros(y) == without_leading_zeros(y_of_key)
        }
        (PublicId::Rsa { bits, exponent, n }, KeyParts::Rsa { n: n_of_key, e }) => {
            // An exponent of 0 stands for 65537.
            let exponent = if *exponent == 0 { 65_537 } else { *exponent };
            *n == n_of_key
                && bit_len(n) == usize::from(*bits)
                && without_leading_zeros(&exponent.to_be_bytes()) == e
        }
        _ => false,
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The length in bits of a number that has no leading zeros.
fn bit_len(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or_default())
}

/// The hash function that a signature scheme applies to its message.
fn hash_of(scheme: Scheme) -> Option<Hash> {
    match scheme {
        Scheme::Ecdsa(_, hash) | Scheme::RsaPkcs1(hash) | Scheme::RsaPss(hash) => Some(hash),
        Scheme::Ed25519 | Scheme::Ed448 | Scheme::MlDsa(_) => None,
    }
}

fn name_hash(identifier: u16, sha1: Sha1) -> Result<Hash, TpmFault> {
    match (identifier, sha1) {
        (TPM_ALG_SHA1, Sha1::Allow) => Ok(Hash::Sha1),
        (TPM_ALG_SHA256, _) => Ok(Hash::Sha256),
        (TPM_ALG_SHA384, _) => Ok(Hash::Sha384),
        (TPM_ALG_SHA512, _) => Ok(Hash::Sha512),
        _ => Err(TpmFault::NameAlgorithm { identifier }),
    }
}
