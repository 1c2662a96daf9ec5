//! How well somebody proved who they are: computed from what was verified, never from what anybody says.

use keyhaven_core::{VerifiedAssertion, VerifiedRegistration};
use keyhaven_storage::{Credential, Session};

/// A key that hardware keeps (RFC 8176).
const HARDWARE_KEY: &str = "hwk";
/// A key of which nobody has shown that hardware keeps it (RFC 8176).
const SOFTWARE_KEY: &str = "swk";
/// Somebody was there (RFC 8176).
const PRESENCE: &str = "user";
/// More than one factor (RFC 8176).
const MULTIPLE_FACTORS: &str = "mfa";

/// What was proven when a session was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Proof {
    user_verified: bool,
    hardware: bool,
}

impl Proof {
    pub(crate) fn registration(verified: &VerifiedRegistration) -> Self {
        Self {
            user_verified: verified.user_verified(),
            hardware: verified.attestation_hardware() && !verified.backup().is_eligible(),
        }
    }

    /// User verification counts as a factor only where the credential was registered with it (`uvInitialized`, WebAuthn
    /// L3 §4). An assertion alone never turns that on: §7.2 step 24.3 wants a further factor as strong for it, and the
    /// one that is as strong is to register the passkey anew.
    pub(crate) fn assertion(verified: &VerifiedAssertion, credential: &Credential) -> Self {
        Self {
            user_verified: verified.user_verified() && credential.uv_initialized,
            // What was attested, and what the authenticator says of itself now: each can take it away.
            hardware: credential.attestation_hardware
                && !credential.backup_eligible
                && !verified.backup().is_eligible(),
        }
    }

    /// NIST SP 800-63B-4: a passkey with user verification is multi-factor, AAL2; AAL3 needs a key that cannot leave
    /// hardware, which only a trusted attestation that says so shows of a key that cannot be backed up.
    pub(crate) const fn aal(self) -> u8 {
        match (self.user_verified, self.hardware) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 3,
        }
    }

    /// The methods, named as in RFC 8176.
    pub(crate) fn amr(self) -> Vec<String> {
        let key = if self.hardware { HARDWARE_KEY } else { SOFTWARE_KEY };
        let factors = self.user_verified.then_some(MULTIPLE_FACTORS);
        [key, PRESENCE]
            .into_iter()
            .chain(factors)
            .map(str::to_owned)
            .collect()
    }
}

/// The authentication context class of a session (OpenID Connect EAP ACR Values 1.0): `phrh` where it was opened with a
/// key that hardware keeps, `phr` where with any passkey; none where with nothing that withstands phishing.
#[must_use]
pub fn authentication_context(session: &Session) -> Option<&'static str> {
    let opened_with = |method: &str| session.amr.iter().any(|used| used == method);
    if opened_with(HARDWARE_KEY) {
        Some("phrh")
    } else if opened_with(SOFTWARE_KEY) {
        Some("phr")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn proof(user_verified: bool, hardware: bool) -> Proof {
        Proof {
            user_verified,
            hardware,
        }
    }

    #[test]
    fn without_user_verification_it_is_one_factor_whatever_the_key() {
        assert_eq!(proof(false, false).aal(), 1);
        assert_eq!(proof(false, true).aal(), 1);
        assert_eq!(proof(false, false).amr(), ["swk", "user"]);
        assert_eq!(proof(false, true).amr(), ["hwk", "user"]);
    }

    #[test]
    fn with_user_verification_it_is_two_and_the_key_decides_on_the_third_level() {
        assert_eq!(proof(true, false).aal(), 2);
        assert_eq!(proof(true, true).aal(), 3);
        assert_eq!(proof(true, false).amr(), ["swk", "user", "mfa"]);
        assert_eq!(proof(true, true).amr(), ["hwk", "user", "mfa"]);
    }
}
