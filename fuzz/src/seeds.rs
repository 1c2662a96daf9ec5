//! The first inputs of each target: the specification's vectors, and ceremonies of the software authenticator.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use keyhaven_testkit::authenticator::{
    self, AttestationKind, Attribute, Cbor, CertificateDraft, Extension, tlv,
};
use x509_cert::der::{Decode as _, Encode as _};

use crate::support::{Assertion, Registration, malformed_client_data};
use crate::targets::revocation_lists;
use crate::targets::statements::VECTORS;
use crate::targets::trust_path::KEYS;

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
    for (name, float) in [
        ("half-not-a-number", &[0xf9, 0xfd, 0xd4][..]),
        ("half-subnormal", &[0xf9, 0x80, 0x01]),
        ("single-infinity", &[0xfa, 0xff, 0x80, 0, 0]),
        ("double-one", &[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
    ] {
        add("cbor", name, float.to_vec());
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
    trust_paths(&mut add);
    let lists = revocation_lists::seeds().into_iter();
    seeds.extend(lists.map(|(name, bytes)| ("revocation_lists", name, bytes)));
    seeds
}

/// A chain of three under an anchor: signed, and to be signed; and each way to be no chain that its fields alone tell.
fn trust_paths(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    // 2026-01-01T00:00:00Z.
    const AT: u32 = 1_767_225_600;
    let name = |number: usize| {
        vec![Attribute {
            kind: 3,
            tag: 0x0c,
            text: number.to_string(),
        }]
    };
    let draft = |number: usize, ca: bool| {
        let mut draft = CertificateDraft::attestation(&KEYS[number], [7; 16]);
        draft.subject = name(number);
        draft.issuer = name((number + 1).min(3));
        if ca {
            draft.extensions.truncate(1);
            draft.extensions[0].value = tlv(0x30, &tlv(0x01, &[0xff]));
        }
        draft
    };
    let chain = || [draft(0, false), draft(1, true), draft(2, true), draft(3, true)];
    let input = |mode: u8, at: u32, chain: &[CertificateDraft]| {
        let mut bytes = vec![mode];
        bytes.extend(at.to_be_bytes());
        bytes.push(1);
        for (number, draft) in chain.iter().enumerate() {
            let der = draft.sign(&KEYS[(number + 1).min(3)]);
            let part = if mode == 0 {
                der
            } else {
                let certificate = x509_cert::Certificate::from_der(&der).unwrap();
                certificate.tbs_certificate().to_der().unwrap()
            };
            bytes.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
            bytes.extend(part);
        }
        bytes
    };
    let extension = |last: u8, value: Vec<u8>| Extension {
        oid: vec![0x55, 0x1d, last],
        critical: true,
        value,
    };
    add("trust_path", "signed", input(0, AT, &chain()));
    add("trust_path", "to-be-signed", input(1, AT, &chain()));
    add("trust_path", "early", input(1, 1, &chain()));
    for (name, value) in [
        ("key-usage", extension(0x0f, tlv(0x03, &[7, 0x80]))),
        (
            "policies",
            extension(0x20, tlv(0x30, &tlv(0x30, &tlv(0x06, &[0x2a, 0x03])))),
        ),
        (
            "constraints",
            extension(
                0x1e,
                tlv(0x30, &tlv(0xa1, &tlv(0x30, &tlv(0x82, b"example.org")))),
            ),
        ),
    ] {
        let mut chain = chain();
        chain[1].extensions.push(value);
        add("trust_path", name, input(1, AT, &chain));
    }
    let mut short = chain();
    short[3].extensions[0].value = tlv(0x30, &[tlv(0x01, &[0xff]), tlv(0x02, &[1])].concat());
    add("trust_path", "path-length", input(1, AT, &short));
}

fn joined(mode: u8, client_data: &[u8], auth_data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(client_data.len()).unwrap().to_be_bytes();
    [&[mode], &len[..], client_data, auth_data].concat()
}
