//! Sending the mails that wait in the outbox.

use std::sync::Arc;
use std::time::Duration;

use keyhaven_api::Metrics;
use keyhaven_mail::{Folder, Smtp, Transport};
use keyhaven_service::{Clock as _, Keyhaven, Outbox};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::MailConfig;
use crate::ports::SystemClock;

/// How often the outbox is looked into.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often its figures are shown.
const FIGURES: Duration = Duration::from_secs(15);

/// How long mails under way may take when the server stops; those that take longer leave later, from wherever.
const LAST: Duration = Duration::from_secs(5);

/// The running sender.
pub(crate) struct Mailer {
    stop: watch::Sender<bool>,
    work: JoinHandle<()>,
    figures: JoinHandle<()>,
}

impl Mailer {
    /// Starts it.
    pub(crate) fn start(keyhaven: &Keyhaven, config: &MailConfig, metrics: &Metrics) -> Self {
        let transport: Arc<dyn Transport> = match config {
            MailConfig::Folder(path) => Arc::new(Folder::new(path)),
            MailConfig::Smtp(options) => Arc::new(Smtp::new(options)),
        };
        let (stop, stopped) = watch::channel(false);
        let outbox = keyhaven.outbox.clone();
        Self {
            stop,
            work: tokio::spawn(send(outbox.clone(), transport, metrics.clone(), stopped)),
            figures: tokio::spawn(show(outbox, metrics.clone())),
        }
    }

    /// Lets mails under way leave, and ends. What waits is sent after the next start, or by another process.
    pub(crate) async fn stop(self) {
        self.figures.abort();
        let _ = self.stop.send(true);
        let abort = self.work.abort_handle();
        if tokio::time::timeout(LAST, self.work).await.is_err() {
            abort.abort();
            tracing::warn!("stopped with mails under way: they are sent again in a few minutes");
        }
    }
}

async fn send(
    outbox: Outbox,
    transport: Arc<dyn Transport>,
    metrics: Metrics,
    mut stopped: watch::Receiver<bool>,
) {
    // Said once, not every second.
    let mut failing = false;
    while !*stopped.borrow() {
        match outbox.deliver(&*transport).await {
            Ok(deliveries) => {
                failing = false;
                metrics.delivered(deliveries);
                if deliveries.more {
                    continue;
                }
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "the outbox cannot be read; tried again until it can");
                }
                failing = true;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            // Whoever could stop it is gone: the server is, too.
            changed = stopped.changed() => if changed.is_err() { break },
        }
    }
}

async fn show(outbox: Outbox, metrics: Metrics) {
    loop {
        if let Ok(figures) = outbox.figures().await {
            let waited = figures.oldest.map_or(Duration::ZERO, |oldest| {
                SystemClock.now().saturating_since(oldest)
            });
            metrics.outbox(figures.waiting, waited.as_secs());
        }
        tokio::time::sleep(FIGURES).await;
    }
}
