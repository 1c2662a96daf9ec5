//! The API description: OpenAPI 3.1, made from the handlers themselves.

use utoipa::OpenApi;

/// Title and words; the paths come from the router.
#[derive(OpenApi)]
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
        (name = "recovery", description = "Recovering an account whose passkeys are lost"),
        (name = "admin", description = "The accounts of others: a session of an administrator, opened by a passkey that \
            verified its user, and a step-up for `admin`; for everybody else none of these routes is there"),
        (name = "system", description = "Health and version"),
    ),
)]
pub(crate) struct Description;
