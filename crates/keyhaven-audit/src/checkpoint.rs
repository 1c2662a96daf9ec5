use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyhaven_storage::AuditBatch;
use keyhaven_types::UnixTime;

use crate::{Hash, TrustedKeys, batch, note};

/// What a batch says about everything up to it, signed: small enough to be kept elsewhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The log: the name of its keys.
    pub origin: String,
    /// How many events were sealed up to it.
    pub total: u64,
    /// The chained root.
    pub chain: Hash,
    /// The batch.
    pub batch: u64,
    /// When it was sealed.
    pub sealed_at: UnixTime,
    /// The key that signed.
    pub key_id: String,
    /// The signature.
    pub signature: [u8; 64],
}

/// The text is no checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a checkpoint")]
pub struct InvalidCheckpoint;

impl Checkpoint {
    /// The checkpoint of a batch, with the batch's signature.
    #[must_use]
    pub fn of(batch: &AuditBatch, origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            total: batch.total,
            chain: batch::chain(batch),
            batch: batch.number,
            sealed_at: batch.sealed_at,
            key_id: batch.key_id.clone(),
            signature: batch.signature,
        }
    }

    /// The text that is signed: the lines of a C2SP checkpoint (origin, size, root), then batch and time.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\nbatch {}\nsealed {}\n",
            self.origin,
            self.total,
            STANDARD.encode(self.chain),
            self.batch,
            self.sealed_at.as_millis()
        )
    }

    /// The whole signed note.
    #[must_use]
    pub fn note(&self) -> String {
        let signature = note::signature_line(&self.origin, &self.key_id, &self.signature);
        format!("{}\n{signature}", self.text())
    }

    /// Whether a trusted key of the log signed it.
    #[must_use]
    pub fn is_signed(&self, keys: &TrustedKeys) -> bool {
        let key = keys.get(&self.key_id).filter(|key| key.name() == self.origin);
        key.is_some_and(|key| key.signed(&self.text(), &self.signature))
    }

    fn read(lines: [&str; 7]) -> Result<Self, InvalidCheckpoint> {
        let [origin, total, chain, batch, sealed_at, empty, signature] = lines;
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).ok_or(InvalidCheckpoint);
        let (name, key_id, signature) = note::read_signature_line(signature).ok_or(InvalidCheckpoint)?;
        let checkpoint = Self {
            origin: origin.to_owned(),
            total: number(Some(total))?,
            chain: STANDARD
                .decode(chain)
                .ok()
                .and_then(|chain| chain.try_into().ok())
                .ok_or(InvalidCheckpoint)?,
            batch: number(batch.strip_prefix("batch "))?,
            sealed_at: sealed_at
                .strip_prefix("sealed ")
                .and_then(|text| text.parse().ok())
                .map(UnixTime::from_millis)
                .ok_or(InvalidCheckpoint)?,
            key_id,
            signature,
        };
        // One text per checkpoint: nothing is repaired.
        let same = checkpoint
            .text()
            .lines()
            .eq([origin, total, chain, batch, sealed_at]);
        if same && empty.is_empty() && name == origin {
            Ok(checkpoint)
        } else {
            Err(InvalidCheckpoint)
        }
    }
}

/// Reads checkpoints from the lines of a file. What is no checkpoint (a note cut short by a power cut while it was written)
/// is passed over and counted: whoever could spoil a note could as well have deleted it.
#[derive(Clone, Debug, Default)]
pub struct CheckpointReader {
    pending: Vec<String>,
    torn: u64,
}

impl CheckpointReader {
    /// Takes the next line, without its end; answers the checkpoint that it completes.
    pub fn line(&mut self, line: &str) -> Option<Checkpoint> {
        self.pending.push(line.to_owned());
        if !line.starts_with(note::SIGNATURE) {
            // Longer than a note, what came first cannot be part of one.
            if self.pending.len() > 7 {
                let first = self.pending.remove(0);
                self.count(&[first]);
            }
            return None;
        }
        let pending = std::mem::take(&mut self.pending);
        let lines: Vec<_> = pending.iter().map(String::as_str).collect();
        let read = lines
            .split_last_chunk::<7>()
            .map(|(before, note)| (before.len(), Checkpoint::read(*note)));
        match read {
            Some((before, Ok(checkpoint))) => {
                self.count(pending.get(..before).unwrap_or_default());
                Some(checkpoint)
            }
            Some((_, Err(InvalidCheckpoint))) | None => {
                self.count(&pending);
                None
            }
        }
    }

    /// How many lines are no part of a checkpoint, once all lines are read.
    #[must_use]
    pub fn torn(mut self) -> u64 {
        let left = std::mem::take(&mut self.pending);
        self.count(&left);
        self.torn
    }

    fn count(&mut self, lines: &[String]) {
        let torn = lines.iter().filter(|line| !line.is_empty()).count();
        self.torn = self.torn.saturating_add(u64::try_from(torn).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    fn checkpoint(n: u64) -> (Checkpoint, TrustedKeys) {
        let key = SigningKey::from_seed("example.org/audit", &[7; 32]).unwrap();
        let mut checkpoint = Checkpoint {
            origin: "example.org/audit".into(),
            total: 42 + n,
            chain: [5; 32],
            batch: n,
            sealed_at: UnixTime::from_millis(1_790_000_000_000),
            key_id: key.verifier_key().id(),
            signature: [0; 64],
        };
        checkpoint.signature = key.sign(&checkpoint.text());
        let mut keys = TrustedKeys::default();
        keys.trust(key.verifier_key().clone());
        (checkpoint, keys)
    }

    fn read(text: &str) -> (Vec<Checkpoint>, u64) {
        let mut reader = CheckpointReader::default();
        let read = text.lines().filter_map(|line| reader.line(line)).collect();
        (read, reader.torn())
    }

    #[test]
    fn checkpoints_read_back_and_a_torn_one_is_passed_over() {
        let (one, two) = (checkpoint(1).0, checkpoint(2).0);
        let file = format!("{}\n{}\n", one.note(), two.note());
        assert_eq!(read(&file), (vec![one.clone(), two.clone()], 0));
        let whole = one.note();
        for (end, _) in whole.char_indices().skip(1) {
            if end + 1 < whole.len() {
                let (read, torn) = read(&format!("{}\n{}", &whole[..end], two.note()));
                assert_eq!((read, torn > 0), (vec![two.clone()], true), "{end}");
            }
        }
    }

    #[test]
    fn a_spoiled_checkpoint_is_refused_or_not_signed() {
        let (checkpoint, keys) = checkpoint(3);
        assert!(checkpoint.is_signed(&keys));
        let note = checkpoint.note();
        for (at, c) in note.char_indices() {
            let other = if c == '1' { '2' } else { '1' };
            let spoiled = format!("{}{other}{}", &note[..at], &note[at + c.len_utf8()..]);
            let (read, _) = read(&spoiled);
            assert!(
                read.iter()
                    .all(|read| *read == checkpoint || !read.is_signed(&keys)),
                "{spoiled}"
            );
            assert!(!read.contains(&checkpoint), "{spoiled}");
        }
        assert!(!checkpoint.is_signed(&TrustedKeys::default()));
    }
}
