//! What both ceremonies need of the other implementation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use keyhaven_core::{Challenge, CrossOrigin, Origin, RelyingParty, UserVerification, base64url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::proto::{COSEAlgorithm, UserVerificationPolicy};

use crate::Abstention;

/// The other implementation, told of the relying party and the ceremony's origins.
pub(crate) fn peer(relying_party: &RelyingParty, bound: Option<&Origin>) -> Result<WebauthnCore, Abstention> {
    if relying_party.cross_origin != CrossOrigin::Refuse {
        return Err(Abstention::Untold {
            what: "embedding pages",
        });
    }
    let origins = bound.map_or(relying_party.origins.as_slice(), std::slice::from_ref);
    let origins: Result<Vec<Url>, Abstention> = origins
        .iter()
        .map(|origin| match Url::parse(origin.as_str()) {
            // An app's origin (android:apk-key-hash:…) is none of the web.
            Ok(url) if url.has_host() => Ok(url),
            _ => Err(Abstention::Untold {
                what: "an origin that is no web origin",
            }),
        })
        .collect();
    Ok(WebauthnCore::new_unsafe_experts_only(
        relying_party.id.as_str(),
        relying_party.id.as_str(),
        origins?,
        Duration::from_secs(300),
        Some(false),
        Some(false),
    ))
}

/// The algorithms it verifies.
pub(crate) fn algorithm(identifier: i64) -> Option<COSEAlgorithm> {
    match identifier {
        -7 => Some(COSEAlgorithm::ES256),
        -35 => Some(COSEAlgorithm::ES384),
        -257 => Some(COSEAlgorithm::RS256),
        _ => None,
    }
}

pub(crate) const fn user_verification(policy: UserVerification) -> UserVerificationPolicy {
    match policy {
        UserVerification::Discouraged => UserVerificationPolicy::Discouraged_DO_NOT_USE,
        UserVerification::Preferred => UserVerificationPolicy::Preferred,
        UserVerification::Required => UserVerificationPolicy::Required,
    }
}

/// A ceremony's state with our challenge in place of the one that was drawn. The state is made to be stored, so its
/// serialised form is the way to it.
pub(crate) fn with_challenge<S: Serialize + DeserializeOwned>(
    state: &S,
    challenge: &Challenge,
) -> Result<S, Abstention> {
    const UNTOLD: Abstention = Abstention::Untold { what: "a challenge" };
    let mut state = serde_json::to_value(state).map_err(|_| UNTOLD)?;
    let member = state.get_mut("challenge").ok_or(UNTOLD)?;
    *member = base64url::encode(challenge.as_bytes()).into();
    serde_json::from_value(state).map_err(|_| UNTOLD)
}

/// Runs the other implementation; its panics become abstentions.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Abstention> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| Abstention::Panicked)
}
