//! Accounts from another system, with the hashes of their passwords.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, stdin};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use keyhaven_service::{Error, ImportedPassword, Keyhaven};
use serde::Deserialize;

use crate::config::{Config, Flags};
use crate::say::{note, say};
use crate::serve;

/// The longest line, in bytes.
const MAX_LINE: u64 = 64 * 1024;

#[derive(clap::Args)]
pub(crate) struct ImportPasswords {
    /// The file; - is standard input.
    file: PathBuf,
}

/// One line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    username: String,
    password_hash: String,
    display_name: Option<String>,
    email: Option<String>,
}

impl ImportPasswords {
    pub(super) fn run(&self, flags: &Flags) -> anyhow::Result<ExitCode> {
        let config = Config::load(flags)?;
        ensure!(
            config.settings.passwords.fallback,
            "passwords.fallback is off: nobody could sign in with what is imported"
        );
        let lines: Box<dyn BufRead> = if self.file.as_os_str() == "-" {
            Box::new(stdin().lock())
        } else {
            let file = File::open(&self.file).with_context(|| self.file.display().to_string())?;
            Box::new(BufReader::new(file))
        };
        serve::runtime()?.block_on(async {
            let opened = serve::open(&config, None, &keyhaven_api::Metrics::new()).await?;
            let imported = import(&opened.keyhaven, lines).await;
            opened.database.close().await;
            imported
        })
    }
}

async fn import(keyhaven: &Keyhaven, mut lines: Box<dyn BufRead>) -> anyhow::Result<ExitCode> {
    let (mut taken, mut refused) = (0_u64, 0_u64);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = (&mut lines)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("line {number}"))?;
        if read == 0 {
            break;
        }
        ensure!(
            line.ends_with(b"\n") || u64::try_from(read).is_ok_and(|read| read < MAX_LINE),
            "line {number}: longer than {MAX_LINE} bytes; {taken} accounts were taken over before it"
        );
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match one(keyhaven, text).await {
            Ok(()) => taken = taken.saturating_add(1),
            Err(Refusal::Line(why)) => {
                refused = refused.saturating_add(1);
                note!("line {number}: {why}")?;
            }
            Err(Refusal::Store(error)) => {
                return Err(anyhow::Error::from(error).context(format!(
                    "line {number}; {taken} accounts were taken over before it"
                )));
            }
        }
    }
    say!("{taken} accounts taken over, {refused} lines refused")?;
    Ok(ExitCode::from(u8::from(refused > 0)))
}

enum Refusal {
    /// Something is wrong with the line.
    Line(String),
    /// Nothing more can be done now.
    Store(Error),
}

async fn one(keyhaven: &Keyhaven, text: &[u8]) -> Result<(), Refusal> {
    let line: Line = serde_json::from_slice(text).map_err(|error| Refusal::Line(error.to_string()))?;
    let client = super::client(keyhaven, "import-passwords").map_err(Refusal::Store)?;
    let import = ImportedPassword {
        username: line.username,
        display_name: line.display_name,
        email: line.email,
        hash: line.password_hash,
    };
    match keyhaven.passwords.import(&client, import).await {
        Ok(_) => Ok(()),
        Err(error @ (Error::Storage(_) | Error::Random(_))) => Err(Refusal::Store(error)),
        Err(error) => Err(Refusal::Line(error.to_string())),
    }
}
