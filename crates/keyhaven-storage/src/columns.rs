//! From columns to records, for adapters that keep tables (feature `columns`).
//!
//! Every query that reads a record gives its columns the same names, so that one macro per record serves all queries of
//! all adapters; a value that a schema allows and the record does not is [`Damaged`]. Moments are milliseconds, lists of
//! texts JSON. The macros are to be used where an error converts from [`Damaged`].

use keyhaven_types::{AuthenticatorTransport, CredentialId, RpId, SignCount, UnixTime, UserHandle};

use crate::{AuditOutcome, CredentialHandle, EventId, TokenHash};

/// What the macros name, so that adapters need not.
#[doc(hidden)]
pub mod types {
    pub use keyhaven_types::{Aaguid, CoseAlgorithm, UnixTime};
}

pub use crate::Damaged;

/// `account_id, user_handle, username, display_name, email, email_verified, account_active, is_admin,
/// account_created_at, updated_at, last_login_at`.
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
            role: if $row.is_admin {
                $crate::Role::Admin
            } else {
                $crate::Role::User
            },
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
/// backup_state, uv_initialized, pin, attestation_format, attestation_type, attestation_trusted, attestation_hardware,
/// device_name, user_agent, credential_created_at, last_used_at, credential_active, inactive_reason, traits`.
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
            pin: $row.pin,
            attestation_format: $row.attestation_format,
            attestation_type: $row.attestation_type,
            attestation_trusted: $row.attestation_trusted,
            attestation_hardware: $row.attestation_hardware,
            device_name: $row.device_name,
            user_agent: $row.user_agent,
            created_at: $crate::columns::types::UnixTime::from_millis($row.credential_created_at),
            last_used_at: $row
                .last_used_at
                .map($crate::columns::types::UnixTime::from_millis),
            active: $row.credential_active,
            inactive_reason: $row
                .inactive_reason
                .as_deref()
                .map($crate::columns::inactive_reason)
                .transpose()?,
            traits: $crate::columns::traits(&$row.traits)?,
        }
    };
}
#[doc(inline)]
pub use crate::credential_columns as credential;

/// `hash, kind, with_passkey, changed_at`, all of which are null where there is no password, and `account_id`. Answers
/// an `Option` of a [`PasswordVerifier`](crate::PasswordVerifier), and takes only the columns that are named.
#[doc(hidden)]
#[macro_export]
macro_rules! password_columns {
    ($row:ident) => {
        match ($row.hash, $row.kind, $row.with_passkey, $row.changed_at) {
            (Some(hash), Some(kind), Some(with_passkey), Some(changed_at)) => {
                Some($crate::PasswordVerifier {
                    account: $crate::AccountId($row.account_id),
                    hash,
                    kind,
                    with_passkey,
                    changed_at: $crate::columns::types::UnixTime::from_millis(changed_at),
                })
            }
            _ => None,
        }
    };
}
#[doc(inline)]
pub use crate::password_columns as password;

/// `hash, kind, with_passkey, changed_at, client_key_mac, client_key_created_at, client_key_last_used_at`, each of which
/// may be null, and `account_id`. Answers [`Factors`](crate::Factors), and takes only the columns that are named.
#[doc(hidden)]
#[macro_export]
macro_rules! factors_columns {
    ($row:ident) => {
        $crate::Factors {
            password: $crate::columns::password!($row),
            client_key: match ($row.client_key_mac, $row.client_key_created_at) {
                (Some(mac), Some(created_at)) => Some($crate::ClientKey {
                    account: $crate::AccountId($row.account_id),
                    mac: $crate::columns::bytes(&mac, "client key")?,
                    created_at: $crate::columns::types::UnixTime::from_millis(created_at),
                    last_used_at: $row
                        .client_key_last_used_at
                        .map($crate::columns::types::UnixTime::from_millis),
                }),
                _ => None,
            },
        }
    };
}
#[doc(inline)]
pub use crate::factors_columns as factors;

/// `session_id, account_id, token_family_hash, token_hash, previous_token_hash, rotated_at, earlier_tokens, session_created_at,
/// last_seen_at, expires_at, authenticated_at, aal, amr, credential_id, user_agent, ip`.
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
            earlier_tokens: $crate::columns::earlier_tokens(&$row.earlier_tokens)?,
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

/// `id, at, action, outcome, code, step, account_id, credential_id, session_id, ip, user_agent, request_id, actor, personal,
/// mac`.
#[doc(hidden)]
#[macro_export]
macro_rules! event_columns {
    ($row:ident) => {
        $crate::event_columns!($row, $row.id, $row.at, $row.action, $row.outcome, $row.mac)
    };
    ($row:ident, $id:expr, $at:expr, $action:expr, $outcome:expr, $mac:expr) => {
        $crate::AuditEvent {
            id: $crate::EventId($id),
            at: $crate::columns::types::UnixTime::from_millis($at),
            action: $action,
            outcome: $crate::columns::outcome(&$outcome)?,
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
            personal: $row.personal,
            actor: $row.actor.as_deref().map($crate::columns::actor).transpose()?,
            mac: $crate::columns::mac($mac)?,
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

/// Why a credential was taken out of use.
///
/// # Errors
/// [`Damaged`] where it is none that is known.
pub fn inactive_reason(text: &str) -> Result<crate::InactiveReason, Damaged> {
    crate::InactiveReason::from_name(text).ok_or(Damaged("reason of an inactive credential"))
}

/// What a registration said of a credential.
///
/// # Errors
/// [`Damaged`] where it is not the JSON that [`stored_traits`] writes.
pub fn traits(json: &str) -> Result<crate::CredentialTraits, Damaged> {
    serde_json::from_str(json).map_err(|_| Damaged("traits of a credential"))
}

/// The same as it is stored.
#[must_use]
pub fn stored_traits(traits: &crate::CredentialTraits) -> String {
    serde_json::to_string(traits).unwrap_or_else(|_| "{}".to_owned())
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

/// Tokens that were replaced, each its hash in 64 hexadecimal digits and the moment in 16.
///
/// # Errors
/// [`Damaged`] where they are none.
pub fn earlier_tokens(text: &str) -> Result<Vec<(TokenHash, UnixTime)>, Damaged> {
    let (tokens, []) = text.as_bytes().as_chunks::<80>() else {
        return Err(Damaged("list of replaced tokens"));
    };
    tokens.iter().map(earlier_token).collect()
}

fn earlier_token(text: &[u8; 80]) -> Result<(TokenHash, UnixTime), Damaged> {
    let mut bytes = [0; 40];
    let (digits, _) = text.as_chunks::<2>();
    for (byte, digits) in bytes.iter_mut().zip(digits) {
        *byte = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or(Damaged("list of replaced tokens"))?;
    }
    let (mut hash, mut at) = ([0; 32], [0; 8]);
    let (of_hash, of_moment) = bytes.split_at(hash.len());
    hash.copy_from_slice(of_hash);
    at.copy_from_slice(of_moment);
    Ok((TokenHash(hash), UnixTime::from_millis(i64::from_be_bytes(at))))
}

/// A list of transports.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn transports(json: &str) -> Result<Vec<AuthenticatorTransport>, Damaged> {
    serde_json::from_str(json).map_err(|_| Damaged("list of transports"))
}

/// What a login by name starts from, of rows that say whether there is such an account and, where it has one, a
/// credential's id and transports. `None`: there is no account.
///
/// # Errors
/// [`Damaged`] where an id or a list of transports is none.
pub fn login_candidates(
    rows: impl IntoIterator<Item = (bool, Option<Vec<u8>>, Option<String>)>,
) -> Result<Option<Vec<CredentialHandle>>, Damaged> {
    let mut candidates = None;
    for (known, id, list) in rows {
        let handle = match (id, list) {
            (Some(id), Some(list)) => Some(CredentialHandle {
                id: credential_id(&id)?,
                transports: transports(&list)?,
            }),
            (_, _) => None,
        };
        if known {
            candidates.get_or_insert_with(Vec::new).extend(handle);
        }
    }
    Ok(candidates)
}

/// A list of authentication methods.
///
/// # Errors
/// [`Damaged`] where it is none.
pub fn methods(json: &str) -> Result<Vec<String>, Damaged> {
    serde_json::from_str(json).map_err(|_| Damaged("list of methods"))
}

/// As [`event`], of a row that need not be there: every column may be null. Answers a
/// [`StoredEvent`](crate::StoredEvent).
#[doc(hidden)]
#[macro_export]
macro_rules! found_event_columns {
    ($row:ident) => {
        match ($row.id, $row.at, $row.action, $row.outcome, $row.mac) {
            (None, _, _, _, _) => $crate::StoredEvent::Missing,
            (Some(id), Some(at), Some(action), Some(outcome), Some(mac)) => {
                let read = || -> Result<$crate::AuditEvent, $crate::Damaged> {
                    Ok($crate::event_columns!($row, id, at, action, outcome, mac))
                };
                read().map_or_else($crate::StoredEvent::Damaged, $crate::StoredEvent::Whole)
            }
            _ => $crate::StoredEvent::Damaged($crate::Damaged("event")),
        }
    };
}
#[doc(inline)]
pub use crate::found_event_columns as found_event;

/// Who did what an event tells.
///
/// # Errors
/// [`Damaged`] where it is nobody.
pub fn actor(text: &str) -> Result<crate::Actor, Damaged> {
    text.parse().map_err(|_| Damaged("actor"))
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

/// Where a list of events ended, as two values to compare `(at, id)` with: less than these. Without it, the end of time
/// and an id above all ids.
#[must_use]
pub fn list_end(after: Option<(UnixTime, EventId)>) -> (i64, uuid::Uuid) {
    after.map_or((i64::MAX, uuid::Uuid::max()), |(at, id)| (at.as_millis(), id.0))
}

/// A hash or a signature of so many bytes.
///
/// # Errors
/// [`Damaged`] where it has another length.
pub fn bytes<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], Damaged> {
    bytes.try_into().map_err(|_| Damaged(what))
}

/// The first id that comes after `after`; without it, the first of all. `None`: none does.
#[must_use]
pub fn next_id(after: Option<EventId>) -> Option<uuid::Uuid> {
    next_uuid(after.map(|id| id.0))
}

/// As [`next_id`], of ids of whatever kind.
#[must_use]
pub fn next_uuid(after: Option<uuid::Uuid>) -> Option<uuid::Uuid> {
    match after {
        None => Some(uuid::Uuid::nil()),
        Some(id) => id.as_u128().checked_add(1).map(uuid::Uuid::from_u128),
    }
}

/// A number that is never negative.
///
/// # Errors
/// [`Damaged`] where it is.
pub fn count<N: TryFrom<i64>>(number: i64, what: &'static str) -> Result<N, Damaged> {
    N::try_from(number).map_err(|_| Damaged(what))
}

/// A number as it is stored: up to 2^63 - 1.
#[must_use]
pub fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `number, sealed_at, events, total, root, previous, key_id, signature`.
#[doc(hidden)]
#[macro_export]
macro_rules! batch_columns {
    ($row:ident) => {
        $crate::AuditBatch {
            number: $crate::columns::count($row.number, "batch number")?,
            sealed_at: $crate::columns::types::UnixTime::from_millis($row.sealed_at),
            events: $crate::columns::count(i64::from($row.events), "number of events")?,
            total: $crate::columns::count($row.total, "number of events")?,
            root: $crate::columns::bytes(&$row.root, "batch root")?,
            previous: $crate::columns::bytes(&$row.previous, "chained root")?,
            key_id: $row.key_id,
            signature: $crate::columns::bytes(&$row.signature, "batch signature")?,
        }
    };
}
#[doc(inline)]
pub use crate::batch_columns as batch;

/// `id, verifier_key, sealed_private_key, created_at, endorsed_by, endorsement`.
#[doc(hidden)]
#[macro_export]
macro_rules! audit_key_columns {
    ($row:ident) => {
        $crate::AuditKey {
            id: $row.id,
            verifier_key: $row.verifier_key,
            sealed_private_key: $row.sealed_private_key,
            created_at: $crate::columns::types::UnixTime::from_millis($row.created_at),
            endorsement: match ($row.endorsed_by, $row.endorsement) {
                (Some(by), Some(signature)) => Some((by, $crate::columns::bytes(&signature, "endorsement")?)),
                (_, _) => None,
            },
        }
    };
}
#[doc(inline)]
pub use crate::audit_key_columns as audit_key;

/// `through, chain, pruned_before, at, key_id, signature`.
#[doc(hidden)]
#[macro_export]
macro_rules! audit_prune_columns {
    ($row:ident) => {
        $crate::AuditPrune {
            through: $crate::columns::count($row.through, "batch number")?,
            chain: $crate::columns::bytes(&$row.chain, "chained root")?,
            before: $crate::columns::types::UnixTime::from_millis($row.pruned_before),
            at: $crate::columns::types::UnixTime::from_millis($row.at),
            key_id: $row.key_id,
            signature: $crate::columns::bytes(&$row.signature, "prune signature")?,
        }
    };
}
#[doc(inline)]
pub use crate::audit_prune_columns as audit_prune;

/// A list of texts as JSON.
#[must_use]
pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}

/// `id, account_id, sealed, created_at, due_at, attempts`.
#[doc(hidden)]
#[macro_export]
macro_rules! taken_mail_columns {
    ($row:ident) => {
        $crate::TakenMail {
            mail: $crate::QueuedMail {
                id: $crate::MailId($row.id),
                account: $row.account_id.map($crate::AccountId),
                sealed: $row.sealed,
                created_at: $crate::columns::types::UnixTime::from_millis($row.created_at),
                due_at: $crate::columns::types::UnixTime::from_millis($row.due_at),
            },
            attempt: u32::try_from($row.attempts).map_err(|_| $crate::Damaged("number of attempts"))?,
        }
    };
}
#[doc(inline)]
pub use crate::taken_mail_columns as taken_mail;

/// `account_id, address, address_hash, token_hash, token_expires_at, mails, mailed_at, expires_at`.
#[doc(hidden)]
#[macro_export]
macro_rules! address_claim_columns {
    ($row:ident) => {
        $crate::AddressClaim {
            account: $crate::AccountId($row.account_id),
            address: $row.address,
            address_hash: $crate::columns::bytes(&$row.address_hash, "address hash")?,
            token_hash: $crate::TokenHash($crate::columns::bytes(&$row.token_hash, "token hash")?),
            token_expires_at: $crate::columns::types::UnixTime::from_millis($row.token_expires_at),
            mails: $crate::columns::count($row.mails, "number of mails")?,
            mailed_at: $crate::columns::types::UnixTime::from_millis($row.mailed_at),
            expires_at: $crate::columns::types::UnixTime::from_millis($row.expires_at),
        }
    };
}
#[doc(inline)]
pub use crate::address_claim_columns as address_claim;

/// `id_hash, account_id, address_hash, browser_hash, code_hash, tries, created_at, code_expires_at, stage, ready_at,
/// cancel_hash, code_tries, expires_at`.
#[doc(hidden)]
#[macro_export]
macro_rules! recovery_columns {
    ($row:ident) => {
        $crate::Recovery {
            id_hash: $crate::TokenHash($crate::columns::bytes(&$row.id_hash, "recovery id")?),
            account: $row.account_id.map($crate::AccountId),
            address_hash: $crate::columns::bytes(&$row.address_hash, "address hash")?,
            browser: match &$row.browser_hash {
                None => None,
                Some(hash) => Some($crate::TokenHash($crate::columns::bytes(hash, "browser hash")?)),
            },
            code_hash: $crate::columns::bytes(&$row.code_hash, "code hash")?,
            tries: $crate::columns::count($row.tries, "number of tries")?,
            created_at: $crate::columns::types::UnixTime::from_millis($row.created_at),
            code_expires_at: $crate::columns::types::UnixTime::from_millis($row.code_expires_at),
            stage: match ($row.stage.as_str(), $row.ready_at, &$row.cancel_hash) {
                ("asked", _, _) => $crate::RecoveryStage::Asked,
                ("ended", _, _) => $crate::RecoveryStage::Ended,
                ("waiting", Some(ready_at), Some(cancel)) => $crate::RecoveryStage::Waiting {
                    ready_at: $crate::columns::types::UnixTime::from_millis(ready_at),
                    cancel: $crate::TokenHash($crate::columns::bytes(cancel, "cancel hash")?),
                    tries: $crate::columns::count($row.code_tries, "number of tries")?,
                },
                (_, _, _) => return Err($crate::Damaged("recovery stage").into()),
            },
            expires_at: $crate::columns::types::UnixTime::from_millis($row.expires_at),
        }
    };
}
#[doc(inline)]
pub use crate::recovery_columns as recovery;

/// `account_id, token_hash, created_at, expires_at`.
#[doc(hidden)]
#[macro_export]
macro_rules! enrolment_columns {
    ($row:ident) => {
        $crate::Enrolment {
            account: $crate::AccountId($row.account_id),
            token: $crate::columns::token_hash(&$row.token_hash)?,
            created_at: $crate::columns::types::UnixTime::from_millis($row.created_at),
            expires_at: $crate::columns::types::UnixTime::from_millis($row.expires_at),
        }
    };
}
#[doc(inline)]
pub use crate::enrolment_columns as enrolment;

/// `reason, locked_at`, `token_hash, created_at, expires_at` of the enrolment link, `ready_at` of a recovery, `has_password`,
/// and `mac, key_created_at, key_last_used_at` of the client key: each null where there is none.
#[doc(hidden)]
#[macro_export]
macro_rules! standing_columns {
    ($row:ident, $account:expr) => {
        $crate::AccountStanding {
            lock: $row
                .reason
                .zip($row.locked_at)
                .map(|(reason, at)| $crate::AccountLock {
                    reason,
                    at: $crate::columns::types::UnixTime::from_millis(at),
                }),
            enrolment: match (&$row.token_hash, $row.created_at, $row.expires_at) {
                (Some(token), Some(created_at), Some(expires_at)) => Some($crate::Enrolment {
                    account: $account,
                    token: $crate::columns::token_hash(token)?,
                    created_at: $crate::columns::types::UnixTime::from_millis(created_at),
                    expires_at: $crate::columns::types::UnixTime::from_millis(expires_at),
                }),
                (_, _, _) => None,
            },
            recovery_ready_at: $row.ready_at.map($crate::columns::types::UnixTime::from_millis),
            has_password: $row.has_password,
            client_key: match (&$row.mac, $row.key_created_at) {
                (Some(mac), Some(created_at)) => Some($crate::ClientKey {
                    account: $account,
                    mac: $crate::columns::bytes(mac, "client key")?,
                    created_at: $crate::columns::types::UnixTime::from_millis(created_at),
                    last_used_at: $row
                        .key_last_used_at
                        .map($crate::columns::types::UnixTime::from_millis),
                }),
                (_, _) => None,
            },
        }
    };
}
#[doc(inline)]
pub use crate::standing_columns as standing;
