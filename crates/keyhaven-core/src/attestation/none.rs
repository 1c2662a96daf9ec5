//! `none` (WebAuthn L3 §8.7): nobody attests.

use super::{AttestationFormat, AttestationType, AttestedPath, StatementFault};
use crate::cbor::Value;

/// The statement is the empty map, and nothing else.
pub(super) fn verify<'a>(statement: &Value<'a>) -> Result<AttestedPath<'a>, StatementFault> {
    if matches!(statement, Value::Map(map) if map.is_empty()) {
        Ok(AttestedPath::new(
            AttestationFormat::None,
            AttestationType::None,
            Vec::new(),
        ))
    } else {
        Err(StatementFault::NotEmpty)
    }
}
