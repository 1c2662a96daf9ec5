//! The store: what is encrypted on its way in and decrypted on its way out.

mod accounts;
mod addresses;
mod admin;
mod credentials;
mod factors;
mod outbox;
mod passwords;
mod personal;
mod privacy;
mod recovery;
mod rest;
mod sessions;

use std::fmt;
use std::sync::Arc;

use keyhaven_storage::{
    Account, AccountId, AddressClaim, Credential, OpenedSession, OwnedCredential, Session, StorageError,
};

use crate::ring::{Column, KeyRing, Place, Unreadable};

/// A store whose personal texts are encrypted. It must hold no others: see [`Walk`](crate::Walk).
pub struct Encrypted<S: ?Sized> {
    store: Arc<S>,
    ring: Arc<KeyRing>,
}

impl<S: ?Sized> Encrypted<S> {
    /// Stands before a store.
    pub const fn new(store: Arc<S>, ring: Arc<KeyRing>) -> Self {
        Self { store, ring }
    }
}

impl<S: ?Sized> fmt::Debug for Encrypted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted")
            .field("ring", &self.ring)
            .finish_non_exhaustive()
    }
}

/// For operators: the store answers, but not with what this deployment has written.
pub(crate) fn unreadable(error: Unreadable) -> StorageError {
    StorageError::new("personal.decrypt", error).because("unreadable")
}

impl<S: ?Sized> Encrypted<S> {
    fn text_in(&self, column: Column, row: &[u8], text: &str) -> Result<String, StorageError> {
        self.ring.encrypt(Place { column, row }, text).map_err(unreadable)
    }

    fn text_out(&self, column: Column, row: &[u8], text: &str) -> Result<String, StorageError> {
        self.ring.decrypt(Place { column, row }, text).map_err(unreadable)
    }

    fn account_with(&self, account: Account, change: Change<S>) -> Result<Account, StorageError> {
        let id = account.id;
        let row = id.0.as_bytes();
        Ok(Account {
            username: change(self, Column::Username, row, &account.username)?,
            display_name: change(self, Column::DisplayName, row, &account.display_name)?,
            email: account
                .email
                .map(|email| change(self, Column::Address, row, &email))
                .transpose()?,
            ..account
        })
    }

    fn account_in(&self, account: Account) -> Result<Account, StorageError> {
        self.account_with(account, Self::text_in)
    }

    fn account_out(&self, account: Account) -> Result<Account, StorageError> {
        self.account_with(account, Self::text_out)
    }

    fn claim_with(&self, mut claim: AddressClaim, change: Change<S>) -> Result<AddressClaim, StorageError> {
        claim.address = change(self, Column::Address, claim.account.0.as_bytes(), &claim.address)?;
        Ok(claim)
    }

    fn claim_in(&self, claim: AddressClaim) -> Result<AddressClaim, StorageError> {
        self.claim_with(claim, Self::text_in)
    }

    fn claim_out(&self, claim: AddressClaim) -> Result<AddressClaim, StorageError> {
        self.claim_with(claim, Self::text_out)
    }

    fn credential_with(&self, credential: Credential, change: Change<S>) -> Result<Credential, StorageError> {
        let device_name = change(
            self,
            Column::DeviceName,
            credential.id.as_bytes(),
            &credential.device_name,
        )?;
        let user_agent = credential
            .user_agent
            .as_ref()
            .map(|agent| change(self, Column::RegisteredBy, credential.id.as_bytes(), agent))
            .transpose()?;
        Ok(Credential {
            device_name,
            user_agent,
            ..credential
        })
    }

    fn credential_in(&self, credential: Credential) -> Result<Credential, StorageError> {
        self.credential_with(credential, Self::text_in)
    }

    fn credential_out(&self, credential: Credential) -> Result<Credential, StorageError> {
        self.credential_with(credential, Self::text_out)
    }

    fn owned_out(&self, owned: OwnedCredential) -> Result<OwnedCredential, StorageError> {
        Ok(OwnedCredential {
            credential: self.credential_out(owned.credential)?,
            account: self.account_out(owned.account)?,
        })
    }

    fn session_with(&self, session: Session, change: Change<S>) -> Result<Session, StorageError> {
        let id = session.id;
        let row = id.0.as_bytes();
        Ok(Session {
            ip: session
                .ip
                .map(|ip| change(self, Column::ClientAddress, row, &ip))
                .transpose()?,
            user_agent: session
                .user_agent
                .map(|agent| change(self, Column::UserAgent, row, &agent))
                .transpose()?,
            ..session
        })
    }

    fn session_in(&self, session: Session) -> Result<Session, StorageError> {
        self.session_with(session, Self::text_in)
    }

    fn opened_in(&self, opened: OpenedSession) -> Result<OpenedSession, StorageError> {
        Ok(OpenedSession {
            session: self.session_in(opened.session)?,
            ends: opened.ends,
        })
    }

    fn session_out(&self, session: Session) -> Result<Session, StorageError> {
        self.session_with(session, Self::text_out)
    }

    /// What a new name of an account is stored as.
    fn username_in(&self, account: AccountId, username: &str) -> Result<String, StorageError> {
        self.text_in(Column::Username, account.0.as_bytes(), username)
    }

    fn username_key(&self, username: &str) -> String {
        self.ring.lookup(Column::Username, username)
    }
}

/// Encrypts a text of a column and row, or decrypts it.
type Change<S> = fn(&Encrypted<S>, Column, &[u8], &str) -> Result<String, StorageError>;
