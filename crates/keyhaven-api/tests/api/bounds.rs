//! What a ceremony is bound to, whatever its caller says: the page or app, the RP ID, the session that began it.

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_types::Origin;
use serde_json::json;

use crate::support::{App, ORIGIN, finish, settings};

/// An app is named by the hash of the key it is signed with; it sends no `Origin`, and its ceremonies say where they ran.
#[tokio::test]
async fn an_android_app_registers_and_signs_in_by_its_origin() {
    let app_origin = "android:apk-key-hash:7d1043473d55bfa90e8530d35801d4e381bc69f0f8a2b7c1d0e5";
    let mut settings = settings();
    settings
        .relying_party
        .origins
        .push(Origin::new(app_origin).unwrap());
    let app = App::with(settings).await;
    let mut device = SoftwareAuthenticator::new("phone");
    let mut native = app.native();
    let (good, other) = (app_origin, app_origin.replace("7d10", "7d11"));
    for (origin, status) in [(other.as_str(), 400), (good, 201)] {
        let started = native
            .post("/register/start", json!({"username": "alice"}))
            .await
            .expect(200);
        let credential = device.register(&started["publicKey"], origin);
        let done = native
            .post("/register/finish", finish(&started, &credential))
            .await;
        assert_eq!(done.status.as_u16(), status, "{}", done.text);
        assert!(status == 201 || done.code() == "origin_mismatch");
    }
    for (origin, status) in [(other.as_str(), 400), (good, 200)] {
        let mut native = app.native();
        let started = native.post("/login/start", json!({})).await.expect(200);
        let credential = device.authenticate(&started["publicKey"], origin);
        let done = native.post("/login/finish", finish(&started, &credential)).await;
        assert_eq!(done.status.as_u16(), status, "{}", done.text);
        assert!(status == 200 || done.code() == "origin_mismatch");
    }
}

/// Where a ceremony may happen, and for whom, is the deployment's to say: a caller's wishes are not looked at.
#[tokio::test]
async fn callers_choose_neither_rp_id_nor_origin() {
    let app = App::new().await;
    let wishes = json!({
        "rpId": "evil.example", "rp": {"id": "evil.example", "name": "Evil"}, "origin": "https://evil.example",
        "origins": ["https://evil.example"], "challenge": "AAAA", "userVerification": "discouraged", "timeout": 1,
        "publicKey": {"rp": {"id": "evil.example"}, "rpId": "evil.example"},
    });
    let with = |body: serde_json::Value| {
        let mut whole = wishes.clone();
        whole
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        whole
    };
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let started = browser
        .post("/register/start", with(json!({"username": "alice"})))
        .await
        .expect(200);
    let options = &started["publicKey"];
    assert_eq!(options["rp"], json!({"id": "example.org", "name": "Example"}));
    assert_eq!(options["timeout"], 300_000);
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["challenge"].as_str().unwrap().len(), 43);
    let credential = device.register(options, ORIGIN);
    let done = with(finish(&started, &credential));
    browser.post("/register/finish", done).await.expect(201);
    for step_up in [false, true] {
        let (start, body) = match step_up {
            false => ("/login/start", json!({})),
            true => ("/step-up/start", json!({"purpose": "export"})),
        };
        let started = browser.post(start, with(body)).await.expect(200);
        let options = &started["publicKey"];
        assert_eq!(options["rpId"], "example.org");
        assert_eq!(options["userVerification"], "required");
        // Signed on the page that was wished for, it is worth nothing.
        let credential = device.authenticate(options, "https://evil.example");
        let finish_at = start.replace("start", "finish");
        let done = browser
            .post(&finish_at, with(finish(&started, &credential)))
            .await;
        done.refused(400, "origin_mismatch");
    }
}

/// Only who started an addition can finish it: in the same session, of the same account.
#[tokio::test]
async fn an_addition_is_finished_by_the_session_that_started_it() {
    for case in ["another session", "another account", "nobody"] {
        let app = App::new().await;
        let mut device = SoftwareAuthenticator::new("device");
        let mut alice = app.browser();
        alice.register(&mut device, "alice").await;
        let started = alice.post("/register/start", json!({})).await.expect(200);
        let mut added = SoftwareAuthenticator::new("added");
        let credential = added.register(&started["publicKey"], "https://example.org");
        // The browser is the same, and so are the ceremony's cookie and the passkey that signs in.
        let mut other = alice.clone();
        let (code, registered) = match case {
            "another session" => {
                other.login(&mut device, None).await.expect(200);
                ("challenge_missing", 1)
            }
            "another account" => {
                other.cookies.remove("__Host-keyhaven_session");
                other
                    .register(&mut SoftwareAuthenticator::new("mallory"), "mallory")
                    .await;
                ("challenge_missing", 1)
            }
            _ => {
                other.cookies.remove("__Host-keyhaven_session");
                ("challenge_missing", 0)
            }
        };
        let refused = other
            .post("/register/finish", finish(&started, &credential))
            .await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, code), "{case}");
        if registered == 1 {
            let list = other.get("/credentials").await.expect(200);
            assert_eq!(
                list["credentials"].as_array().unwrap().len(),
                registered,
                "{case}"
            );
        }
        let mut owner = app.browser();
        owner.login(&mut device, None).await.expect(200);
        let list = owner.get("/credentials").await.expect(200);
        assert_eq!(list["credentials"].as_array().unwrap().len(), 1, "{case}");
        let nobodys = app.browser().login(&mut added, None).await;
        nobodys.refused(401, "credential_not_found");
    }
}
