//! The responses as browsers send them: another reader finds the same in the JSON.

use keyhaven_core::{AuthenticationResponse, RegistrationResponse};
use keyhaven_testkit::authenticator;

use super::ceremonies::{ES256, NONE};

/// A RegistrationResponseJSON as the browser sends it, judged as the ceremony of the software authenticator.
pub fn registration_json(data: &[u8]) {
    let Ok(response) = RegistrationResponse::from_json(data) else {
        return;
    };
    let theirs: serde_json::Value = serde_json::from_slice(data).unwrap();
    let bytes = |value: &serde_json::Value| authenticator::base64url_decode(value.as_str().unwrap());
    assert_eq!(theirs["id"], theirs["rawId"]);
    assert_eq!(bytes(&theirs["rawId"]), response.credential_id());
    assert_eq!(
        bytes(&theirs["response"]["clientDataJSON"]),
        response.client_data_json()
    );
    assert_eq!(
        bytes(&theirs["response"]["attestationObject"]),
        response.attestation_object()
    );
    NONE.with(|registration| {
        let _ = registration.judge_json(data);
    });
}

/// An AuthenticationResponseJSON as the browser sends it, judged as the ceremony of the software authenticator: what
/// is accepted is what was signed.
pub fn assertion_json(data: &[u8]) {
    let Ok(response) = AuthenticationResponse::from_json(data) else {
        return;
    };
    let theirs: serde_json::Value = serde_json::from_slice(data).unwrap();
    let bytes = |value: &serde_json::Value| authenticator::base64url_decode(value.as_str().unwrap());
    assert_eq!(theirs["id"], theirs["rawId"]);
    assert_eq!(bytes(&theirs["rawId"]), response.credential_id());
    assert_eq!(
        bytes(&theirs["response"]["clientDataJSON"]),
        response.client_data_json()
    );
    assert_eq!(
        bytes(&theirs["response"]["authenticatorData"]),
        response.authenticator_data()
    );
    assert_eq!(bytes(&theirs["response"]["signature"]), response.signature());
    ES256.with(|assertion| {
        if assertion.judge_json(data).is_ok() {
            assert_eq!(response.client_data_json(), assertion.draft.client_data.to_json());
            assert_eq!(
                response.authenticator_data(),
                assertion.draft.authenticator_data()
            );
        }
    });
}
