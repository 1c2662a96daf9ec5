//! What a page tells the browser about an account's passkeys: the arguments of the Signal API (WebAuthn L3 §5.1.10).
//!
//! Each serialises to the JSON that `PublicKeyCredential.signal…()` takes unchanged. The last two name an account's
//! passkeys and its user handle: they are for that account's signed-in user only.

use serde::Serialize;

use crate::{CredentialId, RpId, UserHandle};

/// For `signalUnknownCredential()` (§5.1.10.2): this credential is nobody's. Safe to tell anonymous callers who presented
/// it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnknownCredential {
    /// The relying party.
    pub rp_id: RpId,
    /// The credential that was presented.
    pub credential_id: CredentialId,
}

/// For `signalAllAcceptedCredentials()` (§5.1.10.3): these are all; others of this account are gone.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AllAcceptedCredentials {
    /// The relying party.
    pub rp_id: RpId,
    /// The account.
    pub user_id: UserHandle,
    /// Every credential that still counts: one that is left out may be hidden or deleted by the authenticator.
    pub all_accepted_credential_ids: Vec<CredentialId>,
}

/// For `signalCurrentUserDetails()` (§5.1.10.4): the account's names now.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentUserDetails {
    /// The relying party.
    pub rp_id: RpId,
    /// The account.
    pub user_id: UserHandle,
    /// Its name.
    pub name: String,
    /// The name a person reads.
    pub display_name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_have_the_names_of_the_specification() {
        let rp_id = RpId::new("example.org").unwrap();
        let user_id = UserHandle::try_from(&[1, 2][..]).unwrap();
        let id = CredentialId::try_from(&[0xff][..]).unwrap();
        assert_eq!(
            serde_json::to_string(&UnknownCredential {
                rp_id: rp_id.clone(),
                credential_id: id.clone()
            })
            .unwrap(),
            r#"{"rpId":"example.org","credentialId":"_w"}"#
        );
        assert_eq!(
            serde_json::to_string(&AllAcceptedCredentials {
                rp_id: rp_id.clone(),
                user_id: user_id.clone(),
                all_accepted_credential_ids: vec![id]
            })
            .unwrap(),
            r#"{"rpId":"example.org","userId":"AQI","allAcceptedCredentialIds":["_w"]}"#
        );
        assert_eq!(
            serde_json::to_string(&CurrentUserDetails {
                rp_id,
                user_id,
                name: "alice".into(),
                display_name: "Alice".into()
            })
            .unwrap(),
            r#"{"rpId":"example.org","userId":"AQI","name":"alice","displayName":"Alice"}"#
        );
    }
}
