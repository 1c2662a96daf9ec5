//! The four ceremony routes, and what an attacker tries at them.

use crate::support::{App, ORIGIN, OTHER_ORIGIN, finish, settings};
use axum::http::Method;
use keyhaven_core::{BackupPolicy, CrossOrigin, UnsolicitedExtensions, base64url};
use keyhaven_service::Settings;
use keyhaven_storage::{AuditEvent, AuditOutcome};
use keyhaven_testkit::authenticator::{BE, Cbor, SoftwareAuthenticator, UP};
use keyhaven_types::{CoseAlgorithm, Origin, UnixTime, UserVerification};
use serde_json::json;

#[tokio::test]
async fn a_person_registers_and_signs_in_by_name_and_without() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "Alice").await;
    assert_eq!(registered["user"]["username"], "alice");
    assert_eq!(registered["session"]["aal"], 2);
    assert_eq!(registered["credential"]["backedUp"], true);
    browser.get("/session").await.expect(200);
    for name in [Some("ALICE"), None] {
        let mut elsewhere = app.browser();
        let body = elsewhere.login(&mut device, name).await.expect(200);
        assert_eq!(body["user"], registered["user"]);
        assert_eq!(elsewhere.get("/account").await.expect(200), registered["user"]);
    }
}

#[tokio::test]
async fn the_options_are_what_browsers_expect() {
    let app = App::new().await;
    let started = app
        .browser()
        .post(
            "/register/start",
            json!({"username": "alice", "displayName": "Alice A."}),
        )
        .await;
    let options = &started.expect(200)["publicKey"];
    assert_eq!(options["rp"], json!({"id": "example.org", "name": "Example"}));
    assert_eq!(options["user"]["displayName"], "Alice A.");
    assert_eq!(
        options["user"]["id"].as_str().unwrap().len(),
        43,
        "32 random bytes"
    );
    assert_eq!(options["timeout"], 300_000);
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    let discoverable = app.browser().post("/login/start", json!({})).await.expect(200);
    assert_eq!(discoverable["publicKey"]["allowCredentials"], json!([]));
    assert_eq!(discoverable["publicKey"]["rpId"], "example.org");
}

#[tokio::test]
async fn a_finish_works_once_and_a_failed_one_uses_the_ceremony_up() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let good = finish(
        &started,
        &device.authenticate(&started["publicKey"], "https://example.org"),
    );
    browser.post("/login/finish", good.clone()).await.expect(200);
    browser
        .post("/login/finish", good)
        .await
        .refused(400, "challenge_missing");

    let started = browser.post("/login/start", json!({})).await.expect(200);
    let good = finish(
        &started,
        &device.authenticate(&started["publicKey"], "https://example.org"),
    );
    let mut bad = good.clone();
    bad["credential"]["response"]["signature"] = json!("MAYCAQECAQE");
    browser
        .post("/login/finish", bad)
        .await
        .refused(401, "authentication_failed");
    browser
        .post("/login/finish", good)
        .await
        .refused(400, "challenge_missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_parallel_finishes_one_succeeds() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let started = browser
        .post("/register/start", json!({"username": "alice"}))
        .await
        .expect(200);
    let body = finish(
        &started,
        &device.register(&started["publicKey"], "https://example.org"),
    );
    assert_eq!(successes(&browser, "/register/finish", &body, 201).await, 1);
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let body = finish(
        &started,
        &device.authenticate(&started["publicKey"], "https://example.org"),
    );
    assert_eq!(successes(&browser, "/login/finish", &body, 200).await, 1);
}

async fn successes(
    browser: &crate::support::Client,
    path: &'static str,
    body: &serde_json::Value,
    status: u16,
) -> usize {
    let tries: Vec<_> = (0..200)
        .map(|_| {
            let (mut browser, body) = (browser.clone(), body.clone());
            tokio::spawn(async move { browser.post(path, body).await })
        })
        .collect();
    let mut won = 0;
    for answer in tries {
        let answer = answer.await.unwrap();
        if answer.status.as_u16() == status {
            won += 1;
        } else {
            answer.refused(400, "challenge_missing");
        }
    }
    won
}

#[tokio::test]
async fn a_ceremony_belongs_to_the_browser_that_started_it() {
    let app = App::new().await;
    let mut mallory = SoftwareAuthenticator::new("mallory");
    app.browser().register(&mut mallory, "mallory").await;
    // Mallory starts a sign-in and has Victoria's browser finish it.
    let mut attacker = app.browser();
    let started = attacker.post("/login/start", json!({})).await.expect(200);
    let planted = finish(
        &started,
        &mallory.authenticate(&started["publicKey"], "https://example.org"),
    );
    let mut victim = app.browser();
    victim.post("/login/start", json!({})).await.expect(200);
    victim
        .post("/login/finish", planted.clone())
        .await
        .refused(400, "challenge_missing");
    assert_eq!(victim.session_cookie(), None);
    // Nor can it be finished afterwards, or without the cookie, or as another kind of client.
    attacker
        .post("/login/finish", planted)
        .await
        .refused(400, "challenge_missing");
    for (starts_native, finishes_native) in [(true, false), (false, true)] {
        let client = |native| if native { app.native() } else { app.browser() };
        let mut starter = client(starts_native);
        let started = starter.post("/login/start", json!({})).await.expect(200);
        let body = finish(
            &started,
            &mallory.authenticate(&started["publicKey"], "https://example.org"),
        );
        let mut finisher = client(finishes_native);
        finisher.cookies = starter.cookies.clone();
        finisher
            .post("/login/finish", body)
            .await
            .refused(400, "challenge_missing");
    }
}

#[tokio::test]
async fn a_native_client_needs_no_cookie() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut native = app.native();
    native.register(&mut device, "alice").await;
    let mut another = app.native();
    another.login(&mut device, Some("alice")).await.expect(200);
}

#[tokio::test]
async fn a_response_of_another_allowed_origin_is_refused() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let body = finish(
        &started,
        &device.authenticate(&started["publicKey"], OTHER_ORIGIN),
    );
    let answer = browser.post("/login/finish", body).await;
    answer.refused(400, "origin_mismatch");
    assert_eq!(answer.body["step"], "L3 7.2.12");
}

#[tokio::test]
async fn a_ceremony_ends_with_its_time() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let body = finish(
        &started,
        &device.authenticate(&started["publicKey"], "https://example.org"),
    );
    app.pass(300);
    browser
        .post("/login/finish", body)
        .await
        .refused(400, "challenge_missing");
}

#[tokio::test]
async fn a_ceremony_of_one_kind_does_not_finish_another() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let login = browser.post("/login/start", json!({})).await.expect(200);
    let assertion = device.authenticate(&login["publicKey"], "https://example.org");
    browser
        .post("/step-up/finish", finish(&login, &assertion))
        .await
        .refused(400, "challenge_missing");
    let login = browser.post("/login/start", json!({})).await.expect(200);
    let assertion = device.authenticate(&login["publicKey"], "https://example.org");
    browser
        .post("/register/finish", finish(&login, &assertion))
        .await
        .refused(400, "challenge_missing");
}

#[tokio::test]
async fn a_user_who_was_not_verified_is_refused_whatever_the_options_said() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    device.verifies_user = false;
    let answer = browser.login(&mut device, None).await;
    answer.refused(400, "user_verification_missing");
    assert_eq!(answer.body["step"], "L3 7.2.17");
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let mut draft = device
        .draft_assertion(&started["publicKey"], "https://example.org")
        .unwrap();
    draft.flags &= !UP;
    browser
        .post("/login/finish", finish(&started, &draft.finish()))
        .await
        .refused(400, "user_presence_missing");
}

#[tokio::test]
async fn a_sign_count_that_falls_is_refused_also_to_zero() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let clone = device.clone();
    browser.login(&mut device, None).await.expect(200);
    browser.login(&mut device, None).await.expect(200);
    browser
        .login(&mut clone.clone(), None)
        .await
        .refused(401, "authentication_failed");
    let mut silent = clone;
    silent.counts = false;
    silent.credentials[0].sign_count = 0;
    browser
        .login(&mut silent, None)
        .await
        .refused(401, "authentication_failed");
    browser.login(&mut device, None).await.expect(200);
}

#[tokio::test]
async fn a_name_and_a_credential_are_registered_once() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let first = browser
        .post("/register/start", json!({"username": "alice"}))
        .await
        .expect(200);
    let mut rival = app.browser();
    let second = rival
        .post("/register/start", json!({"username": "ALICE"}))
        .await
        .expect(200);
    let credential = device.register(&first["publicKey"], "https://example.org");
    browser
        .post("/register/finish", finish(&first, &credential))
        .await
        .expect(201);
    let late = SoftwareAuthenticator::new("rival").register(&second["publicKey"], "https://example.org");
    rival
        .post("/register/finish", finish(&second, &late))
        .await
        .refused(409, "username_taken");
    app.browser()
        .post("/register/start", json!({"username": "alice"}))
        .await
        .refused(409, "username_taken");
    // The same credential id under another name.
    let mut thief = app.browser();
    let started = thief
        .post("/register/start", json!({"username": "bob"}))
        .await
        .expect(200);
    let same_id = SoftwareAuthenticator::new("device").register(&started["publicKey"], "https://example.org");
    thief
        .post("/register/finish", finish(&started, &same_id))
        .await
        .refused(409, "credential_exists");
}

#[tokio::test]
async fn somebody_elses_credential_does_not_sign_in_by_name() {
    let app = App::new().await;
    let (mut alices, mut bobs) = (
        SoftwareAuthenticator::new("alice"),
        SoftwareAuthenticator::new("bob"),
    );
    app.browser().register(&mut alices, "alice").await;
    app.browser().register(&mut bobs, "bob").await;
    let mut browser = app.browser();
    let started = browser
        .post("/login/start", json!({"username": "alice"}))
        .await
        .expect(200);
    let mut options = started["publicKey"].clone();
    options["allowCredentials"] = json!([]);
    let body = finish(&started, &bobs.authenticate(&options, "https://example.org"));
    browser
        .post("/login/finish", body)
        .await
        .refused(400, "credential_not_allowed");
    // And Bob's passkey with Alice's user handle is nobody's.
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let mut credential = bobs.authenticate(&started["publicKey"], "https://example.org");
    let alices_handle = keyhaven_testkit::authenticator::base64url(&alices.credentials[0].user_handle);
    credential["response"]["userHandle"] = json!(alices_handle);
    browser
        .post("/login/finish", finish(&started, &credential))
        .await
        .refused(401, "authentication_failed");
}

#[tokio::test]
async fn a_conditional_registration_is_not_for_everyone() {
    let app = App::new().await;
    let body = json!({"username": "alice", "mediation": "conditional"});
    app.browser()
        .post("/register/start", body)
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn a_failed_finish_is_an_audit_event_with_the_precise_code() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let mut credential = device.authenticate(&started["publicKey"], "https://example.org");
    credential["response"]["signature"] = json!("MAYCAQECAQE");
    browser
        .post("/login/finish", finish(&started, &credential))
        .await
        .refused(401, "authentication_failed");
    let account = registered["user"]["id"].as_str().unwrap().parse().unwrap();
    let events = app.store.events_of(account, None, 10).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.action.as_str(),
                event.code.as_deref(),
                event.step.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("login.finish", Some("signature_invalid"), Some("L3 7.2.21")),
            ("registration.finish", None, None)
        ]
    );
    let opened = app.keyhaven.privacy.opened(events[0].clone()).await.unwrap();
    assert_eq!(opened.ip.as_deref(), Some("192.0.2.1"));
}

#[tokio::test]
async fn a_new_sign_in_ends_the_session_that_was_presented() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let before = browser.clone();
    browser.login(&mut device, None).await.expect(200);
    assert_ne!(before.session_cookie(), browser.session_cookie());
    before
        .clone()
        .get("/session")
        .await
        .refused(401, "unauthenticated");
    browser.get("/session").await.expect(200);
}

#[tokio::test]
async fn malformed_finishes_are_refused_by_code() {
    let app = App::new().await;
    let mut browser = app.browser();
    for (body, code) in [
        (json!({"ceremonyId": "no", "credential": {}}), "challenge_missing"),
        (
            json!({"ceremonyId": "A".repeat(43), "credential": {}}),
            "challenge_missing",
        ),
        (json!({"credential": {}}), "invalid_request"),
        (json!([]), "invalid_request"),
    ] {
        browser
            .post("/login/finish", body.clone())
            .await
            .refused(400, code);
        browser.post("/register/finish", body).await.refused(400, code);
    }
    let started = browser.post("/login/start", json!({})).await.expect(200);
    for credential in [json!({}), json!(7), json!("x"), json!({"id": 1}), json!(null)] {
        let answer = browser.post("/login/finish", finish(&started, &credential)).await;
        assert!(
            ["malformed_response", "challenge_missing"].contains(&answer.code()),
            "{}",
            answer.text
        );
    }
    let answer = browser
        .send(
            Method::POST,
            "/login/start",
            &[("content-type", "application/json")],
            b"{".to_vec(),
        )
        .await;
    answer.refused(400, "invalid_request");
}

#[tokio::test]
async fn a_changed_event_is_not_authentic() {
    let app = App::new().await;
    let registered = app
        .browser()
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    let account = registered["user"]["id"].as_str().unwrap().parse().unwrap();
    let event = app.store.events_of(account, None, 1).await.unwrap().remove(0);
    assert!(app.keyhaven.event_is_authentic(&event));
    let changes: [fn(&mut AuditEvent); 12] = [
        |event| event.id.0 = uuid::Uuid::nil(),
        |event| event.at = UnixTime::from_millis(event.at.as_millis() + 1),
        |event| event.action.push('x'),
        |event| event.outcome = AuditOutcome::Refused,
        |event| event.code = Some(String::new()),
        |event| event.step = Some("L3 7.1.8".into()),
        |event| event.account = None,
        |event| event.credential = None,
        |event| event.session = None,
        |event| event.ip = Some("192.0.2.2".into()),
        |event| event.request_id = Some("another".into()),
        |event| event.personal = None,
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut changed = event.clone();
        change(&mut changed);
        assert!(!app.keyhaven.event_is_authentic(&changed), "change {n}");
    }
}

#[tokio::test]
async fn verification_counts_as_a_factor_only_where_the_passkey_was_registered_with_it() {
    let app = App::with(Settings {
        user_verification: UserVerification::Preferred,
        ..settings()
    })
    .await;
    let mut browser = app.browser();
    let mut device = SoftwareAuthenticator::new("device");
    device.verifies_user = false;
    let registered = browser.register(&mut device, "alice").await;
    assert_eq!(registered["session"]["aal"], 1);
    // Whoever holds the device may have set its PIN since.
    device.verifies_user = true;
    let answer = browser.login(&mut device, None).await.expect(200);
    assert_eq!(answer["session"]["aal"], 1);
    let mut other = SoftwareAuthenticator::new("other");
    browser.register(&mut other, "bob").await;
    let answer = browser.login(&mut other, None).await.expect(200);
    assert_eq!(answer["session"]["aal"], 2);
    // A sign-in without verification is one factor, whatever the passkey can do.
    other.verifies_user = false;
    let answer = browser.login(&mut other, None).await.expect(200);
    assert_eq!(answer["session"]["aal"], 1);
}

#[tokio::test]
async fn an_embedded_page_is_served_only_where_it_is_expected() {
    let shop = Origin::new("https://shop.example").unwrap();
    let mut embedding = settings();
    embedding.relying_party.cross_origin = CrossOrigin::Allow {
        top_origins: vec![shop],
    };
    for (settings, top_origin, code) in [
        (
            settings(),
            "https://shop.example",
            Some("cross_origin_not_allowed"),
        ),
        (embedding.clone(), "https://shop.example", None),
        (embedding, "https://evil.example", Some("top_origin_not_allowed")),
    ] {
        let app = App::with(settings).await;
        let mut browser = app.browser();
        let mut device = SoftwareAuthenticator::new("device");
        let started = browser
            .post("/register/start", json!({"username": "alice"}))
            .await
            .expect(200);
        let mut draft = device.draft_registration(&started["publicKey"], ORIGIN).unwrap();
        draft.client_data.set("crossOrigin", true);
        draft.client_data.set("topOrigin", top_origin);
        let body = json!({"ceremonyId": started["ceremonyId"], "credential": draft.finish()});
        let answer = browser.post("/register/finish", body).await;
        match code {
            None => {
                answer.expect(201);
            }
            Some(code) => answer.refused(400, code),
        }
    }
}

#[tokio::test]
async fn policies_reach_the_verifier() {
    let device_bound = Settings {
        backup: BackupPolicy::DeviceBound,
        ..settings()
    };
    let solicited = Settings {
        unsolicited_extensions: UnsolicitedExtensions::Refuse,
        ..settings()
    };
    let es384 = Settings {
        algorithms: vec![CoseAlgorithm::ES384],
        ..settings()
    };
    for (settings, code) in [
        (device_bound, "backup_flags_invalid"),
        (solicited, "extension_not_allowed"),
        (es384, "algorithm_not_allowed"),
    ] {
        let app = App::with(settings).await;
        let mut browser = app.browser();
        let mut device = SoftwareAuthenticator::new("device");
        let start = json!({"username": "alice"});
        let mut started = browser.post("/register/start", start).await.expect(200);
        started["publicKey"]["pubKeyCredParams"] = json!([{"type": "public-key", "alg": -7}]);
        let mut draft = device.draft_registration(&started["publicKey"], ORIGIN).unwrap();
        draft.flags |= BE;
        draft.set_extensions(Cbor::Map(vec![("minPinLength".into(), 4.into())]));
        let body = json!({"ceremonyId": started["ceremonyId"], "credential": draft.finish()});
        let answer = browser.post("/register/finish", body).await;
        answer.refused(400, code);
    }
}

/// Safari 15.4 to 17.3 wrote an empty one for security keys that keep none.
#[tokio::test]
async fn an_empty_user_handle_is_none() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    app.browser().register(&mut device, "alice").await;
    let by_name = json!({"username": "alice"});
    for (start, handle, refused) in [
        (by_name.clone(), "", None),
        (by_name, "AAAA", Some("authentication_failed")),
        (json!({}), "", Some("user_handle_missing")),
    ] {
        let mut browser = app.browser();
        let started = browser.post("/login/start", start).await.expect(200);
        let mut credential = device.authenticate(&started["publicKey"], ORIGIN);
        credential["response"]["userHandle"] = json!(handle);
        let answer = browser.post("/login/finish", finish(&started, &credential)).await;
        match refused {
            None => {
                answer.expect(200);
            }
            Some(code) => answer.refused(401, code),
        }
    }
    // Confirmed so, an action is shown by what is not at odds with itself.
    let mut browser = app.browser();
    browser.login(&mut device, Some("alice")).await.expect(200);
    let body = json!({"purpose": "action", "actionHash": base64url::encode(&[7; 32])});
    let started = browser.post("/step-up/start", body).await.expect(200);
    let mut credential = device.authenticate(&started["publicKey"], ORIGIN);
    credential["response"]["userHandle"] = json!("");
    let granted = browser
        .post("/step-up/finish", finish(&started, &credential))
        .await
        .expect(200);
    let shown = &granted["confirmation"]["response"]["response"];
    assert!(shown["signature"].is_string());
    assert_eq!(shown.get("userHandle"), None);
}
