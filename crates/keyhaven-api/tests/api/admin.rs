//! Administrators: what they can do, and how everybody else fails to.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use axum::http::{HeaderMap, Method};
use keyhaven_audit::export::{Item, Line, Reader};
use keyhaven_audit::{TrustedKeys, Verifier};
use keyhaven_service::{
    AccessTokenSettings, AdministrationSettings, Demand, DeviceMarks, Operator, PasswordSettings,
    RateLimitSettings, Settings,
};
use keyhaven_storage::{Actor, AuditEvent, AuditOutcome, Role};
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, finish, mailing, settings};

/// Every route under `/admin`, with a body that it takes.
const ROUTES: [(Method, &str, &str); 10] = [
    (Method::GET, "/admin/users", ""),
    (Method::GET, "/admin/users/ID", ""),
    (Method::POST, "/admin/users/ID/lock", r#"{"reason":"a test"}"#),
    (Method::POST, "/admin/users/ID/unlock", ""),
    (Method::DELETE, "/admin/users/ID/sessions", ""),
    (Method::DELETE, "/admin/users/ID/credentials/AAAA", ""),
    (Method::POST, "/admin/users/ID/enrolment-link", ""),
    (
        Method::POST,
        "/admin/users/ID/client-key/verify",
        r#"{"candidate":"00"}"#,
    ),
    (Method::GET, "/admin/audit", ""),
    (Method::GET, "/admin/audit/export", ""),
];

fn operator() -> keyhaven_service::Client {
    keyhaven_service::Client {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: None,
        language: None,
        request_id: "test".into(),
        origin: None,
        browser: None,
        devices: DeviceMarks::default(),
    }
}

pub(crate) async fn set_role(app: &App, id: &str, role: Role) {
    let administration = &app.keyhaven.administration;
    let (by, id) = (Operator::command_line(), id.parse().unwrap());
    administration
        .set_role(&operator(), &by, id, role, false)
        .await
        .unwrap();
}

pub(crate) async fn lock(app: &App, id: &str) {
    let administration = &app.keyhaven.administration;
    let (by, id) = (Operator::command_line(), id.parse().unwrap());
    let reason = "a test";
    administration.lock(&operator(), &by, id, reason).await.unwrap();
}

struct User {
    id: String,
    browser: Client,
    device: SoftwareAuthenticator,
}

async fn user(app: &App, name: &str) -> User {
    let mut device = SoftwareAuthenticator::new(name);
    let mut browser = app.browser();
    let registered = browser.register(&mut device, name).await;
    User {
        id: registered["user"]["id"].as_str().unwrap().to_owned(),
        browser,
        device,
    }
}

/// An administrator who is signed in, without a step-up.
async fn admin(app: &App, name: &str) -> User {
    let mut admin = user(app, name).await;
    set_role(app, &admin.id, Role::Admin).await;
    admin
        .browser
        .login(&mut admin.device, Some(name))
        .await
        .expect(200);
    admin
}

impl User {
    async fn step_up(&mut self) {
        self.browser.step_up(&mut self.device, "admin").await;
    }
}

async fn call(browser: &mut Client, (method, path, body): (&Method, &str, &str)) -> Answer {
    let json = [("content-type", "application/json"), ("x-request-id", "same")];
    let headers = if body.is_empty() { &json[1..] } else { &json[..] };
    browser
        .send(method.clone(), path, headers, body.as_bytes().to_vec())
        .await
}

fn place(link: &str) -> String {
    let (page, token) = link.split_once("#enrolment=").unwrap();
    assert_eq!(page, "https://example.org/account");
    token.to_owned()
}

async fn link(admin: &mut User, id: &str) -> String {
    admin.step_up().await;
    let path = format!("/admin/users/{id}/enrolment-link");
    let made = call(&mut admin.browser, (&Method::POST, &path, ""))
        .await
        .expect(201);
    place(made["link"].as_str().unwrap())
}

async fn redeem(browser: &mut Client, token: &str) -> Answer {
    browser
        .send(
            Method::POST,
            "/enrolment/redeem",
            &[("content-type", "application/json"), ("x-request-id", "same")],
            json!({"token": token}).to_string().into_bytes(),
        )
        .await
}

async fn add_passkey(browser: &mut Client, device: &mut SoftwareAuthenticator) -> Answer {
    let started = browser.post("/register/start", json!({})).await.expect(200);
    let credential = device.register(&started["publicKey"], &browser.page());
    browser
        .post("/register/finish", finish(&started, &credential))
        .await
}

async fn events(app: &App, id: &str) -> Vec<AuditEvent> {
    let events = app.store.events_of(id.parse().unwrap(), None, 100).await;
    events.unwrap()
}

/// Status, headers and body, all of them.
fn all_of(answer: &Answer) -> (u16, HeaderMap, String) {
    (
        answer.status.as_u16(),
        answer.headers.clone(),
        answer.text.clone(),
    )
}

#[tokio::test]
async fn for_everybody_else_there_are_no_admin_routes() {
    let settings = Settings {
        access_tokens: Some(AccessTokenSettings::default()),
        ..settings()
    };
    let app = App::with(settings).await;
    let mut root = admin(&app, "root").await;
    let mut anna = user(&app, "anna").await;
    // A user can prove presence for whatever he likes.
    anna.step_up().await;
    let mut recovering = app.browser();
    let token = link(&mut root, &anna.id).await;
    redeem(&mut recovering, &token).await.expect(200);
    let mut locked = admin(&app, "locked").await;
    locked.step_up().await;
    let stale = locked.browser.cookies.clone();
    root.step_up().await;
    let path = format!("/admin/users/{}/lock", locked.id);
    call(&mut root.browser, (&Method::POST, &path, r#"{"reason":"x"}"#))
        .await
        .expect(204);
    locked.browser.cookies = stale;
    let mut demoted = admin(&app, "demoted").await;
    demoted.step_up().await;
    let cookies = demoted.browser.cookies.clone();
    set_role(&app, &demoted.id, Role::User).await;
    demoted.browser.cookies = cookies;
    let mut by_token = app.browser();
    let fresh = root
        .browser
        .login(&mut root.device, Some("root"))
        .await
        .expect(200);
    root.step_up().await;
    let bearer = format!("Bearer {}", fresh["session"]["accessToken"].as_str().unwrap());

    let more = [
        (Method::PUT, "/admin/users", "{}"),
        (Method::POST, "/admin/audit", "{}"),
        (Method::GET, "/admin", ""),
        (Method::GET, "/admin/", ""),
        (Method::GET, "/admin/nothing", ""),
        (Method::HEAD, "/admin/users", ""),
    ];
    for (method, path, body) in ROUTES.iter().chain(&more) {
        let path = path.replace("ID", &anna.id);
        for (who, browser) in [
            ("anonymous", &mut app.browser()),
            ("native", &mut app.native()),
            ("a user", &mut anna.browser),
            ("a recovery session", &mut recovering),
            ("a locked administrator", &mut locked.browser),
            ("one who was", &mut demoted.browser),
        ] {
            let unknown = call(browser, (method, "/no/such/route", body)).await;
            assert_eq!(unknown.status.as_u16(), 404);
            let answer = call(browser, (method, &path, body)).await;
            assert_eq!(all_of(&answer), all_of(&unknown), "{who}: {method} {path}");
            // Whatever else is wrong with the request.
            let large = " ".repeat(100_000);
            let answer = call(browser, (method, &path, &large)).await;
            let unknown = call(browser, (method, "/no/such/route", &large)).await;
            assert_eq!(all_of(&answer), all_of(&unknown), "{who}: {method} {path}");
        }
        let headers = [("authorization", bearer.as_str()), ("x-request-id", "same")];
        let answer = by_token.send(method.clone(), &path, &headers, Vec::new()).await;
        assert_eq!(answer.status.as_u16(), 404, "an access token: {method} {path}");
    }
    // None of it did anything.
    anna.browser.get("/session").await.expect(200);
    assert!(
        events(&app, &anna.id)
            .await
            .iter()
            .all(|event| { event.actor.is_none() || event.action == "admin.enrolment_link" })
    );
}

#[tokio::test]
async fn an_administrator_needs_a_step_up_for_everything() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    let anna = user(&app, "anna").await;
    for (method, path, body) in &ROUTES {
        let path = path.replace("ID", &anna.id);
        let answer = call(&mut root.browser, (method, &path, body)).await;
        answer.refused(403, "step_up_required");
        assert_eq!(answer.body["purpose"], "admin", "{method} {path}");
    }
    // For another purpose it does not do, nor does one of another session.
    root.browser.step_up(&mut root.device, "delete_passkey").await;
    root.browser
        .get("/admin/users")
        .await
        .refused(403, "step_up_required");
    let mut elsewhere = app.browser();
    elsewhere.login(&mut root.device, Some("root")).await.expect(200);
    elsewhere.step_up(&mut root.device, "admin").await;
    root.browser
        .get("/admin/users")
        .await
        .refused(403, "step_up_required");
    elsewhere.get("/admin/users").await.expect(200);
    elsewhere.get("/admin/users").await.expect(200);
    app.pass(5 * 60);
    elsewhere
        .get("/admin/users")
        .await
        .refused(403, "step_up_required");
}

#[tokio::test]
async fn a_password_is_not_enough_to_administer() {
    let settings = Settings {
        passwords: PasswordSettings {
            fallback: true,
            ..PasswordSettings::default()
        },
        ..settings()
    };
    let app = App::with(settings).await;
    let password = json!({"username": "root", "password": "correct horse battery staple"});
    let mut browser = app.browser();
    let registered = browser
        .post("/password/register", password.clone())
        .await
        .expect(201);
    set_role(&app, registered["user"]["id"].as_str().unwrap(), Role::Admin).await;
    browser.post("/password/login", password).await.expect(200);
    assert_eq!(browser.get("/account").await.expect(200)["role"], "admin");
    browser.get("/admin/users").await.refused(403, "forbidden");
}

#[tokio::test]
async fn no_page_of_others_can_make_an_administrator_act() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    root.step_up().await;
    let mut anna = user(&app, "anna").await;
    for origin in [Some("https://evil.example"), Some("null"), None] {
        root.browser.origin = origin.map(str::to_owned);
        for (method, path, body) in &ROUTES {
            if *method == Method::GET {
                continue;
            }
            let path = path.replace("ID", &anna.id);
            call(&mut root.browser, (method, &path, body))
                .await
                .refused(403, "origin_not_allowed");
        }
    }
    anna.browser.get("/session").await.expect(200);
}

#[tokio::test]
async fn nobody_can_give_himself_a_role() {
    let app = App::with(settings()).await;
    let mut device = SoftwareAuthenticator::new("m");
    let mut browser = app.browser();
    let wish = json!({"username": "mallory", "role": "admin", "isAdmin": true});
    let started = browser.post("/register/start", wish).await.expect(200);
    let credential = device.register(&started["publicKey"], &browser.page());
    let mut body = finish(&started, &credential);
    body["role"] = json!("admin");
    let registered = browser.post("/register/finish", body).await.expect(201);
    assert_eq!(registered["user"]["role"], "user");
    let patched = browser
        .json(Method::PATCH, "/account", json!({"role": "admin"}))
        .await;
    assert!(patched.status.is_client_error());
    assert_eq!(browser.get("/account").await.expect(200)["role"], "user");
    assert_eq!(browser.get("/session").await.expect(200)["user"]["role"], "user");
}

#[tokio::test]
async fn accounts_are_listed_page_by_page_and_none_is_lost_or_seen_twice() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    root.step_up().await;
    for n in 0..7 {
        app.pass(1);
        user(&app, &format!("user{n}")).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/admin/users?limit=3".to_owned());
    loop {
        let page = root.browser.get(&path).await.expect(200);
        for listed in page["users"].as_array().unwrap() {
            seen.push(listed["username"].as_str().unwrap().to_owned());
        }
        // Somebody comes in between.
        user(&app, &format!("late{}", seen.len())).await;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/admin/users?limit=3&cursor={next}");
    }
    let unique: BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len());
    assert_eq!(
        seen,
        [
            "user6", "user5", "user4", "user3", "user2", "user1", "user0", "root"
        ]
    );
    for bad in [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=x",
        "cursor=1.x",
        "email=a@b.c&id=x",
    ] {
        let answer = root.browser.get(&format!("/admin/users?{bad}")).await;
        answer.refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn accounts_are_found_by_the_whole_name_alone() {
    let app = App::with(mailing()).await;
    let mut root = admin(&app, "root").await;
    let anna = user(&app, "anna").await;
    user(&app, "annabel").await;
    user(&app, "bert").await;
    app.store.ping().await.unwrap();
    root.step_up().await;
    let mut names = async |query: &str| {
        let found = root
            .browser
            .get(&format!("/admin/users?{query}"))
            .await
            .expect(200);
        let users = found["users"].as_array().unwrap().iter();
        let names: Vec<_> = users
            .map(|user| user["username"].as_str().unwrap().to_owned())
            .collect();
        (names, found["next"].clone())
    };
    assert_eq!(names("username=ANNA").await.0, ["anna"]);
    assert_eq!(names("username=ann").await, (Vec::new(), Value::Null));
    assert_eq!(names("username=anna%25").await.0, [""; 0]);
    assert_eq!(names(&format!("id={}", anna.id)).await.0, ["anna"]);
    assert_eq!(names("id=x").await.0, [""; 0]);
    assert_eq!(names("email=nobody@example.com").await.0, [""; 0]);

    let path = format!("/admin/users/{}", anna.id);
    let shown = root.browser.get(&path).await.expect(200);
    assert_eq!(shown["user"]["username"], "anna");
    assert_eq!(shown["user"]["role"], "user");
    assert_eq!(shown["user"]["state"], "active");
    assert_eq!(shown["user"]["hasPasskey"], true);
    assert_eq!(shown["credentials"].as_array().unwrap().len(), 1);
    assert_eq!(shown["sessions"][0]["current"], false);
    assert_eq!(
        shown["factors"],
        json!({"password": false, "clientKey": false, "recoveryCodes": 0})
    );
    let seen = events(&app, &anna.id).await.remove(0);
    assert_eq!(seen.action, "admin.view");
    assert_eq!(seen.actor, Some(Actor::Account(root.id.parse().unwrap())));
    for unknown in ["x", "00000000-0000-4000-8000-000000000000"] {
        let answer = root.browser.get(&format!("/admin/users/{unknown}")).await;
        answer.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_locked_account_is_out_at_once_and_by_every_way() {
    let settings = Settings {
        passwords: PasswordSettings {
            fallback: true,
            ..PasswordSettings::default()
        },
        ..mailing()
    };
    let app = App::with(settings).await;
    let mut root = admin(&app, "root").await;
    let mut anna = user(&app, "anna").await;
    let password = "correct horse battery staple";
    anna.browser.step_up(&mut anna.device, "change_password").await;
    anna.browser
        .json(Method::PUT, "/password", json!({"password": password}))
        .await
        .expect(204);
    let token = link(&mut root, &anna.id).await;
    let path = format!("/admin/users/{}", anna.id);
    root.step_up().await;
    let lock = format!("{path}/lock");
    let body = r#"{"reason":"stolen phone"}"#;
    call(&mut root.browser, (&Method::POST, &lock, body))
        .await
        .expect(204);

    anna.browser.get("/session").await.refused(401, "unauthenticated");
    let mut browser = app.browser();
    // Who proves nothing learns nothing; nor does who signs, here.
    let by_passkey = browser.login(&mut anna.device, Some("anna")).await;
    by_passkey.refused(401, "authentication_failed");
    let by_passkey = browser.login(&mut anna.device, None).await;
    by_passkey.refused(401, "authentication_failed");
    let login = json!({"username": "anna", "password": password});
    let by_password = browser.post("/password/login", login.clone()).await;
    assert_eq!(by_password.status.as_u16(), 401);
    redeem(&mut browser, &token)
        .await
        .refused(401, "authentication_failed");

    let shown = root.browser.get(&path).await.expect(200);
    assert_eq!(shown["user"]["state"], "locked");
    assert_eq!(shown["lock"]["reason"], "stolen phone");
    assert_eq!(shown["sessions"], json!([]));
    assert!(shown.get("enrolmentLink").is_none());
    let again = format!("{path}/enrolment-link");
    call(&mut root.browser, (&Method::POST, &again, ""))
        .await
        .refused(403, "account_locked");

    let event = events(&app, &anna.id).await;
    let locked = event.iter().find(|event| event.action == "admin.lock").unwrap();
    assert_eq!(locked.actor, Some(Actor::Account(root.id.parse().unwrap())));
    assert_eq!(locked.outcome, AuditOutcome::Success);
    assert!(app.keyhaven.event_is_authentic(locked));

    let unlock = format!("{path}/unlock");
    call(&mut root.browser, (&Method::POST, &unlock, ""))
        .await
        .expect(204);
    browser.login(&mut anna.device, Some("anna")).await.expect(200);
    redeem(&mut browser, &token)
        .await
        .refused(401, "authentication_failed");
    for (method, path) in [
        (Method::POST, "lock"),
        (Method::POST, "unlock"),
        (Method::DELETE, "sessions"),
    ] {
        let path = format!("/admin/users/00000000-0000-4000-8000-000000000000/{path}");
        let body = if method == Method::POST { body } else { "" };
        call(&mut root.browser, (&method, &path, body))
            .await
            .refused(404, "not_found");
    }
}

#[tokio::test]
async fn administrators_lock_neither_themselves_nor_the_last_one() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    root.step_up().await;
    let path = format!("/admin/users/{}/lock", root.id);
    call(&mut root.browser, (&Method::POST, &path, r#"{"reason":"x"}"#))
        .await
        .refused(403, "forbidden");
    root.browser.get("/session").await.expect(200);
    let by = Operator::command_line();
    let id = root.id.parse().unwrap();
    let refused = app.keyhaven.administration.lock(&operator(), &by, id, "x").await;
    assert_eq!(refused.unwrap_err().code(), "forbidden");
    let event = events(&app, &root.id).await.remove(0);
    assert_eq!(
        (event.action.as_str(), event.outcome, event.actor),
        ("admin.lock", AuditOutcome::Refused, Some(Actor::CommandLine))
    );
}

#[tokio::test]
async fn somebody_is_signed_out_everywhere_by_an_administrator() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    root.step_up().await;
    let mut anna = user(&app, "anna").await;
    let mut elsewhere = app.browser();
    elsewhere.login(&mut anna.device, Some("anna")).await.expect(200);
    let path = format!("/admin/users/{}/sessions", anna.id);
    call(&mut root.browser, (&Method::DELETE, &path, ""))
        .await
        .expect(204);
    for browser in [&mut anna.browser, &mut elsewhere] {
        browser.get("/session").await.refused(401, "unauthenticated");
    }
    root.browser.get("/session").await.expect(200);
    anna.browser
        .login(&mut anna.device, Some("anna"))
        .await
        .expect(200);
}

#[tokio::test]
async fn removing_a_passkey_ends_its_sessions_and_uses_the_step_up_up() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    let mut anna = user(&app, "anna").await;
    let mut phone = SoftwareAuthenticator::new("phone");
    add_passkey(&mut anna.browser, &mut phone).await.expect(201);
    let mut by_phone = app.browser();
    let signed_in = by_phone.login(&mut phone, Some("anna")).await.expect(200);
    let phone_id = signed_in["credential"]["id"].as_str().unwrap().to_owned();
    let path = |id: &str| format!("/admin/users/{}/credentials/{id}", anna.id);
    root.step_up().await;
    let other = {
        let shown = root
            .browser
            .get(&format!("/admin/users/{}", root.id))
            .await
            .expect(200);
        shown["credentials"][0]["id"].as_str().unwrap().to_owned()
    };
    for unknown in ["AAAA", "!", other.as_str()] {
        call(&mut root.browser, (&Method::DELETE, &path(unknown), ""))
            .await
            .refused(404, "not_found");
    }
    call(&mut root.browser, (&Method::DELETE, &path(&phone_id), ""))
        .await
        .expect(204);
    by_phone.get("/session").await.refused(401, "unauthenticated");
    anna.browser.get("/session").await.expect(200);
    root.browser
        .get("/admin/users")
        .await
        .refused(403, "step_up_required");

    root.step_up().await;
    let left = anna.browser.get("/credentials").await.expect(200);
    let last = left["credentials"][0]["id"].as_str().unwrap().to_owned();
    call(&mut root.browser, (&Method::DELETE, &path(&last), ""))
        .await
        .refused(409, "last_credential");
    let even_last = format!("{}?evenLast=true", path(&last));
    call(&mut root.browser, (&Method::DELETE, &even_last, ""))
        .await
        .expect(204);
    let event = events(&app, &anna.id).await.remove(0);
    assert_eq!(event.action, "admin.remove_passkey");
    assert!(event.credential.is_some());
    assert_eq!(event.actor, Some(Actor::Account(root.id.parse().unwrap())));
}

#[tokio::test]
async fn an_enrolment_link_lets_a_passkey_be_added_and_nothing_else() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    let mut anna = user(&app, "anna").await;
    let token = link(&mut root, &anna.id).await;
    root.browser
        .get("/admin/users")
        .await
        .refused(403, "step_up_required");
    let mut browser = app.browser();
    let opened = redeem(&mut browser, &token).await.expect(200);
    assert_eq!(opened["user"]["username"], "anna");
    assert_eq!(opened["session"]["amr"], json!(["recovery"]));
    for path in ["/credentials", "/sessions", "/account", "/admin/users"] {
        assert!(browser.get(path).await.status.is_client_error(), "{path}");
    }
    browser
        .post("/step-up/start", json!({"purpose": "admin"}))
        .await
        .refused(403, "forbidden");
    anna.browser.get("/session").await.expect(200);
    let mut phone = SoftwareAuthenticator::new("phone");
    let added = add_passkey(&mut browser, &mut phone).await.expect(201);
    assert_eq!(added["recovered"], true);
    // As after a recovery, everybody else is signed out.
    anna.browser.get("/session").await.refused(401, "unauthenticated");
    browser.get("/credentials").await.expect(200);
    let actions: Vec<_> = events(&app, &anna.id)
        .await
        .into_iter()
        .map(|event| event.action)
        .collect();
    assert!(actions.contains(&"enrolment.redeem".to_owned()), "{actions:?}");
}

#[tokio::test]
async fn an_enrolment_link_is_good_once_and_its_failures_are_one() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    let anna = user(&app, "anna").await;
    let bert = user(&app, "bert").await;
    let replaced = link(&mut root, &anna.id).await;
    let used = link(&mut root, &anna.id).await;
    let mut first = user(&app, "carl").await.browser;
    let before = first.clone();
    redeem(&mut first, &replaced)
        .await
        .refused(401, "authentication_failed");
    before.clone().get("/session").await.expect(200);
    redeem(&mut first, &used).await.expect(200);
    // Who was signed in there before no longer is.
    before
        .clone()
        .get("/session")
        .await
        .refused(401, "unauthenticated");
    let expired = link(&mut root, &bert.id).await;
    app.pass(24 * 60 * 60);
    let unknown = "A".repeat(43);
    let cold = all_of(&redeem(&mut app.browser(), &unknown).await);
    assert_eq!(cold.0, 401);
    for token in [&replaced, &used, &expired, "", "x", &"A".repeat(1000)] {
        let answer = redeem(&mut app.browser(), token).await;
        assert_eq!(all_of(&answer), cold);
    }
    app.pass(60 * 60);
    app.keyhaven.upkeep.purge().await.unwrap();
    assert_eq!(all_of(&redeem(&mut app.browser(), &expired).await), cold);
    let refused = events(&app, &bert.id).await;
    assert!(
        refused
            .iter()
            .any(|event| event.action == "enrolment.redeem" && event.outcome == AuditOutcome::Refused)
    );
}

#[tokio::test]
async fn of_racing_redemptions_one_wins() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    let anna = user(&app, "anna").await;
    let token = link(&mut root, &anna.id).await;
    let mut racing = Vec::new();
    for _ in 0..8 {
        let (mut browser, token) = (app.browser(), token.clone());
        racing.push(tokio::spawn(async move {
            redeem(&mut browser, &token).await.status.as_u16()
        }));
    }
    let mut won = 0;
    for task in racing {
        won += usize::from(task.await.unwrap() == 200);
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn an_enrolment_link_is_mailed_to_the_owner_and_to_nobody_else() {
    let app = App::with(mailing()).await;
    let mut root = admin(&app, "root").await;
    let mut device = SoftwareAuthenticator::new("anna");
    let mut browser = app.browser();
    let wish = json!({"username": "anna", "email": "anna@example.com"});
    let started = browser.post("/register/start", wish).await.expect(200);
    let credential = device.register(&started["publicKey"], &browser.page());
    let registered = browser
        .post("/register/finish", finish(&started, &credential))
        .await
        .expect(201);
    let id = registered["user"]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/users/{id}/enrolment-link");
    root.step_up().await;
    // An address that nobody has proven is nobody's.
    call(&mut root.browser, (&Method::POST, &path, r#"{"mail":true}"#))
        .await
        .refused(400, "invalid_request");
    let mails = app.mails().await;
    let (_, rest) = mails[0].text.split_once("#verify-email=").unwrap();
    let proof = rest.split_whitespace().next().unwrap();
    browser
        .post("/email/verify", json!({"token": proof}))
        .await
        .expect(200);
    let made = call(&mut root.browser, (&Method::POST, &path, r#"{"mail":true}"#))
        .await
        .expect(201);
    assert!(made.get("link").is_none());
    assert_eq!(made["mailed"], true);
    let mails = app.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to.as_str(), "anna@example.com");
    let mailed = mails[0]
        .text
        .split_whitespace()
        .find(|word| word.contains("#enrolment="));
    let token = place(mailed.unwrap());
    redeem(&mut app.browser(), &token).await.expect(200);
    let told = app.mails().await;
    assert_eq!(told[0].subject, "The link to add a passkey was used");
    // By the address, too, the account is found.
    root.step_up().await;
    let found = root
        .browser
        .get("/admin/users?email=anna@example.com")
        .await
        .expect(200);
    assert_eq!(found["users"][0]["username"], "anna");
    assert_eq!(found["users"][0]["emailVerified"], true);
}

#[tokio::test]
async fn a_client_key_is_checked_only_where_that_is_switched_on() {
    let with = |client_key_check| Settings {
        client_key: Demand::ByAccount,
        administration: AdministrationSettings {
            client_key_check,
            ..AdministrationSettings::default()
        },
        rate_limits: Some(RateLimitSettings {
            passwords_per_address_and_account: 3,
            ..RateLimitSettings::default()
        }),
        ..settings()
    };
    let app = App::with(with(false)).await;
    let mut root = admin(&app, "root").await;
    root.step_up().await;
    let path = format!("/admin/users/{}/client-key/verify", root.id);
    let off = call(&mut root.browser, (&Method::POST, &path, r#"{"candidate":"00"}"#)).await;
    let unknown = call(&mut root.browser, (&Method::POST, "/no/such/route", "{}")).await;
    assert_eq!(all_of(&off), all_of(&unknown));

    let app = App::with(with(true)).await;
    let mut root = admin(&app, "root").await;
    root.step_up().await;
    let mut anna = user(&app, "anna").await;
    let path = format!("/admin/users/{}/client-key/verify", anna.id);
    let none = call(&mut root.browser, (&Method::POST, &path, r#"{"candidate":"00"}"#)).await;
    assert_eq!(
        none.expect(200),
        json!({"configured": false, "matches": false, "createdAt": null, "lastUsedAt": null, "fingerprint": null})
    );
    anna.browser.step_up(&mut anna.device, "change_password").await;
    let made = anna
        .browser
        .post("/account/client-key", json!({}))
        .await
        .expect(200);
    let key = made["clientKey"].as_str().unwrap();
    let body = json!({"candidate": key}).to_string();
    let right = call(&mut root.browser, (&Method::POST, &path, &body)).await;
    assert!(!right.text.contains(key));
    let right = right.expect(200);
    assert_eq!(
        (&right["configured"], &right["matches"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(right["fingerprint"].as_str().unwrap().len(), 16);
    let wrong = call(&mut root.browser, (&Method::POST, &path, r#"{"candidate":"00"}"#)).await;
    let wrong = wrong.expect(200);
    assert_eq!(
        (&wrong["matches"], &wrong["fingerprint"]),
        (&json!(false), &right["fingerprint"])
    );
    call(&mut root.browser, (&Method::POST, &path, &body))
        .await
        .refused(429, "rate_limited");
    let codes: Vec<_> = events(&app, &anna.id)
        .await
        .into_iter()
        .filter(|event| event.action == "admin.client_key_check")
        .map(|event| event.code.unwrap())
        .collect();
    assert_eq!(
        codes,
        ["client_key_mismatch", "client_key_matches", "no_client_key"]
    );
}

#[tokio::test]
async fn the_audit_log_is_read_by_account_kind_outcome_and_time() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    let mut anna = user(&app, "anna").await;
    app.pass(60);
    for _ in 0..5 {
        anna.browser
            .login(&mut anna.device, Some("anna"))
            .await
            .expect(200);
    }
    app.pass(60);
    user(&app, "bert").await;
    root.step_up().await;
    let mut read = async |query: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = root
                .browser
                .get(&format!("/admin/audit?{query}{cursor}"))
                .await
                .expect(200);
            found.extend(page["events"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else {
                return found;
            };
            cursor = format!("&cursor={next}");
        }
    };
    let all = read("limit=3").await;
    let ids: BTreeSet<_> = all.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), all.len());
    let everything = app.store.events(None, 1000).await.unwrap();
    assert_eq!(all.len(), everything.len());
    let times: Vec<_> = all.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b));
    let annas = read(&format!("limit=2&account={}", anna.id)).await;
    assert!(annas.iter().all(|event| event["account"] == anna.id.as_str()));
    assert_eq!(read("action=login.finish&limit=2").await.len(), 6);
    let of_anna = read(&format!("action=login.finish&account={}", anna.id)).await;
    assert_eq!(of_anna.len(), 5);
    assert_eq!(read("outcome=refused").await.len(), 0);
    let at = of_anna[0]["at"].as_str().unwrap();
    let (from, to) = ("2027-01-15T08:00:30Z", "2027-01-15T08:01:30Z");
    assert!((from..to).contains(&at), "{at}");
    let window = format!("action=login.finish&from={from}&to={to}");
    assert_eq!(read(&window).await.len(), 5);
    assert_eq!(read(&format!("{window}&account={}", anna.id)).await.len(), 5);
    assert_eq!(read(&format!("action=login.finish&from={to}")).await.len(), 0);
    assert_eq!(read(&format!("action=login.finish&to={from}")).await.len(), 1);
    let raised = read(&format!("action=admin.grant_role&account={}", root.id)).await;
    let raised: Vec<_> = if raised.is_empty() {
        read("action=admin.grant_role").await
    } else {
        raised
    };
    assert_eq!(raised[0]["actor"], "command_line");
    for bad in [
        "outcome=maybe",
        "account=x",
        "from=yesterday",
        "limit=0",
        "cursor=x",
    ] {
        root.browser
            .get(&format!("/admin/audit?{bad}"))
            .await
            .refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn the_export_is_one_that_can_be_verified() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    let log = &app.keyhaven.audit_log;
    log.maintain(std::time::Duration::from_secs(1_000_000))
        .await
        .unwrap();
    assert!(log.seal().await.unwrap().events > 0);
    root.step_up().await;
    let answer = root.browser.get("/admin/audit/export").await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let (mut reader, mut keys) = (Reader::default(), TrustedKeys::default());
    let mut items = Vec::new();
    for line in answer.text.lines() {
        let line: Line = serde_json::from_str(line).unwrap();
        items.extend(reader.line(line).unwrap());
    }
    assert!(reader.is_whole());
    for item in &items {
        if let Item::Key(key) = item {
            keys.trust(key.verifier_key.parse().unwrap());
        }
    }
    let mut verifier = Verifier::new(keys, None);
    for item in items {
        match item {
            Item::Batch(batch, members) => verifier.batch(&batch, &members),
            Item::Key(_) => {}
            Item::Prune(prune) => verifier.prune(prune),
            Item::Unsealed(unsealed) => verifier.unsealed(&unsealed),
        }
    }
    let report = verifier.finish();
    assert!(report.is_sound(), "{:?}", report.findings);
    let everything = app.store.events(None, 1000).await.unwrap().len();
    assert_eq!(
        report.sealed + report.unsealed,
        u64::try_from(everything).unwrap()
    );
    let recorded = app.store.events(None, 1).await.unwrap().remove(0);
    assert_eq!(recorded.action, "admin.audit_export");
    assert_eq!(recorded.actor, Some(Actor::Account(root.id.parse().unwrap())));
    // Once it is over the next one can be had.
    root.browser.get("/admin/audit/export").await;
}

#[tokio::test]
async fn bodies_that_cannot_be_read_change_nothing() {
    let app = App::with(settings()).await;
    let mut root = admin(&app, "root").await;
    root.step_up().await;
    let mut anna = user(&app, "anna").await;
    let lock = format!("/admin/users/{}/lock", anna.id);
    let enrolment = format!("/admin/users/{}/enrolment-link", anna.id);
    let long = json!({"reason": "x".repeat(257)}).to_string();
    for body in [
        "{",
        "[]",
        "null",
        "{}",
        r#"{"reason":1}"#,
        r#"{"reason":"  "}"#,
        r#"{"reason":"a\nb"}"#,
        &long,
    ] {
        call(&mut root.browser, (&Method::POST, &lock, body))
            .await
            .refused(400, "invalid_request");
    }
    for body in ["{", r#"{"mail":1}"#, r#"{"mail":true}"#] {
        call(&mut root.browser, (&Method::POST, &enrolment, body))
            .await
            .refused(400, "invalid_request");
    }
    let large = " ".repeat(70_000);
    for path in [&lock, &enrolment, "/enrolment/redeem"] {
        call(&mut root.browser, (&Method::POST, path, &large))
            .await
            .refused(413, "payload_too_large");
        let text = root.browser.send(
            Method::POST,
            path,
            &[("content-type", "text/plain")],
            b"{}".to_vec(),
        );
        text.await.refused(415, "unsupported_media_type");
    }
    for body in ["", "{", "{}", r#"{"token":1}"#] {
        let answer = redeem_raw(&mut app.browser(), body).await;
        answer.refused(400, "invalid_request");
    }
    anna.browser.get("/session").await.expect(200);
}

async fn redeem_raw(browser: &mut Client, body: &str) -> Answer {
    let headers = [("content-type", "application/json")];
    browser
        .send(
            Method::POST,
            "/enrolment/redeem",
            &headers,
            body.as_bytes().to_vec(),
        )
        .await
}
