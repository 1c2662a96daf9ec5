//! What a change of an account stands on: an account that may be changed, a session that asks, a grant that is used up.

use keyhaven_storage::{AccountId, SessionId};
use keyhaven_types::UnixTime;

use super::state::State;

impl State {
    /// Whether the account may sign in.
    pub(super) fn is_active(&self, account: AccountId) -> bool {
        self.accounts.get(&account).is_some_and(|account| account.active)
    }

    /// Whether the session is the account's and not over at that moment.
    pub(super) fn is_live(&self, session: SessionId, account: AccountId, at: UnixTime) -> bool {
        self.sessions
            .get(&session)
            .is_some_and(|session| session.account == account && session.expires_at > at)
    }

    /// Whether the session holds a grant for the purpose that is live at that moment.
    pub(super) fn has_grant(&self, session: SessionId, purpose: &str, at: UnixTime) -> bool {
        let grants = self.grants.get(&session);
        let end = grants.and_then(|grants| grants.get(purpose));
        end.is_some_and(|end| *end > at)
    }

    /// Whether it does, and the session is this account's.
    pub(super) fn has_grant_of(
        &self,
        account: AccountId,
        session: SessionId,
        purpose: &str,
        at: UnixTime,
    ) -> bool {
        let owned = self.sessions.get(&session);
        owned.is_some_and(|session| session.account == account) && self.has_grant(session, purpose, at)
    }

    /// Takes the session's grant for the purpose away.
    pub(super) fn drop_grant(&mut self, session: SessionId, purpose: &str) {
        if let Some(grants) = self.grants.get_mut(&session) {
            grants.remove(purpose);
        }
    }

    /// Uses up a grant of a session of this account that is live; tells whether there was one.
    pub(super) fn use_grant(
        &mut self,
        account: AccountId,
        session: SessionId,
        purpose: &str,
        at: UnixTime,
    ) -> bool {
        let granted = self.has_grant_of(account, session, purpose, at);
        if granted {
            self.drop_grant(session, purpose);
        }
        granted
    }
}
