//! HTTP itself: what every request and answer must look like.

use axum::http::Method;
use keyhaven_api::NativeApps;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::json;

use crate::passwords::{PASSWORD, fallback};
use crate::support::{App, ORIGIN};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn bodies_are_json_and_bounded() {
    let app = App::new().await;
    let mut browser = app.browser();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
    ] {
        let answer = browser
            .send(
                Method::POST,
                "/login/start",
                &[("content-type", kind)],
                b"{}".to_vec(),
            )
            .await;
        answer.refused(415, "unsupported_media_type");
    }
    let kind = ("content-type", "application/json; charset=utf-8");
    browser
        .send(Method::POST, "/login/start", &[kind], b"{}".to_vec())
        .await
        .expect(200);
    // No content coding is undone (RFC 9110 §8.4), and one that is not undone is not JSON.
    for (coding, status) in [("gzip", 415), ("identity, br", 415), ("identity", 200)] {
        let headers = [JSON, ("content-encoding", coding)];
        let start = browser.send(Method::POST, "/login/start", &headers, b"{}".to_vec());
        assert_eq!(start.await.status.as_u16(), status, "{coding}");
    }
    for path in [
        "/login/start",
        "/login/finish",
        "/register/start",
        "/register/finish",
    ] {
        let body = format!(r#"{{"username":"{}"}}"#, "x".repeat(70_000)).into_bytes();
        browser
            .send(Method::POST, path, &[JSON], body)
            .await
            .refused(413, "payload_too_large");
    }
    let deep = "[".repeat(60_000).into_bytes();
    browser
        .send(Method::POST, "/login/start", &[JSON], deep)
        .await
        .refused(400, "invalid_request");
}

#[tokio::test]
async fn a_problem_tells_what_it_is() {
    let app = App::new().await;
    let mut browser = app.browser();
    let headers = [JSON, ("x-request-id", "my-id.1")];
    let answer = browser
        .send(Method::POST, "/login/finish", &headers, b"{}".to_vec())
        .await;
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.headers["x-request-id"], "my-id.1");
    assert_eq!(answer.body["requestId"], "my-id.1");
    assert_eq!(answer.body["type"], "urn:keyhaven:error:invalid_request");
    assert_eq!(answer.body["translationKey"], "error.invalid_request");
    assert_eq!(answer.body["status"], 400);
    // An id that could break a log line is replaced.
    let headers = [("x-request-id", "two words")];
    let answer = browser.send(Method::GET, "/health", &headers, Vec::new()).await;
    assert_ne!(answer.headers["x-request-id"], "two words");
    browser.get("/nowhere").await.refused(404, "not_found");
    browser
        .get("/login/start")
        .await
        .refused(405, "method_not_allowed");
}

#[tokio::test]
async fn a_change_must_come_from_an_allowed_page() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    for origin in [
        "https://evil.example",
        "null",
        "https://example.org.evil.example",
        "http://example.org",
        "https://example.org:8443",
        "https://EXAMPLE.org",
    ] {
        let mut page = browser.clone();
        page.origin = Some(origin.into());
        for path in [
            "/login/start",
            "/login/finish",
            "/register/start",
            "/register/finish",
            "/session/refresh",
        ] {
            page.post(path, json!({}))
                .await
                .refused(403, "origin_not_allowed");
        }
        page.delete("/session").await.refused(403, "origin_not_allowed");
    }
    // With the cookie, the page must name itself.
    let mut silent = browser.clone();
    silent.origin = None;
    silent.delete("/session").await.refused(403, "origin_not_allowed");
    silent
        .post("/register/start", json!({"username": "bob"}))
        .await
        .refused(403, "origin_not_allowed");
    silent.get("/session").await.expect(200);
    browser.get("/session").await.expect(200);
}

#[tokio::test]
async fn cors_names_allowed_origins_only() {
    let app = App::new().await;
    let preflight = [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let mut browser = app.browser();
    let answer = browser
        .send(Method::OPTIONS, "/login/start", &preflight, Vec::new())
        .await;
    assert_eq!(answer.headers["access-control-allow-origin"], ORIGIN);
    assert_eq!(answer.headers["access-control-allow-credentials"], "true");
    let answer = browser.get("/health").await;
    assert!(
        answer.headers["vary"]
            .to_str()
            .unwrap()
            .to_ascii_lowercase()
            .contains("origin")
    );
    let exposed = answer.headers["access-control-expose-headers"]
        .to_str()
        .unwrap()
        .to_ascii_lowercase();
    assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"));
    browser.origin = Some("https://evil.example".into());
    let answer = browser
        .send(Method::OPTIONS, "/login/start", &preflight, Vec::new())
        .await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    assert!(
        !browser
            .get("/health")
            .await
            .headers
            .contains_key("access-control-allow-origin")
    );
}

/// As an analytics script, or a page of a sibling domain, may have set it: the browser sends it along with ours.
#[tokio::test]
async fn a_cookie_of_others_that_is_no_text_locks_nobody_out() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.cookies.insert("x".into(), "\u{e9}".into());
    let mut device = SoftwareAuthenticator::new("device");
    // Ceremonies, by their cookie, and sessions, by theirs.
    browser.register(&mut device, "alice").await;
    browser.get("/session").await.expect(200);
    browser.login(&mut device, None).await.expect(200);
    browser.step_up(&mut device, "export").await;
    browser
        .send(Method::POST, "/session/refresh", &[], Vec::new())
        .await
        .expect(200);
    // HTTP/2 sends each in a header of its own, and a proxy may pass them on so.
    let session = format!("__Host-keyhaven_session={}", browser.session_cookie().unwrap());
    let mut apart = app.browser();
    let headers = [("cookie", "x=\u{e9}"), ("cookie", &*session), ("cookie", "y=2")];
    apart
        .send(Method::GET, "/session", &headers, Vec::new())
        .await
        .expect(200);
}

/// The library takes every OPTIONS for a preflight.
#[tokio::test]
async fn options_without_a_preflight_is_a_method_as_any_other() {
    let app = App::new().await;
    let mut browser = app.browser();
    let mut native = app.native();
    for (path, status, code) in [
        ("/login/start", 405, "method_not_allowed"),
        ("/.well-known/webauthn", 405, "method_not_allowed"),
        ("/nope", 404, "not_found"),
        ("/admin/users", 404, "not_found"),
        ("/admin/nope", 404, "not_found"),
    ] {
        let asked = ("access-control-request-method", "POST");
        for answer in [
            native.send(Method::OPTIONS, path, &[], Vec::new()).await,
            native.send(Method::OPTIONS, path, &[asked], Vec::new()).await,
            browser.send(Method::OPTIONS, path, &[], Vec::new()).await,
        ] {
            answer.refused(status, code);
            assert!(answer.headers.contains_key("x-request-id"), "{path}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers.contains_key("allow"), status == 405, "{path}");
        }
        // And a preflight does not tell whether there is a route.
        let answer = browser.send(Method::OPTIONS, path, &[asked], Vec::new()).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], ORIGIN);
        assert!(!answer.headers.contains_key("allow"), "{path}");
    }
    assert_eq!(native.get("/login/start").await.headers["allow"], "POST");
}

#[tokio::test]
async fn answers_carry_security_headers() {
    let app = App::new().await;
    let mut browser = app.browser();
    for path in ["/health", "/session", "/nowhere"] {
        let headers = browser.get(path).await.headers;
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert!(
            headers["strict-transport-security"]
                .to_str()
                .unwrap()
                .contains("max-age")
        );
    }
    let page = browser.get("/").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(!page.text.contains("{{base}}"));
    assert_eq!(
        browser.get("/assets/keyhaven.js").await.headers["content-type"],
        "text/javascript; charset=utf-8"
    );
    browser
        .get("/assets/../Cargo.toml")
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn the_description_can_be_browsed_without_loading_from_elsewhere() {
    let app = App::new().await;
    let mut browser = app.browser();
    let served = browser.get("/openapi.json").await.expect(200);
    assert_eq!(
        served,
        serde_json::from_str::<serde_json::Value>(&keyhaven_api::openapi_json()).unwrap()
    );
    let docs = browser.get("/docs/").await;
    assert_eq!(docs.status.as_u16(), 200);
    assert!(
        !docs.text.contains("http://") && !docs.text.contains("https://"),
        "{}",
        docs.text
    );
}

#[tokio::test]
async fn the_system_routes_answer() {
    let app = App::new().await;
    let mut browser = app.browser();
    assert_eq!(browser.get("/health").await.expect(200), json!({"status": "ok"}));
    assert_eq!(browser.get("/ready").await.expect(200)["status"], "ready");
    assert_eq!(browser.get("/version").await.expect(200)["name"], "keyhaven");
    assert_eq!(
        browser.get("/.well-known/jwks.json").await.expect(200),
        json!({"keys": []})
    );
    let related = browser.get("/.well-known/webauthn").await.expect(200);
    assert_eq!(
        related,
        json!({"origins": ["https://example.org", "https://login.example.org"]})
    );
}

/// At the root of the origin, wherever the API is.
#[tokio::test]
async fn platforms_find_the_apps_and_password_managers_the_page() {
    let apps = NativeApps {
        android: vec!["com.example.app".into()],
        android_certificates: vec![std::array::from_fn(|n| u8::try_from(n).unwrap())],
        apple: vec!["A1B2C3D4E5.com.example.app".into()],
    };
    let app = App::beside(apps).await;
    let mut browser = app.browser();
    let fingerprint = "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:\
        10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F";
    assert_eq!(
        browser.get("/.well-known/assetlinks.json").await.expect(200),
        json!([{
            "relation": ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"],
            "target": {
                "namespace": "android_app",
                "package_name": "com.example.app",
                "sha256_cert_fingerprints": [fingerprint],
            },
        }])
    );
    let apple = browser.get("/.well-known/apple-app-site-association").await;
    assert_eq!(apple.headers["content-type"], "application/json");
    assert_eq!(
        apple.expect(200),
        json!({"webcredentials": {"apps": ["A1B2C3D4E5.com.example.app"]}})
    );
    let page = "https://example.org/account#security";
    assert_eq!(
        browser.get("/.well-known/passkey-endpoints").await.expect(200),
        json!({"enroll": page, "manage": page})
    );

    let without = App::new().await;
    let mut browser = without.browser();
    for path in ["assetlinks.json", "apple-app-site-association", "change-password"] {
        let answer = browser.get(&format!("/.well-known/{path}")).await;
        answer.refused(404, "not_found");
    }
    let with_passwords = App::with(fallback()).await;
    let answer = with_passwords.browser().get("/.well-known/change-password").await;
    assert_eq!(answer.status.as_u16(), 303);
    assert_eq!(answer.headers["location"], page);
}

/// Each with a key to look a sentence up by, so that a page in another language need not read sentences.
#[tokio::test]
async fn answers_name_the_sentence_that_goes_with_them() {
    let app = App::with(fallback()).await;
    let mut device = SoftwareAuthenticator::new("device");
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "alice").await;
    let added = browser
        .add_passkey(&mut SoftwareAuthenticator::new("other"), json!({}))
        .await
        .expect(201);
    let signed_in = browser.login(&mut device, None).await.expect(200);
    let mut by_password = app.browser();
    let made = by_password.register_password("bob", PASSWORD).await.expect(201);
    let entered = by_password.login_password("bob", PASSWORD).await.expect(200);
    for (answer, key) in [
        (registered, "message.account_created"),
        (added, "message.passkey_added"),
        (signed_in, "message.signed_in"),
        (made, "message.account_created"),
        (entered, "message.signed_in"),
    ] {
        assert_eq!(answer["translationKey"], key);
    }
}
