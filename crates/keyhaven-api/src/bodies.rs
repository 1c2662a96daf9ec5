//! The JSON shapes of `docs/http-api.md`. Never domain types: what goes over the wire is written here.

use keyhaven_service::authenticator_name;
use keyhaven_storage::{Account, Credential, Session};
use keyhaven_types::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::state::ApiState;

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn rfc3339(at: UnixTime) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()).saturating_mul(1_000_000))
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// `POST /register/start`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisterStart {
    /// The new account's public handle: 1 to 50 characters, no `@`. Not needed with a session.
    pub(crate) username: Option<String>,
    /// What a person reads, 1 to 64 characters; the username when absent.
    pub(crate) display_name: Option<String>,
    /// An e-mail address, unproven until verified.
    pub(crate) email: Option<String>,
    /// `platform` or `cross-platform`.
    #[schema(value_type = Option<String>)]
    pub(crate) authenticator_attachment: Option<keyhaven_types::AuthenticatorAttachment>,
    /// `security-key`, `client-device`, `hybrid`: which to suggest first.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) hints: Vec<keyhaven_types::Hint>,
    /// `conditional` only with a session that a password made in the last 5 minutes.
    #[schema(value_type = Option<String>)]
    pub(crate) mediation: Option<keyhaven_types::Mediation>,
    /// The answer to a captcha, where one is configured.
    #[expect(dead_code, reason = "part of the contract; no captcha is configured yet")]
    pub(crate) captcha_token: Option<String>,
}

/// `POST /login/start`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginStart {
    /// Who wants to sign in; absent for a discoverable credential.
    pub(crate) username: Option<String>,
    /// The answer to a captcha, where one is configured.
    #[expect(dead_code, reason = "part of the contract; no captcha is configured yet")]
    pub(crate) captcha_token: Option<String>,
}

/// A finish: the ceremony and the browser's answer.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finish {
    /// As the start answered it.
    pub(crate) ceremony_id: String,
    /// `RegistrationResponseJSON` or `AuthenticationResponseJSON`.
    #[schema(value_type = Object)]
    pub(crate) credential: Box<RawValue>,
    /// What to call the passkey, 1 to 64 characters.
    pub(crate) device_name: Option<String>,
}

/// `POST /step-up/start`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepUpStart {
    /// `add_passkey`, `delete_passkey`, `change_email`, `change_password`, `delete_account`, `export`, `admin`,
    /// `action`.
    pub(crate) purpose: String,
    /// The SHA-256 of the action to confirm, 32 bytes in base64url; only for the purpose `action`.
    pub(crate) action_hash: Option<String>,
}

/// `POST /session/refresh`, for clients that keep no cookies.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refresh {
    /// As a finish without an Origin header answered it.
    pub(crate) refresh_token: String,
}

/// `PATCH /credentials/{id}`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rename {
    /// 1 to 64 characters.
    pub(crate) device_name: String,
}

/// A ceremony that was started.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StartedBody<Options> {
    /// Finishes the ceremony, once.
    pub(crate) ceremony_id: String,
    /// `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON`.
    #[schema(value_type = Object)]
    pub(crate) public_key: Options,
    /// From this moment on it cannot be finished (RFC 3339).
    pub(crate) expires_at: String,
}

/// An account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    id: String,
    username: String,
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    email_verified: bool,
}

impl From<&Account> for User {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.to_string(),
            username: account.username.clone(),
            display_name: account.display_name.clone(),
            email: account.email.clone(),
            email_verified: account.email_verified,
        }
    }
}

/// A passkey.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CredentialBody {
    id: String,
    device_name: String,
    aaguid: String,
    /// What the authenticator's model is called, where its AAGUID is known. Proves nothing.
    authenticator_name: Option<&'static str>,
    transports: Vec<String>,
    backup_eligible: bool,
    backed_up: bool,
    attestation_format: String,
    /// `trusted` where a path to a trust anchor was found, else the attestation type: `none`, `self`, `uncertain`, …
    attestation_trust: String,
    sign_count: u32,
    created_at: String,
    last_used_at: Option<String>,
    user_agent: Option<String>,
    active: bool,
}

impl From<&Credential> for CredentialBody {
    fn from(credential: &Credential) -> Self {
        Self {
            id: credential.id.to_string(),
            device_name: credential.device_name.clone(),
            aaguid: credential.aaguid.to_string(),
            authenticator_name: authenticator_name(credential.aaguid),
            transports: credential
                .transports
                .iter()
                .map(|transport| transport.as_str().to_owned())
                .collect(),
            backup_eligible: credential.backup_eligible,
            backed_up: credential.backup_state,
            attestation_format: credential.attestation_format.clone(),
            attestation_trust: if credential.attestation_trusted {
                "trusted".to_owned()
            } else {
                credential.attestation_type.clone()
            },
            sign_count: credential.sign_count.0,
            created_at: rfc3339(credential.created_at),
            last_used_at: credential.last_used_at.map(rfc3339),
            user_agent: credential.user_agent.clone(),
            active: credential.active,
        }
    }
}

/// A passkey with its public key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CredentialWithKey {
    #[serde(flatten)]
    pub(crate) credential: CredentialBody,
    pub(crate) public_key: PublicKeyBody,
}

/// A public key in the forms people ask for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicKeyBody {
    /// COSE algorithm identifier.
    pub(crate) algorithm: i64,
    /// COSE_Key, base64url.
    pub(crate) cose: String,
    /// SubjectPublicKeyInfo in PEM.
    pub(crate) pem: String,
    /// JSON Web Key.
    #[schema(value_type = Object)]
    pub(crate) jwk: serde_json::Value,
}

/// `GET /credentials`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    pub(crate) credentials: Vec<CredentialBody>,
    /// For `PublicKeyCredential.signalAllAcceptedCredentials()`.
    pub(crate) rp_id: String,
    /// The user handle, for the same.
    pub(crate) user_id: String,
}

/// A session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionBody {
    id: String,
    expires_at: String,
    /// Authenticator assurance level (NIST SP 800-63B).
    aal: u8,
    amr: Vec<String>,
    auth_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
}

impl SessionBody {
    pub(crate) fn new(session: &Session) -> Self {
        Self {
            id: session.id.to_string(),
            expires_at: rfc3339(session.expires_at),
            aal: session.aal,
            amr: session.amr.clone(),
            auth_time: rfc3339(session.authenticated_at),
            access_token: None,
            token_type: None,
            refresh_token: None,
        }
    }

    /// With an access token, where those are on.
    pub(crate) fn with_token(state: &ApiState, account: &Account, session: &Session) -> Self {
        let access_token = state.keyhaven.access_tokens.issue(account, session);
        Self {
            token_type: access_token.as_ref().map(|_| "Bearer"),
            access_token,
            ..Self::new(session)
        }
    }
}

/// One line of `GET /sessions`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedSession {
    #[serde(flatten)]
    session: SessionBody,
    created_at: String,
    last_seen_at: String,
    user_agent: Option<String>,
    ip: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

impl ListedSession {
    pub(crate) fn new(session: &Session, current: &Session) -> Self {
        Self {
            session: SessionBody::new(session),
            created_at: rfc3339(session.created_at),
            last_seen_at: rfc3339(session.last_seen_at),
            user_agent: session.user_agent.clone(),
            ip: session.ip.clone(),
            current: session.id == current.id,
        }
    }
}

/// `GET /sessions`
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionList {
    pub(crate) sessions: Vec<ListedSession>,
}

/// `DELETE /sessions`
#[derive(Serialize, ToSchema)]
pub(crate) struct Ended {
    /// How many sessions ended.
    pub(crate) ended: u64,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    pub(crate) user: User,
    pub(crate) session: SessionBody,
}

/// The answer of a finished ceremony.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedInBody {
    pub(crate) user: User,
    pub(crate) credential: CredentialBody,
    pub(crate) session: SessionBody,
}

/// The answer of a finished step-up.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GrantBody {
    pub(crate) purpose: &'static str,
    pub(crate) expires_at: String,
    /// Where the start named an action: what shows that it was confirmed, one line of input for `keyhaven verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) confirmation: Option<keyhaven_service::Confirmation>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(
            rfc3339(UnixTime::from_millis(1_700_000_000_123)),
            "2023-11-14T22:13:20.123Z"
        );
        assert_eq!(rfc3339(UnixTime::from_millis(i64::MAX)), "1970-01-01T00:00:00Z");
    }
}
