//! The JSON around a response.

use serde_json::{Value, json};

use super::Topic;
use super::ceremony::{Assertion, Ceremony, Registration};
use crate::authenticator::base64url;

const NOT_BASE64URL: &str = "bytes are base64url without padding, and nothing else";

pub(super) fn cases(topic: &mut Topic) {
    let registration = Registration::new(-7);
    let assertion = Assertion::new(-7);
    let as_assertion = assertion.write().1;
    let as_registration = registration.write().1;
    of(
        topic,
        registration,
        &["clientDataJSON", "attestationObject"],
        as_assertion,
    );
    of(
        topic,
        assertion,
        &["clientDataJSON", "authenticatorData", "signature"],
        as_registration,
    );
    of_registration(topic);
    of_assertion(topic);
}

fn of<C: Ceremony>(topic: &mut Topic, ceremony: C, members: &[&'static str], other_ceremony: String) {
    let name = |id: &str| format!("{}-envelope-{id}", C::NAME);
    let steps = C::STEPS;
    let line = steps.envelope.1;
    let malformed = ("malformed_response", steps.envelope.0);
    let twin = topic.ok(&name("ok"), line, "nothing is wrong", ceremony);

    let mut spoil = |id: &str, why: &str, edit: fn(&mut Value)| {
        topic.spoil(&twin, &name(id), line, malformed, why, |c| c.json(edit));
    };
    spoil("type-other", "type must be public-key", |json| {
        json["type"] = "password".into()
    });
    spoil("type-case", "type is compared case by case", |json| {
        json["type"] = "Public-Key".into()
    });
    spoil("type-missing", "type is required", |json| remove(json, "type"));
    spoil("type-null", "type is a string", |json| json["type"] = Value::Null);
    spoil("id-missing", "id is required", |json| remove(json, "id"));
    spoil("raw-id-missing", "rawId is required", |json| {
        remove(json, "rawId")
    });
    spoil("ids-differ", "id is the base64url of rawId", |json| {
        json["rawId"] = base64url(b"credential id 17").into()
    });
    spoil("raw-id-padded", NOT_BASE64URL, |json| {
        json["rawId"] = format!("{}==", json["rawId"].as_str().unwrap()).into()
    });
    spoil("raw-id-bytes", "rawId is text in JSON", |json| {
        json["rawId"] = json!([1, 2, 3])
    });
    spoil("response-missing", "response is required", |json| {
        remove(json, "response")
    });
    spoil("response-null", "response is an object", |json| {
        json["response"] = Value::Null
    });
    spoil("response-array", "response is an object", |json| {
        json["response"] = json!([json["response"].clone()])
    });
    spoil(
        "extension-results-array",
        "clientExtensionResults is an object",
        |json| json["clientExtensionResults"] = json!([]),
    );

    for member in members {
        let mut spoil = |id: &str, why: &str, edit: Box<dyn Fn(&str) -> Value>| {
            let id = name(&format!("{member}-{id}"));
            let member = *member;
            topic.spoil(&twin, &id, line, malformed, why, move |c| {
                c.json(move |json| {
                    let changed = edit(json["response"][member].as_str().unwrap());
                    json["response"][member] = changed;
                });
            });
        };
        spoil("number", "it is a string", Box::new(|_| 1.into()));
        spoil(
            "padded",
            NOT_BASE64URL,
            Box::new(|text| format!("{text}{}", "=".repeat(4 - text.len() % 4)).into()),
        );
        spoil(
            "newline",
            NOT_BASE64URL,
            Box::new(|text| format!("{text}\n").into()),
        );
        spoil(
            "space-inside",
            NOT_BASE64URL,
            Box::new(|text| format!("{} {}", &text[..4], &text[4..]).into()),
        );
        spoil("dot", NOT_BASE64URL, Box::new(|text| format!("{text}.").into()));
        spoil(
            "one-character-more",
            "no bytes have that many characters",
            Box::new(|text| {
                let mut text = text.to_owned();
                while text.len() % 4 != 1 {
                    text.push('A');
                }
                text.into()
            }),
        );
        let id = name(&format!("{member}-missing"));
        let member = *member;
        topic.spoil(&twin, &id, line, malformed, "it is required", move |c| {
            c.json(move |json| remove(&mut json["response"], member));
        });
    }
    // The last character's unused bits: with 2 mod 3 bytes there are two.
    topic.spoil(
        &twin,
        &name("trailing-bits"),
        line,
        malformed,
        "unused bits of the last character are zero: one text for the same bytes",
        |c| {
            c.json(|json| {
                for name in ["id", "rawId"] {
                    let text = json[name].as_str().unwrap();
                    // 16 bytes end in two characters of which the last has four unused bits, here zero.
                    let last = char::from(text.as_bytes()[text.len() - 1] + 1);
                    json[name] = format!("{}{last}", &text[..text.len() - 1]).into();
                }
            });
        },
    );

    let other = other_ceremony;
    topic.spoil(
        &twin,
        &name("other-ceremony"),
        line,
        malformed,
        "a response of the other ceremony",
        move |c| c.text(move |_| other.clone()),
    );
    topic.spoil(
        &twin,
        &name("null"),
        line,
        malformed,
        "the response is an object",
        |c| c.text(|_| "null".into()),
    );
    topic.spoil(
        &twin,
        &name("array"),
        line,
        malformed,
        "the response is an object",
        |c| c.text(|text| format!("[{text}]")),
    );
    topic.spoil(
        &twin,
        &name("duplicate-id"),
        line,
        malformed,
        "two readers may each take another of two members",
        |c| {
            c.text(|text| format!("{{\"id\":\"AAAA\",{}", &text[1..]));
        },
    );
    topic.spoil(
        &twin,
        &name("duplicate-client-data"),
        line,
        malformed,
        "two readers may each take another of two members",
        |c| {
            c.text(|text| text.replace("\"response\":{", "\"response\":{\"clientDataJSON\":\"e30\","));
        },
    );
    topic.spoil(
        &twin,
        &name("duplicate-response"),
        line,
        malformed,
        "two readers may each take another of two members",
        |c| {
            c.text(|text| format!("{{\"response\":{{}},{}", &text[1..]));
        },
    );
    topic.spoil(
        &twin,
        &name("nested-100-deep"),
        line,
        malformed,
        "depth is bounded: a recursive reader would be at the sender's mercy",
        |c| {
            c.text(|text| format!("{{\"x\":{}{},{}", "[".repeat(100), "]".repeat(100), &text[1..]));
        },
    );

    topic.vary(
        &twin,
        &name("unknown-members"),
        line,
        "unknown members are ignored, in the envelope and in the response",
        |c| {
            c.json(|json| {
                json["x"] = json!({"y": [1]});
                json["response"]["x"] = json!(null);
            });
        },
    );
    topic.vary(
        &twin,
        &name("client-extension-results"),
        if C::NAME == "reg" { "B4" } else { "C4" },
        "client extension results are kept, and those not asked for are ignored",
        |c| {
            c.json(|json| json["clientExtensionResults"] = json!({"x": {"y": 1}, "credProps": {"rk": true}}));
        },
    );
    topic.vary(
        &twin,
        &name("client-extension-results-null"),
        if C::NAME == "reg" { "B4" } else { "C4" },
        "null is no output, as clients that fill in records write it: none of it is evidence",
        |c| {
            c.json(|json| {
                json["clientExtensionResults"] =
                    json!({"appid": null, "credProps": {"rk": null}, "prf": null})
            });
        },
    );
    topic.vary(
        &twin,
        &name("no-client-extension-results"),
        if C::NAME == "reg" { "B4" } else { "C4" },
        "nor are there any outputs where the whole is null",
        |c| {
            c.json(|json| json["clientExtensionResults"] = json!(null));
        },
    );
    topic.vary(
        &twin,
        &name("attachment"),
        line,
        "unknown values of authenticatorAttachment count as absent",
        |c| {
            c.json(|json| json["authenticatorAttachment"] = "implanted".into());
        },
    );
}

fn of_registration(topic: &mut Topic) {
    let twin = topic.ok(
        "reg-envelope-own-ok",
        "F1",
        "nothing is wrong",
        Registration::new(-7),
    );
    topic.vary(
        &twin,
        "reg-extension-outputs",
        "B28",
        "outputs nobody asked for are ignored",
        |r| {
            r.json(|json| {
                json["clientExtensionResults"] =
                    json!({"largeBlob": {"supported": true}, "prf": {"enabled": true}, "credProps": {}});
            });
        },
    );
    topic.vary(&twin, "reg-envelope-convenience-copies", "F1", "only clientDataJSON and attestationObject are evidence: copies beside them, here of another key, are not looked at", |r| {
        r.json(|json| {
            json["response"]["publicKeyAlgorithm"] = (-257).into();
            json["response"]["publicKey"] = "AAAA".into();
            json["response"]["authenticatorData"] = "AAAA".into();
        });
    });
    topic.vary(
        &twin,
        "reg-envelope-transports",
        "F1",
        "transports are kept, unknown ones too",
        |r| {
            r.json(|json| json["response"]["transports"] = json!(["internal", "telepathy"]));
        },
    );
    topic.spoil(
        &twin,
        "reg-envelope-transports-text",
        "F1",
        ("malformed_response", "7.1.3"),
        "transports is an array",
        |r| {
            r.json(|json| json["response"]["transports"] = "usb".into());
        },
    );
    topic.spoil(
        &twin,
        "reg-envelope-transports-number",
        "F1",
        ("malformed_response", "7.1.3"),
        "a transport is a string",
        |r| {
            r.json(|json| json["response"]["transports"] = json!([1]));
        },
    );
    topic.spoil(
        &twin,
        "reg-credential-id-not-attested",
        "B25",
        ("malformed_response", "7.1.25"),
        "the id of the envelope must be the attested one",
        |r| {
            r.draft.envelope_id = b"credential id 17".to_vec();
        },
    );
    topic.spoil(
        &twin,
        "reg-credential-id-empty",
        "B25",
        ("malformed_response", "7.1.25"),
        "an empty id names no credential",
        |r| {
            r.draft.envelope_id = Vec::new();
            r.draft.credential_id = Vec::new();
        },
    );
    topic.vary(
        &twin,
        "reg-credential-id-1023",
        "B25",
        "1023 bytes are allowed",
        |r| {
            r.draft.envelope_id = vec![7; 1023];
            r.draft.credential_id = vec![7; 1023];
        },
    );
    topic.spoil(
        &twin,
        "reg-credential-id-1024",
        "B25",
        ("malformed_response", "7.1.25"),
        "an id has at most 1023 bytes",
        |r| {
            r.draft.envelope_id = vec![7; 1024];
            r.draft.credential_id = vec![7; 1024];
        },
    );
}

fn of_assertion(topic: &mut Topic) {
    let twin = topic.ok(
        "auth-envelope-own-ok",
        "F2",
        "nothing is wrong",
        Assertion::new(-7),
    );
    topic.vary(
        &twin,
        "auth-envelope-no-user-handle",
        "F2",
        "userHandle may be absent where the user is known",
        |a| {
            a.draft.user_handle = None;
        },
    );
    let edits: [(&str, fn(&str) -> Value, &str); 3] = [
        ("padded", |_| json!("dXNlcg=="), NOT_BASE64URL),
        ("number", |_| json!(1), "userHandle is a string"),
        ("array", |text| json!([text]), "userHandle is a string"),
    ];
    for (id, edit, why) in edits {
        topic.spoil(
            &twin,
            &format!("auth-envelope-user-handle-{id}"),
            "F2",
            ("malformed_response", "7.2.3"),
            why,
            move |a| {
                a.json(move |json| {
                    let changed = edit(json["response"]["userHandle"].as_str().unwrap());
                    json["response"]["userHandle"] = changed;
                });
            },
        );
    }
}

fn remove(json: &mut Value, name: &str) {
    json.as_object_mut().unwrap().remove(name);
}
