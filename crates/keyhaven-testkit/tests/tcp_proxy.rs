//! The proxy does to connections what it says.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use keyhaven_testkit::tcp_proxy::{Conduct, Cut, Direction, TcpProxy};
use socket2::{Domain, Socket, Type};

/// A server that answers every byte with its own name; its port.
fn server(name: u8) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() && stream.write_all(&[name]).is_ok() {}
            });
        }
    });
    port
}

fn client(proxy: &TcpProxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn ask(stream: &mut TcpStream) -> std::io::Result<u8> {
    stream.write_all(b"?")?;
    answer(stream)
}

fn answer(stream: &mut TcpStream) -> std::io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

#[test]
fn what_passes_is_counted() {
    let proxy = TcpProxy::before(server(b'a'));
    let mut one = client(&proxy);
    assert_eq!(ask(&mut one).unwrap(), b'a');
    assert_eq!(ask(&mut one).unwrap(), b'a');
    let counts = proxy.counts();
    assert_eq!(
        (counts.to_client, counts.to_server, counts.cut),
        (2, 2, 0),
        "{counts:?}"
    );
    assert_eq!(counts.given, [1]);
}

#[test]
fn a_cut_ends_what_is_open_and_nothing_later() {
    let proxy = TcpProxy::before(server(b'a'));
    for (how, seen) in [
        (Cut::Finish, ErrorKind::UnexpectedEof),
        (Cut::Reset, ErrorKind::ConnectionReset),
    ] {
        let mut open = client(&proxy);
        assert_eq!(ask(&mut open).unwrap(), b'a');
        assert_eq!(proxy.cut(how), 1);
        assert_eq!(answer(&mut open).unwrap_err().kind(), seen);
        let mut later = client(&proxy);
        assert_eq!(ask(&mut later).unwrap(), b'a');
        assert_eq!(proxy.cut(how), 1);
    }
    assert_eq!(proxy.counts().cut, 4);
}

#[test]
fn an_answer_can_be_lost_and_the_question_too() {
    let proxy = TcpProxy::before(server(b'a'));
    let how = Cut::Reset;
    for (direction, arrived) in [(Direction::ToClient, 1), (Direction::ToServer, 0)] {
        let before = proxy.counts();
        proxy.set(direction, Conduct::Cut { after: 0, how });
        let lost = ask(&mut client(&proxy)).unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::ConnectionReset);
        let after = proxy.counts();
        assert_eq!(
            (
                after.to_server - before.to_server,
                after.to_client - before.to_client
            ),
            (arrived, 0)
        );
        proxy.pass();
        assert_eq!(ask(&mut client(&proxy)).unwrap(), b'a');
    }
}

#[test]
fn a_cut_after_some_bytes_counts_them_for_each_connection_from_when_it_was_set() {
    let proxy = TcpProxy::before(server(b'a'));
    let mut old = client(&proxy);
    assert_eq!(ask(&mut old).unwrap(), b'a');
    proxy.set(
        Direction::ToClient,
        Conduct::Cut {
            after: 2,
            how: Cut::Finish,
        },
    );
    for mut stream in [old, client(&proxy)] {
        assert_eq!(ask(&mut stream).unwrap(), b'a');
        assert_eq!(ask(&mut stream).unwrap(), b'a');
        assert!(ask(&mut stream).is_err());
    }
}

#[test]
fn what_is_held_arrives_later_and_what_is_delayed_too() {
    let proxy = TcpProxy::before(server(b'a'));
    let mut stream = client(&proxy);
    proxy.set(Direction::ToClient, Conduct::Hold);
    stream.write_all(b"?").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let silent = answer(&mut stream).unwrap_err().kind();
    assert!(
        matches!(silent, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{silent}"
    );
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    proxy.pass();
    assert_eq!(answer(&mut stream).unwrap(), b'a');

    proxy.set(Direction::ToServer, Conduct::Delay(Duration::from_millis(150)));
    let began = Instant::now();
    assert_eq!(ask(&mut stream).unwrap(), b'a');
    assert!(began.elapsed() >= Duration::from_millis(150));

    // What is held can be cut.
    proxy.set(Direction::ToServer, Conduct::Hold);
    stream.write_all(b"?").unwrap();
    proxy.cut(Cut::Reset);
    assert!(answer(&mut stream).is_err());
}

#[test]
fn servers_take_turns_and_those_that_are_away_are_passed_over() {
    // Bound, so that nobody else gets the port, and never listening.
    let away = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    away.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    let port_away = away.local_addr().unwrap().as_socket().unwrap().port();
    let proxy = TcpProxy::round_robin(&[server(b'a'), port_away, server(b'b')]);
    let mut names: Vec<u8> = (0..6).map(|_| ask(&mut client(&proxy)).unwrap()).collect();
    assert_eq!(proxy.counts().given.iter().sum::<u64>(), 6);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, b"ab");

    let nowhere = TcpProxy::before(port_away);
    assert!(ask(&mut client(&nowhere)).is_err());
    assert_eq!(nowhere.counts().unreachable, 1);
}

/// An HTTP server that answers with its name, and keeps the connection unless it is asked not to; its port.
fn http_server(name: char) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(n @ 1..) = stream.read(&mut buffer) {
                    let asked = String::from_utf8_lossy(&buffer[..n]).to_lowercase();
                    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{name}").unwrap();
                    if asked.contains("connection: close") {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn requests_of_one_connection_go_to_servers_in_turn() {
    let proxy = TcpProxy::per_request(&[http_server('a'), http_server('b')]);
    let mut answers = String::new();
    for _ in 0..4 {
        // Opened in advance and never used, it takes nobody's turn.
        let _unused = client(&proxy);
        let mut stream = client(&proxy);
        stream
            .write_all(b"GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answers.extend(answer.chars().last());
    }
    assert_eq!(answers, "abab");
    assert_eq!(proxy.counts().given, [2, 2]);
}
