//! Both ceremonies: what is accepted has everything that it must have.

use keyhaven_core::{Flags, PublicKey};
use keyhaven_testkit::authenticator::{self, Attestation};

use super::readers::client_data_json;
use crate::support::{self, Assertion, Registration};

/// A registration whose client data and authenticator data are the input's, signed as they stand: what is accepted
/// has everything that a few lines of another reader can find.
///
/// A byte for the attestation, two for the length of the client data, client data, authenticator data.
pub fn registration(data: &[u8]) {
    let Some((mode, client_data, auth_data)) = parts(data) else {
        return;
    };
    let base = match mode % 3 {
        0 => &NONE,
        1 => &PACKED_SELF,
        _ => &PACKED_X5C,
    };
    let mut registration = base.with(Registration::clone);
    registration.draft.client_data.raw = Some(client_data.to_vec());
    registration.draft.authenticator_data = Some(auth_data.to_vec());
    // The envelope names whatever credential is attested.
    if let Some(len) = auth_data.get(53..55) {
        let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
        if let Some(id) = auth_data.get(55..55 + len) {
            registration.draft.envelope_id = id.to_vec();
        }
    }
    let Ok(verified) = registration.judge() else {
        return;
    };
    accepted(client_data, auth_data, "webauthn.create");
    assert_ne!(auth_data[32] & Flags::AT, 0);
    let id = verified.credential_id().as_bytes();
    assert_eq!(id, &auth_data[55..55 + id.len()]);
    assert!((1..=1023).contains(&id.len()));
    assert!(auth_data[55 + id.len()..].starts_with(verified.public_key()));
    assert!(PublicKey::from_cose(verified.public_key()).is_ok());
    if matches!(registration.draft.attestation, Attestation::PackedSelf) {
        assert_eq!(verified.public_key(), registration.draft.public_key.encode());
    }
}

/// An assertion whose client data and authenticator data are the input's, signed as they stand: what is accepted has
/// everything that a few lines of another reader can find.
///
/// A byte for the algorithm, two for the length of the client data, client data, authenticator data.
pub fn assertion(data: &[u8]) {
    let Some((mode, client_data, auth_data)) = parts(data) else {
        return;
    };
    let base = if mode % 2 == 0 { &ES256 } else { &ED25519 };
    base.with(|assertion| {
        let hash = authenticator::sha256(client_data);
        let signature = assertion.draft.key.sign(&[auth_data, &hash].concat());
        let text = authenticator::base64url;
        let json = serde_json::json!({
            "id": text(&assertion.draft.envelope_id), "rawId": text(&assertion.draft.envelope_id), "type": "public-key",
            "response": {
                "clientDataJSON": text(client_data), "authenticatorData": text(auth_data), "signature": text(&signature),
                "userHandle": text(support::USER_HANDLE),
            },
            "clientExtensionResults": {},
        });
        let Ok(verified) = assertion.judge_json(json.to_string().as_bytes()) else {
            return;
        };
        accepted(client_data, auth_data, "webauthn.get");
        assert_eq!(auth_data[32] & Flags::AT, 0);
        assert_ne!(auth_data[32] & Flags::BE, 0);
        let count = u32::from_be_bytes(auth_data[33..37].try_into().unwrap());
        assert!(count > assertion.sign_count);
        assert_eq!(verified.user_verified(), auth_data[32] & Flags::UV != 0);
    });
}

thread_local! {
    pub(super) static NONE: Registration = Registration::none();
    static PACKED_SELF: Registration = Registration::packed_self();
    static PACKED_X5C: Registration = Registration::packed_x5c();
    pub(super) static ES256: Assertion = Assertion::es256();
    static ED25519: Assertion = Assertion::new(-8);
}

/// A byte, and two strings.
fn parts(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[mode, high, low], rest) = data.split_first_chunk::<3>()?;
    let (first, second) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    Some((mode, first, second))
}

/// What every accepted ceremony has, whatever it is: found without the verifier's own parsers.
fn accepted(client_data: &[u8], auth_data: &[u8], kind: &str) {
    let theirs = client_data_json(client_data);
    assert_eq!(theirs["type"], kind);
    assert_eq!(theirs["challenge"], authenticator::base64url(support::CHALLENGE));
    assert!([support::ORIGIN, support::OTHER_ORIGIN].contains(&theirs["origin"].as_str().unwrap()));
    assert_ne!(theirs["crossOrigin"], true);
    assert!(theirs.get("topOrigin").is_none());
    assert_eq!(&auth_data[..32], authenticator::sha256(b"example.org"));
    let flags = auth_data[32];
    assert_ne!(flags & Flags::UP, 0);
    assert_ne!(flags & Flags::UV, 0);
    assert!(flags & Flags::BE != 0 || flags & Flags::BS == 0);
}
