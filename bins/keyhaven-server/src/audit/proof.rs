//! `keyhaven audit prove`, and the verification of what it writes.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use keyhaven_audit::export::ProofBody;
use keyhaven_audit::{Proof, VerifierKey, chain};
use keyhaven_storage::{AuditBatch, DurableStore, MAX_BATCH_EVENTS};

use super::{Trust, event_id, time_text};
use crate::config::{Config, Flags};
use crate::say::say;
use crate::{serve, stores};

/// More headers than this a proof does not carry: then a nearer checkpoint is needed.
const MAX_HEADERS: u64 = 100_000;

/// What to prove.
#[derive(clap::Args)]
pub(crate) struct Prove {
    /// The event's id.
    #[arg(long, value_name = "ID")]
    event: String,
    /// Lead the proof on to the checkpoint of this batch, for somebody who trusts that one.
    #[arg(long, value_name = "NUMBER")]
    through_batch: Option<u64>,
}

impl Prove {
    pub(super) fn run(&self, flags: &Flags) -> anyhow::Result<ExitCode> {
        let config = Config::load(flags)?;
        serve::runtime()?.block_on(async {
            let store = stores::read_only(&config).await?;
            let proof = self.proof(&*store).await?;
            say!("{}", serde_json::to_string_pretty(&ProofBody::from(&proof))?)?;
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn proof(&self, store: &dyn DurableStore) -> anyhow::Result<Proof> {
        let id = event_id(&self.event)?;
        let Some(number) = store.batch_of(id).await? else {
            bail!("event {id} is not sealed: unknown, too young, or pruned");
        };
        let last = self.through_batch.unwrap_or(number);
        ensure!(
            (number..number.saturating_add(MAX_HEADERS)).contains(&last),
            "--through-batch: {number} or one of the {MAX_HEADERS} that follow"
        );
        let mut batches: Vec<AuditBatch> = Vec::new();
        while batches.last().map_or(0, |batch| batch.number) < last {
            let after = batches
                .last()
                .map_or(number.saturating_sub(1), |batch| batch.number);
            let mut page = store.batches(after, 1000).await?;
            page.retain(|batch| batch.number <= last);
            ensure!(!page.is_empty(), "there is no batch {last} yet");
            batches.append(&mut page);
        }
        let members = store.batch_members(number, MAX_BATCH_EVENTS).await?;
        let keys = store.audit_keys().await?;
        let key = batches
            .last()
            .and_then(|batch| keys.iter().find(|key| key.id == batch.key_id));
        let key: VerifierKey = key
            .and_then(|key| key.verifier_key.parse().ok())
            .context("the key of the batch is not there: run keyhaven audit verify")?;
        Proof::new(key.name().to_owned(), id, &members, batches)
            .with_context(|| format!("batch {number} does not verify: run keyhaven audit verify"))
    }
}

/// Verifies a proof by what was named, without any database.
pub(super) fn verify(path: &Path, trust: &Trust) -> anyhow::Result<ExitCode> {
    let keys = trust.named_keys()?;
    ensure!(!keys.is_empty(), "name the log's public key with --key");
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let body: ProofBody = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let proof = Proof::try_from(body).with_context(|| path.display().to_string())?;
    let bad = |reason: &dyn std::fmt::Display| {
        say!("BAD event {}: {reason}\nNOT VERIFIED", proof.event.id)?;
        Ok(ExitCode::FAILURE)
    };
    let checkpoint = match proof.verify(&keys) {
        Ok(checkpoint) => checkpoint,
        Err(reason) => return bad(&reason),
    };
    // A checkpoint that was kept elsewhere, of a batch that the proof holds, must be that batch's.
    let (mut compared, mut contradicts) = (0_u64, None);
    trust.checkpoints(|kept| {
        let batch = proof.batches.iter().find(|batch| batch.number == kept.batch);
        if let Some(batch) = batch {
            compared = compared.saturating_add(1);
            if !kept.is_signed(&keys) || chain(batch) != kept.chain {
                contradicts = Some(kept.batch);
            }
        }
    })?;
    if let Some(number) = contradicts {
        return bad(&format!("batch {number} is not the one of the checkpoint"));
    }
    if compared == 0 && !trust.checkpoints.is_empty() {
        return bad(&"none of the checkpoints is of a batch in the proof: see prove --through-batch");
    }
    say!(
        "event {} of {} is sealed: batch {}, position {}\nresting on batch {}, signed {} by key {}\nverified",
        proof.event.id,
        time_text(proof.event.at),
        proof.batches.first().map_or(0, |batch| batch.number),
        proof.index,
        checkpoint.batch,
        time_text(checkpoint.sealed_at),
        checkpoint.key_id
    )?;
    Ok(ExitCode::SUCCESS)
}
