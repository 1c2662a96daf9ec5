//! The JSON shapes of `docs/http-api.md`. Never domain types: what goes over the wire is written here.

mod account;
pub(crate) mod admin;

use keyhaven_service::{Signals, authentication_context, authenticator_name};
use keyhaven_storage::{Account, Credential, InactiveReason, Session};
use keyhaven_types::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use utoipa::ToSchema;

pub(crate) use account::{ChangeAccount, ChangedAccount, EventBody, EventList, ExportBody, PendingRecovery};

use crate::state::ApiState;

/// RFC 3339 in UTC, to the millisecond: always three digits, so that texts sort as the times do.
pub(crate) fn rfc3339(at: UnixTime) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()).saturating_mul(1_000_000))
        .ok()
        .filter(|at| (0..10_000).contains(&at.year()))
        .and_then(|at| at.format(MILLISECONDS).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00.000Z".to_owned())
}

const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// `POST /register/start`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisterStart {
    /// The new account's public handle: 1 to 50 characters, no `@`. Not needed with a session.
    pub(crate) username: Option<String>,
    /// What a person reads, 1 to 64 characters; the username when absent.
    pub(crate) display_name: Option<String>,
    /// An e-mail address, unproven until verified. Where accounts are called by their addresses: a code is mailed there, and
    /// answered is how it is named.
    pub(crate) email: Option<String>,
    /// Where accounts are called by their addresses: as it was answered.
    pub(crate) email_proof_id: Option<String>,
    /// The mailed code, six digits.
    pub(crate) email_code: Option<String>,
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
    /// A security key whose PIN is asked for, now and at every sign-in.
    #[serde(default)]
    pub(crate) pin: bool,
    /// The answer to a captcha: accepted, and not looked at.
    #[expect(dead_code, reason = "part of the contract; no captcha can be configured")]
    pub(crate) captcha_token: Option<String>,
}

/// A code was mailed to the address, or that there is an account: which, only its owner reads.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AskedProofBody {
    /// To be sent with the code, from the same browser, as `emailProofId` and `emailCode`.
    pub(crate) email_proof_id: String,
    /// From this moment on the code proves nothing (RFC 3339).
    pub(crate) expires_at: String,
    /// A key to look a sentence up by.
    pub(crate) translation_key: &'static str,
}

/// `POST /login/start`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginStart {
    /// Who wants to sign in (the address, where accounts are called by theirs); absent for a discoverable credential.
    #[serde(alias = "email")]
    pub(crate) username: Option<String>,
    /// The answer to a captcha: accepted, and not looked at.
    #[expect(dead_code, reason = "part of the contract; no captcha can be configured")]
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
    /// The password, where it is asked for beside the passkey; of a new account, the one that it is to have.
    pub(crate) password: Option<String>,
    /// The client key, where it is asked for beside the passkey.
    pub(crate) client_key: Option<String>,
}

/// `POST /password/register`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordRegister {
    /// The new account's public handle: 1 to 50 characters, no `@`.
    pub(crate) username: Option<String>,
    /// Where accounts are called by their addresses: as `POST /register/start` answered it.
    pub(crate) email_proof_id: Option<String>,
    /// The code that was mailed to that address, six digits.
    pub(crate) email_code: Option<String>,
    /// 15 to 256 characters.
    pub(crate) password: String,
    /// What a person reads, 1 to 64 characters; the username when absent.
    pub(crate) display_name: Option<String>,
    /// An e-mail address, unproven until verified.
    pub(crate) email: Option<String>,
    /// The answer to a captcha: accepted, and not looked at.
    #[expect(dead_code, reason = "part of the contract; no captcha can be configured")]
    pub(crate) captcha_token: Option<String>,
}

/// `POST /password/login`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordLogin {
    /// Who wants to sign in.
    #[serde(alias = "email")]
    pub(crate) username: String,
    /// 1 to 256 characters.
    pub(crate) password: String,
    /// The answer to a captcha: accepted, and not looked at.
    #[expect(dead_code, reason = "part of the contract; no captcha can be configured")]
    pub(crate) captcha_token: Option<String>,
}

/// `PUT /password`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordChange {
    /// 15 to 256 characters; 8 at least where it counts only together with a passkey.
    pub(crate) password: String,
    /// The password so far: where the account has no passkey, or a sign-in asks for both.
    pub(crate) current_password: Option<String>,
    /// Whether it counts only together with a passkey, which then does not count without it; as before where absent.
    pub(crate) with_passkey: Option<bool>,
}

/// `DELETE /password`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordRemoval {
    /// The password so far: where a sign-in asks for it together with a passkey.
    pub(crate) current_password: Option<String>,
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
    /// As a finish without an Origin header answered it; left out, the cookie counts.
    pub(crate) refresh_token: Option<String>,
}

/// `PATCH /credentials/{id}`: one of these.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangeCredential {
    /// Another name, 1 to 64 characters.
    pub(crate) device_name: Option<String>,
    /// `true`: put a suspended passkey back in use. Needs a recent sign-in or a step-up for `add_passkey`.
    pub(crate) active: Option<bool>,
}

/// `POST /email/verify`
#[derive(Deserialize, ToSchema)]
pub(crate) struct VerifyEmail {
    /// As it stands in the mailed link, behind `verify-email=`.
    pub(crate) token: String,
}

/// `POST /email/change`
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChangeEmail {
    /// The new address.
    pub(crate) email: String,
}

/// `POST /recovery/request-otp`
#[derive(Deserialize, ToSchema)]
pub(crate) struct RequestRecovery {
    /// The account's proven address.
    pub(crate) email: String,
}

/// A recovery that was asked for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AskedRecovery {
    /// Names the recovery, in the browser that asked for it.
    pub(crate) recovery_id: String,
}

/// `POST /recovery/verify-otp`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyOtp {
    /// As it was answered.
    pub(crate) recovery_id: String,
    /// Six digits; left out, a recovery is taken up whose wait is over.
    pub(crate) otp: Option<String>,
}

/// `POST /recovery/verify-code`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyRecoveryCode {
    /// Of a recovery that waits.
    pub(crate) recovery_id: String,
    /// One of the account's recovery codes.
    pub(crate) code: String,
}

/// `POST /recovery/cancel`
#[derive(Deserialize, ToSchema)]
pub(crate) struct CancelRecovery {
    /// As it stands in the mailed link, behind `cancel-recovery=`; left out, the signed-in account's recoveries are
    /// cancelled.
    pub(crate) token: Option<String>,
}

/// How far a recovery has come.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecoveryBody {
    /// `pending`: the mailed code is expected. `waiting`: until `readyAt` its owner can object. `ready`: it can be taken
    /// up. `recovered`: a recovery session is open. `ended`.
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready_at: Option<String>,
    /// A key to look a sentence up by.
    pub(crate) translation_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<SessionBody>,
}

impl RecoveryBody {
    pub(crate) fn new(state: &'static str, ready_at: Option<UnixTime>) -> Self {
        Self {
            state,
            ready_at: ready_at.map(rfc3339),
            translation_key: format!("message.recovery_{state}"),
            user: None,
            session: None,
        }
    }
}

/// `POST /recovery/codes`
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Shown this once.
    pub(crate) codes: Vec<String>,
}

/// What to say to a person where there is nothing else to answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    /// A key to look the sentence up by.
    translation_key: &'static str,
}

impl Told {
    pub(crate) const fn new(translation_key: &'static str) -> Self {
        Self { translation_key }
    }
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
    /// `user` or `admin`.
    role: &'static str,
}

impl From<&Account> for User {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.to_string(),
            username: account.name().to_owned(),
            display_name: account.display_name.clone(),
            email: account.email.clone(),
            email_verified: account.email_verified,
            role: account.role.as_str(),
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
    /// Whether it is a security key whose PIN is always asked for.
    pin: bool,
    /// Whether it can sign in.
    active: bool,
    /// Why not: `clone_suspended`, until its owner puts it back in use; `clone_revoked`, for good: register another.
    inactive_reason: Option<&'static str>,
    extensions: ExtensionsBody,
    /// The device's serial number out of an enterprise attestation, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
}

/// What a passkey's registration said of the extensions that were asked for; what was not said is left out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExtensionsBody {
    /// Whether it is discoverable, as the client says.
    #[serde(skip_serializing_if = "Option::is_none")]
    discoverable: Option<bool>,
    /// `credProtect`, signed: 1, 2 or 3 (CTAP 2.2 §12.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    cred_protect: Option<u8>,
    /// The shortest PIN that the authenticator takes, signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_pin_length: Option<u32>,
    /// Whether data can be kept with it, as the client says.
    #[serde(skip_serializing_if = "Option::is_none")]
    large_blob: Option<bool>,
    /// Whether secrets can be derived from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    prf: Option<bool>,
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
            pin: credential.pin,
            active: credential.active,
            inactive_reason: credential.inactive_reason.map(InactiveReason::as_str),
            extensions: ExtensionsBody {
                discoverable: credential.traits.discoverable,
                cred_protect: credential.traits.cred_protect,
                min_pin_length: credential.traits.min_pin_length,
                large_blob: credential.traits.large_blob,
                prf: credential.traits.prf,
            },
            serial_number: credential.traits.serial_number.clone(),
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
    /// What to tell the browser.
    #[schema(value_type = SignalsBody)]
    pub(crate) signals: Signals,
}

/// A passkey that was changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangedCredential {
    #[serde(flatten)]
    pub(crate) credential: CredentialBody,
    /// What to tell the browser.
    #[schema(value_type = SignalsBody)]
    pub(crate) signals: Signals,
}

/// `DELETE /credentials`, `DELETE /credentials/{id}`
#[derive(Serialize, ToSchema)]
pub(crate) struct Deleted {
    /// What to tell the browser.
    #[schema(value_type = SignalsBody)]
    pub(crate) signals: Signals,
}

/// Arguments for the Signal API (WebAuthn L3 §5.1.10), each for the method of its name: hand them on unchanged.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes keyhaven_service::Signals")]
#[schema(rename_all = "camelCase")]
pub(crate) struct SignalsBody {
    /// For `PublicKeyCredential.signalAllAcceptedCredentials()`: `{rpId, userId, allAcceptedCredentialIds}`.
    #[schema(value_type = Option<Object>)]
    all_accepted_credentials: Option<()>,
    /// For `PublicKeyCredential.signalCurrentUserDetails()`: `{rpId, userId, name, displayName}`.
    #[schema(value_type = Option<Object>)]
    current_user_details: Option<()>,
    /// For `PublicKeyCredential.signalUnknownCredential()`: `{rpId, credentialId}`.
    #[schema(value_type = Option<Object>)]
    unknown_credential: Option<()>,
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
    /// Authentication context class (OpenID Connect EAP ACR Values 1.0): `phrh`, `phr`; absent without a passkey.
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'static str>,
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
            acr: authentication_context(session),
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
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedInBody {
    pub(crate) user: User,
    pub(crate) credential: CredentialBody,
    pub(crate) session: SessionBody,
    /// What to tell the browser.
    #[schema(value_type = SignalsBody)]
    pub(crate) signals: Signals,
    /// Whether the account was recovered by this: then its other passkeys, where there are any, are to be looked at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) recovered: bool,
    /// A new account's client key, where it was given one: shown now, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_key: Option<String>,
    /// A key to look a sentence up by.
    pub(crate) translation_key: &'static str,
}

/// `POST /account/client-key`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientKeyBody {
    /// 32 hexadecimal digits: shown now, and never again.
    pub(crate) client_key: String,
}

/// The answer of a sign-in by password.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordSignedIn {
    pub(crate) user: User,
    pub(crate) session: SessionBody,
    /// Whether the account has no passkey: then offer to make one, for example with `mediation: "conditional"`.
    pub(crate) offer_passkey: bool,
    /// A key to look a sentence up by.
    pub(crate) translation_key: &'static str,
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
        // Always as long: what compares texts compares times.
        for (millis, text) in [
            (1_700_000_000_990, "2023-11-14T22:13:20.990Z"),
            (1_700_000_000_000, "2023-11-14T22:13:20.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "1970-01-01T00:00:00.000Z"),
            (i64::MAX, "1970-01-01T00:00:00.000Z"),
            (i64::MIN, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(UnixTime::from_millis(millis)), text);
        }
    }
}
