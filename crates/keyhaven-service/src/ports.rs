//! What the service asks of its surroundings.

use std::fmt;
use std::sync::Arc;

use keyhaven_core::{
    AssertionPolicy, CredentialRecord, ExpectedAssertion, ExpectedRegistration, RegistrationPolicy,
    TrustAnchorSource, VerifiedAssertion, VerifiedRegistration,
};
use keyhaven_types::UnixTime;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixTime;
}

/// Makes random bytes fit for secrets.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    ///
    /// # Errors
    /// When the source is not available; the buffer is then not to be used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable>;
}

/// Counts what becomes of ceremonies.
pub trait Observer: Send + Sync {
    /// A `registration`, `login`, `password` sign-in or `step_up` came to the end of its `start` or `finish`: `ok`, or the code that the
    /// audit event has, which can say more than the caller was told. All three are from fixed sets.
    fn ceremony(&self, ceremony: &'static str, stage: &'static str, outcome: &'static str);
}

/// Knows the trust anchors of attestations. They may be replaced while the server runs.
pub trait Anchors: Send + Sync {
    /// Those in force now.
    fn current(&self) -> Arc<dyn TrustAnchorSource>;
}

/// Another implementation, which judges after the verifier what the verifier accepted.
pub trait SecondVerdict: Send + Sync {
    /// What it says against a registration, given as its RegistrationResponseJSON; `None`: it agrees, or cannot tell.
    fn against_registration(
        &self,
        json: &[u8],
        expected: &ExpectedRegistration<'_>,
        policy: &RegistrationPolicy<'_>,
        verified: &VerifiedRegistration,
    ) -> Option<String>;

    /// What it says against an assertion, given as its AuthenticationResponseJSON; `None`: it agrees, or cannot tell.
    fn against_assertion(
        &self,
        json: &[u8],
        expected: &ExpectedAssertion<'_>,
        record: &CredentialRecord<'_>,
        policy: &AssertionPolicy,
        verified: &VerifiedAssertion,
    ) -> Option<String>;
}

/// A second implementation, and what its objection means.
#[derive(Clone)]
pub struct Crosscheck {
    /// Who is asked.
    pub judge: Arc<dyn SecondVerdict>,
    /// Whether an objection refuses; else it is only logged.
    pub enforce: bool,
}

impl fmt::Debug for Crosscheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crosscheck")
            .field("enforce", &self.enforce)
            .finish_non_exhaustive()
    }
}

/// The random source did not answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no random bytes are available")]
pub struct RandomUnavailable;
