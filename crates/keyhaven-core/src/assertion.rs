use keyhaven_types::{
    Backup, CoseAlgorithm, CredentialId, Flags, Origin, SignCount, UserVerification, base64url,
};

use crate::Step;
use crate::authenticator_data::{AuthenticatorData, AuthenticatorDataError};
use crate::ceremony::{self, TopOrigin};
use crate::client_data::CollectedClientData;
use crate::crypto::sha256;
use crate::error::{AssertionError, Received};
use crate::extensions::SignedAssertionExtensions;
use crate::public_key::PublicKey;
use crate::relying_party::{
    AssertionPolicy, BackupEligibilityChange, CredentialRecord, ExpectedAssertion, ExpectedUser,
    SignCountRegression,
};
use crate::response::AuthenticationResponse;
use crate::trace::{NoTrace, Trace, Tracer};

/// An assertion that was verified: what to update in the credential record (WebAuthn L3 §7.2 step 24).
///
/// Only [`verify_assertion`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub struct VerifiedAssertion {
    credential_id: CredentialId,
    algorithm: CoseAlgorithm,
    flags: Flags,
    backup: Backup,
    sign_count: SignCountCheck,
    new_sign_count: SignCount,
    origin: Origin,
    signed_extensions: SignedAssertionExtensions,
}

/// How the sign count moved (WebAuthn L3 §7.2 step 22).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a count that did not rise is a sign of a cloned credential"]
pub enum SignCountCheck {
    /// It rose.
    Advanced,
    /// Both are zero: the authenticator does not count.
    NotSupported,
    /// It did not rise, a drop to zero included.
    Regressed {
        /// The stored count.
        stored: SignCount,
        /// The count received.
        received: SignCount,
    },
}

impl SignCountCheck {
    /// Compares the stored count with the one received.
    pub fn compare(stored: SignCount, received: SignCount) -> Self {
        match (stored, received) {
            (SignCount(0), SignCount(0)) => Self::NotSupported,
            (stored, received) if received > stored => Self::Advanced,
            (stored, received) => Self::Regressed { stored, received },
        }
    }

    /// `advanced`, `not-supported` or `regressed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advanced => "advanced",
            Self::NotSupported => "not-supported",
            Self::Regressed { .. } => "regressed",
        }
    }
}

/// Verifies one assertion against one stored credential.
///
/// Pure: time, randomness and look-ups are the caller's. Follows WebAuthn L3 §7.2; steps 1, 2, the look-up of 6, 24 and
/// 25 are the caller's.
///
/// # Errors
/// The first step that does not hold.
pub fn verify_assertion(
    response: &AuthenticationResponse,
    expected: &ExpectedAssertion<'_>,
    credential: &CredentialRecord<'_>,
    policy: &AssertionPolicy,
) -> Result<VerifiedAssertion, AssertionError> {
    verify(response, expected, credential, policy, &mut NoTrace)
}

/// [`verify_assertion`], which also writes down each step with what it compared.
///
/// # Errors
/// The first step that does not hold; it is the trace's last entry.
pub fn verify_assertion_traced(
    response: &AuthenticationResponse,
    expected: &ExpectedAssertion<'_>,
    credential: &CredentialRecord<'_>,
    policy: &AssertionPolicy,
    trace: &mut Trace,
) -> Result<VerifiedAssertion, AssertionError> {
    verify(response, expected, credential, policy, trace)
        .inspect_err(|error| trace.refuse(error.step(), &error.to_string()))
}

fn verify(
    response: &AuthenticationResponse,
    expected: &ExpectedAssertion<'_>,
    credential: &CredentialRecord<'_>,
    policy: &AssertionPolicy,
    trace: &mut impl Tracer,
) -> Result<VerifiedAssertion, AssertionError> {
    let step = Step::Assertion;
    let relying_party = expected.relying_party;

    // Steps 1 and 2 are the server's and the page's.

    // Step 3. The response is an assertion response: AuthenticationResponse::from_json saw to that.
    trace.check(step(3), || {
        "type \"public-key\", with clientDataJSON, authenticatorData and signature".into()
    });

    // Step 4. The client extension results are kept in the response.
    trace.check(step(4), || format!("{:?}", response.client_extension_results()));

    // Step 5. Where credentials were named, it is one of them.
    if expected.allow_credentials.is_empty() {
        trace.skip(step(5), || "no credential was named".into());
    } else {
        trace.check(step(5), || {
            let allowed: Vec<String> = expected
                .allow_credentials
                .iter()
                .map(ToString::to_string)
                .collect();
            format!(
                "credential {:?}, asked for {allowed:?}",
                base64url::encode(response.credential_id())
            )
        });
        if !expected
            .allow_credentials
            .iter()
            .any(|allowed| allowed.as_bytes() == response.credential_id())
        {
            return Err(AssertionError::CredentialNotAllowed);
        }
    }

    // Step 6. The record is this credential's; the user handle is that of its account, and is there where nothing else
    // tells the account. That the record is the account's is the look-up's part.
    trace.check(step(6), || {
        let record = credential.id.to_string();
        let user_handle = response.user_handle().map(base64url::encode);
        format!(
            "record {record:?}, user {:?}, userHandle {user_handle:?}",
            expected.user
        )
    });
    if credential.id.as_bytes() != response.credential_id() {
        return Err(AssertionError::CredentialNotFound);
    }
    match response.user_handle() {
        None | Some([]) if expected.user == ExpectedUser::Discoverable => {
            return Err(AssertionError::UserHandleMissing);
        }
        Some(received)
            if credential
                .user_handle
                .is_some_and(|stored| !stored.matches(received)) =>
        {
            return Err(AssertionError::UserHandleMismatch);
        }
        Some(_) | None => {}
    }

    // Step 7. cData, authData and sig. An assertion has no attested credential data.
    trace.check(step(7), || {
        format!("authenticatorData: {} bytes", response.authenticator_data().len())
    });
    let auth_data = AuthenticatorData::parse(response.authenticator_data(), policy.canonical_cbor)?;
    if auth_data.attested_credential_data().is_some() {
        return Err(AuthenticatorDataError::AttestedCredentialDataUnexpected.into());
    }
    let flags = auth_data.flags();

    // Step 8. The client data as UTF-8, without a byte order mark.
    trace.check(step(8), || {
        format!("clientDataJSON: {} bytes", response.client_data_json().len())
    });
    let client_data_text = CollectedClientData::decode(response.client_data_json())?;

    // Step 9. C: the text as JSON, unknown members allowed.
    trace.check(step(9), || client_data_text.to_owned());
    let client_data = CollectedClientData::from_text(client_data_text)?;

    // Step 10. C.type is webauthn.get.
    trace.check(step(10), || {
        format!(
            "type: expected \"webauthn.get\", received {:?}",
            client_data.kind()
        )
    });
    if client_data.kind() != "webauthn.get" {
        return Err(AssertionError::CeremonyTypeMismatch {
            received: Received::new(client_data.kind()),
        });
    }

    // Step 11. C.challenge is the challenge that was issued.
    trace.check(step(11), || {
        let issued = base64url::encode(expected.challenge.as_bytes());
        format!(
            "challenge: expected {issued:?}, received {:?}",
            client_data.challenge()
        )
    });
    if !expected.challenge.matches(client_data.challenge()) {
        return Err(AssertionError::ChallengeMismatch);
    }

    // Step 12. C.origin is an origin we expect.
    trace.check(step(12), || {
        let origins = ceremony::expected_origins(relying_party, expected.origin);
        format!(
            "origin: expected one of {origins:?}, received {:?}",
            client_data.origin()
        )
    });
    let origin =
        ceremony::expected_origin(relying_party, expected.origin, client_data.origin()).ok_or_else(|| {
            AssertionError::OriginMismatch {
                received: Received::new(client_data.origin()),
            }
        })?;

    // Step 13. C.crossOrigin is true only where cross-origin use is expected.
    trace.check(step(13), || {
        format!(
            "crossOrigin: {:?}, policy {:?}",
            client_data.cross_origin(),
            relying_party.cross_origin
        )
    });
    if !ceremony::cross_origin_allowed(relying_party, &client_data) {
        return Err(AssertionError::CrossOriginNotAllowed);
    }

    // Step 14. C.topOrigin, where present: cross-origin use is expected, and by this page.
    match ceremony::top_origin(relying_party, &client_data) {
        TopOrigin::Absent => trace.skip(step(14), || "topOrigin: absent".into()),
        TopOrigin::Expected(received) => trace.check(step(14), || format!("topOrigin: {received:?}")),
        TopOrigin::Unexpected(received) => {
            trace.check(step(14), || format!("topOrigin: {received:?}"));
            return Err(AssertionError::TopOriginNotAllowed {
                received: Received::new(received),
            });
        }
    }

    // Step 15. rpIdHash is the hash of our RP ID, or of the AppID where we asked for the appid extension and the client
    // says it used it.
    let rp_id = match expected.appid {
        Some(appid) if response.client_extension_results().appid() == Some(true) => appid,
        Some(_) | None => relying_party.id.as_str(),
    };
    let rp_id_hash = sha256(rp_id.as_bytes());
    trace.check(step(15), || {
        ceremony::compared_hashes(&rp_id_hash, auth_data.rp_id_hash())
    });
    if *auth_data.rp_id_hash() != rp_id_hash {
        return Err(AssertionError::RpIdMismatch);
    }

    // Step 16. UP is set.
    trace.check(step(16), || format!("UP: {}", flags.user_present()));
    if !flags.user_present() {
        return Err(AssertionError::UserPresenceMissing);
    }

    // Step 17. UV is set where user verification is required.
    trace.check(step(17), || {
        format!(
            "UV: {}, policy {:?}",
            flags.user_verified(),
            policy.user_verification
        )
    });
    if policy.user_verification == UserVerification::Required && !flags.user_verified() {
        return Err(AssertionError::UserVerificationMissing);
    }

    // Step 18. BE clear implies BS clear.
    trace.check(step(18), || {
        format!("BE: {}, BS: {}", flags.backup_eligible(), flags.backup_state())
    });
    let backup = flags.backup().ok_or(AssertionError::BackupFlagsInvalid)?;

    // Step 19. BE is what it was at registration, or has become set where policy allows that.
    match credential.backup_eligible {
        None => trace.skip(step(19), || "no stored backup eligibility".into()),
        Some(stored) => {
            trace.check(step(19), || {
                let (change, kinds) = (policy.backup_eligibility_change, policy.backup);
                format!(
                    "BE: stored {stored}, received {}, policy {change:?}; BS: {}, policy {kinds:?}",
                    backup.is_eligible(),
                    backup.is_backed_up()
                )
            });
            let allowed = match policy.backup_eligibility_change {
                BackupEligibilityChange::AllowUpgrade => backup.is_eligible() || !stored,
                BackupEligibilityChange::Refuse => backup.is_eligible() == stored,
            };
            if !allowed {
                return Err(AssertionError::BackupEligibilityChanged);
            }
        }
    }
    if !(policy.backup.allows_eligibility(backup.is_eligible())
        && policy.backup.allows_state(backup.is_backed_up()))
    {
        return Err(AssertionError::BackupNotAllowed);
    }

    // Step 20. The hash of the client data as received.
    let client_data_hash = sha256(response.client_data_json());
    trace.check(step(20), || {
        format!(
            "SHA-256(clientDataJSON): {}",
            base64url::encode(&client_data_hash)
        )
    });

    // Step 21. sig verifies over authData || hash with the stored key.
    trace.check(step(21), || {
        let key = base64url::encode(credential.public_key.as_bytes());
        format!(
            "key {key:?}, signature {:?}",
            base64url::encode(response.signature())
        )
    });
    let public_key = PublicKey::from_stored(credential.public_key.as_bytes())?;
    let valid = public_key.verify_joined(
        response.authenticator_data(),
        &client_data_hash,
        response.signature(),
    );
    if valid.is_err() {
        // A stored key that never could verify anything is told apart from a signature that does not verify.
        public_key.judge()?;
        return Err(AssertionError::SignatureInvalid);
    }

    // Step 22. The sign count has risen, where the authenticator counts at all; else policy decides.
    let stored = credential.sign_count;
    let received = auth_data.sign_count();
    trace.check(step(22), || {
        format!("signCount: stored {stored}, received {received}")
    });
    let sign_count = SignCountCheck::compare(stored, received);
    if let SignCountCheck::Regressed { stored, received } = sign_count
        && policy.sign_count_regression == SignCountRegression::Refuse
    {
        return Err(AssertionError::CounterRegression {
            stored: stored.0,
            received: received.0,
        });
    }

    // Step 23. Extension outputs: well formed as CBOR since step 7; what was not asked for is ignored or refused.
    let client_extensions = response.client_extension_results();
    trace.check(step(23), || {
        ceremony::extension_names(client_extensions, &auth_data)
    });
    policy
        .extensions
        .check_unsolicited(client_extensions, &auth_data)?;
    let signed_extensions = SignedAssertionExtensions::read(&auth_data, &policy.extensions)?;

    // Steps 24 and 25 are the service's: update the record, continue.
    Ok(VerifiedAssertion {
        credential_id: credential.id.clone(),
        algorithm: public_key.algorithm(),
        flags,
        backup,
        sign_count,
        new_sign_count: received.max(stored),
        origin: origin.clone(),
        signed_extensions,
    })
}

impl VerifiedAssertion {
    /// The credential that signed.
    #[must_use]
    pub const fn credential_id(&self) -> &CredentialId {
        &self.credential_id
    }

    /// Its key's algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> CoseAlgorithm {
        self.algorithm
    }

    /// The flags byte.
    #[must_use]
    pub const fn flags(&self) -> Flags {
        self.flags
    }

    /// BE and BS now.
    #[must_use]
    pub const fn backup(&self) -> Backup {
        self.backup
    }

    /// UV: the user was verified. Whether that turns the record's `uvInitialized` true is the caller's decision
    /// (§7.2 step 24.3).
    #[must_use]
    pub const fn user_verified(&self) -> bool {
        self.flags.user_verified()
    }

    /// How the sign count moved. `Regressed` occurs only under [`SignCountRegression::Report`].
    pub const fn sign_count(&self) -> SignCountCheck {
        self.sign_count
    }

    /// The count to store: the one received, or the stored one where that is higher, so that a reported regression
    /// keeps being reported.
    #[must_use]
    pub const fn new_sign_count(&self) -> SignCount {
        self.new_sign_count
    }

    /// The expected origin the ceremony ran on.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What the authenticator signed of extensions.
    #[must_use]
    pub const fn signed_extensions(&self) -> &SignedAssertionExtensions {
        &self.signed_extensions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_count_being_non_zero_makes_it_count() {
        let compare = |stored, received| SignCountCheck::compare(SignCount(stored), SignCount(received));
        assert_eq!(compare(0, 0), SignCountCheck::NotSupported);
        assert_eq!(compare(0, 1), SignCountCheck::Advanced);
        assert_eq!(compare(u32::MAX - 1, u32::MAX), SignCountCheck::Advanced);
        for (stored, received) in [(1, 0), (1, 1), (2, 1), (u32::MAX, 0)] {
            let regressed = SignCountCheck::Regressed {
                stored: SignCount(stored),
                received: SignCount(received),
            };
            assert_eq!(compare(stored, received), regressed);
        }
    }
}
