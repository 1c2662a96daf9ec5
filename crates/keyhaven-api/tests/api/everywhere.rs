//! What holds of every route there is: they are taken from the description of the API, so that a new one cannot be
//! forgotten.

use axum::http::Method;
use keyhaven_service::{AdministrationSettings, Demand, PasswordSettings, RecoverySettings, Settings};
use keyhaven_storage::Role;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::admin::set_role;
use crate::codes::stable;
use crate::recovery::{anna, recovery_session};
use crate::support::{Answer, App, Client, mailing};

/// Where every route has something to do, and nothing waits.
fn everything() -> Settings {
    Settings {
        passwords: PasswordSettings {
            fallback: true,
            with_passkey: Demand::ByAccount,
            ..PasswordSettings::default()
        },
        client_key: Demand::ByAccount,
        administration: AdministrationSettings {
            client_key_check: true,
            ..AdministrationSettings::default()
        },
        recovery: RecoverySettings {
            wait: std::time::Duration::ZERO,
            ..RecoverySettings::default()
        },
        ..mailing()
    }
}

struct Route {
    method: Method,
    /// With something in place of its parameters.
    path: String,
    admin: bool,
    /// Whether it is told anything behind a question mark.
    queried: bool,
    /// The members of its body, where it takes one, and whether that may be left out.
    body: Option<(Vec<String>, bool)>,
}

fn routes(account: &str) -> Vec<Route> {
    let description: Value = serde_json::from_str(&keyhaven_api::openapi_json()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let admin = path.starts_with("/admin");
            let id = if admin { account } else { "AAAA" };
            routes.push(Route {
                method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
                path: path.replace("{id}", id).replace("{credentialId}", "AAAA"),
                admin,
                queried: operation["parameters"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| one["in"] == "query")),
                body: operation.get("requestBody").map(|body| {
                    let schema = &body["content"]["application/json"]["schema"];
                    (members(&description, schema), body["required"] != true)
                }),
            });
        }
    }
    assert!(routes.len() > 50);
    // What ends the session comes last.
    routes.sort_by_key(|route| route.method == Method::DELETE && route.path == "/session");
    routes
}

fn members(whole: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(reference) = schema["$ref"].as_str() {
        found.extend(members(whole, whole.pointer(&reference[1..]).unwrap()));
    }
    if let Some(properties) = schema["properties"].as_object() {
        found.extend(properties.keys().cloned());
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        for one in schema[several].as_array().into_iter().flatten() {
            found.extend(members(whole, one));
        }
    }
    found
}

/// A refusal in the form that all have, with a code that is documented; no fault of ours.
#[track_caller]
fn is_refused(answer: &Answer, stable: &std::collections::BTreeSet<String>, what: &str) {
    assert!(
        answer.status.is_client_error(),
        "{what}: {} {}",
        answer.status,
        answer.text
    );
    let kind = &answer.headers["content-type"];
    assert_eq!(kind, "application/problem+json", "{what}: {}", answer.text);
    assert!(stable.contains(answer.code()), "{what}: {}", answer.text);
    assert_eq!(answer.body["status"], answer.status.as_u16(), "{what}");
    assert!(answer.body["requestId"].is_string(), "{what}");
}

async fn send(browser: &Client, route: &Route, kind: Option<&str>, body: &[u8]) -> Answer {
    // What one request does to the cookies is not for the next.
    let mut browser = browser.clone();
    let headers: Vec<_> = kind.map(|kind| ("content-type", kind)).into_iter().collect();
    browser
        .send(route.method.clone(), &route.path, &headers, body.to_vec())
        .await
}

/// An administrator, who has stepped up.
async fn root(app: &App) -> (Client, SoftwareAuthenticator, String) {
    let mut device = SoftwareAuthenticator::new("root");
    let mut browser = app.browser();
    let registered = browser.register(&mut device, "root").await;
    let id = registered["user"]["id"].as_str().unwrap().to_owned();
    set_role(app, &id, Role::Admin).await;
    (browser, device, id)
}

#[tokio::test]
async fn every_route_refuses_bodies_that_it_cannot_read() {
    let app = App::with(everything()).await;
    let (mut browser, mut device, id) = root(&app).await;
    let stable = stable();
    let json = Some("application/json");
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(70_000)).into_bytes();
    let mut read = 0;
    for route in routes(&id) {
        // Whatever the request before has ended.
        browser.login(&mut device, Some("root")).await.expect(200);
        browser.step_up(&mut device, "admin").await;
        let what = format!("{} {}", route.method, route.path);
        let Some((members, optional)) = &route.body else {
            // It reads none: then one does no harm.
            for body in [&large[..], b"\xff", b"{"] {
                let answer = send(&browser, &route, json, body).await;
                assert!(!answer.status.is_server_error(), "{what}: {}", answer.text);
                if !(answer.status.is_success() || answer.status.is_redirection()) {
                    is_refused(&answer, &stable, &what);
                }
            }
            continue;
        };
        read += 1;
        assert!(!members.is_empty(), "{what}");
        let answer = send(&browser, &route, json, &large).await;
        answer.refused(413, "payload_too_large");
        is_refused(&answer, &stable, &what);
        for kind in [
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("é"),
            None,
        ] {
            let answer = send(&browser, &route, kind, b"{}").await;
            answer.refused(415, "unsupported_media_type");
            is_refused(&answer, &stable, &what);
        }
        for body in [&b"{"[..], b"\xff\xfe", b"[]", b"1", b"\"x\"", b"{} {}", b"\0"] {
            let answer = send(&browser, &route, json, body).await;
            answer.refused(400, "invalid_request");
            is_refused(&answer, &stable, &what);
        }
        if !optional {
            for none in [&b""[..], b"null"] {
                let answer = send(&browser, &route, json, none).await;
                answer.refused(400, "invalid_request");
            }
        }
        for member in members {
            for wrong in [json!([[]]), json!({"x": {}}), json!(1.5), json!("\u{0}\u{fffd}")] {
                let body = json!({member: wrong}).to_string();
                let answer = send(&browser, &route, json, body.as_bytes()).await;
                assert!(
                    !answer.status.is_server_error(),
                    "{what}: {body}: {}",
                    answer.text
                );
                // A text may be one that is looked for and not found; and what a route does without is nobody's mistake.
                if !((*optional || wrong.is_string()) && answer.status.is_success()) {
                    is_refused(&answer, &stable, &format!("{what}: {body}"));
                }
            }
        }
    }
    assert!(read > 20, "{read}");
}

/// A parameter that nobody knows is a mistake, and what is taken away by mistake does not come back.
#[tokio::test]
async fn no_route_deletes_or_lists_by_a_parameter_that_it_does_not_know() {
    let app = App::with(everything()).await;
    let (mut browser, mut device, id) = root(&app).await;
    browser.login(&mut device, Some("root")).await.expect(200);
    browser.step_up(&mut device, "admin").await;
    let stable = stable();
    let mut read = 0;
    for mut route in routes(&id) {
        if route.method != Method::DELETE && !route.queried {
            continue;
        }
        read += 1;
        let what = format!("{} {}", route.method, route.path);
        route.path += "?Except=AAAA";
        let answer = send(&browser, &route, None, b"").await;
        is_refused(&answer, &stable, &what);
        assert_eq!(answer.code(), "invalid_request", "{what}: {}", answer.text);
    }
    assert!(read > 10, "{read}");
    browser.get("/admin/users").await.expect(200);
}

/// A recovery adds a passkey, reads itself and ends: nothing else, whatever routes there are.
#[tokio::test]
async fn a_recovery_session_opens_no_other_route() {
    let app = App::with(everything()).await;
    let (owner, _device) = anna(&app).await;
    let id = owner.clone().get("/account").await.expect(200)["id"].clone();
    let recovering = recovery_session(&app).await;
    let json = Some("application/json");
    let (mut closed, mut open) = (0, Vec::new());
    for route in routes(id.as_str().unwrap()) {
        let what = format!("{} {}", route.method, route.path);
        let kind = route.body.as_ref().and(json);
        let body = if kind.is_some() { &b"{}"[..] } else { b"" };
        let anonymous = send(&app.browser(), &route, kind, body).await;
        if !route.admin && anonymous.code() != "unauthenticated" {
            continue;
        }
        let answer = send(&recovering, &route, kind, body).await;
        match (answer.status.as_u16(), answer.code()) {
            (404, "not_found") if route.admin => closed += 1,
            (403, "forbidden") if !route.admin => closed += 1,
            // As if nobody were signed in.
            (401, "unauthenticated") if route.path == "/recovery/cancel" => closed += 1,
            (200 | 204, _) => open.push(what),
            _ => panic!("{what}: {}", answer.text),
        }
    }
    assert_eq!(open, ["GET /session", "DELETE /session"]);
    assert!(closed > 30, "{closed}");
}
