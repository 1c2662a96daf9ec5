//! Connections: accepted, bounded in number, size and patience, and ended in good order.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use keyhaven_service::Network;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};
use tower::ServiceExt as _;

/// More connections than this wait to be accepted.
const MAX_CONNECTIONS: usize = 10_000;

/// A client that takes longer over a request's head, or leaves a connection idle for longer, is cut off.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);

/// A longer head is answered 431: several times what browsers send with all of their cookies. The library holds to it
/// while it waits for the rest of a head, and so lets one pass that comes at once and is up to half as long again; what
/// does is measured when it is read.
const MAX_HEAD: usize = 32 * 1024;

/// A client that does not take an answer for so long is cut off.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// Bytes taken that win back a second of patience: slower than that, on average, a client gives up its place.
const SLOWEST: u32 = 4 * 1024;

/// Who may have how many connections at once.
pub(crate) struct Bounds {
    /// From one address (IPv6: one /64). The networks around it get more, see [`Network::ladder`].
    pub(crate) per_address: u32,
    /// Where everybody seems to come from: proxies, and this machine.
    pub(crate) exempt: Vec<IpNet>,
}

/// Serves until `stop` is done; then lets requests under way end, for at most `drain`. `false`: some did not.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
    drain: Duration,
) -> bool {
    let all = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let places = Arc::new(Places::new(bounds));
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let one = all.clone().acquire_owned().await;
            (one, listener.accept().await)
        };
        let (one, (stream, peer)) = tokio::select! {
            () = &mut stop => break,
            (one, accepted) = accepted => match accepted {
                Ok(accepted) => (one, accepted),
                // Out of descriptors, or the client was gone already: neither is a reason to stop.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let Some(place) = places.take(peer.ip()) else {
            // Closed without a word: to read a request only to refuse it is what this bound is to save.
            tracing::debug!(%peer, "too many connections from there");
            continue;
        };
        let app = app.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let app = app.clone();
            async move {
                if head_len(&request) > MAX_HEAD {
                    return Ok(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response());
                }
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(peer));
                app.oneshot(request).await
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_buf_size(MAX_HEAD);
        // Small answers must not wait for each other.
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(Impatient::new(stream));
        let connection = connections.watch(http.serve_connection(stream, answer));
        tokio::spawn(async move {
            // A client that breaks off is no event.
            let _: Result<(), hyper::Error> = connection.await;
            drop((one, place));
        });
    }
    drop(listener);
    tokio::time::timeout(drain, connections.shutdown()).await.is_ok()
}

/// The bytes of the request line and of the headers.
fn head_len<B>(request: &Request<B>) -> usize {
    const SEPARATORS: usize = ": \r\n".len();
    let target = request.uri().to_string();
    let line = [request.method().as_str(), " ", &target, " HTTP/1.1\r\n"];
    let headers = request.headers().iter();
    let headers = headers.flat_map(|(name, value)| [name.as_str().len(), value.len(), SEPARATORS]);
    let parts = line.into_iter().map(str::len).chain(headers);
    parts.fold("\r\n".len(), usize::saturating_add)
}

/// How many connections each network has. Holds networks with a connection only, so never more than there can be.
struct Places {
    bounds: Bounds,
    taken: Mutex<HashMap<Network, u32>>,
}

/// One connection's place in each of its networks; free again when dropped.
struct Place {
    places: Arc<Places>,
    networks: Vec<Network>,
}

impl Places {
    fn new(bounds: Bounds) -> Self {
        let taken = Mutex::default();
        Self { bounds, taken }
    }

    /// A place for this address, unless one of its networks has as many as it may.
    fn take(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let ip = ip.to_canonical();
        let mut networks = Vec::new();
        if !self.bounds.exempt.iter().any(|network| network.contains(&ip)) {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let ladder = Network::ladder(ip);
            let full = ladder.iter().any(|(network, shares)| {
                let most = self.bounds.per_address.saturating_mul(*shares);
                taken.get(network).is_some_and(|&count| count >= most)
            });
            if full {
                return None;
            }
            for (network, _) in ladder {
                let count = taken.entry(network).or_default();
                *count = count.saturating_add(1);
                networks.push(network);
            }
        }
        Some(Place {
            places: self.clone(),
            networks,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for network in &self.networks {
            if let Some(count) = taken.get_mut(network) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    taken.remove(network);
                }
            }
        }
    }
}

/// A stream that does not wait for ever, nor drop by drop, for the other side to take what is written.
///
/// Only time during which a write is held up counts, so that neither a slow handler nor an idle connection is cut off
/// here. It is taken from a purse of [`ANSWER_PATIENCE`], into which each byte that gets through pays back.
struct Impatient<S> {
    stream: S,
    purse: Duration,
    held_up_since: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

impl<S> Impatient<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            purse: ANSWER_PATIENCE,
            held_up_since: None,
            alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let Some(since) = self.held_up_since.take() {
                self.purse = self.purse.saturating_sub(since.elapsed());
            }
            if let Ok(bytes) = written {
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                let earned = Duration::from_secs(1).saturating_mul(bytes) / SLOWEST;
                self.purse = self.purse.saturating_add(earned).min(ANSWER_PATIENCE);
            }
            return Poll::Ready(written);
        }
        if self.held_up_since.is_none() {
            let now = Instant::now();
            self.held_up_since = Some(now);
            let end = now.checked_add(self.purse).unwrap_or(now);
            self.alarm.as_mut().reset(end);
        }
        ready!(self.alarm.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    /// More than all buffers between here and there hold.
    const LARGE: usize = 32 * 1024 * 1024;

    async fn server(per_address: u32) -> SocketAddr {
        let app = Router::new()
            .route("/small", get(|| async { "small" }))
            .route("/large", get(|| async { vec![b'x'; LARGE] }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let bounds = Bounds {
            per_address,
            exempt: vec![],
        };
        tokio::spawn(serve(
            listener,
            app,
            bounds,
            std::future::pending(),
            Duration::ZERO,
        ));
        address
    }

    async fn get_path(address: SocketAddr, path: &str, more: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n");
        // A server that has had enough may close before all is sent.
        let _ = stream.write_all(head.as_bytes()).await;
        stream
    }

    async fn read_all(mut stream: TcpStream) -> Vec<u8> {
        let mut all = Vec::new();
        // What came before a reset counts.
        let _ = stream.read_to_end(&mut all).await;
        all
    }

    #[tokio::test]
    async fn a_head_of_hundreds_of_kilobytes_is_refused() {
        let address = server(8).await;
        for (len, starts) in [(16 * 1024, "HTTP/1.1 200"), (350_000, "HTTP/1.1 431")] {
            let header = format!("x-long: {}\r\n", "a".repeat(len));
            let answer = read_all(get_path(address, "/small", &header).await).await;
            let answer = String::from_utf8_lossy(&answer);
            // A reset may overtake the 431; what matters is that there is no other answer.
            assert!(
                answer.starts_with(starts) || (len > MAX_HEAD && answer.is_empty()),
                "{answer}"
            );
        }
        let method = "M".repeat(200_000);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream
            .write_all(format!("{method} /small HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
            .await;
        let answer = String::from_utf8_lossy(&read_all(stream).await).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }

    #[tokio::test]
    async fn a_head_has_32_kib_and_not_a_byte_more() {
        let address = server(8).await;
        let bare = "GET /small HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-long: \r\n\r\n".len();
        for (len, starts) in [
            (MAX_HEAD - 1, "HTTP/1.1 200"),
            (MAX_HEAD + 1, "HTTP/1.1 431"),
            (MAX_HEAD + 16 * 1024, "HTTP/1.1 431"),
        ] {
            let header = format!("x-long: {}\r\n", "a".repeat(len - bare));
            let answer = read_all(get_path(address, "/small", &header).await).await;
            let answer = String::from_utf8_lossy(&answer);
            // A reset may overtake the 431.
            assert!(
                answer.starts_with(starts) || (len > MAX_HEAD && answer.is_empty()),
                "{len}: {answer}"
            );
        }
    }

    #[tokio::test]
    async fn one_address_has_its_places_and_gets_them_back() {
        let address = server(2).await;
        let first = get_path(address, "/large", "").await;
        let second = get_path(address, "/large", "").await;
        // They were accepted in order: by the time this one is, both others have their places.
        assert_eq!(read_all(get_path(address, "/small", "").await).await, b"");
        drop((first, second));
        for _ in 0..200 {
            if !read_all(get_path(address, "/small", "").await).await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the places were not given back");
    }

    #[test]
    fn networks_have_places_too_and_proxies_as_many_as_they_need() {
        let places = Arc::new(Places::new(Bounds {
            per_address: 2,
            exempt: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        }));
        let take = |text: &str| places.take(text.parse().unwrap());
        let held: Vec<_> = (0..256)
            .filter_map(|n| take(&format!("2001:db8:0:{n:x}::1")))
            .collect();
        // A /56 has 256 networks of /64, and four times one's share.
        assert_eq!(held.len(), 8);
        let elsewhere = take("2001:db9::1");
        assert!(elsewhere.is_some());
        let proxied: Vec<_> = (0..100)
            .map(|_| (take("10.1.1.1"), take("::ffff:10.1.1.1"), take("::1")))
            .collect();
        assert!(
            proxied
                .iter()
                .all(|(a, b, c)| a.is_some() && b.is_some() && c.is_some())
        );
        drop((held, elsewhere, proxied));
        assert!(places.taken.lock().unwrap().is_empty());
    }

    // Time is paused in these: it leaps to the next timer whenever nothing else is left to do.

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_reads_is_cut_off() {
        let address = server(1).await;
        let stuck = get_path(address, "/large", "").await;
        tokio::time::sleep(ANSWER_PATIENCE * 2).await;
        // What follows takes no more than it takes: a leap would cut it off, too.
        tokio::time::resume();
        // Its place is free, although it never closed.
        assert!(!read_all(get_path(address, "/small", "").await).await.is_empty());
        assert!(read_all(stuck).await.len() < LARGE);
        // Who reads gets it all.
        let answer = read_all(get_path(address, "/large", "").await).await;
        assert!(answer.len() > LARGE);
    }

    /// Writes `count` bytes into a narrow pipe whose other end takes `at_once` bytes every `pause`.
    async fn drip(count: usize, at_once: usize, pause: Duration) -> io::Result<()> {
        let (near, mut far) = tokio::io::duplex(1024);
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; at_once];
            loop {
                tokio::time::sleep(pause).await;
                if far.read_exact(&mut buffer).await.is_err() {
                    break;
                }
            }
        });
        let written = Impatient::new(near).write_all(&vec![0; count]).await;
        reader.abort();
        written
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_drop_by_drop_is_cut_off_and_a_slow_one_is_not() {
        let second = Duration::from_secs(1);
        // 8 KiB a second for over four minutes, with a gap of ten seconds each.
        drip(2 * 1024 * 1024, 80 * 1024, 10 * second).await.unwrap();
        let refused = drip(2 * 1024 * 1024, 1024, second).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        let refused = drip(2 * 1024 * 1024, 1024 * 1024, 31 * second).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    }
}
