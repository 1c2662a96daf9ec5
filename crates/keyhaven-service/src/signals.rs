//! What a page tells the browser about an account's passkeys once something has changed (Signal API, WebAuthn L3 §5.1.10).

use keyhaven_storage::{Account, Credential, InactiveReason};
use keyhaven_types::CredentialId;
use keyhaven_types::signal::{AllAcceptedCredentials, CurrentUserDetails, UnknownCredential};
use serde::Serialize;

use crate::context::Context;
use crate::passkeys::Passkeys;
use crate::sessions::SignedIn;

/// Arguments of the Signal API, each for the method of its name, as far as they are known.
///
/// The first two name an account's passkeys and its user handle: they are for that account's signed-in user only. The last
/// is for whoever presented the credential.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signals {
    /// For `signalAllAcceptedCredentials()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_accepted_credentials: Option<AllAcceptedCredentials>,
    /// For `signalCurrentUserDetails()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_user_details: Option<CurrentUserDetails>,
    /// For `signalUnknownCredential()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_credential: Option<UnknownCredential>,
}

impl Context {
    /// What is known of an account without a look: its names.
    pub(crate) fn signals_of(&self, account: &Account) -> Signals {
        Signals {
            current_user_details: Some(CurrentUserDetails {
                rp_id: self.relying_party().id.clone(),
                user_id: account.user_handle.clone(),
                name: account.name().to_owned(),
                display_name: account.display_name.clone(),
            }),
            ..Signals::default()
        }
    }

    /// The account's names, and which of its credentials count: all, in use or suspended, and none that was revoked. An
    /// authenticator may drop what is left out, and that cannot be taken back.
    pub(crate) fn signals_with(&self, account: &Account, credentials: &[Credential]) -> Signals {
        let accepted = credentials
            .iter()
            .filter(|credential| credential.inactive_reason != Some(InactiveReason::CloneRevoked));
        Signals {
            all_accepted_credentials: Some(AllAcceptedCredentials {
                rp_id: self.relying_party().id.clone(),
                user_id: account.user_handle.clone(),
                all_accepted_credential_ids: accepted.map(|credential| credential.id.clone()).collect(),
            }),
            ..self.signals_of(account)
        }
    }

    /// After a change that is done. A store that does not answer any more takes nothing of it back: then the list is left
    /// out.
    pub(crate) async fn signals_now(&self, account: &Account) -> Signals {
        match self.durable.credentials_of(account.id).await {
            Ok(credentials) => self.signals_with(account, &credentials),
            Err(_) => self.signals_of(account),
        }
    }

    /// This credential is nobody's here.
    pub(crate) fn unknown_credential(&self, id: &CredentialId) -> Box<UnknownCredential> {
        Box::new(UnknownCredential {
            rp_id: self.relying_party().id.clone(),
            credential_id: id.clone(),
        })
    }
}

impl Passkeys {
    /// The signals that fit this list of the account's passkeys.
    #[must_use]
    pub fn signals_with(&self, current: &SignedIn, credentials: &[Credential]) -> Signals {
        self.0.signals_with(current.account(), credentials)
    }

    /// The signals after a change that is done.
    pub async fn signals(&self, current: &SignedIn) -> Signals {
        self.0.signals_now(current.account()).await
    }
}
