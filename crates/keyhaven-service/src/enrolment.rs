//! Links by which an administrator lets the owner of an account add a passkey.
//!
//! What comes of one is a recovery session: it can add a passkey, read itself and end, nothing else. Adding the passkey
//! ends all other sessions, as a recovery does. To whoever shows a token every failure is one failure.

use std::sync::Arc;

use keyhaven_mail::Content;
use keyhaven_storage::{Account, Session};

use crate::audit::Subject;
use crate::client::{Client, SecretToken, SessionToken};
use crate::context::Context;
use crate::error::Error;
use crate::limits::Attempt;
use crate::sessions::{SignedIn, instead};

const REDEEM: &str = "enrolment.redeem";

/// Redeems links.
#[derive(Clone)]
pub struct Enrolments(pub(crate) Arc<Context>);

/// A recovery session that a link has opened.
#[derive(Debug)]
pub struct Enrolled {
    /// The account.
    pub account: Account,
    /// The session.
    pub session: Session,
    /// Its token.
    pub token: SessionToken,
}

impl Enrolments {
    /// Uses a link up: by the token that stands in it. The session that was presented ends.
    ///
    /// # Errors
    /// [`Error::AuthenticationFailed`] (unknown, used, replaced, expired, or the account is locked),
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn redeem(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        token: &str,
    ) -> Result<Enrolled, Error> {
        let mut subject = Subject::default();
        match self.try_redeem(client, current, token, &mut subject).await {
            Ok(enrolled) => Ok(enrolled),
            Err(error) => Err(self.0.refuse(client, REDEEM, subject, error).await),
        }
    }

    async fn try_redeem(
        &self,
        client: &Client,
        current: Option<&SignedIn>,
        token: &str,
        subject: &mut Subject,
    ) -> Result<Enrolled, Error> {
        let context = &self.0;
        context
            .limit(|limits| limits.address(Attempt::RecoveryTry, client.ip))
            .await?;
        let token = SecretToken::parse(token).ok_or(Error::AuthenticationFailed)?;
        let found = context.durable.enrolment(&token.hash()).await?;
        let found = found.ok_or(Error::AuthenticationFailed)?;
        subject.account = Some(found.account);
        let account = context.durable.account(found.account).await?;
        let account = account.ok_or(Error::AuthenticationFailed)?;
        let (session, opened) = context.open_recovery_session(client, account.id)?;
        let event = context.success(
            client,
            REDEEM,
            Subject {
                session: Some(session.id),
                ..Subject::account(&account)
            },
        )?;
        let audit = context.announced(client, &account, event, Content::EnrolmentUsed)?;
        let now = context.clock.now();
        let redeemed = context
            .durable
            .redeem_enrolment(&token.hash(), now, instead(current, &session), audit)
            .await?;
        if redeemed {
            Ok(Enrolled {
                account,
                session,
                token: opened,
            })
        } else {
            Err(Error::AuthenticationFailed)
        }
    }
}
