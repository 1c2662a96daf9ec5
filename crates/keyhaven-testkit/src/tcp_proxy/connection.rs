//! One client's connection, and the server's that belongs to it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Conduct, Cut, Direction, Shared};

/// Longer request heads are not looked for.
const HEAD_LIMIT: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Connection {
    client: TcpStream,
    server: TcpStream,
    is_cut: AtomicBool,
}

impl Connection {
    /// Ends it; false where it was cut before.
    pub(super) fn cut(&self, how: Cut, shared: &Shared) -> bool {
        if self.is_cut.swap(true, Ordering::SeqCst) {
            return false;
        }
        for stream in [&self.client, &self.server] {
            let _ = match how {
                Cut::Finish => stream.shutdown(Shutdown::Both),
                // Sends nothing, but wakes who reads. When both have let go of the connection it is closed, which with
                // this setting is a reset.
                Cut::Reset => socket2::SockRef::from(stream)
                    .set_linger(Some(Duration::ZERO))
                    .and_then(|()| stream.shutdown(Shutdown::Read)),
            };
        }
        shared.state().counts.cut += 1;
        true
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::SeqCst)
    }
}

/// Carries what goes over one connection, to its end.
pub(super) fn carry(mut client: TcpStream, shared: &Arc<Shared>) {
    let mut begin = Vec::new();
    if shared.per_request {
        // A browser opens connections in advance: a server's turn comes when something is asked.
        let Some(head) = head(&mut client) else { return };
        begin = asking_for_the_end(head);
    }
    let Some(server) = shared.server() else {
        let _ = socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO));
        return;
    };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let connection = Arc::new(Connection {
        client,
        server,
        is_cut: AtomicBool::new(false),
    });
    let over = {
        let mut state = shared.state();
        state.open.retain(|open| open.strong_count() > 0);
        state.open.push(Arc::downgrade(&connection));
        state.over
    };
    if over {
        return;
    }
    let answers = {
        let (connection, shared) = (Arc::clone(&connection), Arc::clone(shared));
        std::thread::spawn(move || Pump::new(&connection, Direction::ToClient, &shared).run(&[]))
    };
    Pump::new(&connection, Direction::ToServer, shared).run(&begin);
    drop(connection);
    let _ = answers.join();
}

/// One direction of one connection.
struct Pump<'a> {
    connection: &'a Connection,
    direction: Direction,
    shared: &'a Shared,
    /// Bytes passed on under the order with this number.
    passed: (u64, u64),
}

impl<'a> Pump<'a> {
    fn new(connection: &'a Connection, direction: Direction, shared: &'a Shared) -> Self {
        Self {
            connection,
            direction,
            shared,
            passed: (0, 0),
        }
    }

    fn run(&mut self, begin: &[u8]) {
        let (mut from, to) = match self.direction {
            Direction::ToClient => (&self.connection.server, &self.connection.client),
            Direction::ToServer => (&self.connection.client, &self.connection.server),
        };
        if !begin.is_empty() && self.pass(to, begin).is_none() {
            return;
        }
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match from.read(&mut buffer) {
                Ok(n @ 1..) => {
                    let Some(()) = buffer.get(..n).and_then(|piece| self.pass(to, piece)) else {
                        return;
                    };
                }
                _ if self.connection.is_cut() => return,
                Ok(0) => {
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
                // One side is gone: so is the other.
                Err(_) => {
                    let _ = to.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
    }

    /// Does to one piece what is ordered; `None`: the connection has ended.
    fn pass(&mut self, mut to: &TcpStream, piece: &[u8]) -> Option<()> {
        let order = {
            let state = self.shared.state();
            let holds = |state: &mut super::State| {
                state.order(self.direction).conduct == Conduct::Hold && !self.connection.is_cut()
            };
            let state = self.shared.changed.wait_while(state, holds);
            state
                .unwrap_or_else(PoisonError::into_inner)
                .order(self.direction)
        };
        let mut passing = piece;
        let mut ends = None;
        match order.conduct {
            Conduct::Cut { after, how } => {
                if self.passed.0 != order.number {
                    self.passed = (order.number, 0);
                }
                let left = usize::try_from(after.saturating_sub(self.passed.1)).unwrap_or(usize::MAX);
                if left <= piece.len() {
                    passing = piece.get(..left).unwrap_or_default();
                    ends = Some(how);
                }
                self.passed.1 += u64::try_from(passing.len()).unwrap_or(u64::MAX);
            }
            Conduct::Delay(delay) => std::thread::sleep(delay),
            Conduct::Hold | Conduct::Pass => {}
        }
        if self.connection.is_cut() {
            return None;
        }
        // Counted first: who has received it finds it counted.
        self.shared.state().count(self.direction, passing.len());
        let written = to.write_all(passing);
        if let Some(how) = ends {
            self.connection.cut(how, self.shared);
            return None;
        }
        if written.is_err() {
            let _ = self.connection.client.shutdown(Shutdown::Both);
            let _ = self.connection.server.shutdown(Shutdown::Both);
            return None;
        }
        Some(())
    }
}

/// The first bytes of a request, to the end of its head at least; `None`: none came.
fn head(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while end_of_head(&head).is_none() && head.len() < HEAD_LIMIT {
        match client.read(&mut buffer) {
            Ok(n @ 1..) => head.extend_from_slice(buffer.get(..n)?),
            _ => return None,
        }
    }
    Some(head)
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n")
}

/// The same request, with `connection: close` as its only word on the connection.
fn asking_for_the_end(request: Vec<u8>) -> Vec<u8> {
    let Some(end) = end_of_head(&request) else {
        return request;
    };
    let (head, body) = request.split_at(end);
    let Ok(head) = std::str::from_utf8(head) else {
        return request;
    };
    let kept = head.split("\r\n").filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !name.eq_ignore_ascii_case("connection")
    });
    let mut changed: Vec<&str> = kept.collect();
    changed.push("connection: close");
    [changed.join("\r\n").as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_asked_to_be_the_last() {
        for (sent, passed) in [
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nX: y\r\n\r\nbody\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nconnection: close\r\n\r\nbody\r\n\r\n",
            ),
            (
                "GET / HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
            ),
            ("no head", "no head"),
        ] {
            let changed = asking_for_the_end(sent.as_bytes().to_vec());
            assert_eq!(String::from_utf8_lossy(&changed), passed);
        }
    }
}
