//! What is done to accounts.

use keyhaven_mail::Content;
use keyhaven_storage::{Account, AccountId, AdminAct, AdminChange, AdminOutcome, AdminSession, Role};
use keyhaven_types::{CredentialId, UnixTime};

use super::{Administration, Operator};
use crate::audit::Subject;
use crate::client::{Client, SecretToken};
use crate::client_keys;
use crate::error::Error;
use crate::mails::SECURITY;
use crate::step_up::Purpose;

const CLIENT_KEY_CHECK: &str = "admin.client_key_check";
const ENROLMENT_LINK: &str = "admin.enrolment_link";
const GRANT_ROLE: &str = "admin.grant_role";
const LOCK: &str = "admin.lock";
const REMOVE_PASSKEY: &str = "admin.remove_passkey";
const REVOKE_ROLE: &str = "admin.revoke_role";
const SIGN_OUT: &str = "admin.sign_out";
const UNLOCK: &str = "admin.unlock";

/// A link that was made.
#[derive(Clone, Debug)]
pub struct EnrolmentOffer {
    /// The link, shown this once; `None`: it was mailed, and nobody else needs it.
    pub link: Option<keyhaven_mail::Secret>,
    /// From this moment on it is good for nothing.
    pub expires_at: UnixTime,
}

/// What became of a look at a client key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientKeyCheck {
    /// Whether the account has one.
    pub configured: bool,
    /// Whether the candidate is it.
    pub matches: bool,
    /// When it was made.
    pub created_at: Option<UnixTime>,
    /// When it last signed in.
    pub last_used_at: Option<UnixTime>,
    /// What tells it from others: 16 hexadecimal digits.
    pub fingerprint: Option<String>,
}

/// What goes into one change beside who makes it.
struct Change {
    action: &'static str,
    account: AccountId,
    credential: Option<CredentialId>,
    act: AdminAct,
    /// Whether it cannot be taken back: then the grant is used up.
    is_final: bool,
    notice: Option<Content>,
}

impl Change {
    const fn new(action: &'static str, account: AccountId, act: AdminAct) -> Self {
        Self {
            action,
            account,
            credential: None,
            act,
            is_final: false,
            notice: None,
        }
    }
}

impl Administration {
    /// Locks an account: nobody signs in to it any more, and whoever is signed in is not any longer. `reason`: 1 to 256
    /// characters, kept until it is unlocked.
    ///
    /// # Errors
    /// [`Error::Forbidden`] (one's own account, or the last administrator's), [`Error::InvalidRequest`], and those of every
    /// change: [`Error::NotFound`], [`Error::StepUpRequired`], [`Error::SessionExpired`], [`Error::RateLimited`],
    /// [`Error::Storage`].
    pub async fn lock(
        &self,
        client: &Client,
        operator: &Operator,
        account: AccountId,
        reason: &str,
    ) -> Result<(), Error> {
        let reason = reason.trim();
        if !(1..=256).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
            return Err(Error::invalid("reason: 1 to 256 characters, in one line"));
        }
        let reason = reason.to_owned();
        let change = Change::new(LOCK, account, AdminAct::Lock { reason });
        self.change(client, operator, change).await
    }

    /// Lets an account sign in again.
    ///
    /// # Errors
    /// Those of every change: see [`Self::lock`].
    pub async fn unlock(
        &self,
        client: &Client,
        operator: &Operator,
        account: AccountId,
    ) -> Result<(), Error> {
        let change = Change::new(UNLOCK, account, AdminAct::Unlock);
        self.change(client, operator, change).await
    }

    /// Ends all sessions of an account.
    ///
    /// # Errors
    /// Those of every change: see [`Self::lock`].
    pub async fn sign_out(
        &self,
        client: &Client,
        operator: &Operator,
        account: AccountId,
    ) -> Result<(), Error> {
        let change = Change::new(SIGN_OUT, account, AdminAct::EndSessions);
        self.change(client, operator, change).await
    }

    /// Removes a passkey and ends the sessions that it opened. The last active one only where that is said.
    ///
    /// # Errors
    /// [`Error::LastCredential`], and those of every change: see [`Self::lock`].
    pub async fn remove_passkey(
        &self,
        client: &Client,
        operator: &Operator,
        account: AccountId,
        credential: &CredentialId,
        even_last: bool,
    ) -> Result<(), Error> {
        // Nothing would be decided by it; but what is removed is to be gone.
        self.0.known.forget(credential);
        let own = self.0.durable.credentials_of(account).await?;
        let own = own.into_iter().find(|own| own.id == *credential);
        let act = AdminAct::RemoveCredential {
            credential: credential.clone(),
            even_last,
        };
        let change = Change {
            credential: Some(credential.clone()),
            is_final: true,
            notice: own.map(|own| Content::PasskeyRemoved {
                passkey: own.device_name,
                review: self.0.link(SECURITY),
            }),
            ..Change::new(REMOVE_PASSKEY, account, act)
        };
        self.change(client, operator, change).await
    }

    /// Makes a link by which the owner of an account can add a passkey; the one before is good for nothing then. Mailed to
    /// the account's own address it is not shown.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] (it cannot be mailed), [`Error::AccountLocked`], and those of every change: see
    /// [`Self::lock`].
    pub async fn enrolment_link(
        &self,
        client: &Client,
        operator: &Operator,
        account: AccountId,
        by_mail: bool,
    ) -> Result<EnrolmentOffer, Error> {
        if by_mail {
            let owner = self.0.durable.account(account).await?.ok_or(Error::NotFound)?;
            if !owner.email_verified || self.0.settings.mail.is_none() {
                return Err(Error::invalid(
                    "mail: the account has no proven address, or this deployment sends no mails",
                ));
            }
        }
        let token = SecretToken::random(&*self.0.random)?;
        let link = self.0.link(&format!("enrolment={}", token.to_text()));
        let lifetime = self.0.settings.administration.enrolment_lifetime;
        let expires_at = self.0.clock.now().saturating_add(lifetime);
        let act = AdminAct::Enrol {
            token: token.hash(),
            expires_at,
        };
        let change = Change {
            is_final: true,
            notice: by_mail.then(|| Content::EnrolmentLink {
                link: link.clone(),
                until: expires_at,
            }),
            ..Change::new(ENROLMENT_LINK, account, act)
        };
        self.change(client, operator, change).await?;
        Ok(EnrolmentOffer {
            link: (!by_mail).then_some(link),
            expires_at,
        })
    }

    /// Gives an account another role and ends its sessions. `first`: only where there is no administrator. For the command
    /// line: no route leads here.
    ///
    /// # Errors
    /// [`Error::Forbidden`] (`first`, and there is one), [`Error::AccountLocked`] (a locked account becomes no
    /// administrator), and those of every change: see [`Self::lock`].
    pub async fn set_role(
        &self,
        client: &Client,
        operator: &Operator,
        account: AccountId,
        role: Role,
        first: bool,
    ) -> Result<(), Error> {
        let action = match role {
            Role::Admin => GRANT_ROLE,
            Role::User => REVOKE_ROLE,
        };
        let change = Change::new(action, account, AdminAct::SetRole { role, first });
        self.change(client, operator, change).await
    }

    /// Whether a candidate is an account's client key; never the key. Compared in constant time, and recorded.
    ///
    /// # Errors
    /// [`Error::NotFound`] (no such account, or not switched on here), [`Error::RateLimited`], [`Error::Storage`].
    pub async fn check_client_key(
        &self,
        client: &Client,
        operator: &Operator,
        account: AccountId,
        candidate: &str,
    ) -> Result<ClientKeyCheck, Error> {
        if !self.checks_client_keys() {
            return Err(Error::NotFound);
        }
        let by = operator.session().map(|by| by.account_id().0);
        let by = by.unwrap_or_default();
        let guess = [b"client key check", &by.as_bytes()[..], account.0.as_bytes()].concat();
        self.0.limit(|limits| vec![limits.guess(&guess)]).await?;
        let owner = self.0.durable.account(account).await?.ok_or(Error::NotFound)?;
        let now = self.0.clock.now();
        let key = self.0.durable.account_standing(owner.id, now).await?.client_key;
        let matches = key
            .as_ref()
            .is_some_and(|key| client_keys::matches(&self.0.keys.client_keys, key, candidate));
        let outcome = match (&key, matches) {
            (None, _) => "no_client_key",
            (Some(_), false) => "client_key_mismatch",
            (Some(_), true) => "client_key_matches",
        };
        let subject = operator.subject(Some(owner.id));
        let event = self.0.noted(client, CLIENT_KEY_CHECK, outcome, subject)?;
        self.0.durable.append(event).await?;
        Ok(ClientKeyCheck {
            configured: key.is_some(),
            matches,
            created_at: key.as_ref().map(|key| key.created_at),
            last_used_at: key.as_ref().and_then(|key| key.last_used_at),
            fingerprint: key.as_ref().map(client_keys::fingerprint),
        })
    }

    async fn change(&self, client: &Client, operator: &Operator, change: Change) -> Result<(), Error> {
        if let Some(current) = operator.session() {
            self.0.limit_ending(client, current).await?;
        }
        let (action, subject) = (
            change.action,
            Subject {
                credential: change.credential.clone(),
                ..operator.subject(Some(change.account))
            },
        );
        match self.try_change(client, operator, change, subject.clone()).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.0.refuse(client, action, subject, error).await),
        }
    }

    async fn try_change(
        &self,
        client: &Client,
        operator: &Operator,
        change: Change,
        subject: Subject,
    ) -> Result<(), Error> {
        let mut audit = self.0.success(client, change.action, subject)?;
        if let Some(content) = change.notice {
            let owner = self.0.durable.account(change.account).await?;
            let owner: Account = owner.ok_or(Error::NotFound)?;
            audit = self.0.announced(client, &owner, audit, content)?;
        }
        let purpose = Purpose::Admin;
        let change = AdminChange {
            account: change.account,
            by: operator.session().map(|current| AdminSession {
                account: current.account_id(),
                session: current.session().id,
                grant: purpose.as_str().to_owned(),
                uses_grant: change.is_final,
            }),
            act: change.act,
            at: self.0.clock.now(),
            audit,
        };
        match self.0.durable.administer(change).await? {
            AdminOutcome::AccountLocked => Err(Error::AccountLocked),
            AdminOutcome::AccountMissing | AdminOutcome::CredentialMissing | AdminOutcome::NotAdmin => {
                Err(Error::NotFound)
            }
            AdminOutcome::AdminExists => Err(Error::forbidden("there is an administrator already")),
            AdminOutcome::Done | AdminOutcome::Unchanged => Ok(()),
            AdminOutcome::GrantMissing => Err(Error::StepUpRequired { purpose }),
            AdminOutcome::LastAdmin => {
                Err(Error::forbidden("no administrator who can sign in would be left"))
            }
            AdminOutcome::LastCredential => Err(Error::LastCredential),
            AdminOutcome::OwnAccount => Err(Error::forbidden("this is your own account")),
            AdminOutcome::SessionEnded => Err(Error::SessionExpired),
        }
    }
}
