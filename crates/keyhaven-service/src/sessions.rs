//! Sessions: who is signed in, since when, and how well that was proven.

use std::sync::Arc;
use std::time::Duration;

use keyhaven_storage::{
    Account, AccountId, OpenedSession, Role, Rotation, Session, SessionId, SignInSession,
};
use keyhaven_types::{CredentialId, UnixTime};

use crate::assurance::{self, Proof};
use crate::audit::Subject;
use crate::client::{Client, SessionToken};
use crate::context::Context;
use crate::error::Error;
use crate::step_up::Purpose;

/// A session's last use is written at most this often, or ten times within the time that it may be unused: by so much less
/// it may end before that time is over, and never later.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60);

/// Reads, renews and ends sessions.
#[derive(Clone)]
pub struct Sessions(pub(crate) Arc<Context>);

/// A session that was checked and found to be in force, with its account.
#[derive(Clone, Debug)]
pub struct SignedIn {
    found: SignInSession,
    shown_by: ShownBy,
}

/// What a request showed that it belongs to its session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ShownBy {
    /// A signed token that says so, and nothing that is the session's own.
    AccessToken,
    /// The session's token.
    Current,
    /// A token that was replaced, within [`Session::REPLACED_TOKEN_COUNTS`] of that.
    Replaced,
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

    /// Whether the session came from a recovery: it can add a passkey, be read and end, nothing else.
    #[must_use]
    pub fn is_recovery(&self) -> bool {
        is_recovery(&self.found.session)
    }

    /// Whether the account is an administrator's, and the session more than a recovery's.
    #[must_use]
    pub fn administers(&self) -> bool {
        self.account().role == Role::Admin && !self.is_recovery()
    }

    /// Whether nothing but a password opened it.
    pub(crate) fn is_by_password_alone(&self) -> bool {
        assurance::is_by_password_alone(self.session())
    }
}

/// The method of sessions that come from a recovery.
const RECOVERY: &str = "recovery";

/// How long such a session lives.
const RECOVERY_SESSION: Duration = Duration::from_secs(15 * 60);

pub(crate) fn is_recovery(session: &Session) -> bool {
    session.amr.iter().any(|method| method == RECOVERY)
}

impl Context {
    /// A session to be stored, and its token.
    pub(crate) fn open_session(
        &self,
        client: &Client,
        account: AccountId,
        credential: Option<&CredentialId>,
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
            earlier_tokens: Vec::new(),
            created_at: now,
            last_seen_at: now,
            expires_at: now.saturating_add(self.settings.sessions.of(proof.aal()).absolute),
            authenticated_at: now,
            aal: proof.aal(),
            amr: proof.amr(),
            credential: credential.cloned(),
            user_agent: client.user_agent.clone(),
            ip: Some(client.ip.to_string()),
        };
        Ok((session, token))
    }

    /// A session to be stored that came from a recovery, and its token.
    pub(crate) fn open_recovery_session(
        &self,
        client: &Client,
        account: AccountId,
    ) -> Result<(Session, SessionToken), Error> {
        let now = self.clock.now();
        let token = SessionToken::random(&*self.random)?;
        let session = Session {
            id: SessionId(self.random_uuid()?),
            account,
            token_family: token.family_hash(),
            token_hash: token.hash(),
            previous_token: None,
            earlier_tokens: Vec::new(),
            created_at: now,
            last_seen_at: now,
            expires_at: now.saturating_add(RECOVERY_SESSION),
            authenticated_at: now,
            aal: 1,
            amr: vec![RECOVERY.to_owned()],
            credential: None,
            user_agent: client.user_agent.clone(),
            ip: Some(client.ip.to_string()),
        };
        Ok((session, token))
    }

    /// Whether the user signed in just now, by more than a password: what a password, or a recovery, opened
    /// does not decide about passkeys.
    pub(crate) fn is_fresh(&self, session: &SignedIn, now: UnixTime) -> bool {
        !session.is_recovery() && !session.is_by_password_alone() && self.is_recent(session, now)
    }

    /// Whether the user signed in just now, however. A token that was replaced does not say so: whoever replaced it may
    /// have been somebody else, and the grace is there for requests under way, not for what they could decide.
    pub(crate) fn is_recent(&self, session: &SignedIn, now: UnixTime) -> bool {
        session.shown_by == ShownBy::Current
            && now.saturating_since(session.session().authenticated_at) <= self.settings.sessions.fresh
    }

    /// Demands a recent sign-in or a live grant for this purpose.
    pub(crate) async fn require_fresh(&self, session: &SignedIn, purpose: Purpose) -> Result<(), Error> {
        match self.is_fresh(session, self.clock.now()) {
            true => Ok(()),
            false => self.require_grant(session, purpose).await,
        }
    }

    /// Demands a live grant for this purpose; asked before each use of one, also where a commit uses it up.
    pub(crate) async fn require_grant(&self, session: &SignedIn, purpose: Purpose) -> Result<(), Error> {
        match self.holds_grant(session, purpose.as_str()).await? {
            true => Ok(()),
            false => Err(Error::StepUpRequired { purpose }),
        }
    }

    /// Whether the session has a live grant of this name, and the request came with the token that has it.
    ///
    /// A step-up gives its grant and replaces the token in one commit. A request that came with the token before may have
    /// been let in while that still was the session's (its body may take its time) or in the seconds after. So the grant is
    /// looked for first and the token then: who sees a grant that came with another token sees that token, too.
    pub(crate) async fn holds_grant(&self, current: &SignedIn, name: &str) -> Result<bool, Error> {
        if current.shown_by != ShownBy::Current {
            return Ok(false);
        }
        let (session, now) = (current.session(), self.clock.now());
        let granted = self.durable.has_grant(session.id, name, now).await?;
        let found = self.durable.session(&session.token_family).await?;
        let found = found.ok_or(Error::SessionExpired)?;
        Ok(granted && found.session.token_hash == session.token_hash)
    }

    /// The purpose of the grant that a change has to use up; `None`: none, just after a sign-in.
    pub(crate) async fn grant_for(
        &self,
        session: &SignedIn,
        purpose: Purpose,
    ) -> Result<Option<String>, Error> {
        if self.is_fresh(session, self.clock.now()) {
            return Ok(None);
        }
        self.require_grant(session, purpose).await?;
        Ok(Some(purpose.as_str().to_owned()))
    }

    /// Whether a stored session is still in force: by what it was opened with, and by the limits as they are now.
    pub(crate) fn in_force(&self, session: &Session, now: UnixTime) -> bool {
        let limits = self.settings.sessions.of(session.aal);
        now < session.expires_at
            && now.saturating_since(session.created_at) < limits.absolute
            && now.saturating_since(session.last_seen_at) < limits.idle
    }
}

/// A session in place of the one that was presented.
pub(crate) fn instead(current: Option<&SignedIn>, session: &Session) -> OpenedSession {
    OpenedSession {
        session: session.clone(),
        ends: current.map(|current| current.session().id),
    }
}

impl Sessions {
    /// The session that a token opens.
    ///
    /// A token of the session that was replaced, and that more than ten seconds ago, has leaked or was copied: the
    /// session ends. Sooner a request may be under way with it, however often the token was replaced since.
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
        let mut shown_by = ShownBy::Current;
        if found.session.token_hash != hash {
            let just_replaced = found
                .session
                .replaced_at(&hash)
                .is_some_and(|at| now.saturating_since(at) <= Session::REPLACED_TOKEN_COUNTS);
            if !just_replaced {
                return Err(self.end_reused(client, &found).await);
            }
            shown_by = ShownBy::Replaced;
        }
        self.check(SignedIn { found, shown_by }, now).await
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
                shown_by: ShownBy::AccessToken,
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
        let idle = self.0.settings.sessions.of(session.aal).idle;
        if now.saturating_since(session.last_seen_at) >= TOUCH_INTERVAL.min(idle / 10) {
            self.0.durable.touch_session(session.id, now).await?;
        }
        Ok(signed_in)
    }

    async fn end_reused(&self, client: &Client, found: &SignInSession) -> Error {
        let subject = Subject {
            session: Some(found.session.id),
            ..Subject::account(&found.account)
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
        if current.is_recovery() {
            return Err(Error::forbidden("a recovery session ends when its time is over"));
        }
        if current.shown_by != ShownBy::Current {
            return Ok(None);
        }
        self.0.limit_change(client, current).await?;
        let token = token.next(&*self.0.random)?;
        let session = current.session();
        let subject = Subject {
            session: Some(session.id),
            ..Subject::account(current.account())
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

    /// Ends the session itself, also where attempts cannot be counted.
    ///
    /// # Errors
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn sign_out(&self, client: &Client, current: &SignedIn) -> Result<(), Error> {
        match self.0.limit_ending(client, current).await {
            // Nobody stays signed in because attempts cannot be counted: this session ends but once.
            Ok(()) | Err(Error::Storage(_)) => {}
            Err(error) => return Err(error),
        }
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
            let subject = Subject::session(current);
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
        let keep = Some(current.session().id);
        self.end_all(client, current, keep, "session.revoke_others").await
    }

    /// Ends all sessions of the account, the one that asks among them, and tells how many.
    ///
    /// # Errors
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn revoke_all(&self, client: &Client, current: &SignedIn) -> Result<u64, Error> {
        self.end_all(client, current, None, "session.revoke_all").await
    }

    async fn end_all(
        &self,
        client: &Client,
        current: &SignedIn,
        keep: Option<SessionId>,
        action: &'static str,
    ) -> Result<u64, Error> {
        self.0.limit_ending(client, current).await?;
        let subject = Subject::session(current);
        let event = self.0.success(client, action, subject)?;
        Ok(self
            .0
            .durable
            .end_other_sessions(current.account_id(), keep, event)
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
            ..Subject::account(current.account())
        };
        let event = self.0.success(client, action, subject)?;
        Ok(self
            .0
            .durable
            .end_sessions(current.account_id(), &[id], event)
            .await?)
    }
}
