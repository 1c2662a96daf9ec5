//! One server, loaded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::client::Client;
use crate::drive::{self, By, Plan, Population};
use crate::people::Person;
use crate::raw::Raw;
use crate::signer::Signer;
use crate::site::{self, Backing, Site, Stores};
use crate::{cpu, report, seed};

/// People registered through the API where they cannot be seeded.
const REGISTERED: u64 = 256;

/// Longer than a minute a run need not be.
const LONGEST: u64 = 600;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server's binary, built for release.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) binary: Option<PathBuf>,
    /// Which stores to start a server on.
    #[arg(long, value_enum, default_value = "postgres")]
    stores: Stores,
    /// A server that runs already, on this machine, with its rate limits off: http://localhost:PORT.
    #[arg(long, value_name = "URL", conflicts_with = "stores")]
    url: Option<String>,
    /// With a name typed first, or without; both in turn unless said.
    #[arg(long, value_enum)]
    by: Option<By>,
    /// Connections, each of which does one login after the other.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=2000))]
    connections: u32,
    /// Logins begun per second, whether or not earlier ones are done; latency then counts from when one was due.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How long to measure each way, after a second or so of warming up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=LONGEST))]
    seconds: u64,
    /// Stored credentials to begin with (PostgreSQL).
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=50_000_000))]
    rows: u64,
}

/// Measures and prints. `false`: there were errors.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let signer = Arc::new(Signer::new());
    let mut backing = None;
    let (site, population) = match &options.url {
        Some(url) => {
            let site = Site::running(url)?;
            let population = register(&site, &signer).await?;
            (site, population)
        }
        None => {
            let binary = options.binary.as_ref().context("--binary")?;
            let started = backing.insert(Backing::start(options.stores)?);
            let site = started.serve(binary, "postgres", None)?;
            let population = match started.postgres_url("postgres") {
                None => register(&site, &signer).await?,
                Some(url) => {
                    seed::seed(&url, options.rows, &signer, Some(&site::ring(&url).await?)).await?;
                    Population::Derived(options.rows)
                }
            };
            (site, population)
        }
    };
    if let (Some(backing), Some(binary)) = (&backing, &options.binary) {
        count_round_trips(backing, binary, &population, &signer).await?;
    }
    let mut clean = true;
    for by in [By::Name, By::Passkey] {
        if options.by.is_some_and(|only| only != by) {
            continue;
        }
        clean &= measure(options, by, backing.as_ref(), &site, &population, &signer).await?;
    }
    Ok(clean)
}

async fn measure(
    options: &Options,
    by: By,
    backing: Option<&Backing>,
    site: &Site,
    population: &Population,
    signer: &Arc<Signer>,
) -> anyhow::Result<bool> {
    let mut plan = Plan {
        by,
        connections: options.connections,
        rate: options.rate,
        time: Duration::from_millis(1500),
        logins: None,
    };
    drive::run(site, population, signer, &plan).await?;
    plan.time = Duration::from_secs(options.seconds);
    let used = |site: &Site| backing.map(|backing| backing.used(site));
    let raw = Raw::new(signer);
    let raw_before = raw.time()?;
    let before = used(site);
    let outcome = drive::run(site, population, signer, &plan).await?;
    let after = used(site);
    let raw = raw_before.min(raw.time()?);
    let stores = match &options.url {
        Some(url) => url.clone(),
        None => options.stores.label().to_owned(),
    };
    println!("{stores}, {}, {} connections", by.label(), options.connections);
    print!("{}", report::outcome(&outcome));
    if let (Some(before), Some(after)) = (before, after) {
        print!("{}", report::costs(after.since(before), outcome.logins, raw));
    }
    if let Some(process) = site.process_id() {
        println!(
            "  server memory   {:.1} MB",
            report::number(cpu::resident(process) / 1000) / 1000.0
        );
    }
    Ok(outcome.errors.is_empty() && outcome.logins > 0)
}

/// Signs in one by one through counters, on a server of its own, and prints how often the stores were asked.
async fn count_round_trips(
    backing: &Backing,
    binary: &std::path::Path,
    population: &Population,
    signer: &Signer,
) -> anyhow::Result<()> {
    let counters = backing.counters()?;
    if counters.is_empty() {
        return Ok(());
    }
    let site = backing.serve(binary, "postgres", Some(&counters))?;
    // Of people in the memory of another server this one knows nothing.
    let own = match backing.postgres {
        Some(_) => None,
        None => Some(register(&site, signer).await?),
    };
    let population = own.as_ref().unwrap_or(population);
    let mut client = Client::connect(site.address, &site.origin).await?;
    // Statements are prepared, and what a start does in the background is done.
    for turn in 0..4 {
        let person = population.person(turn % 2).context("nobody is there")?;
        for by in [By::Name, By::Passkey] {
            one(&mut client, &person, by, signer).await?;
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for (by, number) in [(By::Name, 1000), (By::Passkey, 2000)] {
        let person = population.person(number).context("nobody is there")?;
        for which in ["first", "next"] {
            let before = counters.trips();
            one(&mut client, &person, by, signer).await?;
            let trips: Vec<String> = counters
                .trips()
                .iter()
                .zip(before)
                .map(|((name, after), (_, before))| format!("{name} {}", after.saturating_sub(before)))
                .collect();
            println!("round trips, {}, {which} login: {}", by.label(), trips.join(", "));
        }
    }
    Ok(())
}

async fn one(client: &mut Client, person: &Person, by: By, signer: &Signer) -> anyhow::Result<()> {
    match drive::login(client, person, by, signer, 1).await {
        Ok(()) => Ok(()),
        Err(drive::Failure::Broken(why) | drive::Failure::Refused(why)) => {
            anyhow::bail!("a login failed: {why}")
        }
    }
}

pub(crate) async fn register(site: &Site, signer: &Signer) -> anyhow::Result<Population> {
    // A server that runs already may know the people of an earlier run.
    let offset = u64::from(std::process::id()).saturating_mul(1_000_000);
    let mut client = Client::connect(site.address, &site.origin).await?;
    let mut people = Vec::new();
    for number in offset..offset.saturating_add(REGISTERED) {
        let mut person = Person::new(number);
        person.register(&mut client, signer).await?;
        people.push(person);
    }
    Ok(Population::Registered(Arc::new(people)))
}
