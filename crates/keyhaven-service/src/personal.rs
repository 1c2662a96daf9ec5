//! What an event holds of the person who asked: encrypted under a key of that person's account, so that it is gone when
//! the account is, and the event, its MAC and the seal over it stay as they are.
//!
//! The key is made from the deployment's secret and the account's user handle: 32 random bytes that are kept with the
//! account alone, and deleted with it. What nobody's account is about is encrypted under a key of the deployment.

use keyhaven_storage::{AuditEvent, EventId};
use keyhaven_types::UserHandle;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::ports::{Random, RandomUnavailable};
use crate::secrets::Keys;

/// Who asked, as far as the transport knew.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Personal {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Personal {
    pub(crate) fn of(client: &Client) -> Self {
        Self {
            ip: Some(client.ip.to_string()),
            user_agent: client.user_agent.clone(),
            request_id: Some(client.request_id.clone()),
        }
    }

    /// As it is stored: it opens in this event alone.
    pub(crate) fn sealed(
        &self,
        keys: &Keys,
        person: Option<&UserHandle>,
        event: EventId,
        random: &dyn Random,
    ) -> Result<Vec<u8>, RandomUnavailable> {
        let plain = serde_json::to_vec(self).map_err(|_| RandomUnavailable)?;
        keys.seal_personal(person, event, &plain, random)
    }
}

/// The event with address, user agent and request id in their places, where they can be read: as long as there is an
/// account, `person` being its user handle, or where the event is about none.
pub(crate) fn opened(keys: &Keys, mut event: AuditEvent, person: Option<&UserHandle>) -> AuditEvent {
    let person = person.filter(|_| event.account.is_some() || event.actor.is_some());
    let plain = event
        .personal
        .as_deref()
        .and_then(|sealed| keys.open_personal(person, event.id, sealed));
    if let Some(personal) = plain.and_then(|plain| serde_json::from_slice::<Personal>(&plain).ok()) {
        event.ip = personal.ip;
        event.user_agent = personal.user_agent;
        event.request_id = personal.request_id;
    }
    event
}
