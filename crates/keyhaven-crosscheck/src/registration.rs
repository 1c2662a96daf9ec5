use keyhaven_core::cbor::Value;
use keyhaven_core::{
    AndroidKeyPolicy, AttestationObject, AttestationPolicy, AttestationTrust, BackupPolicy, CanonicalCbor,
    CompoundPolicy, EnterpriseAttestation, ExpectedRegistration, ExtensionPolicy, Mediation, Profile,
    RegistrationError, RegistrationPolicy, RegistrationResponse, SafetyNetPolicy, Sha1, VerifiedRegistration,
    verify_registration,
};
use webauthn_rs_core::proto::{Credential, RegisterPublicKeyCredential};

use crate::peer::{algorithm, guarded, peer, user_verification, with_challenge};
use crate::{Abstention, Facts, Opinion, Verdict};

/// Compares our verdict on a registration with the other implementation's.
///
/// `json` is the response as the browser sent it, `ours` what `keyhaven-core` made of it under `expected` and `policy`.
pub fn registration(
    json: &[u8],
    expected: &ExpectedRegistration<'_>,
    policy: &RegistrationPolicy<'_>,
    ours: Result<&VerifiedRegistration, &RegistrationError>,
) -> Verdict {
    match theirs(json, expected, policy, ours) {
        Ok(theirs) => Verdict::of(opinion(ours), theirs),
        Err(why) => Verdict::Abstain { why },
    }
}

fn opinion(ours: Result<&VerifiedRegistration, &RegistrationError>) -> Opinion {
    match ours {
        Ok(verified) => Opinion::Accepted(Facts {
            credential_id: verified.credential_id().as_bytes().to_vec(),
            sign_count: verified.sign_count().0,
            user_verified: verified.user_verified(),
            backup_eligible: verified.backup().is_eligible(),
            backup_state: verified.backup().is_backed_up(),
        }),
        Err(error) => Opinion::Refused {
            reason: format!("{} at {}", error.code(), error.step()),
        },
    }
}

fn theirs(
    json: &[u8],
    expected: &ExpectedRegistration<'_>,
    policy: &RegistrationPolicy<'_>,
    ours: Result<&VerifiedRegistration, &RegistrationError>,
) -> Result<Opinion, Abstention> {
    if let Err(error) = ours
        && is_policy(json, expected, policy)
    {
        return Err(Abstention::OursAlone { code: error.code() });
    }
    if expected.mediation == Mediation::Conditional {
        return Err(Abstention::Untold {
            what: "conditional mediation",
        });
    }
    if matches!(policy.attestation_trust, AttestationTrust::Required { .. }) {
        return Err(Abstention::Untold {
            what: "trust anchors",
        });
    }
    covered(json)?;
    let algorithms = policy
        .algorithms
        .iter()
        .filter_map(|offered| algorithm(offered.identifier()))
        .collect();
    let peer = peer(expected.relying_party, expected.origin)?;
    guarded(|| {
        const UNTOLD: Abstention = Abstention::Untold {
            what: "a registration",
        };
        let builder = peer
            .new_challenge_register_builder(b"-", "-", "-")
            .map_err(|_| UNTOLD)?
            .credential_algorithms(algorithms)
            .user_verification_policy(user_verification(policy.user_verification));
        let (_, state) = peer.generate_challenge_register(builder).map_err(|_| UNTOLD)?;
        let state = with_challenge(&state, expected.challenge)?;
        let response: RegisterPublicKeyCredential = match serde_json::from_slice(json) {
            Ok(response) => response,
            Err(error) => {
                return Ok(Opinion::Refused {
                    reason: error.to_string(),
                });
            }
        };
        Ok(match peer.register_credential(&response, &state, None) {
            Ok(credential) => Opinion::Accepted(facts(&credential)),
            Err(error) => Opinion::Refused {
                reason: format!("{error:?}"),
            },
        })
    })?
}

fn facts(credential: &Credential) -> Facts {
    Facts {
        credential_id: credential.cred_id.to_vec(),
        sign_count: credential.counter,
        user_verified: credential.user_verified,
        backup_eligible: credential.backup_eligible,
        backup_state: credential.backup_state,
    }
}

/// Whether our refusal is that of a profile or a policy that the other implementation does not have: without them the same
/// response is accepted.
fn is_policy(json: &[u8], expected: &ExpectedRegistration<'_>, policy: &RegistrationPolicy<'_>) -> bool {
    let specification_alone = RegistrationPolicy {
        attestation: AttestationPolicy {
            profile: Profile::W3c,
            android_key: AndroidKeyPolicy::Union,
            compound: CompoundPolicy::Any,
            enterprise: EnterpriseAttestation::Requested,
            safetynet: SafetyNetPolicy::Allow,
            sha1: Sha1::Allow,
        },
        attestation_trust: AttestationTrust::Ignore,
        backup: BackupPolicy::Any,
        extensions: ExtensionPolicy::default(),
        canonical_cbor: CanonicalCbor::AnyKeyOrder,
        ..policy.clone()
    };
    RegistrationResponse::from_json(json)
        .and_then(|response| verify_registration(&response, expected, &specification_alone))
        .is_ok()
}

/// Whether format and algorithm are covered. What cannot be read is: both must refuse it.
fn covered(json: &[u8]) -> Result<(), Abstention> {
    let Ok(response) = RegistrationResponse::from_json(json) else {
        return Ok(());
    };
    let Ok(object) = AttestationObject::parse(response.attestation_object(), CanonicalCbor::AnyKeyOrder)
    else {
        return Ok(());
    };
    if !matches!(object.format(), "none" | "packed") {
        return Err(Abstention::Format {
            identifier: object.format().to_owned(),
        });
    }
    if let Some(attested) = object.authenticator_data().attested_credential_data() {
        let identifier = attested.public_key().algorithm().identifier();
        if algorithm(identifier).is_none() {
            return Err(Abstention::Algorithm { identifier });
        }
    }
    // The key of an attestation certificate may be of another algorithm than the credential's.
    if let Value::Map(statement) = object.statement()
        && let Some(Value::Integer(identifier)) = statement.get("alg")
        && let Ok(identifier) = i64::try_from(identifier)
        && algorithm(identifier).is_none()
    {
        return Err(Abstention::Algorithm { identifier });
    }
    Ok(())
}
