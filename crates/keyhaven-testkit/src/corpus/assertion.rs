//! What an assertion is compared with: allow-list, account, backup state, count, AppID.

use serde_json::json;

use super::Topic;
use super::ceremony::{Assertion, CREDENTIAL_ID, Ceremony};
use crate::authenticator::{BE, BS, base64url, sha256};

pub(super) fn cases(topic: &mut Topic) {
    let twin = topic.ok("auth-ok", "C5", "nothing is wrong", Assertion::new(-7));
    let other = base64url(b"credential id 17");

    // The allow-list.
    let id = base64url(CREDENTIAL_ID);
    let listed = topic.vary(&twin, "auth-allowed", "C5", "the credential was asked for", |a| {
        a.input["allowCredentials"] = json!([other, id])
    });
    for (name, list) in [
        ("other", json!([other])),
        ("prefix", json!([base64url(&CREDENTIAL_ID[..15])])),
        ("longer", json!([base64url(&[CREDENTIAL_ID, &[0]].concat())])),
    ] {
        topic.spoil(
            &listed,
            &format!("auth-not-allowed-{name}"),
            "C5",
            ("credential_not_allowed", "7.2.5"),
            "another credential was asked for",
            |a| a.input["allowCredentials"] = list,
        );
    }
    topic.vary(
        &twin,
        "auth-allow-list-empty",
        "C5",
        "an empty list asks for any credential",
        |a| a.input["allowCredentials"] = json!([]),
    );

    // The account.
    topic.spoil(
        &twin,
        "auth-other-credential",
        "C6",
        ("credential_not_found", "7.2.6"),
        "the record is another credential's",
        |a| {
            a.draft.envelope_id = b"credential id 17".to_vec();
        },
    );
    for (name, handle) in [
        ("other", &b"resu"[..]),
        ("prefix", b"use"),
        ("longer", b"user2"),
        ("case", b"User"),
        ("empty", b""),
    ] {
        topic.spoil(
            &twin,
            &format!("auth-user-handle-{name}"),
            "C6",
            ("user_handle_mismatch", "7.2.6"),
            "the handle is not that of the credential's account",
            |a| {
                a.draft.user_handle = Some(handle.to_vec());
            },
        );
    }
    let discoverable = topic.vary(
        &twin,
        "auth-discoverable",
        "C6",
        "the handle names the account",
        |a| a.input["userIdentified"] = false.into(),
    );
    topic.spoil(
        &discoverable,
        "auth-discoverable-no-user-handle",
        "C6",
        ("user_handle_missing", "7.2.6"),
        "nothing names the account",
        |a| a.draft.user_handle = None,
    );
    topic.spoil(
        &discoverable,
        "auth-discoverable-other-user-handle",
        "C6",
        ("user_handle_mismatch", "7.2.6"),
        "the handle is not that of the credential's account",
        |a| {
            a.draft.user_handle = Some(b"resu".to_vec());
        },
    );
    topic.vary(
        &twin,
        "auth-user-known-no-user-handle",
        "C6",
        "the account is known beforehand",
        |a| {
            a.input["userIdentified"] = true.into();
            a.draft.user_handle = None;
        },
    );

    // Backup eligibility.
    let changed = ("backup_eligibility_changed", "7.2.19");
    topic.spoil(
        &twin,
        "auth-be-lost",
        "C19",
        changed,
        "BE is fixed at creation: stored set, now clear",
        |a| a.draft.flags &= !(BE | BS),
    );
    let single = topic.vary(&twin, "auth-be-never", "C19", "BE was clear and is clear", |a| {
        a.input["credential"]["backupEligible"] = false.into();
        a.draft.flags &= !(BE | BS);
    });
    topic.spoil(
        &single,
        "auth-be-gained",
        "C19",
        changed,
        "BE is fixed at creation: stored clear, now set",
        |a| a.draft.flags |= BE,
    );
    topic.spoil(
        &single,
        "auth-be-and-bs-gained",
        "C19",
        changed,
        "BE is fixed at creation: stored clear, now set",
        |a| a.draft.flags |= BE | BS,
    );
    let upgrade = topic.vary(
        &single,
        "auth-be-gained-upgrade",
        "C19",
        "policy allows what some managers do",
        |a| {
            a.input["backupEligibilityChange"] = "allow-upgrade".into();
            a.draft.flags |= BE | BS;
        },
    );
    topic.spoil(
        &upgrade,
        "auth-be-lost-upgrade",
        "C19",
        changed,
        "the policy allows no way back",
        |a| {
            a.input["credential"]["backupEligible"] = true.into();
            a.draft.flags &= !(BE | BS);
        },
    );
    topic.vary(
        &twin,
        "auth-bs-now-clear",
        "C19",
        "the backup state may change at any time",
        |a| a.draft.flags &= !BS,
    );
    topic.vary(
        &twin,
        "auth-be-unknown",
        "C19",
        "without a stored value there is nothing to compare",
        |a| {
            a.input["credential"]
                .as_object_mut()
                .unwrap()
                .remove("backupEligible");
            a.draft.flags &= !(BE | BS);
        },
    );

    // The count.
    let regression = ("counter_regression", "7.2.22");
    let counting = topic.ok_with(
        "auth-count-rises",
        "C22",
        &[("signCountVerdict", json!("advanced"))],
        "the count rose",
        {
            let mut a = twin.ceremony.clone();
            a.input["credential"]["signCount"] = 41.into();
            a.draft.sign_count = 42;
            a
        },
    );
    for (name, count, why) in [
        ("equal", 41, "a count that does not rise is a sign of a copy"),
        ("lower", 40, "a count that falls is a sign of a copy"),
        ("one", 1, "a count that falls is a sign of a copy"),
        ("zero", 0, "a count that stops counting is a sign of a copy too"),
    ] {
        topic.spoil(
            &counting,
            &format!("auth-count-{name}"),
            "C22",
            regression,
            why,
            |a| a.draft.sign_count = count,
        );
    }
    topic.spoil(
        &counting,
        "auth-count-maximum-again",
        "C22",
        regression,
        "the highest count cannot be exceeded",
        |a| {
            a.input["credential"]["signCount"] = u32::MAX.into();
            a.draft.sign_count = u32::MAX;
        },
    );
    topic.spoil(
        &counting,
        "auth-count-wrapped",
        "C22",
        regression,
        "counts do not wrap",
        |a| {
            a.input["credential"]["signCount"] = u32::MAX.into();
            a.draft.sign_count = 1;
        },
    );
    topic.spoil(
        &counting,
        "auth-count-big-endian",
        "C22",
        regression,
        "256 in big-endian is 1 in little-endian: stored 256, received 2",
        |a| {
            a.input["credential"]["signCount"] = 256.into();
            a.draft.sign_count = 2;
        },
    );
    for (name, stored, received, verdict) in [
        ("from-zero", 0_u32, 1_u32, "advanced"),
        ("never", 0, 0, "not-supported"),
        ("to-maximum", u32::MAX - 1, u32::MAX, "advanced"),
    ] {
        let mut a = twin.ceremony.clone();
        a.input["credential"]["signCount"] = stored.into();
        a.draft.sign_count = received;
        topic.ok_with(
            &format!("auth-count-{name}"),
            "C22",
            &[("signCountVerdict", json!(verdict))],
            "both zero, or the new one higher",
            a,
        );
    }
    let mut reported = counting.ceremony.clone();
    reported.input["signCountRegression"] = "report".into();
    reported.draft.sign_count = 40;
    topic.ok_with(
        "auth-count-reported",
        "C22",
        &[("signCountVerdict", json!("regressed"))],
        "policy reports instead of refusing",
        reported,
    );

    // AppID.
    let appid = "https://example.org/u2f";
    let old = topic.ok(
        "auth-appid",
        "E-appid",
        "asked for, reported, and the hash is the AppID's",
        {
            let mut a = twin.ceremony.clone();
            a.input["appid"] = appid.into();
            a.draft.rp_id_hash = sha256(appid.as_bytes()).to_vec();
            a.json(|json| json["clientExtensionResults"] = json!({"appid": true}));
            a
        },
    );
    let mismatch = ("rp_id_mismatch", "7.2.15");
    topic.spoil(
        &old,
        "auth-appid-not-asked-for",
        "E-appid",
        mismatch,
        "the client's word counts only where the server asked",
        |a| {
            a.input.as_object_mut().unwrap().remove("appid");
        },
    );
    for (name, results) in [("false", json!({"appid": false})), ("absent", json!({}))] {
        topic.spoil(
            &old,
            &format!("auth-appid-{name}"),
            "E-appid",
            mismatch,
            "the client did not use it",
            move |a| {
                a.json(move |json| json["clientExtensionResults"] = results.clone());
            },
        );
    }
    topic.spoil(
        &old,
        "auth-appid-rp-id-hash",
        "E-appid",
        mismatch,
        "where the AppID was used, its hash is expected",
        |a| {
            a.draft.rp_id_hash = sha256(b"example.org").to_vec();
        },
    );
    topic.spoil(
        &old,
        "auth-appid-other",
        "E-appid",
        mismatch,
        "the hash of another AppID",
        |a| {
            a.draft.rp_id_hash = sha256(b"https://example.org/u2f/").to_vec();
        },
    );
    topic.vary(
        &old,
        "auth-appid-not-used",
        "E-appid",
        "asked for and not used: the RP ID's hash",
        |a| {
            a.draft.rp_id_hash = sha256(b"example.org").to_vec();
            a.json(|json| json["clientExtensionResults"] = json!({"appid": false}));
        },
    );

    // prf, largeBlob, credProps and the rest are ignored where nobody asked.
    topic.vary(
        &twin,
        "auth-extension-outputs",
        "C23",
        "outputs nobody asked for are ignored",
        |a| {
            a.json(|json| {
                json["clientExtensionResults"] =
                    json!({"largeBlob": {"blob": "AAAA"}, "prf": {"results": {"first": base64url(&[1; 32])}}})
            });
        },
    );
    topic.vary(
        &twin,
        "auth-uv-initialised-later",
        "C24",
        "whether UV now changes uvInitialized is the caller's decision, not the verifier's",
        |a| {
            a.input["userVerification"] = "preferred".into();
        },
    );
}
