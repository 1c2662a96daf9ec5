//! The second verdict, where the build has it: `keyhaven-crosscheck` as the service's port.

use keyhaven_api::Metrics;
use keyhaven_core::{
    AssertionPolicy, CredentialRecord, ExpectedAssertion, ExpectedRegistration, RegistrationPolicy,
    VerifiedAssertion, VerifiedRegistration,
};
use keyhaven_crosscheck::Verdict;
use keyhaven_service::SecondVerdict;

/// webauthn-rs-core, asked after the verifier.
pub(crate) struct OtherImplementation(pub(crate) Metrics);

impl SecondVerdict for OtherImplementation {
    fn against_registration(
        &self,
        json: &[u8],
        expected: &ExpectedRegistration<'_>,
        policy: &RegistrationPolicy<'_>,
        verified: &VerifiedRegistration,
    ) -> Option<String> {
        let verdict = keyhaven_crosscheck::registration(json, expected, policy, Ok(verified));
        self.objection("registration", verdict)
    }

    fn against_assertion(
        &self,
        json: &[u8],
        expected: &ExpectedAssertion<'_>,
        record: &CredentialRecord<'_>,
        policy: &AssertionPolicy,
        verified: &VerifiedAssertion,
    ) -> Option<String> {
        let verdict = keyhaven_crosscheck::assertion(json, expected, record, policy, Ok(verified));
        self.objection("assertion", verdict)
    }
}

impl OtherImplementation {
    fn objection(&self, ceremony: &'static str, verdict: Verdict) -> Option<String> {
        let (word, objection) = match verdict {
            Verdict::Abstain { .. } => ("abstain", None),
            Verdict::Agree => ("agree", None),
            Verdict::Disagree { theirs, .. } => ("disagree", Some(theirs.to_string())),
        };
        self.0.crosschecked(ceremony, word);
        objection
    }
}
