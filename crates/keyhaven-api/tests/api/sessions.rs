//! Sessions: how they live and end.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use keyhaven_service::{Demand, SessionLimits, SessionSettings, Settings};
use keyhaven_storage::Role;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use keyhaven_types::options::UserVerification;
use serde_json::json;
use tokio::sync::oneshot;

use crate::admin::set_role;
use crate::passwords::fallback;
use crate::stores::TestStore;
use crate::support::{Answer, App, Client, ORIGIN, finish, mailing, settings};

#[tokio::test]
async fn the_cookie_is_bound_to_the_host_and_hidden_from_scripts() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let answer = browser.login(&mut device, None).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-keyhaven_session="));
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=86400"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    let before = browser.clone();
    browser.delete("/session").await.expect(204);
    assert_eq!(browser.session_cookie(), None);
    before
        .clone()
        .get("/session")
        .await
        .refused(401, "unauthenticated");
    browser.delete("/session").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_session_ends_unused_and_ends_at_last() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    app.pass(3_599);
    browser.get("/session").await.expect(200);
    app.pass(3_600);
    browser.get("/session").await.refused(401, "session_expired");
    browser.login(&mut device, None).await.expect(200);
    for _ in 0..47 {
        app.pass(1_800);
        browser.get("/session").await.expect(200);
    }
    app.pass(1_800);
    browser.get("/session").await.refused(401, "session_expired");
    // With the cookie of a session that is over one can still register, but not add.
    browser
        .post("/register/start", json!({}))
        .await
        .refused(401, "session_expired");
    browser
        .post("/register/start", json!({"username": "alice2"}))
        .await
        .expect(200);
}

/// How long a session of a device that verifies its user or does not, unused and used, is in force: seconds.
async fn lives(settings: Settings, verifies_user: bool) -> (i64, i64) {
    let mut device = SoftwareAuthenticator::new("device");
    device.verifies_user = verifies_user;
    let app = App::with(settings).await;
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let step = 300;
    let mut unused = 0;
    loop {
        let mut fresh = app.browser();
        fresh.login(&mut device, None).await.expect(200);
        app.pass(unused + step);
        if fresh.get("/session").await.status == 401 {
            break;
        }
        unused += step;
        if unused >= 3_600 {
            break;
        }
    }
    let mut used = 0;
    browser.login(&mut device, None).await.expect(200);
    while browser.get("/session").await.status == 200 {
        app.pass(step);
        used += step;
    }
    (unused + step, used)
}

#[tokio::test]
async fn limits_are_those_of_the_level_and_only_ever_tighter() {
    let weak = Settings {
        user_verification: UserVerification::Discouraged,
        sessions: SessionSettings {
            aal1: SessionLimits {
                absolute: Duration::from_secs(40 * 86_400),
                idle: Duration::from_secs(1_800),
            },
            ..SessionSettings::default()
        },
        ..settings()
    };
    // AAL1: what was decided, and never longer than 30 days.
    assert_eq!(lives(weak.clone(), false).await, (1_800, 30 * 86_400));
    // AAL2: 24 h, and 1 h without use.
    assert_eq!(lives(weak, true).await, (3_600, 86_400));
    let tighter = Settings {
        sessions: SessionSettings {
            aal2: SessionLimits {
                absolute: Duration::from_secs(7_200),
                idle: Duration::from_secs(600),
            },
            ..SessionSettings::default()
        },
        ..settings()
    };
    assert_eq!(lives(tighter, true).await, (600, 7_200));
}

#[tokio::test]
async fn a_session_in_use_outlives_its_idle_limit_and_an_unused_one_does_not() {
    for idle in [60, 100, 600, 3_600] {
        let limits = SessionLimits {
            idle: Duration::from_secs(idle),
            ..SessionLimits::longest(2)
        };
        let app = App::with(Settings {
            sessions: SessionSettings {
                aal2: limits,
                ..SessionSettings::default()
            },
            ..settings()
        })
        .await;
        let mut browser = app.browser();
        browser
            .register(&mut SoftwareAuthenticator::new("device"), "alice")
            .await;
        let idle = i64::try_from(idle).unwrap();
        // What may be missing is a tenth, and a minute at most.
        let kept = idle - (idle / 10).min(60);
        for _ in 0..5 {
            app.pass(5);
            browser.get("/session").await.expect(200);
            app.pass(kept);
            browser.get("/session").await.expect(200);
        }
        app.pass(idle);
        browser.get("/session").await.refused(401, "session_expired");
    }
}

#[tokio::test]
async fn limits_that_are_tightened_count_for_sessions_that_are_there() {
    let store = TestStore::fresh().await;
    let mut device = SoftwareAuthenticator::new("device");
    let before = App::on(settings(), store.clone()).await;
    let mut browser = before.browser();
    browser.register(&mut device, "alice").await;
    before.pass(1_200);
    browser.get("/session").await.expect(200);
    let tighter = Settings {
        sessions: SessionSettings {
            aal2: SessionLimits {
                absolute: Duration::from_secs(1_200),
                idle: Duration::from_secs(1_200),
            },
            ..SessionSettings::default()
        },
        ..settings()
    };
    let after = App::on(tighter, store).await;
    after.pass(1_200);
    let mut same = after.browser();
    same.cookies.clone_from(&browser.cookies);
    same.get("/session").await.refused(401, "session_expired");
}

#[tokio::test]
async fn a_step_up_gives_the_session_another_token() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    let before = browser.clone();
    browser.step_up(&mut device, "export").await;
    assert_ne!(before.session_cookie(), browser.session_cookie());
    let session = browser.get("/session").await.expect(200)["session"].clone();
    assert_eq!(session["id"], registered["session"]["id"]);
    assert_eq!(session["authTime"], registered["session"]["authTime"]);
    // Requests that were under way with the token from before still pass; ten seconds later it ends the session.
    before.clone().get("/session").await.expect(200);
    app.pass(11);
    before
        .clone()
        .get("/session")
        .await
        .refused(401, "session_expired");
    browser.get("/session").await.refused(401, "unauthenticated");
}

/// Where every step-up is for something.
fn stepping_up() -> Settings {
    Settings {
        client_key: Demand::ByAccount,
        mail: mailing().mail,
        ..fallback()
    }
}

/// What needs a step-up once the sign-in is not fresh any more: the purpose, and a request.
const STEP_UPS: [(&str, Method, &str, &str); 11] = [
    ("add_passkey", Method::POST, "/register/start", "{}"),
    ("add_passkey", Method::POST, "/recovery/codes", ""),
    (
        "add_passkey",
        Method::PATCH,
        "/credentials/ID",
        r#"{"active":true}"#,
    ),
    ("admin", Method::GET, "/admin/users", ""),
    (
        "change_email",
        Method::POST,
        "/email/change",
        r#"{"email":"new@example.com"}"#,
    ),
    (
        "change_password",
        Method::PUT,
        "/password",
        r#"{"password":"correct horse battery staple"}"#,
    ),
    ("change_password", Method::POST, "/account/client-key", ""),
    ("delete_passkey", Method::DELETE, "/credentials/ID", ""),
    ("delete_passkey", Method::DELETE, "/credentials?except=ID", ""),
    ("export", Method::GET, "/account/export", ""),
    ("delete_account", Method::DELETE, "/account", ""),
];

async fn ask(browser: &mut Client, method: &Method, path: &str, body: &str) -> Answer {
    let kind = Some(("content-type", "application/json")).filter(|_| !body.is_empty());
    let headers: Vec<_> = kind.into_iter().collect();
    browser
        .send(method.clone(), path, &headers, body.as_bytes().to_vec())
        .await
}

/// An administrator with two passkeys, whose sign-in is not fresh any more, and the id of the second.
async fn owner(app: &App, device: &mut SoftwareAuthenticator) -> (Client, String) {
    let mut browser = app.browser();
    let registered = browser.register(device, "alice").await;
    set_role(app, registered["user"]["id"].as_str().unwrap(), Role::Admin).await;
    browser.login(device, None).await.expect(200);
    let mut second = SoftwareAuthenticator::new("second");
    let added = browser.add_passkey(&mut second, json!({})).await.expect(201);
    app.pass(301);
    (browser, added["credential"]["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_token_from_before_a_step_up_uses_nothing_that_it_allows() {
    for (purpose, method, path, body) in STEP_UPS {
        let app = App::with(stepping_up()).await;
        let mut device = SoftwareAuthenticator::new("device");
        let (mut browser, id) = owner(&app, &mut device).await;
        let mut thief = browser.clone();
        browser.step_up(&mut device, purpose).await;
        let path = path.replace("ID", &id);
        // While it is still good for requests under way.
        let refused = ask(&mut thief, &method, &path, body).await;
        refused.refused(403, "step_up_required");
        assert_eq!(refused.body["purpose"], purpose, "{method} {path}");
        thief.get("/session").await.expect(200);
        // The grant is there all the same, for whoever gave it.
        let allowed = ask(&mut browser, &method, &path, body).await;
        assert_ne!(allowed.code(), "step_up_required", "{method} {path}");
        assert!(
            allowed.status.is_success() || path.starts_with("/credentials/") && method == Method::PATCH,
            "{method} {path}: {}",
            allowed.text
        );
    }
}

#[tokio::test]
async fn a_registration_that_a_step_up_allows_is_not_finished_by_the_token_from_before() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let (mut browser, _) = owner(&app, &mut device).await;
    let mut thief = browser.clone();
    browser.step_up(&mut device, "add_passkey").await;
    let started = browser.post("/register/start", json!({})).await.expect(200);
    let made = SoftwareAuthenticator::new("thief").register(&started["publicKey"], &thief.page());
    thief.cookies.extend(
        browser
            .cookies
            .clone()
            .into_iter()
            .filter(|(name, _)| name.ends_with("ceremony")),
    );
    let refused = thief.post("/register/finish", finish(&started, &made)).await;
    refused.refused(403, "step_up_required");
    assert_eq!(refused.body["purpose"], "add_passkey");
}

#[tokio::test]
async fn a_token_that_was_replaced_is_not_that_of_a_fresh_sign_in() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let mut second = SoftwareAuthenticator::new("second");
    let added = browser.add_passkey(&mut second, json!({})).await.expect(201);
    let id = added["credential"]["id"].as_str().unwrap();
    let mut before = browser.clone();
    browser
        .send(Method::POST, "/session/refresh", &[], Vec::new())
        .await
        .expect(200);
    for (method, path, body) in [
        (Method::POST, "/register/start", "{}"),
        (Method::POST, "/recovery/codes", ""),
        (Method::DELETE, &*format!("/credentials/{id}"), ""),
        (Method::DELETE, "/credentials", ""),
    ] {
        let refused = ask(&mut before, &method, path, body).await;
        refused.refused(403, "step_up_required");
    }
    browser.delete(&format!("/credentials/{id}")).await.expect(200);
}

/// Whoever has a copy of the token and renews it first is not who has the passkey.
#[tokio::test]
async fn a_step_up_leaves_the_only_token_that_lasts_with_who_proved_the_passkey() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let (mut browser, _) = owner(&app, &mut device).await;
    let mut thief = browser.clone();
    thief
        .send(Method::POST, "/session/refresh", &[], Vec::new())
        .await
        .expect(200);
    let stolen = thief.session_cookie().cloned();
    app.pass(9);
    browser.step_up(&mut device, "export").await;
    thief
        .get("/account/export")
        .await
        .refused(403, "step_up_required");
    // Nor does the thief come by the new token.
    thief
        .send(Method::POST, "/session/refresh", &[], Vec::new())
        .await
        .expect(200);
    assert_eq!(thief.session_cookie(), stolen.as_ref());
    browser.get("/account/export").await.expect(200);
    app.pass(11);
    browser.get("/account/export").await.expect(200);
    thief.get("/session").await.refused(401, "session_expired");
}

/// A body that comes once it is asked for, and then waits: the session was looked at before.
fn held_back(json: &'static str) -> (Body, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (asking, asked) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let body = Body::from_stream(futures_util::stream::once(async move {
        asking.send(()).unwrap();
        released.await.unwrap();
        Ok::<_, std::convert::Infallible>(json)
    }));
    (body, asked, release)
}

#[tokio::test]
async fn a_request_held_back_until_a_step_up_uses_nothing_that_it_allows() {
    let bodies = STEP_UPS
        .into_iter()
        .filter(|(purpose, _, _, body)| !body.is_empty() && *purpose != "admin");
    for (purpose, method, path, body) in bodies {
        let app = App::with(stepping_up()).await;
        let mut device = SoftwareAuthenticator::new("device");
        let (mut browser, id) = owner(&app, &mut device).await;
        let path = path.replace("ID", &id);
        let (body, asked, release) = held_back(body);
        let request = Request::builder()
            .method(&method)
            .uri(&path)
            .header("origin", ORIGIN)
            .header("content-type", "application/json")
            .header(
                "cookie",
                format!("__Host-keyhaven_session={}", browser.session_cookie().unwrap()),
            )
            .body(body)
            .unwrap();
        let mut thief = app.browser();
        let waiting = tokio::spawn(async move { thief.answer(request).await });
        asked.await.unwrap();
        browser.step_up(&mut device, purpose).await;
        release.send(()).unwrap();
        let refused = waiting.await.unwrap();
        refused.refused(403, "step_up_required");
        assert_eq!(refused.body["purpose"], purpose, "{method} {path}");
    }
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sessions_and_this_one() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let (mut one, mut two) = (app.browser(), app.browser());
    one.register(&mut device, "alice").await;
    two.login(&mut device, None).await.expect(200);
    let mut stranger = app.browser();
    stranger
        .register(&mut SoftwareAuthenticator::new("other"), "bob")
        .await;
    let mut same = one.clone();
    one.delete("/sessions?all=perhaps")
        .await
        .refused(400, "invalid_request");
    assert_eq!(one.delete("/sessions?all=true").await.expect(200)["ended"], 2);
    assert_eq!(one.session_cookie(), None);
    same.get("/session").await.refused(401, "unauthenticated");
    two.get("/session").await.refused(401, "unauthenticated");
    stranger.get("/session").await.expect(200);
}

#[tokio::test]
async fn a_session_is_listed_with_its_device_place_and_times() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    app.pass(120);
    browser.get("/session").await.expect(200);
    let listed = browser.get("/sessions").await.expect(200)["sessions"][0].clone();
    assert_eq!(listed["ip"], "192.0.2.1");
    assert_eq!(listed["current"], true);
    assert_eq!(listed["createdAt"], listed["authTime"]);
    assert!(listed["lastSeenAt"].as_str() > listed["createdAt"].as_str());
    assert!(listed["userAgent"].is_null());
}

#[tokio::test]
async fn refreshing_changes_the_token_and_a_stolen_old_one_ends_the_session() {
    let app = App::new().await;
    let mut browser = app.browser();
    let session = browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await["session"]["id"]
        .clone();
    let old = browser.clone();
    let refreshed = browser
        .send(Method::POST, "/session/refresh", &[], Vec::new())
        .await
        .expect(200);
    assert_eq!(refreshed["session"]["id"], session);
    assert_ne!(old.session_cookie(), browser.session_cookie());
    // Requests that were under way with the old token still pass.
    app.pass(10);
    old.clone().get("/session").await.expect(200);
    app.pass(1);
    old.clone().get("/session").await.refused(401, "session_expired");
    browser.get("/session").await.refused(401, "unauthenticated");
}

async fn refresh(browser: &mut Client) {
    let refreshed = browser.send(Method::POST, "/session/refresh", &[], Vec::new());
    refreshed.await.expect(200);
}

/// As the description says: nothing, and nothing in it, are the same.
#[tokio::test]
async fn a_refresh_without_a_token_in_its_body_is_by_the_cookie() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    for body in [json!(null), json!({}), json!({"refreshToken": null})] {
        let before = browser.session_cookie().cloned();
        browser.post("/session/refresh", body.clone()).await.expect(200);
        assert_ne!(browser.session_cookie(), before.as_ref(), "{body}");
        app.browser()
            .post("/session/refresh", body)
            .await
            .refused(401, "unauthenticated");
    }
    for body in [json!({"refreshToken": 1}), json!([]), json!("null")] {
        let refused = browser.post("/session/refresh", body).await;
        refused.refused(400, "invalid_request");
    }
}

/// Each counts its own ten seconds: later replacements neither shorten nor prolong them.
#[tokio::test]
async fn requests_under_way_pass_however_often_the_token_is_replaced_meanwhile() {
    for second in ["refresh", "step-up"] {
        let app = App::new().await;
        let mut device = SoftwareAuthenticator::new("device");
        let mut browser = app.browser();
        browser.register(&mut device, "alice").await;
        let mut first = browser.clone();
        refresh(&mut browser).await;
        let mut between = browser.clone();
        app.pass(6);
        if second == "refresh" {
            refresh(&mut browser).await;
        } else {
            browser.step_up(&mut device, "export").await;
        }
        for under_way in [&mut first, &mut between] {
            under_way.get("/session").await.expect(200);
            // And nothing more: they are not who stepped up.
            let refused = under_way.get("/account/export").await;
            refused.refused(403, "step_up_required");
            let kept = under_way.session_cookie().cloned();
            refresh(under_way).await;
            assert_eq!(under_way.session_cookie(), kept.as_ref(), "{second}");
        }
        app.pass(4);
        first.get("/session").await.expect(200);
        between.get("/session").await.expect(200);
        app.pass(1);
        between.get("/session").await.expect(200);
        browser.get("/session").await.expect(200);
        first.get("/session").await.refused(401, "session_expired");
        browser.get("/session").await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_token_stolen_long_ago_ends_the_session_too() {
    let app = App::new().await;
    let mut victim = app.browser();
    victim
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    // The thief rotates twice, at once; the victim still holds the token before both.
    let mut thief = victim.clone();
    for _ in 0..2 {
        refresh(&mut thief).await;
    }
    app.pass(11);
    thief.get("/session").await.expect(200);
    victim.get("/session").await.refused(401, "session_expired");
    thief.get("/session").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_finish_with_a_session_cookie_needs_an_origin() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    browser.register(&mut device, "alice").await;
    let mut native = app.native();
    for path in ["/login/finish", "/register/finish"] {
        let started = native.post("/login/start", json!({})).await.expect(200);
        let credential = device.authenticate(&started["publicKey"], "https://example.org");
        native.cookies.clone_from(&browser.cookies);
        let answer = native.post(path, finish(&started, &credential)).await;
        answer.refused(403, "origin_not_allowed");
        native.cookies.clear();
    }
    browser.get("/session").await.expect(200);
}

#[tokio::test]
async fn sessions_are_listed_and_revoked() {
    let app = App::new().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut one = app.browser();
    one.register(&mut device, "alice").await;
    let (mut two, mut three) = (app.browser(), app.browser());
    two.login(&mut device, None).await.expect(200);
    three.login(&mut device, None).await.expect(200);
    let list = one.get("/sessions").await.expect(200)["sessions"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(list.len(), 3);
    assert_eq!(
        list.iter().filter(|session| session["current"] == true).count(),
        1
    );
    let second = two.get("/session").await.expect(200)["session"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    one.delete(&format!("/sessions/{second}")).await.expect(204);
    two.get("/session").await.refused(401, "unauthenticated");
    one.delete(&format!("/sessions/{second}"))
        .await
        .refused(404, "not_found");
    assert_eq!(one.delete("/sessions").await.expect(200)["ended"], 1);
    three.get("/session").await.refused(401, "unauthenticated");
    one.get("/session").await.expect(200);
}

#[tokio::test]
async fn nobody_ends_somebody_elses_session() {
    let app = App::new().await;
    let mut alice = app.browser();
    let session = alice
        .register(&mut SoftwareAuthenticator::new("alice"), "alice")
        .await["session"]["id"]
        .clone();
    let mut mallory = app.browser();
    mallory
        .register(&mut SoftwareAuthenticator::new("mallory"), "mallory")
        .await;
    mallory
        .delete(&format!("/sessions/{}", session.as_str().unwrap()))
        .await
        .refused(404, "not_found");
    mallory
        .delete("/sessions/nonsense")
        .await
        .refused(404, "not_found");
    alice.get("/session").await.expect(200);
}

#[tokio::test]
async fn a_cookie_sent_twice_or_made_up_opens_nothing() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    let token = browser.session_cookie().unwrap().clone();
    let twice = format!("__Host-keyhaven_session={token}; __Host-keyhaven_session={token}");
    let mut bare = app.browser();
    bare.send(Method::GET, "/session", &[("cookie", &twice)], Vec::new())
        .await
        .refused(401, "unauthenticated");
    for made_up in ["", "x", &"A".repeat(43), &"A".repeat(5_000)] {
        let cookie = format!("__Host-keyhaven_session={made_up}");
        let answer = bare
            .send(Method::GET, "/session", &[("cookie", &cookie)], Vec::new())
            .await;
        answer.refused(401, "unauthenticated");
    }
}

/// One whose clock is ahead of the others' by less than an hour must not take from them what they still honour.
#[tokio::test]
async fn a_clock_that_is_ahead_drops_nothing_that_others_honour() {
    let app = App::new().await;
    let mut browser = app.browser();
    let mut device = SoftwareAuthenticator::new("device");
    browser.register(&mut device, "alice").await;
    let lifetime = i64::try_from(SessionSettings::default().aal2.absolute.as_secs()).unwrap();
    app.pass(lifetime + 3_599);
    app.keyhaven.upkeep.purge().await.unwrap();
    app.pass(-(lifetime + 3_599));
    browser.get("/session").await.expect(200);
    app.pass(lifetime + 3_600);
    app.keyhaven.upkeep.purge().await.unwrap();
    browser.get("/session").await.refused(401, "unauthenticated");
}
