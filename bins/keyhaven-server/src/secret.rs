//! The deployment's secret key: a file of 32 random bytes.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use keyhaven_service::{Random as _, SecretKey};

use zeroize::Zeroizing;

use crate::ports::SystemRandom;

/// Reads the secret.
pub(crate) fn read(path: &Path) -> anyhow::Result<SecretKey> {
    read_bytes(path).map(|bytes| SecretKey::new(*bytes))
}

/// Reads a key.
pub(crate) fn read_bytes(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let mut file =
        std::fs::File::open(path).with_context(|| format!("the secret key file {}", path.display()))?;
    check_mode(path, &file)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(33));
    std::io::Read::by_ref(&mut file)
        .take(33)
        .read_to_end(&mut bytes)?;
    match <[u8; 32]>::try_from(bytes.as_slice()) {
        Ok(secret) => Ok(Zeroizing::new(secret)),
        Err(_) => bail!(
            "the secret key file {} must hold exactly 32 random bytes",
            path.display()
        ),
    }
}

/// A secret that lasts as long as the process.
pub(crate) fn draw() -> anyhow::Result<SecretKey> {
    let mut secret = [0; 32];
    SystemRandom.fill(&mut secret)?;
    Ok(SecretKey::new(secret))
}

/// Reads the secret, or makes a new one, readable for its owner only.
pub(crate) fn read_or_create(path: &Path) -> anyhow::Result<SecretKey> {
    let mut secret = [0; 32];
    SystemRandom.fill(&mut secret)?;
    // Written whole under another name first: a crash leaves no half key, and of two processes one makes it.
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    match std::fs::metadata(path) {
        Ok(_) => return read(path),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("the secret key file {}", path.display())),
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = (|| {
        let mut file = options.open(&draft)?;
        file.write_all(&secret)?;
        file.sync_all()?;
        match std::fs::hard_link(&draft, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    })();
    let _ = std::fs::remove_file(&draft);
    made.with_context(|| format!("making the secret key file {}", path.display()))?;
    read(path)
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &std::fs::File) -> anyhow::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let metadata = file.metadata()?;
    // Orchestrators hand secrets out as root's files that the service's group may read.
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.permissions().mode() & forbidden != 0 {
        bail!(
            "the secret key file {} can be read by others: chmod 600 it",
            path.display()
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &std::fs::File) -> anyhow::Result<()> {
    Ok(())
}
