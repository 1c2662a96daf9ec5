//! A copy of the file, while it is in use.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, Connection as _};

use crate::SqliteStore;
use crate::error::Failure;

/// Writes the copy under another name, and gives it its own when it is whole and on the disk.
pub(crate) async fn write(store: &SqliteStore, into: &Path) -> Result<(), Failure> {
    if into.exists() {
        return Err(already(into).into());
    }
    let unfinished = Unfinished::begin(into)?;
    // A connection of its own: the copy takes as long as it takes, and neither readers nor the writer wait for it.
    let options = store.readers.connect_options();
    let mut connection = options
        .as_ref()
        .clone()
        .pragma("query_only", "OFF")
        .connect()
        .await?;
    let copied = sqlx::query("VACUUM INTO ?1")
        .bind(unfinished.0.to_string_lossy().into_owned())
        .execute(&mut connection)
        .await;
    connection.close().await.ok();
    copied?;
    // SQLite leaves it to the operating system when what it wrote there reaches the disk.
    File::open(&unfinished.0)?.sync_all()?;
    // Unlike a renaming, a second name never replaces what has got that name meanwhile.
    std::fs::hard_link(&unfinished.0, into)?;
    drop(unfinished);
    if let Some(directory) = into.parent() {
        let directory = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn already(path: &Path) -> std::io::Error {
    std::io::Error::new(
        ErrorKind::AlreadyExists,
        format!("{} is there already", path.display()),
    )
}

/// The file that is being written, readable by its owner only; gone when this is dropped.
struct Unfinished(PathBuf);

impl Unfinished {
    fn begin(into: &Path) -> Result<Self, std::io::Error> {
        let mut name = into.as_os_str().to_owned();
        name.push(format!(".{}.unfinished", std::process::id()));
        let path = PathBuf::from(name);
        let mut new = OpenOptions::new();
        new.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
        new.open(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
