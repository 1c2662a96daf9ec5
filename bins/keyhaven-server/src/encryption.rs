//! The keys that personal data is encrypted under, and encrypting what is stored already.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use keyhaven_service::SecretKey;
use keyhaven_storage::PersonalStore;
use keyhaven_storage_encrypted::{KeyRing, KeyUse, Walk};
use zeroize::Zeroizing;

use crate::config::{Config, Flags};
use crate::{secret, serve, stores};

/// Rows at a time: a step is over in milliseconds.
const ROWS: u32 = 500;

/// What an operator does about personal data.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Encrypt all personal data under the first key of encryption.key_files, while servers are at work.
    ///
    /// Every server must have that key as its first before. Can be broken off and begun anew.
    Rotate {
        /// Change nothing: print how many values each key is needed for. Exit status 1 when any is needed but the first.
        #[arg(long)]
        check: bool,
    },
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// When it could not be done.
    pub(crate) fn run(&self, flags: &Flags) -> anyhow::Result<ExitCode> {
        let Self::Rotate { check } = self;
        let config = Config::load(flags)?;
        let ring = ring(&config, &stores::secret(&config)?)?;
        serve::runtime()?.block_on(async {
            if *check {
                let store = stores::read_only(&config).await?;
                let uses = Walk::new(&*store, &ring, ROWS).key_use().await?;
                let done = is_done(&ring, &uses);
                print!("{}", said(&ring, &uses));
                return Ok(ExitCode::from(u8::from(!done)));
            }
            let store = stores::to_rewrite(&config).await?;
            let walked = Walk::new(&*store, &ring, ROWS).renew(|_| ()).await?;
            let uses = Walk::new(&*store, &ring, ROWS).key_use().await?;
            println!(
                "{} of {} rows were encrypted anew",
                walked.rewritten, walked.looked_at
            );
            print!("{}", said(&ring, &uses));
            if !is_done(&ring, &uses) {
                bail!("some are not under the first key: a server writes under another one, or somebody else was at it; run it again");
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Nothing but the first key is needed.
fn is_done(ring: &KeyRing, uses: &KeyUse) -> bool {
    uses.plain == 0 && uses.keys.iter().all(|(id, _)| Some(*id) == ring.key_ids().next())
}

fn said(ring: &KeyRing, uses: &KeyUse) -> String {
    let needed = |id| {
        let found = uses.keys.iter().find(|(key, _)| *key == id);
        found.map_or(0, |(_, texts)| *texts)
    };
    let mut said = String::new();
    for (place, id) in ring.key_ids().enumerate() {
        let encrypts = if place == 0 { ", which encrypts" } else { "" };
        said.push_str(&format!("key {id}{encrypts}: {} values\n", needed(id)));
    }
    for (id, texts) in &uses.keys {
        if ring.key_ids().all(|key| key != *id) {
            said.push_str(&format!(
                "key {id}, which is not in the key ring: {texts} values\n"
            ));
        }
    }
    if uses.plain > 0 {
        said.push_str(&format!("not encrypted: {} values\n", uses.plain));
    }
    said
}

/// The keys: those of the files, the first of which encrypts, and at the end the one that follows from the secret key.
pub(crate) fn ring(config: &Config, secret: &SecretKey) -> anyhow::Result<Arc<KeyRing>> {
    let derived = |purpose| {
        secret
            .derive(purpose)
            .context("the cryptographic library refuses its own key sizes")
    };
    let mut keys = Vec::with_capacity(config.encryption_key_files.len() + 1);
    for path in &config.encryption_key_files {
        keys.push(key(path)?);
    }
    keys.push(derived(b"personal data")?);
    let lookups = derived(b"look-ups of personal data")?;
    KeyRing::new(&lookups, &keys)
        .map(Arc::new)
        .context("encryption.key_files")
}

fn key(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    secret::read_bytes(path).context("encryption.key_files")
}

/// Encrypts what a version before this one has left in the clear, before anybody is served.
///
/// # Errors
/// When the store cannot answer.
pub(crate) async fn complete<S: PersonalStore + ?Sized>(store: &S, ring: &KeyRing) -> anyhow::Result<()> {
    if store.all_encrypted().await? {
        return Ok(());
    }
    let mut said = 0;
    let walked = Walk::new(store, ring, ROWS)
        .renew(|walked| {
            if walked.rewritten >= said + 100_000 {
                said = walked.rewritten;
                tracing::info!(rows = said, "encrypting personal data");
            }
        })
        .await
        .context("encrypting personal data")?;
    if walked.rewritten > 0 {
        tracing::info!(rows = walked.rewritten, "personal data is encrypted");
    }
    store.set_all_encrypted().await?;
    Ok(())
}
