//! Messages of the DevTools protocol over a web socket.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Error, Message, WebSocket, client};

/// Longer than any call takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Connection {
    socket: WebSocket<TcpStream>,
    next_id: u64,
    pub(super) session: Option<String>,
    pub(super) complaints: Vec<String>,
    pub(super) events: VecDeque<Value>,
}

impl Connection {
    pub(super) fn open(stream: TcpStream, url: &str) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, _) = client(url, stream).expect("a web socket");
        Self {
            socket,
            next_id: 0,
            session: None,
            complaints: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Sends one call and waits for its answer; events in between are kept.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers write the parameters in place"
    )]
    pub(super) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.call_within(PATIENCE, method, &parameters)
            .unwrap_or_else(|| panic!("{method}: no answer"))
    }

    /// As [`Self::call`], for calls that Chromium may never answer; `None`: not in this time.
    pub(super) fn call_within(
        &mut self,
        patience: Duration,
        method: &str,
        parameters: &Value,
    ) -> Option<Value> {
        self.next_id += 1;
        let mut message = json!({"id": self.next_id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket
            .send(Message::text(message.to_string()))
            .expect("the browser listens");
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.get_ref().set_read_timeout(Some(left)).unwrap();
            let text = match self.socket.read() {
                Ok(Message::Text(text)) => text,
                Ok(_) => continue,
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("{method}: {error}"),
            };
            let mut message: Value = serde_json::from_str(&text).expect("JSON");
            if message["id"] == self.next_id {
                assert_eq!(message.get("error"), None, "{method}");
                return Some(message["result"].take());
            }
            self.note(message);
        }
    }

    /// Asks the browser to end; no answer is waited for.
    pub(super) fn close_browser(&mut self) {
        let message = json!({"id": self.next_id + 1, "method": "Browser.close"});
        let _ = self.socket.send(Message::text(message.to_string()));
    }

    fn note(&mut self, event: Value) {
        let parameters = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => {
                let details = &parameters["exceptionDetails"];
                let thrown = details["exception"]["description"].as_str().unwrap_or_default();
                self.complaints
                    .push(format!("uncaught: {} {thrown}", details["text"]));
            }
            "Runtime.consoleAPICalled" if parameters["type"] == "error" => {
                self.complaints.push(format!("console: {}", parameters["args"]));
            }
            "Log.entryAdded" if parameters["entry"]["level"] == "error" => {
                let entry = &parameters["entry"];
                // A refused request is an answer, not a fault of the page.
                if entry["source"] != "network" {
                    self.complaints
                        .push(format!("{}: {}", entry["source"], entry["text"]));
                }
            }
            _ => self.events.push_back(event),
        }
        if self.events.len() > 1_000 {
            self.events.pop_front();
        }
    }
}
