//! Mails as files, for developers: nothing leaves the machine.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::fs::{DirBuilder, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use crate::{DeliveryError, Rendered, Transport};

/// Writes each mail into a directory: as `<Message-ID>.eml`, which mail programs open, and for whoever lists the folder
/// as `<Message-ID>.json`. Whoever reads them can recover accounts: where there are such modes, the files are their owner's
/// alone, and so is a folder that is made here.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// A mail in the folder.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Kept {
    /// The addressee.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl Folder {
    /// A folder that exists, or will be made with the first mail.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// The mails that are in it, the newest first, at most `limit`. A folder that is not there is empty.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn newest(&self, limit: usize) -> std::io::Result<Vec<Kept>> {
        let mut entries = match tokio::fs::read_dir(&self.0).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                found.push((entry.metadata().await?.modified()?, path));
            }
        }
        found.sort();
        let mut mails = Vec::new();
        for (_, path) in found.into_iter().rev().take(limit) {
            let bytes = tokio::fs::read(path).await?;
            // What is no mail of ours is passed over.
            mails.extend(serde_json::from_slice::<Kept>(&bytes).ok());
        }
        Ok(mails)
    }

    async fn make(&self) -> std::io::Result<()> {
        let mut new = DirBuilder::new();
        new.recursive(true);
        #[cfg(unix)]
        new.mode(0o700);
        new.create(&self.0).await
    }

    /// Whole or not at all, also for somebody who reads the folder meanwhile.
    async fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let partial = self.0.join(format!(".{name}.partial"));
        let mut new = OpenOptions::new();
        new.write(true).create(true).truncate(true);
        #[cfg(unix)]
        new.mode(0o600);
        let mut file = new.open(&partial).await?;
        file.write_all(bytes).await?;
        file.flush().await?;
        tokio::fs::rename(&partial, &self.0.join(name)).await
    }
}

#[async_trait]
impl Transport for Folder {
    async fn send(&self, mail: &Rendered) -> Result<(), DeliveryError> {
        let failed = |error: std::io::Error| DeliveryError::Transient(error.to_string());
        self.make().await.map_err(failed)?;
        let id = mail.message.headers().get_raw("Message-ID").unwrap_or_default();
        let name: String = id
            .chars()
            .take_while(|&character| character != '@')
            .filter(|character| character.is_ascii_alphanumeric() || *character == '-')
            .collect();
        let kept = Kept {
            to: mail.to.as_str().to_owned(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
        };
        let kept = serde_json::to_vec(&kept).map_err(|error| DeliveryError::Permanent(error.to_string()))?;
        self.write(&format!("{name}.eml"), &mail.to_bytes())
            .await
            .map_err(failed)?;
        self.write(&format!("{name}.json"), &kept).await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Language, Mail, Sender, render};

    #[tokio::test]
    async fn a_developer_finds_the_mails_and_the_newest_first() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(&directory.path().join("not there yet"));
        assert!(folder.newest(10).await.unwrap().is_empty());
        let sender = Sender {
            service: "Example".to_owned(),
            from: "no-reply@example.org".parse().unwrap(),
        };
        for (n, content) in [(1, Content::AddressInUse), (2, Content::RecoveryDone)] {
            let mail = Mail {
                to: format!("user-{n}@example.org").parse().unwrap(),
                language: Language::En,
                username: None,
                occasion: None,
                content,
            };
            let rendered = render(&mail, &sender, &format!("id-{n}")).unwrap();
            folder.send(&rendered).await.unwrap();
        }
        let kept = folder.newest(10).await.unwrap();
        assert_eq!(
            kept.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(),
            ["user-2@example.org", "user-1@example.org"]
        );
        assert_eq!(folder.newest(1).await.unwrap().len(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let made = directory.path().join("not there yet");
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&made), 0o700);
            let files: Vec<_> = std::fs::read_dir(&made).unwrap().collect();
            assert_eq!(files.len(), 4);
            for file in files {
                assert_eq!(mode(&file.unwrap().path()), 0o600);
            }
        }
        let eml = std::fs::read_to_string(directory.path().join("not there yet/id-1.eml")).unwrap();
        assert!(eml.contains("Subject: Somebody entered your e-mail address"));
    }
}
