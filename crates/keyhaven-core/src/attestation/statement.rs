use keyhaven_types::CoseAlgorithm;

use super::CertificateError;
use crate::cbor::{Array, Key, Map, Value};

/// What is wrong with an attestation statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StatementFault {
    /// The AAGUID in the certificate is not the one in authenticator data.
    #[error("the certificate names another AAGUID than the authenticator data")]
    AaguidMismatch,
    /// `alg` is not the algorithm of the credential key that signed.
    #[error("alg {statement} is not the credential key's {credential}")]
    AlgorithmMismatch {
        /// The statement's `alg`.
        statement: CoseAlgorithm,
        /// The credential key's `alg`.
        credential: CoseAlgorithm,
    },
    /// The attestation certificate does not meet its profile.
    #[error("attestation certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// A required member is absent.
    #[error("{member} is missing")]
    MissingMember {
        /// Its name.
        member: &'static str,
    },
    /// The statement is not the empty map.
    #[error("the statement is not the empty map")]
    NotEmpty,
    /// The statement is no map.
    #[error("the statement is not a map")]
    NotAMap,
    /// The signature is not valid.
    #[error("the signature is not valid")]
    SignatureInvalid,
    /// `x5c` has no certificate, or more than 16.
    #[error("x5c has {count} certificates, not 1 to 16")]
    CertificateCount {
        /// How many.
        count: usize,
    },
    /// A member that the format does not define.
    #[error("a member that the format does not define")]
    UnexpectedMember,
    /// A member of another type than the format says.
    #[error("{member} has the wrong type")]
    WrongType {
        /// Its name.
        member: &'static str,
    },
}

/// The members of a statement that several formats share.
pub(super) struct Members<'a> {
    alg: Option<Value<'a>>,
    sig: Option<Value<'a>>,
    x5c: Option<Value<'a>>,
}

/// A chain as received, leaf first; 1 to 16 certificates.
pub(super) struct CertificatePath<'a> {
    pub(super) leaf: &'a [u8],
    pub(super) certificates: Vec<&'a [u8]>,
}

impl<'a> Members<'a> {
    /// Takes `alg`, `sig` and `x5c` out of a statement that may have no other member.
    pub(super) fn only(statement: &Value<'a>) -> Result<Self, StatementFault> {
        let Value::Map(map) = statement else {
            return Err(StatementFault::NotAMap);
        };
        Self::from_map(map)
    }

    fn from_map(map: &Map<'a>) -> Result<Self, StatementFault> {
        let mut members = Self {
            alg: None,
            sig: None,
            x5c: None,
        };
        for (key, value) in map.entries() {
            match key {
                Key::Text("alg") => members.alg = Some(value),
                Key::Text("sig") => members.sig = Some(value),
                Key::Text("x5c") => members.x5c = Some(value),
                Key::Integer(_) | Key::Text(_) => return Err(StatementFault::UnexpectedMember),
            }
        }
        Ok(members)
    }

    pub(super) fn alg(&self) -> Result<CoseAlgorithm, StatementFault> {
        match self.alg {
            None => Err(StatementFault::MissingMember { member: "alg" }),
            Some(Value::Integer(identifier)) => i64::try_from(identifier)
                .map(CoseAlgorithm::new)
                .map_err(|_| StatementFault::WrongType { member: "alg" }),
            Some(_) => Err(StatementFault::WrongType { member: "alg" }),
        }
    }

    pub(super) fn sig(&self) -> Result<&'a [u8], StatementFault> {
        match self.sig {
            None => Err(StatementFault::MissingMember { member: "sig" }),
            Some(Value::Bytes(bytes)) => Ok(bytes),
            Some(_) => Err(StatementFault::WrongType { member: "sig" }),
        }
    }

    /// The certificates, where there are any. Only their being byte strings is judged here.
    pub(super) fn x5c(&self) -> Result<Option<CertificatePath<'a>>, StatementFault> {
        match self.x5c {
            None => Ok(None),
            Some(Value::Array(array)) => certificates(&array).map(Some),
            Some(_) => Err(StatementFault::WrongType { member: "x5c" }),
        }
    }
}

fn certificates<'a>(array: &Array<'a>) -> Result<CertificatePath<'a>, StatementFault> {
    let certificates = array
        .items()
        .map(|item| {
            let Value::Bytes(der) = item else {
                return Err(StatementFault::WrongType { member: "x5c" });
            };
            Ok(der)
        })
        .collect::<Result<Vec<_>, _>>()?;
    match certificates.first() {
        Some(&leaf) if array.len() <= 16 => Ok(CertificatePath { leaf, certificates }),
        _ => Err(StatementFault::CertificateCount { count: array.len() }),
    }
}
