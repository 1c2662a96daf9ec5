//! What people call the authenticator of an AAGUID. For display only: an AAGUID proves nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

use keyhaven_types::Aaguid;

static NAMES: LazyLock<HashMap<Aaguid, String>> = LazyLock::new(|| {
    let names: HashMap<String, String> =
        serde_json::from_str(include_str!("../data/aaguids.json")).unwrap_or_default();
    names
        .into_iter()
        .filter_map(|(aaguid, name)| Some((aaguid.parse().ok()?, name)))
        .collect()
});

/// The name of an authenticator model, where it is known.
#[must_use]
pub fn authenticator_name(aaguid: Aaguid) -> Option<&'static str> {
    NAMES.get(&aaguid).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read() {
        assert!(NAMES.len() > 300);
        let google = "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4".parse().unwrap();
        assert_eq!(authenticator_name(google), Some("Google Password Manager"));
        assert_eq!(authenticator_name(Aaguid::ZERO), None);
    }
}
