//! The account in its owner's hands.

use keyhaven_service::{AccountExport, Signals};
use keyhaven_storage::{Account, AuditEvent, AuditOutcome};
use keyhaven_types::{UnixTime, base64url};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CredentialWithKey, ListedSession, SignalsBody, User, rfc3339};

/// `PATCH /account`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeAccount {
    /// What a person reads, 1 to 64 characters.
    pub(crate) display_name: String,
}

/// An account that was changed.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangedAccount {
    #[serde(flatten)]
    pub(crate) user: User,
    /// What to tell the browser.
    #[schema(value_type = SignalsBody)]
    pub(crate) signals: Signals,
}

/// `GET /account/events`
#[derive(Serialize, ToSchema)]
pub(crate) struct EventList {
    pub(crate) events: Vec<EventBody>,
    /// Where the list goes on: `?after=`. Absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// Something that happened to an account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventBody {
    id: String,
    at: String,
    /// For example `login.finish`.
    action: String,
    /// `success` or `refused`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl From<AuditEvent> for EventBody {
    fn from(event: AuditEvent) -> Self {
        Self {
            id: event.id.to_string(),
            at: rfc3339(event.at),
            action: event.action,
            outcome: match event.outcome {
                AuditOutcome::Refused => "refused",
                AuditOutcome::Success => "success",
            },
            code: event.code,
            step: event.step,
            credential_id: event.credential.map(|id| id.to_string()),
            session_id: event.session.map(|id| id.to_string()),
            ip: event.ip,
            user_agent: event.user_agent,
            request_id: event.request_id,
        }
    }
}

/// `GET /account/export`: everything that is held of an account, save secrets and their hashes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportBody {
    exported_at: String,
    account: ExportedAccount,
    /// The address that is claimed and not proven yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    address_claim: Option<ExportedClaim>,
    credentials: Vec<CredentialWithKey>,
    sessions: Vec<ListedSession>,
    factors: ExportedFactors,
    /// Newest first.
    events: Vec<EventBody>,
    /// Whether there are older events that are not in here.
    events_omitted: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedAccount {
    #[serde(flatten)]
    user: User,
    /// What authenticators know the account by, base64url.
    user_handle: String,
    active: bool,
    created_at: String,
    updated_at: String,
    last_login_at: Option<String>,
}

impl From<&Account> for ExportedAccount {
    fn from(account: &Account) -> Self {
        Self {
            user: User::from(account),
            user_handle: base64url::encode(account.user_handle.as_bytes()),
            active: account.active,
            created_at: rfc3339(account.created_at),
            updated_at: rfc3339(account.updated_at),
            last_login_at: account.last_login_at.map(rfc3339),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedClaim {
    address: String,
    /// How many mails were sent there.
    mails: u32,
    mailed_at: String,
    expires_at: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedFactors {
    password: Option<ExportedPassword>,
    client_key: Option<ExportedClientKey>,
    recovery_codes_left: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedPassword {
    changed_at: String,
    /// Whether a sign-in with a passkey asks for it too.
    with_passkey: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedClientKey {
    created_at: String,
    last_used_at: Option<String>,
}

impl ExportBody {
    pub(crate) fn new(
        export: AccountExport,
        credentials: Vec<CredentialWithKey>,
        current: &keyhaven_storage::Session,
    ) -> Self {
        Self {
            exported_at: rfc3339(export.at),
            account: ExportedAccount::from(&export.account),
            address_claim: export.claim.map(|claim| ExportedClaim {
                address: claim.address,
                mails: claim.mails,
                mailed_at: rfc3339(claim.mailed_at),
                expires_at: rfc3339(claim.expires_at),
            }),
            credentials,
            sessions: export
                .sessions
                .iter()
                .map(|session| ListedSession::new(session, current))
                .collect(),
            factors: ExportedFactors {
                password: export.password.map(|password| ExportedPassword {
                    changed_at: rfc3339(password.changed_at),
                    with_passkey: password.with_passkey,
                }),
                client_key: export.client_key.map(|key| ExportedClientKey {
                    created_at: rfc3339(key.created_at),
                    last_used_at: key.last_used_at.map(rfc3339),
                }),
                recovery_codes_left: export.recovery_codes,
            },
            events: export.events.into_iter().map(EventBody::from).collect(),
            events_omitted: export.events_omitted,
        }
    }
}

/// A recovery that waits.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PendingRecovery {
    /// From then on it can be carried out.
    ready_at: String,
}

impl PendingRecovery {
    pub(crate) fn at(ready_at: UnixTime) -> Self {
        Self {
            ready_at: rfc3339(ready_at),
        }
    }
}
