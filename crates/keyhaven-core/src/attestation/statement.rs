use std::borrow::Cow;

use keyhaven_types::CoseAlgorithm;

use super::{
    AndroidKeyFault, AppleFault, CertificateError, CompoundFault, FidoU2fFault, SafetyNetFault, TpmFault,
};
use crate::cbor::{Array, Key, Map, Value};
use crate::crypto::VerifyingKey;

/// What is wrong with an attestation statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
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
    /// Of `android-key` alone.
    #[error(transparent)]
    AndroidKey(#[from] AndroidKeyFault),
    /// Of `apple` alone.
    #[error(transparent)]
    Apple(#[from] AppleFault),
    /// The attestation certificate does not meet its profile.
    #[error("attestation certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// `x5c` has no certificate, or more than 16.
    #[error("x5c has {count} certificates, not 1 to 16")]
    CertificateCount {
        /// How many.
        count: usize,
    },
    /// Of `compound` alone.
    #[error(transparent)]
    Compound(#[from] CompoundFault),
    /// Of `fido-u2f` alone.
    #[error(transparent)]
    FidoU2f(#[from] FidoU2fFault),
    /// A required member is absent.
    #[error("{member} is missing")]
    MissingMember {
        /// Its name.
        member: &'static str,
    },
    /// The statement is no map.
    #[error("the statement is not a map")]
    NotAMap,
    /// The statement is not the empty map.
    #[error("the statement is not the empty map")]
    NotEmpty,
    /// Of `android-safetynet` alone.
    #[error(transparent)]
    SafetyNet(#[from] SafetyNetFault),
    /// The enterprise serial number extension is there, and enterprise attestation was not asked for.
    #[error("the certificate tells a serial number that was not asked for")]
    SerialNumberUnsolicited,
    /// The signature is not valid.
    #[error("the signature is not valid")]
    SignatureInvalid,
    /// Of `tpm` alone.
    #[error(transparent)]
    Tpm(#[from] TpmFault),
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

/// The members of a statement: those its format defines, and no other.
pub(super) struct Members<'a>(Map<'a>);

/// A chain as received, leaf first; 1 to 16 certificates.
pub(super) struct CertificatePath<'a> {
    pub(super) leaf: &'a [u8],
    pub(super) certificates: Vec<Cow<'a, [u8]>>,
}

impl<'a> Members<'a> {
    /// Takes a statement that may have these members and no other.
    pub(super) fn only(statement: &Value<'a>, names: &[&str]) -> Result<Self, StatementFault> {
        let Value::Map(map) = statement else {
            return Err(StatementFault::NotAMap);
        };
        let defined = |key: &Key<'_>| matches!(key, Key::Text(name) if names.contains(name));
        if map.entries().all(|(key, _)| defined(&key)) {
            Ok(Self(*map))
        } else {
            Err(StatementFault::UnexpectedMember)
        }
    }

    pub(super) fn alg(&self) -> Result<CoseAlgorithm, StatementFault> {
        self.optional_alg()?
            .ok_or(StatementFault::MissingMember { member: "alg" })
    }

    pub(super) fn optional_alg(&self) -> Result<Option<CoseAlgorithm>, StatementFault> {
        let wrong_type = StatementFault::WrongType { member: "alg" };
        match self.0.get("alg") {
            None => Ok(None),
            Some(Value::Integer(identifier)) => match i64::try_from(identifier) {
                Ok(identifier) => Ok(Some(CoseAlgorithm::new(identifier))),
                Err(_) => Err(wrong_type),
            },
            Some(_) => Err(wrong_type),
        }
    }

    pub(super) fn bytes(&self, member: &'static str) -> Result<&'a [u8], StatementFault> {
        match self.0.get(member) {
            None => Err(StatementFault::MissingMember { member }),
            Some(Value::Bytes(bytes)) => Ok(bytes),
            Some(_) => Err(StatementFault::WrongType { member }),
        }
    }

    pub(super) fn text(&self, member: &'static str) -> Result<&'a str, StatementFault> {
        match self.0.get(member) {
            None => Err(StatementFault::MissingMember { member }),
            Some(Value::Text(text)) => Ok(text),
            Some(_) => Err(StatementFault::WrongType { member }),
        }
    }

    /// The certificates. Only their being byte strings is judged here.
    pub(super) fn x5c(&self) -> Result<CertificatePath<'a>, StatementFault> {
        self.optional_x5c()?
            .ok_or(StatementFault::MissingMember { member: "x5c" })
    }

    pub(super) fn optional_x5c(&self) -> Result<Option<CertificatePath<'a>>, StatementFault> {
        match self.0.get("x5c") {
            None => Ok(None),
            Some(Value::Array(array)) => certificates(&array).map(Some),
            Some(_) => Err(StatementFault::WrongType { member: "x5c" }),
        }
    }
}

/// Whether `sig` is a signature over `message` by `key`, a certificate's.
pub(super) fn check_signature(key: &VerifyingKey, message: &[u8], sig: &[u8]) -> Result<(), StatementFault> {
    if key.verify(message, sig).is_err() {
        // A key that never could verify anything is told apart from a signature that does not verify.
        key.judge().map_err(CertificateError::Key)?;
        return Err(StatementFault::SignatureInvalid);
    }
    Ok(())
}

fn certificates<'a>(array: &Array<'a>) -> Result<CertificatePath<'a>, StatementFault> {
    let count = array.len();
    if !(1..=16).contains(&count) {
        return Err(StatementFault::CertificateCount { count });
    }
    let mut certificates = Vec::with_capacity(count);
    let mut first = None;
    for item in array.items() {
        let Value::Bytes(der) = item else {
            return Err(StatementFault::WrongType { member: "x5c" });
        };
        first.get_or_insert(der);
        certificates.push(Cow::Borrowed(der));
    }
    let leaf = first.ok_or(StatementFault::CertificateCount { count })?;
    Ok(CertificatePath { leaf, certificates })
}
