//! The second verdict, where the build has it: `keyhaven-crosscheck` as the service's port.

use keyhaven_core::{
    AssertionPolicy, CredentialRecord, ExpectedAssertion, ExpectedRegistration, RegistrationPolicy,
    VerifiedAssertion, VerifiedRegistration,
};
use keyhaven_crosscheck::Verdict;
use keyhaven_service::SecondVerdict;

/// webauthn-rs-core, asked after the verifier.
pub(crate) struct OtherImplementation;

impl SecondVerdict for OtherImplementation {
    fn against_registration(
        &self,
        json: &[u8],
        expected: &ExpectedRegistration<'_>,
        policy: &RegistrationPolicy<'_>,
        verified: &VerifiedRegistration,
    ) -> Option<String> {
        objection(keyhaven_crosscheck::registration(
            json,
            expected,
            policy,
            Ok(verified),
        ))
    }

    fn against_assertion(
        &self,
        json: &[u8],
        expected: &ExpectedAssertion<'_>,
        record: &CredentialRecord<'_>,
        policy: &AssertionPolicy,
        verified: &VerifiedAssertion,
    ) -> Option<String> {
        objection(keyhaven_crosscheck::assertion(
            json,
            expected,
            record,
            policy,
            Ok(verified),
        ))
    }
}

fn objection(verdict: Verdict) -> Option<String> {
    match verdict {
        Verdict::Abstain { .. } | Verdict::Agree => None,
        Verdict::Disagree { theirs, .. } => Some(theirs.to_string()),
    }
}
