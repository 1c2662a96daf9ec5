//! An HTTP client for Keyhaven's API, without a memory: it follows nothing, repeats nothing and keeps no cookie.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Request;

/// Talks to one origin.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    /// The page's origin, without a final slash.
    pub origin: String,
    answers: Arc<AtomicU64>,
}

/// An answer that came whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Its media type.
    pub content_type: Option<String>,
    /// Name and value of the first cookie that it sets.
    pub cookie: Option<String>,
    /// The body; null where it is empty.
    pub body: Value,
}

/// No answer came, or not all of it: the request may have been carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lost {
    /// The connection ended.
    Cut,
    /// Nothing came in the time there was.
    Silence,
}

impl Answer {
    /// Whether it says that it was done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body of a success.
    #[must_use]
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.is_success(), "{}: {}", self.status, self.body);
        self.body
    }

    /// The cookie of a success.
    #[must_use]
    #[track_caller]
    pub fn cookie(&self) -> String {
        assert!(self.is_success(), "{}: {}", self.status, self.body);
        self.cookie.clone().expect("a cookie")
    }

    /// The code of a problem document; `None`: it is none.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        if self.content_type.as_deref() != Some("application/problem+json")
            || self.body.get("status")? != self.status
        {
            return None;
        }
        self.body.get("code")?.as_str()
    }
}

impl Client {
    /// A client that waits 20 seconds for an answer.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self::with_patience(origin, Duration::from_secs(20))
    }

    /// A client that waits so long for an answer.
    #[must_use]
    pub fn with_patience(origin: impl Into<String>, patience: Duration) -> Self {
        Self::build(origin.into(), patience, None)
    }

    /// A client that sends this user agent header.
    #[must_use]
    pub fn with_user_agent(origin: impl Into<String>, user_agent: &str) -> Self {
        Self::build(origin.into(), Duration::from_secs(20), Some(user_agent))
    }

    fn build(origin: String, patience: Duration, user_agent: Option<&str>) -> Self {
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(patience));
        if let Some(user_agent) = user_agent {
            agent = agent.user_agent(user_agent);
        }
        Self {
            agent: agent.build().into(),
            origin,
            answers: Arc::default(),
        }
    }

    /// The same client, which counts its answers here.
    #[must_use]
    pub fn counted_by(self, answers: &Arc<AtomicU64>) -> Self {
        let answers = Arc::clone(answers);
        Self { answers, ..self }
    }

    /// Posts as a native client does: without an origin, without a cookie.
    ///
    /// # Errors
    /// No answer came.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer, Lost> {
        self.send("POST", path, None, Some(body))
    }

    /// Sends a request: with a session's cookie as the page would, else as a native client.
    ///
    /// # Errors
    /// No answer came.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        session: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Lost> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin));
        if let Some(cookie) = session {
            request = request.header("cookie", cookie).header("origin", &self.origin);
        }
        let answer = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_string()).expect("a request"))
            }
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut answer = answer.map_err(|error| Lost::of(&error))?;
        let header = |name: &str| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
        let content_type = header("content-type");
        let cookie = header("set-cookie").and_then(|value| Some(value.split(';').next()?.to_owned()));
        let text = answer.body_mut().read_to_string();
        let text = text.map_err(|error| Lost::of(&error))?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).map_err(|_| Lost::Cut)?
        };
        self.answers.fetch_add(1, Ordering::SeqCst);
        Ok(Answer {
            status: answer.status().as_u16(),
            content_type,
            cookie,
            body,
        })
    }
}

impl Lost {
    fn of(error: &ureq::Error) -> Self {
        if matches!(error, ureq::Error::Timeout(_)) {
            Self::Silence
        } else {
            Self::Cut
        }
    }
}

/// The body that finishes a ceremony.
#[must_use]
pub fn finish(started: &Value, credential: &Value) -> Value {
    json!({"ceremonyId": started.get("ceremonyId"), "credential": credential})
}
