//! Mails as files, for developers: nothing leaves the machine.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::{DeliveryError, Rendered, Transport};

/// Writes each mail into a directory as `<Message-ID>.eml`.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder that exists, or will be made with the first mail.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }
}

#[async_trait]
impl Transport for Folder {
    async fn send(&self, mail: &Rendered) -> Result<(), DeliveryError> {
        let failed = |error: std::io::Error| DeliveryError::Transient(error.to_string());
        tokio::fs::create_dir_all(&self.0).await.map_err(failed)?;
        let id = mail.message.headers().get_raw("Message-ID").unwrap_or_default();
        let name: String = id
            .chars()
            .take_while(|&character| character != '@')
            .filter(|character| character.is_ascii_alphanumeric() || *character == '-')
            .collect();
        // Whole or not at all, also for somebody who reads the folder meanwhile.
        let (target, partial) = (
            self.0.join(format!("{name}.eml")),
            self.0.join(format!(".{name}.partial")),
        );
        tokio::fs::write(&partial, mail.to_bytes())
            .await
            .map_err(failed)?;
        tokio::fs::rename(&partial, &target).await.map_err(failed)
    }
}
