//! Stores that are watched: each call is a span, and is timed and counted for whoever observes.
//!
//! [`Observed`] stands before a store and changes nothing of what it answers. A call is named by its operation
//! (`session.find`), never by what it is about: no argument reaches a span or an observer.

mod addresses;
mod admin;
mod ceremonies;
mod durable;
mod factors;
mod limits;
mod outbox;
mod passwords;
mod privacy;
mod recovery;

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tracing::Instrument as _;
use tracing::field::Empty;

use crate::StorageError;

/// Is told of each call, once.
pub trait StoreObserver: Send + Sync {
    /// A store was asked, and has answered or not.
    fn called(&self, call: &StoreCall);
}

/// One call of a store.
#[derive(Clone, Copy, Debug)]
pub struct StoreCall {
    /// Which database system it is, as OpenTelemetry's `db.system.name` has it: `postgresql`, `sqlite`, `redis`, or
    /// `memory`.
    pub system: &'static str,
    /// What was asked, for example `session.find`. From a fixed set.
    pub operation: &'static str,
    /// `ok`; else [`StorageError::reason`]; `abandoned` where nobody waited for the answer.
    pub outcome: &'static str,
    /// From the call to its answer.
    pub took: Duration,
    /// Messages to the database that waited for its answer.
    pub round_trips: u32,
}

/// A store that is watched.
pub struct Observed<S: ?Sized> {
    store: Arc<S>,
    system: &'static str,
    observer: Arc<dyn StoreObserver>,
}

impl<S: ?Sized> Observed<S> {
    /// Watches a store. `system` as in [`StoreCall::system`].
    pub fn new(store: Arc<S>, system: &'static str, observer: Arc<dyn StoreObserver>) -> Self {
        Self {
            store,
            system,
            observer,
        }
    }

    async fn call<T>(&self, operation: &'static str, answer: Answer<'_, T>) -> Result<T, StorageError> {
        // Names of OpenTelemetry's database conventions; `otel.*` is what its exporters read.
        let span = tracing::debug_span!(
            "store",
            otel.name = operation,
            otel.kind = "client",
            db.system.name = self.system,
            db.operation.name = operation,
            error.type = Empty,
        );
        let mut watch = Watch {
            observer: &*self.observer,
            began: Instant::now(),
            call: StoreCall {
                system: self.system,
                operation,
                outcome: "abandoned",
                took: Duration::ZERO,
                round_trips: 0,
            },
        };
        let answer = Counting {
            answer,
            round_trips: &mut watch.call.round_trips,
        };
        let answer = answer.instrument(span.clone()).await;
        watch.call.outcome = match &answer {
            Ok(_) => "ok",
            Err(error) => {
                span.record("error.type", error.reason);
                error.reason
            }
        };
        answer
    }
}

impl<S: ?Sized> std::fmt::Debug for Observed<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observed")
            .field("system", &self.system)
            .finish_non_exhaustive()
    }
}

/// Tells the observer when it is dropped: after the answer, or when nobody waits for one any more.
struct Watch<'a> {
    observer: &'a dyn StoreObserver,
    began: Instant,
    call: StoreCall,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.call.took = self.began.elapsed();
        self.observer.called(&self.call);
    }
}

/// How a pool of connections is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolFigures {
    /// Which pool, for example `primary`.
    pub name: &'static str,
    /// Connections at most.
    pub most: u64,
    /// Connections lent now, those that are being opened included.
    pub in_use: u64,
    /// Open connections that nobody uses.
    pub idle: u64,
    /// Who waits for one; `None`: the pool does not tell.
    pub queue: Option<PoolQueue>,
}

/// How long callers wait for a connection, one that has to be opened included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolQueue {
    /// Callers that wait now.
    pub waiting: u64,
    /// Callers that have waited, ever; most of them for next to nothing.
    pub waits: u64,
    /// How long all of those waited together.
    pub waited: Duration,
}

thread_local! {
    /// Of the call that this thread is working on now.
    static ROUND_TRIPS: Cell<u32> = const { Cell::new(0) };
}

/// Adapters say so for each message that they wait for the answer of.
pub fn round_trip() {
    ROUND_TRIPS.set(ROUND_TRIPS.get().saturating_add(1));
}

/// What a store's methods return.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StorageError>> + Send + 'a>>;

/// Counts the round trips of one answer: each time it is worked on, by whichever thread.
struct Counting<'a, T> {
    answer: Answer<'a, T>,
    round_trips: &'a mut u32,
}

impl<T> Future for Counting<'_, T> {
    type Output = Result<T, StorageError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outer = ROUND_TRIPS.replace(*self.round_trips);
        let answer = self.answer.as_mut().poll(context);
        *self.round_trips = ROUND_TRIPS.replace(outer);
        answer
    }
}
