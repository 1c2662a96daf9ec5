//! A client that speaks to the socket itself, and means no good.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use keyhaven_testkit::process::{Server, free_port};

/// Sends bytes and reads until the server closes, which it does by itself after each of these. The minute is for one
/// that does not, and longer than a busy machine takes over an answer.
fn send(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // A server that has had enough closes before all is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn resident_kilobytes(server: &Server) -> u64 {
    let path = format!("/proc/{}/status", server.process_id().unwrap());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn close(head: &str) -> Vec<u8> {
    format!("{head}\r\nhost: localhost\r\nconnection: close\r\n\r\n").into_bytes()
}

#[test]
fn methods_and_heads_without_end_take_no_memory() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let server = Server::start(
        env!("CARGO_BIN_EXE_keyhaven"),
        &[("KEYHAVEN_METRICS_LISTEN", &metrics)],
    );
    let address = server.origin().replace("http://", "");
    let at_first = resident_kilobytes(&server);
    for n in 0..300 {
        // Just below what a head may have: these are read, answered and counted.
        let answer = send(
            &address,
            &close(&format!("{}{n} /nope HTTP/1.1", "M".repeat(30_000))),
        );
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
    let text = send(&metrics, &close("GET /metrics HTTP/1.1"));
    assert!(
        text.contains(r#"method="other",route="other",status="404",code="not_found"} 300"#),
        "{text}"
    );
    assert!(!text.contains("MMMM"));
    for _ in 0..20 {
        let answer = send(
            &address,
            &close(&format!("GET /health HTTP/1.1\r\nx-a: {}", "a".repeat(350_000))),
        );
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    assert!(send(&address, &close("GET /health HTTP/1.1")).starts_with("HTTP/1.1 200"));
    let grown = resident_kilobytes(&server).saturating_sub(at_first);
    // 300 methods of 30 kB each would be 18 MB in two families of labels.
    assert!(grown < 9_000, "{grown} kB more");
}

#[test]
fn what_never_reaches_a_handler_is_refused_in_our_form() {
    let server = Server::start(env!("CARGO_BIN_EXE_keyhaven"), &[]);
    let address = server.origin().replace("http://", "");
    let origin = server.origin();
    let post = format!(
        "POST /login/start HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\ncontent-type: application/json\r\n\
         connection: close\r\n"
    );
    for (request, status, code) in [
        (
            format!("{post}content-length: 99999999\r\n\r\n{{}}"),
            "413",
            "payload_too_large",
        ),
        (
            format!("{post}transfer-encoding: chunked\r\n\r\nnonsense\r\n\r\n"),
            "400",
            "invalid_request",
        ),
        (
            format!("{post}content-length: 0\r\n\r\n"),
            "400",
            "invalid_request",
        ),
        (
            "GET http://localhost/nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(),
            "404",
            "not_found",
        ),
        (
            "CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(),
            "404",
            "not_found",
        ),
        (
            "GET /docs/nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(),
            "404",
            "not_found",
        ),
    ] {
        let answer = send(&address, request.as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{request}\n{answer}"
        );
        assert!(answer.contains("application/problem+json"), "{request}\n{answer}");
        assert!(
            answer.contains(&format!("\"code\":\"{code}\"")),
            "{request}\n{answer}"
        );
    }
    // What is no HTTP is no request: nothing of it is answered as one.
    for rubbish in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    ] {
        let answer = send(&address, rubbish.as_bytes());
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{rubbish:?}\n{answer}"
        );
    }
}
