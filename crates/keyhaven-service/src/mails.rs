//! Mails on their way into the outbox: what a commit is to tell people.

use keyhaven_mail::{Address, Content, Language, Mail, Occasion, Secret, Sender};
use keyhaven_storage::{Account, AccountId, Aftermath, MailId, OwnedCredential, QueuedMail};

use crate::client::{Client, DeviceMarks};
use crate::context::Context;
use crate::device;
use crate::error::Error;

/// The place on the page where an account is reviewed.
pub(crate) const SECURITY: &str = "security";

/// What a mail to nobody consists of. No other begins so.
pub(crate) const NOBODY: u8 = b' ';

/// How mails look.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Who sends them.
    pub sender: Sender,
    /// The language for readers whose own is not known, or not among those there are.
    pub language: Language,
}

impl Context {
    /// A mail that waits to be sent from now on: encrypted, its addressee included. `None`: this deployment sends none.
    pub(crate) fn queued(
        &self,
        account: Option<AccountId>,
        mail: &Mail,
    ) -> Result<Option<QueuedMail>, Error> {
        if self.settings.mail.is_none() {
            return Ok(None);
        }
        let plain = serde_json::to_vec(mail).map_err(|_| Error::Busy)?;
        self.sealed(account, &plain).map(Some)
    }

    /// As much to store and to take as the mail would be, and then nothing is sent: so that what is done for somebody
    /// looks like what is done for nobody.
    pub(crate) fn queued_for_nobody(&self, mail: &Mail) -> Result<Option<QueuedMail>, Error> {
        if self.settings.mail.is_none() {
            return Ok(None);
        }
        let length = serde_json::to_vec(mail).map_err(|_| Error::Busy)?.len();
        self.sealed(None, &vec![NOBODY; length]).map(Some)
    }

    fn sealed(&self, account: Option<AccountId>, plain: &[u8]) -> Result<QueuedMail, Error> {
        let id = MailId(self.random_uuid()?);
        let sealed = self.keys.seal_mail(id, plain, &*self.random)?;
        let now = self.clock.now();
        Ok(QueuedMail {
            id,
            account,
            sealed,
            created_at: now,
            due_at: now,
        })
    }

    /// A notice to the account's own, proven address: nothing without one.
    pub(crate) fn notice(
        &self,
        client: &Client,
        account: &Account,
        content: Content,
    ) -> Result<Option<QueuedMail>, Error> {
        let proven = account.email.as_deref().filter(|_| account.email_verified);
        // An address that was proven is one; where no mail can be sent to it, there is nobody to tell.
        let Some(to) = proven.and_then(|email| email.parse().ok()) else {
            return Ok(None);
        };
        let mail = self.notice_to(client, to, account.name().to_owned(), content);
        self.queued(Some(account.id), &mail)
    }

    /// As much work as [`Self::notice`], for an account that nobody has.
    pub(crate) fn notice_to_nobody(
        &self,
        client: &Client,
        content: Content,
    ) -> Result<Option<QueuedMail>, Error> {
        let Ok(to) = "somebody@example.invalid".parse() else {
            return Ok(None);
        };
        let mail = self.notice_to(client, to, "somebody".to_owned(), content);
        self.queued_for_nobody(&mail)
    }

    fn notice_to(&self, client: &Client, to: Address, username: String, content: Content) -> Mail {
        Mail {
            to,
            language: self.language_of(client),
            username: Some(username),
            occasion: Some(self.occasion(client)),
            content,
        }
    }

    /// An event, and a notice of it to the account's own address.
    pub(crate) fn announced(
        &self,
        client: &Client,
        account: &Account,
        mut aftermath: Aftermath,
        content: Content,
    ) -> Result<Aftermath, Error> {
        aftermath.mails.extend(self.notice(client, account, content)?);
        Ok(aftermath)
    }

    /// A sign-in, and where it comes from a device that the account was not signed in on before, a notice of that.
    ///
    /// A browser keeps a mark of it, so that the sign-in has nothing to look up. Clients that keep no cookies are told
    /// apart, roughly, by the browser and system that they name.
    pub(crate) fn tell_of_new_device(
        &self,
        client: &Client,
        owned: &OwnedCredential,
        aftermath: Aftermath,
    ) -> Result<Aftermath, Error> {
        let account = &owned.account;
        let known = if client.origin.is_some() {
            client.devices.contains(&self.keys.device_mark(account.id))
        } else {
            let described = |agent: &Option<String>| agent.as_deref().and_then(device::described);
            described(&client.user_agent) == described(&owned.credential.user_agent)
        };
        if known {
            return Ok(aftermath);
        }
        let content = Content::NewDevice {
            review: self.link(SECURITY),
        };
        self.announced(client, account, aftermath, content)
    }

    /// What a browser is to keep now that this account is signed in there; `None`: as it is, or nothing at all.
    pub(crate) fn marked(&self, client: &Client, account: AccountId) -> Option<DeviceMarks> {
        let mark = self.keys.device_mark(account);
        let wanted = self.settings.mail.is_some() && client.origin.is_some();
        (wanted && !client.devices.contains(&mark)).then(|| client.devices.with(mark))
    }

    /// When and from where this is done.
    pub(crate) fn occasion(&self, client: &Client) -> Occasion {
        Occasion {
            at: self.clock.now(),
            ip: Some(client.ip.to_string()),
            device: client.user_agent.as_deref().and_then(device::described),
        }
    }

    /// What the client asks for, else what the deployment has decided.
    pub(crate) fn language_of(&self, client: &Client) -> Language {
        let decided = self.settings.mail.as_ref().map(|mail| mail.language);
        client.language.or(decided).unwrap_or_default()
    }

    /// A link to a place on the page.
    pub(crate) fn link(&self, place: &str) -> Secret {
        Secret(self.settings.place(place))
    }
}
