//! Failures under load: whatever dies, is cut off, fills up or shows another time, what was answered holds.
//!
//! Each scenario starts servers of its own, has clients register and sign in without pause ([`load`]), breaks
//! something, mends it, and then holds what the clients were told against what is stored ([`ledger`]). It prints one
//! line of figures: `cargo xtask failures` collects them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod clocks;
mod cluster;
mod disk;
mod ledger;
mod load;
mod postgres;
mod processes;
mod redis;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyhaven_service::SecretKey;
use keyhaven_storage::DurableStore;
use keyhaven_storage_encrypted::{Encrypted, TextKeys};
use keyhaven_testkit::process::{Server, until};
use zeroize::Zeroizing;

use crate::load::Load;

/// The store as the servers see it: names and addresses are encrypted in it.
async fn decrypting<S: DurableStore>(store: S, secret_key_file: &Path) -> Encrypted<S> {
    let secret = std::fs::read(secret_key_file).unwrap().try_into().unwrap();
    let key = SecretKey::new(secret).derive(b"personal data").unwrap();
    let keys = TextKeys::new(&[key]).unwrap();
    // The store has its key of look-ups already.
    let ring = keyhaven_storage_encrypted::open(&store, keys, &Zeroizing::default()).await;
    Encrypted::new(Arc::new(store), Arc::new(ring.unwrap()))
}

/// Ends the load, holds what the clients were told against the store, has a server of the scenario verify the audit log, and
/// prints the figures. `done` tells what was done to them, in numbers, where that is not said; `recovery` is the longest
/// time from when something was mended until every client had succeeded again.
#[track_caller]
fn conclude<S: DurableStore>(
    scenario: &str,
    done: &str,
    server: &Server,
    load: Load,
    recovery: Duration,
    secret_key_file: &Path,
    open: impl AsyncFnOnce() -> S,
) {
    let record = load.stop();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stored = runtime.block_on(async {
        let store = decrypting(open().await, secret_key_file).await;
        ledger::check(&record, &store).await
    });
    let verified = server.command(&["audit", "verify"]).output().unwrap();
    assert!(
        verified.status.success(),
        "the audit log does not verify: {}{}",
        String::from_utf8_lossy(&verified.stdout),
        String::from_utf8_lossy(&verified.stderr)
    );
    println!(
        "figures: {scenario}: {done}{}; all of it kept ({stored}), the audit log verifies; recovered in {} ms",
        record.figures,
        recovery.as_millis()
    );
}
