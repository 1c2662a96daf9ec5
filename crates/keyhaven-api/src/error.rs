//! Every refusal as one problem document (RFC 9457): status, stable code, a sentence.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use keyhaven_service::{Error, Signals};

/// A refusal on its way out. [`crate::envelope`] gives it its body, with the request's id.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    pub(crate) step: Option<String>,
    pub(crate) purpose: Option<&'static str>,
    pub(crate) retry_after: Option<Duration>,
    /// Whether an access token was sent, and is what was refused.
    pub(crate) token_refused: bool,
    pub(crate) signals: Option<Box<Signals>>,
}

impl ApiError {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let (status, detail) = (status_of(code), detail.into());
        Self {
            status,
            code,
            detail,
            step: None,
            purpose: None,
            // What is away or overrun may be back at once.
            retry_after: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(1)),
            token_refused: false,
            signals: None,
        }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new("invalid_request", detail)
    }
}

/// The status of each code, as `docs/errors.md` lists them.
fn status_of(code: &str) -> StatusCode {
    match code {
        "authentication_failed"
        | "client_key_mismatch"
        | "counter_regression"
        | "credential_not_found"
        | "credential_revoked"
        | "password_required"
        | "session_expired"
        | "signature_invalid"
        | "unauthenticated"
        | "user_handle_mismatch"
        | "user_handle_missing" => StatusCode::UNAUTHORIZED,
        "account_locked" | "forbidden" | "origin_not_allowed" | "step_up_required" => StatusCode::FORBIDDEN,
        "not_found" => StatusCode::NOT_FOUND,
        "method_not_allowed" => StatusCode::METHOD_NOT_ALLOWED,
        "credential_exists" | "last_credential" | "username_taken" => StatusCode::CONFLICT,
        "payload_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "unsupported_media_type" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
        "internal_error" => StatusCode::INTERNAL_SERVER_ERROR,
        "busy" | "storage_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        // Everything else is something wrong with the request, a failed verification step included.
        _ => StatusCode::BAD_REQUEST,
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        if let Error::Storage(cause) = &error {
            let source: &dyn std::error::Error = &*cause.source;
            tracing::error!(operation = cause.operation, source, "the store did not answer");
        }
        let mut answer = Self::new(error.code(), error.to_string());
        answer.step = error.step();
        if let Error::RateLimited { retry_after } = error {
            answer.retry_after = Some(retry_after);
        } else if let Error::StepUpRequired { purpose } = error {
            answer.purpose = Some(purpose.as_str());
        } else if let Error::CredentialNotFound { signal: Some(signal) } = error {
            answer.signals = Some(Box::new(Signals {
                unknown_credential: Some(*signal),
                ..Signals::default()
            }));
        }
        answer
    }
}

impl From<keyhaven_session::Rejection> for ApiError {
    fn from(rejection: keyhaven_session::Rejection) -> Self {
        use keyhaven_session::Rejection;
        match rejection {
            Rejection::InsufficientAssurance => Self::new("step_up_required", rejection.to_string()),
            Rejection::Unauthenticated => Self::new("unauthenticated", rejection.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The problem document, for the API description.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    /// `urn:keyhaven:error:` and the code.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The status in words.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// One sentence for a person.
    pub(crate) detail: String,
    /// The stable code.
    pub(crate) code: String,
    /// A key to look the sentence up by in another language.
    pub(crate) translation_key: String,
    /// The request, as in `X-Request-Id`.
    pub(crate) request_id: String,
    /// The verification step that refused, where that is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<String>,
    /// What a step-up is needed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) purpose: Option<String>,
    /// What to tell the browser: of a credential that is not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::bodies::SignalsBody>)]
    pub(crate) signals: Option<Box<Signals>>,
}
