//! `compound` (WebAuthn L3 §8.9): several statements of other formats about one credential.

use super::{
    AttestationError, AttestationFormat, AttestationType, Attested, AttestedPath, CompoundPolicy, Evidence,
    StatementFault, verify_plain,
};
use crate::cbor::{Key, Value};

/// What is wrong with a `compound` statement itself. A fault in one of its statements is that format's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CompoundFault {
    /// Fewer than 2 statements, or more than 8: the upper bound is ours, because each costs a signature verification.
    #[error("{count} statements, not 2 to 8")]
    Count {
        /// How many.
        count: usize,
    },
    /// A statement is not a map of exactly `fmt` and `attStmt`.
    #[error("a statement is not a map of exactly fmt and attStmt")]
    Member,
    /// A statement is itself compound.
    #[error("a compound statement inside another")]
    Nested,
    /// No statement verifies, under [`CompoundPolicy::Any`].
    #[error("no statement verifies")]
    NoneVerifies,
    /// The statement is no array.
    #[error("the statement is not an array")]
    NotAnArray,
    /// The format of a statement is not supported, under [`CompoundPolicy::All`].
    #[error("a statement of an unsupported format")]
    UnsupportedFormat,
}

/// The verification procedure of §8.9.
pub(super) fn verify<'a>(
    statement: &Value<'a>,
    evidence: &Evidence<'_>,
) -> Result<Attested<'a>, AttestationError> {
    // The syntax: an array of at least two statements, each with its format, none of them compound.
    let statements = statements(statement).map_err(refused)?;
    // 1. Each by its own procedure, with the same authenticator data and hash. Policy says what a failure means.
    let mut members = Vec::with_capacity(statements.len());
    for (identifier, statement) in statements {
        let format =
            AttestationFormat::from_identifier(identifier).filter(|format| evidence.policy.supports(*format));
        let verdict = match format {
            Some(format) => verify_plain(format, &statement, evidence),
            None => Err(refused(CompoundFault::UnsupportedFormat)),
        };
        match (verdict, evidence.policy.compound) {
            (Ok(member), _) => members.push(member),
            (Err(error), CompoundPolicy::All) => return Err(error),
            (Err(_), CompoundPolicy::Any) => {}
        }
    }
    // 2. Sufficiently many have verified.
    match attestation_type(&members) {
        Some(attestation_type) => Ok(Attested {
            attestation_type,
            members,
        }),
        None => Err(refused(CompoundFault::NoneVerifies)),
    }
}

fn statements<'a>(statement: &Value<'a>) -> Result<Vec<(&'a str, Value<'a>)>, CompoundFault> {
    let Value::Array(array) = statement else {
        return Err(CompoundFault::NotAnArray);
    };
    let count = array.len();
    if !(2..=8).contains(&count) {
        return Err(CompoundFault::Count { count });
    }
    array.items().map(|item| member(&item)).collect()
}

fn member<'a>(item: &Value<'a>) -> Result<(&'a str, Value<'a>), CompoundFault> {
    let Value::Map(map) = item else {
        return Err(CompoundFault::Member);
    };
    let (mut format, mut statement) = (None, None);
    for entry in map.entries() {
        match entry {
            (Key::Text("fmt"), Value::Text(text)) => format = Some(text),
            (Key::Text("attStmt"), value) => statement = Some(value),
            _ => return Err(CompoundFault::Member),
        }
    }
    match (format, statement) {
        (Some("compound"), Some(_)) => Err(CompoundFault::Nested),
        (Some(format), Some(statement)) => Ok((format, statement)),
        _ => Err(CompoundFault::Member),
    }
}

/// The type of the whole; `None` where there is no member.
fn attestation_type(members: &[AttestedPath<'_>]) -> Option<AttestationType> {
    let mut types = members.iter().map(|member| member.attestation_type);
    let first = types.next()?;
    Some(types.fold(first, |whole, next| match (whole, next) {
        (whole, next) if whole == next => whole,
        (AttestationType::None, _) | (_, AttestationType::None) => AttestationType::None,
        (AttestationType::SelfAttestation, _) | (_, AttestationType::SelfAttestation) => {
            AttestationType::SelfAttestation
        }
        _ => AttestationType::Uncertain,
    }))
}

fn refused(fault: CompoundFault) -> AttestationError {
    AttestationError {
        format: AttestationFormat::Compound,
        fault: StatementFault::Compound(fault),
    }
}
