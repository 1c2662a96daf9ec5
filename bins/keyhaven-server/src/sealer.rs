//! The audit log's background work: sealing, keeping checkpoints elsewhere, dropping what is too old.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyhaven_api::Metrics;
use keyhaven_audit::Checkpoint;
use keyhaven_service::{AuditLog, Clock as _, Error, Keyhaven, Sealed};
use keyhaven_types::UnixTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::checkpoints::Exporter;
use crate::config::AuditConfig;
use crate::ports::SystemClock;

/// How long events wait at most, well below the second that is promised.
const INTERVAL: Duration = Duration::from_millis(500);

/// As many events wait at most between two looks, half of what is promised.
const EVENTS: u32 = 500;

/// How often keys are looked after, and old batches looked for.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(60);

/// How long the last batch and its checkpoint may take when the server stops.
const LAST: Duration = Duration::from_secs(5);

/// How soon the last batch is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// The running sealer.
pub(crate) struct Sealer {
    stop: watch::Sender<bool>,
    work: JoinHandle<()>,
}

impl Sealer {
    /// Starts it.
    pub(crate) fn start(keyhaven: &Keyhaven, config: &AuditConfig, metrics: &Metrics) -> Self {
        let (stop, stopped) = watch::channel(false);
        let work = Work {
            log: keyhaven.audit_log.clone(),
            config: config.clone(),
            exporter: Arc::new(Exporter::new(config, metrics.clone())),
            metrics: metrics.clone(),
            stopped,
            failing: false,
            refused: 0,
        };
        Self {
            stop,
            work: tokio::spawn(work.run()),
        }
    }

    /// Seals what is left, keeps its checkpoint, and ends. To be called when nothing is appended any more.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let abort = self.work.abort_handle();
        if tokio::time::timeout(LAST, self.work).await.is_err() {
            abort.abort();
            tracing::warn!("stopped before the audit log was sealed: the next start seals the rest");
        }
    }
}

struct Work {
    log: AuditLog,
    config: AuditConfig,
    exporter: Arc<Exporter>,
    metrics: Metrics,
    stopped: watch::Receiver<bool>,
    /// Whether the last attempt failed: said once, not twice a second.
    failing: bool,
    /// How many events could not be sealed last time.
    refused: u64,
}

impl Work {
    async fn run(mut self) {
        let (newest, kept) = watch::channel(None);
        let exporting = tokio::spawn(export(Arc::clone(&self.exporter), kept));
        let upkeep = tokio::spawn(upkeep(self.log.clone(), self.config.clone()));
        if let Err(error) = self.log.maintain(self.config.key_rotation).await {
            tracing::warn!(%error, "could not look after the keys of the audit log");
        }
        if let Ok(Some(checkpoint)) = self.log.newest_checkpoint().await {
            let _ = newest.send(Some(checkpoint));
        }
        while !*self.stopped.borrow() {
            let began = Instant::now();
            let sealed = self.seal_all(&newest).await;
            let wait = pause(sealed, began.elapsed());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // Whoever could stop it is gone: the server is, too.
                changed = self.stopped.changed() => if changed.is_err() { break },
            }
        }
        upkeep.abort();
        self.seal_all(&newest).await;
        // A store that is away for a moment: until it is back, or [`LAST`] is over.
        while self.failing {
            tokio::time::sleep(AGAIN).await;
            self.seal_all(&newest).await;
        }
        // The end of the channel is the end of the export, once it has kept the newest.
        drop(newest);
        let _ = exporting.await;
    }

    /// Seals until nothing waits; tells how many events there were.
    async fn seal_all(&mut self, newest: &watch::Sender<Option<Checkpoint>>) -> u32 {
        let mut events = 0_u32;
        loop {
            let sealed = match self.log.seal().await {
                Err(Error::Busy) => {
                    // No key yet: the store was away at the start.
                    let made = self.log.maintain(self.config.key_rotation).await;
                    match made {
                        Ok(()) => continue,
                        Err(error) => Err(error),
                    }
                }
                sealed => sealed,
            };
            match sealed {
                Ok(sealed) => {
                    self.failing = false;
                    self.metrics.sealed(sealed.events, sealed.refused);
                    self.tell_refused(&sealed);
                    events = events.saturating_add(sealed.events);
                    let wrote = sealed.checkpoint.is_some();
                    if wrote {
                        let _ = newest.send(sealed.checkpoint);
                    }
                    if !wrote || !sealed.more {
                        return events;
                    }
                }
                Err(error) => {
                    if !self.failing {
                        tracing::warn!(%error, "the audit log cannot be sealed; tried again until it can");
                    }
                    self.failing = true;
                    return events;
                }
            }
        }
    }

    fn tell_refused(&mut self, sealed: &Sealed) {
        if sealed.refused > self.refused {
            tracing::error!(
                events = sealed.refused,
                "audit events wait that this deployment did not write as they are: run keyhaven audit verify"
            );
        }
        self.refused = sealed.refused;
    }
}

/// How long to wait after so many events came in so much time, so that no more than [`EVENTS`] are waiting then.
fn pause(events: u32, took: Duration) -> Duration {
    if events <= EVENTS / 2 {
        return INTERVAL;
    }
    let cycle = INTERVAL.saturating_mul(EVENTS / 2) / events;
    cycle.saturating_sub(took)
}

/// Keeps the newest checkpoint elsewhere, as often as configured; what fails is tried again. Ends when nothing is sealed any
/// more, with the last one.
async fn export(exporter: Arc<Exporter>, mut newest: watch::Receiver<Option<Checkpoint>>) {
    if !exporter.is_wanted() {
        return;
    }
    let mut end = newest.clone();
    let mut kept = true;
    loop {
        if kept && newest.changed().await.is_err() {
            break;
        }
        kept = keep(&exporter, &mut newest).await;
        tokio::select! {
            () = tokio::time::sleep(exporter.interval()) => {}
            () = closed(&mut end) => break,
        }
    }
    keep(&exporter, &mut newest).await;
}

/// Keeps the newest checkpoint where it is not kept yet; tells whether it is everywhere now.
async fn keep(exporter: &Arc<Exporter>, newest: &mut watch::Receiver<Option<Checkpoint>>) -> bool {
    let Some(checkpoint) = newest.borrow_and_update().clone() else {
        return true;
    };
    let work = Arc::clone(exporter);
    let kept = tokio::task::spawn_blocking(move || work.export(&checkpoint)).await;
    kept.unwrap_or_else(|error| {
        tracing::error!(%error, "keeping a checkpoint");
        false
    })
}

/// Waits until nothing is sealed any more.
async fn closed(newest: &mut watch::Receiver<Option<Checkpoint>>) {
    while newest.changed().await.is_ok() {}
}

async fn upkeep(log: AuditLog, config: AuditConfig) {
    let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = log.maintain(config.key_rotation).await {
            tracing::warn!(%error, "could not look after the keys of the audit log");
        }
        let Some(retention) = config.retention else {
            continue;
        };
        match log.prune(ago(retention)).await {
            Ok(pruned) if pruned.events == 0 => {}
            Ok(pruned) => tracing::info!(
                events = pruned.events,
                through = pruned.through,
                "dropped audit events that are older than audit.retention_days"
            ),
            Err(error) => tracing::warn!(%error, "could not drop old audit events"),
        }
    }
}

/// The moment so long before now.
pub(crate) fn ago(time: Duration) -> UnixTime {
    let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    UnixTime::from_millis(SystemClock.now().as_millis().saturating_sub(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_comes_in_the_sooner_it_is_sealed() {
        let none = Duration::ZERO;
        assert_eq!(pause(0, none), INTERVAL);
        assert_eq!(pause(EVENTS / 2, none), INTERVAL);
        assert_eq!(pause(EVENTS, none), INTERVAL / 2);
        assert_eq!(pause(10 * EVENTS, none), INTERVAL / 20);
        assert_eq!(pause(10 * EVENTS, INTERVAL), none);
    }
}
