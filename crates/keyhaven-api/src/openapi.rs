//! The API description: OpenAPI 3.1, made from the handlers themselves.
//!
//! A handler says what is particular to it. What holds for every operation, because the envelope or an extractor answers
//! it before the handler is called, is added to all of them in [`describe`].

use axum::http::StatusCode;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder};
use utoipa::openapi::security::{SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, PathItem, Ref, RefOr, Response, Schema, Server};

/// The whole description: of the API under `base`, and of what stays at the root of the origin.
pub(crate) fn describe(mut api: OpenApi, mut well_known: OpenApi, base: &str) -> OpenApi {
    if base != "/" {
        api.servers = Some(vec![Server::new(base.trim_end_matches('/'))]);
        for item in well_known.paths.paths.values_mut() {
            item.servers = Some(vec![Server::new("/")]);
        }
    }
    api.merge(well_known);
    let components = api.components.get_or_insert_default();
    components.add_security_scheme(SESSION, session_scheme());
    components.add_security_scheme(ACCESS_TOKEN, access_token_scheme());
    for (path, item) in &mut api.paths.paths {
        for (changes, operation) in operations(item) {
            complete(path, changes, operation);
        }
    }
    api
}

const SESSION: &str = "session";
const ACCESS_TOKEN: &str = "accessToken";

fn session_scheme() -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
        "__Host-keyhaven_session",
        "As a sign-in sets it; `keyhaven_session` on plain http localhost. What changes something needs an allowed \
            `Origin` beside it.",
    )))
}

fn access_token_scheme() -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "`session.accessToken`, where access tokens are on: reads, never changes.",
            ))
            .build(),
    )
}

/// The operations of a path, each with whether it may change something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let reads = [&mut item.get, &mut item.head];
    let changes = [&mut item.delete, &mut item.patch, &mut item.post, &mut item.put];
    let reads = reads.into_iter().flatten().map(|operation| (false, operation));
    let changes = changes.into_iter().flatten().map(|operation| (true, operation));
    reads.chain(changes)
}

/// Whose an operation is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Caller {
    /// An administrator's; for everybody else it is not there.
    Administrator,
    /// Everybody's.
    Anybody,
    /// Everybody's; a session that is sent along matters.
    Either,
    /// Of whoever is signed in.
    SignedIn,
}

impl Caller {
    /// What is not named here asks for a session.
    fn of(path: &str) -> Self {
        match path {
            "/login/start" | "/recovery/request-otp" | "/recovery/{id}" => Self::Anybody,
            "/features" | "/health" | "/ready" | "/version" => Self::Anybody,
            "/register/start" | "/register/finish" | "/login/finish" => Self::Either,
            "/password/register" | "/password/login" | "/enrolment/redeem" => Self::Either,
            "/recovery/verify-otp" | "/recovery/verify-code" | "/recovery/cancel" => Self::Either,
            // By the cookie, or by the token in the body.
            "/session/refresh" => Self::Either,
            _ if path.starts_with("/.well-known/") => Self::Anybody,
            _ if path.starts_with("/admin/") => Self::Administrator,
            _ => Self::SignedIn,
        }
    }
}

/// Adds what the handler does not answer itself.
fn complete(path: &str, changes: bool, operation: &mut Operation) {
    let caller = Caller::of(path);
    // A fault of ours, no random bytes, or the time is over: at every route.
    let mut statuses = vec![500, 503];
    if operation.request_body.is_some() {
        statuses.extend([400, 413, 415]);
    }
    let parameters = operation.parameters.iter().flatten();
    if parameters.into_iter().any(is_of_the_query) {
        statuses.push(400);
    }
    if changes {
        // The Origin; and nothing can be changed without end.
        statuses.extend([403, 429]);
    }
    match caller {
        Caller::Administrator => statuses.extend([403, 404]),
        Caller::Anybody | Caller::Either => {}
        // 403: the account is locked, or the session is a recovery's.
        Caller::SignedIn => statuses.extend([401, 403]),
    }
    let responses = &mut operation.responses.responses;
    for status in statuses {
        let missing = || RefOr::T(problem());
        responses.entry(status.to_string()).or_insert_with(missing);
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            finish(status, response);
        }
    }
    let session = SecurityRequirement::new(SESSION, [""; 0]);
    operation.security = match caller {
        Caller::Anybody => None,
        Caller::Either => Some(vec![SecurityRequirement::default(), session]),
        // A token cannot be revoked: it does not do for what administers, or hands everything out.
        Caller::Administrator => Some(vec![session]),
        Caller::SignedIn if changes || path == "/account/export" => Some(vec![session]),
        Caller::SignedIn => Some(vec![session, SecurityRequirement::new(ACCESS_TOKEN, [""; 0])]),
    };
}

fn is_of_the_query(parameter: &RefOr<utoipa::openapi::path::Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query)
}

const PROBLEM: &str = "application/problem+json";

fn problem() -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let mut response = Response::new("");
    let content = RefOr::T(Content::new(Some(schema)));
    response.content.insert(PROBLEM.to_owned(), content);
    response
}

/// Names the media type of problem documents, and describes what has no description of its own.
fn finish(status: &str, response: &mut Response) {
    if response.content.values().any(is_problem) {
        response.content = problem().content;
    }
    if response.description.is_empty() {
        let status = status
            .parse()
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok());
        let reason = status.and_then(|status| status.canonical_reason());
        reason.unwrap_or_default().clone_into(&mut response.description);
    }
}

fn is_problem(content: &RefOr<Content>) -> bool {
    let RefOr::T(content) = content else {
        return false;
    };
    let schema: Option<&RefOr<Schema>> = content.schema.as_ref();
    matches!(schema, Some(RefOr::Ref(schema)) if schema.ref_location.ends_with("/Problem"))
}

/// What the description is before it has any paths.
pub(crate) fn front() -> OpenApi {
    Description::openapi()
}

/// Title and words; the paths come from the router.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Keyhaven",
        description = "Passkey (WebAuthn/FIDO2) sign-in. Bytes are base64url without padding, times RFC 3339 in UTC, \
            errors application/problem+json with a stable code.",
        license(name = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "ceremonies", description = "Registering and using passkeys"),
        (name = "sessions", description = "Who is signed in, where"),
        (name = "step-up", description = "Proving presence again, for one purpose"),
        (name = "passkeys", description = "The account's passkeys"),
        (name = "account", description = "The account"),
        (name = "password", description = "Passwords, where they are allowed"),
        (name = "recovery", description = "Recovering an account whose passkeys are lost"),
        (name = "admin", description = "The accounts of others: a session of an administrator, opened by a passkey that \
            verified its user, and a step-up for `admin`; for everybody else none of these routes is there"),
        (name = "system", description = "Health and version"),
        (name = "well-known", description = "What others look for, at the root of the origin"),
    ),
)]
struct Description;
