//! What a login and a step-up share: one assertion, looked up, verified and recorded (L3 §7.2).

use std::sync::Arc;

use keyhaven_core::{
    AssertionError, AssertionPolicy, AuthenticationResponse, CosePublicKey, CredentialRecord,
    ExpectedAssertion, ExpectedUser, VerifiedAssertion,
};
use keyhaven_storage::{
    Aftermath, AssertionCommit, AssertionOutcome, Factors, OwnedCredential, Remembered, Session, SessionId,
    StepUpGrant, TokenHash,
};
use keyhaven_types::{CredentialId, SignCount};

use crate::audit::Subject;
use crate::ceremony::{AllowList, Taken};
use crate::client::Client;
use crate::clones::Alarm;
use crate::context::Context;
use crate::decoy;
use crate::error::Error;
use crate::factors::{PresentedFactors, ProvenFactors};

/// How often a commit is tried that lost a race for the sign count: each time it is verified anew.
const TRIES: usize = 4;

/// A P-256 key whose private key nobody knows, as a COSE_Key: decoys are verified under it, at the same cost as a real
/// key. Its x-coordinate is SHA-256 of a sentence (a test tells which), so it was not made from a private key.
const DUMMY_PUBLIC_KEY: [u8; 77] = *b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20\
    \x95\xb9\x0a\xa9\xe1\xa8\xdb\x29\xae\x21\x02\xff\x26\xb7\x7d\x5e\x0a\x8c\x30\x0a\xa8\x2e\x60\xc4\
    \xb5\x77\x79\xd3\x3d\x6a\xbe\x3d\x22\x58\x20\
    \x7e\x16\xfd\x4e\x03\xa8\x22\x24\x65\x0b\x9c\x2a\x40\xe9\x3b\xd7\xa3\xd0\x4c\x41\x44\x07\x01\x5f\
    \x48\xf4\xad\x78\x56\xf1\x3e\xce";

/// What an assertion is compared with, beyond the ceremony itself.
pub(crate) struct Expected<'a> {
    /// The AuthenticationResponseJSON that `response` was read from.
    pub(crate) json: &'a [u8],
    pub(crate) taken: &'a Taken,
    pub(crate) allowed: &'a AllowList,
    pub(crate) user: ExpectedUser,
}

/// What is written when the assertion holds.
pub(crate) struct Effects {
    pub(crate) session: Option<Session>,
    pub(crate) grant: Option<StepUpGrant>,
    pub(crate) rotation: Option<TokenHash>,
    pub(crate) ends_session: Option<SessionId>,
    pub(crate) audit: Aftermath,
}

/// A verdict, and the records it was reached with.
enum Judged {
    Holds(OwnedCredential, VerifiedAssertion),
    Refused(OwnedCredential, Error),
}

impl Judged {
    fn of(owned: OwnedCredential, verdict: Result<VerifiedAssertion, Error>) -> Self {
        match verdict {
            Ok(verified) => Self::Holds(owned, verified),
            Err(refusal) => Self::Refused(owned, refusal),
        }
    }
}

/// An assertion that holds, and is recorded.
pub(crate) struct Asserted<T> {
    /// The credential, as it is now, and its account.
    pub(crate) owned: OwnedCredential,
    /// What the effects came with.
    pub(crate) result: T,
}

impl Context {
    /// Looks the credential up, verifies the assertion, and records it with what `effects` makes of it. Of two
    /// assertions that race for one sign count, the one that lost is judged again by the count that won.
    ///
    /// A credential that is remembered is not looked up; where the commit finds that it has changed, or the verdict is
    /// a refusal, it is.
    ///
    /// With `presented` it is a sign-in, and what is asked for beside the passkey is judged too: where that may be, the
    /// credential is looked up together with it.
    pub(crate) async fn assert<T>(
        &self,
        client: &Client,
        response: &AuthenticationResponse,
        expected: &Expected<'_>,
        presented: Option<&PresentedFactors>,
        subject: &mut Subject,
        mut effects: impl FnMut(
            &OwnedCredential,
            &VerifiedAssertion,
            ProvenFactors,
        ) -> Result<(Effects, T), Error>,
    ) -> Result<Asserted<T>, Error> {
        let id = CredentialId::try_from(response.credential_id())
            .map_err(|_| Error::CredentialNotFound { signal: None })?;
        subject.credential = Some(id.clone());
        for _ in 0..TRIES {
            let asked = presented.filter(|_| self.may_ask_for_more());
            let (judged, beside) = match asked {
                None => (self.judge(&id, response, expected, subject).await?, None),
                Some(presented) => {
                    let (judged, stored) = self.judge_stored(&id, response, expected, subject).await?;
                    (judged, Some((presented, stored)))
                }
            };
            let (mut owned, verified) = match judged {
                Judged::Holds(owned, verified) => (owned, verified),
                Judged::Refused(owned, refusal) => {
                    let began = expected.taken.began_at;
                    match self.sound_clone_alarm(client, &refusal, began, &owned).await? {
                        Alarm::Over => return Err(refusal),
                        Alarm::Stale => continue,
                    }
                }
            };
            let (factors, proven) = match beside {
                None => (None, ProvenFactors::default()),
                Some((presented, stored)) => {
                    let (factors, proven) = self.judge_factors(&owned, &stored, presented).await?;
                    (Some(factors), proven)
                }
            };
            let (effects, result) = effects(&owned, &verified, proven)?;
            let used_at = self.clock.now();
            let opens_session = effects.session.is_some();
            let commit = AssertionCommit {
                credential: id.clone(),
                account: owned.account.id,
                expected_sign_count: owned.credential.sign_count,
                expected: Remembered::of(&owned),
                new_sign_count: verified.new_sign_count(),
                backup_eligible: verified.backup().is_eligible(),
                backup_state: verified.backup().is_backed_up(),
                used_at,
                factors,
                session: effects.session,
                grant: effects.grant,
                rotation: effects.rotation,
                ends_session: effects.ends_session,
                audit: effects.audit,
            };
            let outcome = self.durable.commit_assertion(commit).await;
            if !matches!(outcome, Ok(AssertionOutcome::Committed)) {
                self.known.forget(&id);
            }
            match outcome? {
                AssertionOutcome::AccountLocked => return Err(Error::AccountLocked),
                AssertionOutcome::Committed => {
                    let (began, now) = (expected.taken.began_at, verified.new_sign_count());
                    self.report_clone(client, &verified, began, &owned, now).await?;
                    owned.credential.sign_count = verified.new_sign_count();
                    owned.credential.backup_eligible = verified.backup().is_eligible();
                    owned.credential.backup_state = verified.backup().is_backed_up();
                    owned.credential.last_used_at = owned.credential.last_used_at.max(Some(used_at));
                    if opens_session {
                        owned.account.last_login_at = owned.account.last_login_at.max(Some(used_at));
                    }
                    self.known.keep(owned.clone());
                    return Ok(Asserted { owned, result });
                }
                AssertionOutcome::CredentialInactive => return Err(Error::CredentialRevoked),
                AssertionOutcome::CredentialMissing => return Err(self.not_found(&id)),
                AssertionOutcome::RecordChanged => {}
                AssertionOutcome::SessionEnded => return Err(Error::SessionExpired),
            }
        }
        Err(Error::Busy)
    }

    /// Looks the credential up, where it is not remembered, and verifies the assertion by it. A refusal comes with what is
    /// stored now.
    async fn judge(
        &self,
        id: &CredentialId,
        response: &AuthenticationResponse,
        expected: &Expected<'_>,
        subject: &mut Subject,
    ) -> Result<Judged, Error> {
        let remembered = match self.known.get(id) {
            None => None,
            Some(remembered) => {
                subject.is_about(&remembered.account);
                match self.verify(response, expected, &remembered) {
                    Ok(verified) => return Ok(Judged::Holds(Arc::unwrap_or_clone(remembered), verified)),
                    Err(refusal) => {
                        self.known.forget(id);
                        Some((remembered, refusal))
                    }
                }
            }
        };
        let Some(owned) = self.durable.credential(id).await? else {
            return Err(self.refuse_unknown(response, id, expected));
        };
        subject.is_about(&owned.account);
        // The work is the same as where nothing was remembered, and so it is for a decoy: one look and one verification.
        let verdict = match remembered {
            Some((remembered, refusal)) if judged_alike(&owned, &remembered) => Err(refusal),
            Some(_) | None => self.verify(response, expected, &owned),
        };
        Ok(Judged::of(owned, verdict))
    }

    /// Looks the credential up with what its account has beside its passkeys, which is never remembered, and verifies the
    /// assertion by it.
    async fn judge_stored(
        &self,
        id: &CredentialId,
        response: &AuthenticationResponse,
        expected: &Expected<'_>,
        subject: &mut Subject,
    ) -> Result<(Judged, Factors), Error> {
        let Some((owned, factors)) = self.durable.credential_with_factors(id).await? else {
            return Err(self.refuse_unknown(response, id, expected));
        };
        subject.is_about(&owned.account);
        let verdict = self.verify(response, expected, &owned);
        Ok((Judged::of(owned, verdict), factors))
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
        match self.verify_against(response, expected, &record) {
            // This step comes before the signature, and speaks of what is stored: only who can sign may hear it. To all
            // others a credential refuses as a decoy does, after the same work.
            Err(Error::Assertion(AssertionError::BackupEligibilityChanged)) => {
                let unjudged = CredentialRecord {
                    backup_eligible: None,
                    ..record
                };
                let _ = self.verify_against(response, expected, &unjudged)?;
                Err(AssertionError::BackupEligibilityChanged.into())
            }
            // As late for the same reason.
            Ok(verified) if owned.credential.pin && !verified.user_verified() => {
                Err(AssertionError::UserVerificationMissing.into())
            }
            verdict => verdict,
        }
    }

    fn verify_against(
        &self,
        response: &AuthenticationResponse,
        expected: &Expected<'_>,
        record: &CredentialRecord<'_>,
    ) -> Result<VerifiedAssertion, Error> {
        let json = expected.json;
        let allowed = expected.allowed.as_far_as_concerns(record.id);
        let expected = ExpectedAssertion {
            relying_party: self.relying_party(),
            challenge: &expected.taken.challenge,
            origin: expected.taken.origin.as_ref(),
            allow_credentials: allowed.as_slice(),
            user: expected.user,
            appid: self.settings.extensions.appid.as_deref(),
        };
        let policy = AssertionPolicy {
            user_verification: self.settings.user_verification,
            backup: self.settings.backup,
            backup_eligibility_change: self.settings.backup_eligibility_change,
            sign_count_regression: self.settings.clones.verdict(),
            extensions: self.settings.assertion_extensions(),
            ..AssertionPolicy::default()
        };
        let verified = keyhaven_core::verify_assertion(response, &expected, record, &policy)?;
        self.crosscheck(Error::AuthenticationFailed, |judge| {
            judge.against_assertion(json, &expected, record, &policy, &verified)
        })?;
        Ok(verified)
    }

    /// The refusal of a credential that is not stored. A decoy goes the whole way that a real one with a wrong
    /// signature goes, against a key and a handle that nobody has, and is refused at the same step.
    fn refuse_unknown(
        &self,
        response: &AuthenticationResponse,
        id: &CredentialId,
        expected: &Expected<'_>,
    ) -> Error {
        let decoy = decoy::recognises(&self.keys.decoy, id.as_bytes());
        if !decoy && expected.allowed.is_empty() {
            return self.not_found(id);
        }
        let handle = decoy::user_handle(&self.keys.decoy, id.as_bytes());
        let public_key = CosePublicKey::new(&DUMMY_PUBLIC_KEY);
        let record = CredentialRecord {
            id,
            public_key: &public_key,
            sign_count: SignCount(0),
            user_handle: handle.as_ref(),
            backup_eligible: None,
        };
        match self.verify_against(response, expected, &record) {
            Err(error) if decoy || error.code() == "credential_not_allowed" => error,
            // Nobody can sign for a decoy; and if somebody could, it would still be none.
            Ok(_) if decoy => AssertionError::SignatureInvalid.into(),
            // Removed since the ceremony was started.
            Ok(_) | Err(_) => self.not_found(id),
        }
    }

    fn not_found(&self, id: &CredentialId) -> Error {
        Error::CredentialNotFound {
            signal: Some(self.unknown_credential(id)),
        }
    }
}

/// Whether a verdict about the one is a verdict about the other: key, handle and RP ID never change.
fn judged_alike(one: &OwnedCredential, other: &OwnedCredential) -> bool {
    one.account.id == other.account.id
        && one.credential.sign_count == other.credential.sign_count
        && one.credential.backup_eligible == other.credential.backup_eligible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_the_private_key_of_decoys() {
        let sentence = "Keyhaven: a public key without a private key 0";
        let x = ring::digest::digest(&ring::digest::SHA256, sentence.as_bytes());
        assert_eq!(DUMMY_PUBLIC_KEY.get(10..42), Some(x.as_ref()));
        assert!(keyhaven_core::PublicKey::from_cose(&DUMMY_PUBLIC_KEY).is_ok());
    }
}
