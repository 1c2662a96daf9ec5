//! Serving: wiring, background work, shutdown.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ipnet::IpNet;
use keyhaven_api::{Metrics, metrics_router};
use keyhaven_service::{Anchors, Clock as _, Crosscheck, Keyhaven, Surroundings};
use tokio::net::TcpListener;

use crate::anchors::AnchorSet;
use crate::config::{Config, Enforce};
use crate::listen::{self, Bounds};
use crate::ports::{SystemClock, SystemRandom};
use crate::sealer::Sealer;
use crate::stores;

/// How long requests under way may take after a signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// How often expired rows are dropped and signing keys looked after.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Serves until a signal to stop.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    config.start_logging();
    runtime()?.block_on(serve(config))
}

/// Brings the schema up to date.
pub(crate) fn migrate(config: &Config) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        stores::durable(config).await?;
        println!("{} is up to date", config.database);
        Ok(())
    })
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let anchors = match &config.anchors {
        None => None,
        Some(files) => Some(Arc::new(
            AnchorSet::load(files, SystemClock.now()).context("attestation: trust anchors")?,
        )),
    };
    let keyhaven = keyhaven(config, anchors.clone()).await?;
    keyhaven
        .access_tokens
        .maintain()
        .await
        .context("access token keys")?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listening on {}", config.listen))?;
    let address = listener.local_addr()?;
    let upkeep = tokio::spawn(upkeep(keyhaven.clone(), anchors));
    let sealer = Sealer::start(&keyhaven, &config.audit);
    let metrics = Metrics::new();
    if let Some(address) = config.metrics_listen {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {address}"))?;
        // Ends with the process: it holds nothing that could be lost.
        tokio::spawn(axum::serve(listener, metrics_router(metrics.clone())).into_future());
    }
    let app = keyhaven_api::router(keyhaven, config.api.clone(), metrics);
    print!("{}", config.greeting(address));

    let stop = async {
        if let Err(error) = stop_signal().await {
            tracing::error!(%error, "signals cannot be waited for");
        }
        tracing::info!("stopping: requests under way have {} seconds", DRAIN.as_secs());
    };
    if !listen::serve(listener, app, bounds(config), stop, DRAIN).await {
        tracing::warn!("stopped with requests still under way");
    }
    upkeep.abort();
    sealer.stop().await;
    Ok(())
}

/// All use cases on the stores of this configuration.
pub(crate) async fn keyhaven(config: &Config, anchors: Option<Arc<AnchorSet>>) -> anyhow::Result<Keyhaven> {
    // First: without it nothing is to be opened, let alone migrated.
    let secret = stores::secret(config)?;
    Ok(Keyhaven::new(
        config.settings.clone(),
        Surroundings {
            durable: stores::durable(config).await?,
            ceremonies: stores::ceremonies(config),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            crosscheck: config.crosscheck.and_then(second_verdict),
            anchors: anchors.map(|anchors| -> Arc<dyn Anchors> { anchors }),
            secret,
        },
    )?)
}

/// Behind a proxy, and on this machine, everybody has the same address.
fn bounds(config: &Config) -> Bounds {
    let loopback = [
        IpNet::new_assert(Ipv4Addr::LOCALHOST.into(), 8),
        IpNet::new_assert(Ipv6Addr::LOCALHOST.into(), 128),
    ];
    Bounds {
        per_address: config.max_connections_per_address,
        exempt: config
            .api
            .trusted_proxies
            .iter()
            .copied()
            .chain(loopback)
            .collect(),
    }
}

#[cfg(feature = "crosscheck")]
fn second_verdict(Enforce(enforce): Enforce) -> Option<Crosscheck> {
    Some(Crosscheck {
        judge: Arc::new(crate::crosscheck::OtherImplementation),
        enforce,
    })
}

/// The configuration has refused to ask for what is not there.
#[cfg(not(feature = "crosscheck"))]
const fn second_verdict(Enforce(_enforce): Enforce) -> Option<Crosscheck> {
    None
}

/// Waits for Ctrl-C, or on Unix for SIGTERM.
async fn stop_signal() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
        Ok(())
    }
    #[cfg(not(unix))]
    Ok(tokio::signal::ctrl_c().await?)
}

/// Tidies up now and then. A store that is away is tried again next time.
async fn upkeep(keyhaven: Keyhaven, anchors: Option<Arc<AnchorSet>>) {
    let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match keyhaven.upkeep.purge().await {
            Ok(0) => {}
            Ok(dropped) => tracing::debug!(dropped, "dropped what had expired"),
            Err(error) => tracing::warn!(%error, "could not drop what has expired"),
        }
        if let Some(anchors) = anchors.clone() {
            let refreshed = tokio::task::spawn_blocking(move || anchors.refresh(SystemClock.now()));
            if let Err(error) = refreshed.await {
                tracing::error!(%error, "looking for new metadata");
            }
        }
        if let Err(error) = keyhaven.access_tokens.maintain().await {
            tracing::warn!(%error, "could not look after the access token keys");
        }
    }
}
