//! Logins, one after the other on each of many connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;

use crate::client::Client;
use crate::people::Person;
use crate::signer::Signer;
use crate::site::Site;

/// Latencies are kept in microseconds, up to a minute, to three digits.
const LONGEST: u64 = 60_000_000;

/// How people say who they are.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub(crate) enum By {
    /// They type their name first.
    Name,
    /// The passkey says it.
    Passkey,
}

impl By {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Name => "with a name",
            Self::Passkey => "without a name",
        }
    }
}

/// Who there is.
#[derive(Clone)]
pub(crate) enum Population {
    /// Everybody from 0 up to this number, as seeded.
    Derived(u64),
    /// These, as registered.
    Registered(Arc<Vec<Person>>),
}

impl Population {
    /// One of them; `draw` is any number.
    pub(crate) fn person(&self, draw: u64) -> Option<Person> {
        match self {
            Self::Derived(people) => Some(Person::new(draw.checked_rem(*people)?)),
            Self::Registered(people) => {
                let index = usize::try_from(draw).unwrap_or(usize::MAX);
                people.get(index.checked_rem(people.len())?).cloned()
            }
        }
    }
}

/// What is to be done.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) by: By,
    pub(crate) connections: u32,
    /// Logins per second that are begun whether or not earlier ones are done; `None`: each connection begins its next
    /// login when it has done its last.
    pub(crate) rate: Option<u32>,
    pub(crate) time: Duration,
    /// At most so many logins.
    pub(crate) logins: Option<u64>,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Logins that succeeded.
    pub(crate) logins: u64,
    /// Failures by status and code, or by what went wrong on the way.
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) elapsed: Duration,
    /// Of start and finish together, in microseconds; with a rate, from the moment a login was due.
    pub(crate) latency: Histogram<u64>,
}

/// Carries the plan out, on connections of its own.
pub(crate) async fn run(
    site: &Site,
    population: &Population,
    signer: &Arc<Signer>,
    plan: &Plan,
) -> anyhow::Result<Outcome> {
    let tickets = Arc::new(AtomicU64::new(0));
    let mut clients = Vec::new();
    for _ in 0..plan.connections.max(1) {
        clients.push(Client::connect(site.address, &site.origin).await?);
    }
    let began = Instant::now();
    let workers: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let worker = Worker {
                site_address: site.address,
                client,
                population: population.clone(),
                signer: signer.clone(),
                plan: plan.clone(),
                tickets: tickets.clone(),
            };
            tokio::spawn(worker.work(began))
        })
        .collect();
    let mut outcome = Outcome {
        logins: 0,
        errors: BTreeMap::new(),
        elapsed: Duration::ZERO,
        latency: Histogram::new_with_bounds(1, LONGEST, 3)?,
    };
    for worker in workers {
        let part = worker.await??;
        outcome.logins = outcome.logins.saturating_add(part.logins);
        outcome.latency.add(&part.latency)?;
        for (error, count) in part.errors {
            let sum = outcome.errors.entry(error).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    outcome.elapsed = began.elapsed();
    Ok(outcome)
}

struct Worker {
    site_address: std::net::SocketAddr,
    client: Client,
    population: Population,
    signer: Arc<Signer>,
    plan: Plan,
    tickets: Arc<AtomicU64>,
}

impl Worker {
    async fn work(mut self, began: Instant) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome {
            logins: 0,
            errors: BTreeMap::new(),
            elapsed: Duration::ZERO,
            latency: Histogram::new_with_bounds(1, LONGEST, 3)?,
        };
        loop {
            let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
            if self.plan.logins.is_some_and(|limit| ticket >= limit) {
                return Ok(outcome);
            }
            let due = match self.plan.rate {
                None => Instant::now(),
                Some(rate) => {
                    let after = Duration::from_secs_f64(due_after(ticket, rate));
                    if after >= self.plan.time {
                        return Ok(outcome);
                    }
                    let due = began + after;
                    tokio::time::sleep_until(due.into()).await;
                    due
                }
            };
            if began.elapsed() >= self.plan.time {
                return Ok(outcome);
            }
            let person = self
                .population
                .person(scatter(ticket))
                .context("nobody is there")?;
            match login(&mut self.client, &person, self.plan.by, &self.signer, ticket).await {
                Ok(()) => {
                    outcome.logins = outcome.logins.saturating_add(1);
                    let took = u64::try_from(due.elapsed().as_micros()).unwrap_or(LONGEST);
                    outcome.latency.saturating_record(took.max(1));
                }
                Err(failure) => {
                    let (name, broken) = match failure {
                        Failure::Refused(name) => (name, false),
                        Failure::Broken(name) => (name, true),
                    };
                    *outcome.errors.entry(name).or_default() += 1;
                    if broken {
                        // A server that is away is not asked in a tight loop.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        if let Ok(client) = Client::connect(self.site_address, &self.client.origin).await {
                            self.client = client;
                        }
                    }
                }
            }
        }
    }
}

/// Seconds until the login of this number is due.
fn due_after(ticket: u64, rate: u32) -> f64 {
    f64::from(u32::try_from(ticket).unwrap_or(u32::MAX)) / f64::from(rate.max(1))
}

/// Numbers that follow each other, far apart (splitmix64).
fn scatter(ticket: u64) -> u64 {
    let mut z = ticket.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) enum Failure {
    /// The server answered otherwise.
    Refused(String),
    /// The connection is of no more use.
    Broken(String),
}

/// One login: start and finish.
pub(crate) async fn login(
    client: &mut Client,
    person: &Person,
    by: By,
    signer: &Signer,
    turn: u64,
) -> Result<(), Failure> {
    let broken = |error: anyhow::Error| Failure::Broken(error.to_string());
    let body = match by {
        By::Name => person.start(),
        By::Passkey => b"{}".to_vec(),
    };
    let origin = client.origin.clone();
    let started = client.post("/login/start", &body).await.map_err(broken)?;
    let ids = (started.status == 200)
        .then(|| started.member("ceremonyId").zip(started.member("challenge")))
        .flatten();
    let Some((ceremony, challenge)) = ids else {
        return Err(refused("start", &started));
    };
    let body = person.finish(signer, turn, ceremony, challenge, &origin);
    let finished = client.post("/login/finish", &body).await.map_err(broken)?;
    if finished.status == 200 {
        Ok(())
    } else {
        Err(refused("finish", &finished))
    }
}

/// The bodies of the two answers of a login.
pub(crate) async fn bodies(
    client: &mut Client,
    person: &Person,
    signer: &Signer,
) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let origin = client.origin.clone();
    let start = client.post("/login/start", b"{}").await?.body.to_vec();
    let answer = crate::client::Answer {
        status: 200,
        body: &start,
    };
    let ids = answer.member("ceremonyId").zip(answer.member("challenge"));
    let (ceremony, challenge) = ids.context("a ceremony")?;
    let body = person.finish(signer, 1, ceremony, challenge, &origin);
    let finish = client.post("/login/finish", &body).await?;
    anyhow::ensure!(finish.status == 200, "{}", finish.text());
    Ok((start.clone(), finish.body.to_vec()))
}

fn refused(what: &str, answer: &crate::client::Answer<'_>) -> Failure {
    let code = answer.member("code").unwrap_or("no code");
    Failure::Refused(format!("{what} {} {code}", answer.status))
}
