//! `packed` (WebAuthn L3 §8.2): signed by the credential key itself, or by a key that a certificate names.

use super::certificate::Certificate;
use super::statement::{Members, check_signature};
use super::{
    AttestationFormat, AttestationType, AttestedPath, EnterpriseAttestation, Evidence, StatementFault,
};
use crate::cbor::Value;

/// The verification procedure of §8.2. Trust in the certificate is not its subject (§7.1 steps 23 and 24).
pub(super) fn verify<'a>(
    statement: &Value<'a>,
    evidence: &Evidence<'_>,
) -> Result<AttestedPath<'a>, StatementFault> {
    // The syntax: alg, sig and optionally x5c with a leaf at least; nothing else.
    let members = Members::only(statement, &["alg", "sig", "x5c"])?;
    let (alg, sig) = (members.alg()?, members.bytes("sig")?);
    let Some(path) = members.optional_x5c()? else {
        // alg is the credential key's.
        let credential = evidence.credential_public_key.algorithm();
        if alg != credential {
            return Err(StatementFault::AlgorithmMismatch {
                statement: alg,
                credential,
            });
        }
        // sig verifies over authData || hash with the credential key.
        evidence
            .credential_public_key
            .verify(evidence.signed, sig)
            .map_err(|_| StatementFault::SignatureInvalid)?;
        return Ok(AttestedPath::new(
            AttestationFormat::Packed,
            AttestationType::SelfAttestation,
            Vec::new(),
        ));
    };
    let leaf = Certificate::parse(path.leaf)?;
    // sig verifies over authData || hash with the leaf's key under alg.
    let key = leaf.public_key(alg, evidence.policy.sha1)?;
    check_signature(&key, evidence.signed, sig)?;
    // The leaf meets the profile of §8.2.1.
    leaf.check_packed_profile()?;
    // The AAGUID extension, if there is one, names the authenticator's model.
    leaf.check_aaguid(evidence)?;
    // §8.2.2: the serial number extension, only where enterprise attestation was asked for.
    let serial_number = leaf.serial_number()?;
    if serial_number.is_some() && evidence.policy.enterprise == EnterpriseAttestation::NotRequested {
        return Err(StatementFault::SerialNumberUnsolicited);
    }
    Ok(AttestedPath {
        serial_number,
        // The certificate does not tell basic from attca.
        ..AttestedPath::new(
            AttestationFormat::Packed,
            AttestationType::Uncertain,
            path.certificates,
        )
    })
}
