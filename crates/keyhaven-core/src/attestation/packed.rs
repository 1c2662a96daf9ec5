//! `packed` (WebAuthn L3 §8.2): signed by the credential key itself, or by a key that a certificate names.

use super::certificate::Certificate;
use super::statement::Members;
use super::{AttestationFormat, AttestationType, Attested, Evidence, StatementFault};
use crate::cbor::Value;
use crate::crypto::Sha1;

/// The verification procedure of §8.2. Trust in the certificate is not its subject (§7.1 steps 23 and 24).
pub(super) fn verify<'a>(
    statement: &Value<'a>,
    evidence: &Evidence<'_>,
) -> Result<Attested<'a>, StatementFault> {
    // The syntax: alg, sig and optionally x5c with a leaf at least; nothing else.
    let members = Members::only(statement)?;
    let (alg, sig) = (members.alg()?, members.sig()?);
    match members.x5c()? {
        Some(path) => {
            let leaf = Certificate::parse(path.leaf)?;
            // sig verifies over authData || hash with the leaf's key under alg.
            let key = leaf.public_key(alg, Sha1::Refuse)?;
            key.verify(&evidence.signed(), sig)
                .map_err(|_| StatementFault::SignatureInvalid)?;
            // The leaf meets the profile of §8.2.1.
            leaf.check_packed_profile()?;
            // The AAGUID extension, if there is one, names the authenticator's model.
            if leaf
                .aaguid()?
                .is_some_and(|aaguid| Some(aaguid) != claimed_aaguid(evidence))
            {
                return Err(StatementFault::AaguidMismatch);
            }
            Ok(Attested::plain(
                AttestationFormat::Packed,
                AttestationType::Uncertain,
                path.certificates,
            ))
        }
        None => {
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
                .verify(&evidence.signed(), sig)
                .map_err(|_| StatementFault::SignatureInvalid)?;
            Ok(Attested::plain(
                AttestationFormat::Packed,
                AttestationType::SelfAttestation,
                Vec::new(),
            ))
        }
    }
}

fn claimed_aaguid(evidence: &Evidence<'_>) -> Option<[u8; 16]> {
    evidence
        .authenticator_data
        .attested_credential_data()
        .map(|data| *data.aaguid().as_bytes())
}
