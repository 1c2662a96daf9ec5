//! What a stranger can learn about who has an account: nothing, save that a username is taken.

use keyhaven_service::{ClonePolicy, Settings};
use keyhaven_storage::{Addition, Credential, Ending, EventId, NewRegistration, RegistrationAccount};
use keyhaven_testkit::authenticator::{AssertionDraft, BE, BS, SoftwareAuthenticator, base64url_decode};
use keyhaven_types::CredentialId;
use serde_json::{Value, json};

use crate::admin::lock;
use crate::passwords;
use crate::support::{Answer, App, finish, settings};

#[tokio::test]
async fn an_unknown_name_is_answered_like_a_known_one() {
    let app = App::new().await;
    app.browser()
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    let known = app
        .browser()
        .post("/login/start", json!({"username": "alice"}))
        .await
        .expect(200);
    for n in 0..40 {
        let body = json!({"username": format!("nobody{n}")});
        let first = app.browser().post("/login/start", body.clone()).await.expect(200);
        let second = app.browser().post("/login/start", body).await.expect(200);
        let decoys = &first["publicKey"]["allowCredentials"];
        assert_eq!(
            decoys, &second["publicKey"]["allowCredentials"],
            "the same name always gets the same ones"
        );
        assert!(!decoys.as_array().unwrap().is_empty());
        assert_eq!(keys(&known["publicKey"]), keys(&first["publicKey"]));
        for decoy in decoys.as_array().unwrap() {
            assert_eq!(decoy["type"], "public-key");
            assert!(!decoy["transports"].as_array().unwrap().is_empty());
        }
    }
}

fn keys(object: &Value) -> Vec<&String> {
    object.as_object().unwrap().keys().collect()
}

/// Changes one thing before signing.
type Spoil = fn(&mut AssertionDraft);

/// Whatever an attacker without the key sends, a decoy is refused as a real credential is.
#[tokio::test]
async fn a_decoy_is_refused_like_a_real_credential() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    app.browser().register(&mut device, "alice").await;
    let spoil: [(&str, Spoil); 8] = [
        ("signature", |_| {}),
        ("origin", |draft| {
            draft.client_data.set("origin", "https://evil.example")
        }),
        ("challenge", |draft| draft.client_data.set("challenge", "AAAA")),
        ("rp id", |draft| draft.rp_id_hash[0] ^= 1),
        ("user presence", |draft| draft.flags &= !1),
        ("user handle", |draft| draft.user_handle = Some(vec![1; 32])),
        ("user handle and origin", |draft| {
            draft.user_handle = Some(vec![1; 32]);
            draft.client_data.set("origin", "https://evil.example");
        }),
        ("sign count", |draft| draft.sign_count = 0),
    ];
    for (what, spoil) in spoil {
        let real = forged(&app, "alice", spoil).await;
        let decoy = forged(&app, "nobody", spoil).await;
        assert_eq!(real, decoy, "{what}");
    }
}

/// Nobody but its owner learns which backup eligibility is stored; the owner, who can sign, is told what is wrong.
#[tokio::test]
async fn a_changed_backup_eligibility_is_told_to_the_owner_alone() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    app.browser().register(&mut device, "alice").await;
    for name in ["alice", "nobody"] {
        let spoils: [Spoil; 2] = [|draft| draft.flags &= !(BE | BS), |draft| draft.flags |= BE | BS];
        for spoil in spoils {
            let refused = forged(&app, name, spoil).await;
            assert_eq!(refused["code"], "authentication_failed", "{name}");
        }
    }
    let mut browser = app.browser();
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let mut draft = device
        .draft_assertion(&started["publicKey"], "https://example.org")
        .unwrap();
    draft.flags &= !(BE | BS);
    let answer = browser
        .post("/login/finish", finish(&started, &draft.finish()))
        .await;
    answer.refused(400, "backup_eligibility_changed");
}

/// A decoy's id cannot be registered, as little as a real one's, and after a taken name as little as before it.
#[tokio::test]
async fn a_decoy_counts_as_registered() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    app.browser().register(&mut device, "alice").await;
    let mut answers = Vec::new();
    for name in ["alice", "nobody"] {
        let offered = app
            .browser()
            .post("/login/start", json!({"username": name}))
            .await
            .expect(200);
        let id = offered["publicKey"]["allowCredentials"][0]["id"].clone();
        let mut stranger = app.browser();
        let body = json!({"username": format!("stranger-of-{name}")});
        let started = stranger.post("/register/start", body).await.expect(200);
        let mut draft = SoftwareAuthenticator::new("stranger")
            .draft_registration(&started["publicKey"], "https://example.org")
            .unwrap();
        draft.credential_id = base64url_decode(id.as_str().unwrap());
        draft.envelope_id.clone_from(&draft.credential_id);
        let answer = stranger
            .post("/register/finish", finish(&started, &draft.finish()))
            .await;
        answer.refused(409, "credential_exists");
        answers.push(answer.comparable());
    }
    assert_eq!(answers[0], answers[1]);
}

/// An assertion by a key of the attacker's own, for the first credential offered; the refusal, its id left out.
async fn forged(app: &App, name: &str, spoil: impl Fn(&mut AssertionDraft)) -> Value {
    let mut stranger = app.browser();
    let started = stranger
        .post("/login/start", json!({"username": name}))
        .await
        .expect(200);
    let offered = started["publicKey"]["allowCredentials"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut forger = SoftwareAuthenticator::new("forger");
    let creation = json!({"rp": {"id": "example.org"}, "user": {"id": "AA"}, "challenge": "AA",
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}]});
    forger.register(&creation, "https://example.org");
    let mut options = started["publicKey"].clone();
    options["allowCredentials"] = json!([]);
    let mut draft = forger.draft_assertion(&options, "https://example.org").unwrap();
    draft.envelope_id = base64url_decode(&offered);
    draft.user_handle = None;
    draft.flags |= BE | BS;
    spoil(&mut draft);
    stranger
        .post("/login/finish", finish(&started, &draft.finish()))
        .await
        .comparable()
}

#[tokio::test]
async fn a_credential_that_is_nobodys_can_be_signalled() {
    let app = App::new().await;
    let mut stranger = SoftwareAuthenticator::new("stranger");
    let creation = json!({"rp": {"id": "example.org"}, "user": {"id": "AA"}, "challenge": "AA",
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}]});
    stranger.register(&creation, "https://example.org");
    app.browser()
        .login(&mut stranger, None)
        .await
        .refused(401, "credential_not_found");
}

#[tokio::test]
async fn a_deployment_may_choose_to_tell() {
    let app = App::with(Settings {
        disclose_existence: true,
        ..settings()
    })
    .await;
    let mut device = SoftwareAuthenticator::new("device");
    app.browser().register(&mut device, "alice").await;
    app.browser()
        .post("/login/start", json!({"username": "nobody"}))
        .await
        .refused(400, "user_not_found");
    let mut browser = app.browser();
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let mut credential = device.authenticate(&started["publicKey"], "https://example.org");
    credential["response"]["signature"] = json!("MAYCAQECAQE");
    browser
        .post("/login/finish", finish(&started, &credential))
        .await
        .refused(401, "signature_invalid");
}

/// The precise reasons, where a deployment tells them: each once, and each is one answer where it does not.
#[tokio::test]
async fn what_a_deployment_may_tell_and_what_is_told_otherwise() {
    for (case, status, told) in [
        ("no passkey", 400, "no_passkeys"),
        ("revoked", 401, "credential_revoked"),
        ("locked", 403, "account_locked"),
        ("another handle", 401, "user_handle_mismatch"),
        ("a copy", 401, "counter_regression"),
        ("a key that is none", 400, "public_key_invalid"),
        ("a key of no known algorithm", 400, "unsupported_algorithm"),
    ] {
        for disclose_existence in [true, false] {
            let app = App::with(Settings {
                disclose_existence,
                clones: ClonePolicy::Revoke,
                ..passwords::fallback()
            })
            .await;
            let answer = refused_for(&app, case).await;
            let what = format!("{case}, {disclose_existence}: {}", answer.text);
            if disclose_existence {
                assert_eq!((answer.status.as_u16(), answer.code()), (status, told), "{what}");
            } else if case == "no passkey" {
                // Decoys, as for a name that nobody has.
                let offered = &answer.body["publicKey"]["allowCredentials"];
                assert!(!offered.as_array().unwrap().is_empty(), "{what}");
            } else {
                let one = (401, "authentication_failed");
                assert_eq!((answer.status.as_u16(), answer.code()), one, "{what}");
            }
        }
    }
}

async fn refused_for(app: &App, case: &str) -> Answer {
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    if case == "no passkey" {
        browser
            .register_password("alice", passwords::PASSWORD)
            .await
            .expect(201);
        let body = json!({"username": "alice"});
        return app.browser().post("/login/start", body).await;
    }
    let registered = browser.register(&mut device, "alice").await;
    let mut copy = device.clone();
    app.pass(1);
    browser.login(&mut device, None).await.expect(200);
    app.pass(1);
    let mut stranger = app.browser();
    match case {
        "locked" => {
            let id = registered["user"]["id"].as_str().unwrap();
            lock(app, id).await;
        }
        "revoked" => {
            let _alarm = stranger.login(&mut copy, None).await;
        }
        "a copy" => return stranger.login(&mut copy, None).await,
        _ => {}
    }
    let started = stranger.post("/login/start", json!({})).await.expect(200);
    let mut draft = device
        .draft_assertion(&started["publicKey"], "https://example.org")
        .unwrap();
    match case {
        "another handle" => draft.user_handle = Some(vec![1; 32]),
        "a key that is none" => {
            draft.envelope_id = stored_with(app, &draft.envelope_id, |key| key.truncate(40)).await
        }
        // {1: 2, 3: -7, …}
        "a key of no known algorithm" => {
            draft.envelope_id = stored_with(app, &draft.envelope_id, |key| key[4] = 0x25).await;
        }
        _ => {}
    }
    stranger
        .post("/login/finish", finish(&started, &draft.finish()))
        .await
}

/// The id of a passkey that is this one, save for its key: damaged where it was stored, or of an algorithm that the build
/// before could verify.
async fn stored_with(app: &App, id: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let id = CredentialId::try_from(id).unwrap();
    let owned = app.store.credential(&id).await.unwrap().unwrap();
    let mut event = app
        .store
        .events_of(owned.account.id, None, 1)
        .await
        .unwrap()
        .remove(0);
    event.id = EventId(uuid::Uuid::from_u128(1));
    let damaged = vec![7; 32];
    let mut public_key = owned.credential.public_key.clone();
    change(&mut public_key);
    let registration = NewRegistration {
        account: RegistrationAccount::Existing(Addition {
            account: owned.account.id,
            session: None,
            uses_grant: None,
            max_credentials: 10,
            at: event.at,
        }),
        credential: Credential {
            id: CredentialId::try_from(&damaged[..]).unwrap(),
            public_key,
            ..owned.credential
        },
        recovery: None,
        claim: None,
        session: None,
        ends: Ending::Nothing,
        password: None,
        client_key: None,
        reserved_id: false,
        audit: event.into(),
    };
    let _ = app.store.commit_registration(registration).await.unwrap();
    damaged
}

#[tokio::test]
async fn an_email_address_is_never_looked_up() {
    let app = App::new().await;
    let mut browser = app.browser();
    let body = json!({"username": "alice", "email": "a@example.org"});
    let started = browser.post("/register/start", body).await.expect(200);
    let credential = SoftwareAuthenticator::new("a").register(&started["publicKey"], "https://example.org");
    let user = &browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201)["user"];
    assert_eq!(
        (&user["email"], &user["emailVerified"]),
        (&json!("a@example.org"), &json!(false))
    );
    let mut other = app.browser();
    let body = json!({"username": "bob", "email": "a@example.org"});
    let started = other.post("/register/start", body).await.expect(200);
    let credential = SoftwareAuthenticator::new("b").register(&started["publicKey"], "https://example.org");
    other
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201);
}
