//! How well somebody proved who they are: computed from what was verified, never from what anybody says.

use keyhaven_core::{VerifiedAssertion, VerifiedRegistration};
use keyhaven_storage::{Credential, Session};

use crate::factors::ProvenFactors;

/// A key that hardware keeps (RFC 8176).
const HARDWARE_KEY: &str = "hwk";
/// A key of which nobody has shown that hardware keeps it (RFC 8176).
const SOFTWARE_KEY: &str = "swk";
/// Somebody was there (RFC 8176).
const PRESENCE: &str = "user";
/// More than one factor (RFC 8176).
const MULTIPLE_FACTORS: &str = "mfa";

/// A password (RFC 8176).
const PASSWORD: &str = "pwd";
/// The account's client key: a name of Keyhaven's own.
const CLIENT_KEY: &str = "client_key";

/// What was proven when a session was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Proof {
    passkey: Option<PasskeyProof>,
    password: bool,
    client_key: bool,
}

/// What a passkey showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct PasskeyProof {
    user_verified: bool,
    hardware: bool,
}

impl Proof {
    pub(crate) fn registration(verified: &VerifiedRegistration) -> Self {
        Self::passkey(PasskeyProof {
            user_verified: verified.user_verified(),
            hardware: verified.attestation_hardware() && !verified.backup().is_eligible(),
        })
    }

    /// User verification counts as a factor only where the credential was registered with it (`uvInitialized`, WebAuthn
    /// L3 §4). An assertion alone never turns that on: §7.2 step 24.3 wants a further factor as strong for it, and the
    /// one that is as strong is to register the passkey anew.
    pub(crate) fn assertion(verified: &VerifiedAssertion, credential: &Credential) -> Self {
        Self::passkey(PasskeyProof {
            user_verified: verified.user_verified() && credential.uv_initialized,
            // What was attested, and what the authenticator says of itself now: each can take it away.
            hardware: credential.attestation_hardware
                && !credential.backup_eligible
                && !verified.backup().is_eligible(),
        })
    }

    /// One factor, and one that can be phished.
    pub(crate) const fn password() -> Self {
        Self {
            passkey: None,
            password: true,
            client_key: false,
        }
    }

    /// With what was given beside the passkey.
    pub(crate) const fn beside(self, proven: ProvenFactors) -> Self {
        Self {
            password: self.password || proven.password,
            client_key: self.client_key || proven.client_key,
            ..self
        }
    }

    const fn passkey(passkey: PasskeyProof) -> Self {
        Self {
            passkey: Some(passkey),
            password: false,
            client_key: false,
        }
    }

    /// NIST SP 800-63B-4: a passkey with user verification is multi-factor, AAL2; AAL3 needs a key that cannot leave
    /// hardware, which only a trusted attestation that says so shows of a key that cannot be backed up. A password beside
    /// a passkey that did not verify its user is a second factor; alone it is one. A client key is kept, as a passkey is,
    /// and adds no level.
    pub(crate) const fn aal(self) -> u8 {
        match self.passkey {
            None => 1,
            Some(PasskeyProof {
                user_verified: false, ..
            }) => match self.password {
                false => 1,
                true => 2,
            },
            Some(PasskeyProof { hardware: false, .. }) => 2,
            Some(PasskeyProof { hardware: true, .. }) => 3,
        }
    }

    /// The methods, named as in RFC 8176, each factor by its own.
    pub(crate) fn amr(self) -> Vec<String> {
        let passkey = self.passkey.map(|passkey| match passkey.hardware {
            false => [SOFTWARE_KEY, PRESENCE],
            true => [HARDWARE_KEY, PRESENCE],
        });
        passkey
            .into_iter()
            .flatten()
            .chain((self.aal() > 1).then_some(MULTIPLE_FACTORS))
            .chain(self.password.then_some(PASSWORD))
            .chain(self.client_key.then_some(CLIENT_KEY))
            .map(str::to_owned)
            .collect()
    }
}

/// Whether nothing but a password opened the session.
pub(crate) fn is_by_password_alone(session: &Session) -> bool {
    session.amr == [PASSWORD]
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
        Proof::passkey(PasskeyProof {
            user_verified,
            hardware,
        })
    }

    const fn beside(proof: Proof, password: bool, client_key: bool) -> Proof {
        proof.beside(ProvenFactors { password, client_key })
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

    #[test]
    fn a_password_alone_is_one_factor() {
        assert_eq!(Proof::password().aal(), 1);
        assert_eq!(Proof::password().amr(), ["pwd"]);
    }

    #[test]
    fn a_password_makes_one_factor_two_and_no_more() {
        for hardware in [false, true] {
            assert_eq!(beside(proof(false, hardware), true, false).aal(), 2);
            let aal = proof(true, hardware).aal();
            assert_eq!(beside(proof(true, hardware), true, false).aal(), aal);
        }
        assert_eq!(
            beside(proof(false, true), true, false).amr(),
            ["hwk", "user", "mfa", "pwd"]
        );
    }

    #[test]
    fn a_client_key_adds_a_method_and_no_level() {
        assert_eq!(beside(proof(false, false), false, true).aal(), 1);
        assert_eq!(
            beside(proof(false, false), false, true).amr(),
            ["swk", "user", "client_key"]
        );
        assert_eq!(
            beside(proof(true, false), true, true).amr(),
            ["swk", "user", "mfa", "pwd", "client_key"]
        );
    }
}
