//! Connections, lent one by one.
//!
//! A pool of our own, because the one of sqlx asks the server for a sign of life each time a connection comes back: a
//! round trip more for each statement. Here a connection comes back only when all that was asked of it was answered;
//! abandoned half-way (an error within a transaction, a request that was dropped) it is closed, and the server rolls
//! back. Before use only a connection that has been idle for some seconds is asked whether it lives.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyhaven_storage::observed::{PoolFigures, PoolQueue, round_trip};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Failure, code};

/// Idle longer than this, a connection is asked whether it lives before it is lent.
const TRUSTED_FOR: Duration = Duration::from_secs(5);

/// Older than this, a connection is not lent again: the server's memory of it does not grow for ever, and servers that
/// joined later get their share.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: PgConnectOptions,
    acquire_timeout: Duration,
    connections: usize,
    permits: Arc<Semaphore>,
    /// The one that came back last is lent first, so that those too many grow old.
    idle: Mutex<Vec<Idle>>,
    waiting: AtomicU64,
    waits: AtomicU64,
    waited_micros: AtomicU64,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    born: Instant,
    since: Instant,
}

impl Pool {
    /// Opens no connection yet.
    pub(crate) fn new(options: PgConnectOptions, connections: u32, acquire_timeout: Duration) -> Self {
        let connections = usize::try_from(connections.max(1)).unwrap_or(usize::MAX);
        let connections = connections.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            options,
            acquire_timeout,
            connections,
            permits: Arc::new(Semaphore::new(connections)),
            idle: Mutex::new(Vec::new()),
            waiting: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            waited_micros: AtomicU64::new(0),
        }))
    }

    /// How it is used now.
    pub(crate) fn figures(&self, name: &'static str) -> PoolFigures {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let free = self.0.permits.available_permits();
        PoolFigures {
            name,
            most: count(self.0.connections),
            in_use: count(self.0.connections.saturating_sub(free)),
            idle: count(self.idle(|idle| idle.len())),
            queue: Some(PoolQueue {
                waiting: self.0.waiting.load(Ordering::Relaxed),
                waits: self.0.waits.load(Ordering::Relaxed),
                waited: Duration::from_micros(self.0.waited_micros.load(Ordering::Relaxed)),
            }),
        }
    }

    /// Lends a connection.
    pub(crate) async fn lend(&self) -> Result<Lent, Failure> {
        let limit = self.0.acquire_timeout;
        let _waiting = Waiting::begin(&self.0);
        match tokio::time::timeout(limit, self.find()).await {
            Ok(lent) => lent,
            Err(_) => Err(Failure::NoConnection(limit)),
        }
    }

    async fn find(&self) -> Result<Lent, Failure> {
        let permit = Arc::clone(&self.0.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Failure::Closed)?;
        loop {
            let idle = self.idle(Vec::pop);
            let (connection, born) = match idle {
                None => (self.0.options.connect().await?, Instant::now()),
                Some(idle) if idle.born.elapsed() > LIFETIME => {
                    idle.connection.close().await.ok();
                    continue;
                }
                Some(mut idle) => {
                    if idle.since.elapsed() > TRUSTED_FOR && !lives(&mut idle.connection).await {
                        // Whatever ended this one has probably ended the others too.
                        drop(self.idle(std::mem::take));
                        continue;
                    }
                    (idle.connection, idle.born)
                }
            };
            return Ok(Lent {
                connection: Some(connection),
                born,
                pool: self.clone(),
                _permit: permit,
            });
        }
    }

    /// Lends nothing any more, and closes what is idle.
    pub(crate) async fn close(&self) {
        self.0.permits.close();
        for idle in self.idle(std::mem::take) {
            idle.connection.close().await.ok();
        }
    }

    fn idle<T>(&self, change: impl FnOnce(&mut Vec<Idle>) -> T) -> T {
        change(&mut self.0.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Somebody who waits for a connection, until this is dropped.
struct Waiting<'a> {
    pool: &'a Inner,
    since: Instant,
}

impl<'a> Waiting<'a> {
    fn begin(pool: &'a Inner) -> Self {
        pool.waiting.fetch_add(1, Ordering::Relaxed);
        let since = Instant::now();
        Self { pool, since }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.pool.waiting.fetch_sub(1, Ordering::Relaxed);
        self.pool.waits.fetch_add(1, Ordering::Relaxed);
        self.pool.waited_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// A connection on loan; borrowed for one statement at a time, so each loan as a `PgConnection` counts as one round trip.
/// Dropped without [`Self::settle`], it is closed.
#[derive(Debug)]
pub(crate) struct Lent {
    /// Always there until it is settled.
    connection: Option<PgConnection>,
    born: Instant,
    pool: Pool,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    /// Begins a transaction. Dropped, it is rolled back.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_>, sqlx::Error> {
        Ok(Transaction((**self).begin().await?))
    }

    /// Gives the connection back, with the result of the last that was asked of it; there is no transaction open.
    pub(crate) fn settle<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, Failure> {
        let Some(connection) = self.connection.take() else {
            return Ok(result?);
        };
        match &result {
            Err(error) if is_broken(error) => {
                // Whatever ended this one has probably ended the others: better to find a new one than to try them all.
                drop(self.pool.idle(std::mem::take));
            }
            Ok(_) | Err(_) if self.pool.0.permits.is_closed() => drop(connection),
            Ok(_) | Err(_) => {
                let (born, since) = (self.born, Instant::now());
                self.pool.idle(|idle| {
                    idle.push(Idle {
                        connection,
                        born,
                        since,
                    });
                });
            }
        }
        Ok(result?)
    }
}

#[expect(
    clippy::expect_used,
    reason = "the connection is taken by `settle` alone, which consumes the loan"
)]
impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("not settled yet")
    }
}

#[expect(
    clippy::expect_used,
    reason = "the connection is taken by `settle` alone, which consumes the loan"
)]
impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        round_trip();
        self.connection.as_mut().expect("not settled yet")
    }
}

/// A transaction on a connection on loan. Like a loan, it is borrowed for one statement at a time: that is what its round
/// trips are counted by.
pub(crate) struct Transaction<'c>(sqlx::Transaction<'c, Postgres>);

impl Transaction<'_> {
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        round_trip();
        self.0.commit().await
    }

    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        round_trip();
        self.0.rollback().await
    }
}

impl Deref for Transaction<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        round_trip();
        &mut self.0
    }
}

/// Whether the server answers on this connection, soon.
async fn lives(connection: &mut PgConnection) -> bool {
    matches!(
        tokio::time::timeout(Duration::from_secs(1), connection.ping()).await,
        Ok(Ok(()))
    )
}

/// Whether the connection is of no more use. An error that the server reports leaves it as it was, save where the
/// server is going away, or has become one that cannot be written to.
fn is_broken(error: &sqlx::Error) -> bool {
    match code(error) {
        // 08: connection exceptions. 57P: operator intervention. 25006: read_only_sql_transaction, a former primary.
        Some(code) => code.starts_with("08") || code.starts_with("57P") || code == "25006",
        None => true,
    }
}
