//! A proxy between a client and one or several servers, all on loopback: it passes on, counts, and misbehaves on demand.
//!
//! What it does to each [`Direction`] is its [`Conduct`] there, and can be changed at any time; [`TcpProxy::cut`] ends
//! what is open now. With several servers each connection (or each request, see [`TcpProxy::per_request`]) goes to the
//! next one that can be reached.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use keyhaven_testkit::tcp_proxy::{Conduct, Cut, Direction, TcpProxy};
//! # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let proxy = TcpProxy::before(server.local_addr()?.port());
//! // Whatever the server answers from now on is lost, and the connection with it.
//! proxy.set(Direction::ToClient, Conduct::Cut { after: 0, how: Cut::Reset });
//! # Ok(())
//! # }
//! ```
#![expect(clippy::expect_used, reason = "tests")]

mod connection;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use connection::Connection;

/// How long a server that could not be reached is left out, where there are others.
const LEFT_OUT: Duration = Duration::from_millis(250);

/// Which way bytes go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// What the servers answer.
    ToClient,
    /// What the client asks.
    ToServer,
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// In order: FIN, as by a process that ends.
    Finish,
    /// At once: RST, as by a machine that has forgotten the connection.
    Reset,
}

/// What happens to the bytes of one direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Conduct {
    /// A connection passes on this many bytes more, then it is cut: 0 loses what comes next.
    Cut {
        /// Bytes.
        after: u64,
        /// How.
        how: Cut,
    },
    /// Each piece arrives this much later.
    Delay(Duration),
    /// A black hole: nothing arrives and nothing is closed. What was held arrives when another conduct is set.
    Hold,
    /// They pass.
    Pass,
}

/// What went through so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Connections (or requests, see [`TcpProxy::per_request`]) that each server was given, in the servers' order.
    pub given: Vec<u64>,
    /// Connections that were cut on demand.
    pub cut: u64,
    /// Connections for which no server could be reached.
    pub unreachable: u64,
    /// Bytes passed on to clients, or tried to.
    pub to_client: u64,
    /// Bytes passed on to servers, or tried to.
    pub to_server: u64,
}

/// The proxy. Dropped, it cuts what is open and accepts nothing more.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    servers: Vec<u16>,
    per_request: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    to_client: Order,
    to_server: Order,
    /// Index of the server whose turn it is.
    next: usize,
    left_out_until: Vec<Instant>,
    open: Vec<Weak<Connection>>,
    counts: Counts,
    over: bool,
}

/// A conduct, and how many were set before it.
#[derive(Clone, Copy, Debug)]
struct Order {
    conduct: Conduct,
    number: u64,
}

impl TcpProxy {
    /// A proxy before the server on this port.
    #[must_use]
    pub fn before(server: u16) -> Self {
        Self::round_robin(&[server])
    }

    /// A proxy that gives connections to these servers in turn. One that cannot be reached is passed over.
    #[must_use]
    pub fn round_robin(servers: &[u16]) -> Self {
        Self::start(servers, false)
    }

    /// As [`Self::round_robin`], for HTTP/1.1 and request by request: each server is asked to close the connection after
    /// its answer. A client that sends one request after the other never meets the same of two servers twice in a row.
    #[must_use]
    pub fn per_request(servers: &[u16]) -> Self {
        Self::start(servers, true)
    }

    fn start(servers: &[u16], per_request: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let pass = Order {
            conduct: Conduct::Pass,
            number: 0,
        };
        let shared = Arc::new(Shared {
            servers: servers.to_vec(),
            per_request,
            state: Mutex::new(State {
                to_client: pass,
                to_server: pass,
                next: 0,
                left_out_until: vec![Instant::now(); servers.len()],
                open: Vec::new(),
                counts: Counts {
                    given: vec![0; servers.len()],
                    ..Counts::default()
                },
                over: false,
            }),
            changed: Condvar::new(),
        });
        let of_listener = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if of_listener.state().over {
                    break;
                }
                let shared = Arc::clone(&of_listener);
                std::thread::spawn(move || connection::carry(client, &shared));
            }
        });
        Self { port, shared }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what happens in one direction, on connections that are open and on later ones.
    pub fn set(&self, direction: Direction, conduct: Conduct) {
        let mut state = self.shared.state();
        let order = state.order_mut(direction);
        *order = Order {
            conduct,
            number: order.number + 1,
        };
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Lets everything pass again.
    pub fn pass(&self) {
        self.set(Direction::ToServer, Conduct::Pass);
        self.set(Direction::ToClient, Conduct::Pass);
    }

    /// Cuts every connection that is open now; how many there were.
    pub fn cut(&self, how: Cut) -> usize {
        let open = std::mem::take(&mut self.shared.state().open);
        let cut = open
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|connection| connection.cut(how, &self.shared))
            .count();
        self.shared.changed.notify_all();
        cut
    }

    /// What went through so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.state().counts.clone()
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.pass();
        self.cut(Cut::Finish);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next server that can be reached.
    fn server(&self) -> Option<TcpStream> {
        let turns = self.servers.len();
        let first = {
            let mut state = self.state();
            let first = state.next;
            state.next = (first + 1) % turns.max(1);
            first
        };
        let order = || (first..first + turns).map(|turn| turn % turns);
        let now = Instant::now();
        let in_use = |server: &usize| {
            self.state()
                .left_out_until
                .get(*server)
                .is_some_and(|until| *until <= now)
        };
        // Where all are left out, all are tried.
        let candidates: Vec<usize> = order().filter(in_use).collect();
        let candidates = if candidates.is_empty() {
            order().collect()
        } else {
            candidates
        };
        for server in candidates {
            let Some(port) = self.servers.get(server) else {
                continue;
            };
            let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, *port));
            let mut state = self.state();
            match connected {
                Ok(stream) => {
                    if let Some(given) = state.counts.given.get_mut(server) {
                        *given += 1;
                    }
                    return Some(stream);
                }
                Err(_) => {
                    if let Some(until) = state.left_out_until.get_mut(server) {
                        *until = Instant::now() + LEFT_OUT;
                    }
                }
            }
        }
        self.state().counts.unreachable += 1;
        None
    }
}

impl State {
    fn order(&self, direction: Direction) -> Order {
        match direction {
            Direction::ToClient => self.to_client,
            Direction::ToServer => self.to_server,
        }
    }

    fn order_mut(&mut self, direction: Direction) -> &mut Order {
        match direction {
            Direction::ToClient => &mut self.to_client,
            Direction::ToServer => &mut self.to_server,
        }
    }

    fn count(&mut self, direction: Direction, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        match direction {
            Direction::ToClient => self.counts.to_client += bytes,
            Direction::ToServer => self.counts.to_server += bytes,
        }
    }
}
