//! The committed description is the code's, and what it says is what happens.

use std::sync::LazyLock;

use axum::http::Method;
use axum::http::response::Parts;
use keyhaven_testkit::authenticator::SoftwareAuthenticator;
use serde_json::{Value, json};

use crate::support::App;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&keyhaven_api::openapi_json()).unwrap());

/// Every operation: its path, its method, and what is said of it.
fn operations() -> impl Iterator<Item = (&'static str, Method, &'static Value)> {
    DESCRIPTION["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            let methods = methods.filter_map(|(name, operation)| {
                let method = Method::from_bytes(name.to_uppercase().as_bytes()).unwrap();
                operation.is_object().then_some((method, operation))
            });
            methods.map(move |(method, operation)| (path.as_str(), method, operation))
        })
}

/// Whatever any of these tests is answered by an operation, the description names its status and media type.
#[track_caller]
pub(crate) fn is_described(base: &str, method: &Method, path: &str, answer: &Parts) {
    let matches = |template: &str| {
        let below = if template.starts_with("/.well-known/") {
            Some(path)
        } else {
            path.strip_prefix(base.trim_end_matches('/'))
        };
        let (asked, described) = (below.unwrap_or("").split('/'), template.split('/'));
        asked.clone().count() == described.clone().count()
            && asked
                .zip(described)
                .all(|(part, described)| part == described || described.starts_with('{'))
    };
    // The literal one, where a template fits as well.
    let found = operations().filter(|(template, of, _)| of == method && matches(template));
    let Some((template, _, operation)) = found.min_by_key(|(template, ..)| template.contains('{')) else {
        return;
    };
    let status = answer.status.as_str();
    let described = operation["responses"].get(status);
    let described = described.unwrap_or_else(|| panic!("{method} {template} does not declare {status}"));
    let Some(kind) = answer.headers.get("content-type") else {
        assert!(
            described.get("content").is_none(),
            "{method} {template} {status}: no body"
        );
        return;
    };
    let kind = kind.to_str().unwrap().split(';').next().unwrap();
    assert!(
        described["content"].get(kind).is_some(),
        "{method} {template} {status} does not declare {kind}"
    );
}

#[test]
fn the_committed_description_is_current() {
    let committed = include_str!("../../../../docs/openapi.json");
    let current = keyhaven_api::openapi_json();
    // Not compared by a macro that prints both: they are long.
    assert!(committed.trim() == current.trim(), "run: cargo xtask openapi");
}

#[test]
fn every_reference_resolves_and_every_operation_is_named() {
    assert!(DESCRIPTION["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut names = std::collections::HashSet::new();
    for (path, method, operation) in operations() {
        let name = operation["operationId"].as_str();
        let name = name.unwrap_or_else(|| panic!("{method} {path}"));
        assert!(names.insert(name), "{name} twice");
        for tag in operation["tags"].as_array().unwrap() {
            let mut known = DESCRIPTION["tags"].as_array().unwrap().iter();
            assert!(known.any(|known| known["name"] == *tag), "{method} {path}: {tag}");
        }
    }
    references(&DESCRIPTION, &DESCRIPTION);
}

#[test]
fn every_operation_declares_what_is_refused_before_it() {
    let problem = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    for (path, method, operation) in operations() {
        let mut statuses = vec!["500", "503"];
        if operation.get("requestBody").is_some() {
            statuses.extend(["400", "413", "415"]);
        }
        if method != Method::GET {
            statuses.extend(["403", "429"]);
        }
        let responses = operation["responses"].as_object().unwrap();
        for status in statuses {
            assert!(responses.contains_key(status), "{method} {path} lacks {status}");
        }
        for (status, response) in responses {
            let place = format!("{method} {path} {status}");
            assert!(!response["description"].as_str().unwrap().is_empty(), "{place}");
            // `/ready` answers 503 in its own form.
            if status.as_str() >= "400" && (path, status.as_str()) != ("/ready", "503") {
                assert_eq!(response["content"], problem, "{place}");
            } else {
                assert!(!response.to_string().contains("schemas/Problem"), "{place}");
            }
        }
    }
}

fn schemes(operation: &Value) -> Vec<String> {
    let alternatives = operation["security"].as_array().into_iter().flatten();
    let names = alternatives.flat_map(|alternative| alternative.as_object().unwrap().keys());
    names.cloned().collect()
}

fn is_open(operation: &Value) -> bool {
    let alternatives = operation["security"].as_array();
    alternatives.is_none_or(|alternatives| alternatives.contains(&json!({})))
}

#[tokio::test]
async fn what_an_operation_asks_of_its_caller_is_what_it_says() {
    let app = App::with_tokens().await;
    let registered = app
        .browser()
        .register(&mut SoftwareAuthenticator::new("device"), "alice")
        .await;
    let token = registered["session"]["accessToken"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    for (path, method, operation) in operations() {
        let place = format!("{method} {path}");
        for scheme in schemes(operation) {
            let known = &DESCRIPTION["components"]["securitySchemes"];
            assert!(known.get(&scheme).is_some(), "{place}: {scheme}");
        }
        let path = path.replace("{id}", "x").replace("{credentialId}", "x");
        let mut caller = app.native();
        let json = ("content-type", "application/json");
        let answer = caller.send(method.clone(), &path, &[json], b"{}".to_vec()).await;
        let nobody = match answer.code() {
            "unauthenticated" => false,
            "not_found" => !path.starts_with("/admin/"),
            _ => true,
        };
        // The token of the mailed link, or the cookie.
        let cancels = path == "/recovery/cancel";
        // The token in its body, which this one lacks, or the cookie.
        let refreshes = path == "/session/refresh";
        assert_eq!(
            nobody || cancels || refreshes,
            is_open(operation),
            "{place}: {}",
            answer.text
        );

        let headers = [("authorization", bearer.as_str())];
        let answer = caller.send(method, &path, &headers, Vec::new()).await;
        let takes_token = schemes(operation).iter().any(|scheme| scheme == "accessToken");
        if takes_token {
            assert_ne!(answer.status.as_u16(), 401, "{place}: {}", answer.text);
        } else if !is_open(operation) {
            assert!(
                matches!(answer.status.as_u16(), 401 | 404),
                "{place}: {}",
                answer.text
            );
        }
    }
}

/// Where the API lives elsewhere, the description says where; `/.well-known/` stays.
#[tokio::test]
async fn the_description_says_where_the_api_is() {
    let app = App::under("/auth/").await;
    let description = app.browser().get("/auth/openapi.json").await.expect(200);
    assert_eq!(description["servers"], json!([{"url": "/auth"}]));
    for (path, item) in description["paths"].as_object().unwrap() {
        let root = path.starts_with("/.well-known/");
        assert_eq!(
            item.get("servers"),
            root.then(|| json!([{"url": "/"}])).as_ref(),
            "{path}"
        );
    }
    assert_eq!(DESCRIPTION.get("servers"), None);
}

fn references(whole: &Value, part: &Value) {
    if let Some(reference) = part.get("$ref").and_then(|reference| reference.as_str()) {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(whole.pointer(pointer).is_some(), "{reference}");
    }
    if let Some(items) = part.as_array() {
        items.iter().for_each(|item| references(whole, item));
    } else if let Some(members) = part.as_object() {
        members.values().for_each(|item| references(whole, item));
    }
}
