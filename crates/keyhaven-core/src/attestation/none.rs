//! `none` (WebAuthn L3 §8.7): nobody attests.

use super::{AttestationType, StatementFault};
use crate::cbor::Value;

/// The statement is the empty map, and nothing else.
pub(super) fn verify(statement: &Value<'_>) -> Result<AttestationType, StatementFault> {
    if matches!(statement, Value::Map(map) if map.is_empty()) {
        Ok(AttestationType::None)
    } else {
        Err(StatementFault::NotEmpty)
    }
}
