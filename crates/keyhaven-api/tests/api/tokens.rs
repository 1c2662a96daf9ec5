//! Access tokens, where they are on.

use axum::http::Method;
use keyhaven_service::AccessTokenSettings;
use keyhaven_session::{Authority as _, TokenAuthority};
use keyhaven_testkit::authenticator::{SoftwareAuthenticator, base64url_decode};
use keyhaven_types::{Origin, UnixTime};
use serde_json::{Value, json};

use crate::support::{App, ORIGIN, finish, settings};

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

/// RFC 6750 §3.1: so that a client knows that it is the token, and fetches another before it asks anybody to sign in.
#[tokio::test]
async fn a_token_that_is_refused_is_called_invalid_and_nothing_else_is() {
    const PLAIN: &str = "Bearer realm=\"keyhaven\"";
    const INVALID: &str = "Bearer realm=\"keyhaven\", error=\"invalid_token\"";
    let app = App::with_tokens().await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    let token = registered["session"]["accessToken"].as_str().unwrap();
    let good = format!("Bearer {token}");
    let mut native = app.native();
    for (method, headers, challenge) in [
        (Method::GET, &[][..], PLAIN),
        (Method::GET, &[("authorization", "Basic YTpi")], PLAIN),
        (Method::GET, &[("cookie", "__Host-keyhaven_session=x")], PLAIN),
        (Method::GET, &[("authorization", "Bearer x.y.z")], INVALID),
        // Good, but not for this.
        (Method::DELETE, &[("authorization", &*good)], PLAIN),
    ] {
        let answer = native.send(method, "/session", headers, Vec::new()).await;
        answer.refused(401, "unauthenticated");
        assert_eq!(answer.headers["www-authenticate"], challenge, "{headers:?}");
    }
    app.pass(300);
    let headers = [("authorization", &*good)];
    let expired = native.send(Method::GET, "/session", &headers, Vec::new()).await;
    expired.refused(401, "unauthenticated");
    assert_eq!(expired.headers["www-authenticate"], INVALID);
    // A sign-in that fails has to do with no token.
    let started = browser.post("/login/start", json!({})).await.expect(200);
    let mut credential = device.authenticate(&started["publicKey"], ORIGIN);
    credential["response"]["signature"] = json!("MAYCAQECAQE");
    let refused = browser.post("/login/finish", finish(&started, &credential)).await;
    assert_eq!(refused.headers["www-authenticate"], PLAIN, "{}", refused.text);
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
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.ends_with("error=\"invalid_token\""), "{challenge}");
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
    let parts = request.into_parts().0;
    let claims = authority.authenticate(&parts).await.unwrap();
    assert_eq!(claims.sub, registered["user"]["id"].as_str().unwrap());
    assert_eq!(claims.aal, 2);
    assert_eq!(claims.acr.as_deref(), Some("phr"));
    assert_eq!(claims.amr, ["swk", "user", "mfa"]);
    // Keys are rotated: what the newest set does not have verifies nothing, and what is no set changes nothing.
    authority.replace_keys("{\"keys\":[]}").unwrap();
    assert!(authority.authenticate(&parts).await.is_err());
    authority.replace_keys(&keys.text).unwrap();
    assert!(authority.replace_keys("no key set").is_err());
    authority.authenticate(&parts).await.unwrap();
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

/// As `docs/http-api.md` tells clients that are no browser.
#[tokio::test]
async fn a_native_client_changes_things_with_its_refresh_token_as_the_cookie() {
    let mut settings = settings();
    settings.access_tokens = Some(AccessTokenSettings::default());
    let origins = &mut settings.relying_party.origins;
    origins.push(
        Origin::new("android:apk-key-hash:7d1043473d55bfa90e8530d35801d4e381bc69f0f8a2b7c1d0e5").unwrap(),
    );
    for origin in origins.clone() {
        let app = App::with(settings.clone()).await;
        changes_things_with_its_refresh_token(&app, origin.as_str()).await;
    }
}

async fn changes_things_with_its_refresh_token(app: &App, origin: &str) {
    let mut device = SoftwareAuthenticator::new("device");
    let mut native = app.native();
    let registered = native.register(&mut device, "alice").await;
    let token = registered["session"]["refreshToken"].as_str().unwrap().to_owned();
    let mut changing = app.native();
    let name = "__Host-keyhaven_session";
    changing.cookies.insert(name.into(), token.clone());
    changing
        .post("/step-up/start", json!({"purpose": "export"}))
        .await
        .refused(403, "origin_not_allowed");
    changing.origin = Some(origin.into());
    let granted = changing.step_up(&mut device, "export").await;
    assert_eq!(granted.as_object().unwrap().len(), 2, "{granted}");
    assert_eq!(granted["purpose"], "export");
    assert!(granted["expiresAt"].is_string());
    changing.get("/account/export").await.expect(200);
    // The cookie that was set is the token from then on.
    let next = changing.session_cookie().unwrap().clone();
    assert_ne!(next, token);
    app.pass(11);
    let refreshed = app
        .native()
        .post("/session/refresh", json!({"refreshToken": next}))
        .await
        .expect(200);
    assert_eq!(refreshed["session"]["id"], registered["session"]["id"]);
    let next = refreshed["session"]["refreshToken"].as_str().unwrap();
    changing.cookies.insert(name.into(), next.into());
    changing.delete("/session").await.expect(204);
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
