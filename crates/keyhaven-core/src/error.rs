use keyhaven_types::CoseAlgorithm;

use crate::Step;
use crate::attestation::{AttestationError, AttestationObjectError};
use crate::authenticator_data::AuthenticatorDataError;
use crate::client_data::ClientDataError;
use crate::extensions::ExtensionError;
use crate::public_key::PublicKeyError;
use crate::response::EnvelopeError;
use crate::trust::TrustError;

/// Text received from a client, cut to 200 characters for messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received(Box<str>);

impl Received {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.chars().take(200).collect::<String>().into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Quoted and escaped.
impl std::fmt::Display for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Why a registration was refused: the first step of WebAuthn L3 §7.1 that does not hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// Step 20: the key's algorithm was not offered.
    #[error("algorithm {algorithm} was not offered")]
    AlgorithmNotAllowed {
        /// The key's algorithm.
        algorithm: CoseAlgorithm,
    },
    /// Step 22: the attestation statement does not verify; the step is that of its format.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// Step 13: the attestation object, or a part of it, is malformed.
    #[error("attestation object: {0}")]
    AttestationObject(#[from] AttestationObjectError),
    /// Step 24: the attestation is not trusted.
    #[error("the attestation is not trusted: {0}")]
    AttestationUntrusted(#[from] TrustError),
    /// Step 18: policy wants another backup eligibility.
    #[error("the credential's backup eligibility is not acceptable")]
    BackupEligibilityNotAllowed,
    /// Step 17: BS is set without BE.
    #[error("the backup state flag is set without backup eligibility")]
    BackupFlagsInvalid,
    /// Step 19: policy wants another backup state.
    #[error("the credential's backup state is not acceptable")]
    BackupStateNotAllowed,
    /// Step 7: the client data are of another ceremony.
    #[error("the client data are of type {received}, not \"webauthn.create\"")]
    CeremonyTypeMismatch {
        /// `type`.
        received: Received,
    },
    /// Step 8: another challenge than the one issued.
    #[error("the challenge is not the one that was issued")]
    ChallengeMismatch,
    /// Steps 5 and 6: the client data are malformed.
    #[error("client data: {0}")]
    ClientData(#[from] ClientDataError),
    /// Step 25: the attested id is not the one of the envelope.
    #[error("the attested credential id is not the one in the envelope")]
    CredentialIdMismatch,
    /// Step 25: the credential id is empty or longer than 1023 bytes.
    #[error("a credential id of {len} bytes, not 1 to 1023")]
    CredentialIdLength {
        /// The number of bytes received.
        len: usize,
    },
    /// Step 10: the page was embedded in one of another origin.
    #[error("cross-origin use is not allowed")]
    CrossOriginNotAllowed,
    /// Step 3: the response is no RegistrationResponseJSON.
    #[error("response: {0}")]
    Envelope(#[from] EnvelopeError),
    /// Step 28: extension outputs that policy does not accept.
    #[error("extensions: {0}")]
    Extension(#[from] ExtensionError),
    /// Step 9: the page is not one of ours, or not the one the ceremony was started from.
    #[error("origin {received} is not expected")]
    OriginMismatch {
        /// `origin`.
        received: Received,
    },
    /// Step 20: the key cannot be imported.
    #[error("the public key cannot be used: {0}")]
    PublicKeyInvalid(PublicKeyError),
    /// Step 14: made for another RP ID.
    #[error("the RP ID hash is not that of the expected RP ID")]
    RpIdMismatch,
    /// Step 11: the embedding page is not expected.
    #[error("embedding page {received} is not expected")]
    TopOriginNotAllowed {
        /// `topOrigin`.
        received: Received,
    },
    /// Step 20: this build does not verify the key's algorithm.
    #[error("algorithm {algorithm} is not supported")]
    UnsupportedAlgorithm {
        /// The key's algorithm.
        algorithm: CoseAlgorithm,
    },
    /// Step 21: this build does not verify the attestation format.
    #[error("attestation format {received} is not supported")]
    UnsupportedFormat {
        /// `fmt`.
        received: Received,
    },
    /// Step 15: nobody was present.
    #[error("the user was not present")]
    UserPresenceMissing,
    /// Step 16: the user was not verified.
    #[error("the user was not verified")]
    UserVerificationMissing,
}

impl From<PublicKeyError> for RegistrationError {
    fn from(error: PublicKeyError) -> Self {
        if let PublicKeyError::UnsupportedAlgorithm { algorithm } = error {
            Self::UnsupportedAlgorithm { algorithm }
        } else {
            Self::PublicKeyInvalid(error)
        }
    }
}

impl RegistrationError {
    /// The stable code, as documented in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlgorithmNotAllowed { .. } => "algorithm_not_allowed",
            Self::Attestation(_) => "attestation_invalid",
            Self::AttestationObject(_)
            | Self::ClientData(_)
            | Self::CredentialIdLength { .. }
            | Self::CredentialIdMismatch
            | Self::Envelope(_) => "malformed_response",
            Self::AttestationUntrusted(_) => "attestation_untrusted",
            Self::BackupEligibilityNotAllowed | Self::BackupFlagsInvalid | Self::BackupStateNotAllowed => {
                "backup_flags_invalid"
            }
            Self::CeremonyTypeMismatch { .. } => "ceremony_type_mismatch",
            Self::ChallengeMismatch => "challenge_mismatch",
            Self::CrossOriginNotAllowed => "cross_origin_not_allowed",
            Self::Extension(_) => "extension_not_allowed",
            Self::OriginMismatch { .. } => "origin_mismatch",
            Self::PublicKeyInvalid(_) => "public_key_invalid",
            Self::RpIdMismatch => "rp_id_mismatch",
            Self::TopOriginNotAllowed { .. } => "top_origin_not_allowed",
            Self::UnsupportedAlgorithm { .. } => "unsupported_algorithm",
            Self::UnsupportedFormat { .. } => "unsupported_format",
            Self::UserPresenceMissing => "user_presence_missing",
            Self::UserVerificationMissing => "user_verification_missing",
        }
    }

    /// The step that refused.
    #[must_use]
    pub const fn step(&self) -> Step {
        Step::Registration(match self {
            Self::Attestation(error) => return error.format.step(),
            Self::Envelope(_) => 3,
            Self::ClientData(ClientDataError::NotUtf8) => 5,
            Self::ClientData(ClientDataError::Json(_) | ClientDataError::TooLong { .. }) => 6,
            Self::CeremonyTypeMismatch { .. } => 7,
            Self::ChallengeMismatch => 8,
            Self::OriginMismatch { .. } => 9,
            Self::CrossOriginNotAllowed => 10,
            Self::TopOriginNotAllowed { .. } => 11,
            Self::AttestationObject(_) => 13,
            Self::RpIdMismatch => 14,
            Self::UserPresenceMissing => 15,
            Self::UserVerificationMissing => 16,
            Self::BackupFlagsInvalid => 17,
            Self::BackupEligibilityNotAllowed => 18,
            Self::BackupStateNotAllowed => 19,
            Self::AlgorithmNotAllowed { .. }
            | Self::PublicKeyInvalid(_)
            | Self::UnsupportedAlgorithm { .. } => 20,
            Self::UnsupportedFormat { .. } => 21,
            Self::AttestationUntrusted(_) => 24,
            Self::CredentialIdLength { .. } | Self::CredentialIdMismatch => 25,
            Self::Extension(_) => 28,
        })
    }
}

/// Why an assertion was refused: the first step of WebAuthn L3 §7.2 that does not hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// Step 7: the authenticator data are malformed.
    #[error("authenticator data: {0}")]
    AuthenticatorData(#[from] AuthenticatorDataError),
    /// Step 19: BE is not what it was at registration.
    #[error("backup eligibility has changed since registration")]
    BackupEligibilityChanged,
    /// Step 18: BS is set without BE.
    #[error("the backup state flag is set without backup eligibility")]
    BackupFlagsInvalid,
    /// Step 19: policy wants another backup eligibility or state.
    #[error("the credential's backup eligibility or state is not acceptable")]
    BackupNotAllowed,
    /// Step 10: the client data are of another ceremony.
    #[error("the client data are of type {received}, not \"webauthn.get\"")]
    CeremonyTypeMismatch {
        /// `type`.
        received: Received,
    },
    /// Step 11: another challenge than the one issued.
    #[error("the challenge is not the one that was issued")]
    ChallengeMismatch,
    /// Steps 8 and 9: the client data are malformed.
    #[error("client data: {0}")]
    ClientData(#[from] ClientDataError),
    /// Step 22: the sign count did not rise.
    #[error("the sign count went from {stored} to {received}")]
    CounterRegression {
        /// The stored count.
        stored: u32,
        /// The count received.
        received: u32,
    },
    /// Step 5: the credential was not asked for.
    #[error("the credential is not one that was asked for")]
    CredentialNotAllowed,
    /// Step 6: the response is of another credential than the record.
    #[error("the response is not of the credential it is verified against")]
    CredentialNotFound,
    /// Step 13: the page was embedded in one of another origin.
    #[error("cross-origin use is not allowed")]
    CrossOriginNotAllowed,
    /// Step 3: the response is no AuthenticationResponseJSON.
    #[error("response: {0}")]
    Envelope(#[from] EnvelopeError),
    /// Step 23: extension outputs that policy does not accept.
    #[error("extensions: {0}")]
    Extension(#[from] ExtensionError),
    /// Step 12: the page is not one of ours, or not the one the ceremony was started from.
    #[error("origin {received} is not expected")]
    OriginMismatch {
        /// `origin`.
        received: Received,
    },
    /// Step 21: the stored key cannot be used.
    #[error("the stored public key cannot be used: {0}")]
    PublicKeyInvalid(PublicKeyError),
    /// Step 15: made for another RP ID.
    #[error("the RP ID hash is not that of the expected RP ID")]
    RpIdMismatch,
    /// Step 21. Says no more on purpose.
    #[error("the signature is not valid")]
    SignatureInvalid,
    /// Step 14: the embedding page is not expected.
    #[error("embedding page {received} is not expected")]
    TopOriginNotAllowed {
        /// `topOrigin`.
        received: Received,
    },
    /// Step 21: this build does not verify the stored key's algorithm.
    #[error("algorithm {algorithm} is not supported")]
    UnsupportedAlgorithm {
        /// The key's algorithm.
        algorithm: CoseAlgorithm,
    },
    /// Step 6: the response names another account than the credential's.
    #[error("the user handle is not that of the credential's account")]
    UserHandleMismatch,
    /// Step 6: the response must name the account and does not.
    #[error("the response has no user handle")]
    UserHandleMissing,
    /// Step 16: nobody was present.
    #[error("the user was not present")]
    UserPresenceMissing,
    /// Step 17: the user was not verified.
    #[error("the user was not verified")]
    UserVerificationMissing,
}

impl From<PublicKeyError> for AssertionError {
    fn from(error: PublicKeyError) -> Self {
        if let PublicKeyError::UnsupportedAlgorithm { algorithm } = error {
            Self::UnsupportedAlgorithm { algorithm }
        } else {
            Self::PublicKeyInvalid(error)
        }
    }
}

impl AssertionError {
    /// The stable code, as documented in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AuthenticatorData(_) | Self::ClientData(_) | Self::Envelope(_) => "malformed_response",
            Self::BackupEligibilityChanged => "backup_eligibility_changed",
            Self::BackupFlagsInvalid | Self::BackupNotAllowed => "backup_flags_invalid",
            Self::CeremonyTypeMismatch { .. } => "ceremony_type_mismatch",
            Self::ChallengeMismatch => "challenge_mismatch",
            Self::CounterRegression { .. } => "counter_regression",
            Self::CredentialNotAllowed => "credential_not_allowed",
            Self::CredentialNotFound => "credential_not_found",
            Self::CrossOriginNotAllowed => "cross_origin_not_allowed",
            Self::Extension(_) => "extension_not_allowed",
            Self::OriginMismatch { .. } => "origin_mismatch",
            Self::PublicKeyInvalid(_) => "public_key_invalid",
            Self::RpIdMismatch => "rp_id_mismatch",
            Self::SignatureInvalid => "signature_invalid",
            Self::TopOriginNotAllowed { .. } => "top_origin_not_allowed",
            Self::UnsupportedAlgorithm { .. } => "unsupported_algorithm",
            Self::UserHandleMismatch => "user_handle_mismatch",
            Self::UserHandleMissing => "user_handle_missing",
            Self::UserPresenceMissing => "user_presence_missing",
            Self::UserVerificationMissing => "user_verification_missing",
        }
    }

    /// The step that refused.
    #[must_use]
    pub const fn step(&self) -> Step {
        Step::Assertion(match self {
            Self::Envelope(_) => 3,
            Self::CredentialNotAllowed => 5,
            Self::CredentialNotFound | Self::UserHandleMismatch | Self::UserHandleMissing => 6,
            Self::AuthenticatorData(_) => 7,
            Self::ClientData(ClientDataError::NotUtf8) => 8,
            Self::ClientData(ClientDataError::Json(_) | ClientDataError::TooLong { .. }) => 9,
            Self::CeremonyTypeMismatch { .. } => 10,
            Self::ChallengeMismatch => 11,
            Self::OriginMismatch { .. } => 12,
            Self::CrossOriginNotAllowed => 13,
            Self::TopOriginNotAllowed { .. } => 14,
            Self::RpIdMismatch => 15,
            Self::UserPresenceMissing => 16,
            Self::UserVerificationMissing => 17,
            Self::BackupFlagsInvalid => 18,
            Self::BackupEligibilityChanged | Self::BackupNotAllowed => 19,
            Self::PublicKeyInvalid(_) | Self::SignatureInvalid | Self::UnsupportedAlgorithm { .. } => 21,
            Self::CounterRegression { .. } => 22,
            Self::Extension(_) => 23,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_received_is_cut_and_quoted() {
        let received = Received::new(&"é\n".repeat(150));
        assert_eq!(received.as_str(), "é\n".repeat(100));
        assert_eq!(received.to_string(), format!("\"{}\"", r"é\n".repeat(100)));
    }
}
