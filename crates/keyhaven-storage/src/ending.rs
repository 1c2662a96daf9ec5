//! What a commit does to sessions beside what it is about.

use keyhaven_types::CredentialId;

use crate::SessionId;

/// The sessions that end with a commit, in the same transaction: signing out is part of what was done, never a second
/// step that may not come.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Ending {
    /// All sessions of the commit's account, save one where it is named: signed out everywhere.
    Everywhere {
        /// The session that lives on.
        keep: Option<SessionId>,
    },
    /// None.
    #[default]
    Nothing,
    /// All sessions of the commit's account that this credential opened.
    OpenedBy(CredentialId),
    /// This one, whoever's it is.
    Session(SessionId),
}

impl Ending {
    /// Of one session, where there is one.
    #[must_use]
    pub fn of(session: Option<SessionId>) -> Self {
        session.map_or(Self::Nothing, Self::Session)
    }

    /// The one session that ends, whoever's it is.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        match self {
            Self::Session(id) => Some(*id),
            Self::Everywhere { .. } | Self::Nothing | Self::OpenedBy(_) => None,
        }
    }

    /// The credential whose sessions end.
    #[must_use]
    pub const fn opener(&self) -> Option<&CredentialId> {
        match self {
            Self::OpenedBy(id) => Some(id),
            Self::Everywhere { .. } | Self::Nothing | Self::Session(_) => None,
        }
    }

    /// Whether all sessions of the account end, save [`Self::kept`].
    #[must_use]
    pub const fn is_everywhere(&self) -> bool {
        matches!(self, Self::Everywhere { .. })
    }

    /// The session that lives on where all others end.
    #[must_use]
    pub const fn kept(&self) -> Option<SessionId> {
        match self {
            Self::Everywhere { keep } => *keep,
            Self::Nothing | Self::OpenedBy(_) | Self::Session(_) => None,
        }
    }
}
