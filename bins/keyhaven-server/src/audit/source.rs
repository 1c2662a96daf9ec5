//! What a log is held against, and files that are read line by line.

use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, bail};
use keyhaven_audit::{Checkpoint, CheckpointReader, TrustedKeys, VerifierKey};

use super::Trust;

impl Trust {
    /// The keys that were named.
    pub(super) fn named_keys(&self) -> anyhow::Result<TrustedKeys> {
        let mut keys = TrustedKeys::default();
        for named in &self.keys {
            let text = match named.parse::<VerifierKey>() {
                Ok(key) => {
                    keys.trust(key);
                    continue;
                }
                Err(_) => std::fs::read_to_string(named)
                    .with_context(|| format!("--key {named}: neither a key nor a file"))?,
            };
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                keys.trust(line.parse().with_context(|| format!("--key {named}"))?);
            }
        }
        Ok(keys)
    }

    /// The checkpoints that were named, one by one, and how many lines of their files are none.
    pub(super) fn checkpoints(&self, mut take: impl FnMut(Checkpoint)) -> anyhow::Result<u64> {
        let mut torn = 0_u64;
        for path in &self.checkpoints {
            let mut reader = CheckpointReader::default();
            let mut found = false;
            for line in lines(path)? {
                if let Some(checkpoint) = reader.line(&line.with_context(|| path.display().to_string())?) {
                    found = true;
                    take(checkpoint);
                }
            }
            if !found {
                bail!("{}: no checkpoint in it", path.display());
            }
            torn = torn.saturating_add(reader.torn());
        }
        Ok(torn)
    }
}

pub(super) fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = std::io::Result<String>> + use<>> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    Ok(BufReader::new(file).lines())
}
