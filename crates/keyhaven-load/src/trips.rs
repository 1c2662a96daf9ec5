//! Round trips, counted on the wire: how often the client spoke after the server had.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Stands before a store and counts. Whatever the protocol: a round trip begins when bytes go to the store on a
/// connection on which it spoke last. True of one client at a time, which waits for each answer.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) address: SocketAddr,
    trips: Arc<AtomicU64>,
}

impl Counter {
    /// Listens on a port of its own for what goes to `port`, in a thread of its own: a server that is waited for may be
    /// waiting for its store. Ends with the process.
    pub(crate) fn before(port: u16) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let trips = Arc::new(AtomicU64::new(0));
        let counted = trips.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let forwarding = async move {
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((client, _)) = listener.accept().await {
                let Ok(store) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
                    continue;
                };
                let _ = (client.set_nodelay(true), store.set_nodelay(true));
                let (from_client, to_client) = client.into_split();
                let (from_store, to_store) = store.into_split();
                // Who spoke last: the store, at first.
                let (spoke, heard) = watch::channel(Speaker::Store);
                tokio::spawn(forward(
                    from_store,
                    to_client,
                    Speaker::Store,
                    spoke.clone(),
                    None,
                ));
                drop(heard);
                let count = Some(counted.clone());
                tokio::spawn(forward(from_client, to_store, Speaker::Client, spoke, count));
            }
        };
        std::thread::spawn(move || runtime.block_on(forwarding));
        Ok(Self { address, trips })
    }

    /// How many there have been.
    pub(crate) fn trips(&self) -> u64 {
        self.trips.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Speaker {
    Client,
    Store,
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    speaker: Speaker,
    spoke: watch::Sender<Speaker>,
    count: Option<Arc<AtomicU64>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let before = spoke.send_replace(speaker);
        if before != speaker
            && let Some(count) = &count
        {
            count.fetch_add(1, Ordering::SeqCst);
        }
        if to.write_all(buffer.get(..len).unwrap_or_default()).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_and_what_is_said_after_it_are_a_round_trip() {
        let store = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let counter = Counter::before(store.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect(counter.address).await.unwrap();
        let (mut store, _) = store.accept().await.unwrap();
        let mut buffer = [0; 8];
        for round in 1..=3 {
            // Two writes before an answer are one trip.
            for _ in 0..2 {
                client.write_all(b"x").await.unwrap();
                store.read_exact(&mut buffer[..1]).await.unwrap();
            }
            store.write_all(b"yz").await.unwrap();
            client.read_exact(&mut buffer[..2]).await.unwrap();
            assert_eq!(counter.trips(), round);
        }
    }
}
