//! What shows, at any later time and to anybody, that a passkey confirmed an action.

use keyhaven_core::CrossOrigin;
use keyhaven_storage::OwnedCredential;
use keyhaven_types::base64url;
use keyhaven_types::options::UserVerification;
use serde::Serialize;

use crate::ceremony::{BoundAction, Taken};
use crate::error::Error;
use crate::settings::Settings;

/// A confirmed action as one case of `keyhaven verify`: the response as it was received, the key that verifies it as it
/// was stored, and what the challenge was made from. Whoever keeps it can have it judged again without this server.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmation {
    kind: &'static str,
    rp_id: String,
    origins: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cross_origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_origins: Option<Vec<String>>,
    action: Action,
    user_verification: UserVerification,
    response: serde_json::Value,
    credential: Key,
}

#[derive(Clone, Debug, Serialize)]
struct Action {
    hash: String,
    nonce: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    id: String,
    public_key: String,
    sign_count: u32,
    user_handle: String,
    backup_eligible: bool,
}

impl Confirmation {
    /// `owned` is the credential as it was before the assertion; `response` the JSON that was verified.
    pub(crate) fn new(
        settings: &Settings,
        taken: &Taken,
        action: &BoundAction,
        owned: &OwnedCredential,
        response: &[u8],
    ) -> Result<Self, Error> {
        let relying_party = &settings.relying_party;
        let texts = |origins: &[keyhaven_core::Origin]| -> Vec<String> {
            origins.iter().map(|origin| origin.as_str().to_owned()).collect()
        };
        let (cross_origin, top_origins) = match &relying_party.cross_origin {
            CrossOrigin::Allow { top_origins } => (Some("allow"), Some(texts(top_origins))),
            CrossOrigin::Refuse => (None, None),
        };
        let credential = &owned.credential;
        // It was verified, so it is JSON.
        let mut response: serde_json::Value =
            serde_json::from_slice(response).map_err(|_| Error::invalid("credential: not JSON"))?;
        // Nor was an empty user handle one when it was verified. It is not signed.
        if let Some(members) = response
            .get_mut("response")
            .and_then(serde_json::Value::as_object_mut)
            && members.get("userHandle").is_some_and(|handle| handle == "")
        {
            members.remove("userHandle");
        }
        Ok(Self {
            kind: "authentication",
            rp_id: relying_party.id.as_str().to_owned(),
            origins: match &taken.origin {
                Some(origin) => vec![origin.as_str().to_owned()],
                None => texts(&relying_party.origins),
            },
            cross_origin,
            top_origins,
            action: Action {
                hash: base64url::encode(&action.hash),
                nonce: base64url::encode(&action.nonce),
            },
            user_verification: settings.user_verification,
            response,
            credential: Key {
                id: credential.id.to_string(),
                public_key: base64url::encode(&credential.public_key),
                sign_count: credential.sign_count.0,
                user_handle: base64url::encode(owned.account.user_handle.as_bytes()),
                backup_eligible: credential.backup_eligible,
            },
        })
    }
}
