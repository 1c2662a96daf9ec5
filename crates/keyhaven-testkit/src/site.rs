//! A web site of somebody else's, on a loopback port of its own.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// One file: its path, its content type, and what it holds.
pub type File = (&'static str, &'static str, &'static str);

/// Serves these files, with these header lines (each ended by `\r\n`) beside the usual ones, until the test ends.
/// Every other path answers with the first file.
///
/// Returns the site's origin: `http://localhost:PORT`.
#[must_use]
pub fn serve(files: &'static [File], headers: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(&stream, files, headers));
        }
    });
    format!("http://localhost:{port}")
}

fn answer(mut stream: &TcpStream, files: &[File], headers: &str) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let _ = lines.find(String::is_empty);
    let path = request.split(' ').nth(1).unwrap_or_default();
    let file = files.iter().find(|file| file.0 == path).or(files.first());
    let Some((_, kind, body)) = file else { return };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    );
}
