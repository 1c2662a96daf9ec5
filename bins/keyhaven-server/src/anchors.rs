//! The trust anchors of attestations: the operator's own, and those of a FIDO metadata BLOB that is kept in a file.
//!
//! The file is read anew when it changes, and downloaded anew where the operator gave an address for it. Whatever comes is
//! verified before it counts: what does not verify, or is older than what is in use, changes nothing. So is a file of
//! revocation lists, which count for both.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use keyhaven_api::MetadataFigures;
use keyhaven_core::{KeyProtection, RevocationLists, TrustAnchor, TrustAnchorSource, TrustAnchors, UnixTime};
use keyhaven_mds::{Blob, Issue, MetadataSource, Signer, StatusPolicy, Verification};
use keyhaven_service::Anchors;

use crate::pem;

/// A download that failed is tried again after this long, and one that brought nothing new as well.
const DOWNLOAD_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How long a download may take.
const DOWNLOAD_PATIENCE: Duration = Duration::from_secs(120);

/// The most bytes that are downloaded.
const MAX_BLOB: u64 = 64 << 20;

/// Where trust anchors are.
#[derive(Clone, Debug)]
pub(crate) struct AnchorFiles {
    /// The operator's own, in PEM.
    pub(crate) local: Option<PathBuf>,
    /// Whether these certify only authenticators that keep keys in hardware.
    pub(crate) local_hardware: bool,
    /// FIDO metadata.
    pub(crate) metadata: Option<MetadataFiles>,
    /// Certificate revocation lists, in PEM.
    pub(crate) revoked: Option<PathBuf>,
}

/// Where metadata are, and who may have signed them.
#[derive(Clone, Debug)]
pub(crate) struct MetadataFiles {
    /// The BLOB.
    pub(crate) blob: PathBuf,
    /// The root of its signer's certificates, in PEM.
    pub(crate) root: PathBuf,
    /// The DNS name in the signer's certificate; `any` where the root certifies nobody else.
    pub(crate) signer: String,
    /// Where new ones are.
    pub(crate) url: Option<String>,
    /// Which models they vouch for.
    pub(crate) policy: StatusPolicy,
}

/// The anchors in force.
pub(crate) struct AnchorSet {
    local: TrustAnchors,
    metadata: Option<Metadata>,
    revoked: Option<RevokedFile>,
    current: RwLock<Arc<dyn TrustAnchorSource>>,
    /// Apart from the progress, which is locked while a download lasts.
    figures: Mutex<Option<MetadataFigures>>,
}

/// The file of revocation lists.
struct RevokedFile {
    path: PathBuf,
    state: Mutex<Revoked>,
}

struct Revoked {
    lists: Arc<RevocationLists>,
    /// The file's time of change when it was last read.
    read_at: Option<SystemTime>,
}

struct Metadata {
    files: MetadataFiles,
    roots: Vec<TrustAnchor>,
    progress: Mutex<Progress>,
}

/// How far the metadata have come.
#[derive(Default)]
struct Progress {
    in_use: Option<Arc<MetadataSource>>,
    /// The file's time of change when it was last read.
    read_at: Option<SystemTime>,
    downloaded_at: Option<UnixTime>,
}

impl AnchorSet {
    /// Reads the files; a BLOB that is not there yet is downloaded.
    ///
    /// # Errors
    /// When a file cannot be read, or does not verify.
    pub(crate) fn load(files: &AnchorFiles, now: UnixTime) -> anyhow::Result<Self> {
        let local = match &files.local {
            None => TrustAnchors::new(),
            Some(path) => {
                let anchors: TrustAnchors = pem::certificates(path)?.into_iter().collect();
                if files.local_hardware {
                    anchors.with_protection(KeyProtection::Hardware)
                } else {
                    anchors
                }
            }
        };
        let metadata = match &files.metadata {
            None => None,
            Some(files) => Some(Metadata {
                roots: pem::certificates(&files.root)?,
                files: files.clone(),
                progress: Mutex::default(),
            }),
        };
        let revoked = files.revoked.as_deref().map(RevokedFile::read).transpose()?;
        let set = Self {
            current: RwLock::new(Arc::new(TrustAnchors::new())),
            local,
            metadata,
            revoked,
            figures: Mutex::default(),
        };
        set.put(Arc::new(set.anchors()));
        if let Some(metadata) = &set.metadata {
            let mut progress = metadata.progress.lock().unwrap_or_else(PoisonError::into_inner);
            set.first(metadata, &mut progress, now)?;
        }
        Ok(set)
    }

    /// Which metadata are in use; `None`: there are none.
    pub(crate) fn figures(&self) -> Option<MetadataFigures> {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for news, and takes them where they verify. Blocks while it reads and downloads.
    pub(crate) fn refresh(&self, now: UnixTime) {
        let revoked = self.revoked.as_ref().is_some_and(RevokedFile::refresh);
        let Some(metadata) = &self.metadata else {
            if revoked {
                self.put(Arc::new(self.anchors()));
            }
            return;
        };
        // One at a time; it is held while files are read, which nobody else waits for.
        let mut progress = metadata.progress.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever becomes of the BLOB: what is revoked now counts from now on.
        if revoked && let Some(in_use) = &progress.in_use {
            let in_use = Arc::new(in_use.with_local(self.anchors()));
            progress.in_use = Some(Arc::clone(&in_use));
            self.put(in_use);
        }
        let changed = changed_at(&metadata.files.blob);
        if changed.is_some()
            && (changed != progress.read_at || revoked)
            && let Err(error) = self.read(metadata, &mut progress, now)
        {
            tracing::warn!(error = format!("{error:#}"), "the metadata file is not used");
            // Not again until it changes again.
            progress.read_at = changed;
        }
        let due = progress
            .issue()
            .is_none_or(|issue| issue.next_update.midnight() <= now);
        let rested = progress
            .downloaded_at
            .is_none_or(|at| now.saturating_since(at) >= DOWNLOAD_INTERVAL);
        if metadata.files.url.is_some() && due && rested {
            progress.downloaded_at = Some(now);
            if let Err(error) = self.download(metadata, &mut progress, now) {
                tracing::warn!(error = format!("{error:#}"), "no new metadata");
            }
        }
    }

    /// The BLOB that a server starts with: of the file, or downloaded, where there is none that verifies.
    fn first(&self, metadata: &Metadata, progress: &mut Progress, now: UnixTime) -> anyhow::Result<()> {
        if metadata.files.blob.exists() {
            match self.read(metadata, progress, now) {
                Err(error) if metadata.files.url.is_some() => {
                    tracing::warn!(error = format!("{error:#}"), "the metadata file is not used");
                }
                read => return read,
            }
        }
        self.download(metadata, progress, now)
    }

    fn read(&self, metadata: &Metadata, progress: &mut Progress, now: UnixTime) -> anyhow::Result<()> {
        let path = &metadata.files.blob;
        let changed = changed_at(path);
        let blob = metadata
            .verify(&pem::read(path)?, progress.issue(), self.lists().as_deref(), now)
            .with_context(|| path.display().to_string())?;
        progress.read_at = changed;
        self.take(metadata, blob, progress, now);
        Ok(())
    }

    /// Fetches the BLOB and verifies it before it is used and replaces the file, in one step.
    fn download(&self, metadata: &Metadata, progress: &mut Progress, now: UnixTime) -> anyhow::Result<()> {
        let path = &metadata.files.blob;
        let url = metadata
            .files
            .url
            .as_deref()
            .with_context(|| format!("{}: not there", path.display()))?;
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(DOWNLOAD_PATIENCE))
            .build()
            .into();
        let mut answer = agent.get(url).call().with_context(|| url.to_owned())?;
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(MAX_BLOB)
            .read_to_vec()
            .with_context(|| url.to_owned())?;
        let blob = metadata
            .verify(&bytes, progress.issue(), self.lists().as_deref(), now)
            .with_context(|| url.to_owned())?;
        self.take(metadata, blob, progress, now);
        match replace(path, &bytes) {
            Ok(()) => progress.read_at = changed_at(path),
            // It counts all the same, until the server ends.
            Err(error) => {
                tracing::warn!(%error, file = %path.display(), "the downloaded metadata are not kept");
            }
        }
        Ok(())
    }

    fn take(&self, metadata: &Metadata, blob: Blob, progress: &mut Progress, now: UnixTime) {
        let issue = blob.issue();
        let figures = MetadataFigures {
            number: issue.number,
            next_update: issue.next_update.midnight().as_millis() / 1000,
            taken: now.as_millis() / 1000,
        };
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner) = Some(figures);
        tracing::info!(
            number = issue.number,
            next_update = %issue.next_update,
            entries = blob.entries().len(),
            dropped = blob.dropped().len(),
            "metadata in use"
        );
        let policy = metadata.files.policy.clone();
        if let Err(refusal) = policy.judge_issue(issue, now) {
            tracing::warn!(%refusal, "every model in the metadata is refused");
        }
        let source = Arc::new(MetadataSource::new(blob, policy, self.anchors()));
        progress.in_use = Some(Arc::clone(&source));
        self.put(source);
    }

    /// The operator's own anchors, with what is revoked now.
    fn anchors(&self) -> TrustAnchors {
        match self.lists() {
            None => self.local.clone(),
            Some(lists) => self.local.clone().with_revocation_lists(lists),
        }
    }

    /// What is revoked now.
    fn lists(&self) -> Option<Arc<RevocationLists>> {
        self.revoked.as_ref().map(RevokedFile::lists)
    }

    fn put(&self, source: Arc<dyn TrustAnchorSource>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = source;
    }
}

impl Progress {
    /// Which BLOB is in use.
    fn issue(&self) -> Option<Issue> {
        self.in_use.as_ref().map(|source| source.blob().issue())
    }
}

impl RevokedFile {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let read_at = changed_at(path);
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(Revoked {
                lists: Arc::new(pem::revocation_lists(path)?),
                read_at,
            }),
        })
    }

    fn lists(&self) -> Arc<RevocationLists> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.lists)
    }

    /// Whether the file has changed and is in use as it is now. One that cannot be read leaves things as they are.
    fn refresh(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = changed_at(&self.path);
        if changed.is_none() || changed == state.read_at {
            return false;
        }
        // Where it cannot be read: not again until it changes again.
        state.read_at = changed;
        match pem::revocation_lists(&self.path) {
            Ok(lists) => {
                tracing::info!(lists = lists.len(), "revocation lists in use");
                state.lists = Arc::new(lists);
                true
            }
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the file of revocation lists is not used"
                );
                false
            }
        }
    }
}

impl Metadata {
    fn verify(
        &self,
        bytes: &[u8],
        previous: Option<Issue>,
        revoked: Option<&RevocationLists>,
        now: UnixTime,
    ) -> anyhow::Result<Blob> {
        let verification = Verification {
            roots: &self.roots,
            signer: match self.files.signer.as_str() {
                "any" => Signer::AnyUnderRoots,
                name => Signer::DnsName(name),
            },
            at: now,
            revoked,
            previous,
        };
        Ok(Blob::verify(bytes, &verification)?)
    }
}

impl Anchors for AnchorSet {
    fn current(&self) -> Arc<dyn TrustAnchorSource> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// Puts `bytes` in the place of a file: whoever reads it finds all of the old or all of the new.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests;
