use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyhaven_storage::{AuditBatch, AuditPrune};
use keyhaven_types::UnixTime;

use crate::{SigningKey, TrustedKeys, batch};

/// States, signed, that this batch and all before it are to be emptied.
#[must_use]
pub fn prune(last: &AuditBatch, before: UnixTime, at: UnixTime, key: &SigningKey) -> AuditPrune {
    let mut prune = AuditPrune {
        through: last.number,
        chain: batch::chain(last),
        before,
        at,
        key_id: key.verifier_key().id(),
        signature: [0; 64],
    };
    prune.signature = key.sign(&text(&prune, key.verifier_key().name()));
    prune
}

/// Whether a trusted key signed the statement.
#[must_use]
pub fn prune_is_signed(prune: &AuditPrune, keys: &TrustedKeys) -> bool {
    keys.get(&prune.key_id)
        .is_some_and(|key| key.signed(&text(prune, key.name()), &prune.signature))
}

fn text(prune: &AuditPrune, origin: &str) -> String {
    format!(
        "keyhaven audit prune 1\n{origin}\nthrough {}\n{}\nbefore {}\nat {}\n",
        prune.through,
        STANDARD.encode(prune.chain),
        prune.before.as_millis(),
        prune.at.as_millis()
    )
}
