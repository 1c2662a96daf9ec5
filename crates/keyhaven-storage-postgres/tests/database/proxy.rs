//! What goes over the wire: counted, and cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Lets everything pass.
pub(crate) const PASS: u8 = 0;
/// Ends the connection when the server answers: the answer is lost.
pub(crate) const LOSE_ANSWERS: u8 = 1;
/// Keeps the server's answers to itself, and the connection open.
pub(crate) const KEEP_ANSWERS: u8 = 2;

/// Between the store and a server.
pub(crate) struct Proxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    mode: AtomicU8,
    round_trips: AtomicU64,
}

impl Proxy {
    pub(crate) async fn before(url: &str) -> Self {
        let (before, rest) = url.rsplit_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let (server, of_listener) = (server.to_owned(), Arc::clone(&shared));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(requests(from_client, to_server, Arc::clone(&of_listener)));
                tokio::spawn(answers(from_server, to_client, Arc::clone(&of_listener)));
            }
        });
        Self {
            url: format!("{before}@127.0.0.1:{port}/{database}?sslmode=disable"),
            shared,
        }
    }

    pub(crate) fn set(&self, mode: u8) {
        self.shared.mode.store(mode, Ordering::SeqCst);
    }

    /// How often a client has waited for the server since this was last asked.
    pub(crate) fn round_trips(&self) -> u64 {
        self.shared.round_trips.swap(0, Ordering::SeqCst)
    }
}

/// Each Sync and each simple Query is one wait. Source: PostgreSQL documentation, "Message Formats".
async fn requests(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, shared: Arc<Shared>) -> Option<()> {
    // The start-up message has no type.
    let mut length = [0; 4];
    client.read_exact(&mut length).await.ok()?;
    relay(&mut client, &mut server, &length).await?;
    loop {
        let mut header = [0; 5];
        client.read_exact(&mut header).await.ok()?;
        if matches!(header[0], b'S' | b'Q') {
            shared.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        relay(&mut client, &mut server, &header).await?;
    }
}

/// One message, whose header ends with its length.
async fn relay(client: &mut OwnedReadHalf, server: &mut OwnedWriteHalf, header: &[u8]) -> Option<()> {
    let length = u32::from_be_bytes(*header.last_chunk().unwrap());
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    client.read_exact(&mut body).await.ok()?;
    server.write_all(header).await.ok()?;
    server.write_all(&body).await.ok()
}

async fn answers(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, shared: Arc<Shared>) -> Option<()> {
    let mut buffer = vec![0; 65536];
    loop {
        let n = server.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        match shared.mode.load(Ordering::SeqCst) {
            LOSE_ANSWERS => return None,
            KEEP_ANSWERS => {}
            _ => client.write_all(&buffer[..n]).await.ok()?,
        }
    }
}
