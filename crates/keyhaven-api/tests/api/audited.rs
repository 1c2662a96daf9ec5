//! What is written down: every action there is, also where it was refused, as an administrator and as its owner reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use axum::http::Method;
use keyhaven_mail::{DeliveryError, Rendered, Transport};
use keyhaven_service::{
    AdministrationSettings, ClonePolicy, Demand, Identifier, PasswordSettings, RetentionSettings, Settings,
};
use keyhaven_storage::{AuditOutcome, Role};
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::admin::set_role;
use crate::mails::only;
use crate::passwords::{PASSWORD, bcrypt, take_over};
use crate::support::{App, Client, finish, mailing};

/// Each action, whether it succeeds in the story below, and the codes it is refused with there.
const ACTIONS: &[(&str, bool, &[&str])] = &[
    ("account.delete", true, &["step_up_required"]),
    ("account.expire", true, &[]),
    ("account.export", true, &["step_up_required"]),
    ("account.rename", true, &[]),
    ("admin.audit_export", true, &[]),
    ("admin.client_key_check", true, &[]),
    ("admin.enrolment_link", true, &[]),
    ("admin.grant_role", true, &[]),
    ("admin.lock", true, &["forbidden"]),
    ("admin.remove_passkey", true, &["last_credential"]),
    ("admin.revoke_role", true, &[]),
    ("admin.sign_out", true, &[]),
    ("admin.unlock", true, &[]),
    ("admin.view", true, &[]),
    ("client_key.change", true, &["step_up_required"]),
    ("client_key.remove", true, &["step_up_required"]),
    ("credential.clone_alarm", true, &[]),
    ("credential.reinstate", true, &["not_found"]),
    ("credential.remove", true, &["not_found"]),
    ("credential.rename", true, &["not_found"]),
    ("email.change", true, &["step_up_required"]),
    ("email.resend", true, &["not_found"]),
    ("email.verify", true, &["not_found"]),
    ("enrolment.redeem", true, &["authentication_failed"]),
    ("login.finish", true, &["challenge_missing", "counter_regression"]),
    ("login.start", false, &["invalid_request"]),
    ("mail.give_up", false, &["mail_refused"]),
    ("password.change", true, &["step_up_required"]),
    ("password.import", true, &[]),
    ("password.login", true, &["authentication_failed"]),
    ("password.register", true, &["username_taken"]),
    ("password.remove", true, &["step_up_required"]),
    ("recovery.cancel", true, &[]),
    ("recovery.code", true, &["recovery_code_wrong"]),
    ("recovery.codes", true, &["step_up_required"]),
    ("recovery.request", true, &[]),
    ("recovery.verify", true, &["recovery_code_wrong"]),
    ("registration.email", true, &["invalid_request"]),
    ("registration.finish", true, &["challenge_missing"]),
    ("registration.start", false, &["username_taken"]),
    ("session.refresh", true, &[]),
    ("session.reuse_detected", true, &[]),
    ("session.revoke", true, &["not_found"]),
    ("session.revoke_all", true, &[]),
    ("session.revoke_others", true, &[]),
    ("session.sign_out", true, &[]),
    ("step_up.finish", true, &["challenge_missing"]),
    ("step_up.start", false, &["invalid_request"]),
];

/// Where all there is can be done.
fn everything() -> Settings {
    Settings {
        passwords: PasswordSettings {
            fallback: true,
            with_passkey: Demand::ByAccount,
            ..PasswordSettings::default()
        },
        client_key: Demand::ByAccount,
        clones: ClonePolicy::Suspend,
        administration: AdministrationSettings {
            client_key_check: true,
            ..AdministrationSettings::default()
        },
        retention: RetentionSettings {
            unused_accounts: Some(Duration::from_secs(30 * 24 * 3600)),
            ..RetentionSettings::default()
        },
        ..mailing()
    }
}

/// Every action that the service names.
fn named() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../keyhaven-service/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let quoted = text.split('"').filter(|part| {
                part.split_once('.').is_some_and(|(group, rest)| {
                    let word = |text: &str| {
                        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                    };
                    word(group) && word(rest)
                })
            });
            found.extend(quoted.map(str::to_owned));
        }
    }
    // An RP ID in a test, and a name that a hash is compared under.
    for other in ["example.org", "password.compare"] {
        assert!(found.remove(other), "{other}");
    }
    found
}

/// Anna, who does everything, and whatever else there has to be for that.
struct Story {
    app: App,
    anna: Client,
    device: SoftwareAuthenticator,
    id: String,
    root: Client,
    root_device: SoftwareAuthenticator,
    root_id: String,
}

fn nonsense() -> Value {
    json!({"ceremonyId": "A".repeat(43), "credential": {}})
}

fn after(mail: &Rendered, mark: &str) -> String {
    let (_, rest) = mail.text.split_once(mark).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

fn digits(mail: &Rendered) -> String {
    let mut lines = mail.text.lines().map(str::trim);
    let code = lines.find(|line| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit()));
    code.unwrap().to_owned()
}

impl Story {
    async fn begin() -> Self {
        let app = App::with(everything()).await;
        let (mut device, mut root_device) = (
            SoftwareAuthenticator::new("anna"),
            SoftwareAuthenticator::new("root"),
        );
        let (mut anna, mut root) = (app.browser(), app.browser());
        let start = json!({"username": "anna", "email": "anna@example.com"});
        let started = anna.post("/register/start", start.clone()).await.expect(200);
        let credential = device.register(&started["publicKey"], &anna.page());
        let done = finish(&started, &credential);
        let registered = anna.post("/register/finish", done.clone()).await.expect(201);
        anna.post("/register/finish", done)
            .await
            .refused(400, "challenge_missing");
        app.browser()
            .post("/register/start", start)
            .await
            .refused(409, "username_taken");
        anna.post("/email/verify", json!({"token": "x"}))
            .await
            .refused(404, "not_found");
        let token = after(&only(app.mails().await), "#verify-email=");
        anna.post("/email/verify", json!({"token": token}))
            .await
            .expect(200);
        let root_id = root.register(&mut root_device, "root").await["user"]["id"].clone();
        let (id, root_id) = (
            registered["user"]["id"].clone(),
            root_id.as_str().unwrap().to_owned(),
        );
        set_role(&app, &root_id, Role::Admin).await;
        Self {
            id: id.as_str().unwrap().to_owned(),
            app,
            anna,
            device,
            root,
            root_device,
            root_id,
        }
    }

    async fn step_up(&mut self, purpose: &str) {
        self.anna.step_up(&mut self.device, purpose).await;
    }

    /// What needs a step-up, without it and with it.
    async fn with_and_without(
        &mut self,
        purpose: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let mut answers = Vec::new();
        for stepped_up in [false, true] {
            if stepped_up {
                self.step_up(purpose).await;
            }
            answers.push(match &body {
                None => self.anna.send(method.clone(), path, &[], Vec::new()).await,
                Some(body) => self.anna.json(method.clone(), path, body.clone()).await,
            });
        }
        let (with, without) = (answers.pop().unwrap(), answers.pop().unwrap());
        without.refused(403, "step_up_required");
        assert!(with.status.is_success(), "{method} {path}: {}", with.text);
        with.body
    }

    async fn ceremonies(&mut self) {
        let anna = &mut self.anna;
        anna.login(&mut self.device, Some("anna")).await.expect(200);
        anna.post("/login/finish", nonsense())
            .await
            .refused(400, "challenge_missing");
        let unnamed = anna.post("/login/start", json!({"username": "no spaces"})).await;
        unnamed.refused(400, "invalid_request");
        let odd = json!({"purpose": "admin", "actionHash": "A".repeat(43)});
        anna.post("/step-up/start", odd)
            .await
            .refused(400, "invalid_request");
        anna.step_up(&mut self.device, "admin").await;
        anna.post("/step-up/finish", nonsense())
            .await
            .refused(400, "challenge_missing");
    }

    async fn passkeys(&mut self) {
        let (anna, mut other) = (&mut self.anna, SoftwareAuthenticator::new("other"));
        let added = anna.add_passkey(&mut other, json!({})).await.expect(201);
        let path = format!("/credentials/{}", added["credential"]["id"].as_str().unwrap());
        let name = json!({"deviceName": "Blue key"});
        let renamed = anna.json(Method::PATCH, "/credentials/AAAA", name.clone()).await;
        renamed.refused(404, "not_found");
        anna.json(Method::PATCH, &path, name).await.expect(200);
        // A copy of it, and its end.
        let mut copy = other.clone();
        self.app.pass(1);
        self.app.browser().login(&mut other, None).await.expect(200);
        self.app.pass(1);
        let by_copy = self.app.browser().login(&mut copy, None).await;
        by_copy.refused(401, "authentication_failed");
        let back = json!({"active": true});
        anna.json(Method::PATCH, &path, back.clone()).await.expect(200);
        let again = anna.json(Method::PATCH, &path, back).await;
        again.refused(404, "not_found");
        anna.delete(&path).await.expect(200);
        anna.delete(&path).await.refused(404, "not_found");
    }

    async fn account(&mut self) {
        self.app.pass(301);
        let name = json!({"displayName": "Anna A."});
        self.anna.json(Method::PATCH, "/account", name).await.expect(200);
        self.with_and_without("export", Method::GET, "/account/export", None)
            .await;
        let resent = self.anna.post("/email/resend", json!({})).await;
        resent.refused(404, "not_found");
        let to = Some(json!({"email": "anna@example.org"}));
        self.with_and_without("change_email", Method::POST, "/email/change", to)
            .await;
        self.app.pass(61);
        self.anna.post("/email/resend", json!({})).await.expect(202);
        let password = Some(json!({"password": PASSWORD}));
        self.with_and_without("change_password", Method::PUT, "/password", password)
            .await;
        self.with_and_without("change_password", Method::DELETE, "/password", None)
            .await;
        let key = "/account/client-key";
        let made = self
            .with_and_without("change_password", Method::POST, key, None)
            .await;
        self.check_client_key(&made["clientKey"]).await;
        self.with_and_without("change_password", Method::DELETE, key, None)
            .await;
        self.app.mails().await;
    }

    async fn sessions(&mut self) {
        let anna = &mut self.anna;
        let mut other = self.app.browser();
        let signed_in = other.login(&mut self.device, None).await.expect(200);
        let path = format!("/sessions/{}", signed_in["session"]["id"].as_str().unwrap());
        anna.delete(&path).await.expect(204);
        anna.delete(&path).await.refused(404, "not_found");
        other.login(&mut self.device, None).await.expect(200);
        anna.delete("/sessions").await.expect(200);
        other.login(&mut self.device, None).await.expect(200);
        other.delete("/sessions?all=true").await.expect(200);
        anna.login(&mut self.device, None).await.expect(200);
        let mut thief = anna.clone();
        anna.send(Method::POST, "/session/refresh", &[], Vec::new())
            .await
            .expect(200);
        self.app.pass(11);
        thief.get("/session").await.refused(401, "session_expired");
        anna.login(&mut self.device, None).await.expect(200);
        anna.delete("/session").await.expect(204);
        anna.login(&mut self.device, None).await.expect(200);
    }

    /// Asks for a recovery, shows a wrong code and the right one: it waits.
    async fn recovery(&mut self) -> (Client, Value) {
        self.app.mails().await;
        let mut lost = self.app.browser();
        let asked = lost
            .post("/recovery/request-otp", json!({"email": "anna@example.com"}))
            .await;
        let id = asked.expect(200)["recoveryId"].clone();
        let code = digits(&only(self.app.mails().await));
        let other = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
        for (otp, status) in [(other, 401), (code, 202)] {
            let verified = lost
                .post("/recovery/verify-otp", json!({"recoveryId": id, "otp": otp}))
                .await;
            verified.expect(status);
        }
        self.app.mails().await;
        (lost, id)
    }

    async fn recoveries(&mut self) {
        let codes = self.with_and_without_codes().await;
        let _ = self.recovery().await;
        self.anna.post("/recovery/cancel", json!({})).await.expect(204);
        let (mut lost, id) = self.recovery().await;
        for (code, status) in [("AAAA-AAAA-AAAA-AAAA", 401), (codes.as_str(), 200)] {
            let shown = lost
                .post("/recovery/verify-code", json!({"recoveryId": id, "code": code}))
                .await;
            shown.expect(status);
        }
        lost.delete("/session").await.expect(204);
    }

    async fn with_and_without_codes(&mut self) -> String {
        self.app.pass(301);
        let made = self
            .with_and_without("add_passkey", Method::POST, "/recovery/codes", None)
            .await;
        made["codes"][0].as_str().unwrap().to_owned()
    }

    async fn passwords(&mut self) {
        let mut bert = self.app.browser();
        bert.register_password("bert", PASSWORD).await.expect(201);
        bert.register_password("bert", PASSWORD)
            .await
            .refused(409, "username_taken");
        bert.login_password("bert", PASSWORD).await.expect(200);
        let wrong = bert.login_password("bert", "another horse, another staple").await;
        wrong.refused(401, "authentication_failed");
        take_over(&self.app, "imported", None, &bcrypt(4)).await.unwrap();
    }

    async fn as_root(&mut self, method: Method, path: &str, body: &str, status: u16) -> Value {
        self.root
            .login(&mut self.root_device, Some("root"))
            .await
            .expect(200);
        self.root.step_up(&mut self.root_device, "admin").await;
        let headers = [("content-type", "application/json")];
        let headers = if body.is_empty() {
            &headers[1..]
        } else {
            &headers[..]
        };
        self.root
            .send(method, path, headers, body.as_bytes().to_vec())
            .await
            .expect(status)
    }

    async fn check_client_key(&mut self, key: &Value) {
        let path = format!("/admin/users/{}/client-key/verify", self.id);
        let body = json!({"candidate": key}).to_string();
        let checked = self.as_root(Method::POST, &path, &body, 200).await;
        assert_eq!(checked["matches"], true);
    }

    async fn administration(&mut self) {
        let mut cara = self.app.browser();
        let mut device = SoftwareAuthenticator::new("cara");
        let registered = cara.register(&mut device, "cara").await;
        let credential = registered["credential"]["id"].as_str().unwrap().to_owned();
        let id = registered["user"]["id"].as_str().unwrap().to_owned();
        let of = |rest: &str| format!("/admin/users/{id}{rest}");
        self.as_root(Method::GET, &of(""), "", 200).await;
        self.as_root(Method::DELETE, &of("/sessions"), "", 204).await;
        self.as_root(Method::POST, &of("/lock"), r#"{"reason":"a test"}"#, 204)
            .await;
        self.as_root(Method::POST, &of("/unlock"), "", 204).await;
        let last = of(&format!("/credentials/{credential}"));
        self.as_root(Method::DELETE, &last, "", 409).await;
        self.as_root(Method::DELETE, &format!("{last}?evenLast=true"), "", 204)
            .await;
        let link = self.as_root(Method::POST, &of("/enrolment-link"), "", 201).await;
        let (_, token) = link["link"].as_str().unwrap().split_once("#enrolment=").unwrap();
        for status in [200, 401] {
            let redeemed = self
                .app
                .browser()
                .post("/enrolment/redeem", json!({"token": token}))
                .await;
            redeemed.expect(status);
        }
        let own = format!("/admin/users/{}", self.root_id);
        self.as_root(
            Method::POST,
            &format!("{own}/lock"),
            r#"{"reason":"a test"}"#,
            403,
        )
        .await;
        set_role(&self.app, &id, Role::Admin).await;
        set_role(&self.app, &id, Role::User).await;
        self.as_root(Method::GET, "/admin/audit/export", "", 200).await;
    }

    /// Nobody has used these for a month, and the mail server wants none of these mails.
    async fn time(&mut self) {
        struct Refuses;
        #[async_trait::async_trait]
        impl Transport for Refuses {
            async fn send(&self, _: &Rendered) -> Result<(), DeliveryError> {
                Err(DeliveryError::Permanent("550".into()))
            }
        }
        let mut nobody = self.app.browser();
        let start = json!({"username": "nobody", "email": "nobody@example.com"});
        let started = nobody.post("/register/start", start).await.expect(200);
        let credential = SoftwareAuthenticator::new("nobody").register(&started["publicKey"], &nobody.page());
        nobody
            .post("/register/finish", finish(&started, &credential))
            .await
            .expect(201);
        self.app.keyhaven.outbox.deliver(&Refuses).await.unwrap();
        self.app.pass(20 * 24 * 3600);
        self.as_root(Method::GET, "/admin/users?limit=1", "", 200).await;
        self.app.pass(11 * 24 * 3600);
        self.app.keyhaven.upkeep.purge().await.unwrap();
    }

    /// All that the owner reads of herself.
    async fn own_events(&mut self) -> Vec<Value> {
        let (mut events, mut after) = (Vec::new(), String::new());
        loop {
            let page = self
                .anna
                .get(&format!("/account/events{after}"))
                .await
                .expect(200);
            events.extend(page["events"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else {
                return events;
            };
            after = format!("?after={next}");
        }
    }
}

/// Of each action: whether it succeeded, and the codes it was refused with.
type Found = BTreeMap<String, (bool, BTreeSet<String>)>;

fn note(found: &mut Found, event: &Value) {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let (succeeded, refused) = found.entry(text("action")).or_default();
    match text("outcome").as_str() {
        "success" => *succeeded = true,
        "refused" => {
            refused.insert(text("code"));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_action_is_found_by_its_name_and_outcome() {
    let mut story = Story::begin().await;
    story.ceremonies().await;
    story.passkeys().await;
    story.account().await;
    story.sessions().await;
    story.recoveries().await;
    story.passwords().await;
    story.administration().await;

    // As its owner reads it: neither more nor less than there is, in the same words.
    let own = story.own_events().await;
    let stored = story
        .app
        .store
        .events_of(story.id.parse().unwrap(), None, 1_000)
        .await
        .unwrap();
    let told: Vec<_> = stored
        .iter()
        .map(|event| {
            let outcome = match event.outcome {
                AuditOutcome::Refused => "refused",
                AuditOutcome::Success => "success",
            };
            (event.action.as_str(), outcome, event.code.as_deref())
        })
        .collect();
    let text = |event: &'_ Value, name: &str| event[name].as_str().map(str::to_owned);
    let read: Vec<_> = own
        .iter()
        .map(|event| (text(event, "action"), text(event, "outcome"), text(event, "code")))
        .collect();
    let read: Vec<_> = read
        .iter()
        .map(|(action, outcome, code)| {
            (
                action.as_deref().unwrap(),
                outcome.as_deref().unwrap(),
                code.as_deref(),
            )
        })
        .collect();
    assert_eq!(read, told);
    assert!(read.contains(&("credential.remove", "refused", Some("not_found"))));
    assert!(read.contains(&("email.change", "refused", Some("step_up_required"))));

    story
        .with_and_without("delete_account", Method::DELETE, "/account", None)
        .await;
    story.time().await;
    // Where accounts are called by their addresses.
    let by_address = App::with(Settings {
        identifier: Identifier::Email,
        ..everything()
    })
    .await;
    let mut browser = by_address.browser();
    browser
        .post("/register/start", json!({"email": "dora@example.com"}))
        .await
        .expect(202);
    browser
        .post("/register/start", json!({"email": "x"}))
        .await
        .refused(400, "invalid_request");

    // As an administrator reads it, by name and outcome.
    story.as_root(Method::GET, "/admin/users?limit=1", "", 200).await;
    let mut found = Found::new();
    for action in named() {
        for outcome in ["success", "refused"] {
            let query = format!("/admin/audit?action={action}&outcome={outcome}&limit=100");
            for event in story.root.get(&query).await.expect(200)["events"]
                .as_array()
                .unwrap()
            {
                assert_eq!(
                    (&event["action"], &event["outcome"]),
                    (&json!(action), &json!(outcome))
                );
                note(&mut found, event);
            }
        }
    }
    for event in by_address.store.events(None, 100).await.unwrap() {
        let outcome = if event.outcome == AuditOutcome::Success {
            "success"
        } else {
            "refused"
        };
        note(
            &mut found,
            &json!({"action": event.action, "outcome": outcome, "code": event.code}),
        );
    }
    let found: Vec<_> = found
        .iter()
        .map(|(action, (succeeded, refused))| {
            (
                action.as_str(),
                *succeeded,
                refused.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        })
        .collect();
    let expected: Vec<_> = ACTIONS
        .iter()
        .map(|(action, succeeded, refused)| (*action, *succeeded, refused.to_vec()))
        .collect();
    assert_eq!(found, expected);
    let listed: BTreeSet<_> = ACTIONS
        .iter()
        .map(|(action, _, _)| (*action).to_owned())
        .collect();
    assert_eq!(listed, named());
}
