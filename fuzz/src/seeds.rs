//! The first inputs of each target: the specification's vectors, and ceremonies of the software authenticator.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use keyhaven_testkit::authenticator::{self, AttestationKind, Cbor};

use crate::support::{Assertion, Registration, malformed_client_data};
use crate::targets::VECTORS;

/// Target, name and bytes of each.
pub(crate) fn all() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, bytes: Vec<u8>| seeds.push((target, format!("seed-{name}"), bytes));

    for (name, text) in [
        ("empty", ""),
        ("short", "AA"),
        ("odd", "AB"),
        ("both", "-_-_"),
        ("padded", "AA=="),
    ] {
        add("base64url", name, text.as_bytes().to_vec());
    }
    for (number, vector) in VECTORS.iter().enumerate() {
        let number = u8::try_from(number).unwrap();
        let id = vector.id.as_str();
        let bytes = |member: &str| {
            authenticator::base64url_decode(vector.response["response"][member].as_str().unwrap())
        };
        let object = bytes("attestationObject");
        let mut statement = vec![number];
        ciborium::into_writer(&vector.statement, &mut statement).unwrap();
        add("attestation_object", id, object.clone());
        add("cbor", id, object.clone());
        add("client_data", id, bytes("clientDataJSON"));
        add("registration_json", id, vector.response.to_string().into_bytes());
        add("statement", id, statement);
        let object: ciborium::Value = ciborium::from_reader(object.as_slice()).unwrap();
        let entries = object.as_map().unwrap();
        let auth_data = entries
            .iter()
            .find(|(name, _)| name.as_text() == Some("authData"))
            .and_then(|(_, data)| data.as_bytes())
            .unwrap();
        add("authenticator_data", id, auth_data.clone());
        let len = usize::from(u16::from_be_bytes([auth_data[53], auth_data[54]]));
        add("cose_key", id, auth_data[55 + len..].to_vec());
        let path = vector.statement.as_map().into_iter().flatten();
        if let Some(leaf) = path
            .filter(|(name, _)| name.as_text() == Some("x5c"))
            .find_map(|(_, path)| path.as_array().and_then(|path| path.first()))
        {
            add(
                "certificate",
                id,
                [&[number], leaf.as_bytes().unwrap().as_slice()].concat(),
            );
        }
    }
    for (name, client_data) in malformed_client_data() {
        if client_data.len() < 4096 {
            add("client_data", &name.replace(' ', "-"), client_data);
        }
    }
    for algorithm in [-7, -8, -35, -257] {
        let registration = Registration::new(algorithm, AttestationKind::PackedSelf);
        add(
            "cose_key",
            &format!("{algorithm}"),
            registration.draft.public_key.encode(),
        );
        let json = registration.draft.finish();
        add(
            "registration_json",
            &format!("{algorithm}"),
            json.to_string().into_bytes(),
        );
    }
    let extensions = Cbor::Map(vec![
        (Cbor::text("credProtect"), Cbor::Int(3)),
        (Cbor::text("hmac-secret"), Cbor::Bool(true)),
    ]);
    for (mode, name, mut registration) in [
        (0, "none", Registration::none()),
        (1, "packed-self", Registration::packed_self()),
        (2, "packed-x5c", Registration::packed_x5c()),
    ] {
        let client_data = registration.draft.client_data.to_json();
        let input = |auth_data: &[u8]| joined(mode, &client_data, auth_data);
        add(
            "registration",
            name,
            input(&registration.draft.authenticator_data()),
        );
        add(
            "registration_json",
            name,
            registration.draft.finish().to_string().into_bytes(),
        );
        registration.draft.set_extensions(extensions.clone());
        let auth_data = registration.draft.authenticator_data();
        add("registration", &format!("{name}-extensions"), input(&auth_data));
        add("authenticator_data", &format!("{name}-extensions"), auth_data);
    }
    for (mode, name, algorithm) in [(0, "es256", -7), (1, "ed25519", -8)] {
        let mut assertion = Assertion::new(algorithm);
        let client_data = assertion.draft.client_data.to_json();
        let input = |auth_data: &[u8]| joined(mode, &client_data, auth_data);
        add("assertion", name, input(&assertion.draft.authenticator_data()));
        add(
            "assertion_json",
            name,
            assertion.draft.finish().to_string().into_bytes(),
        );
        assertion.draft.set_extensions(extensions.clone());
        let auth_data = assertion.draft.authenticator_data();
        add("assertion", &format!("{name}-extensions"), input(&auth_data));
        add("authenticator_data", &format!("{name}-assertion"), auth_data);
    }
    seeds
}

fn joined(mode: u8, client_data: &[u8], auth_data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(client_data.len()).unwrap().to_be_bytes();
    [&[mode], &len[..], client_data, auth_data].concat()
}
