//! Access tokens, where they are on.

use axum::http::Method;
use keyhaven_session::{Authority as _, TokenAuthority};
use keyhaven_testkit::authenticator::{SoftwareAuthenticator, base64url_decode};
use keyhaven_types::UnixTime;
use serde_json::{Value, json};

use crate::support::{App, ORIGIN};

#[tokio::test]
async fn tokens_are_off_by_default() {
    let app = App::new().await;
    let registered = app
        .native()
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    assert_eq!(registered["session"].get("accessToken"), None);
    assert_eq!(registered["session"].get("refreshToken"), None);
}

#[tokio::test]
async fn a_token_reads_and_changes_nothing() {
    let app = App::with_tokens().await;
    let mut device = SoftwareAuthenticator::new("device");
    let registered = app.browser().register(&mut device, "alice").await;
    assert_eq!(registered["session"]["tokenType"], "Bearer");
    assert_eq!(
        registered["session"].get("refreshToken"),
        None,
        "a browser has the cookie"
    );
    let bearer = format!(
        "Bearer {}",
        registered["session"]["accessToken"].as_str().unwrap()
    );
    let headers = [("authorization", bearer.as_str())];
    let mut native = app.native();
    let me = native
        .send(Method::GET, "/session", &headers, Vec::new())
        .await
        .expect(200);
    assert_eq!(me["user"], registered["user"]);
    native
        .send(Method::GET, "/credentials", &headers, Vec::new())
        .await
        .expect(200);
    let path = format!(
        "/credentials/{}",
        registered["credential"]["id"].as_str().unwrap()
    );
    for (method, path) in [
        (Method::DELETE, "/session"),
        (Method::DELETE, &*path),
        (Method::DELETE, "/sessions"),
    ] {
        native
            .send(method, path, &headers, Vec::new())
            .await
            .refused(401, "unauthenticated");
    }
    app.pass(300);
    native
        .send(Method::GET, "/session", &headers, Vec::new())
        .await
        .refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_of_a_session_that_ended_is_refused_here() {
    let app = App::with_tokens().await;
    let mut browser = app.browser();
    let registered = browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    let bearer = format!(
        "Bearer {}",
        registered["session"]["accessToken"].as_str().unwrap()
    );
    browser.delete("/session").await.expect(204);
    let answer = app
        .native()
        .send(Method::GET, "/session", &[("authorization", &bearer)], Vec::new())
        .await;
    answer.refused(401, "session_expired");
}

#[tokio::test]
async fn another_service_checks_a_token_by_the_published_keys() {
    fn now() -> UnixTime {
        UnixTime::from_millis(1_800_000_100_000)
    }
    let app = App::with_tokens().await;
    let mut browser = app.browser();
    let registered = browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    let keys = browser.get("/.well-known/jwks.json").await;
    assert_eq!(keys.body["keys"][0]["alg"], "EdDSA");
    let authority = TokenAuthority::new(ORIGIN, "example.org", &keys.text, now).unwrap();
    let bearer = format!(
        "Bearer {}",
        registered["session"]["accessToken"].as_str().unwrap()
    );
    let request = axum::http::Request::builder()
        .header("authorization", bearer)
        .body(())
        .unwrap();
    let claims = authority.authenticate(&request.into_parts().0).await.unwrap();
    assert_eq!(claims.sub, registered["user"]["id"].as_str().unwrap());
    assert_eq!(claims.aal, 2);
    assert_eq!(claims.acr.as_deref(), Some("phr"));
    assert_eq!(claims.amr, ["swk", "user", "mfa"]);
}

#[tokio::test]
async fn a_client_without_cookies_refreshes_by_token() {
    let app = App::with_tokens().await;
    let mut native = app.native();
    let registered = native
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    native.cookies.clear();
    let first = registered["session"]["refreshToken"].clone();
    let refreshed = native
        .post("/session/refresh", json!({"refreshToken": first}))
        .await
        .expect(200);
    let second = refreshed["session"]["refreshToken"].clone();
    assert_ne!(first, second);
    native.cookies.clear();
    app.pass(11);
    native
        .post("/session/refresh", json!({"refreshToken": first}))
        .await
        .refused(401, "session_expired");
    native
        .post("/session/refresh", json!({"refreshToken": second}))
        .await
        .refused(401, "unauthenticated");
    native
        .post("/session/refresh", json!({"refreshToken": "nonsense"}))
        .await
        .refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_client_without_cookies_gets_the_token_that_a_step_up_rotates_to() {
    let app = App::with_tokens().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut native = app.native();
    let registered = native.register(&mut device, "alice").await;
    native.origin = Some(ORIGIN.into());
    let granted = native.step_up(&mut device, "export").await;
    assert_eq!(granted.get("refreshToken"), None, "a browser has the cookie");
    native.origin = None;
    let session = native.session_cookie().unwrap().clone();
    let mut headless = app.native();
    let refreshed = headless
        .post("/session/refresh", json!({"refreshToken": session}))
        .await
        .expect(200);
    assert_eq!(refreshed["session"]["id"], registered["session"]["id"]);
}

#[tokio::test]
async fn a_new_key_is_published_before_it_signs() {
    fn kid(token: &str) -> String {
        let head = base64url_decode(token.split('.').next().unwrap());
        let head: Value = serde_json::from_slice(&head).unwrap();
        head["kid"].as_str().unwrap().to_owned()
    }
    let app = App::with_tokens().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    let first = kid(registered["session"]["accessToken"].as_str().unwrap());
    app.pass(31 * 24 * 3600);
    app.keyhaven.access_tokens.maintain().await.unwrap();
    let keys = browser.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    let answer = browser.login(&mut device, None).await.expect(200);
    assert_eq!(kid(answer["session"]["accessToken"].as_str().unwrap()), first);
    app.pass(600);
    let answer = browser.login(&mut device, None).await.expect(200);
    assert_ne!(kid(answer["session"]["accessToken"].as_str().unwrap()), first);
}
