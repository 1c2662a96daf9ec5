//! A browser's side of the wire: one keep-alive connection, its cookie, and as little work as possible.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Answers are far smaller.
const LARGEST_ANSWER: usize = 1 << 20;

/// One connection to the server, as one browser.
pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) origin: String,
    /// `name=value` of the ceremony cookie, once the server has set it.
    cookie: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// An answer of the server.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    pub(crate) fn json(&self) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::from_slice(self.body)?)
    }

    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(self.body))
    }

    /// The text behind `"name":"`, without parsing what lies before it.
    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        let start = find(self.body, name.as_bytes())?;
        let rest = self.body.get(start + name.len()..)?.strip_prefix(b"\":\"")?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        std::str::from_utf8(rest.get(..end)?).ok()
    }
}

impl Client {
    /// Connects to a server on this machine; `origin` is the page that its requests name.
    pub(crate) async fn connect(address: SocketAddr, origin: &str) -> anyhow::Result<Self> {
        ensure!(
            address.ip().is_loopback(),
            "load is for servers on this machine only"
        );
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            origin: origin.to_owned(),
            cookie: String::new(),
            request: Vec::with_capacity(2048),
            answer: Vec::with_capacity(4096),
        })
    }

    /// Sends a JSON body and reads the answer.
    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.request.clear();
        let host = self.origin.trim_start_matches("http://");
        let separator = if self.cookie.is_empty() {
            ""
        } else {
            "\r\nCookie: "
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) load\r\n\
             Accept: application/json\r\nContent-Type: application/json{separator}{}\r\nContent-Length: {}\r\n\r\n",
            self.origin,
            self.cookie,
            body.len()
        );
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await?;
        self.read().await
    }

    async fn read(&mut self) -> anyhow::Result<Answer<'_>> {
        self.answer.clear();
        let end = loop {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(read > 0, "the server closed the connection");
            if let Some(end) = find(&self.answer, b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(self.answer.len() < LARGEST_ANSWER, "an endless answer");
        };
        let (status, len, cookie) = head(self.answer.get(..end).unwrap_or_default())?;
        if let Some(cookie) = cookie {
            self.cookie = cookie;
        }
        ensure!(len < LARGEST_ANSWER, "an endless answer");
        while self.answer.len() < end + len {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(read > 0, "the server closed the connection");
        }
        Ok(Answer {
            status,
            body: self.answer.get(end..end + len).unwrap_or_default(),
        })
    }
}

/// Status, length of the body, and the ceremony cookie where it is set.
fn head(head: &[u8]) -> anyhow::Result<(u16, usize, Option<String>)> {
    let head = std::str::from_utf8(head).context("the head of an answer")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status
        .and_then(|status| status.parse().ok())
        .context("a status")?;
    let (mut len, mut cookie) = (0, None);
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            len = value.parse()?;
        } else if name.eq_ignore_ascii_case("set-cookie") && value.contains("keyhaven_ceremony=") {
            cookie = value.split(';').next().map(str::to_owned);
        }
    }
    Ok((status, len, cookie))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
