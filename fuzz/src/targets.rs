//! What is done with an input: one function per parser and one per ceremony.
//!
//! None may panic, and each compares what was accepted with another reader of the same bytes (ciborium, serde_json,
//! base64, or a few lines here). Included by keyhaven-core's tests as well, beside their `support` module, whose
//! ceremonies also compare each verification with its traced twin.
#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is how a target fails"
)]
#![allow(
    unreachable_pub,
    reason = "public where it is the fuzzer's, private where it is a test's"
)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use keyhaven_core::cbor::{Key, Value};
use keyhaven_core::*;
use keyhaven_testkit::authenticator::{self, Attestation};

use crate::support::{self, Assertion, Registration};
use crate::trust::trust_path;

/// What judges an input, and panics where the verifier is wrong.
type Target = fn(&[u8]);

/// Every target, by name.
pub const ALL: &[(&str, Target)] = &[
    ("assertion", assertion),
    ("assertion_json", assertion_json),
    ("attestation_object", attestation_object),
    ("authenticator_data", authenticator_data),
    ("base64url", base64url),
    ("cbor", cbor),
    ("certificate", certificate),
    ("client_data", client_data),
    ("cose_key", cose_key),
    ("registration", registration),
    ("registration_json", registration_json),
    ("statement", statement),
    ("trust_path", trust_path),
];

/// Any text: what is decoded is encoded again as the same text, and the other way round.
pub fn base64url(data: &[u8]) {
    let text = base64url::encode(data);
    assert_eq!(base64url::decode(&text).unwrap(), data);
    assert_eq!(authenticator::base64url_decode(&text), data);
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(bytes) = base64url::decode(text)
    {
        assert_eq!(base64url::encode(&bytes), text);
        assert_eq!(authenticator::base64url_decode(text), bytes);
    }
}

/// One CBOR item: ciborium reads the same from it, and writes the same bytes for it.
pub fn cbor(data: &[u8]) {
    let any = Value::parse(data, CanonicalCbor::AnyKeyOrder);
    if let Ok(value) = any {
        let theirs = ciborium_value(data);
        assert!(same(value, &theirs), "{theirs:?}");
        let mut written = Vec::new();
        ciborium::into_writer(&theirs, &mut written).unwrap();
        assert_eq!(written, data);
    }
    if Value::parse(data, CanonicalCbor::Strict).is_ok() {
        assert!(any.is_ok());
    }
    if let Ok((_, rest)) = Value::parse_prefix(data, CanonicalCbor::AnyKeyOrder) {
        assert_eq!(rest.is_empty(), any.is_ok());
        let item = &data[..data.len() - rest.len()];
        assert!(Value::parse(item, CanonicalCbor::AnyKeyOrder).is_ok());
    }
}

/// Authenticator data: put together again from its parts, it is the same.
pub fn authenticator_data(data: &[u8]) {
    let Ok(parsed) = AuthenticatorData::parse(data, CanonicalCbor::AnyKeyOrder) else {
        assert!(AuthenticatorData::parse(data, CanonicalCbor::Strict).is_err());
        return;
    };
    let flags = parsed.flags();
    let mut again = parsed.rp_id_hash().to_vec();
    again.push(flags.0);
    again.extend(parsed.sign_count().0.to_be_bytes());
    if let Some(attested) = parsed.attested_credential_data() {
        again.extend(attested.aaguid().as_bytes());
        again.extend(
            u16::try_from(attested.credential_id().len())
                .unwrap()
                .to_be_bytes(),
        );
        again.extend(attested.credential_id());
        again.extend(attested.public_key().as_bytes());
    }
    again.extend(parsed.extension_bytes());
    assert_eq!(again, data);
    assert_eq!(
        flags.attested_credential_data(),
        parsed.attested_credential_data().is_some()
    );
    assert_eq!(flags.extension_data(), parsed.extensions().is_some());
    if flags.extension_data() {
        let theirs = ciborium_value(parsed.extension_bytes());
        let names: Vec<&str> = theirs
            .as_map()
            .unwrap()
            .iter()
            .map(|(name, _)| name.as_text().unwrap())
            .collect();
        assert_eq!(parsed.extension_names().collect::<Vec<_>>(), names);
    }
}

/// An attestation object: ciborium finds the same three members.
pub fn attestation_object(data: &[u8]) {
    let Ok(object) = AttestationObject::parse(data, CanonicalCbor::AnyKeyOrder) else {
        return;
    };
    let theirs = ciborium_value(data);
    assert_eq!(theirs.as_map().unwrap().len(), 3);
    assert_eq!(member(&theirs, "fmt").as_text(), Some(object.format()));
    assert!(same(*object.statement(), member(&theirs, "attStmt")));
    assert_eq!(
        member(&theirs, "authData").as_bytes().map(Vec::as_slice),
        Some(object.authenticator_data_bytes())
    );
    authenticator_data(object.authenticator_data_bytes());
}

/// A COSE_Key: ciborium finds the same algorithm, and a key that can be imported can be written in each form.
pub fn cose_key(data: &[u8]) {
    let Ok(key) = CoseKey::parse(data, CanonicalCbor::AnyKeyOrder) else {
        assert!(PublicKey::from_cose(data).is_err());
        return;
    };
    assert_eq!(key.as_bytes(), data);
    let theirs = ciborium_value(data);
    let algorithm = theirs
        .as_map()
        .unwrap()
        .iter()
        .find(|(label, _)| label.as_integer() == Some(3.into()))
        .and_then(|(_, value)| value.as_integer())
        .unwrap();
    assert_eq!(i128::from(algorithm), i128::from(key.algorithm().identifier()));
    let Ok(public_key) = PublicKey::from_cose(data) else {
        return;
    };
    assert!(SUPPORTED_ALGORITHMS.contains(&public_key.algorithm()));
    assert_eq!(public_key.algorithm(), key.algorithm());
    let der = public_key.to_spki_der();
    // A sequence that is all of it.
    assert_eq!(der.first(), Some(&0x30));
    assert!(public_key.to_pem().lines().count() >= 3);
    assert!(public_key.to_jwk_json()["kty"].is_string());
}

/// Client data: serde_json finds the same members.
pub fn client_data(data: &[u8]) {
    let Ok(parsed) = CollectedClientData::parse(data) else {
        return;
    };
    let theirs = client_data_json(data);
    assert_eq!(theirs["type"], parsed.kind());
    assert_eq!(theirs["challenge"], parsed.challenge());
    assert_eq!(theirs["origin"], parsed.origin());
    assert_eq!(
        theirs.get("crossOrigin").map(|value| value.as_bool().unwrap()),
        parsed.cross_origin()
    );
    assert_eq!(
        theirs.get("topOrigin").map(|value| value.as_str().unwrap()),
        parsed.top_origin()
    );
}

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

/// An attestation statement in place of the one in a vector of the specification, with its format, authenticator data
/// and client data: whatever is said of the attestation, the credential is the vector's.
///
/// A byte for the vector, then the statement.
pub fn statement(data: &[u8]) {
    let Some((&number, statement)) = data.split_first() else {
        return;
    };
    let Ok(statement) = ciborium::from_reader::<ciborium::Value, _>(statement) else {
        return;
    };
    vector(number).judge(&statement);
}

/// A certificate in place of the first in a vector of the specification.
///
/// A byte for the vector, then the certificate.
pub fn certificate(data: &[u8]) {
    let Some((&number, certificate)) = data.split_first() else {
        return;
    };
    let vector = vector(number);
    let mut statement = vector.statement.clone();
    let path = statement
        .as_map_mut()
        .and_then(|entries| entries.iter_mut().find(|(name, _)| name.as_text() == Some("x5c")))
        .and_then(|(_, path)| path.as_array_mut());
    if let Some(leaf) = path.and_then(|path| path.first_mut()) {
        *leaf = ciborium::Value::Bytes(certificate.to_vec());
        vector.judge(&statement);
    }
}

thread_local! {
    static NONE: Registration = Registration::none();
    static PACKED_SELF: Registration = Registration::packed_self();
    static PACKED_X5C: Registration = Registration::packed_x5c();
    static ES256: Assertion = Assertion::es256();
    static ED25519: Assertion = Assertion::new(-8);
}

/// A registration of the specification's.
pub struct Vector {
    /// What names it there.
    pub id: String,
    /// The RegistrationResponseJSON.
    pub response: serde_json::Value,
    /// `attStmt`.
    pub statement: ciborium::Value,
    challenge: String,
    object: BTreeMap<String, ciborium::Value>,
}

/// Those with a statement, in the document's order.
pub static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    let file = include_str!("../../crates/keyhaven-core/tests/vectors/w3c-webauthn-l3.json");
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    let pairs = file["vectors"].as_array().unwrap();
    pairs
        .iter()
        .map(|pair| {
            let case = &pair["registration"];
            let object = case["response"]["response"]["attestationObject"]
                .as_str()
                .unwrap();
            let object = ciborium_value(&authenticator::base64url_decode(object));
            let object: BTreeMap<String, ciborium::Value> = object
                .into_map()
                .unwrap()
                .into_iter()
                .map(|(name, value)| (name.into_text().unwrap(), value))
                .collect();
            Vector {
                id: pair["id"].as_str().unwrap().to_owned(),
                response: case["response"].clone(),
                statement: object["attStmt"].clone(),
                challenge: case["challenge_b64u"].as_str().unwrap().to_owned(),
                object,
            }
        })
        .filter(|vector| {
            vector
                .statement
                .as_map()
                .is_none_or(|entries| !entries.is_empty())
        })
        .collect()
});

fn vector(number: u8) -> &'static Vector {
    &VECTORS[usize::from(number) % VECTORS.len()]
}

impl Vector {
    fn judge(&self, statement: &ciborium::Value) {
        let text = |text: &str| ciborium::Value::Text(text.to_owned());
        let object = ciborium::Value::Map(vec![
            (text("fmt"), self.object["fmt"].clone()),
            (text("attStmt"), statement.clone()),
            (text("authData"), self.object["authData"].clone()),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&object, &mut bytes).unwrap();
        let mut response = self.response.clone();
        response["response"]["attestationObject"] = authenticator::base64url(&bytes).into();
        let mut registration = NONE.with(Registration::clone);
        registration.challenge = Challenge::new(authenticator::base64url_decode(&self.challenge)).unwrap();
        registration.policy.user_verification = UserVerification::Preferred;
        let verdict = registration.judge_json(response.to_string().as_bytes());
        if let Ok(verified) = verdict {
            let auth_data = self.object["authData"].as_bytes().unwrap();
            let id = verified.credential_id().as_bytes();
            assert_eq!(id, &auth_data[55..55 + id.len()]);
            assert_eq!(verified.public_key(), &auth_data[55 + id.len()..]);
        } else {
            assert!(
                *statement != self.statement || !self.supported(),
                "{}: {verdict:?}",
                self.id
            );
        }
    }

    /// Whether this build verifies its format and algorithm.
    fn supported(&self) -> bool {
        let format = self.object["fmt"].as_text().unwrap();
        AttestationFormat::from_identifier(format).is_some()
            && !["packed-es512", "packed-ed448"].contains(&self.id.as_str())
    }
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

fn client_data_json(data: &[u8]) -> serde_json::Value {
    serde_json::from_slice(data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data)).unwrap()
}

fn ciborium_value(bytes: &[u8]) -> ciborium::Value {
    ciborium::from_reader(bytes).unwrap()
}

fn member<'a>(map: &'a ciborium::Value, name: &str) -> &'a ciborium::Value {
    let mut entries = map.as_map().unwrap().iter();
    &entries.find(|(key, _)| key.as_text() == Some(name)).unwrap().1
}

/// Whether both readers found the same.
fn same(ours: Value<'_>, theirs: &ciborium::Value) -> bool {
    use ciborium::Value as Theirs;
    match (ours, theirs) {
        (Value::Array(array), Theirs::Array(items)) => {
            array.len() == items.len() && array.items().zip(items).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Bool(ours), Theirs::Bool(theirs)) => ours == *theirs,
        (Value::Bytes(ours), Theirs::Bytes(theirs)) => ours == theirs,
        // Halves and singles are widened there.
        (Value::Float(ours), Theirs::Float(theirs)) => match *ours {
            [a, b, c, d, e, f, g, h] => theirs.to_bits() == u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => ours.len() == 2 || ours.len() == 4,
        },
        (Value::Integer(ours), Theirs::Integer(theirs)) => ours == i128::from(*theirs),
        (Value::Map(map), Theirs::Map(entries)) => {
            map.len() == entries.len()
                && map
                    .entries()
                    .zip(entries)
                    .all(|((key, value), (their_key, their_value))| {
                        let key = match key {
                            Key::Integer(integer) => Value::Integer(integer),
                            Key::Text(text) => Value::Text(text),
                        };
                        same(key, their_key) && same(value, their_value)
                    })
        }
        (Value::Null, Theirs::Null) => true,
        (Value::Text(ours), Theirs::Text(theirs)) => ours == theirs,
        _ => false,
    }
}
