//! From columns to records, for adapters that keep tables (feature `columns`).
//!
//! Every query that reads a record gives its columns the same names, so that one macro per record serves all queries of
//! all adapters; a value that a schema allows and the record does not is [`Damaged`]. Moments are milliseconds, lists of
//! texts JSON. The macros are to be used where an error converts from [`Damaged`].

use keyhaven_types::{AuthenticatorTransport, CredentialId, RpId, SignCount, UnixTime, UserHandle};

use crate::{AuditOutcome, TokenHash};

/// What the macros name, so that adapters need not.
#[doc(hidden)]
pub mod types {
    pub use keyhaven_types::{Aaguid, CoseAlgorithm, UnixTime};
}

/// A stored value that no version of Keyhaven writes: which.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the stored {0} is damaged")]
pub struct Damaged(pub &'static str);

/// `account_id, user_handle, username, display_name, email, email_verified, account_active, account_created_at,
/// updated_at, last_login_at`.
#[doc(hidden)]
#[macro_export]
macro_rules! account_columns {
    ($row:ident) => {
        $crate::Account {
            id: $crate::AccountId($row.account_id),
            user_handle: $crate::columns::user_handle(&$row.user_handle)?,
            username: $row.username,
            display_name: $row.display_name,
            email: $row.email,
            email_verified: $row.email_verified,
            active: $row.account_active,
            created_at: $crate::columns::types::UnixTime::from_millis($row.account_created_at),
            updated_at: $crate::columns::types::UnixTime::from_millis($row.updated_at),
            last_login_at: $row
                .last_login_at
                .map($crate::columns::types::UnixTime::from_millis),
        }
    };
}
#[doc(inline)]
pub use crate::account_columns as account;

/// `credential_id, account_id, rp_id, public_key, algorithm, sign_count, aaguid, transports, backup_eligible,
/// backup_state, uv_initialized, attestation_format, attestation_type, attestation_trusted, device_name, user_agent,
/// credential_created_at, last_used_at, credential_active`.
#[doc(hidden)]
#[macro_export]
macro_rules! credential_columns {
    ($row:ident) => {
        $crate::Credential {
            id: $crate::columns::credential_id(&$row.credential_id)?,
            account: $crate::AccountId($row.account_id),
            rp_id: $crate::columns::rp_id(&$row.rp_id)?,
            public_key: $row.public_key,
            algorithm: $crate::columns::types::CoseAlgorithm::new($row.algorithm),
            sign_count: $crate::columns::sign_count($row.sign_count)?,
            aaguid: $crate::columns::types::Aaguid::new($row.aaguid.into_bytes()),
            transports: $crate::columns::transports(&$row.transports)?,
            backup_eligible: $row.backup_eligible,
            backup_state: $row.backup_state,
            uv_initialized: $row.uv_initialized,
            attestation_format: $row.attestation_format,
            attestation_type: $row.attestation_type,
            attestation_trusted: $row.attestation_trusted,
            device_name: $row.device_name,
            user_agent: $row.user_agent,
            created_at: $crate::columns::types::UnixTime::from_millis($row.credential_created_at),
            last_used_at: $row
                .last_used_at
                .map($crate::columns::types::UnixTime::from_millis),
            active: $row.credential_active,
        }
    };
}
#[doc(inline)]
pub use crate::credential_columns as credential;

/// `session_id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at, session_created_at, last_seen_at, expires_at,
/// authenticated_at, aal, amr, credential_id, user_agent, ip`.
#[doc(hidden)]
#[macro_export]
macro_rules! session_columns {
    ($row:ident) => {
        $crate::Session {
            id: $crate::SessionId($row.session_id),
            account: $crate::AccountId($row.account_id),
            token_family: $crate::columns::token_hash(&$row.token_family_hash)?,
            token_hash: $crate::columns::token_hash(&$row.token_hash)?,
            previous_token: match ($row.previous_token_hash, $row.rotated_at) {
                (Some(hash), Some(at)) => Some((
                    $crate::columns::token_hash(&hash)?,
                    $crate::columns::types::UnixTime::from_millis(at),
                )),
                (_, _) => None,
            },
            created_at: $crate::columns::types::UnixTime::from_millis($row.session_created_at),
            last_seen_at: $crate::columns::types::UnixTime::from_millis($row.last_seen_at),
            expires_at: $crate::columns::types::UnixTime::from_millis($row.expires_at),
            authenticated_at: $crate::columns::types::UnixTime::from_millis($row.authenticated_at),
            aal: u8::try_from($row.aal).map_err(|_| $crate::columns::Damaged("assurance level"))?,
            amr: $crate::columns::methods(&$row.amr)?,
            credential: $row
                .credential_id
                .as_deref()
                .map($crate::columns::credential_id)
                .transpose()?,
            user_agent: $row.user_agent,
            ip: $row.ip,
        }
    };
}
#[doc(inline)]
pub use crate::session_columns as session;

/// `id, at, action, outcome, code, step, account_id, credential_id, session_id, ip, user_agent, request_id, mac`.
#[doc(hidden)]
#[macro_export]
macro_rules! event_columns {
    ($row:ident) => {
        $crate::AuditEvent {
            id: $crate::EventId($row.id),
            at: $crate::columns::types::UnixTime::from_millis($row.at),
            action: $row.action,
            outcome: $crate::columns::outcome(&$row.outcome)?,
            code: $row.code,
            step: $row.step,
            account: $row.account_id.map($crate::AccountId),
            credential: $row
                .credential_id
                .as_deref()
                .map($crate::columns::credential_id)
                .transpose()?,
            session: $row.session_id.map($crate::SessionId),
            ip: $row.ip,
            user_agent: $row.user_agent,
            request_id: $row.request_id,
            mac: $crate::columns::mac($row.mac)?,
        }
    };
}
#[doc(inline)]
pub use crate::event_columns as event;

/// A credential id.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn credential_id(bytes: &[u8]) -> Result<CredentialId, Damaged> {
    CredentialId::try_from(bytes).map_err(|_| Damaged("credential id"))
}

/// A user handle.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn user_handle(bytes: &[u8]) -> Result<UserHandle, Damaged> {
    UserHandle::try_from(bytes).map_err(|_| Damaged("user handle"))
}

/// An RP ID.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn rp_id(text: &str) -> Result<RpId, Damaged> {
    RpId::new(text).map_err(|_| Damaged("RP ID"))
}

/// A sign count.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn sign_count(count: i64) -> Result<SignCount, Damaged> {
    u32::try_from(count)
        .map(SignCount)
        .map_err(|_| Damaged("sign count"))
}

/// A token hash.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn token_hash(bytes: &[u8]) -> Result<TokenHash, Damaged> {
    bytes.try_into().map(TokenHash).map_err(|_| Damaged("token hash"))
}

/// A list of transports.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn transports(json: &str) -> Result<Vec<AuthenticatorTransport>, Damaged> {
    serde_json::from_str(json).map_err(|_| Damaged("list of transports"))
}

/// A list of authentication methods.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn methods(json: &str) -> Result<Vec<String>, Damaged> {
    serde_json::from_str(json).map_err(|_| Damaged("list of methods"))
}

/// An event's outcome.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn outcome(text: &str) -> Result<AuditOutcome, Damaged> {
    match text {
        "refused" => Ok(AuditOutcome::Refused),
        "success" => Ok(AuditOutcome::Success),
        _ => Err(Damaged("outcome")),
    }
}

/// How an event's outcome is stored.
#[must_use]
pub const fn outcome_text(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Refused => "refused",
        AuditOutcome::Success => "success",
    }
}

/// An event's MAC.
///
/// # Errors
/// [`Damaged`] where it has another length.
pub fn mac(bytes: Vec<u8>) -> Result<[u8; 32], Damaged> {
    bytes.try_into().map_err(|_| Damaged("MAC"))
}

/// The newest moment that is older than `before`, in milliseconds; without it, the end of time. `None`: nothing is older
/// than the beginning.
#[must_use]
pub const fn newest(before: Option<UnixTime>) -> Option<i64> {
    match before {
        None => Some(i64::MAX),
        Some(before) => before.as_millis().checked_sub(1),
    }
}

/// A list of texts as JSON.
#[must_use]
pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}
