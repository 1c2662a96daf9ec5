use keyhaven_core::{
    AssertionError, AssertionPolicy, AuthenticationResponse, BackupEligibilityChange, BackupPolicy,
    CanonicalCbor, CoseKey, CoseParameters, CredentialRecord, ExpectedAssertion, ExtensionPolicy,
    SignCountCheck, VerifiedAssertion, base64url, verify_assertion,
};
use serde_json::{Value, json};
use webauthn_rs_core::proto::{Credential, PublicKeyCredential};

use crate::peer::{algorithm, guarded, peer, user_verification, with_challenge};
use crate::{Abstention, Facts, Opinion, Verdict};

/// Compares our verdict on an assertion with the other implementation's.
///
/// `json` is the response as the browser sent it, `ours` what `keyhaven-core` made of it under the same arguments.
pub fn assertion(
    json: &[u8],
    expected: &ExpectedAssertion<'_>,
    record: &CredentialRecord<'_>,
    policy: &AssertionPolicy,
    ours: Result<&VerifiedAssertion, &AssertionError>,
) -> Verdict {
    match theirs(json, expected, record, policy, ours) {
        Ok(theirs) => Verdict::of(opinion(ours), theirs),
        Err(why) => Verdict::Abstain { why },
    }
}

fn opinion(ours: Result<&VerifiedAssertion, &AssertionError>) -> Opinion {
    match ours {
        Ok(verified) => Opinion::Accepted(Facts {
            credential_id: verified.credential_id().as_bytes().to_vec(),
            sign_count: verified.new_sign_count().0,
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
    expected: &ExpectedAssertion<'_>,
    record: &CredentialRecord<'_>,
    policy: &AssertionPolicy,
    ours: Result<&VerifiedAssertion, &AssertionError>,
) -> Result<Opinion, Abstention> {
    match ours {
        Err(error) => {
            if ours_alone(error) || is_policy(json, expected, record, policy) {
                return Err(Abstention::OursAlone { code: error.code() });
            }
        }
        Ok(verified) => {
            if matches!(verified.sign_count(), SignCountCheck::Regressed { .. }) {
                return Err(Abstention::Untold {
                    what: "a regression that is only reported",
                });
            }
        }
    }
    if expected.appid.is_some() {
        return Err(Abstention::Untold { what: "an AppID" });
    }
    let credential = credential(record, policy)?;
    let peer = peer(expected.relying_party, expected.origin)?;
    guarded(|| {
        const UNTOLD: Abstention = Abstention::Untold {
            what: "an authentication",
        };
        let builder = peer
            .new_challenge_authenticate_builder(
                vec![credential],
                Some(user_verification(policy.user_verification)),
            )
            .map_err(|_| UNTOLD)?
            .allow_backup_eligible_upgrade(
                policy.backup_eligibility_change == BackupEligibilityChange::AllowUpgrade,
            );
        let (_, state) = peer
            .generate_challenge_authenticate(builder)
            .map_err(|_| UNTOLD)?;
        let state = with_challenge(&state, expected.challenge)?;
        let response: PublicKeyCredential = match serde_json::from_slice(json) {
            Ok(response) => response,
            Err(error) => {
                return Ok(Opinion::Refused {
                    reason: error.to_string(),
                });
            }
        };
        Ok(match peer.authenticate_credential(&response, &state) {
            Ok(result) => Opinion::Accepted(Facts {
                credential_id: result.cred_id().to_vec(),
                sign_count: result.counter(),
                user_verified: result.user_verified(),
                backup_eligible: result.backup_eligible(),
                backup_state: result.backup_state(),
            }),
            Err(error) => Opinion::Refused {
                reason: format!("{error:?}"),
            },
        })
    })?
}

/// The stored credential in the form in which the other implementation's users store theirs.
fn credential(record: &CredentialRecord<'_>, policy: &AssertionPolicy) -> Result<Credential, Abstention> {
    const UNTOLD: Abstention = Abstention::Untold {
        what: "the stored key",
    };
    let key = CoseKey::parse(record.public_key.as_bytes(), CanonicalCbor::AnyKeyOrder).map_err(|_| UNTOLD)?;
    let identifier = key.algorithm().identifier();
    let algorithm = algorithm(identifier).ok_or(Abstention::Algorithm { identifier })?;
    let parameters = match (key.parameters(), identifier) {
        (
            CoseParameters::Ec2 {
                crv: 1,
                x,
                y: Some(y),
            },
            -7,
        ) => ec2("SECP256R1", x, y),
        (
            CoseParameters::Ec2 {
                crv: 2,
                x,
                y: Some(y),
            },
            -35,
        ) => ec2("SECP384R1", x, y),
        (CoseParameters::Rsa { n, e }, -257) => json!({"RSA": {"n": base64url::encode(n), "e": e}}),
        _ => return Err(UNTOLD),
    };
    let Some(backup_eligible) = record.backup_eligible else {
        return Err(Abstention::Untold {
            what: "an unknown backup eligibility",
        });
    };
    let policy = user_verification(policy.user_verification);
    serde_json::from_value(json!({
        "cred_id": base64url::encode(record.id.as_bytes()),
        "cred": {"type_": algorithm, "key": parameters},
        "counter": record.sign_count.0,
        "transports": null,
        // Not stored with a record: whether the user was verified at registration changes nothing under a policy that
        // requires it at each ceremony, and under the others nothing is concluded from it here.
        "user_verified": matches!(policy, webauthn_rs_core::proto::UserVerificationPolicy::Required),
        "backup_eligible": backup_eligible,
        "backup_state": false,
        "registration_policy": policy,
        "extensions": {
            "cred_protect": "NotRequested", "hmac_create_secret": "NotRequested", "appid": "NotRequested",
            "cred_props": "NotRequested",
        },
        "attestation": {"data": "None", "metadata": "None"},
        "attestation_format": "none",
    }))
    .map_err(|_| UNTOLD)
}

fn ec2(curve: &str, x: &[u8], y: &[u8]) -> Value {
    json!({"EC_EC2": {"curve": curve, "x": base64url::encode(x), "y": base64url::encode(y)}})
}

/// Refusals by look-ups that the other implementation does not make.
const fn ours_alone(error: &AssertionError) -> bool {
    matches!(
        error,
        AssertionError::CredentialNotAllowed
            | AssertionError::CredentialNotFound
            | AssertionError::UserHandleMismatch
            | AssertionError::UserHandleMissing
    )
}

/// Whether our refusal is that of a policy that the other implementation does not have: without it the same response is
/// accepted.
fn is_policy(
    json: &[u8],
    expected: &ExpectedAssertion<'_>,
    record: &CredentialRecord<'_>,
    policy: &AssertionPolicy,
) -> bool {
    let specification_alone = AssertionPolicy {
        backup: BackupPolicy::Any,
        extensions: ExtensionPolicy::default(),
        canonical_cbor: CanonicalCbor::AnyKeyOrder,
        ..*policy
    };
    AuthenticationResponse::from_json(json)
        .and_then(|response| verify_assertion(&response, expected, record, &specification_alone))
        .is_ok()
}
