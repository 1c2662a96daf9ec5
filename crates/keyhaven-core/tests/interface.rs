//! What the public interface tells beside verdicts.

use keyhaven_core::cbor::{CborError, Key, Value};
use keyhaven_core::*;
use keyhaven_testkit::authenticator::{
    Attribute, BASIC_CONSTRAINTS, CertificateDraft, Extension, SigningKey, tlv,
};
use serde_json::json;

#[test]
fn how_a_sign_count_moved_has_a_name() {
    for (stored, received, name) in [
        (0, 0, "not-supported"),
        (0, 1, "advanced"),
        (7, 8, "advanced"),
        (7, 7, "regressed"),
        (7, 0, "regressed"),
    ] {
        let check = SignCountCheck::compare(SignCount(stored), SignCount(received));
        assert_eq!(check.as_str(), name, "{stored} {received}");
    }
}

#[test]
fn protection_of_credentials_has_numbers_and_names() {
    for (protection, level, name) in [
        (
            CredProtect::UserVerificationOptional,
            1,
            "userVerificationOptional",
        ),
        (
            CredProtect::UserVerificationOptionalWithCredentialId,
            2,
            "userVerificationOptionalWithCredentialIDList",
        ),
        (
            CredProtect::UserVerificationRequired,
            3,
            "userVerificationRequired",
        ),
    ] {
        assert_eq!((protection.level(), protection.as_str()), (level, name));
    }
}

#[test]
fn cbor_keys_are_integers_or_texts() {
    // Bytes, an array, a map, false, true, null, undefined.
    for key in [0x40, 0x80, 0xa0, 0xf4, 0xf5, 0xf6, 0xf7] {
        let map = [0xa1, key, 0x00];
        let refusal = Value::parse(&map, CanonicalCbor::AnyKeyOrder).err();
        assert_eq!(refusal, Some(CborError::KeyType), "{key:#x}");
    }
}

#[test]
fn cbor_maps_in_no_order_are_judged_to_their_depth() {
    // {2: {2: {2: 0, 1: 0}, 1: 0}, 1: 0}, its innermost keys replaced.
    let nested = |[first, second]: [u8; 2]| [0xa2, 2, 0xa2, 2, 0xa2, first, 0, second, 0, 1, 0, 1, 0];
    for (keys, any_order) in [
        ([2, 1], None),
        ([1, 2], None),
        ([1, 1], Some(CborError::DuplicateKey)),
    ] {
        let refusal = |canonical| Value::parse(&nested(keys), canonical).err();
        assert_eq!(refusal(CanonicalCbor::AnyKeyOrder), any_order, "{keys:?}");
        assert!(refusal(CanonicalCbor::Strict).is_some(), "{keys:?}");
    }
    let bytes = nested([2, 1]);
    let Ok(Value::Map(map)) = Value::parse(&bytes, CanonicalCbor::AnyKeyOrder) else {
        panic!("a map");
    };
    let keys: Vec<Key<'_>> = map.entries().map(|(key, _)| key).collect();
    assert_eq!(keys, [Key::Integer(2), Key::Integer(1)]);
}

#[test]
fn empty_cbor_arrays_say_so() {
    for (bytes, empty) in [(&[0x80][..], true), (&[0x81, 0], false)] {
        let Ok(Value::Array(array)) = Value::parse(bytes, CanonicalCbor::Strict) else {
            panic!("an array");
        };
        assert_eq!(array.is_empty(), empty);
        assert_eq!(array.len(), usize::from(!empty));
    }
}

#[test]
fn the_attachment_that_the_client_names_is_told() {
    for (named, told) in [
        ("platform", Some(AuthenticatorAttachment::Platform)),
        ("cross-platform", Some(AuthenticatorAttachment::CrossPlatform)),
        ("a new kind", None),
    ] {
        let envelope = |response| {
            json!({
                "id": "AQI", "rawId": "AQI", "type": "public-key", "response": response,
                "authenticatorAttachment": named, "clientExtensionResults": {},
            })
            .to_string()
        };
        let created = envelope(json!({"clientDataJSON": "e30", "attestationObject": "oA"}));
        let asserted =
            envelope(json!({"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}));
        let created = RegistrationResponse::from_json(created.as_bytes()).unwrap();
        let asserted = AuthenticationResponse::from_json(asserted.as_bytes()).unwrap();
        assert_eq!(created.authenticator_attachment(), told);
        assert_eq!(asserted.authenticator_attachment(), told);
    }
}

#[test]
fn transports_are_texts() {
    let json = json!({
        "id": "AQI", "rawId": "AQI", "type": "public-key",
        "response": {"clientDataJSON": "e30", "attestationObject": "oA", "transports": ["usb", 1]},
    });
    assert_eq!(
        RegistrationResponse::from_json(json.to_string().as_bytes()).err(),
        Some(RegistrationError::Envelope(EnvelopeError::Json(
            JsonError::WrongType { member: "transports" }
        )))
    );
}

/// A certificate for the key of this algorithm, by itself, valid in 2026.
fn certificate(key: &SigningKey, extension: Extension) -> Vec<u8> {
    let name = vec![Attribute {
        kind: 3,
        tag: 0x0c,
        text: "signer".into(),
    }];
    CertificateDraft {
        version: Some(2),
        serial_number: vec![1],
        issuer: name.clone(),
        subject: name,
        validity: ("20260101000000Z".into(), "20270101000000Z".into()),
        subject_public_key_info: key.subject_public_key_info(),
        extensions: vec![extension],
    }
    .sign(key)
}

#[test]
fn anchored_certificates_verify_what_their_key_signed_and_tell_their_host() {
    let at = UnixTime::from_millis(1_780_000_000_000);
    let host = Extension {
        oid: vec![0x55, 0x1d, 0x11],
        critical: false,
        value: tlv(0x30, &tlv(0x82, b"mds.example.org")),
    };
    for (identifier, own, other) in [
        (-7, CoseAlgorithm::ES256, CoseAlgorithm::RS256),
        (-257, CoseAlgorithm::RS256, CoseAlgorithm::ES256),
    ] {
        let key = SigningKey::new(identifier, b"signer").unwrap();
        let der = certificate(&key, host.clone());
        let anchor = TrustAnchor::from_der("signer", &der).unwrap();
        assert_eq!(format!("{anchor:?}"), "TrustAnchor(\"signer\")");
        let policy = PathPolicy {
            at,
            sha1: Sha1::Refuse,
            revoked: None,
        };
        let leaf = validate_path(&[&der], &[&anchor], &policy).unwrap();
        let signature = key.sign(b"message");
        assert!(leaf.has_signed(own, b"message", &signature));
        assert!(!leaf.has_signed(own, b"another", &signature));
        assert!(!leaf.has_signed(own, b"message", &signature[1..]));
        // Algorithms of another key, and of documents that nobody signs so.
        assert!(!leaf.has_signed(other, b"message", &signature));
        assert!(!leaf.has_signed(CoseAlgorithm::ES384, b"message", &signature));
        assert!(leaf.is_named("mds.example.org"));
        assert!(!leaf.is_named("example.org"));
        assert!(!leaf.is_named("no name at all"));
    }
}

#[test]
fn anchors_for_any_model_are_found_for_each() {
    let key = SigningKey::new(-7, b"signer").unwrap();
    let ca = Extension {
        oid: BASIC_CONSTRAINTS.to_vec(),
        critical: true,
        value: tlv(0x30, &tlv(0x01, &[0xff])),
    };
    let anchor = TrustAnchor::from_der("maker", &certificate(&key, ca)).unwrap();
    let query = TrustQuery {
        format: AttestationFormat::Packed,
        attestation_type: AttestationType::Basic,
        aaguid: ClaimedAaguid::new(Aaguid::ZERO),
        aaguid_certified: false,
        key_identifier: [0; 20],
        at: UnixTime::from_millis(0),
    };
    let mut anchors = TrustAnchors::new();
    assert_eq!(anchors.anchors_for(&query), Ok(Vec::new()));
    anchors.add(anchor.clone());
    assert_eq!(
        anchors.anchors_for(&query),
        Ok(vec![AcceptableAnchor {
            anchor: &anchor,
            scope: AnchorScope::AnyModel,
            protection: KeyProtection::Unknown,
        }])
    );
}

#[test]
fn a_set_of_extensions_holds_what_was_put_into_it() {
    let all = [
        "appid",
        "appidExclude",
        "credBlob",
        "credProps",
        "credProtect",
        "hmac-secret",
        "largeBlob",
        "minPinLength",
        "prf",
        "remoteClientDataJSON",
    ]
    .map(|name| keyhaven_core::Extension::from_identifier(name).unwrap());
    for one in all {
        // Putting it in a second time changes nothing.
        let set = ExtensionSet::default().with(one).with(one);
        for other in all {
            assert_eq!(set.contains(other), one == other, "{one:?} {other:?}");
        }
        let others: ExtensionSet = all.into_iter().filter(|other| *other != one).collect();
        assert!(!others.contains(one), "{one:?}");
        assert!(others.with(one).contains(one), "{one:?}");
    }
    assert_eq!(keyhaven_core::Extension::from_identifier("uvm"), None);
}
