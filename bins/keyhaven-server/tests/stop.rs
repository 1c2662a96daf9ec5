//! An operator stops the server: what is under way is answered, what is idle does not hold it up.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use keyhaven_testkit::process::Server;

/// What a server says before it reads the body of a request that asks for it.
const GO_ON: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// A server that gives requests under way so long when it stops.
fn giving(drain: Duration) -> Server {
    let seconds = drain.as_secs().to_string();
    Server::start(
        env!("CARGO_BIN_EXE_keyhaven"),
        &[("KEYHAVEN_STOP__DRAIN_SECONDS", &seconds)],
    )
}

fn connect(server: &Server) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(server.origin().trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// Sends all of a request but the last byte of its body. It is under way: its handler waits for the rest.
fn begin_login(server: &Server) -> TcpStream {
    let mut stream = connect(server).unwrap();
    let origin = server.origin();
    let head = format!(
        "POST /login/start HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\ncontent-type: application/json\r\n\
         content-length: 2\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut said = [0; GO_ON.len()];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(String::from_utf8_lossy(&said), GO_ON);
    stream.write_all(b"{").unwrap();
    stream
}

/// Waits until nobody accepts connections on the server's port any more.
fn refuses(origin: &str) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if TcpStream::connect(origin.trim_start_matches("http://")).is_err() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn a_request_under_way_is_answered_before_the_server_ends() {
    let drain = Duration::from_secs(25);
    let mut server = giving(drain);
    let origin = server.origin();
    // One connection has been used and stays open, idle.
    let mut idle = connect(&server).unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let mut some = [0; 16];
    idle.read_exact(&mut some).unwrap();
    // One request has been begun: its body is still to come.
    let mut slow = begin_login(&server);
    let client = std::thread::spawn(move || {
        assert!(refuses(&origin), "new connections are still accepted");
        slow.write_all(b"}").unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        answer
    });
    let began = Instant::now();
    let status = server.stop().unwrap();
    let answer = client.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"publicKey\""), "{answer}");
    assert!(status.success(), "{status}");
    // Below the time that requests under way are given: the idle connection did not use it up.
    assert!(began.elapsed() < drain, "{:?}", began.elapsed());
}

#[test]
fn a_client_that_never_finishes_does_not_keep_the_server_for_ever() {
    // Well below the time that a body has to arrive in: that is not to answer it first.
    let drain = Duration::from_secs(5);
    let mut server = giving(drain);
    let mut stuck = begin_login(&server);
    let began = Instant::now();
    let status = server.stop().unwrap();
    assert!(status.success(), "{status}");
    // It was given its time, so the request was under way indeed; and cut off without an answer.
    assert!(began.elapsed() >= drain, "{:?}", began.elapsed());
    let mut answer = String::new();
    let _ = stuck.read_to_string(&mut answer);
    assert_eq!(answer, "");
}
