//! Where a ceremony is spoiled. Each name says where; the random numbers say how.

use keyhaven_testkit::authenticator::{
    AssertionDraft, BE, BS, Cbor, ClientData, RegistrationDraft, UP, UV, base64url, base64url_decode,
};
use serde_json::{Value, json};

use crate::random::Random;

/// Before signing: what is signed is wrong, and signed well.
pub(crate) type Spoil<T> = (&'static str, fn(&mut Random, &mut T));

pub(crate) const REGISTRATIONS: &[Spoil<RegistrationDraft>] = &[
    ("client data: type", |random, draft| {
        kind(random, &mut draft.client_data)
    }),
    ("client data: challenge", |random, draft| {
        challenge(random, &mut draft.client_data)
    }),
    ("client data: origin", |random, draft| {
        origin(random, &mut draft.client_data)
    }),
    ("client data: crossOrigin", |random, draft| {
        cross_origin(random, &mut draft.client_data)
    }),
    ("client data: topOrigin", |_, draft| {
        draft.client_data.set("topOrigin", "https://top.example")
    }),
    ("client data: a member is missing", |random, draft| {
        missing(random, &mut draft.client_data)
    }),
    ("client data: more members", |random, draft| {
        more(random, &mut draft.client_data)
    }),
    ("client data: as text", |random, draft| {
        text(random, &mut draft.client_data)
    }),
    ("client data: damaged before signing", |random, draft| {
        damaged(random, &mut draft.client_data)
    }),
    ("rpIdHash", |random, draft| random.damage(&mut draft.rp_id_hash)),
    ("flags: presence and backup", |random, draft| {
        flags(random, &mut draft.flags)
    }),
    ("flags: any", |random, draft| draft.flags = random.byte()),
    ("flags: reserved bits", |random, draft| {
        draft.flags |= *random.pick(&[&2, &32, &34])
    }),
    ("sign count", |random, draft| {
        draft.sign_count = *random.pick(&[&0, &1, &0x7fff_ffff, &u32::MAX]);
    }),
    ("credential id: length", |random, draft| {
        let len = *random.pick(&[&0, &1, &15, &16, &64, &255, &1023, &1024, &2000]);
        draft.credential_id = vec![7; len];
        draft.envelope_id = draft.credential_id.clone();
    }),
    ("credential id: not the envelope's", |random, draft| {
        random.damage(&mut draft.envelope_id)
    }),
    ("key: alg", |random, draft| {
        let alg = *random.pick(&[&-7, &-8, &-35, &-35, &-35, &-36, &-257, &-65535, &0, &7, &-9]);
        draft.public_key.set(3, Cbor::Int(alg));
    }),
    ("key: kty", |random, draft| {
        draft
            .public_key
            .set(1, Cbor::Int(*random.pick(&[&0, &1, &2, &3, &4])));
    }),
    ("key: a number", |random, draft| {
        let entries = draft.public_key.entries();
        let at = random.below(entries.len());
        if let Cbor::Bytes(bytes) = &mut entries[at].1 {
            random.damage(bytes);
        } else {
            entries[at].1 = Cbor::Int(*random.pick(&[&0, &1, &2, &3, &6, &8]));
        }
    }),
    ("key: a parameter is missing", |random, draft| {
        draft.public_key.remove(*random.pick(&[&1, &3, &-1, &-2, &-3]));
    }),
    ("key: one parameter more", |random, draft| {
        let label = *random.pick(&[&2, &4, &5, &-4, &-70000]);
        draft.public_key.set(label, Cbor::Int(1));
    }),
    ("key: order", |_, draft| draft.public_key.entries().reverse()),
    ("key: a parameter twice", |random, draft| {
        let entries = draft.public_key.entries();
        let twice = entries[random.below(entries.len())].clone();
        entries.push(twice);
    }),
    ("extensions", |random, draft| {
        draft.set_extensions(extensions(random))
    }),
    ("authenticator data: trailing", |random, draft| {
        draft.trailing = vec![random.byte(); 1 + random.below(3)]
    }),
    ("authenticator data: damaged before signing", |random, draft| {
        let mut bytes = draft.authenticator_data();
        random.damage(&mut bytes);
        draft.authenticator_data = Some(bytes);
    }),
];

pub(crate) const ASSERTIONS: &[Spoil<AssertionDraft>] = &[
    ("client data: type", |random, draft| {
        kind(random, &mut draft.client_data)
    }),
    ("client data: challenge", |random, draft| {
        challenge(random, &mut draft.client_data)
    }),
    ("client data: origin", |random, draft| {
        origin(random, &mut draft.client_data)
    }),
    ("client data: crossOrigin", |random, draft| {
        cross_origin(random, &mut draft.client_data)
    }),
    ("client data: topOrigin", |_, draft| {
        draft.client_data.set("topOrigin", "https://top.example")
    }),
    ("client data: a member is missing", |random, draft| {
        missing(random, &mut draft.client_data)
    }),
    ("client data: more members", |random, draft| {
        more(random, &mut draft.client_data)
    }),
    ("client data: as text", |random, draft| {
        text(random, &mut draft.client_data)
    }),
    ("client data: damaged before signing", |random, draft| {
        damaged(random, &mut draft.client_data)
    }),
    ("rpIdHash", |random, draft| random.damage(&mut draft.rp_id_hash)),
    ("flags: presence and backup", |random, draft| {
        flags(random, &mut draft.flags)
    }),
    ("flags: any", |random, draft| draft.flags = random.byte()),
    ("flags: reserved bits", |random, draft| {
        draft.flags |= *random.pick(&[&2, &32, &34])
    }),
    ("sign count", |random, draft| {
        draft.sign_count = *random.pick(&[&0, &1, &2, &0x7fff_ffff, &u32::MAX]);
    }),
    ("credential id", |random, draft| {
        random.damage(&mut draft.envelope_id)
    }),
    ("user handle", |random, draft| {
        draft.user_handle = match random.below(3) {
            0 => None,
            1 => Some(Vec::new()),
            _ => Some(vec![random.byte(); 16]),
        };
    }),
    ("extensions", |random, draft| {
        draft.set_extensions(extensions(random))
    }),
    ("authenticator data: trailing", |random, draft| {
        draft.trailing = vec![random.byte(); 1 + random.below(3)]
    }),
];

/// After signing: on the way.
pub(crate) const RESPONSES: &[Spoil<Value>] = &[
    ("response: a byte string", |random, json| {
        let members = [
            "clientDataJSON",
            "attestationObject",
            "authenticatorData",
            "signature",
        ];
        let present: Vec<&str> = members
            .into_iter()
            .filter(|member| json["response"].get(member).is_some())
            .collect();
        let member = random.pick(&present);
        let mut bytes = base64url_decode(json["response"][member].as_str().unwrap());
        random.damage(&mut bytes);
        json["response"][member] = base64url(&bytes).into();
    }),
    ("response: base64url", |random, json| {
        let members = ["clientDataJSON", "attestationObject", "signature"];
        let present: Vec<&str> = members
            .into_iter()
            .filter(|member| json["response"].get(member).is_some())
            .collect();
        let member = random.pick(&present);
        let text = json["response"][member].as_str().unwrap().to_owned();
        json["response"][member] = match random.below(4) {
            0 => format!("{text}="),
            1 => format!("{text}=="),
            2 => text.replace('-', "+").replace('_', "/"),
            _ => format!(" {text}"),
        }
        .into();
    }),
    ("response: id", |random, json| {
        let member = random.pick(&["id", "rawId"]);
        json[member] = match random.below(3) {
            0 => "".into(),
            1 => "AQID".into(),
            _ => "no base64url!".into(),
        };
    }),
    ("response: type", |random, json| {
        json["type"] = random.pick(&["", "password", "Public-Key"]).into()
    }),
    ("response: more members", |_, json| {
        json["x"] = json!({"y": [1, 2]});
        json["response"]["authenticatorData2"] = "AQID".into();
    }),
    ("response: a member is missing", |random, json| {
        let member = random.pick(&[
            "id",
            "rawId",
            "type",
            "response",
            "clientExtensionResults",
            "authenticatorAttachment",
        ]);
        json.as_object_mut().unwrap().remove(member);
    }),
    ("response: extension results", |random, json| {
        json["clientExtensionResults"] = match random.below(4) {
            0 => json!({"appid": true}),
            1 => json!({"appid": "yes"}),
            2 => json!({"credProps": {"rk": 1}}),
            _ => json!([]),
        };
    }),
];

fn kind(random: &mut Random, client_data: &mut ClientData) {
    let kind = random.pick(&[
        "",
        "webauthn.get",
        "webauthn.create",
        "webauthn.Create",
        "payment.get",
    ]);
    client_data.set("type", kind);
}

fn challenge(random: &mut Random, client_data: &mut ClientData) {
    let (_, value) = client_data
        .members
        .iter_mut()
        .find(|(name, _)| name == "challenge")
        .unwrap();
    let text = value.as_str().unwrap().to_owned();
    *value = match random.below(5) {
        0 => "".into(),
        1 => format!("{text}=").into(),
        2 => text.get(1..).unwrap_or_default().into(),
        3 => format!("{text}A").into(),
        _ => base64url(&[random.byte(); 32]).into(),
    };
}

fn origin(random: &mut Random, client_data: &mut ClientData) {
    client_data.set(
        "origin",
        random.pick(&[
            "",
            "null",
            "http://example.org",
            "https://example.org/",
            "https://example.org:443",
            "https://example.org:8443",
            "https://EXAMPLE.org",
            "https://example.org.",
            "https://example.org/path",
            "https://evil.example.org",
            "https://badexample.org",
            "https://example.org.evil.example",
            "https://user@example.org",
            " https://example.org",
            "https://example.org#",
            "example.org",
        ]),
    );
}

fn cross_origin(random: &mut Random, client_data: &mut ClientData) {
    let value = match random.below(4) {
        0 => json!(null),
        1 => json!("true"),
        2 => json!(0),
        _ => json!(true),
    };
    client_data.set("crossOrigin", value);
}

fn missing(random: &mut Random, client_data: &mut ClientData) {
    client_data.remove(random.pick(&["type", "challenge", "origin", "crossOrigin"]));
}

fn more(random: &mut Random, client_data: &mut ClientData) {
    let (name, value) = match random.below(4) {
        0 => ("tokenBinding", json!({"status": "supported"})),
        1 => ("tokenBinding", json!("x")),
        2 => (
            "other_keys_can_be_added_here",
            json!("do not compare clientDataJSON against a template"),
        ),
        _ => ("unknown", json!([[{"a": 1}]])),
    };
    client_data.set(name, value);
}

fn text(random: &mut Random, client_data: &mut ClientData) {
    let text = String::from_utf8(client_data.to_json()).unwrap();
    let inner = text.get(1..text.len() - 1).unwrap().to_owned();
    let raw = match random.below(8) {
        0 => format!("\u{feff}{text}"),
        1 => format!(" \n{text}\t"),
        2 => format!("{text}x"),
        3 => format!("{{{inner},{inner}}}"),
        4 => format!("{{{inner},\"x\":1,\"x\":2}}"),
        5 => format!("{{{inner},\"x\":{}{}}}", "[".repeat(40), "]".repeat(40)),
        6 => format!("[{text}]"),
        _ => text.replace("origin", "\\u006frigin"),
    };
    client_data.raw = Some(raw.into_bytes());
}

fn damaged(random: &mut Random, client_data: &mut ClientData) {
    let mut bytes = client_data.to_json();
    random.damage(&mut bytes);
    client_data.raw = Some(bytes);
}

fn flags(random: &mut Random, flags: &mut u8) {
    for flag in [UP, UV, BE, BS] {
        if random.one_in(2) {
            *flags ^= flag;
        }
    }
}

fn extensions(random: &mut Random) -> Cbor {
    match random.below(6) {
        0 => Cbor::Map(Vec::new()),
        1 => Cbor::Map(vec![("credProtect".into(), Cbor::Int(2))]),
        2 => Cbor::Map(vec![("hmac-secret".into(), Cbor::Bool(true))]),
        3 => Cbor::Map(vec![("credProtect".into(), Cbor::Int(9))]),
        4 => Cbor::Map(vec![("example.unknown".into(), Cbor::text("x"))]),
        _ => Cbor::Array(Vec::new()),
    }
}
