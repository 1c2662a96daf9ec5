//! The committed description is the code's.

#[test]
fn the_committed_description_is_current() {
    let committed = include_str!("../../../../docs/openapi.json");
    let current = keyhaven_api::openapi_json();
    assert_eq!(
        committed.trim(),
        current.trim(),
        "run: cargo run -- openapi > docs/openapi.json"
    );
}

#[test]
fn every_reference_resolves_and_every_operation_is_named() {
    let description: serde_json::Value = serde_json::from_str(&keyhaven_api::openapi_json()).unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut names = std::collections::HashSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"]
                .as_str()
                .unwrap_or_else(|| panic!("{method} {path}"));
            assert!(names.insert(name.to_owned()), "{name} twice");
        }
    }
    references(&description, &description);
}

fn references(whole: &serde_json::Value, part: &serde_json::Value) {
    if let Some(reference) = part.get("$ref").and_then(|reference| reference.as_str()) {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(whole.pointer(pointer).is_some(), "{reference}");
    }
    if let Some(items) = part.as_array() {
        items.iter().for_each(|item| references(whole, item));
    } else if let Some(members) = part.as_object() {
        members.values().for_each(|item| references(whole, item));
    }
}
