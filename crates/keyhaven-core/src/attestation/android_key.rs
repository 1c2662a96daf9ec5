//! `android-key` (WebAuthn L3 §8.4): a key that Android's keystore made, and describes in its certificate.

mod key_description;

use x509_cert::der::asn1::ObjectIdentifier;

use self::key_description::{AuthorizationList, KeyDescription, SecurityLevel};
use super::certificate::Certificate;
use super::statement::{Members, check_signature};
use super::{
    AndroidKeyPolicy, AttestationFormat, AttestationType, AttestedPath, Evidence, KeyProtection,
    StatementFault,
};
use crate::cbor::Value;
use crate::trust::has_extension;

/// What is wrong with an `android-key` statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AndroidKeyFault {
    /// The key may be used by every application of the device.
    #[error("the key is not bound to one application")]
    AllApplications,
    /// The certificate was not made for this ceremony.
    #[error("the attestation challenge is not the hash of the client data")]
    Challenge,
    /// A certificate above the leaf has a key description: its key is an application's, which describes what it likes.
    #[error("a certificate above the leaf has a key description")]
    DescriptionAboveLeaf,
    /// The certificate has no key description.
    #[error("the certificate has no key description")]
    DescriptionMissing,
    /// The key description is not the ASN.1 that its schema asks for.
    #[error("the key description is malformed")]
    DescriptionMalformed,
    /// The certificate is for another key than the credential's.
    #[error("the certificate's key is not the credential's")]
    KeyMismatch,
    /// The key was not generated where it is kept, or [`AndroidKeyPolicy::Tee`] is not told so.
    #[error("the key's origin is not \"generated\"")]
    Origin,
    /// The key is for something else than signing, or [`AndroidKeyPolicy::Tee`] is not told what for.
    #[error("the key's purpose is not \"sign\"")]
    Purpose,
    /// Key or attestation are kept by software, and [`AndroidKeyPolicy::Tee`] does not accept that.
    #[error("the key or its attestation is not kept by a trusted execution environment")]
    SecurityLevel,
}

const KEY_DESCRIPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.17");

/// The verification procedure of §8.4.
pub(super) fn verify<'a>(
    statement: &Value<'a>,
    evidence: &Evidence<'_>,
) -> Result<AttestedPath<'a>, StatementFault> {
    // The syntax: alg, sig and x5c, nothing else.
    let members = Members::only(statement, &["alg", "sig", "x5c"])?;
    let (alg, sig, path) = (members.alg()?, members.bytes("sig")?, members.x5c()?);
    let leaf = Certificate::parse(path.leaf)?;
    // sig verifies over authData || hash with the leaf's key under alg.
    let key = leaf.public_key(alg, evidence.policy.sha1)?;
    check_signature(&key, evidence.signed, sig)?;
    // The leaf's key is the credential's.
    if key.parts() != evidence.credential_public_key.parts() {
        return Err(AndroidKeyFault::KeyMismatch.into());
    }
    let extension = leaf
        .extension(KEY_DESCRIPTION)
        .ok_or(AndroidKeyFault::DescriptionMissing)?;
    let description = KeyDescription::parse(extension.extn_value.as_bytes())
        .map_err(|_| AndroidKeyFault::DescriptionMalformed)?;
    // Ours, and Android's advice to verifiers: a key that the keystore described may be one that certifies keys itself. What
    // it then says of them is the word of whoever uses it, not the keystore's.
    let mut issuers = path.certificates.iter().skip(1);
    if issuers.any(|issuer| has_extension(issuer, KEY_DESCRIPTION.as_bytes())) {
        return Err(AndroidKeyFault::DescriptionAboveLeaf.into());
    }
    check_description(&description, evidence)?;
    Ok(AttestedPath::new(
        AttestationFormat::AndroidKey,
        AttestationType::Basic,
        path.certificates,
    )
    .with_protection(protection(&description)))
}

/// The environment's own word that it made the key and keeps it. What the software around it says is no proof of that.
fn protection(description: &KeyDescription<'_>) -> KeyProtection {
    let levels = [
        description.attestation_security_level,
        description.key_security_level,
    ];
    let tee = &description.tee_enforced;
    if levels.contains(&SecurityLevel::Software) {
        KeyProtection::Software
    } else if tee.generated == Some(true) && tee.for_signing_only == Some(true) {
        KeyProtection::Hardware
    } else {
        KeyProtection::Unknown
    }
}

fn check_description(
    description: &KeyDescription<'_>,
    evidence: &Evidence<'_>,
) -> Result<(), AndroidKeyFault> {
    // attestationChallenge is the hash of the client data.
    if description.attestation_challenge != evidence.client_data_hash {
        return Err(AndroidKeyFault::Challenge);
    }
    let (tee, software) = (&description.tee_enforced, &description.software_enforced);
    // allApplications is in neither list.
    if tee.all_applications || software.all_applications {
        return Err(AndroidKeyFault::AllApplications);
    }
    // origin is "generated" and purpose is "sign": in the environment's list alone, or in both.
    let [origin, purpose]: [fn(&AuthorizationList) -> Option<bool>; 2] =
        [|list| list.generated, |list| list.for_signing_only];
    let holds = |says: fn(&AuthorizationList) -> Option<bool>| match evidence.policy.android_key {
        AndroidKeyPolicy::Tee => says(tee) == Some(true),
        AndroidKeyPolicy::Union => says(tee) != Some(false) && says(software) != Some(false),
    };
    if !holds(origin) {
        return Err(AndroidKeyFault::Origin);
    }
    if !holds(purpose) {
        return Err(AndroidKeyFault::Purpose);
    }
    // A list that software wrote is not the environment's, whatever its name.
    let levels = [
        description.attestation_security_level,
        description.key_security_level,
    ];
    if evidence.policy.android_key == AndroidKeyPolicy::Tee && levels.contains(&SecurityLevel::Software) {
        return Err(AndroidKeyFault::SecurityLevel);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_environments_own_word_makes_a_key_hardwares() {
        let says = AuthorizationList {
            generated: Some(true),
            for_signing_only: Some(true),
            ..AuthorizationList::default()
        };
        let judge = |attestation, key, software, tee| {
            protection(&KeyDescription {
                attestation_security_level: attestation,
                key_security_level: key,
                attestation_challenge: &[],
                software_enforced: software,
                tee_enforced: tee,
            })
        };
        let silent = AuthorizationList::default();
        let (software, tee, strong) = (
            SecurityLevel::Software,
            SecurityLevel::TrustedEnvironment,
            SecurityLevel::StrongBox,
        );
        assert_eq!(judge(tee, tee, silent, says), KeyProtection::Hardware);
        assert_eq!(judge(strong, strong, silent, says), KeyProtection::Hardware);
        assert_eq!(judge(software, tee, silent, says), KeyProtection::Software);
        assert_eq!(judge(tee, software, silent, says), KeyProtection::Software);
        // Said by the software around it, or by nobody.
        assert_eq!(judge(tee, tee, says, silent), KeyProtection::Unknown);
        let half = AuthorizationList {
            for_signing_only: None,
            ..says
        };
        assert_eq!(judge(tee, tee, says, half), KeyProtection::Unknown);
    }
}
