//! `fido-u2f` (WebAuthn L3 §8.6): the registration message of a U2F authenticator.

use keyhaven_types::CoseAlgorithm;

use super::certificate::{Certificate, CertificateError};
use super::statement::{Members, check_signature};
use super::{AttestationFormat, AttestationType, AttestedPath, Evidence, Profile, StatementFault};
use crate::cbor::Value;
use crate::crypto::{Curve, KeyParts, Sha1};

/// What is wrong with a `fido-u2f` statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FidoU2fFault {
    /// The AAGUID is not zero, and [`Profile::Fido`] asks for that.
    #[error("the AAGUID is not zero")]
    AaguidNotZero,
    /// `x5c` has more than one certificate.
    #[error("x5c has {count} certificates instead of one")]
    CertificateCount {
        /// How many.
        count: usize,
    },
    /// The certificate's key is not on P-256.
    #[error("the certificate's key is no P-256 key")]
    CertificateKey,
    /// The credential key is not on P-256.
    #[error("the credential key is no P-256 key")]
    CredentialKey,
}

/// The verification procedure of §8.6.
pub(super) fn verify<'a>(
    statement: &Value<'a>,
    evidence: &Evidence<'_>,
) -> Result<AttestedPath<'a>, StatementFault> {
    // 1. The syntax: x5c and sig, nothing else.
    let members = Members::only(statement, &["sig", "x5c"])?;
    let (path, sig) = (members.x5c()?, members.bytes("sig")?);
    // 2. Exactly one certificate, with a key on P-256.
    let count = path.certificates.len();
    if count != 1 {
        return Err(FidoU2fFault::CertificateCount { count }.into());
    }
    let certificate_key = match Certificate::parse(path.leaf)?.public_key(CoseAlgorithm::ES256, Sha1::Refuse)
    {
        Err(CertificateError::AlgorithmMismatch { .. }) => return Err(FidoU2fFault::CertificateKey.into()),
        key => key?,
    };
    // 3. rpIdHash, credentialId and credentialPublicKey, from authenticator data.
    let rp_id_hash = evidence.authenticator_data.rp_id_hash();
    let credential_id = evidence.attested.credential_id();
    // 4. x and y of 32 bytes each: they were held to their curve's size when the key was imported.
    let KeyParts::Ec {
        curve: Curve::P256,
        x,
        y,
    } = evidence.credential_public_key.parts()
    else {
        return Err(FidoU2fFault::CredentialKey.into());
    };
    // 5. What was signed: 00, rpIdHash, hash, credentialId, 04, x, y.
    let verification_data = [
        &[0],
        rp_id_hash.as_slice(),
        evidence.client_data_hash,
        credential_id,
        &[4],
        x,
        y,
    ]
    .concat();
    // 6. sig verifies with the certificate's key, ECDSA with SHA-256.
    check_signature(&certificate_key, &verification_data, sig)?;
    // Of the FIDO profile: U2F authenticators have no AAGUID.
    if evidence.policy.profile == Profile::Fido && *evidence.attested.aaguid().as_bytes() != [0; 16] {
        return Err(FidoU2fFault::AaguidNotZero.into());
    }
    // 7 and 8. The certificate does not tell basic from attca.
    Ok(AttestedPath::new(
        AttestationFormat::FidoU2f,
        AttestationType::Uncertain,
        path.certificates,
    ))
}
