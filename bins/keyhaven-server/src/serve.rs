//! Serving: wiring, background work, shutdown.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use ipnet::IpNet;
use keyhaven_api::{Lifecycle, Metrics, Operations, Traces, metrics_router};
use keyhaven_service::{Anchors, Clock as _, Crosscheck, Keyhaven, Surroundings};
use tokio::net::TcpListener;

use crate::anchors::AnchorSet;
use crate::config::{Config, Enforce, Stop};
use crate::listen::{self, Bounds};
use crate::mailer::Mailer;
use crate::ports::{SystemClock, SystemRandom};
use crate::say::say;
use crate::sealer::Sealer;
use crate::signals::Signals;
use crate::stores::{self, Database};
use crate::telemetry::Telemetry;

/// Serves until a signal to stop.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    let telemetry = Telemetry::start(config)?;
    let served = runtime()?.block_on(serve(config, telemetry.traces()));
    // Last: what was said until the end is to be heard.
    telemetry.stop();
    served
}

/// Brings the schema up to date.
pub(crate) fn migrate(config: &Config) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        stores::migrate(config).await?;
        say!("{} is up to date", config.database)?;
        Ok(())
    })
}

/// Copies the embedded database.
pub(crate) fn back_up(config: &Config, into: &Path) -> anyhow::Result<()> {
    runtime()?.block_on(stores::back_up(config, into))?;
    say!("{} is copied to {}", config.database, into.display())?;
    if let Some(key) = stores::secret_key_file(config) {
        say!(
            "The secret key is not in it: keep {} as well, apart from the copy.",
            key.display()
        )?;
    }
    for key in &config.encryption_key_files {
        say!("Nor is the key of personal data {}.", key.display())?;
    }
    Ok(())
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
}

async fn serve(config: &Config, traces: Arc<dyn Traces>) -> anyhow::Result<()> {
    let anchors = match &config.anchors {
        None => None,
        Some(files) => Some(Arc::new(
            AnchorSet::load(files, SystemClock.now()).context("attestation: trust anchors")?,
        )),
    };
    let metrics = Metrics::new();
    if let Some(anchors) = anchors.clone() {
        metrics.show_metadata(move || anchors.figures());
    }
    let Opened { keyhaven, database } = open(config, anchors.clone(), &metrics).await?;
    keyhaven
        .access_tokens
        .maintain()
        .await
        .context("access token keys")?;
    if let Some(stored) = keyhaven.upkeep.other_rp_id().await.context("RP ID")? {
        tracing::warn!(
            "rp_id: {} is configured, but passkeys of {stored} are stored. They only work under {stored}: whoever has \
            no other way in is locked out",
            config.settings.relying_party.id
        );
    }
    // Before anybody can see that the server is up, and ask it to stop.
    let mut signals = Signals::catch().context("signals to stop")?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listening on {}", config.listen))?;
    let address = listener.local_addr()?;
    let upkeep = tokio::spawn(upkeep(keyhaven.clone(), anchors, metrics.clone()));
    let sealer = Sealer::start(&keyhaven, &config.audit, &metrics);
    let mailer = config
        .mail
        .as_ref()
        .map(|mail| Mailer::start(&keyhaven, mail, &metrics));
    if let Some(address) = config.metrics_listen {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {address}"))?;
        // Ends with the process: it holds nothing that could be lost.
        tokio::spawn(axum::serve(listener, metrics_router(metrics.clone())).into_future());
    }
    let lifecycle = Lifecycle::default();
    let operations = Operations {
        lifecycle: lifecycle.clone(),
        metrics,
        traces,
    };
    let app = keyhaven_api::router(keyhaven, config.api.clone(), operations);
    // It serves those who ask it, also where nobody reads this.
    let _ = write!(std::io::stdout().lock(), "{}", config.greeting(address));

    let stop = async {
        signals.next().await;
        lifecycle.stopping();
        let Stop { notice, drain } = config.stop;
        tracing::info!(
            "stopping: requests are taken for {} more seconds, and those under way then have {}",
            notice.as_secs(),
            drain.as_secs()
        );
        // Load balancers need a moment to see it. Who asks a second time does not want to wait.
        tokio::select! {
            () = tokio::time::sleep(notice) => {}
            () = signals.next() => {}
        }
    };
    if !listen::serve(listener, app, bounds(config), stop, config.stop.drain).await {
        tracing::warn!("stopped with requests still under way");
    }
    upkeep.abort();
    if let Some(mailer) = mailer {
        mailer.stop().await;
    }
    // Whatever stopped may have appended something.
    sealer.stop().await;
    database.close().await;
    Ok(())
}

/// All use cases, and the database below them.
pub(crate) struct Opened {
    pub(crate) keyhaven: Keyhaven,
    pub(crate) database: Database,
}

/// All use cases on the stores of this configuration.
pub(crate) async fn open(
    config: &Config,
    anchors: Option<Arc<AnchorSet>>,
    metrics: &Metrics,
) -> anyhow::Result<Opened> {
    // First: without it nothing is to be opened, let alone migrated.
    let secret = stores::secret(config).await?;
    let (ceremonies, limits) = stores::short_lived(config, metrics)?;
    let (durable, database) = stores::durable(config, metrics, &secret).await?;
    let keyhaven = Keyhaven::new(
        config.settings.clone(),
        Surroundings {
            durable,
            ceremonies,
            limits,
            clock: Arc::new(SystemClock),
            observer: Arc::new(metrics.clone()),
            random: Arc::new(SystemRandom),
            crosscheck: config
                .crosscheck
                .and_then(|enforce| second_verdict(enforce, metrics)),
            anchors: anchors.map(|anchors| -> Arc<dyn Anchors> { anchors }),
            secret,
        },
    )?;
    Ok(Opened { keyhaven, database })
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
fn second_verdict(Enforce(enforce): Enforce, metrics: &Metrics) -> Option<Crosscheck> {
    Some(Crosscheck {
        judge: Arc::new(crate::crosscheck::OtherImplementation(metrics.clone())),
        enforce,
    })
}

/// The configuration has refused to ask for what is not there.
#[cfg(not(feature = "crosscheck"))]
const fn second_verdict(Enforce(_enforce): Enforce, _: &Metrics) -> Option<Crosscheck> {
    None
}

/// Tidies up now and then. A store that is away is tried again next time.
async fn upkeep(keyhaven: Keyhaven, anchors: Option<Arc<AnchorSet>>, metrics: Metrics) {
    loop {
        match keyhaven.upkeep.purge().await {
            Ok(0) => {}
            Ok(dropped) => {
                metrics.purged(dropped);
                tracing::debug!(dropped, "dropped what had expired");
            }
            Err(error) => tracing::warn!(%error, "could not drop what has expired"),
        }
        match keyhaven.recoveries.failures().await {
            Ok((failures, alarming)) => {
                metrics.recovery_failures(failures);
                if alarming {
                    tracing::error!(failures, "somebody is guessing recovery codes");
                }
            }
            Err(error) => tracing::warn!(%error, "could not count the failures of recoveries"),
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
        tokio::time::sleep(keyhaven.upkeep.pause()).await;
    }
}
