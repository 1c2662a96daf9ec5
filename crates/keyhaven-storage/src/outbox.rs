//! Mails that wait to be sent: written by the commit they follow from, so that a mail is neither lost nor sent for what
//! was rolled back.

use std::fmt;

use async_trait::async_trait;
use keyhaven_types::UnixTime;

use crate::{AccountId, AuditEvent, MailId, StorageError};

/// More than this one mail does not hold, sealed.
pub const MAX_MAIL_BYTES: usize = 65_536;

/// What follows from a commit beside its rows: the event that records it, and the mails that tell people. Written with
/// it or not at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Aftermath {
    /// The event.
    pub event: AuditEvent,
    /// The mails; usually none.
    pub mails: Vec<QueuedMail>,
}

impl From<AuditEvent> for Aftermath {
    /// An event that no mail tells of.
    fn from(event: AuditEvent) -> Self {
        Self {
            event,
            mails: Vec::new(),
        }
    }
}

/// A mail that is to be sent.
#[derive(Clone, Eq, PartialEq)]
pub struct QueuedMail {
    /// The mail.
    pub id: MailId,
    /// The account it is about, where there is one. It may be gone by the time the mail is sent.
    pub account: Option<AccountId>,
    /// The whole mail, its addressee included, encrypted by the service: 1 to [`MAX_MAIL_BYTES`] bytes.
    pub sealed: Vec<u8>,
    /// When it was written.
    pub created_at: UnixTime,
    /// From this moment on it is to be sent.
    pub due_at: UnixTime,
}

impl fmt::Debug for QueuedMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedMail")
            .field("id", &self.id)
            .field("account", &self.account)
            .field("created_at", &self.created_at)
            .field("due_at", &self.due_at)
            .finish_non_exhaustive()
    }
}

/// A mail in the hands of one process, until its lease is over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TakenMail {
    /// The mail; `due_at` is the end of the lease.
    pub mail: QueuedMail,
    /// How often it was taken, this time included. What becomes of it is only believed from who took it last.
    pub attempt: u32,
}

/// How full the outbox is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OutboxFigures {
    /// Mails that are not sent yet; counted to [`Self::MOST`], so that a long queue costs no more to look at.
    pub waiting: u64,
    /// When the oldest of them was written.
    pub oldest: Option<UnixTime>,
}

impl OutboxFigures {
    /// As far as mails are counted.
    pub const MOST: u32 = 100_000;
}

/// The outbox. Nothing is put into it but by commits, as part of their [`Aftermath`].
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// Takes mails that are due at `now`, those due longest first, at most `limit`. Until `lease_until` nobody else gets
    /// them, whatever becomes of the caller; after that they are due again. Any number of processes may take at once.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn take_mails(
        &self,
        now: UnixTime,
        lease_until: UnixTime,
        limit: u32,
    ) -> Result<Vec<TakenMail>, StorageError>;

    /// The mail was handed over: it is dropped. False: somebody else has taken it since, or it is gone.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn mail_sent(&self, id: MailId, attempt: u32) -> Result<bool, StorageError>;

    /// The mail is to be tried again from `at` on. False: somebody else has taken it since, or it is gone.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn retry_mail(&self, id: MailId, attempt: u32, at: UnixTime) -> Result<bool, StorageError>;

    /// The mail is dropped unsent, and the event says so. False: somebody else has taken it since, or it is gone;
    /// nothing was written.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn give_mail_up(&self, id: MailId, attempt: u32, event: AuditEvent) -> Result<bool, StorageError>;

    /// How full the outbox is.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn outbox_figures(&self) -> Result<OutboxFigures, StorageError>;
}
