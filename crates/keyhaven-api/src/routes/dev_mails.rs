//! The mails in the developer's folder, on one page. There is such a route only where the RP ID is `localhost` and mails
//! go into a folder: whoever reads them can confirm addresses and recover accounts.

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use axum::http::uri::Authority;
use axum::response::IntoResponse;
use keyhaven_mail::{Folder, Kept};

use crate::error::ApiError;
use crate::extract::From;
use crate::gate;
use crate::state::ApiState;

/// More than these are not shown.
const SHOWN: usize = 50;

/// The newest mails, as text. To everybody else, on other machines or by a name that leads here, there is no such page: a
/// page of anybody's could have its own name lead to this machine, and read them in its developer's browser.
pub(crate) async fn show(
    State(state): State<ApiState>,
    From(client): From,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.ok_or_else(gate::unknown)?.0.ip().to_canonical();
    if !peer.is_loopback() || !client.ip.is_loopback() || !is_asked_as_localhost(&request) {
        return Err(gate::unknown());
    }
    let folder = state.settings.mail_folder.as_deref();
    let folder = folder.ok_or_else(|| ApiError::new("not_found", "mails are not kept here"))?;
    let mails = Folder::new(folder).newest(SHOWN).await.map_err(|error| {
        tracing::error!(%error, folder = %folder.display(), "the folder of mails cannot be read");
        ApiError::new("internal_error", "the folder of mails cannot be read")
    })?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, page(&mails, state.settings.base_path.as_str())))
}

/// Whether the request names this machine as nothing else is named, on whatever port.
fn is_asked_as_localhost(request: &Request) -> bool {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let Some(named) = request.uri().authority().map(Authority::as_str).or(named) else {
        return false;
    };
    let name = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => named,
    };
    name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]"
}

fn page(mails: &[Kept], base: &str) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
        <meta name=\"color-scheme\" content=\"light dark\"><title>Mails</title></head>\n<body><h1>Mails</h1>\n",
    );
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "<p>Mails that this server would have sent, newest first. <a href=\"{}\">Back to the page</a></p>",
        escaped(base)
    );
    if mails.is_empty() {
        page.push_str("<p>None yet.</p>\n");
    }
    for mail in mails {
        let _ = writeln!(
            page,
            "<article><h2>{}</h2><p>To {}</p><pre>{}</pre></article><hr>",
            escaped(&mail.subject),
            escaped(&mail.to),
            mail.text.lines().map(line).collect::<String>()
        );
    }
    page.push_str("</body></html>\n");
    page
}

/// A line of text; one that is a link can be followed.
fn line(text: &str) -> String {
    let text = escaped(text);
    if text.starts_with("https://") || text.starts_with("http://") {
        format!("<a href=\"{text}\">{text}</a>\n")
    } else {
        format!("{text}\n")
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_mail_becomes_markup_of_the_page() {
        let mails = [Kept {
            to: "a'b@example.org".to_owned(),
            subject: "<script>".to_owned(),
            text: "Hello <b>,\nhttp://localhost:8080/#a=\"><script>\n".to_owned(),
            html: String::new(),
        }];
        let page = page(&mails, "/");
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert!(
            page.contains("<a href=\"http://localhost:8080/#a=&quot;&gt;&lt;script&gt;\">"),
            "{page}"
        );
        assert!(super::page(&[], "/").contains("None yet"));
    }
}
