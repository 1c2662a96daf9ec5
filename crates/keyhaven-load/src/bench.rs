//! Whole logins beside the sum of their parts, and store operations beside the bare statement: ratios of one run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use keyhaven_storage_postgres::PostgresStore;
use keyhaven_testkit::process::TempDir;

use crate::client::Client;
use crate::drive::{self, By, Plan, Population};
use crate::parts::{CONCURRENCY, Running};
use crate::raw::Raw;
use crate::signer::Signer;
use crate::site::{self, Backing, Site, Stores};
use crate::{cpu, operations, report, run, seed};

/// People in the database: all of them fit into what a server remembers.
const PEOPLE: u64 = 5_000;

/// A login costs at most this much more than its parts.
const OVER_PARTS: f64 = 1.3;

/// A login costs at most so many raw signature verifications.
const OVER_RAW: [(Stores, f64); 2] = [(Stores::Memory, 2.4), (Stores::RedisPostgres, 6.5)];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server's binary, built for release.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) binary: Option<PathBuf>,
    /// Rounds, in each of which everything is measured once.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// How long each measurement takes, in milliseconds.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u64).range(200..=10_000))]
    slice: u64,
}

/// A kind of login on certain stores.
type Kind = (Stores, By);

/// Everything that runs while the rounds last.
struct Bench {
    signer: Arc<Signer>,
    slice: Duration,
    logins: Vec<Loaded>,
    echo: Running,
    echo_site: Site,
    statements: BTreeMap<By, Running>,
    ceremonies: Running,
}

struct Loaded {
    backing: Backing,
    site: Site,
    population: Population,
}

/// Processor time per login, in microseconds, by part; one for each round.
type Samples = BTreeMap<(String, String), Vec<f64>>;

/// Measures, and prints the page's section. `false`: a goal is missed.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let binary = options.binary.as_ref().context("--binary")?;
    let signer = Arc::new(Signer::new());
    let operations = operations::measure(&signer).await?;
    let mut bench = Bench::start(binary, &signer, Duration::from_millis(options.slice)).await?;
    let mut samples = Samples::new();
    // The first round warms up.
    bench.round(&mut Samples::new()).await?;
    for _ in 0..options.rounds {
        bench.round(&mut samples).await?;
    }
    let (table, met) = table(&samples);
    println!("{operations}\n{table}");
    Ok(met)
}

/// A database for bare statements alone, in the same PostgreSQL: a server would find their events forged, and read them
/// again and again.
async fn apart(backing: &Backing, signer: &Signer) -> anyhow::Result<String> {
    let url = |database| backing.postgres_url(database).context("PostgreSQL");
    let administrator = seed::connect(&url("postgres")?).await?;
    administrator.batch_execute("CREATE DATABASE bare").await?;
    let url = url("bare")?;
    PostgresStore::open(&url.parse()?).await?.close().await;
    seed::seed(&url, PEOPLE, signer, None).await?;
    Ok(url)
}

impl Bench {
    async fn start(binary: &Path, signer: &Arc<Signer>, slice: Duration) -> anyhow::Result<Self> {
        let mut logins = Vec::new();
        for stores in Stores::BENCHED {
            let backing = Backing::start(stores)?;
            let site = backing.serve(binary, "postgres", None)?;
            let population = match backing.postgres_url("postgres") {
                None => run::register(&site, signer).await?,
                Some(url) => {
                    seed::seed(&url, PEOPLE, signer, Some(&site::ring(&url).await?)).await?;
                    Population::Derived(PEOPLE)
                }
            };
            logins.push(Loaded {
                backing,
                site,
                population,
            });
        }
        let directory = TempDir::new("echo");
        let (echo, echo_site) = echo(logins.first().context("stores")?, signer, &directory).await?;
        let with_postgres = logins.iter().find(|loaded| loaded.backing.postgres.is_some());
        let backing = &with_postgres.context("PostgreSQL")?.backing;
        let url = apart(backing, signer).await?;
        let people = PEOPLE.to_string();
        let arguments = ["sql", "--url", &url, "--people", &people];
        let statements = BTreeMap::from([
            (By::Name, Running::start(&[&arguments[..], &["--name"]].concat())?),
            (By::Passkey, Running::start(&arguments)?),
        ]);
        let with_redis = logins.iter().find_map(|loaded| loaded.backing.redis.as_ref());
        let redis_url = with_redis.context("Redis")?.url();
        let ceremonies = Running::start(&["redis", "--url", &redis_url])?;
        Ok(Self {
            signer: signer.clone(),
            slice,
            logins,
            echo,
            echo_site,
            statements,
            ceremonies,
        })
    }

    async fn round(&mut self, samples: &mut Samples) -> anyhow::Result<()> {
        let mut add = |what: &str, part: &str, value: f64| {
            let key = (what.to_owned(), part.to_owned());
            samples.entry(key).or_default().push(value);
        };
        let signer = self.signer.clone();
        let verification = Raw::new(&signer);
        let raw = || anyhow::Ok(report::micros(verification.time()?, 1));
        let mut raws = vec![raw()?];
        for by in [By::Passkey, By::Name] {
            for loaded in &self.logins {
                let plan = self.plan(by);
                let before = loaded.backing.used(&loaded.site);
                let outcome = drive::run(&loaded.site, &loaded.population, &self.signer, &plan).await?;
                let used = loaded.backing.used(&loaded.site).since(before);
                ensure!(outcome.errors.is_empty(), "logins failed: {:?}", outcome.errors);
                let what = name((loaded.backing.stores, by));
                let parts = [
                    ("server", used.server),
                    ("postgres", used.postgres),
                    ("redis", used.redis),
                ];
                for (part, used) in parts {
                    if let Some(used) = used {
                        add(&what, part, report::micros(used, outcome.logins));
                    }
                }
                add(&what, "together", report::micros(used.total(), outcome.logins));
                add(&what, "driver", report::micros(used.driver, outcome.logins));
            }
            raws.push(raw()?);
        }
        let plan = self.plan(By::Passkey);
        let before = cpu::used(self.echo.process_id(), false);
        let everybody = Population::Derived(PEOPLE);
        let outcome = drive::run(&self.echo_site, &everybody, &self.signer, &plan).await?;
        let used = cpu::used(self.echo.process_id(), false).saturating_sub(before);
        let echo = report::micros(used, outcome.logins);
        raws.push(raw()?);
        let mut sql = BTreeMap::new();
        let server = self
            .logins
            .iter()
            .find_map(|loaded| loaded.backing.postgres.as_ref());
        let server = server.and_then(keyhaven_testkit::postgres::Postgres::process_id);
        let server = server.context("PostgreSQL")?;
        for (by, statements) in &mut self.statements {
            let used = |process| cpu::used(process, false).saturating_add(cpu::used(server, true));
            let before = used(statements.process_id());
            let logins = statements.work(self.slice)?;
            let spent = used(statements.process_id()).saturating_sub(before);
            sql.insert(*by, report::micros(spent, logins));
        }
        raws.push(raw()?);
        let redis = self
            .logins
            .iter()
            .find_map(|loaded| loaded.backing.redis_process());
        let redis = redis.context("Redis")?;
        let used = |process| cpu::used(process, false).saturating_add(cpu::used(redis, false));
        let before = used(self.ceremonies.process_id());
        let kept = self.ceremonies.work(self.slice)?;
        let spent = used(self.ceremonies.process_id()).saturating_sub(before);
        let ceremonies = report::micros(spent, kept);
        raws.push(raw()?);
        let raw = median(&mut raws);
        for kind in self.logins.iter().flat_map(|loaded| {
            let stores = loaded.backing.stores;
            [(stores, By::Passkey), (stores, By::Name)]
        }) {
            let what = name(kind);
            add(&what, "raw verification", raw);
            add(&what, "echo", echo);
            let statements = if kind.0.has_postgres() {
                sql.get(&kind.1).copied()
            } else {
                None
            };
            if let Some(statements) = statements {
                add(&what, "statements", statements);
            }
            let ceremonies = kind.0.has_redis().then_some(ceremonies);
            if let Some(ceremonies) = ceremonies {
                add(&what, "ceremony", ceremonies);
            }
            let stores = statements.unwrap_or(0.0) + ceremonies.unwrap_or(0.0);
            add(&what, "parts", echo + stores);
        }
        Ok(())
    }

    fn plan(&self, by: By) -> Plan {
        Plan {
            by,
            connections: u32::try_from(CONCURRENCY).unwrap_or(32),
            rate: None,
            time: self.slice,
            logins: None,
        }
    }
}

/// The echo that verifies, with bodies as a server has just answered them.
async fn echo(loaded: &Loaded, signer: &Signer, directory: &TempDir) -> anyhow::Result<(Running, Site)> {
    let mut client = Client::connect(loaded.site.address, &loaded.site.origin).await?;
    let person = loaded.population.person(0).context("nobody is there")?;
    let (start, finish) = drive::bodies(&mut client, &person, signer).await?;
    let write = |name: &str, body: &[u8]| -> anyhow::Result<String> {
        let path = directory.path().join(name);
        std::fs::write(&path, body)?;
        Ok(path.to_str().context("a path")?.to_owned())
    };
    let (start, finish) = (write("start", &start)?, write("finish", &finish)?);
    let running = Running::start(&["echo", "--start", &start, "--finish", &finish])?;
    let site = Site::running(&format!("http://localhost:{}", running.greeting))?;
    Ok((running, site))
}

fn name((stores, by): Kind) -> String {
    format!("{}, {}", stores.label(), by.label())
}

fn table(samples: &Samples) -> (String, bool) {
    let mut out = String::from(
        "| ceremonies + the rest | CPU µs | server | PostgreSQL | Redis | sum of parts | echo and verification | statements | ceremony | raw verification | ÷ parts | ÷ raw |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut goals = String::new();
    let mut met = true;
    for kind in Stores::BENCHED
        .into_iter()
        .flat_map(|stores| [(stores, By::Passkey), (stores, By::Name)])
    {
        let what = name(kind);
        let all = |part: &str| samples.get(&(what.clone(), part.to_owned()));
        let cell = |part: &str| {
            all(part).map_or_else(
                || "–".to_owned(),
                |all| format!("{:.0}", median(&mut all.clone())),
            )
        };
        let ratio = |part: &str| {
            let (Some(whole), Some(parts)) = (all("together"), all(part)) else {
                return f64::NAN;
            };
            let mut ratios: Vec<f64> = whole
                .iter()
                .zip(parts)
                .map(|(whole, part)| whole / part)
                .collect();
            median(&mut ratios)
        };
        let (over_parts, over_raw) = (ratio("parts"), ratio("raw verification"));
        let _ = writeln!(
            out,
            "| {what} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {over_parts:.2} | {over_raw:.2} |",
            cell("together"),
            cell("server"),
            cell("postgres"),
            cell("redis"),
            cell("parts"),
            cell("echo"),
            cell("statements"),
            cell("ceremony"),
            cell("raw verification"),
        );
        let mut goal = |ratio: f64, at_most: f64, of: &str| {
            let reached = ratio <= at_most;
            met = met && reached;
            let verdict = if reached { "met" } else { "missed" };
            let _ = writeln!(
                goals,
                "- {what}: at most {at_most} × {of}: {ratio:.2}, {verdict}."
            );
        };
        goal(over_parts, OVER_PARTS, "the sum of its parts");
        if let Some((_, at_most)) = OVER_RAW.iter().find(|(stores, _)| *stores == kind.0) {
            goal(over_raw, *at_most, "one raw verification");
        }
    }
    (format!("{out}\nGoals:\n\n{goals}"), met)
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Times two things side by side, so many times each, and gives the ratio of their medians, and both medians in
/// microseconds. Each goes first in every other round, because the second one finds the caches filled.
pub(crate) async fn beside(
    rounds: u64,
    ours: impl AsyncFn(u64) -> anyhow::Result<()>,
    bare: impl AsyncFn(u64) -> anyhow::Result<()>,
) -> anyhow::Result<(f64, f64, f64)> {
    let (mut all_ours, mut all_bare) = (Vec::new(), Vec::new());
    for n in 0..rounds {
        let (of_ours, of_bare) = if n % 2 == 0 {
            let first = micros(&ours, n).await?;
            (first, micros(&bare, n).await?)
        } else {
            let first = micros(&bare, n).await?;
            (micros(&ours, n).await?, first)
        };
        // The first ones prepare statements.
        if n >= 20 {
            all_ours.push(of_ours);
            all_bare.push(of_bare);
        }
    }
    let (ours, bare) = (median(&mut all_ours), median(&mut all_bare));
    Ok((ours / bare, ours, bare))
}

async fn micros(what: &impl AsyncFn(u64) -> anyhow::Result<()>, n: u64) -> anyhow::Result<f64> {
    let began = Instant::now();
    what(n).await?;
    Ok(began.elapsed().as_secs_f64() * 1e6)
}
