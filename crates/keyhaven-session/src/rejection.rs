use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Why a request was not let through: a problem document (RFC 9457).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// Signed in, but not well or not recently enough for this route.
    #[error("this needs a stronger or a more recent sign-in")]
    InsufficientAssurance,
    /// Nobody is signed in.
    #[error("sign in first")]
    Unauthenticated,
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let (status, code) = match self {
            Self::InsufficientAssurance => (StatusCode::FORBIDDEN, "step_up_required"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        };
        let body = serde_json::json!({
            "type": format!("urn:keyhaven:error:{code}"),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.to_string(),
            "code": code,
        });
        let headers = [
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        (status, headers, body.to_string()).into_response()
    }
}
