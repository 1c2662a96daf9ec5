//! E-mail addresses: claimed, proven, changed.
//!
//! An address belongs to nobody until what was mailed there and a session of the account that claims it come together:
//! who types somebody else's address gains nothing by it, and neither does who reads somebody else's mail. What an answer
//! says does not depend on whether another account has the address; the mail does, and only its owner reads that.

use std::sync::Arc;
use std::time::Duration;

use keyhaven_mail::{Address, Content, Mail};
use keyhaven_storage::{
    Account, AccountId, AddressClaim, Aftermath, ClaimOutcome, NewClaim, ProofOutcome, QueuedMail,
};
use subtle::ConstantTimeEq as _;

use crate::audit::Subject;
use crate::client::{Client, SecretToken};
use crate::context::Context;
use crate::error::Error;
use crate::mails::SECURITY;
use crate::moments::{DAY, ago};
use crate::sessions::SignedIn;
use crate::settings::Identifier;
use crate::step_up::Purpose;
use crate::username::{self, Username};

const CHANGE: &str = "email.change";
const RESEND: &str = "email.resend";
const VERIFY: &str = "email.verify";

/// How long a mailed link proves something.
const LINK_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an unproven address is kept.
const CLAIM_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How soon a mail may be asked for again.
const PAUSE: Duration = Duration::from_secs(60);

/// More mails than these nobody gets in a day for claims of one address, however many accounts claim it.
const MAILS_A_DAY: u32 = 5;

/// Proves and changes addresses.
#[derive(Clone)]
pub struct Addresses(pub(crate) Arc<Context>);

/// Who claims which address.
struct Claimant<'a> {
    account: AccountId,
    /// Whether the account has proven another one, which this one is to replace.
    replaces: bool,
    address: &'a Address,
    /// The claim that is renewed.
    before: Option<&'a AddressClaim>,
}

impl Addresses {
    /// Proves the account's claimed address by the token that was mailed there.
    ///
    /// # Errors
    /// [`Error::NotFound`] (unknown, expired or used token, another account's, an address that another account has proven
    /// meanwhile), [`Error::RateLimited`], [`Error::Storage`].
    pub async fn verify(&self, client: &Client, current: &SignedIn, token: &str) -> Result<Account, Error> {
        self.0.limit_change(client, current).await?;
        let proven = self.try_verify(client, current, token).await;
        self.answer(client, current, VERIFY, proven).await
    }

    async fn try_verify(&self, client: &Client, current: &SignedIn, token: &str) -> Result<Account, Error> {
        let token = SecretToken::parse(token).ok_or(Error::NotFound)?.hash();
        let claim = self.0.durable.address_claim(current.account_id()).await?;
        let now = self.0.clock.now();
        let good = |claim: &AddressClaim| {
            bool::from(claim.token_hash.0.ct_eq(&token.0)) && claim.token_expires_at > now
        };
        let claim = claim.filter(good).ok_or(Error::NotFound)?;
        let address: Address = claim.address.parse().map_err(|_| Error::NotFound)?;
        let username = match self.0.settings.identifier {
            Identifier::Email => Some(Username::of_address(&self.0.keys, &address)?),
            Identifier::Username => None,
        };
        let event = self.0.success(client, VERIFY, of(current))?;
        // To the address that was proven before, if there was one.
        let told = Content::AddressChanged { address };
        let audit = self.0.announced(client, current.account(), event, told)?;
        let proven = self
            .0
            .durable
            .prove_address(
                current.account_id(),
                current.session().id,
                &token,
                username.as_ref().map(Username::as_str),
                now,
                audit,
            )
            .await?;
        match proven {
            ProofOutcome::ClaimMissing | ProofOutcome::Taken => Err(Error::NotFound),
            ProofOutcome::Proven(account) => Ok(account),
            ProofOutcome::SessionEnded => Err(Error::SessionExpired),
        }
    }

    /// Mails the claimed address a new link; the one before proves nothing any more.
    ///
    /// # Errors
    /// [`Error::NotFound`] (nothing is claimed, or this deployment sends no mails), [`Error::RateLimited`],
    /// [`Error::Storage`].
    pub async fn resend(&self, client: &Client, current: &SignedIn) -> Result<(), Error> {
        self.0.limit_change(client, current).await?;
        let resent = self.try_resend(client, current).await;
        self.answer(client, current, RESEND, resent).await
    }

    async fn try_resend(&self, client: &Client, current: &SignedIn) -> Result<(), Error> {
        self.sends_mails()?;
        let now = self.0.clock.now();
        let before = self.0.durable.address_claim(current.account_id()).await?;
        let Some(before) = before.filter(|claim| claim.expires_at > now) else {
            return self.claim_given(client, current).await;
        };
        // By this claim alone: what others claim must not show.
        let wait = if before.mails >= MAILS_A_DAY { DAY } else { PAUSE };
        let waited = now.saturating_since(before.mailed_at);
        if before.mails > 0 && waited < wait {
            return Err(Error::RateLimited {
                retry_after: wait.saturating_sub(waited),
            });
        }
        let address = before.address.parse().map_err(|_| Error::NotFound)?;
        let claimant = Claimant {
            account: current.account_id(),
            replaces: current.account().email_verified,
            address: &address,
            before: Some(&before),
        };
        let (claim, mail) = self.0.claim(client, &claimant).await?;
        let mut audit = self.0.success(client, RESEND, of(current))?;
        audit.mails.extend(mail);
        let renews = Some(before.token_hash);
        self.commit(current, claim, None, renews, audit).await
    }

    /// Claims the address that the account was made with, where that was not claimed yet.
    async fn claim_given(&self, client: &Client, current: &SignedIn) -> Result<(), Error> {
        let account = current.account();
        let given = account.email.as_deref().filter(|_| !account.email_verified);
        let address = given
            .and_then(|email| email.parse().ok())
            .ok_or(Error::NotFound)?;
        let (claim, mail) = self.0.first_claim(client, account.id, &address).await?;
        let mut audit = self.0.success(client, RESEND, of(current))?;
        audit.mails.extend(mail);
        self.commit(current, claim, None, None, audit).await
    }

    /// Claims another address. What the account has proven stays its own until the new one is proven. Needs a grant.
    ///
    /// # Errors
    /// [`Error::NotFound`] (this deployment sends no mails), [`Error::InvalidRequest`], [`Error::StepUpRequired`],
    /// [`Error::RateLimited`], [`Error::Storage`].
    pub async fn change(&self, client: &Client, current: &SignedIn, address: &str) -> Result<(), Error> {
        self.0.limit_change(client, current).await?;
        let changed = self.try_change(client, current, address).await;
        self.answer(client, current, CHANGE, changed).await
    }

    async fn try_change(&self, client: &Client, current: &SignedIn, address: &str) -> Result<(), Error> {
        self.sends_mails()?;
        let address = username::email(address)?;
        if self.0.settings.identifier == Identifier::Email {
            // What could not be the account's name afterwards is refused now.
            let _ = Username::of_address(&self.0.keys, &address)?;
        }
        let purpose = Purpose::ChangeEmail;
        self.0.require_grant(current, purpose).await?;
        let account = current.account();
        let own = account.email.as_deref().filter(|_| account.email_verified);
        if own.is_some_and(|own| own.eq_ignore_ascii_case(address.as_str())) {
            return Err(Error::invalid("email: this is the account's address already"));
        }
        let claimant = Claimant {
            account: account.id,
            replaces: own.is_some(),
            address: &address,
            before: None,
        };
        let (claim, mail) = self.0.claim(client, &claimant).await?;
        let event = self.0.success(client, CHANGE, of(current))?;
        let told = Content::AddressChanging {
            address: address.clone(),
            review: self.0.link(SECURITY),
        };
        let mut audit = self.0.announced(client, account, event, told)?;
        audit.mails.extend(mail);
        let grant = Some(purpose.as_str().to_owned());
        self.commit(current, claim, grant, None, audit).await
    }

    /// Without mails no address can be proven.
    fn sends_mails(&self) -> Result<(), Error> {
        let mail = self.0.settings.mail.as_ref();
        mail.map(|_| ()).ok_or(Error::NotFound)
    }

    async fn commit(
        &self,
        current: &SignedIn,
        claim: AddressClaim,
        uses_grant: Option<String>,
        renews: Option<keyhaven_storage::TokenHash>,
        audit: Aftermath,
    ) -> Result<(), Error> {
        let now = self.0.clock.now();
        let new = NewClaim {
            claim,
            mailed_since: ago(now, DAY),
            session: current.session().id,
            uses_grant,
            renews,
            at: now,
            audit,
        };
        match self.0.durable.claim_address(new).await? {
            ClaimOutcome::AccountUnavailable | ClaimOutcome::SessionEnded => Err(Error::SessionExpired),
            ClaimOutcome::Claimed => Ok(()),
            ClaimOutcome::ClaimMissing => Err(Error::NotFound),
            ClaimOutcome::GrantMissing => Err(Error::StepUpRequired {
                purpose: Purpose::ChangeEmail,
            }),
        }
    }

    async fn answer<T>(
        &self,
        client: &Client,
        current: &SignedIn,
        action: &'static str,
        done: Result<T, Error>,
    ) -> Result<T, Error> {
        match done {
            Ok(done) => Ok(done),
            Err(error) => Err(self.0.refuse(client, action, of(current), error).await),
        }
    }
}

impl Context {
    /// A new account's claim to its first address, and the mail that goes there.
    pub(crate) async fn first_claim(
        &self,
        client: &Client,
        account: AccountId,
        address: &Address,
    ) -> Result<(AddressClaim, Option<QueuedMail>), Error> {
        let claimant = Claimant {
            account,
            replaces: false,
            address,
            before: None,
        };
        self.claim(client, &claimant).await
    }

    /// A claim and the mail to the address: with a link, or, where another account has proven the address, without one;
    /// none where that address has had enough of them for today. All of it costs the same.
    async fn claim(
        &self,
        client: &Client,
        claimant: &Claimant<'_>,
    ) -> Result<(AddressClaim, Option<QueuedMail>), Error> {
        let now = self.clock.now();
        let address_hash = self.keys.address_hash(claimant.address.as_str());
        let yesterday = ago(now, DAY);
        let owner = self.durable.address_owner(claimant.address.as_str()).await?;
        let owner = owner.filter(|owner| owner.id != claimant.account);
        let mailed = self.durable.mails_to(&address_hash, yesterday).await?;
        // Where it is somebody else's, nobody ever learns the token.
        let token = SecretToken::random(&*self.random)?;
        let until = now.saturating_add(LINK_LIFETIME);
        let link = self.link(&format!("verify-email={}", token.to_text()));
        let content = match (&owner, claimant.replaces) {
            (Some(_), _) => Content::AddressInUse,
            (None, true) => Content::ChangeAddress { link, until },
            (None, false) => Content::VerifyAddress { link, until },
        };
        let mail = Mail {
            to: claimant.address.clone(),
            language: self.language_of(client),
            username: owner.as_ref().map(|owner| owner.name().to_owned()),
            occasion: Some(self.occasion(client)),
            content,
        };
        let subject = owner.map_or(claimant.account, |owner| owner.id);
        let mail = if mailed < u64::from(MAILS_A_DAY) {
            self.queued(Some(subject), &mail)?
        } else {
            tracing::info!("an address had its mails for today; the claim is made without one");
            None
        };
        let claim = AddressClaim {
            account: claimant.account,
            address: claimant.address.as_str().to_owned(),
            address_hash,
            token_hash: token.hash(),
            token_expires_at: until,
            mails: u32::from(mail.is_some()),
            mailed_at: now,
            expires_at: claimant
                .before
                .map_or_else(|| now.saturating_add(CLAIM_LIFETIME), |before| before.expires_at),
        };
        Ok((claim, mail))
    }
}

fn of(current: &SignedIn) -> Subject {
    Subject::session(current)
}
