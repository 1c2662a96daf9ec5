use super::{Extension, ExtensionError, ExtensionPolicy};
use crate::authenticator_data::AuthenticatorData;
use crate::cbor::Value;

/// Extension outputs that the authenticator signed at registration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SignedRegistrationExtensions {
    cred_blob_stored: Option<bool>,
    cred_protect: Option<CredProtect>,
    hmac_secret: Option<bool>,
    min_pin_length: Option<u32>,
    encoded: Vec<u8>,
}

/// Extension outputs that the authenticator signed in an assertion.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SignedAssertionExtensions {
    cred_blob: Option<Vec<u8>>,
    hmac_secret: Option<Vec<u8>>,
    encoded: Vec<u8>,
}

/// `credProtect`: when the authenticator lets the credential be used (CTAP 2.2 §12.1).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum CredProtect {
    /// 1: without user verification, and found without its id.
    UserVerificationOptional,
    /// 2: without user verification only where its id is given.
    UserVerificationOptionalWithCredentialId,
    /// 3: only with user verification.
    UserVerificationRequired,
}

impl CredProtect {
    /// As CTAP writes it: 1 to 3.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::UserVerificationOptional => 1,
            Self::UserVerificationOptionalWithCredentialId => 2,
            Self::UserVerificationRequired => 3,
        }
    }

    /// As client extension inputs write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserVerificationOptional => "userVerificationOptional",
            Self::UserVerificationOptionalWithCredentialId => "userVerificationOptionalWithCredentialIDList",
            Self::UserVerificationRequired => "userVerificationRequired",
        }
    }
}

impl SignedRegistrationExtensions {
    pub(crate) fn read(
        data: &AuthenticatorData<'_>,
        policy: &ExtensionPolicy,
    ) -> Result<Self, ExtensionError> {
        let outputs = Outputs { data, policy };
        Ok(Self {
            cred_blob_stored: outputs.read(Extension::CredBlob, boolean)?,
            cred_protect: outputs.read(Extension::CredProtect, |value| match integer(value)? {
                1 => Some(CredProtect::UserVerificationOptional),
                2 => Some(CredProtect::UserVerificationOptionalWithCredentialId),
                3 => Some(CredProtect::UserVerificationRequired),
                _ => None,
            })?,
            hmac_secret: outputs.read(Extension::HmacSecret, boolean)?,
            min_pin_length: outputs.read(Extension::MinPinLength, |value| {
                u32::try_from(integer(value)?).ok()
            })?,
            encoded: data.extension_bytes().to_vec(),
        })
    }

    /// `credBlob`: whether the blob was stored.
    #[must_use]
    pub const fn cred_blob_stored(&self) -> Option<bool> {
        self.cred_blob_stored
    }

    /// `credProtect`: the protection in force, which may be less than was asked for.
    #[must_use]
    pub const fn cred_protect(&self) -> Option<CredProtect> {
        self.cred_protect
    }

    /// `hmac-secret`: whether the credential can do it.
    #[must_use]
    pub const fn hmac_secret(&self) -> Option<bool> {
        self.hmac_secret
    }

    /// `minPinLength`: the shortest PIN the authenticator accepts, in Unicode code points.
    #[must_use]
    pub const fn min_pin_length(&self) -> Option<u32> {
        self.min_pin_length
    }

    /// All outputs, known or not: the CBOR map as it was signed; empty where there is none.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }
}

impl SignedAssertionExtensions {
    pub(crate) fn read(
        data: &AuthenticatorData<'_>,
        policy: &ExtensionPolicy,
    ) -> Result<Self, ExtensionError> {
        let outputs = Outputs { data, policy };
        Ok(Self {
            cred_blob: outputs.read(Extension::CredBlob, bytes)?,
            hmac_secret: outputs.read(Extension::HmacSecret, bytes)?,
            encoded: data.extension_bytes().to_vec(),
        })
    }

    /// `credBlob`: the blob that was kept with the credential; empty where there is none.
    #[must_use]
    pub fn cred_blob(&self) -> Option<&[u8]> {
        self.cred_blob.as_deref()
    }

    /// `hmac-secret`: the outputs, encrypted for the client.
    #[must_use]
    pub fn hmac_secret(&self) -> Option<&[u8]> {
        self.hmac_secret.as_deref()
    }

    /// All outputs, known or not: the CBOR map as it was signed; empty where there is none.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }
}

struct Outputs<'a> {
    data: &'a AuthenticatorData<'a>,
    policy: &'a ExtensionPolicy,
}

impl<'a> Outputs<'a> {
    /// The output of `extension`. One of another type than the extension defines is refused where it was asked for, and
    /// is no output where it was not.
    fn read<T>(
        &self,
        extension: Extension,
        typed: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, ExtensionError> {
        let Some(value) = self.data.extensions().and_then(|map| map.get(extension.as_str())) else {
            return Ok(None);
        };
        match typed(value) {
            None if self.policy.requested.allows(extension.as_str()) => {
                Err(ExtensionError::Malformed(extension.as_str()))
            }
            output => Ok(output),
        }
    }
}

const fn boolean(value: Value<'_>) -> Option<bool> {
    if let Value::Bool(value) = value {
        Some(value)
    } else {
        None
    }
}

fn bytes(value: Value<'_>) -> Option<Vec<u8>> {
    if let Value::Bytes(bytes) = value {
        Some(bytes.to_vec())
    } else {
        None
    }
}

const fn integer(value: Value<'_>) -> Option<i128> {
    if let Value::Integer(integer) = value {
        Some(integer)
    } else {
        None
    }
}
