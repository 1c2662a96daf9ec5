use keyhaven_storage::{AuditEvent, AuditOutcome};
use keyhaven_types::CredentialId;

use crate::{Hash, merkle};

/// The event without its MAC as one unambiguous byte string: a version, then each field with its presence and length. One
/// that names an actor, or holds what it knows of a person encrypted, is of version 2, which has these two last.
#[must_use]
pub fn canonical(event: &AuditEvent) -> Vec<u8> {
    let actor = event.actor.map(|actor| actor.to_string());
    let later = actor.is_some() || event.personal.is_some();
    let mut out = match later {
        false => b"keyhaven audit event 1".to_vec(),
        true => b"keyhaven audit event 2".to_vec(),
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
    if later {
        field(actor.as_deref().map(str::as_bytes));
        field(event.personal.as_deref());
    }
    out
}

/// The event as a leaf of its batch's tree: the hash of its canonical bytes and its MAC (32 bytes).
#[must_use]
pub fn leaf(event: &AuditEvent) -> Hash {
    merkle::leaf_hash(&[&canonical(event), &event.mac])
}
