//! What administrators send and see.

use keyhaven_service::{ClientKeyCheck, EnrolmentOffer, UserDetails};
use keyhaven_storage::{AccountLock, AuditEvent, AuditOutcome, Enrolment, ListedAccount, Session};
use keyhaven_types::base64url;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CredentialBody, ListedSession, PendingRecovery, User, rfc3339};

/// One line of `GET /admin/users`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdminUser {
    #[serde(flatten)]
    user: User,
    /// `active`, or `locked`: then nobody signs in.
    state: &'static str,
    /// Whether it has a passkey that is in use.
    has_passkey: bool,
    created_at: String,
    last_login_at: Option<String>,
}

impl From<&ListedAccount> for AdminUser {
    fn from(listed: &ListedAccount) -> Self {
        let account = &listed.account;
        Self {
            user: User::from(account),
            state: if account.active { "active" } else { "locked" },
            has_passkey: listed.has_passkey,
            created_at: rfc3339(account.created_at),
            last_login_at: account.last_login_at.map(rfc3339),
        }
    }
}

/// `GET /admin/users`
#[derive(Serialize, ToSchema)]
pub(crate) struct AdminUsers {
    pub(crate) users: Vec<AdminUser>,
    /// `cursor` of the next page; absent: this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// `GET /admin/users/{id}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdminUserDetails {
    user: AdminUser,
    /// All passkeys, oldest first.
    credentials: Vec<CredentialBody>,
    /// Sessions in force, newest first; `current` is the administrator's own.
    sessions: Vec<ListedSession>,
    factors: AdminFactors,
    /// Why the account is locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<LockBody>,
    /// The enrolment link that is good now; the link itself was shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolment_link: Option<PendingEnrolment>,
    /// A recovery that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<PendingRecovery>,
}

/// What an account has beside its passkeys.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AdminFactors {
    password: bool,
    client_key: bool,
    /// How many recovery codes are left.
    recovery_codes: u64,
}

/// Why an account is locked.
#[derive(Serialize, ToSchema)]
struct LockBody {
    reason: String,
    at: String,
}

impl From<&AccountLock> for LockBody {
    fn from(lock: &AccountLock) -> Self {
        Self {
            reason: lock.reason.clone(),
            at: rfc3339(lock.at),
        }
    }
}

/// An enrolment link that is good.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PendingEnrolment {
    created_at: String,
    expires_at: String,
}

impl From<&Enrolment> for PendingEnrolment {
    fn from(enrolment: &Enrolment) -> Self {
        Self {
            created_at: rfc3339(enrolment.created_at),
            expires_at: rfc3339(enrolment.expires_at),
        }
    }
}

impl AdminUserDetails {
    pub(crate) fn new(details: &UserDetails, own: &Session) -> Self {
        let standing = &details.standing;
        Self {
            user: AdminUser::from(&ListedAccount {
                account: details.account.clone(),
                has_passkey: details.credentials.iter().any(|credential| credential.active),
            }),
            credentials: details.credentials.iter().map(CredentialBody::from).collect(),
            sessions: details
                .sessions
                .iter()
                .map(|session| ListedSession::new(session, own))
                .collect(),
            factors: AdminFactors {
                password: standing.has_password,
                client_key: standing.client_key.is_some(),
                recovery_codes: details.recovery_codes,
            },
            lock: standing.lock.as_ref().map(LockBody::from),
            enrolment_link: standing.enrolment.as_ref().map(PendingEnrolment::from),
            recovery: standing.recovery_ready_at.map(PendingRecovery::at),
        }
    }
}

/// `POST /admin/users/{id}/lock`
#[derive(Deserialize, ToSchema)]
pub(crate) struct LockUser {
    /// Why, 1 to 256 characters; administrators see it.
    pub(crate) reason: String,
}

/// `POST /admin/users/{id}/enrolment-link`
#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct MakeEnrolmentLink {
    /// Whether the link is mailed to the account's own address; then it is not answered.
    #[serde(default)]
    pub(crate) mail: bool,
}

/// An enrolment link that was made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnrolmentLinkBody {
    /// Shown this once; absent where it was mailed.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// Whether it was mailed.
    mailed: bool,
    /// From this moment on it is good for nothing.
    expires_at: String,
}

impl From<EnrolmentOffer> for EnrolmentLinkBody {
    fn from(offer: EnrolmentOffer) -> Self {
        Self {
            mailed: offer.link.is_none(),
            link: offer.link.map(|link| link.0),
            expires_at: rfc3339(offer.expires_at),
        }
    }
}

/// `POST /enrolment/redeem`
#[derive(Deserialize, ToSchema)]
pub(crate) struct RedeemEnrolment {
    /// As it stands in the link, behind `enrolment=`.
    pub(crate) token: String,
}

/// `POST /admin/users/{id}/client-key/verify`
#[derive(Deserialize, ToSchema)]
pub(crate) struct VerifyClientKey {
    /// What may be the account's client key.
    pub(crate) candidate: String,
}

/// What became of it; never the key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientKeyVerdict {
    /// Whether the account has a client key.
    configured: bool,
    /// Whether the candidate is it.
    matches: bool,
    created_at: Option<String>,
    last_used_at: Option<String>,
    /// What tells it from others, 16 hexadecimal digits.
    fingerprint: Option<String>,
}

impl From<ClientKeyCheck> for ClientKeyVerdict {
    fn from(check: ClientKeyCheck) -> Self {
        Self {
            configured: check.configured,
            matches: check.matches,
            created_at: check.created_at.map(rfc3339),
            last_used_at: check.last_used_at.map(rfc3339),
            fingerprint: check.fingerprint,
        }
    }
}

/// One line of `GET /admin/audit`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdminEvent {
    id: String,
    at: String,
    /// For example `login.finish`.
    action: String,
    /// `success` or `refused`.
    outcome: &'static str,
    code: Option<String>,
    step: Option<String>,
    account: Option<String>,
    credential: Option<String>,
    session: Option<String>,
    ip: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    /// Who did it to the account, where that was not its owner: an account's id, or `command_line`.
    actor: Option<String>,
}

impl From<&AuditEvent> for AdminEvent {
    fn from(event: &AuditEvent) -> Self {
        let credential = event.credential.as_ref();
        Self {
            id: event.id.to_string(),
            at: rfc3339(event.at),
            action: event.action.clone(),
            outcome: match event.outcome {
                AuditOutcome::Refused => "refused",
                AuditOutcome::Success => "success",
            },
            code: event.code.clone(),
            step: event.step.clone(),
            account: event.account.map(|id| id.to_string()),
            credential: credential.map(|id| base64url::encode(id.as_bytes())),
            session: event.session.map(|id| id.to_string()),
            ip: event.ip.clone(),
            user_agent: event.user_agent.clone(),
            request_id: event.request_id.clone(),
            actor: event.actor.map(|actor| actor.to_string()),
        }
    }
}

/// `GET /admin/audit`
#[derive(Serialize, ToSchema)]
pub(crate) struct AdminEvents {
    pub(crate) events: Vec<AdminEvent>,
    /// `cursor` of the next page, which there can be although this one is short or empty; absent: this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}
