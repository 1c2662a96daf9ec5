//! Sessions: how they live and end.

use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::json;

use crate::support::{App, finish};
use axum::http::Method;

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

#[tokio::test]
async fn refreshing_changes_the_token_and_a_stolen_old_one_ends_the_session() {
    let app = App::new().await;
    let mut browser = app.browser();
    let session = browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await["session"]["id"]
        .clone();
    let old = browser.clone();
    let refreshed = browser.post("/session/refresh", json!(null)).await;
    // `null` is a body of the wrong shape; an empty one is right.
    refreshed.refused(400, "invalid_request");
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
        thief
            .send(Method::POST, "/session/refresh", &[], Vec::new())
            .await
            .expect(200);
    }
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
