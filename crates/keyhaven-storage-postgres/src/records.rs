//! From columns to records. Every query that reads a record gives its columns the same names, so that one macro per
//! record serves them all; a value that the schema allows and the record does not is damage.

use keyhaven_storage::TokenHash;
use keyhaven_types::{AuthenticatorTransport, CredentialId, RpId, SignCount, UserHandle};

use crate::error::Failure;

/// `account_id, user_handle, username, display_name, email, email_verified, account_active, account_created_at,
/// updated_at, last_login_at`.
macro_rules! account {
    ($row:ident) => {
        keyhaven_storage::Account {
            id: keyhaven_storage::AccountId($row.account_id),
            user_handle: $crate::records::user_handle(&$row.user_handle)?,
            username: $row.username,
            display_name: $row.display_name,
            email: $row.email,
            email_verified: $row.email_verified,
            active: $row.account_active,
            created_at: keyhaven_types::UnixTime::from_millis($row.account_created_at),
            updated_at: keyhaven_types::UnixTime::from_millis($row.updated_at),
            last_login_at: $row.last_login_at.map(keyhaven_types::UnixTime::from_millis),
        }
    };
}
pub(crate) use account;

/// `credential_id, account_id, rp_id, public_key, algorithm, sign_count, aaguid, transports, backup_eligible,
/// backup_state, uv_initialized, attestation_format, attestation_type, attestation_trusted, device_name, user_agent,
/// credential_created_at, last_used_at, credential_active`.
macro_rules! credential {
    ($row:ident) => {
        keyhaven_storage::Credential {
            id: $crate::records::credential_id(&$row.credential_id)?,
            account: keyhaven_storage::AccountId($row.account_id),
            rp_id: $crate::records::rp_id(&$row.rp_id)?,
            public_key: $row.public_key,
            algorithm: keyhaven_types::CoseAlgorithm::new($row.algorithm),
            sign_count: $crate::records::sign_count($row.sign_count)?,
            aaguid: keyhaven_types::Aaguid::new($row.aaguid.into_bytes()),
            transports: $crate::records::transports(&$row.transports)?,
            backup_eligible: $row.backup_eligible,
            backup_state: $row.backup_state,
            uv_initialized: $row.uv_initialized,
            attestation_format: $row.attestation_format,
            attestation_type: $row.attestation_type,
            attestation_trusted: $row.attestation_trusted,
            device_name: $row.device_name,
            user_agent: $row.user_agent,
            created_at: keyhaven_types::UnixTime::from_millis($row.credential_created_at),
            last_used_at: $row.last_used_at.map(keyhaven_types::UnixTime::from_millis),
            active: $row.credential_active,
        }
    };
}
pub(crate) use credential;

/// `session_id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at, session_created_at, last_seen_at, expires_at,
/// authenticated_at, aal, amr, credential_id, user_agent, ip`.
macro_rules! session {
    ($row:ident) => {
        keyhaven_storage::Session {
            id: keyhaven_storage::SessionId($row.session_id),
            account: keyhaven_storage::AccountId($row.account_id),
            token_family: $crate::records::token_hash(&$row.token_family_hash)?,
            token_hash: $crate::records::token_hash(&$row.token_hash)?,
            previous_token: match ($row.previous_token_hash, $row.rotated_at) {
                (Some(hash), Some(at)) => Some((
                    $crate::records::token_hash(&hash)?,
                    keyhaven_types::UnixTime::from_millis(at),
                )),
                (_, _) => None,
            },
            created_at: keyhaven_types::UnixTime::from_millis($row.session_created_at),
            last_seen_at: keyhaven_types::UnixTime::from_millis($row.last_seen_at),
            expires_at: keyhaven_types::UnixTime::from_millis($row.expires_at),
            authenticated_at: keyhaven_types::UnixTime::from_millis($row.authenticated_at),
            aal: u8::try_from($row.aal).map_err(|_| $crate::error::Failure::Damaged("assurance level"))?,
            amr: serde_json::from_str(&$row.amr)
                .map_err(|_| $crate::error::Failure::Damaged("list of methods"))?,
            credential: $row
                .credential_id
                .as_deref()
                .map($crate::records::credential_id)
                .transpose()?,
            user_agent: $row.user_agent,
            ip: $row.ip,
        }
    };
}
pub(crate) use session;

pub(crate) fn credential_id(bytes: &[u8]) -> Result<CredentialId, Failure> {
    CredentialId::try_from(bytes).map_err(|_| Failure::Damaged("credential id"))
}

pub(crate) fn user_handle(bytes: &[u8]) -> Result<UserHandle, Failure> {
    UserHandle::try_from(bytes).map_err(|_| Failure::Damaged("user handle"))
}

pub(crate) fn rp_id(text: &str) -> Result<RpId, Failure> {
    RpId::new(text).map_err(|_| Failure::Damaged("RP ID"))
}

pub(crate) fn sign_count(count: i64) -> Result<SignCount, Failure> {
    u32::try_from(count)
        .map(SignCount)
        .map_err(|_| Failure::Damaged("sign count"))
}

pub(crate) fn token_hash(bytes: &[u8]) -> Result<TokenHash, Failure> {
    bytes
        .try_into()
        .map(TokenHash)
        .map_err(|_| Failure::Damaged("token hash"))
}

pub(crate) fn transports(json: &str) -> Result<Vec<AuthenticatorTransport>, Failure> {
    serde_json::from_str(json).map_err(|_| Failure::Damaged("list of transports"))
}

/// A list of texts as JSON.
pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}
