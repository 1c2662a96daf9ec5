use keyhaven_storage::{AuditEvent, AuditOutcome};
use keyhaven_types::CredentialId;

use crate::{Hash, merkle};

/// The event without its MAC as one unambiguous byte string: a version, then each field with its presence and length. An
/// event that names an actor is of version 2, which has that field at its end; every other one stays as it was.
#[must_use]
pub fn canonical(event: &AuditEvent) -> Vec<u8> {
    let actor = event.actor.map(|actor| actor.to_string());
    let mut out = match &actor {
        None => b"keyhaven audit event 1".to_vec(),
        Some(_) => b"keyhaven audit event 2".to_vec(),
    };
    let mut field = |value: Option<&[u8]>| match value {
        None => out.push(0),
        Some(bytes) => {
            out.push(1);
            // A length fits: the fields are bounded far below 2^64.
            out.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            out.extend_from_slice(bytes);
        }
    };
    let outcome: &[u8] = match event.outcome {
        AuditOutcome::Refused => b"refused",
        AuditOutcome::Success => b"success",
    };
    field(Some(event.id.0.as_bytes()));
    field(Some(&event.at.as_millis().to_be_bytes()));
    field(Some(event.action.as_bytes()));
    field(Some(outcome));
    field(event.code.as_deref().map(str::as_bytes));
    field(event.step.as_deref().map(str::as_bytes));
    field(event.account.as_ref().map(|id| &id.0.as_bytes()[..]));
    field(event.credential.as_ref().map(CredentialId::as_bytes));
    field(event.session.as_ref().map(|id| &id.0.as_bytes()[..]));
    field(event.ip.as_deref().map(str::as_bytes));
    field(event.user_agent.as_deref().map(str::as_bytes));
    field(event.request_id.as_deref().map(str::as_bytes));
    if let Some(actor) = &actor {
        field(Some(actor.as_bytes()));
    }
    out
}

/// The event as a leaf of its batch's tree: the hash of its canonical bytes and its MAC (32 bytes).
#[must_use]
pub fn leaf(event: &AuditEvent) -> Hash {
    merkle::leaf_hash(&[&canonical(event), &event.mac])
}
