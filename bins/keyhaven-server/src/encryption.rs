//! The keys that personal data is encrypted under, and encrypting what is stored already.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use keyhaven_service::{Random as _, SecretKey};
use keyhaven_storage::{DurableStore, PersonalStore};
use keyhaven_storage_encrypted::{KeyId, KeyRing, KeyUse, NotOpened, TextKeys, Walk, key_use, open};
use zeroize::Zeroizing;

use crate::config::{Config, Flags};
use crate::ports::SystemRandom;
use crate::say::say;
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
        /// Change nothing: print which keys are needed, and for how many values. Exit status 1 when any but the first is.
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
        serve::runtime()?.block_on(async {
            let keys = keys(&config, &stores::secret(&config).await?)?;
            if *check {
                let store = stores::read_only(&config).await?;
                let needs = Needs::of(&*store, &keys).await?;
                write!(io::stdout().lock(), "{needs}")?;
                return Ok(ExitCode::from(u8::from(!needs.is_first_alone())));
            }
            let (store, database) = stores::to_rewrite(&config).await?;
            let rotated = rotate(&*store, keys).await;
            database.close().await;
            rotated
        })
    }
}

async fn rotate(store: &dyn DurableStore, keys: TextKeys) -> anyhow::Result<ExitCode> {
    let ring = ring(store, keys).await?;
    let walked = Walk::new(store, &ring, ROWS).renew(|_| ()).await?;
    say!(
        "{} of {} rows were encrypted anew",
        walked.rewritten,
        walked.looked_at
    )?;
    for id in Needs::of(store, ring.texts()).await?.not_needed() {
        store.drop_encryption_key(id.0).await?;
    }
    let needs = Needs::of(store, ring.texts()).await?;
    write!(io::stdout().lock(), "{needs}")?;
    if !needs.is_first_alone() {
        bail!(
            "some are not under the first key: a server writes under another one; give every server the same first key, and run it again"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Which keys a database needs.
struct Needs {
    /// Those that there are, the first of which encrypts.
    ring: Vec<KeyId>,
    /// Those that no server starts without.
    named: Vec<KeyId>,
    uses: KeyUse,
}

impl Needs {
    async fn of<S: PersonalStore + ?Sized>(store: &S, keys: &TextKeys) -> anyhow::Result<Self> {
        let state = store.encryption_state().await?;
        Ok(Self {
            ring: keys.ids().collect(),
            named: state.keys.iter().map(|key| KeyId(key.id)).collect(),
            uses: key_use(store, ROWS).await?,
        })
    }

    fn first(&self) -> Option<KeyId> {
        self.ring.first().copied()
    }

    fn is_first_alone(&self) -> bool {
        let used = self.uses.keys.iter().map(|(id, _)| id);
        let needed = used.chain(&self.named);
        self.uses.plain == 0 && needed.into_iter().all(|id| Some(*id) == self.first())
    }

    /// Those that servers do not start without though no text needs them.
    fn not_needed(&self) -> impl Iterator<Item = KeyId> {
        let named = self.named.iter().copied();
        named.filter(|id| Some(*id) != self.first() && self.uses.of(*id) == 0)
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in &self.ring {
            let texts = self.uses.of(*id);
            let need = if Some(*id) == self.first() {
                ", encrypts"
            } else if texts > 0 || self.named.contains(id) {
                ", needed until `keyhaven privacy rotate` was run"
            } else {
                ", not needed"
            };
            writeln!(f, "key {id}: {texts} values{need}")?;
        }
        let used = self.uses.keys.iter().map(|(id, _)| id);
        let others: BTreeSet<[u8; 4]> = used.chain(&self.named).map(|id| id.0).collect();
        for id in others.into_iter().map(KeyId).filter(|id| !self.ring.contains(id)) {
            writeln!(
                f,
                "key {id}: {} values, and it is not in the key ring",
                self.uses.of(id)
            )?;
        }
        if self.uses.plain > 0 {
            writeln!(f, "not encrypted: {} values", self.uses.plain)?;
        }
        Ok(())
    }
}

/// The keys: those of the files, the first of which encrypts, and at the end the one that follows from the secret key.
///
/// # Errors
/// When one cannot be read, or is there twice.
pub(crate) fn keys(config: &Config, secret: &SecretKey) -> anyhow::Result<TextKeys> {
    let mut keys = Vec::with_capacity(config.encryption_key_files.len() + 1);
    for path in &config.encryption_key_files {
        keys.push(key(path)?);
    }
    let derived = secret.derive(b"personal data");
    keys.push(derived.context("the cryptographic library refuses its own key sizes")?);
    TextKeys::new(&keys).context("encryption.key_files")
}

/// The ring for this store, which every key that it needs must be in.
///
/// # Errors
/// When one is missing, or the store cannot answer.
pub(crate) async fn ring<S: PersonalStore + ?Sized>(
    store: &S,
    keys: TextKeys,
) -> anyhow::Result<Arc<KeyRing>> {
    let mut fresh = Zeroizing::new([0; 32]);
    SystemRandom.fill(&mut *fresh)?;
    let ring = open(store, keys, &fresh).await.map_err(|error| match error {
        NotOpened::Store(_) => anyhow!(error),
        NotOpened::MissingKey(_) => anyhow!(error).context(
            "personal data cannot be decrypted with the keys of encryption.key_files and secret_key_file",
        ),
        NotOpened::Busy
        | NotOpened::Inconsistent
        | NotOpened::KeysGone
        | NotOpened::Library(_)
        | NotOpened::Wrong { .. } => anyhow!(error).context("personal data"),
    });
    ring.map(Arc::new)
}

fn key(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    secret::read_bytes(path).context("encryption.key_files")
}

/// Encrypts what a version before this one has left in the clear, before anybody is served.
///
/// # Errors
/// When the store cannot answer.
pub(crate) async fn complete<S: PersonalStore + ?Sized>(store: &S, ring: &KeyRing) -> anyhow::Result<()> {
    if store.encryption_state().await?.all_encrypted {
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
