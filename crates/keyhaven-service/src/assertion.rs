//! What a login and a step-up share: one assertion, looked up, verified and recorded (L3 §7.2).

use keyhaven_core::{
    AssertionPolicy, AuthenticationResponse, CosePublicKey, CredentialRecord, ExpectedAssertion,
    ExpectedUser, ExtensionPolicy, ExtensionSet, VerifiedAssertion,
};
use keyhaven_storage::{
    AssertionCommit, AssertionOutcome, AuditEvent, OwnedCredential, Session, SessionId, StepUpGrant,
};
use keyhaven_types::{CredentialId, SignCount};

use crate::audit::Subject;
use crate::ceremony::Taken;
use crate::context::Context;
use crate::decoy;
use crate::error::Error;

/// How often a commit is tried that lost a race for the sign count: each time it is verified anew.
const TRIES: usize = 4;

/// P-256's generator as a COSE_Key: decoys are verified under it, at the same cost as a real key.
const DUMMY_PUBLIC_KEY: [u8; 77] = *b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20\
    \x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\
    \xd8\x98\xc2\x96\x22\x58\x20\
    \x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\
    \x37\xbf\x51\xf5";

/// What an assertion is compared with, beyond the ceremony itself.
pub(crate) struct Expected<'a> {
    pub(crate) taken: &'a Taken,
    pub(crate) allowed: &'a [CredentialId],
    pub(crate) user: ExpectedUser,
}

/// What is written when the assertion holds.
pub(crate) struct Effects {
    pub(crate) session: Option<Session>,
    pub(crate) grant: Option<StepUpGrant>,
    pub(crate) ends_session: Option<SessionId>,
    pub(crate) audit: AuditEvent,
}

impl Context {
    /// Looks the credential up, verifies the assertion, and records it with what `effects` makes of it. Of two
    /// assertions that race for one sign count, the one that lost is judged again by the count that won.
    pub(crate) async fn assert<T>(
        &self,
        response: &AuthenticationResponse,
        expected: &Expected<'_>,
        subject: &mut Subject,
        mut effects: impl FnMut(&OwnedCredential, &VerifiedAssertion) -> Result<(Effects, T), Error>,
    ) -> Result<(OwnedCredential, T), Error> {
        let id = CredentialId::try_from(response.credential_id()).map_err(|_| Error::CredentialNotFound)?;
        subject.credential = Some(id.clone());
        for _ in 0..TRIES {
            let Some(mut owned) = self.durable.credential(&id).await? else {
                return Err(self.refuse_unknown(response, &id, expected));
            };
            subject.account = Some(owned.account.id);
            let verified = self.verify(response, expected, &owned)?;
            let (effects, result) = effects(&owned, &verified)?;
            let used_at = self.clock.now();
            let commit = AssertionCommit {
                credential: id.clone(),
                account: owned.account.id,
                expected_sign_count: owned.credential.sign_count,
                new_sign_count: verified.new_sign_count(),
                backup_eligible: verified.backup().is_eligible(),
                backup_state: verified.backup().is_backed_up(),
                used_at,
                session: effects.session,
                grant: effects.grant,
                ends_session: effects.ends_session,
                audit: effects.audit,
            };
            match self.durable.commit_assertion(commit).await? {
                AssertionOutcome::AccountLocked => return Err(Error::AccountLocked),
                AssertionOutcome::Committed => {
                    owned.credential.sign_count = verified.new_sign_count();
                    owned.credential.backup_eligible = verified.backup().is_eligible();
                    owned.credential.backup_state = verified.backup().is_backed_up();
                    owned.credential.last_used_at = Some(used_at);
                    return Ok((owned, result));
                }
                AssertionOutcome::CredentialInactive => return Err(Error::CredentialRevoked),
                AssertionOutcome::CredentialMissing => return Err(Error::CredentialNotFound),
                AssertionOutcome::SessionEnded => return Err(Error::SessionExpired),
                AssertionOutcome::SignCountChanged => {}
            }
        }
        Err(Error::Busy)
    }

    fn verify(
        &self,
        response: &AuthenticationResponse,
        expected: &Expected<'_>,
        owned: &OwnedCredential,
    ) -> Result<VerifiedAssertion, Error> {
        let public_key = CosePublicKey::new(&owned.credential.public_key);
        let record = CredentialRecord {
            id: &owned.credential.id,
            public_key: &public_key,
            sign_count: owned.credential.sign_count,
            user_handle: Some(&owned.account.user_handle),
            backup_eligible: Some(owned.credential.backup_eligible),
        };
        self.verify_against(response, expected, &record)
    }

    fn verify_against(
        &self,
        response: &AuthenticationResponse,
        expected: &Expected<'_>,
        record: &CredentialRecord<'_>,
    ) -> Result<VerifiedAssertion, Error> {
        let expected = ExpectedAssertion {
            relying_party: self.relying_party(),
            challenge: &expected.taken.challenge,
            origin: expected.taken.origin.as_ref(),
            allow_credentials: expected.allowed,
            user: expected.user,
            appid: None,
        };
        let policy = AssertionPolicy {
            user_verification: self.settings.user_verification,
            backup: self.settings.backup,
            backup_eligibility_change: self.settings.backup_eligibility_change,
            extensions: ExtensionPolicy {
                requested: ExtensionSet::default(),
                unsolicited: self.settings.unsolicited_extensions,
            },
            ..AssertionPolicy::default()
        };
        Ok(keyhaven_core::verify_assertion(
            response, &expected, record, &policy,
        )?)
    }

    /// The refusal of a credential that is not stored. A decoy goes the whole way that a real one with a wrong
    /// signature goes, against a key, a handle and flags that nobody has, and is refused at the same step.
    fn refuse_unknown(
        &self,
        response: &AuthenticationResponse,
        id: &CredentialId,
        expected: &Expected<'_>,
    ) -> Error {
        let decoy = decoy::recognises(&self.keys.decoy, id.as_bytes());
        if !decoy && expected.allowed.is_empty() {
            return Error::CredentialNotFound;
        }
        let handle = decoy::user_handle(&self.keys.decoy, id.as_bytes());
        let public_key = CosePublicKey::new(&DUMMY_PUBLIC_KEY);
        let record = CredentialRecord {
            id,
            public_key: &public_key,
            sign_count: SignCount(0),
            user_handle: handle.as_ref(),
            backup_eligible: handle
                .as_ref()
                .and_then(|h| h.as_bytes().first())
                .map(|byte| byte & 1 == 1),
        };
        match self.verify_against(response, expected, &record) {
            Err(error) if decoy || error.code() == "credential_not_allowed" => error,
            // Removed since the ceremony was started.
            _ => Error::CredentialNotFound,
        }
    }
}
