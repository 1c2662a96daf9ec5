//! What a stranger can learn about who has an account: nothing, save that a username is taken.

use keyhaven_service::Settings;
use keyhaven_testkit::authenticator::{AssertionDraft, BE, BS, SoftwareAuthenticator, base64url_decode};
use serde_json::{Value, json};

use crate::support::{App, finish, settings};

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
