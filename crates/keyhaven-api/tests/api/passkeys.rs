//! Managing passkeys.

use axum::http::Method;
use keyhaven_service::{ClonePolicy, Settings};
use keyhaven_testkit::authenticator::{BE, SoftwareAuthenticator};
use keyhaven_types::{Aaguid, base64url};
use serde_json::{Value, json};

use crate::passwords::fallback;
use crate::support::{App, Client, finish, settings};

async fn add(client: &mut Client, device: &mut SoftwareAuthenticator) -> Value {
    let started = client.post("/register/start", json!({})).await.expect(200);
    let credential = device.register(&started["publicKey"], "https://example.org");
    client
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201)
}

fn id(registered: &Value) -> String {
    registered["credential"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_second_passkey_is_added_listed_named_and_deleted() {
    let app = App::new().await;
    let (mut phone, mut key) = (
        SoftwareAuthenticator::new("phone"),
        SoftwareAuthenticator::new("key"),
    );
    key.backup = 0;
    let mut browser = app.browser();
    let first = browser.register(&mut phone, "alice").await;
    // The older one comes first.
    app.pass(1);
    let second = add(&mut browser, &mut key).await;
    assert_eq!(second["user"], first["user"]);
    assert_eq!(
        second["session"]["id"], first["session"]["id"],
        "adding a passkey is no new sign-in"
    );

    let list = browser.get("/credentials").await.expect(200);
    assert_eq!(list["rpId"], "example.org");
    let ids: Vec<_> = list["credentials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].clone())
        .collect();
    assert_eq!(
        ids,
        [
            first["credential"]["id"].clone(),
            second["credential"]["id"].clone()
        ]
    );
    assert_eq!(list["credentials"][1]["backupEligible"], false);

    let path = format!("/credentials/{}", id(&second));
    let renamed = browser
        .json(Method::PATCH, &path, json!({"deviceName": " Blue key "}))
        .await
        .expect(200);
    assert_eq!(renamed["deviceName"], "Blue key");
    browser
        .json(Method::PATCH, &path, json!({"deviceName": ""}))
        .await
        .refused(400, "invalid_request");

    browser.delete(&path).await.expect(200);
    browser.get(&path).await.refused(404, "not_found");
    app.browser()
        .login(&mut key, None)
        .await
        .refused(401, "credential_not_found");
    app.browser().login(&mut phone, None).await.expect(200);
}

#[tokio::test]
async fn the_account_excludes_the_passkeys_it_has() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let started = browser.post("/register/start", json!({})).await.expect(200);
    assert_eq!(
        started["publicKey"]["excludeCredentials"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(
        device
            .try_register(&started["publicKey"], "https://example.org")
            .is_err()
    );
}

#[tokio::test]
async fn the_last_passkey_stays() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    browser
        .delete(&format!("/credentials/{}", id(&registered)))
        .await
        .refused(409, "last_credential");
    browser
        .delete("/credentials")
        .await
        .refused(409, "last_credential");
    let mut other = SoftwareAuthenticator::new("other");
    add(&mut browser, &mut other).await;
    browser
        .delete("/credentials")
        .await
        .refused(409, "last_credential");
    browser
        .delete(&format!("/credentials?except={}", id(&registered)))
        .await
        .expect(200);
    let left = browser.get("/credentials").await.expect(200);
    assert_eq!(left["credentials"].as_array().unwrap().len(), 1);
    browser
        .delete("/credentials?except=AAAA")
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_mistyped_parameter_deletes_no_passkey() {
    // Where a password signs in alone nothing else would keep the last one.
    let app = App::with(fallback()).await;
    let mut browser = app.browser();
    let registered = browser
        .register(&mut SoftwareAuthenticator::new("phone"), "alice")
        .await;
    add(&mut browser, &mut SoftwareAuthenticator::new("key")).await;
    let id = id(&registered);
    for query in [
        format!("Except={id}"),
        format!("exept={id}"),
        format!("id={id}"),
        format!("except={id}&all=true"),
        format!("%65xcept%20={id}"),
    ] {
        browser
            .delete(&format!("/credentials?{query}"))
            .await
            .refused(400, "invalid_request");
    }
    let left = browser.get("/credentials").await.expect(200);
    assert_eq!(left["credentials"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_old_sign_in_must_be_confirmed_for_each_change() {
    let app = App::new().await;
    let (mut phone, mut key) = (
        SoftwareAuthenticator::new("phone"),
        SoftwareAuthenticator::new("key"),
    );
    let mut browser = app.browser();
    let first = browser.register(&mut phone, "alice").await;
    app.pass(301);
    let refused = browser.post("/register/start", json!({})).await;
    refused.refused(403, "step_up_required");
    assert_eq!(refused.body["purpose"], "add_passkey");

    // A grant for one purpose serves no other.
    browser.step_up(&mut phone, "delete_passkey").await;
    browser
        .post("/register/start", json!({}))
        .await
        .refused(403, "step_up_required");
    assert_eq!(
        browser.step_up(&mut phone, "add_passkey").await["purpose"],
        "add_passkey"
    );
    let second = add(&mut browser, &mut key).await;

    // Deleting uses its grant up.
    browser
        .delete(&format!("/credentials/{}", id(&second)))
        .await
        .expect(200);
    let refused = browser.delete(&format!("/credentials/{}", id(&first))).await;
    refused.refused(403, "step_up_required");
    assert_eq!(refused.body["purpose"], "delete_passkey");
    // And a grant ends.
    browser.step_up(&mut phone, "delete_passkey").await;
    app.pass(300);
    browser
        .delete(&format!("/credentials/{}", id(&first)))
        .await
        .refused(403, "step_up_required");
}

#[tokio::test]
async fn a_grant_belongs_to_its_session() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut one = app.browser();
    one.register(&mut device, "alice").await;
    let mut two = app.browser();
    two.login(&mut device, None).await.expect(200);
    app.pass(301);
    one.step_up(&mut device, "add_passkey").await;
    two.post("/register/start", json!({}))
        .await
        .refused(403, "step_up_required");
    // Nor can one session finish what another started.
    let started = one
        .post("/step-up/start", json!({"purpose": "add_passkey"}))
        .await
        .expect(200);
    let credential = device.authenticate(&started["publicKey"], "https://example.org");
    two.cookies.insert(
        "__Host-keyhaven_ceremony".into(),
        one.cookies["__Host-keyhaven_ceremony"].clone(),
    );
    two.post("/step-up/finish", finish(&started, &credential))
        .await
        .refused(400, "challenge_missing");
}

#[tokio::test]
async fn other_peoples_passkeys_are_not_there() {
    let app = App::new().await;
    let mut alice = app.browser();
    let hers = alice
        .register(&mut SoftwareAuthenticator::new("alice"), "alice")
        .await;
    let mut mallory = app.browser();
    mallory
        .register(&mut SoftwareAuthenticator::new("mallory"), "mallory")
        .await;
    let path = format!("/credentials/{}", id(&hers));
    mallory.get(&path).await.refused(404, "not_found");
    mallory
        .json(Method::PATCH, &path, json!({"deviceName": "mine"}))
        .await
        .refused(404, "not_found");
    mallory.delete(&path).await.refused(404, "not_found");
    mallory.get("/credentials/%20").await.refused(404, "not_found");
    alice.get(&path).await.expect(200);
}

#[tokio::test]
async fn deleting_a_passkey_ends_the_sessions_it_opened() {
    let app = App::new().await;
    let (mut phone, mut key) = (
        SoftwareAuthenticator::new("phone"),
        SoftwareAuthenticator::new("key"),
    );
    let mut browser = app.browser();
    browser.register(&mut phone, "alice").await;
    let second = add(&mut browser, &mut key).await;
    let mut by_key = app.browser();
    by_key.login(&mut key, None).await.expect(200);
    browser
        .delete(&format!("/credentials/{}", id(&second)))
        .await
        .expect(200);
    by_key.get("/session").await.refused(401, "unauthenticated");
    browser.get("/session").await.expect(200);
}

#[tokio::test]
async fn a_public_key_is_shown_in_the_usual_forms() {
    let app = App::new().await;
    let mut browser = app.browser();
    let registered = browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    let shown = browser
        .get(&format!("/credentials/{}", id(&registered)))
        .await
        .expect(200);
    assert_eq!(shown["publicKey"]["algorithm"], -7);
    assert_eq!(shown["publicKey"]["jwk"]["kty"], "EC");
    assert!(
        shown["publicKey"]["pem"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN PUBLIC KEY-----")
    );
    assert_eq!(shown["deviceName"], registered["credential"]["deviceName"]);
}

#[tokio::test]
async fn backup_state_is_kept_up_to_date() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    device.backup = BE;
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    assert_eq!(registered["credential"]["backedUp"], false);
    device.credentials[0].backup = BE | keyhaven_testkit::authenticator::BS;
    assert_eq!(
        browser.login(&mut device, None).await.expect(200)["credential"]["backedUp"],
        true
    );
    assert_eq!(
        browser.get("/credentials").await.expect(200)["credentials"][0]["backedUp"],
        true
    );
}

#[tokio::test]
async fn one_grant_adds_one_passkey_however_many_were_started_with_it() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    app.pass(600);
    browser.step_up(&mut device, "add_passkey").await;
    let mut started = Vec::new();
    for _ in 0..3 {
        started.push(browser.post("/register/start", json!({})).await.expect(200));
    }
    let mut statuses = Vec::new();
    for (n, started) in started.iter().enumerate() {
        let mut key = SoftwareAuthenticator::new(format!("key {n}"));
        let credential = key.register(&started["publicKey"], "https://example.org");
        let answer = browser
            .post("/register/finish", finish(started, &credential))
            .await;
        statuses.push((answer.status.as_u16(), answer.code().to_owned()));
    }
    let refused = (403, "step_up_required".to_owned());
    assert_eq!(statuses, [(201, String::new()), refused.clone(), refused]);
    let list = browser.get("/credentials").await.expect(200);
    assert_eq!(list["credentials"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_sign_in_that_was_fresh_at_the_start_must_be_fresh_at_the_finish() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    app.pass(299);
    let started = browser.post("/register/start", json!({})).await.expect(200);
    app.pass(2);
    let mut key = SoftwareAuthenticator::new("key");
    let credential = key.register(&started["publicKey"], "https://example.org");
    let answer = browser
        .post("/register/finish", finish(&started, &credential))
        .await;
    answer.refused(403, "step_up_required");
}

#[tokio::test]
async fn an_account_full_of_the_longest_ids_still_signs_in() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    // All are started before any is finished: that the account is full is judged at the end.
    let mut started = Vec::new();
    for _ in 0..64 {
        started.push(browser.post("/register/start", json!({})).await.expect(200));
    }
    let mut refused = 0;
    for (n, started) in started.iter().enumerate() {
        let mut key = SoftwareAuthenticator::new(format!("key {n}"));
        let mut draft = key
            .draft_registration(&started["publicKey"], "https://example.org")
            .unwrap();
        draft.credential_id.resize(1023, 7);
        draft.envelope_id.clone_from(&draft.credential_id);
        let answer = browser
            .post("/register/finish", finish(started, &draft.finish()))
            .await;
        if answer.status == 403 {
            refused += 1;
        } else {
            answer.expect(201);
        }
    }
    assert_eq!(refused, 1, "64 in all");
    app.browser().login(&mut device, Some("alice")).await.expect(200);
    browser.step_up(&mut device, "export").await;
}

#[tokio::test]
async fn an_action_is_confirmed_by_its_own_hash_only() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let (hash, nonce_and_hash) = (base64url::encode(&[7; 32]), |confirmation: &Value| {
        let bytes = |field: &str| base64url::decode(confirmation["action"][field].as_str().unwrap()).unwrap();
        (bytes("nonce"), bytes("hash"))
    });
    for bad in [
        json!({"purpose": "action", "actionHash": "AAAA"}),
        json!({"purpose": "action", "actionHash": "not base64url"}),
        json!({"purpose": "export", "actionHash": hash}),
    ] {
        browser
            .post("/step-up/start", bad)
            .await
            .refused(400, "invalid_request");
    }
    let started = browser
        .post("/step-up/start", json!({"purpose": "action", "actionHash": hash}))
        .await
        .expect(200);
    let credential = device.authenticate(&started["publicKey"], "https://example.org");
    let granted = browser
        .post("/step-up/finish", finish(&started, &credential))
        .await
        .expect(200);
    let confirmation = &granted["confirmation"];
    let (nonce, action) = nonce_and_hash(confirmation);
    assert_eq!(action, [7; 32]);
    // The challenge that was signed is made from the action.
    let challenge = keyhaven_core::action_challenge(&nonce.try_into().unwrap(), &[7; 32]);
    assert_eq!(
        started["publicKey"]["challenge"],
        base64url::encode(challenge.as_bytes())
    );
    // A confirmation of an action is no grant for anything else, and one without an action confirms none.
    let plain = browser.step_up(&mut device, "action").await;
    assert_eq!(plain["confirmation"], Value::Null);
}

/// The user handle that this account's passkeys carry.
fn user_handle(device: &SoftwareAuthenticator) -> String {
    base64url::encode(&device.credentials[0].user_handle)
}

#[tokio::test]
async fn answers_after_a_change_carry_what_the_browser_is_to_be_told() {
    let app = App::new().await;
    let (mut phone, mut key) = (
        SoftwareAuthenticator::new("phone"),
        SoftwareAuthenticator::new("key"),
    );
    let mut browser = app.browser();
    let first = browser.register(&mut phone, "alice").await;
    let user_id = user_handle(&phone);
    let names = json!({"rpId": "example.org", "userId": user_id, "name": "alice", "displayName": "alice"});
    let accepted =
        |ids: &[&Value]| json!({"rpId": "example.org", "userId": user_id, "allAcceptedCredentialIds": ids});
    let one = &first["credential"]["id"];
    assert_eq!(
        first["signals"],
        json!({"allAcceptedCredentials": accepted(&[one]), "currentUserDetails": names})
    );
    app.pass(1);
    let second = add(&mut browser, &mut key).await;
    let two = &second["credential"]["id"];
    let all = json!({"allAcceptedCredentials": accepted(&[one, two]), "currentUserDetails": names});
    assert_eq!(second["signals"], all);
    assert_eq!(browser.get("/credentials").await.expect(200)["signals"], all);
    let path = format!("/credentials/{}", id(&second));
    let renamed = browser
        .json(Method::PATCH, &path, json!({"deviceName": "Blue"}))
        .await
        .expect(200);
    assert_eq!(renamed["signals"], all);
    let left = json!({"allAcceptedCredentials": accepted(&[one]), "currentUserDetails": names});
    assert_eq!(browser.delete(&path).await.expect(200)["signals"], left);
    add(&mut browser, &mut SoftwareAuthenticator::new("third")).await;
    let except = format!("/credentials?except={}", id(&first));
    assert_eq!(browser.delete(&except).await.expect(200)["signals"], left);
    // A sign-in reads no list, and names no passkeys.
    let signed_in = browser.login(&mut phone, None).await.expect(200);
    assert_eq!(signed_in["signals"], json!({"currentUserDetails": names}));
}

#[tokio::test]
async fn a_passkey_that_is_certainly_unknown_is_signalled_and_no_other() {
    let app = App::new().await;
    let (mut phone, mut key) = (
        SoftwareAuthenticator::new("phone"),
        SoftwareAuthenticator::new("key"),
    );
    let mut browser = app.browser();
    browser.register(&mut phone, "alice").await;
    let second = add(&mut browser, &mut key).await;
    let path = format!("/credentials/{}", id(&second));
    browser.delete(&path).await.expect(200);
    let answer = app.browser().login(&mut key, None).await;
    answer.refused(401, "credential_not_found");
    assert_eq!(
        answer.body["signals"],
        json!({"unknownCredential": {"rpId": "example.org", "credentialId": second["credential"]["id"]}})
    );
    // A decoy, and one whose signature is wrong, are refused alike and without a word to the browser.
    let mut stranger = app.browser();
    let started = stranger
        .post("/login/start", json!({"username": "nobody"}))
        .await
        .expect(200);
    let decoy = started["publicKey"]["allowCredentials"][0]["id"].clone();
    let mut credential = phone.authenticate(
        &json!({"rpId": "example.org", "challenge": started["publicKey"]["challenge"]}),
        "https://example.org",
    );
    credential["id"] = decoy.clone();
    credential["rawId"] = decoy;
    let answer = stranger
        .post("/login/finish", finish(&started, &credential))
        .await;
    answer.refused(401, "authentication_failed");
    assert_eq!(answer.body.get("signals"), None);
}

#[tokio::test]
async fn a_revoked_passkey_is_no_accepted_one_and_a_suspended_one_is() {
    for (clones, accepted) in [(ClonePolicy::Revoke, 1), (ClonePolicy::Suspend, 2)] {
        let app = App::with(Settings { clones, ..settings() }).await;
        let (mut phone, mut key) = (
            SoftwareAuthenticator::new("phone"),
            SoftwareAuthenticator::new("key"),
        );
        let mut browser = app.browser();
        browser.register(&mut phone, "alice").await;
        add(&mut browser, &mut key).await;
        let mut copy = key.clone();
        browser.login(&mut key, None).await.expect(200);
        app.pass(1);
        app.browser()
            .login(&mut copy, None)
            .await
            .refused(401, "authentication_failed");
        browser.login(&mut phone, None).await.expect(200);
        let list = browser.get("/credentials").await.expect(200);
        assert_eq!(list["credentials"].as_array().unwrap().len(), 2);
        let ids = &list["signals"]["allAcceptedCredentials"]["allAcceptedCredentialIds"];
        assert_eq!(ids.as_array().unwrap().len(), accepted);
    }
}

#[tokio::test]
async fn a_passkey_is_named_by_its_model_and_says_whether_it_is_synced_and_from_where_it_came() {
    let app = App::new().await;
    let mut synced = SoftwareAuthenticator::new("synced");
    let google: Aaguid = "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4".parse().unwrap();
    synced.aaguid = *google.as_bytes();
    let mut browser = app.browser();
    let body = json!({"username": "alice"});
    let started = browser.post("/register/start", body).await.expect(200);
    let credential = synced.register(&started["publicKey"], "https://example.org");
    let body = serde_json::to_vec(&finish(&started, &credential)).unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "Browser/1.0"),
    ];
    let registered = browser
        .send(Method::POST, "/register/finish", &headers, body)
        .await
        .expect(201);
    let passkey = &registered["credential"];
    assert_eq!(passkey["deviceName"], "Google Password Manager");
    assert_eq!(passkey["authenticatorName"], "Google Password Manager");
    assert_eq!(passkey["userAgent"], "Browser/1.0");
    assert_eq!(passkey["backupEligible"], true);
    assert_eq!(passkey["lastUsedAt"], Value::Null);
    app.pass(5);
    let used = browser.login(&mut synced, None).await.expect(200);
    let (made, last) = (&passkey["createdAt"], &used["credential"]["lastUsedAt"]);
    assert!(last.as_str() > made.as_str(), "{last}");
    let mut bound = SoftwareAuthenticator::new("bound");
    bound.backup = 0;
    let added = add(&mut browser, &mut bound).await;
    assert_eq!(added["credential"]["backupEligible"], false);
    assert_eq!(added["credential"]["backedUp"], false);
}

/// How an authenticator is reached is kept, and handed on wherever a passkey is named; without it browsers offer ways that
/// lead nowhere, and a real passkey would be told from a decoy.
#[tokio::test]
async fn transports_are_kept_and_offered() {
    let app = App::new().await;
    let (mut phone, mut key) = (
        SoftwareAuthenticator::new("phone"),
        SoftwareAuthenticator::new("key"),
    );
    let mut browser = app.browser();
    let mut expected = Vec::new();
    for (device, transports) in [
        (&mut phone, json!(["hybrid", "internal"])),
        (&mut key, json!(["nfc", "usb", "of-tomorrow"])),
    ] {
        let start = match expected.is_empty() {
            true => json!({"username": "alice"}),
            false => json!({}),
        };
        let started = browser.post("/register/start", start).await.expect(200);
        let excluded = &started["publicKey"]["excludeCredentials"];
        assert_eq!(excluded, &Value::Array(expected.clone()));
        let mut credential = device.register(&started["publicKey"], "https://example.org");
        credential["response"]["transports"] = transports.clone();
        let added = browser
            .post("/register/finish", finish(&started, &credential))
            .await
            .expect(201);
        assert_eq!(added["credential"]["transports"], transports);
        expected.push(json!({"type": "public-key", "id": id(&added), "transports": transports}));
        // The older one comes first.
        app.pass(1);
    }
    let expected = Value::Array(expected);
    let mut stranger = app.browser();
    let by_name = stranger
        .post("/login/start", json!({"username": "alice"}))
        .await
        .expect(200);
    let again = browser
        .post("/step-up/start", json!({"purpose": "add_passkey"}))
        .await
        .expect(200);
    for started in [by_name, again] {
        assert_eq!(started["publicKey"]["allowCredentials"], expected);
    }
}
