//! Sessions: who is signed in, since when, and how well that was proven.

use std::sync::Arc;
use std::time::Duration;

use keyhaven_core::{VerifiedAssertion, VerifiedRegistration};
use keyhaven_storage::{Account, AccountId, Credential, Rotation, Session, SessionId, SignInSession};
use keyhaven_types::{Backup, CredentialId, UnixTime};

use crate::audit::Subject;
use crate::client::{Client, SessionToken};
use crate::context::Context;
use crate::error::Error;
use crate::step_up::Purpose;

/// A rotated token still counts for this long, so that requests under way are not refused.
const ROTATION_GRACE: Duration = Duration::from_secs(10);

/// A session's last use is written at most this often.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60);

/// Reads, renews and ends sessions.
#[derive(Clone)]
pub struct Sessions(pub(crate) Arc<Context>);

/// A session that was checked and found to be in force, with its account.
#[derive(Clone, Debug)]
pub struct SignedIn {
    found: SignInSession,
    by_previous_token: bool,
}

impl SignedIn {
    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.found.account
    }

    /// The account's id.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.found.account.id
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.found.session
    }
}

/// What was proven when a session was opened.
pub(crate) struct Proof {
    aal: u8,
    amr: Vec<String>,
}

impl Proof {
    pub(crate) fn registration(verified: &VerifiedRegistration) -> Self {
        Self::passkey(
            verified.user_verified(),
            verified.backup(),
            verified.attestation_trusted(),
        )
    }

    /// User verification counts as a factor only where the credential was registered with it (`uvInitialized`, WebAuthn
    /// L3 §4). An assertion alone never turns that on: §7.2 step 24.3 wants a further factor as strong for it, and the
    /// one that is as strong is to register the passkey anew.
    pub(crate) fn assertion(verified: &VerifiedAssertion, credential: &Credential) -> Self {
        Self::passkey(
            verified.user_verified() && credential.uv_initialized,
            verified.backup(),
            credential.attestation_trusted,
        )
    }

    /// NIST SP 800-63B-4: a passkey with user verification is multi-factor, AAL2; AAL3 needs a key that cannot leave
    /// hardware, which only a trusted attestation shows. Methods are named as in RFC 8176.
    fn passkey(user_verified: bool, backup: Backup, attestation_trusted: bool) -> Self {
        let hardware = attestation_trusted && !backup.is_eligible();
        let key = if hardware { "hwk" } else { "swk" };
        let (aal, methods): (u8, &[&str]) = match (user_verified, hardware) {
            (false, _) => (1, &[key, "user"]),
            (true, false) => (2, &[key, "user", "mfa"]),
            (true, true) => (3, &[key, "user", "mfa"]),
        };
        Self {
            aal,
            amr: methods.iter().map(|&method| method.to_owned()).collect(),
        }
    }
}

impl Context {
    /// A session to be stored, and its token.
    pub(crate) fn open_session(
        &self,
        client: &Client,
        account: AccountId,
        credential: &CredentialId,
        proof: &Proof,
    ) -> Result<(Session, SessionToken), Error> {
        let now = self.clock.now();
        let token = SessionToken::random(&*self.random)?;
        let session = Session {
            id: SessionId(self.random_uuid()?),
            account,
            token_family: token.family_hash(),
            token_hash: token.hash(),
            previous_token: None,
            created_at: now,
            last_seen_at: now,
            expires_at: now.saturating_add(self.settings.sessions.absolute),
            authenticated_at: now,
            aal: proof.aal,
            amr: proof.amr.clone(),
            credential: Some(credential.clone()),
            user_agent: client.user_agent.clone(),
            ip: Some(client.ip.to_string()),
        };
        Ok((session, token))
    }

    /// Whether the user signed in just now.
    pub(crate) fn is_fresh(&self, session: &SignedIn, now: UnixTime) -> bool {
        now.saturating_since(session.session().authenticated_at) <= self.settings.sessions.fresh
    }

    /// Demands a recent sign-in or a live grant for this purpose.
    pub(crate) async fn require_fresh(&self, session: &SignedIn, purpose: Purpose) -> Result<(), Error> {
        let now = self.clock.now();
        if self.is_fresh(session, now)
            || self
                .durable
                .has_grant(session.session().id, purpose.as_str(), now)
                .await?
        {
            Ok(())
        } else {
            Err(Error::StepUpRequired { purpose })
        }
    }

    /// Whether a stored session is still in force.
    pub(crate) fn in_force(&self, session: &Session, now: UnixTime) -> bool {
        now < session.expires_at && now.saturating_since(session.last_seen_at) < self.settings.sessions.idle
    }
}

impl Sessions {
    /// The session that a token opens.
    ///
    /// A token of the session that was rotated away, and that more than ten seconds ago, has leaked or was copied: the
    /// session ends.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] (no such session), [`Error::SessionExpired`], [`Error::AccountLocked`],
    /// [`Error::Storage`].
    pub async fn authenticate(&self, client: &Client, token: &SessionToken) -> Result<SignedIn, Error> {
        let hash = token.hash();
        let found = self
            .0
            .durable
            .session(&token.family_hash())
            .await?
            .ok_or(Error::Unauthenticated)?;
        let now = self.0.clock.now();
        let by_previous_token = found.session.token_hash != hash;
        if by_previous_token {
            let just_rotated = found
                .session
                .previous_token
                .is_some_and(|(previous, at)| previous == hash && now.saturating_since(at) <= ROTATION_GRACE);
            if !just_rotated {
                return Err(self.end_reused(client, &found).await);
            }
        }
        self.check(
            SignedIn {
                found,
                by_previous_token,
            },
            now,
        )
        .await
    }

    /// The session with this id, for a caller that proved by a signed token that it belongs to it.
    pub(crate) async fn by_id(&self, account: AccountId, id: SessionId) -> Result<SignedIn, Error> {
        let now = self.0.clock.now();
        let sessions = self.0.durable.sessions_of(account, now).await?;
        let session = sessions
            .into_iter()
            .find(|session| session.id == id)
            .ok_or(Error::SessionExpired)?;
        let account = self
            .0
            .durable
            .account(account)
            .await?
            .ok_or(Error::SessionExpired)?;
        self.check(
            SignedIn {
                found: SignInSession { session, account },
                by_previous_token: false,
            },
            now,
        )
        .await
    }

    async fn check(&self, signed_in: SignedIn, now: UnixTime) -> Result<SignedIn, Error> {
        let session = signed_in.session();
        if !self.0.in_force(session, now) {
            return Err(Error::SessionExpired);
        }
        if !signed_in.account().active {
            return Err(Error::AccountLocked);
        }
        if now.saturating_since(session.last_seen_at) >= TOUCH_INTERVAL {
            self.0.durable.touch_session(session.id, now).await?;
        }
        Ok(signed_in)
    }

    async fn end_reused(&self, client: &Client, found: &SignInSession) -> Error {
        let subject = Subject {
            session: Some(found.session.id),
            ..Subject::account(found.account.id)
        };
        let event = match self.0.success(client, "session.reuse_detected", subject) {
            Ok(event) => event,
            Err(error) => return error,
        };
        match self
            .0
            .durable
            .end_sessions(found.account.id, &[found.session.id], event)
            .await
        {
            Ok(_) => Error::SessionExpired,
            Err(error) => Error::Storage(error),
        }
    }

    /// Gives the session that `token` opened a new one. `None`: a request just before did so; the session is in force,
    /// and the client has the new token already.
    ///
    /// # Errors
    /// [`Error::RateLimited`], [`Error::SessionExpired`], [`Error::Storage`].
    pub async fn refresh(
        &self,
        client: &Client,
        current: &SignedIn,
        token: &SessionToken,
    ) -> Result<Option<SessionToken>, Error> {
        if current.by_previous_token {
            return Ok(None);
        }
        self.0.limit_change(client, current).await?;
        let token = token.next(&*self.0.random)?;
        let session = current.session();
        let subject = Subject {
            session: Some(session.id),
            ..Subject::account(current.account_id())
        };
        let event = self.0.success(client, "session.refresh", subject)?;
        let now = self.0.clock.now();
        match self
            .0
            .durable
            .rotate_session(session.id, &session.token_hash, &token.hash(), now, event)
            .await?
        {
            Rotation::Lost => Ok(None),
            Rotation::Rotated => Ok(Some(token)),
            Rotation::SessionEnded => Err(Error::SessionExpired),
        }
    }

    /// All sessions of the account that are in force, newest first.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn list(&self, current: &SignedIn) -> Result<Vec<Session>, Error> {
        let now = self.0.clock.now();
        let mut sessions = self.0.durable.sessions_of(current.account_id(), now).await?;
        sessions.retain(|session| self.0.in_force(session, now));
        Ok(sessions)
    }

    /// Ends the session itself.
    ///
    /// # Errors
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn sign_out(&self, client: &Client, current: &SignedIn) -> Result<(), Error> {
        self.0.limit_ending(client, current).await?;
        self.end(client, current, current.session().id, "session.sign_out")
            .await
            .map(|_| ())
    }

    /// Ends one session of the same account.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::RateLimited`], [`Error::Storage`].
    pub async fn revoke(&self, client: &Client, current: &SignedIn, id: SessionId) -> Result<(), Error> {
        self.0.limit_ending(client, current).await?;
        let known = self
            .0
            .durable
            .sessions_of(current.account_id(), self.0.clock.now())
            .await?;
        if !known.iter().any(|session| session.id == id) {
            let subject = Subject {
                session: Some(current.session().id),
                ..Subject::account(current.account_id())
            };
            return Err(self
                .0
                .refuse(client, "session.revoke", subject, Error::NotFound)
                .await);
        }
        self.end(client, current, id, "session.revoke").await.map(|_| ())
    }

    /// Ends all other sessions of the account, and tells how many.
    ///
    /// # Errors
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn revoke_others(&self, client: &Client, current: &SignedIn) -> Result<u64, Error> {
        self.0.limit_ending(client, current).await?;
        let keep = current.session().id;
        let subject = Subject {
            session: Some(keep),
            ..Subject::account(current.account_id())
        };
        let event = self.0.success(client, "session.revoke_others", subject)?;
        Ok(self
            .0
            .durable
            .end_other_sessions(current.account_id(), Some(keep), event)
            .await?)
    }

    async fn end(
        &self,
        client: &Client,
        current: &SignedIn,
        id: SessionId,
        action: &'static str,
    ) -> Result<u64, Error> {
        let subject = Subject {
            session: Some(id),
            ..Subject::account(current.account_id())
        };
        let event = self.0.success(client, action, subject)?;
        Ok(self
            .0
            .durable
            .end_sessions(current.account_id(), &[id], event)
            .await?)
    }
}
