//! The parsers: another reader finds the same in what they accept.

use keyhaven_core::cbor::{Key, Value};
use keyhaven_core::{
    AttestationObject, AuthenticatorData, CanonicalCbor, CollectedClientData, CoseKey, PublicKey,
    SUPPORTED_ALGORITHMS, base64url,
};
use keyhaven_testkit::authenticator;

use super::readers::{ciborium_value, client_data_json, member};

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

/// One CBOR item: ciborium reads the same from it, and writes the same bytes for it, floats aside: it makes them as short
/// as can be, where CTAP2's canonical form leaves them as they are.
pub fn cbor(data: &[u8]) {
    let any = Value::parse(data, CanonicalCbor::AnyKeyOrder);
    if let Ok(value) = any {
        let theirs = ciborium_value(data);
        assert!(same(value, &theirs), "{theirs:?}");
        if !has_float(&theirs) {
            let mut written = Vec::new();
            ciborium::into_writer(&theirs, &mut written).unwrap();
            assert_eq!(written, data);
        }
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

/// Whether both readers found the same.
fn same(ours: Value<'_>, theirs: &ciborium::Value) -> bool {
    use ciborium::Value as Theirs;
    match (ours, theirs) {
        (Value::Array(array), Theirs::Array(items)) => {
            array.len() == items.len() && array.items().zip(items).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Bool(ours), Theirs::Bool(theirs)) => ours == *theirs,
        (Value::Bytes(ours), Theirs::Bytes(theirs)) => ours == theirs,
        (Value::Float(ours), Theirs::Float(theirs)) => {
            let ours = widened(ours);
            ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan()
        }
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

fn has_float(value: &ciborium::Value) -> bool {
    value.is_float()
        || value.as_array().is_some_and(|items| items.iter().any(has_float))
        || value
            .as_map()
            .is_some_and(|entries| entries.iter().any(|(_, value)| has_float(value)))
}

/// The number that a float of two, four or eight bytes stands for (RFC 8949 appendix D).
fn widened(float: &[u8]) -> f64 {
    match *float {
        [a, b] => {
            let half = u16::from_be_bytes([a, b]);
            let mantissa = f64::from(half & 0x3ff);
            let magnitude = match i32::from(half >> 10 & 0x1f) {
                0 => mantissa * 2_f64.powi(-24),
                31 if mantissa == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                exponent => (mantissa + 1024.0) * 2_f64.powi(exponent - 25),
            };
            if half >> 15 == 1 { -magnitude } else { magnitude }
        }
        [a, b, c, d] => f64::from(f32::from_be_bytes([a, b, c, d])),
        _ => f64::from_be_bytes(float.try_into().unwrap()),
    }
}
