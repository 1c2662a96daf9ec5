use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::authority::{Authority, Demand};
use crate::rejection::Rejection;

/// The session of a request, as a handler argument: without one the handler is not called.
#[derive(Clone, Debug)]
pub struct Session<A: Authority>(pub A::Session);

impl<S, A> FromRequestParts<S> for Session<A>
where
    S: Send + Sync,
    A: Authority + FromRef<S>,
{
    type Rejection = A::Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        // A middleware may have looked it up already.
        if let Some(found) = parts.extensions.get::<A::Session>() {
            return Ok(Self(found.clone()));
        }
        A::from_ref(state).authenticate(parts).await.map(Self)
    }
}

/// What [`require`] works with.
#[derive(Clone, Debug)]
pub struct Required<A> {
    /// Where sessions come from.
    pub authority: A,
    /// What they must meet.
    pub demand: Demand,
}

/// Middleware: lets a request through only with a session that meets the demand.
///
/// To be laid over routes with `axum::middleware::from_fn_with_state`.
pub async fn require<A: Authority>(
    State(required): State<Required<A>>,
    request: Request,
    next: Next,
) -> Response {
    match admit(&required, request).await {
        Ok(request) => next.run(request).await,
        Err(rejection) => rejection.into_response(),
    }
}

/// The request with its session, if that meets the demand.
pub(crate) async fn admit<A: Authority>(
    required: &Required<A>,
    request: Request,
) -> Result<Request, A::Rejection> {
    let (mut parts, body) = request.into_parts();
    let session = required.authority.authenticate(&parts).await?;
    if !required.demand.is_met_by(&session, required.authority.now()) {
        return Err(Rejection::InsufficientAssurance.into());
    }
    parts.extensions.insert(session);
    Ok(Request::from_parts(parts, body))
}

/// The token of an `Authorization: Bearer` header (RFC 6750 §2.1).
#[must_use]
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

/// The value of a cookie, out of all Cookie headers. `None` also when it was sent twice: then nobody can say which one
/// is meant.
///
/// The headers are octets (RFC 6265 §5.4): whatever other cookies hold, which any script on a page of the domain may have
/// set, does not get in the way of this one.
#[must_use]
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|&byte| byte == b';'))
        .filter_map(|pair| value_of(pair, name));
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    str::from_utf8(value).ok().map(str::to_owned)
}

/// What stands behind `name=`, where this is what the pair is called.
fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let sign = pair.iter().position(|&byte| byte == b'=')?;
    let (called, value) = pair.split_at_checked(sign)?;
    (called.trim_ascii() == name.as_bytes()).then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::http::{HeaderValue, StatusCode};
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use keyhaven_token::{Claims, SigningKey};
    use keyhaven_types::UnixTime;
    use std::time::Duration;
    use tower::ServiceExt as _;

    use crate::authority::TokenAuthority;

    fn now() -> UnixTime {
        UnixTime::from_millis(2_000_000)
    }

    fn token(aal: u8, auth_time: i64, exp: i64) -> String {
        let claims = Claims {
            iss: "https://login.example.org".into(),
            aud: "example.org".into(),
            sub: "alice".into(),
            sid: "s".into(),
            aal,
            amr: vec![],
            acr: None,
            auth_time,
            iat: auth_time,
            exp,
        };
        keyhaven_token::sign(&claims, &key()).unwrap()
    }

    fn key() -> SigningKey {
        SigningKey::from_seed("k".into(), &[1; 32]).unwrap()
    }

    async fn status(token: Option<&str>) -> (StatusCode, String) {
        let keys = format!(r#"{{"keys":[{}]}}"#, key().public_jwk());
        let authority = TokenAuthority::new("https://login.example.org", "example.org", &keys, now).unwrap();
        let demand = Demand::level(2).within(Duration::from_secs(60));
        let required = Required {
            authority: authority.clone(),
            demand,
        };
        let app: Router = Router::new()
            .route(
                "/",
                get(|Session(claims): Session<TokenAuthority>| async move { claims.sub }),
            )
            .layer(from_fn_with_state(required, require))
            .with_state(authority);
        let mut request = Request::builder().uri("/");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_good_token_opens_the_route() {
        assert_eq!(
            status(Some(&token(2, 1_950, 2_100))).await,
            (StatusCode::OK, "alice".into())
        );
    }

    #[tokio::test]
    async fn no_token_an_old_one_or_a_weak_one_does_not() {
        let (code, body) = status(None).await;
        assert_eq!(code, StatusCode::UNAUTHORIZED);
        assert!(body.contains("\"unauthenticated\""), "{body}");
        assert_eq!(
            status(Some(&token(2, 1_950, 1_999))).await.0,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(
            status(Some(&token(1, 1_950, 2_100))).await.0,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            status(Some(&token(2, 1_900, 2_100))).await.0,
            StatusCode::FORBIDDEN
        );
    }

    #[test]
    fn a_cookie_sent_twice_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; b=2".parse().unwrap());
        assert_eq!(cookie(&headers, "b").as_deref(), Some("2"));
        headers.append(COOKIE, "b=3".parse().unwrap());
        assert_eq!(cookie(&headers, "b"), None);
        assert_eq!(cookie(&headers, "c"), None);
        // Nor is one of two taken because the other one cannot be read.
        headers.append(COOKIE, HeaderValue::from_bytes(b"a=\xff").unwrap());
        assert_eq!(cookie(&headers, "a"), None);
    }

    /// An analytics script has set `x=é`, and a proxy sends each cookie in a header of its own.
    #[test]
    fn what_other_cookies_hold_does_not_matter() {
        for others in [
            &b"x=\xc3\xa9"[..],
            b"x=\xe9",
            b"\xff",
            b"=",
            b";;",
            b"x=%zz",
            b"ab=2",
            b"x=a=2",
        ] {
            let joined = [others, b"; a=1;", others].concat();
            for lines in [&[&joined[..]][..], &[others, b"a=1"], &[b"a=1", others]] {
                let mut headers = HeaderMap::new();
                for line in lines {
                    headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
                }
                assert_eq!(cookie(&headers, "a").as_deref(), Some("1"), "{lines:?}");
            }
        }
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(" a = 1=2 ; b"))]);
        assert_eq!(cookie(&headers, "a").as_deref(), Some("1=2"));
        assert_eq!(cookie(&headers, "b"), None);
    }
}
