//! Few rows beside many: the same load on two databases of one PostgreSQL, in turn.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;

use crate::drive::{self, By, Plan, Population};
use crate::signer::Signer;
use crate::site::{self, Backing, Site, Stores};
use crate::{report, seed};

/// What many is compared with.
const FEW: u64 = 10_000;

/// Latency at many credentials is at most this much more.
const AT_MOST: f64 = 1.2;

/// Few fit into what a server remembers and many do not: here it is the database that is measured.
const FORGETFUL: (&str, &str) = ("KEYHAVEN_CEREMONIES__KNOWN_CREDENTIALS", "0");

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server's binary, built for release.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) binary: Option<PathBuf>,
    /// How many stored credentials are many. Ten million take about 10 GB of disk and a quarter of an hour.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(20_000..=50_000_000))]
    rows: u64,
    /// Turns of two seconds each.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Connections.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=200))]
    connections: u32,
}

struct Side {
    site: Site,
    population: Population,
    latency: Histogram<u64>,
}

/// Measures and prints. `false`: the goal is missed, or there were errors.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let binary = options.binary.as_ref().context("--binary")?;
    let signer = Arc::new(Signer::new());
    let backing = Backing::start(Stores::Postgres)?;
    let administrator = seed::connect(&backing.postgres_url("postgres").context("PostgreSQL")?).await?;
    let mut sides = Vec::new();
    for people in [FEW, options.rows] {
        let name = seed::database(&administrator, people).await?;
        // The server makes the schema.
        let site = backing.serve_with(binary, &name, None, Some(FORGETFUL))?;
        let url = backing.postgres_url(&name).context("PostgreSQL")?;
        let began = std::time::Instant::now();
        seed::seed(&url, people, &signer, Some(&site::ring(&url).await?)).await?;
        println!("{people} people seeded in {:.0} s", began.elapsed().as_secs_f64());
        sides.push(Side {
            site,
            population: Population::Derived(people),
            latency: Histogram::new_with_bounds(1, 60_000_000, 3)?,
        });
    }
    let mut clean = true;
    let mut met = true;
    for by in [By::Name, By::Passkey] {
        let mut ratios = Vec::new();
        for round in 0..=options.rounds {
            let mut medians = Vec::new();
            for side in &mut sides {
                let plan = Plan {
                    by,
                    connections: options.connections,
                    rate: None,
                    time: Duration::from_secs(2),
                    logins: None,
                };
                let outcome = drive::run(&side.site, &side.population, &signer, &plan).await?;
                clean &= outcome.errors.is_empty();
                medians.push(report::number(outcome.latency.value_at_quantile(0.5)));
                if round == 1 {
                    side.latency.reset();
                }
                side.latency.add(&outcome.latency)?;
            }
            // The first warms up.
            if let ([few, many], 1..) = (medians.as_slice(), round) {
                ratios.push(many / few);
            }
        }
        for (side, people) in sides.iter().zip([FEW, options.rows]) {
            println!(
                "{people} people, {}: ms {}",
                by.label(),
                report::latencies(&side.latency)
            );
        }
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios.get(ratios.len() / 2).copied().context("no round")?;
        let verdict = if ratio <= AT_MOST { "met" } else { "missed" };
        met &= ratio <= AT_MOST;
        println!(
            "median latency, {}: {ratio:.3} × (at most {AT_MOST}), {verdict}",
            by.label()
        );
    }
    ensure!(clean, "there were errors");
    Ok(met)
}
