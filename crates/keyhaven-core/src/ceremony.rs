//! What both ceremonies compare in the same way.

use keyhaven_types::{Origin, base64url};

use crate::authenticator_data::AuthenticatorData;
use crate::client_data::CollectedClientData;
use crate::extensions::ClientExtensionResults;
use crate::relying_party::{CrossOrigin, RelyingParty};

/// The origins that are expected: the one the ceremony was started from, or any of the relying party's.
pub(crate) fn expected_origins<'a>(
    relying_party: &'a RelyingParty,
    bound: Option<&'a Origin>,
) -> &'a [Origin] {
    bound.map_or(relying_party.origins.as_slice(), std::slice::from_ref)
}

/// The expected origin that `received` is, compared as text, whole and exactly.
pub(crate) fn expected_origin<'a>(
    relying_party: &'a RelyingParty,
    bound: Option<&'a Origin>,
    received: &str,
) -> Option<&'a Origin> {
    expected_origins(relying_party, bound)
        .iter()
        .find(|origin| origin.as_str() == received)
}

/// Whether the client data's `crossOrigin` is acceptable. Absent means false.
pub(crate) fn cross_origin_allowed(
    relying_party: &RelyingParty,
    client_data: &CollectedClientData<'_>,
) -> bool {
    match relying_party.cross_origin {
        CrossOrigin::Allow { .. } => true,
        CrossOrigin::Refuse => client_data.cross_origin() != Some(true),
    }
}

/// What the client data's `topOrigin` is.
pub(crate) enum TopOrigin<'a> {
    Absent,
    Expected(&'a str),
    Unexpected(&'a str),
}

/// Judges `topOrigin`: it may stand only beside `crossOrigin: true`, and must be an expected embedding page.
pub(crate) fn top_origin<'a>(
    relying_party: &RelyingParty,
    client_data: &'a CollectedClientData<'_>,
) -> TopOrigin<'a> {
    let Some(received) = client_data.top_origin() else {
        return TopOrigin::Absent;
    };
    match &relying_party.cross_origin {
        CrossOrigin::Allow { top_origins }
            if client_data.cross_origin() == Some(true)
                && top_origins.iter().any(|origin| origin.as_str() == received) =>
        {
            TopOrigin::Expected(received)
        }
        CrossOrigin::Allow { .. } | CrossOrigin::Refuse => TopOrigin::Unexpected(received),
    }
}

/// Two hashes, for a trace.
pub(crate) fn compared_hashes(expected: &[u8; 32], received: &[u8; 32]) -> String {
    format!(
        "rpIdHash: expected {}, received {}",
        base64url::encode(expected),
        base64url::encode(received)
    )
}

/// The identifiers of extension outputs, for a trace.
pub(crate) fn extension_names(client: &ClientExtensionResults, data: &AuthenticatorData<'_>) -> String {
    let signed: Vec<&str> = data.extension_names().collect();
    let client: Vec<&str> = client.names().collect();
    format!("extension outputs: signed {signed:?}, client {client:?}")
}

#[cfg(test)]
mod tests {
    use keyhaven_types::Flags;

    use super::*;
    use crate::CanonicalCbor;
    use crate::json::Object;

    #[test]
    fn a_trace_shows_both_hashes() {
        let shown = compared_hashes(&[0; 32], &[0xff; 32]);
        let (zeros, ones) = ("A".repeat(43), format!("{}8", "_".repeat(42)));
        assert_eq!(shown, format!("rpIdHash: expected {zeros}, received {ones}"));
    }

    #[test]
    fn a_trace_names_the_extensions_by_who_says_so() {
        let signed = [&[0; 32][..], &[Flags::ED], &[0; 4], b"\xa1\x67minPinL\x04"].concat();
        let signed = AuthenticatorData::parse(&signed, CanonicalCbor::Strict).unwrap();
        let client = Object::parse(r#"{"credProps":{"rk":true}}"#).unwrap();
        let client = ClientExtensionResults::read(client).unwrap();
        assert_eq!(
            extension_names(&client, &signed),
            r#"extension outputs: signed ["minPinL"], client ["credProps"]"#
        );
    }
}
