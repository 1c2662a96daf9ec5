//! `android-safetynet` (§8.5), where it is allowed.

use serde_json::json;

use super::Topic;
use super::ceremony::Registration;
use super::packed::chain;
use crate::authenticator::{Cbor, Extension, SafetyNet, SigningKey, Statement, tlv};

const LINE: &str = "D-safetynet";
const INVALID: (&str, &str) = ("attestation_invalid", "8.5");

/// GeneralNames { dNSName }
fn host(name: &str) -> Extension {
    Extension::new("2.5.29.17", false, tlv(0x30, &tlv(0x82, name.as_bytes())))
}

pub(super) fn statement() -> SafetyNet {
    let key = SigningKey::new(-257, b"").unwrap();
    let mut chain = chain(&key);
    chain.leaf.extensions.push(host("attest.android.com"));
    SafetyNet::new(key, chain)
}

fn of(registration: &mut Registration) -> &mut SafetyNet {
    match registration.statement() {
        Statement::SafetyNet(statement) => statement,
        _ => unreachable!(),
    }
}

pub(super) fn cases(topic: &mut Topic) {
    let mut allowed = Registration::attested(-7, |_| Statement::SafetyNet(statement()));
    allowed.input["attestation"] = json!({"allowSafetynet": true});
    let twin = topic.ok_with(
        "safetynet-ok",
        LINE,
        &[("attestationType", json!("basic"))],
        "nothing is wrong, and the format is allowed",
        allowed,
    );
    let mut signed = |id: &str, why: &str, edit: fn(&mut String, &mut String)| {
        topic.spoil(&twin, &format!("safetynet-{id}"), LINE, INVALID, why, |r| {
            of(r).edit = edit;
        });
    };
    signed(
        "cts-profile-false",
        "the device matches no certified profile",
        |_, payload| *payload = payload.replace(r#""ctsProfileMatch":true"#, r#""ctsProfileMatch":false"#),
    );
    signed(
        "cts-profile-missing",
        "what is not said is not so",
        |_, payload| *payload = payload.replace(r#""ctsProfileMatch":true,"#, ""),
    );
    signed(
        "cts-profile-text",
        "ctsProfileMatch is a boolean",
        |_, payload| *payload = payload.replace(r#""ctsProfileMatch":true"#, r#""ctsProfileMatch":"true""#),
    );
    signed(
        "nonce-other",
        "the judgement is of another ceremony",
        |_, payload| {
            // The first character of the nonce, whatever it is.
            let at = payload.find(r#""nonce":""#).unwrap() + 9;
            let other = if payload[at..].starts_with('A') { "B" } else { "A" };
            payload.replace_range(at..=at, other);
        },
    );
    signed(
        "nonce-missing",
        "nothing binds the judgement to this ceremony",
        |_, payload| *payload = payload.replace("nonce", "once"),
    );
    signed(
        "nonce-twice",
        "readers differ on which of two members counts",
        |_, payload| payload.insert_str(1, r#""nonce":"","#),
    );
    signed("payload-array", "the payload is an object", |_, payload| {
        *payload = format!("[{payload}]");
    });
    signed("payload-cut", "the payload is JSON", |_, payload| {
        payload.pop();
    });
    signed(
        "alg-es256",
        "the service signed with RS256, and so it is signed",
        |header, _| *header = header.replace("RS256", "ES256"),
    );
    signed("alg-none", "a signature is not optional", |header, _| {
        *header = header.replace("RS256", "none")
    });
    signed(
        "crit",
        "critical header parameters must be understood",
        |header, _| header.insert_str(1, r#""crit":["b64"],"#),
    );
    signed("no-x5c", "the key that signed is in x5c", |header, _| {
        *header = header.replace("x5c", "x5u");
    });
    signed(
        "x5c-base64url",
        "certificates in a JWS are base64, not base64url",
        |header, _| *header = header.replace('+', "-").replace('/', "_"),
    );
    for (id, name, why) in [
        (
            "host-other",
            "attest.android.com.example.org",
            "another host's certificate",
        ),
        ("host-parent", "android.com", "another host's certificate"),
        ("host-wildcard", "*.android.com", "a name that others share"),
    ] {
        topic.spoil(&twin, &format!("safetynet-{id}"), LINE, INVALID, why, |r| {
            let leaf = &mut of(r).chain.leaf;
            leaf.extensions.pop();
            leaf.extensions.push(host(name));
        });
    }
    topic.spoil(
        &twin,
        "safetynet-host-missing",
        LINE,
        INVALID,
        "a certificate that names no host",
        |r| {
            of(r).chain.leaf.extensions.pop();
        },
    );
    topic.spoil(
        &twin,
        "safetynet-other-key",
        LINE,
        INVALID,
        "a certificate for a key that RS256 does not verify with",
        |r| {
            let statement = of(r);
            statement.chain.leaf.subject_public_key_info =
                SigningKey::new(-7, b"other").unwrap().subject_public_key_info();
        },
    );
    let mut member = |id: &str, why: &str, edit: fn(&mut Cbor)| {
        topic.spoil(&twin, &format!("safetynet-{id}"), LINE, INVALID, why, |r| {
            r.signed_statement(edit);
        });
    };
    member("ver-empty", "ver tells a version", |s| s.set("ver", "".into()));
    member("ver-missing", "ver is required", |s| s.remove("ver"));
    member("ver-integer", "ver is text", |s| s.set("ver", 17_122_037.into()));
    member("response-missing", "response is required", |s| {
        s.remove("response")
    });
    member("response-empty", "no JWS", |s| {
        s.set("response", Cbor::Bytes(Vec::new()))
    });
    member("unknown-member", "ver and response, nothing else", |s| {
        s.set("x", Cbor::Null);
    });
    member("response-text", "response is bytes", |s| {
        if let Cbor::Bytes(bytes) = s.at("response").clone() {
            s.set("response", Cbor::Text(String::from_utf8(bytes).unwrap()));
        }
    });
    member("signature-missing", "a JWS has three parts", |s| {
        if let Cbor::Bytes(bytes) = s.at("response") {
            let dot = bytes.iter().rposition(|byte| *byte == b'.').unwrap();
            bytes.truncate(dot);
        }
    });
    member("signature-bit", "the signature does not verify", |s| {
        if let Cbor::Bytes(bytes) = s.at("response") {
            let dot = bytes.iter().rposition(|byte| *byte == b'.').unwrap();
            bytes[dot + 9] = if bytes[dot + 9] == b'A' { b'B' } else { b'A' };
        }
    });
    member("response-newline", "nothing follows the signature", |s| {
        if let Cbor::Bytes(bytes) = s.at("response") {
            bytes.push(b'\n');
        }
    });
}
