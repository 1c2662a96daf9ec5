//! One connection, shared, and made anew when it has to be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhaven_storage::{StorageError, observed};
use redis::{Cmd, FromRedisValue, RedisError, Value};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::error::{Failure, lacks_script, needs_new_connection, was_not_done};
use crate::health;
use crate::options::RedisOptions;
use crate::scripts::Script;
use crate::topology::{Connection, Topology};

/// How often a call is made that the server says it did not do.
const TRIES: u32 = 6;

/// How long making a connection goes on, also when nobody waits for it any more: some of the servers that were named
/// may be away, and only the last one that is tried may answer.
const CONNECTING: Duration = Duration::from_secs(10);

/// The way to Redis. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Link(Arc<Shared>);

struct Shared {
    topology: Topology,
    patience: Duration,
    state: Mutex<State>,
    made: AtomicU64,
    /// What was said about it last.
    unfit: AtomicBool,
}

enum State {
    Connected(Live),
    /// Somebody is at it; all wait for the same outcome.
    Connecting(watch::Receiver<Option<Result<Live, Failure>>>),
    Idle,
}

/// A connection, and what it leads to.
#[derive(Clone)]
struct Live {
    connection: Connection,
    /// Which run of which server it is (`run_id`); empty for a Cluster, where every call may go to another.
    run: Arc<str>,
    number: u64,
}

/// What a script is called with.
pub(crate) struct Call<'a> {
    pub(crate) script: &'static Script,
    pub(crate) keys: &'a [String],
    /// The script finds the run of the server in front of them.
    pub(crate) arguments: &'a [&'a [u8]],
}

impl Call<'_> {
    fn command(&self, live: &Live, by: By) -> Cmd {
        let mut command = match by {
            By::Hash => redis::cmd("EVALSHA"),
            By::Source => redis::cmd("EVAL"),
        };
        command.arg(match by {
            By::Hash => self.script.hash(),
            By::Source => self.script.source,
        });
        command.arg(self.keys.len()).arg(self.keys).arg(&*live.run);
        for argument in self.arguments {
            command.arg(*argument);
        }
        command
    }
}

#[derive(Clone, Copy)]
enum By {
    Hash,
    Source,
}

impl Link {
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, RedisError> {
        Ok(Self(Arc::new(Shared {
            topology: Topology::new(options)?,
            patience: options.patience(),
            state: Mutex::new(State::Idle),
            made: AtomicU64::new(0),
            unfit: AtomicBool::new(false),
        })))
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.0.topology.is_cluster()
    }

    /// Runs a script, within the time there is.
    pub(crate) async fn call<T: FromRedisValue>(
        &self,
        operation: &'static str,
        call: &Call<'_>,
    ) -> Result<T, StorageError> {
        let value = self.answer(operation, || self.once(call)).await?;
        redis::from_redis_value(value).map_err(|_| Failure::of(operation)(Failure::Damaged))
    }

    /// Asks every master how it is.
    pub(crate) async fn ping(&self, operation: &'static str) -> Result<(), StorageError> {
        let reports = self.answer(operation, || self.reports()).await?;
        let judged = health::judge(&reports);
        let is_unfit = judged.is_err();
        // Once, not each time that somebody asks whether it is ready.
        if self.0.unfit.swap(is_unfit, Ordering::Relaxed) != is_unfit {
            match &judged {
                Ok(()) => tracing::info!("Redis is set up as it must be"),
                Err(unfit) => tracing::error!("{unfit}"),
            }
        }
        judged.map_err(|unfit| Failure::of(operation)(unfit.into()))
    }

    async fn reports(&self) -> Result<Vec<String>, Failure> {
        let mut live = self.live().await?;
        let reports = health::ask(&mut live.connection).await;
        self.sent(&live, reports)
    }

    async fn answer<T, F>(
        &self,
        operation: &'static str,
        mut work: impl FnMut() -> F + Send,
    ) -> Result<T, StorageError>
    where
        T: Send,
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let tries = async {
            for again in 1..TRIES {
                match work().await {
                    Err(Failure::Redis(error)) if was_not_done(&error) => {
                        tracing::debug!(operation, again, %error, "not done by Redis, and tried again");
                        sleep(Duration::from_millis(10).saturating_mul(again)).await;
                    }
                    answer => return answer,
                }
            }
            work().await
        };
        let answer = match timeout(self.0.patience, tries).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::NoAnswer(self.0.patience)),
        };
        answer.map_err(Failure::of(operation))
    }

    async fn once(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let mut live = self.live().await?;
        let command = call.command(&live, By::Hash);
        let answer = live.connection.send(&command).await;
        match self.sent(&live, answer) {
            Err(Failure::Redis(error)) if lacks_script(&error) => {
                let command = call.command(&live, By::Source);
                let answer = live.connection.send(&command).await;
                self.sent(&live, answer)
            }
            answer => answer,
        }
    }

    /// Counts, and gives a connection up that is broken or leads to the wrong server.
    fn sent<T>(&self, live: &Live, answer: Result<T, RedisError>) -> Result<T, Failure> {
        observed::round_trip();
        if let Err(error) = &answer
            && needs_new_connection(error)
            // A Cluster's connection leads to all nodes, and looks after them by itself.
            && !self.is_cluster()
        {
            let mut state = self.state();
            if matches!(&*state, State::Connected(current) if current.number == live.number) {
                tracing::warn!(%error, "the connection to Redis is given up");
                *state = State::Idle;
            }
        }
        Ok(answer?)
    }

    /// The connection there is, or the one that is made now.
    async fn live(&self) -> Result<Live, Failure> {
        let mut attempt = match &mut *self.state() {
            State::Connected(live) => return Ok(live.clone()),
            State::Connecting(attempt) => attempt.clone(),
            state @ State::Idle => {
                let (outcome, attempt) = watch::channel(None);
                *state = State::Connecting(attempt.clone());
                // On its own: whoever asked may lose patience, and the connection is wanted all the same.
                tokio::spawn(self.clone().connect(outcome));
                attempt
            }
        };
        let outcome = match attempt.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            // The runtime is shutting down.
            Err(_) => None,
        };
        outcome.unwrap_or(Err(Failure::NoAnswer(CONNECTING)))
    }

    async fn connect(self, outcome: watch::Sender<Option<Result<Live, Failure>>>) {
        let made = match timeout(CONNECTING, self.try_connect()).await {
            Ok(Ok(live)) => Ok(live),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Failure::NoAnswer(CONNECTING)),
        };
        *self.state() = match &made {
            Ok(live) => {
                tracing::debug!("connected to Redis");
                State::Connected(live.clone())
            }
            Err(error) => {
                tracing::warn!(%error, "no connection to Redis");
                State::Idle
            }
        };
        outcome.send_replace(Some(made));
    }

    async fn try_connect(&self) -> Result<Live, RedisError> {
        let mut connection = self.0.topology.connect().await?;
        let run = match &mut connection {
            Connection::Cluster(_) => Arc::from(""),
            Connection::One(_) => {
                let command = health::which_run();
                health::run_id(&redis::from_redis_value::<String>(
                    connection.send(&command).await?,
                )?)?
            }
        };
        Ok(Live {
            connection,
            run,
            number: self.0.made.fetch_add(1, Ordering::Relaxed),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half written.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
