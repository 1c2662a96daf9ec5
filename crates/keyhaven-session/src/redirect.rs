use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, LOCATION};
use axum::http::uri::InvalidUri;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::authority::Authority;
use crate::extract::{Required, admit};

/// What [`require_or_redirect`] works with.
#[derive(Clone, Debug)]
pub struct RequiredOrRedirect<A> {
    required: Required<A>,
    sign_in: Uri,
}

impl<A> RequiredOrRedirect<A> {
    /// Sends people to `sign_in`: a path, or a whole address, of a page where they can meet the demand.
    ///
    /// # Errors
    /// When that is no address.
    pub fn new(required: Required<A>, sign_in: &str) -> Result<Self, InvalidUri> {
        let sign_in = sign_in.parse()?;
        Ok(Self { required, sign_in })
    }
}

/// Middleware for pages: [`require`](crate::require), but whose browser opens a page, and is not signed in well enough, is
/// sent to the page to sign in (303), which gets the path and query that were asked for as `next`. All other requests
/// are refused as [`require`](crate::require) does it, and so is everybody while sessions cannot be looked up.
///
/// `next` begins with one `/` and names no host. Who goes back there should hold to that: anybody can write a link to
/// the page to sign in with a `next` of their own.
pub async fn require_or_redirect<A: Authority>(
    State(state): State<RequiredOrRedirect<A>>,
    request: Request,
    next: Next,
) -> Response {
    let location = opens_a_page(&request).then(|| location(&state.sign_in, request.uri()));
    let rejection = match admit(&state.required, request).await {
        Ok(request) => return next.run(request).await,
        Err(rejection) => rejection.into_response(),
    };
    match location {
        Some(location)
            if matches!(
                rejection.status(),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            ) =>
        {
            (
                StatusCode::SEE_OTHER,
                [(LOCATION, location.as_str()), (CACHE_CONTROL, "no-store")],
            )
                .into_response()
        }
        Some(_) | None => rejection,
    }
}

const HTML: &[u8] = b"text/html";

fn opens_a_page(request: &Request) -> bool {
    let mut accepts = request.headers().get_all(ACCEPT).iter();
    matches!(*request.method(), Method::GET | Method::HEAD)
        && accepts.any(|accept| accept.as_bytes().windows(HTML.len()).any(|part| part == HTML))
}

fn location(sign_in: &Uri, asked: &Uri) -> String {
    let back = asked.path_and_query().map_or("/", |back| back.as_str());
    // Two slashes would begin a host's name.
    let back = format!("/{}", back.trim_start_matches(['/', '\\']));
    let separator = if sign_in.query().is_some() { '&' } else { '?' };
    format!(
        "{sign_in}{separator}next={}",
        utf8_percent_encode(&back, NON_ALPHANUMERIC)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::http::request::Parts;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use keyhaven_types::UnixTime;
    use tower::ServiceExt as _;

    use super::*;
    use crate::{Assurance, Demand, Rejection};

    /// Goes by a header: `0` nobody, `1` and `2` a level, everything else a store that is away.
    #[derive(Clone, Debug)]
    struct ByHeader;

    #[derive(Clone, Debug)]
    struct Level(u8);

    impl Assurance for Level {
        fn aal(&self) -> u8 {
            self.0
        }

        fn authenticated_at(&self) -> UnixTime {
            UnixTime::from_millis(0)
        }
    }

    struct Answer(StatusCode);

    impl From<Rejection> for Answer {
        fn from(rejection: Rejection) -> Self {
            Self(rejection.into_response().status())
        }
    }

    impl axum::response::IntoResponse for Answer {
        fn into_response(self) -> Response {
            self.0.into_response()
        }
    }

    impl Authority for ByHeader {
        type Session = Level;
        type Rejection = Answer;

        async fn authenticate(&self, parts: &Parts) -> Result<Level, Answer> {
            match parts.headers.get("level").map(|level| level.as_bytes()) {
                Some(b"1") => Ok(Level(1)),
                Some(b"2") => Ok(Level(2)),
                None => Err(Rejection::Unauthenticated.into()),
                Some(_) => Err(Answer(StatusCode::SERVICE_UNAVAILABLE)),
            }
        }

        fn now(&self) -> UnixTime {
            UnixTime::from_millis(0)
        }
    }

    /// Status and location.
    async fn ask(sign_in: &str, method: &str, uri: &str, headers: &[(&str, &str)]) -> (u16, Option<String>) {
        let required = Required {
            authority: ByHeader,
            demand: Demand::level(2).within(Duration::from_secs(60)),
        };
        let state = RequiredOrRedirect::new(required, sign_in).unwrap();
        let app: Router = Router::new()
            .fallback(get(|| async { "in" }).post(|| async { StatusCode::FORBIDDEN }))
            .layer(from_fn_with_state(state, require_or_redirect));
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let location = response.headers().get(LOCATION);
        (
            response.status().as_u16(),
            location.map(|location| location.to_str().unwrap().to_owned()),
        )
    }

    const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

    #[tokio::test]
    async fn who_opens_a_page_is_sent_to_sign_in_and_back() {
        for headers in [&[PAGE][..], &[PAGE, ("level", "1")]] {
            for method in ["GET", "HEAD"] {
                let sent = ask("/sign-in", method, "/files/a%20b?q=1&x=%26", headers).await;
                let location = "/sign-in?next=%2Ffiles%2Fa%2520b%3Fq%3D1%26x%3D%2526";
                assert_eq!(sent, (303, Some(location.to_owned())));
            }
        }
        let elsewhere = ask("https://login.example/?lang=de", "GET", "/", &[PAGE]).await;
        assert_eq!(elsewhere.1.unwrap(), "https://login.example/?lang=de&next=%2F");
        // Octets that are no text elsewhere in the header say nothing else (RFC 9110 §5.5).
        let odd = ask("/sign-in", "GET", "/", &[("accept", "text/html, x/\u{e9}")]).await;
        assert_eq!(odd.0, 303);
        assert_eq!(
            ask("/sign-in", "GET", "/files", &[PAGE, ("level", "2")]).await,
            (200, None)
        );
    }

    #[tokio::test]
    async fn everybody_else_is_told() {
        assert_eq!(ask("/s", "GET", "/", &[]).await, (401, None));
        assert_eq!(ask("/s", "GET", "/", &[("accept", "*/*")]).await, (401, None));
        assert_eq!(ask("/s", "POST", "/", &[PAGE]).await, (401, None));
        assert_eq!(ask("/s", "POST", "/", &[PAGE, ("level", "1")]).await, (403, None));
        // Signing in would not help.
        assert_eq!(ask("/s", "GET", "/", &[PAGE, ("level", "?")]).await, (503, None));
        // What the page itself says stands.
        assert_eq!(ask("/s", "POST", "/", &[PAGE, ("level", "2")]).await, (403, None));
    }

    #[test]
    fn the_way_back_names_no_host() {
        for asked in ["//evil.example/x", "/\\evil.example/x", "///evil.example/x"] {
            let Ok(asked) = Uri::try_from(asked) else { continue };
            let location = location(&Uri::from_static("/s"), &asked);
            assert!(location.starts_with("/s?next=%2Fevil"), "{location}");
        }
    }
}
