//! Client data: UTF-8, JSON, type, challenge, origins. The same in both ceremonies.

use serde_json::json;

use super::Topic;
use super::ceremony::{Assertion, CHALLENGE, Ceremony, ORIGIN, Registration};
use crate::authenticator::base64url;

pub(super) fn cases(topic: &mut Topic) {
    of(topic, Registration::new(-7), "webauthn.create", "webauthn.get");
    of(topic, Assertion::new(-7), "webauthn.get", "webauthn.create");
}

fn of<C: Ceremony>(topic: &mut Topic, ceremony: C, kind: &str, other_kind: &str) {
    let name = |id: &str| format!("{}-client-data-{id}", C::NAME);
    let steps = C::STEPS;
    let mut plain = ceremony.clone();
    let json = plain.client_data().to_json();
    let twin = topic.ok(&name("ok"), steps.json.1, "nothing is wrong", ceremony);

    // UTF-8.
    for (id, bytes, why) in [
        ("invalid-byte", &b"\xff"[..], "FF never occurs in UTF-8"),
        ("overlong", b"\xc0\xaf", "an overlong form is no UTF-8"),
        ("surrogate", b"\xed\xa0\x80", "an encoded surrogate is no UTF-8"),
        ("truncated-character", b"\xe2\x82", "a character ends early"),
        ("beyond-unicode", b"\xf4\x90\x80\x80", "beyond U+10FFFF"),
    ] {
        let raw = insert(&json, &[b",\"x\":\"", bytes, b"\""].concat());
        topic.spoil(
            &twin,
            &name(&format!("utf8-{id}")),
            steps.utf8.1,
            ("malformed_response", steps.utf8.0),
            why,
            |c| {
                c.client_data().raw = Some(raw);
            },
        );
    }
    let raw = [b"\xef\xbb\xbf", &json[..]].concat();
    topic.vary(
        &twin,
        &name("byte-order-mark"),
        steps.utf8.1,
        "UTF-8 decode drops one byte order mark; the hash covers it",
        |c| {
            c.client_data().raw = Some(raw);
        },
    );
    let raw = [b"\xef\xbb\xbf\xef\xbb\xbf", &json[..]].concat();
    topic.spoil(
        &twin,
        &name("two-byte-order-marks"),
        steps.json.1,
        ("malformed_response", steps.json.0),
        "only one mark is dropped, the second is no JSON",
        |c| {
            c.client_data().raw = Some(raw);
        },
    );
    let raw: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(json.iter().flat_map(|byte| [*byte, 0]))
        .collect();
    topic.spoil(
        &twin,
        &name("utf16"),
        steps.utf8.1,
        ("malformed_response", steps.utf8.0),
        "UTF-16 is no UTF-8, whatever its mark says",
        |c| {
            c.client_data().raw = Some(raw);
        },
    );

    // JSON.
    let challenge = base64url(&CHALLENGE);
    let with = |members: &str| insert(&json, members.as_bytes());
    let deep = format!(",\"x\":{}{}", "[".repeat(200), "]".repeat(200));
    let whole = |members: &str| format!("{{{members}}}").into_bytes();
    let (kind_member, challenge_member, origin_member) = (
        format!(r#""type":"{kind}""#),
        format!(r#""challenge":"{challenge}""#),
        format!(r#""origin":"{ORIGIN}""#),
    );
    for (id, raw, why) in [
        ("empty", Vec::new(), "no bytes are no JSON"),
        (
            "truncated",
            json[..json.len() - 1].to_vec(),
            "the object does not end",
        ),
        (
            "array",
            [b"[", &json[..], b"]"].concat(),
            "CollectedClientData is an object",
        ),
        (
            "string",
            b"\"webauthn\"".to_vec(),
            "CollectedClientData is an object",
        ),
        (
            "two-objects",
            [&json[..], &json[..]].concat(),
            "one JSON text, and nothing after it",
        ),
        (
            "trailing-nul",
            [&json[..], b"\0"].concat(),
            "nothing but white space follows a JSON text",
        ),
        ("trailing-comma", with(","), "JSON has no trailing comma"),
        ("comment", with(",/*x*/\"x\":1"), "JSON has no comments"),
        ("single-quotes", with(",'x':1"), "JSON strings have double quotes"),
        ("nan", with(",\"x\":NaN"), "NaN is no JSON"),
        (
            "leading-zero",
            with(",\"x\":01"),
            "a JSON number has no leading zero",
        ),
        (
            "control-character",
            with(",\"x\":\"\n\""),
            "control characters are escaped in JSON strings",
        ),
        (
            "lone-surrogate",
            with(",\"x\":\"\\ud800\""),
            "half a surrogate pair is no character",
        ),
        (
            "no-break-space",
            [b"\xc2\xa0", &json[..]].concat(),
            "no white space of JSON",
        ),
        (
            "duplicate-challenge",
            with(&format!(",{challenge_member}")),
            "two readers may each take another of two members",
        ),
        (
            "duplicate-origin",
            with(",\"origin\":\"https://evil.example\""),
            "two readers may each take another of two members",
        ),
        (
            "duplicate-type",
            with(&format!(",\"type\":\"{other_kind}\"")),
            "two readers may each take another of two members",
        ),
        (
            "duplicate-cross-origin",
            with(",\"crossOrigin\":true"),
            "two readers may each take another of two members",
        ),
        (
            "duplicate-escaped",
            with(&format!(",\"\\u006frigin\":\"{ORIGIN}\"")),
            "after unescaping the name occurs twice",
        ),
        (
            "duplicate-unknown",
            with(",\"x\":1,\"x\":1"),
            "no member may occur twice, known or not",
        ),
        (
            "duplicate-nested",
            with(",\"x\":{\"y\":1,\"y\":2}"),
            "no member may occur twice, at any depth",
        ),
        (
            "nested-200-deep",
            with(&deep),
            "depth is bounded: a recursive reader would be at the sender's mercy",
        ),
        (
            "no-type",
            whole(&format!("{challenge_member},{origin_member}")),
            "type is required",
        ),
        (
            "no-challenge",
            whole(&format!("{kind_member},{origin_member}")),
            "challenge is required",
        ),
        (
            "no-origin",
            whole(&format!("{kind_member},{challenge_member}")),
            "origin is required",
        ),
        (
            "type-number",
            whole(&format!("\"type\":1,{challenge_member},{origin_member}")),
            "type is a string",
        ),
        (
            "type-array",
            whole(&format!(
                "\"type\":[\"{kind}\"],{challenge_member},{origin_member}"
            )),
            "type is a string",
        ),
        (
            "challenge-null",
            whole(&format!("{kind_member},\"challenge\":null,{origin_member}")),
            "challenge is a string",
        ),
        (
            "origin-array",
            whole(&format!(
                "{kind_member},{challenge_member},\"origin\":[\"{ORIGIN}\"]"
            )),
            "origin is a string",
        ),
        (
            "member-name-case",
            whole(&format!("\"Type\":\"{kind}\",{challenge_member},{origin_member}")),
            "member names are compared case by case",
        ),
        (
            "cross-origin-null",
            whole(&format!(
                "{kind_member},{challenge_member},{origin_member},\"crossOrigin\":null"
            )),
            "crossOrigin is a boolean",
        ),
        (
            "cross-origin-text",
            whole(&format!(
                "{kind_member},{challenge_member},{origin_member},\"crossOrigin\":\"false\""
            )),
            "crossOrigin is a boolean",
        ),
        (
            "cross-origin-number",
            whole(&format!(
                "{kind_member},{challenge_member},{origin_member},\"crossOrigin\":0"
            )),
            "crossOrigin is a boolean",
        ),
        (
            "top-origin-boolean",
            with(",\"topOrigin\":true"),
            "topOrigin is a string",
        ),
        (
            "top-origin-null",
            with(",\"topOrigin\":null"),
            "topOrigin is a string",
        ),
    ] {
        topic.spoil(
            &twin,
            &name(&format!("json-{id}")),
            steps.json.1,
            ("malformed_response", steps.json.0),
            why,
            |c| {
                c.client_data().raw = Some(raw);
            },
        );
    }
    for (id, raw, why) in [
        (
            "unknown-members",
            with(",\"x\":{\"y\":[1,null,\"z\"]},\"tokenBinding\":{\"status\":\"supported\"}"),
            "unknown members are allowed, and later editions add some",
        ),
        (
            "white-space",
            String::from_utf8(json.clone())
                .unwrap()
                .replace(',', " ,\r\n\t")
                .into_bytes(),
            "white space between tokens is JSON; the hash covers it",
        ),
        (
            "escapes",
            String::from_utf8(json.clone())
                .unwrap()
                .replace("type", "t\\u0079pe")
                .replace("https://", "https:\\/\\/")
                .into_bytes(),
            "an escaped character is that character",
        ),
        (
            "no-cross-origin",
            whole(&format!("{origin_member},{challenge_member},{kind_member}")),
            "crossOrigin may be absent; members come in any order",
        ),
    ] {
        topic.vary(&twin, &name(&format!("json-{id}")), steps.json.1, why, |c| {
            c.client_data().raw = Some(raw)
        });
    }

    // type.
    for (id, received) in [
        ("other-ceremony", other_kind.to_owned()),
        ("case", kind.replace("webauthn", "WebAuthn")),
        ("trailing-space", format!("{kind} ")),
        ("trailing-nul", format!("{kind}\0")),
        ("prefix", "webauthn.".to_owned()),
        ("longer", format!("{kind}s")),
        ("payment", "payment.get".to_owned()),
        ("empty", String::new()),
    ] {
        topic.spoil(
            &twin,
            &name(&format!("type-{id}")),
            steps.kind.1,
            ("ceremony_type_mismatch", steps.kind.0),
            "type must be this ceremony's, byte for byte",
            |c| {
                c.client_data().set("type", received);
            },
        );
    }

    // challenge.
    for (id, received) in [
        ("other", base64url(&[7; 16])),
        ("last-bit", {
            let mut bytes = CHALLENGE;
            bytes[15] ^= 1;
            base64url(&bytes)
        }),
        ("first-bit", {
            let mut bytes = CHALLENGE;
            bytes[0] ^= 0x80;
            base64url(&bytes)
        }),
        ("prefix", base64url(&CHALLENGE[..15])),
        ("longer", base64url(&[&CHALLENGE[..], &[0]].concat())),
        ("empty", String::new()),
        ("padded", format!("{challenge}==")),
        ("standard-alphabet", challenge.replace('-', "+").replace('_', "/")),
        ("trailing-bits", format!("{}x", &challenge[..challenge.len() - 1])),
        ("trailing-newline", format!("{challenge}\n")),
        ("case", challenge.to_lowercase()),
        (
            "hex",
            CHALLENGE.iter().map(|byte| format!("{byte:02x}")).collect(),
        ),
    ] {
        assert_ne!(received, challenge);
        topic.spoil(
            &twin,
            &name(&format!("challenge-{id}")),
            steps.challenge.1,
            ("challenge_mismatch", steps.challenge.0),
            "challenge must be the unpadded base64url of the issued one, as text",
            |c| {
                c.client_data().set("challenge", received);
            },
        );
    }

    // origin.
    for (id, received, why) in [
        ("scheme", "http://example.org", "another scheme is another origin"),
        (
            "trailing-slash",
            "https://example.org/",
            "an origin is serialised without a path",
        ),
        (
            "default-port",
            "https://example.org:443",
            "an origin is serialised without its default port",
        ),
        (
            "port",
            "https://example.org:8443",
            "another port is another origin",
        ),
        (
            "upper-case",
            "https://EXAMPLE.org",
            "an origin is serialised in lower case",
        ),
        ("trailing-dot", "https://example.org.", "another host"),
        ("prefix", "https://example.or", "another host"),
        ("suffix", "https://example.org.evil.example", "another host"),
        (
            "joined-suffix",
            "https://badexample.org",
            "another host that ends alike",
        ),
        (
            "subdomain",
            "https://login.example.org",
            "a subdomain is another origin, and was not listed",
        ),
        (
            "userinfo",
            "https://example.org@evil.example",
            "the host is what follows the @",
        ),
        ("username", "https://user@example.org", "an origin has no user"),
        (
            "leading-space",
            " https://example.org",
            "compared as text, nothing trimmed",
        ),
        (
            "trailing-nul",
            "https://example.org\0",
            "compared as text, nothing cut",
        ),
        (
            "homograph",
            "https://\u{435}xample.org",
            "a Cyrillic letter is another letter",
        ),
        (
            "punycode",
            "https://xn--xample-2of.org",
            "another host, however it is shown",
        ),
        ("host-only", "example.org", "a host is no origin"),
        ("null", "null", "the opaque origin is nobody's"),
        ("empty", "", "no origin"),
        ("wildcard", "https://*.org", "no patterns"),
        (
            "backslash",
            "https:\\\\example.org",
            "compared as text, nothing normalised",
        ),
        (
            "app",
            "android:apk-key-hash:zHyJrYCZ4oY9z3LlJ9yHVgVwuWbrFxJGYWmqOoVbY1A",
            "an app that was not listed",
        ),
    ] {
        topic.spoil(
            &twin,
            &name(&format!("origin-{id}")),
            steps.origin.1,
            ("origin_mismatch", steps.origin.0),
            why,
            |c| {
                c.client_data().set("origin", received);
            },
        );
    }
    let app = "android:apk-key-hash:zHyJrYCZ4oY9z3LlJ9yHVgVwuWbrFxJGYWmqOoVbY1A";
    let native = topic.vary(
        &twin,
        &name("origin-listed-app"),
        steps.origin.1,
        "a native app's origin is opaque text, and listed",
        |c| {
            c.input()["origins"] = json!([ORIGIN, app]);
            c.client_data().set("origin", app);
        },
    );
    topic.spoil(
        &native,
        &name("origin-app-case"),
        steps.origin.1,
        ("origin_mismatch", steps.origin.0),
        "opaque origins are compared byte for byte",
        |c| {
            c.client_data().set("origin", app.replace('z', "Z"));
        },
    );
    topic.spoil(
        &native,
        &name("origin-app-padded"),
        steps.origin.1,
        ("origin_mismatch", steps.origin.0),
        "opaque origins are compared byte for byte",
        |c| {
            c.client_data().set("origin", format!("{app}="));
        },
    );

    // crossOrigin and topOrigin.
    let top = "https://top.example";
    topic.spoil(
        &twin,
        &name("cross-origin-not-expected"),
        steps.cross_origin.1,
        ("cross_origin_not_allowed", steps.cross_origin.0),
        "the page was embedded, and that is not expected",
        |c| {
            c.client_data().set("crossOrigin", true);
        },
    );
    topic.spoil(
        &twin,
        &name("top-origin-alone"),
        steps.top_origin.1,
        ("top_origin_not_allowed", steps.top_origin.0),
        "topOrigin tells of embedding, which is not expected",
        |c| {
            c.client_data().set("topOrigin", top);
        },
    );
    let framed = topic.vary(
        &twin,
        &name("cross-origin-allowed"),
        steps.cross_origin.1,
        "embedding is expected",
        |c| {
            c.input()["crossOrigin"] = "allow".into();
            c.client_data().set("crossOrigin", true);
        },
    );
    topic.spoil(
        &framed,
        &name("top-origin-none-listed"),
        steps.top_origin.1,
        ("top_origin_not_allowed", steps.top_origin.0),
        "no embedding page is expected by name",
        |c| {
            c.client_data().set("topOrigin", top);
        },
    );
    let listed = topic.vary(
        &framed,
        &name("top-origin-listed"),
        steps.top_origin.1,
        "the embedding page is expected",
        |c| {
            c.input()["topOrigins"] = json!([top]);
            c.client_data().set("topOrigin", top);
        },
    );
    for (id, received) in [
        ("other", "https://other.example"),
        ("subdomain", "https://a.top.example"),
        ("trailing-slash", "https://top.example/"),
        ("scheme", "http://top.example"),
        ("case", "https://TOP.example"),
        ("suffix", "https://top.example.evil.example"),
        ("port", "https://top.example:444"),
        ("own-origin", ORIGIN),
        ("empty", ""),
    ] {
        topic.spoil(
            &listed,
            &name(&format!("top-origin-{id}")),
            steps.top_origin.1,
            ("top_origin_not_allowed", steps.top_origin.0),
            "another embedding page than the one expected",
            |c| {
                c.client_data().set("topOrigin", received);
            },
        );
    }
    topic.spoil(
        &listed,
        &name("top-origin-not-cross-origin"),
        steps.top_origin.1,
        ("top_origin_not_allowed", steps.top_origin.0),
        "topOrigin beside crossOrigin false contradicts itself",
        |c| {
            c.client_data().set("crossOrigin", false);
        },
    );
    topic.spoil(
        &listed,
        &name("top-origin-without-cross-origin"),
        steps.top_origin.1,
        ("top_origin_not_allowed", steps.top_origin.0),
        "topOrigin without crossOrigin contradicts itself",
        |c| {
            c.client_data().remove("crossOrigin");
        },
    );
}

/// `members` before the closing brace of an object.
fn insert(json: &[u8], members: &[u8]) -> Vec<u8> {
    [&json[..json.len() - 1], members, b"}"].concat()
}
