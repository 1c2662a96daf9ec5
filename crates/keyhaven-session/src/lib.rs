//! Is this request signed in, and how well?
//!
//! An axum service that stands behind Keyhaven takes a [`Session`] as a handler argument, or lays [`require`] over its
//! routes. Where sessions come from is an [`Authority`]: Keyhaven's own API looks cookies up in its store; any other
//! service checks access tokens offline with [`TokenAuthority`].
//!
//! ```
//! use axum::{Router, middleware, routing::get};
//! use keyhaven_session::{Demand, Required, Session, TokenAuthority};
//!
//! async fn hello(Session(claims): Session<TokenAuthority>) -> String {
//!     format!("hello, {}", claims.sub)
//! }
//!
//! # fn now() -> keyhaven_types::UnixTime { keyhaven_types::UnixTime::from_millis(0) }
//! // The text of https://login.example.org/.well-known/jwks.json, fetched as your service fetches things.
//! # let key_set = r#"{"keys":[]}"#;
//! let authority = TokenAuthority::new("https://login.example.org", "example.org", key_set, now)?;
//! let required = Required { authority: authority.clone(), demand: Demand::level(2) };
//! let app: Router = Router::new()
//!     .route("/hello", get(hello))
//!     .layer(middleware::from_fn_with_state(required, keyhaven_session::require))
//!     .with_state(authority);
//! # Ok::<(), keyhaven_session::InvalidKeySet>(())
//! ```
//!
//! For pages that people open there is [`require_or_redirect`]: whoever is not signed in is sent to sign in, and back.
//!
//! Absent on purpose: stores, HTTP clients, and a clock of its own.

mod authority;
mod extract;
mod redirect;
mod rejection;

pub use authority::{Assurance, Authority, Demand, TokenAuthority};
pub use extract::{Required, Session, bearer_token, cookie, require};
pub use keyhaven_token::{Claims, InvalidKeySet};
pub use redirect::{RequiredOrRedirect, require_or_redirect};
pub use rejection::Rejection;
